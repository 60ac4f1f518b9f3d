r"""Measures of bias: association tests on embeddings, and what decoding does to shares.

An association test asks whether two sets of words lie at different angles to two sets of
attributes, and how often a random relabeling of the words would look as different. The shares show
how a model that is right about every conditional distribution still amplifies majorities when it
answers with the likeliest outcome.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.evaluation import permutation_p_value
from primer_ref.functional import as_floats, softmax

__all__ = [
    "argmax_shares",
    "association",
    "sampled_shares",
    "weat_effect_size",
    "weat_p_value",
    "weat_p_value_sampled",
]

Floats = NDArray[np.floating[Any]]
_MOST_PARTITIONS = 1_000_000


def _words(vectors: ArrayLike, name: str) -> Floats:
    """Return rows of length 1, in double precision: what is within 1e-12 counts as equal here."""
    vectors = np.asarray(as_floats(vectors), dtype=np.float64)
    if vectors.ndim != 2 or len(vectors) == 0:
        raise ValueError(f"{name} must hold one row a word; got shape {vectors.shape}")
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.all((norms > 0) & np.isfinite(norms)):
        raise ValueError(f"{name} must hold finite vectors other than 0")
    unit: Floats = vectors / norms
    return unit


def association(words: ArrayLike, a: ArrayLike, b: ArrayLike) -> Floats:
    r"""Mean cosine of each word with the attributes a, less that with the attributes b.

    Parameters
    ----------
    words : array_like, shape (n, C)
        Vectors of the words.
    a : array_like, shape (n_a, C)
        Vectors of one set of attribute words.
    b : array_like, shape (n_b, C)
        Vectors of the other set.

    Returns
    -------
    ndarray of float64, shape (n,)
        s(w, A, B), in [−2, 2].

    Raises
    ------
    ValueError
        If an argument is not a matrix, or a vector is 0 or not finite.

    Notes
    -----
    Implements :eq:`eq-weat-association`.

    Examples
    --------
    >>> from primer_ref.bias import association
    >>> print(association([[2.0, 0.0], [1.0, 1.0]], [[1.0, 0.0]], [[0.0, 3.0]]))
    [1. 0.]
    """
    words, a, b = _words(words, "words"), _words(a, "a"), _words(b, "b")
    return np.asarray(np.mean(words @ a.T, axis=1) - np.mean(words @ b.T, axis=1))


def weat_effect_size(x: ArrayLike, y: ArrayLike, a: ArrayLike, b: ArrayLike) -> float:
    r"""Difference of two sets of words in their association, in standard deviations.

    .. math:: d = \frac{\operatorname{mean}_{x \in X} s(x, A, B)
        - \operatorname{mean}_{y \in Y} s(y, A, B)}{\operatorname{std}_{w \in X \cup Y} s(w, A, B)}

    Parameters
    ----------
    x : array_like, shape (n_x, C)
        Vectors of one set of target words.
    y : array_like, shape (n_y, C)
        Vectors of the other set.
    a : array_like, shape (n_a, C)
        Vectors of one set of attribute words.
    b : array_like, shape (n_b, C)
        Vectors of the other set.

    Returns
    -------
    float
        Positive when X leans to A. Between −2 and 2 for sets of one size.

    Raises
    ------
    ValueError
        If an argument is not a matrix, a vector is 0 or not finite, or all associations are
        the same.

    Notes
    -----
    The standard deviation has the divisor n − 1. The paper does not say which it takes; the
    implementations in use agree on this one.

    Implements :eq:`eq-weat-effect`.

    References
    ----------
    A. Caliskan, J. J. Bryson and A. Narayanan (2017), Semantics Derived Automatically from Language
    Corpora Contain Human-like Biases.

    Examples
    --------
    >>> from primer_ref.bias import weat_effect_size
    >>> a, b = [[1.0, 0.0]], [[0.0, 1.0]]
    >>> x, y = [[3.0, 1.0], [2.0, 1.0]], [[1.0, 2.0], [1.0, 1.0]]
    >>> print(f"{weat_effect_size(x, y, a, b):.3f}")
    1.580
    """
    s_x, s_y = association(x, a, b), association(y, a, b)
    deviation = float(np.std(np.concatenate([s_x, s_y]), ddof=1))
    if not deviation > 1e-12:  # less is rounding
        raise ValueError("the associations must differ; all target words have the same")
    return float(np.mean(s_x) - np.mean(s_y)) / deviation


def weat_p_value(x: ArrayLike, y: ArrayLike, a: ArrayLike, b: ArrayLike) -> float:
    r"""Share of all partitions of the target words that differ at least as much as X and Y.

    Parameters
    ----------
    x : array_like, shape (n_x, C)
        Vectors of one set of target words.
    y : array_like, shape (n_y, C)
        Vectors of the other set.
    a : array_like, shape (n_a, C)
        Vectors of one set of attribute words.
    b : array_like, shape (n_b, C)
        Vectors of the other set.

    Returns
    -------
    float
        One-sided p-value, at least one over the number of partitions: the observed one counts.

    Raises
    ------
    ValueError
        If an argument is not a matrix, a vector is 0 or not finite, or there are more than a
        million partitions, as for two sets of 12 words: then `weat_p_value_sampled` serves.

    Notes
    -----
    Under the null hypothesis the labels X and Y mean nothing, and every partition into sets of
    these sizes is as likely as the observed one. The paper counts only partitions that differ
    more; counting equal ones too keeps the test's level. Sums that differ by rounding alone count
    as equal.

    Implements :eq:`eq-weat-p`.

    References
    ----------
    A. Caliskan, J. J. Bryson and A. Narayanan (2017), Semantics Derived Automatically from Language
    Corpora Contain Human-like Biases.

    Examples
    --------
    >>> from primer_ref.bias import weat_p_value
    >>> a, b = [[1.0, 0.0]], [[0.0, 1.0]]
    >>> x, y = [[3.0, 1.0], [2.0, 1.0]], [[1.0, 2.0], [1.0, 1.0]]
    >>> print(f"{weat_p_value(x, y, a, b):.4f}")  # 1 of 6
    0.1667
    """
    s_x, s_y = association(x, a, b), association(y, a, b)
    s, n_x = np.concatenate([s_x, s_y]), len(s_x)
    n_partitions = math.comb(len(s), n_x)
    if n_partitions > _MOST_PARTITIONS:
        raise ValueError(
            f"there must be at most {_MOST_PARTITIONS} partitions; got {n_partitions}: sample them"
        )
    rows = np.array(list(itertools.combinations(range(len(s)), n_x)))  # the first is X
    sums = np.sum(s[rows], axis=1)
    # The words' total is fixed, so the sum over X orders partitions like the difference does.
    return float(np.mean(sums >= sums[0] - 1e-12))


def weat_p_value_sampled(
    x: ArrayLike,
    y: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    n_samples: int,
    rng: np.random.Generator,
) -> float:
    r"""Estimate the p-value of `weat_p_value` from m random partitions and the observed one.

    Parameters
    ----------
    x : array_like, shape (n_x, C)
        Vectors of one set of target words.
    y : array_like, shape (n_y, C)
        Vectors of the other set.
    a : array_like, shape (n_a, C)
        Vectors of one set of attribute words.
    b : array_like, shape (n_b, C)
        Vectors of the other set.
    n_samples : int
        Number m of random partitions.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    float
        One-sided p-value: of the m + 1 partitions, the share that differ at least as much as X and
        Y. It is at least 1/(m + 1).

    Raises
    ------
    ValueError
        If an argument is not a matrix, a vector is 0 or not finite, or ``n_samples`` is below 1.

    Notes
    -----
    The observed partition is one more draw from the null hypothesis, so it counts in numerator and
    denominator: with that the test keeps its level for every m, which the drawn ones alone do not.

    Implements :eq:`eq-weat-sampled-p`.

    References
    ----------
    B. Phipson and G. K. Smyth (2010), Permutation P-values Should Never Be Zero: Calculating Exact
    P-values When Permutations Are Randomly Drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.bias import weat_p_value_sampled
    >>> rng = np.random.default_rng(0)
    >>> a, b = [[1.0, 0.0]], [[0.0, 1.0]]
    >>> x, y = [[3.0, 1.0], [2.0, 1.0]], [[1.0, 2.0], [1.0, 1.0]]
    >>> print(f"{weat_p_value_sampled(x, y, a, b, n_samples=5999, rng=rng):.2f}")
    0.17
    """
    if n_samples < 1:
        raise ValueError(f"n_samples must be at least 1; got {n_samples}")
    s_x, s_y = association(x, a, b), association(y, a, b)
    s, n_x = np.concatenate([s_x, s_y]), len(s_x)
    sums = np.array([np.sum(rng.permutation(s)[:n_x]) for _ in range(n_samples)])
    return permutation_p_value(float(np.sum(s_x)) - 1e-12, sums)


def _contexts(conditionals: ArrayLike, weights: ArrayLike) -> tuple[Floats, Floats]:
    conditionals, weights = as_floats(conditionals), as_floats(weights)
    if conditionals.ndim != 2 or weights.shape != conditionals.shape[:1]:
        raise ValueError(
            "there must be one row of conditionals and one weight a context; "
            f"got shapes {conditionals.shape} and {weights.shape}"
        )
    for p, name in ((conditionals, "conditionals"), (weights, "weights")):
        if not (np.all(p >= 0) and np.allclose(np.sum(p, axis=-1), 1, rtol=0, atol=1e-6)):
            raise ValueError(f"{name} must be nonnegative and sum to 1")
    return conditionals, weights


def sampled_shares(
    conditionals: ArrayLike, weights: ArrayLike, *, temperature: float = 1.0
) -> Floats:
    r"""Shares of the outcomes when every context is answered by sampling at a temperature.

    Parameters
    ----------
    conditionals : array_like, shape (n, V)
        Distribution of the outcomes in each context.
    weights : array_like, shape (n,)
        How often each context comes, as shares.
    temperature : float
        Temperature τ > 0: weights :math:`p^{1/\tau}`, made to sum to 1.

    Returns
    -------
    ndarray, shape (V,)
        At τ = 1 the shares of the data; as τ falls to 0 they tend to `argmax_shares`.

    Raises
    ------
    ValueError
        If the shapes do not match, a row or the weights are not a distribution, or the
        temperature is not positive and finite.

    Notes
    -----
    In each context the likeliest outcome's share falls with τ, for the odds against each other
    outcome are :math:`(p_{\max}/p_v)^{1/\tau}`. Over contexts with different majorities the effects
    may cancel.

    Implements :eq:`eq-sampled-shares`.

    Examples
    --------
    >>> from primer_ref.bias import sampled_shares
    >>> [float(sampled_shares([[0.6, 0.4]], [1.0], temperature=t)[0].round(4)) for t in (1, 0.5)]
    [0.6, 0.6923]
    """
    conditionals, weights = _contexts(conditionals, weights)
    with np.errstate(divide="ignore"):
        return np.asarray(weights @ softmax(np.log(conditionals), temperature=temperature))


def argmax_shares(conditionals: ArrayLike, weights: ArrayLike) -> Floats:
    r"""Shares of the outcomes when every context is answered by its likeliest outcome.

    Parameters
    ----------
    conditionals : array_like, shape (n, V)
        Distribution of the outcomes in each context.
    weights : array_like, shape (n,)
        How often each context comes, as shares.

    Returns
    -------
    ndarray, shape (V,)
        The share of an outcome is the weight of the contexts that it leads; outcomes that tie
        for the lead share it equally.

    Raises
    ------
    ValueError
        If the shapes do not match, or a row or the weights are not a distribution.

    Notes
    -----
    An outcome that leads in every context, with whatever small margin, gets share 1, and every
    other one 0: a model that is calibrated in all contexts is then not so in what it says.

    Implements :eq:`eq-argmax-shares`.

    Examples
    --------
    >>> from primer_ref.bias import argmax_shares
    >>> print(argmax_shares([[0.51, 0.49], [0.6, 0.4]], [0.5, 0.5]))
    [1. 0.]
    """
    conditionals, weights = _contexts(conditionals, weights)
    leads = conditionals == np.max(conditionals, axis=1, keepdims=True)
    return np.asarray(weights @ (leads / np.sum(leads, axis=1, keepdims=True)))
