"""Softmax in pieces: what attention finds among some of the keys, and how two finds become one.

Attention over some of the keys leaves three things: the largest score m, the sum ℓ of the
exponentials of score − m, and the sum o of values under these weights. Two such results over
different keys merge into one, in any order and any grouping. So scores can be read one after the
other, or block by block, or by many processors at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.attention import masked_scores
from primer_ref.functional import as_floats

__all__ = [
    "Partial",
    "finish",
    "merge",
    "nothing_seen",
    "online_softmax",
    "partial_attention",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Partial:
    """What T queries have found among the keys seen so far.

    Attributes
    ----------
    peak : ndarray, shape (..., T)
        Largest score m in nats; −∞ where no key could be seen.
    total : ndarray, shape (..., T)
        Sum ℓ of the exponentials of score − m.
    weighted : ndarray, shape (..., T, E)
        Sum o of the values, each times its exponential.
    """

    peak: Floats
    total: Floats
    weighted: Floats


def _finite(peak: Floats) -> Floats:
    """Put 0 for −∞, which cannot be subtracted from itself."""
    return np.where(peak == -np.inf, 0, peak)


def nothing_seen(shape: tuple[int, ...], size: int, *, dtype: Any = np.float64) -> Partial:
    r"""Start from no keys: the neutral element of `merge`, :math:`(-\infty, 0, 0)`.

    Parameters
    ----------
    shape : tuple of int
        Shape (..., T) of the queries.
    size : int
        Size of a value, E.
    dtype : data type
        Precision.

    Returns
    -------
    Partial
        No score, no weight, no value.

    Examples
    --------
    >>> from primer_ref.online_softmax import nothing_seen
    >>> nothing_seen((1,), 2).peak
    array([-inf])
    """
    zeros = np.zeros(shape, dtype)
    return Partial(zeros - np.inf, zeros, np.zeros((*shape, size), dtype))


def partial_attention(
    q: ArrayLike, k: ArrayLike, v: ArrayLike, mask: ArrayLike | None = None
) -> Partial:
    r"""Attend to some of the keys, without dividing by the sum of the weights.

    With the scores s of one query, :math:`m = \max_j s_j`, :math:`\ell = \sum_j e^{s_j - m}` and
    :math:`o = \sum_j e^{s_j - m} v_j`.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries.
    k : array_like, shape (..., S, D)
        Some of the keys.
    v : array_like, shape (..., S, E)
        Their values.
    mask : array_like, shape (..., T, S), optional
        Added to the scores: 0 shows, −∞ hides.

    Returns
    -------
    Partial
        The triple (m, ℓ, o): that of `nothing_seen` if there are no keys.

    Raises
    ------
    ValueError
        If queries and keys differ in size, or a row's largest score is NaN or +∞.
    TypeError
        If the mask holds truth values.

    Notes
    -----
    Implements :eq:`eq-partial`.

    Examples
    --------
    >>> from primer_ref.online_softmax import partial_attention
    >>> part = partial_attention([[0.0]], [[1.0], [1.0]], [[10.0], [20.0]])
    >>> print(part.peak, part.total, part.weighted)
    [0.] [2.] [[30.]]
    """
    scores, v = masked_scores(q, k, mask), as_floats(v)
    if scores.shape[-1] == 0:
        lead = np.broadcast_shapes(scores.shape[:-2], v.shape[:-2])
        return nothing_seen((*lead, scores.shape[-2]), v.shape[-1], dtype=scores.dtype)
    peak = np.max(scores, axis=-1)
    if not np.all(peak < np.inf):
        raise ValueError(f"attention needs scores below +∞; got {np.max(peak)}")
    weights = np.exp(scores - _finite(peak)[..., None])
    return Partial(peak, np.sum(weights, axis=-1), weights @ v)


def merge(a: Partial, b: Partial) -> Partial:
    r"""Merge what the same queries found among two sets of keys.

    With :math:`m = \max(m_a, m_b)`, the sums are brought to the common peak and added:
    :math:`\ell = e^{m_a - m}\ell_a + e^{m_b - m}\ell_b`, and o likewise.

    Parameters
    ----------
    a, b : Partial
        Results over disjoint sets of keys.

    Returns
    -------
    Partial
        The result over their union.

    Notes
    -----
    Implements :eq:`eq-merge`.

    Associative and commutative, with `nothing_seen` as the neutral element: the triple stands for
    :math:`(e^m\ell, e^m o)`, and merging adds these two sums. Any tree of merges over the blocks
    gives the same; rounding aside, so do one thread and many.

    References
    ----------
    M. Milakov and N. Gimelshein (2018), Online normalizer calculation for softmax.

    Examples
    --------
    >>> from primer_ref.online_softmax import finish, merge, partial_attention
    >>> q, k, v = [[1.0]], [[0.0], [2.0], [1.0]], [[1.0], [2.0], [3.0]]
    >>> halves = merge(partial_attention(q, k[:1], v[:1]), partial_attention(q, k[1:], v[1:]))
    >>> print(finish(halves)[0].round(4), finish(partial_attention(q, k, v))[0].round(4))
    [[2.1547]] [[2.1547]]
    """
    peak = np.maximum(a.peak, b.peak)
    keep_a, keep_b = np.exp(a.peak - _finite(peak)), np.exp(b.peak - _finite(peak))
    total = keep_a * a.total + keep_b * b.total
    return Partial(peak, total, keep_a[..., None] * a.weighted + keep_b[..., None] * b.weighted)


def finish(partial: Partial) -> tuple[Floats, Floats]:
    r"""Divide by the sum of the weights: output :math:`o/\ell`, log-sum-exp :math:`m + \ln\ell`.

    Parameters
    ----------
    partial : Partial
        The result over all keys.

    Returns
    -------
    tuple of ndarray, shapes (..., T, E) and (..., T)
        The output of attention, and the log-sum-exp of each query's scores in nats. 0 and −∞ for a
        query that could see nothing.

    Notes
    -----
    Implements :eq:`eq-finish`.

    Examples
    --------
    >>> from primer_ref.online_softmax import finish, nothing_seen
    >>> print(*finish(nothing_seen((1,), 2)))
    [[0. 0.]] [-inf]
    """
    seen = partial.total > 0
    total = np.where(seen, partial.total, 1)
    return partial.weighted / total[..., None], partial.peak + np.log(total)


def online_softmax(s: ArrayLike) -> Floats:
    r"""Softmax whose largest score and sum are found in one pass, score by score.

    Each score is a partial result :math:`(s_j, 1)`; the pass is a chain of `merge`.

    Parameters
    ----------
    s : array_like, shape (..., n)
        Scores; −∞ gives weight 0.

    Returns
    -------
    ndarray, shape (..., n)
        The weights of `primer_ref.functional.softmax`.

    Raises
    ------
    ValueError
        If there is no score, or a row's largest score is not finite.

    Notes
    -----
    Implements :eq:`eq-online-softmax`.

    References
    ----------
    M. Milakov and N. Gimelshein (2018), Online normalizer calculation for softmax.

    Examples
    --------
    >>> from primer_ref.online_softmax import online_softmax
    >>> print(online_softmax([2.0, 1.0, -1.0]).round(4))
    [0.7054 0.2595 0.0351]
    """
    s = as_floats(s)
    if s.ndim == 0 or s.shape[-1] == 0:
        raise ValueError(f"softmax needs at least one score; got shape {s.shape}")
    columns = (s[..., j] for j in range(s.shape[-1]))
    whole = reduce(
        merge, (Partial(x, np.exp(x - _finite(x)), np.zeros((*x.shape, 0))) for x in columns)
    )
    if not np.all(np.isfinite(whole.peak)):
        bad = whole.peak[~np.isfinite(whole.peak)][0]
        raise ValueError(f"softmax needs a finite largest score in every row; got {bad}")
    value: Floats = np.exp(s - whole.peak[..., None]) / whole.total[..., None]
    return value
