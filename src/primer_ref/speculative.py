"""Speculative decoding: a cheap model drafts, the costly one checks, and its law is kept exactly.

One run of the costly model scores a whole draft. How much that gains is computed for tokens that
are accepted independently, each with one probability α: a simplification, as the formulas say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative, check_nonnegative_finite, check_probability
from primer_ref.decoding import sample
from primer_ref.information import distribution

__all__ = [
    "acceptance_rate",
    "best_gamma",
    "expected_tokens",
    "operations_factor",
    "residual",
    "speculative_step",
    "speedup",
]

Floats = NDArray[np.floating[Any]]


def _pair(p: ArrayLike, q: ArrayLike) -> tuple[Floats, Floats]:
    p, q = distribution(p), distribution(q, "q")
    if p.shape[-1] != q.shape[-1]:
        raise ValueError(f"p and q must have the same tokens; got {p.shape[-1]} and {q.shape[-1]}")
    return p, q


def acceptance_rate(p: ArrayLike, q: ArrayLike) -> Floats:
    r"""Probability that a drafted token is accepted, :math:`\sum_v \min(p_v, q_v)`.

    Parameters
    ----------
    p : array_like, shape (..., V)
        The law to keep.
    q : array_like, shape (..., V)
        The law the draft is drawn from.

    Returns
    -------
    ndarray, shape (...)
        One minus the total variation distance between p and q.

    Raises
    ------
    ValueError
        If a row of either is not a distribution, or their number of tokens differs.

    Notes
    -----
    Implements :eq:`eq-acceptance`.

    No coupling of a draw from p with a draw from q makes them equal more often.

    Examples
    --------
    >>> from primer_ref.speculative import acceptance_rate
    >>> print(f"{acceptance_rate([0.5, 0.3, 0.2], [0.2, 0.5, 0.3]):.4f}")
    0.7000
    """
    p, q = _pair(p, q)
    return np.asarray(np.sum(np.minimum(p, q), axis=-1))


def residual(p: ArrayLike, q: ArrayLike) -> Floats:
    r"""Law of the token that replaces a rejected one, :math:`(p - q)_+ / \sum_v (p_v - q_v)_+`.

    Parameters
    ----------
    p : array_like, shape (..., V)
        The law to keep.
    q : array_like, shape (..., V)
        The law the draft was drawn from.

    Returns
    -------
    ndarray, shape (..., V)
        Distributions on the tokens that the draft proposes too rarely.

    Raises
    ------
    ValueError
        If a row of either is not a distribution, their number of tokens differs, or p and q are
        equal, when nothing is ever rejected.

    Notes
    -----
    Implements :eq:`eq-residual`.

    Examples
    --------
    >>> from primer_ref.speculative import residual
    >>> print(residual([0.5, 0.3, 0.2], [0.2, 0.5, 0.3]))
    [1. 0. 0.]
    """
    p, q = _pair(p, q)
    excess = np.maximum(p - q, 0)
    mass = np.sum(excess, axis=-1, keepdims=True)
    if not np.all(mass > 0):
        raise ValueError("p and q must differ: nothing is rejected if they are equal")
    law: Floats = excess / mass
    return law


def speculative_step(
    p: ArrayLike, q: ArrayLike, drafted: Sequence[int], *, rng: np.random.Generator
) -> list[int]:
    r"""Accept drafted tokens one by one, and add one token of the costly model's own.

    A token x drafted from q is accepted with probability min(1, p(x)/q(x)). The first rejected one
    is replaced by a draw from :math:`(p - q)_+`, normalized, and ends the step; if all are
    accepted, one more token is drawn from p.

    Parameters
    ----------
    p : array_like, shape (γ + 1, V)
        The costly model's laws, after the text so far and after each of the drafted tokens.
    q : array_like, shape (γ, V)
        The laws the drafted tokens were drawn from.
    drafted : sequence of int
        The γ drafted tokens.
    rng : numpy.random.Generator
        Source of randomness: one number a checked token, and one for the last token.

    Returns
    -------
    list of int
        From 1 to γ + 1 tokens, distributed as if the costly model alone had drawn them.

    Raises
    ------
    ValueError
        If there are not γ + 1 laws p and γ laws q over the same tokens, or a drafted token could
        not have come from its law.

    Notes
    -----
    Why it is exact: x comes out accepted with probability min(q(x), p(x)), and after a rejection,
    which has probability :math:`\sum_v (p_v - q_v)_+`, with the rest :math:`(p(x) - q(x))_+`.

    References
    ----------
    Y. Leviathan, M. Kalman and Y. Matias (2023), Fast Inference from Transformers via Speculative
    Decoding. C. Chen, S. Borgeaud, G. Irving, J.-B. Lespiau, L. Sifre and J. Jumper (2023),
    Accelerating Large Language Model Decoding with Speculative Sampling.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.speculative import speculative_step
    >>> p, q = [[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5], [0.0, 1.0]]
    >>> speculative_step(p, q, [0, 1], rng=np.random.default_rng(0))  # 0 stays, 1 cannot be
    [0, 0]
    """
    p, q = _pair(p, q)
    if p.ndim != 2 or q.ndim != 2 or not len(p) - 1 == len(q) == len(drafted):
        raise ValueError(
            f"a draft needs one law q a token and one law p more; got {len(drafted)} tokens and "
            f"shapes {q.shape} and {p.shape}"
        )
    for i, token in enumerate(drafted):
        if not (0 <= token < q.shape[1] and q[i, token] > 0):
            raise ValueError(f"a drafted token must be possible under q; got {token}")
        if rng.random() * q[i, token] >= p[i, token]:
            return [*drafted[:i], int(sample(residual(p[i], q[i]), rng=rng))]
    return [*drafted, int(sample(p[-1], rng=rng))]


def _check_rate(alpha: float, gamma: int, cost: float) -> None:
    check_probability(alpha, "alpha")
    check_nonnegative(gamma, "gamma")
    check_nonnegative_finite(cost, "cost")


def expected_tokens(alpha: float, *, gamma: int) -> float:
    r"""Mean number of tokens a step yields, :math:`1 + \alpha + \dots + \alpha^\gamma`.

    Parameters
    ----------
    alpha : float
        Probability that a drafted token is accepted, the same for all and independent.
    gamma : int
        Number of drafted tokens.

    Returns
    -------
    float
        Tokens: :math:`(1 - \alpha^{\gamma+1}) / (1 - \alpha)`, and γ + 1 at α = 1.

    Raises
    ------
    ValueError
        If ``alpha`` is not in [0, 1] or ``gamma`` is negative.

    Notes
    -----
    Implements :eq:`eq-expected-tokens`.

    Examples
    --------
    >>> from primer_ref.speculative import expected_tokens
    >>> print(f"{expected_tokens(0.8, gamma=5):.2f}")
    3.69
    """
    _check_rate(alpha, gamma, 0)
    return math.fsum(alpha**i for i in range(gamma + 1))


def speedup(alpha: float, *, gamma: int, cost: float) -> float:
    r"""Tokens per unit of time, relative to the costly model alone, :math:`\E[n]/(\gamma c + 1)`.

    Parameters
    ----------
    alpha : float
        Probability that a drafted token is accepted, the same for all and independent.
    gamma : int
        Number of drafted tokens.
    cost : float
        Time of one run of the draft model over that of one run of the costly one, c.

    Returns
    -------
    float
        Above 1 where drafting pays.

    Raises
    ------
    ValueError
        If ``alpha`` is not in [0, 1], or ``gamma`` or ``cost`` is negative.

    Notes
    -----
    Implements :eq:`eq-speculative-speedup`.

    Scoring γ + 1 tokens is taken to last as long as scoring one: true while reading the weights
    dominates.

    References
    ----------
    Y. Leviathan, M. Kalman and Y. Matias (2023), Fast Inference from Transformers via Speculative
    Decoding, theorem 3.8.

    Examples
    --------
    >>> from primer_ref.speculative import speedup
    >>> print(f"{speedup(0.8, gamma=5, cost=0.05):.2f} {speedup(0.2, gamma=5, cost=0.3):.2f}")
    2.95 0.50
    """
    _check_rate(alpha, gamma, cost)
    return expected_tokens(alpha, gamma=gamma) / (gamma * cost + 1)


def operations_factor(alpha: float, *, gamma: int, cost: float) -> float:
    r"""Operations per token, relative to the costly model alone.

    It is :math:`(\gamma \hat c + \gamma + 1) / \E[n]`: what is checked and rejected is wasted.

    Parameters
    ----------
    alpha : float
        Probability that a drafted token is accepted, the same for all and independent.
    gamma : int
        Number of drafted tokens.
    cost : float
        Operations of the draft model for a token over those of the costly one, ĉ.

    Returns
    -------
    float
        At least 1.

    Raises
    ------
    ValueError
        If ``alpha`` is not in [0, 1], or ``gamma`` or ``cost`` is negative.

    Notes
    -----
    Implements :eq:`eq-operations-factor`.

    Examples
    --------
    >>> from primer_ref.speculative import operations_factor
    >>> print(f"{operations_factor(0.8, gamma=5, cost=0.0):.2f}")
    1.63
    """
    _check_rate(alpha, gamma, cost)
    return (gamma * cost + gamma + 1) / expected_tokens(alpha, gamma=gamma)


def best_gamma(alpha: float, *, cost: float) -> int:
    r"""Length of the draft that gives the greatest `speedup`.

    It is the first γ at which one token more would not help,
    :math:`\alpha^{\gamma+1} (\gamma c + 1) \le c \sum_{i \le \gamma} \alpha^i`.

    Parameters
    ----------
    alpha : float
        Probability that a drafted token is accepted, below 1.
    cost : float
        Time of one run of the draft model over that of one run of the costly one, above 0.

    Returns
    -------
    int
        Number of tokens to draft: 0 exactly when α ≤ c.

    Raises
    ------
    ValueError
        If ``alpha`` is not in [0, 1) or ``cost`` is not positive: then there is no best length.

    Notes
    -----
    Implements :eq:`eq-best-gamma`.

    The left side less the right one falls with γ, so the speed-up has one peak and the first length
    that is not improved upon is the best.

    Examples
    --------
    >>> from primer_ref.speculative import best_gamma
    >>> [best_gamma(alpha, cost=0.05) for alpha in (0.04, 0.5, 0.8, 0.95)]
    [0, 3, 8, 21]
    """
    _check_rate(alpha, 0, cost)
    if alpha == 1 or cost == 0:
        raise ValueError(f"alpha must be below 1 and cost above 0; got {alpha} and {cost}")
    gamma = 0
    while alpha ** (gamma + 1) * (gamma * cost + 1) > cost * expected_tokens(alpha, gamma=gamma):
        gamma += 1
    return gamma
