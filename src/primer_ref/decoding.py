"""Decoding, one token at a time: maps from a distribution to a distribution, and draws.

Temperature is `primer_ref.functional.softmax`'s. Every truncation conditions the distribution on a
set of tokens, so `restrict` is the one place where probabilities are put to 0 and the others scaled
up; the functions differ in the set alone. All of them work along the last axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_positive_finite
from primer_ref.functional import as_floats, log_softmax
from primer_ref.information import distribution, entropy, probabilities, surprisal, surviving_mass
from primer_ref.ngram import as_symbols

__all__ = [
    "escape_length",
    "greedy",
    "gumbel_max",
    "min_p",
    "no_repeat_ngram",
    "repetition_penalty",
    "restrict",
    "sample",
    "top_k",
    "top_p",
    "typical",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def restrict(p: ArrayLike, keep: ArrayLike) -> Floats:
    r"""Condition a distribution on a set of tokens, :math:`p_v \indicator[v \in S] / p(S)`.

    Parameters
    ----------
    p : array_like, shape (..., V)
        Distributions.
    keep : array_like of bool, shape (..., V)
        Which tokens are in the set S.

    Returns
    -------
    ndarray, shape (..., V)
        Distributions on S: the ratios between its tokens are as before.

    Raises
    ------
    ValueError
        If a row of ``p`` is not a distribution, or gives its set probability 0.

    Notes
    -----
    Implements :eq:`eq-restrict`.

    Of all distributions on S, this one has the least divergence from p, −log p(S) nats; its total
    variation distance from p is 1 − p(S).

    Examples
    --------
    >>> from primer_ref.decoding import restrict
    >>> print(restrict([0.5, 0.25, 0.25], [True, False, True]).round(4))
    [0.6667 0.     0.3333]
    """
    p = distribution(p)
    kept = np.where(keep, p, 0)
    mass = np.sum(kept, axis=-1, keepdims=True)
    if not np.all(mass > 0):
        raise ValueError("the tokens that are kept must have a probability above 0; got 0")
    restricted: Floats = kept / mass
    return restricted


def greedy(p: ArrayLike) -> Floats:
    r"""Keep the most probable token, the limit of softmax as :math:`\tau \to 0`.

    Parameters
    ----------
    p : array_like, shape (..., V)
        Distributions.

    Returns
    -------
    ndarray, shape (..., V)
        All probability on the largest entry, shared equally where several are equal to it.

    Raises
    ------
    ValueError
        If a row is not a distribution.

    Examples
    --------
    >>> from primer_ref.decoding import greedy
    >>> print(greedy([0.2, 0.5, 0.3]), greedy([0.4, 0.4, 0.2]))
    [0. 1. 0.] [0.5 0.5 0. ]
    """
    p = distribution(p)
    return restrict(p, p == np.max(p, axis=-1, keepdims=True))


def top_k(p: ArrayLike, *, k: int) -> Floats:
    r"""Keep the k most probable tokens.

    Parameters
    ----------
    p : array_like, shape (..., V)
        Distributions.
    k : int
        How many to keep, from 1 to V. Tokens as probable as the k-th are kept with it.

    Returns
    -------
    ndarray, shape (..., V)
        Distributions on these tokens.

    Raises
    ------
    ValueError
        If a row is not a distribution, or ``k`` is not from 1 to V.

    Notes
    -----
    Implements :eq:`eq-truncations`.

    :math:`S = \{v : r(v) \le k\}`, with r the rank of a token.

    Whatever keeps an upper set, as this, `top_p` and `min_p` do, majorizes p and so never raises
    the entropy.

    References
    ----------
    A. Fan, M. Lewis and Y. Dauphin (2018), Hierarchical Neural Story Generation.

    Examples
    --------
    >>> from primer_ref.decoding import top_k
    >>> print(top_k([0.1, 0.4, 0.2, 0.3], k=2).round(4))
    [0.     0.5714 0.     0.4286]
    """
    p = distribution(p)
    if not 1 <= k <= p.shape[-1]:
        raise ValueError(f"k must be from 1 to V = {p.shape[-1]}; got {k}")
    smallest = np.partition(p, -k, axis=-1)[..., -k, None]
    return restrict(p, p >= smallest)


def top_p(p: ArrayLike, *, mass: float) -> Floats:
    r"""Keep the nucleus: the smallest set of tokens whose probability is at least ``mass``.

    A token is kept if the tokens before it, in falling order of probability, have less than
    ``mass`` together; so the one that takes the sum to ``mass`` or across it is the last one kept.

    Parameters
    ----------
    p : array_like, shape (..., V)
        Distributions.
    mass : float
        Probability to keep, in (0, 1].

    Returns
    -------
    ndarray, shape (..., V)
        Distributions on these tokens. Of equally probable ones the lowest numbers come first.

    Raises
    ------
    ValueError
        If a row is not a distribution, or ``mass`` is not in (0, 1].

    Notes
    -----
    Implements :eq:`eq-truncations`.

    :math:`S = \{v : \sum_{r(w) < r(v)} p_w < m\}`, with m the mass.

    References
    ----------
    A. Holtzman, J. Buys, L. Du, M. Forbes and Y. Choi (2020), The Curious Case of Neural Text
    Degeneration.

    Examples
    --------
    >>> from primer_ref.decoding import top_p
    >>> print(top_p([0.5, 0.1, 0.3, 0.1], mass=0.7))
    [0.625 0.    0.375 0.   ]
    """
    p = distribution(p)
    return restrict(p, _shortest_beginning(p, np.argsort(-p, axis=-1, kind="stable"), mass))


def min_p(p: ArrayLike, *, ratio: float) -> Floats:
    r"""Keep the tokens at least ``ratio`` times as probable as the most probable one.

    Parameters
    ----------
    p : array_like, shape (..., V)
        Distributions.
    ratio : float
        In [0, 1]; 1 is greedy, 0 keeps everything.

    Returns
    -------
    ndarray, shape (..., V)
        Distributions on these tokens.

    Raises
    ------
    ValueError
        If a row is not a distribution, or ``ratio`` is not in [0, 1].

    Notes
    -----
    Implements :eq:`eq-truncations`.

    :math:`S = \{v : p_v \ge \rho \max_w p_w\}`, with ρ the ratio.

    In logits: those at most −log(ratio) below the largest, before any temperature.

    References
    ----------
    M. Nguyen, A. Baker, C. Neo, A. Roush, A. Kirsch and R. Shwartz-Ziv (2024), Turning Up the Heat:
    Min-p Sampling for Creative and Coherent LLM Outputs.

    Examples
    --------
    >>> from primer_ref.decoding import min_p
    >>> print(min_p([0.5, 0.1, 0.3, 0.1], ratio=0.5))
    [0.625 0.    0.375 0.   ]
    """
    p = distribution(p)
    if not 0 <= ratio <= 1:
        raise ValueError(f"ratio must be in [0, 1]; got {ratio}")
    return restrict(p, p >= ratio * np.max(p, axis=-1, keepdims=True))


def typical(p: ArrayLike, *, mass: float) -> Floats:
    r"""Keep the tokens whose surprisal is nearest to the entropy, :math:`|{-\log p_v} - H(p)|`.

    Parameters
    ----------
    p : array_like, shape (..., V)
        Distributions.
    mass : float
        Probability to keep, in (0, 1]: the nearest tokens that have so much, as in `top_p`.

    Returns
    -------
    ndarray, shape (..., V)
        Distributions on these tokens, among which the most probable one need not be.

    Raises
    ------
    ValueError
        If a row is not a distribution, or ``mass`` is not in (0, 1].

    Notes
    -----
    Implements :eq:`eq-typical`.

    Not an upper set: the entropy may rise.

    References
    ----------
    C. Meister, T. Pimentel, G. Wiher and R. Cotterell (2023), Locally Typical Sampling.

    Examples
    --------
    A likely token is dropped, because eight others are nearer to the entropy:

    >>> from primer_ref.decoding import typical
    >>> print(typical([0.44] + 8 * [0.07], mass=0.5))
    [0.    0.125 0.125 0.125 0.125 0.125 0.125 0.125 0.125]
    """
    p = distribution(p)
    distance = np.abs(surprisal(p) - entropy(p)[..., None])
    return restrict(p, _shortest_beginning(p, np.argsort(distance, axis=-1, kind="stable"), mass))


def _shortest_beginning(p: Floats, order: NDArray[np.intp], mass: float) -> Bools:
    """Mark the tokens that come first in an order until they have this much probability."""
    if not 0 < mass <= 1:
        raise ValueError(f"mass must be in (0, 1]; got {mass}")
    cumulative = np.cumsum(np.take_along_axis(p, order, axis=-1), axis=-1, dtype=np.float64)
    before = np.insert(cumulative[..., :-1], 0, 0, axis=-1)
    keep = np.empty(p.shape, dtype=np.bool_)
    np.put_along_axis(keep, order, before < mass, axis=-1)
    return keep


def repetition_penalty(logits: ArrayLike, tokens: Sequence[int], *, penalty: float) -> Floats:
    r"""Divide the positive logits of tokens seen before by θ, multiply the others by θ.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Scores.
    tokens : sequence of int
        Tokens seen before; how often does not matter.
    penalty : float
        θ > 0: above 1 repetition becomes less likely, 1 changes nothing.

    Returns
    -------
    ndarray, shape (..., V)
        New logits.

    Raises
    ------
    ValueError
        If a token is not an integer from 0 to V − 1, or the penalty is not positive and finite.

    Notes
    -----
    Implements :eq:`eq-repetition-penalty`.

    This is no map on the simplex: logits that differ by a constant have one softmax, and get
    different penalties. On log-probabilities, which are at most 0, it is :math:`p_v^\theta`, and
    that depends on the distribution alone.

    References
    ----------
    N. S. Keskar, B. McCann, L. R. Varshney, C. Xiong and R. Socher (2019), CTRL: A Conditional
    Transformer Language Model for Controllable Generation.

    Examples
    --------
    >>> from primer_ref.decoding import repetition_penalty
    >>> print(repetition_penalty([2.0, -1.0, 3.0], [0, 1], penalty=2.0))
    [ 1. -2.  3.]
    """
    s = as_floats(logits, axes=1)
    check_positive_finite(penalty, "penalty")
    seen = np.isin(np.arange(s.shape[-1]), as_symbols(tokens, s.shape[-1]))
    return np.where(seen, np.where(s > 0, s / penalty, s * penalty), s)


def no_repeat_ngram(tokens: Sequence[int], *, n: int, n_tokens: int) -> Bools:
    r"""Find the tokens that would complete an n-gram that has occurred already.

    Parameters
    ----------
    tokens : sequence of int
        The text so far.
    n : int
        Length of the n-grams that may not repeat, at least 1; with 1, no token may.
    n_tokens : int
        Size V of the vocabulary.

    Returns
    -------
    ndarray of bool, shape (V,)
        True where a token is banned: what is left is ``restrict(p, ~banned)``.

    Raises
    ------
    ValueError
        If a token is not an integer from 0 to V − 1, or ``n`` is below 1.

    References
    ----------
    R. Paulus, C. Xiong and R. Socher (2018), A Deep Reinforced Model for Abstractive Summarization.

    Examples
    --------
    >>> from primer_ref.decoding import no_repeat_ngram
    >>> print(no_repeat_ngram([0, 1, 0, 2, 0], n=2, n_tokens=4))  # 0 1 and 0 2 have occurred
    [False  True  True False]
    """
    if n < 1:
        raise ValueError(f"n must be at least 1; got {n}")
    text = as_symbols(tokens, n_tokens)
    banned = np.zeros(n_tokens, dtype=np.bool_)
    if len(text) >= n:
        grams = np.lib.stride_tricks.sliding_window_view(text, n)  # (len − n + 1, n)
        same = np.all(grams[:, :-1] == text[len(text) - n + 1 :], axis=-1)
        banned[grams[same, -1]] = True
    return banned


def sample(p: ArrayLike, *, rng: np.random.Generator) -> Ints:
    r"""Draw a token by inverting the cumulative distribution.

    The token is the v with :math:`P_{v-1} \le u < P_v`, where P are the cumulative sums and u is
    uniform on [0, 1).

    Parameters
    ----------
    p : array_like, shape (..., V)
        Distributions.
    rng : numpy.random.Generator
        Source of randomness; one uniform number a row.

    Returns
    -------
    ndarray of int64, shape (...)
        Tokens; never one of probability 0.

    Raises
    ------
    ValueError
        If a row is not a distribution.

    Notes
    -----
    Implements :eq:`eq-inverse-draw`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.decoding import sample
    >>> print(sample([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], rng=np.random.default_rng(0)))
    [1 2]
    """
    p = distribution(p)
    cumulative = np.cumsum(p, axis=-1, dtype=np.float64)
    # Rounding may leave the last sum beside 1; u is scaled by it so that no draw falls outside.
    u = rng.random((*p.shape[:-1], 1)) * cumulative[..., -1:]
    return np.asarray(np.sum(cumulative <= u, axis=-1))


def gumbel_max(logits: ArrayLike, *, rng: np.random.Generator) -> Ints:
    r"""Draw a token as the largest of the logits with Gumbel noise, :math:`\argmax_v (s_v + G_v)`.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Scores; −∞ rules out.
    rng : numpy.random.Generator
        Source of randomness; V numbers a row.

    Returns
    -------
    ndarray of int64, shape (...)
        Tokens, distributed as softmax of the logits.

    Raises
    ------
    ValueError
        If a row has no softmax.

    Notes
    -----
    Implements :eq:`eq-gumbel-max`.

    The G are independent with the distribution function exp(−exp(−g)). The maximum over v of
    :math:`s_v + G_v` is itself Gumbel, shifted by :math:`\lse(s)`, and independent of where it is
    reached. No sum over the vocabulary is needed.

    References
    ----------
    C. J. Maddison, D. Tarlow and T. Minka (2014), A* Sampling.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.decoding import gumbel_max
    >>> rng = np.random.default_rng(0)
    >>> draws = gumbel_max(np.broadcast_to(np.log([0.25, 0.75]), (10_000, 2)), rng=rng)
    >>> print(f"{draws.mean():.2f}")
    0.75
    """
    s = log_softmax(logits)
    return np.asarray(np.argmax(s + rng.gumbel(size=s.shape), axis=-1))


def escape_length(leave: ArrayLike) -> float:
    r"""Compute the mean number of steps until a loop of tokens is left.

    With m places in the loop and the probability e_i of leaving it at place i, it is

    .. math::
        \frac{\sum_{k=0}^{m-1} \prod_{i \le k} (1 - e_i)}{1 - \prod_{i \le m} (1 - e_i)} .

    Parameters
    ----------
    leave : array_like, shape (m,)
        Probability, at each place of the loop, that the next token is not the loop's.

    Returns
    -------
    float
        Steps, the one that leaves included; infinite if no place lets out.

    Raises
    ------
    ValueError
        If the loop has no place, or an entry is not in [0, 1].

    Notes
    -----
    Implements :eq:`eq-escape-length`.

    A model that sees finitely many tokens and decodes greedily leaves no loop that fills them:
    every e_i is 0.

    Examples
    --------
    >>> from primer_ref.decoding import escape_length
    >>> escape_length([0.5]), escape_length([0.0, 0.5]), escape_length([0.0, 0.0])
    (2.0, 4.0, inf)
    """
    leave = probabilities(leave, "leave")
    stay = surviving_mass(leave)
    if stay.size == 0:
        raise ValueError("a loop must have at least one place; got none")
    with np.errstate(divide="ignore"):  # a place that always lets out
        left = -np.expm1(np.sum(np.log1p(-leave)))  # 1 − stay[-1] would lose small ones
    return float((1 + np.sum(stay[:-1])) / left) if left > 0 else math.inf
