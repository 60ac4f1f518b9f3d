"""Positions as biases: numbers added to the scores that depend on how far apart two tokens stand.

An offset is the key's position less the query's: negative looks back. A bias that depends on the
offset alone is a Toeplitz matrix, constant along every diagonal. As in a causal mask, T queries are
the last of S tokens.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = [
    "alibi_bias",
    "alibi_slopes",
    "offsets",
    "relative_bias",
    "shaw_bias",
    "t5_buckets",
    "t5_buckets_causal",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


def offsets(n_queries: int, n_keys: int | None = None) -> Ints:
    r"""Position of each key relative to each query, :math:`s - t`.

    Parameters
    ----------
    n_queries : int
        Number of queries, T: the last T of the S tokens.
    n_keys : int, optional
        Number of keys, S ≥ T; T if not given.

    Returns
    -------
    ndarray of int64, shape (T, S)
        Offsets: 0 for the query's own key, negative for earlier ones.

    Raises
    ------
    ValueError
        If there are fewer keys than queries.

    Examples
    --------
    >>> from primer_ref.position_biases import offsets
    >>> print(offsets(2, 3))
    [[-1  0  1]
     [-2 -1  0]]
    """
    n_keys = n_queries if n_keys is None else n_keys
    if n_keys < n_queries:
        raise ValueError(f"n_keys must be at least n_queries; got {n_keys} and {n_queries}")
    return np.arange(n_keys) - np.arange(n_keys - n_queries, n_keys)[:, None]


def alibi_slopes(n_heads: int) -> NDArray[np.float64]:
    r"""Slopes of ALiBi, one for each head: :math:`2^{-8h/H}` for h = 1 to H.

    Parameters
    ----------
    n_heads : int
        Number of heads, H.

    Returns
    -------
    ndarray, shape (H,)
        Positive slopes. If H is no power of two: the slopes of the next lower power of two,
        followed by every other slope of the next higher one.

    Raises
    ------
    ValueError
        If there is no head.

    Notes
    -----
    Implements :eq:`eq-alibi-slopes`.

    References
    ----------
    O. Press, N. A. Smith and M. Lewis (2022), Train Short, Test Long: Attention with Linear Biases
    Enables Input Length Extrapolation; for other numbers of heads, the code released with it,
    repository ofirpress/attention_with_linear_biases.

    Examples
    --------
    >>> from primer_ref.position_biases import alibi_slopes
    >>> print(1 / alibi_slopes(8))
    [  2.   4.   8.  16.  32.  64. 128. 256.]
    >>> print(alibi_slopes(12)[8:].round(4))
    [0.7071 0.3536 0.1768 0.0884]
    """
    if n_heads < 1:
        raise ValueError(f"n_heads must be positive; got {n_heads}")
    power = 2 ** int(math.log2(n_heads))
    slopes = 2.0 ** (-8 * np.arange(1, power + 1) / power)
    between = 2.0 ** (-8 * np.arange(1, 2 * power, 2) / (2 * power))
    return np.concatenate([slopes, between[: n_heads - power]])


def alibi_bias(slopes: ArrayLike, n_queries: int, n_keys: int | None = None) -> Floats:
    r"""Penalize each score in proportion to the distance, :math:`-m_h\,\lvert s - t\rvert`.

    Parameters
    ----------
    slopes : array_like, shape (H,)
        One slope a head, from `alibi_slopes`.
    n_queries : int
        Number of queries, T: the last T of the S tokens.
    n_keys : int, optional
        Number of keys, S ≥ T; T if not given.

    Returns
    -------
    ndarray, shape (H, T, S)
        What is added to the scores, in nats, along with the causal mask; Toeplitz.

    Raises
    ------
    ValueError
        If there are fewer keys than queries.

    Notes
    -----
    Implements :eq:`eq-alibi`.

    After softmax, a factor of :math:`e^{-m_h}` for every token of distance.

    References
    ----------
    O. Press, N. A. Smith and M. Lewis (2022), Train Short, Test Long: Attention with Linear Biases
    Enables Input Length Extrapolation.

    Examples
    --------
    >>> from primer_ref.position_biases import alibi_bias
    >>> print(alibi_bias([0.5], 3))
    [[[-0.  -0.5 -1. ]
      [-0.5 -0.  -0.5]
      [-1.  -0.5 -0. ]]]
    """
    return -as_floats(slopes, axes=1)[:, None, None] * np.abs(offsets(n_queries, n_keys))


def _log_buckets(distance: Ints, n_buckets: int, max_distance: int) -> Ints:
    """Sort distances: one bucket for each in the first half, logarithmic ones after that."""
    exact = n_buckets // 2
    if exact < 1 or max_distance <= exact:
        raise ValueError(
            "max_distance must lie beyond the distances that have a bucket of their own, "
            f"of which there must be one; got {max_distance} and {exact}"
        )
    far = np.maximum(distance, exact) / exact  # the logarithm is wanted from 1 on only
    # A rounding error below a boundary, which is a rational power, must not decide for it.
    step = np.log(far) / math.log(max_distance / exact) * (n_buckets - exact) + 1e-9
    wide = np.minimum(exact + step.astype(np.int64), n_buckets - 1)
    return np.where(distance < exact, distance, wide)


def _whole(offset: ArrayLike) -> Ints:
    numbers = np.asarray(offset)
    if numbers.dtype.kind not in "iu":
        raise TypeError(f"offsets must be integers; got {numbers.dtype}")
    return numbers.astype(np.int64)


def t5_buckets(offset: ArrayLike, *, n_buckets: int = 32, max_distance: int = 128) -> Ints:
    """Sort offsets into the buckets of T5's encoder, half of them for each direction.

    Parameters
    ----------
    offset : array_like of int, shape (...)
        Key's position less query's.
    n_buckets : int
        Number of buckets. Of the half for a direction, again half hold one distance each; the
        others grow geometrically.
    max_distance : int
        From this distance on, everything falls into the last bucket of its direction.

    Returns
    -------
    ndarray of int64, shape (...)
        Buckets from 0; the upper half are keys that come later.

    Raises
    ------
    ValueError
        If there is no bucket for a single distance, or ``max_distance`` is not beyond those.
    TypeError
        If offsets are no integers.

    Notes
    -----
    Implements :eq:`eq-t5-buckets`.

    Half of a direction's buckets, ``near`` in number, hold one distance each. The number of the
    wide bucket of a larger distance is the whole part of
    near + (all − near) · ln(distance/near)/ln(max_distance/near), at most the last.

    References
    ----------
    Raffel et al. (2020), Exploring the Limits of Transfer Learning with a Unified Text-to-Text
    Transformer; its formula is in the code released with it only.

    Examples
    --------
    >>> from primer_ref.position_biases import t5_buckets
    >>> print(t5_buckets([-1000, -128, -8, -7, 0, 1, 7, 8, 11, 12, 128]))
    [15 15  8  7  0 17 23 24 24 25 31]
    """
    offset = _whole(offset)
    half = n_buckets // 2
    return np.where(offset > 0, half, 0) + _log_buckets(np.abs(offset), half, max_distance)


def t5_buckets_causal(offset: ArrayLike, *, n_buckets: int = 32, max_distance: int = 128) -> Ints:
    """Sort offsets into the buckets of T5's decoder, which looks back only.

    Parameters
    ----------
    offset : array_like of int, shape (...)
        Key's position less query's; keys that come later fall into bucket 0, for a mask to hide.
    n_buckets : int
        Number of buckets: half hold one distance each, the others grow geometrically.
    max_distance : int
        From this distance on, everything falls into the last bucket.

    Returns
    -------
    ndarray of int64, shape (...)
        Buckets from 0 to ``n_buckets`` − 1.

    Raises
    ------
    ValueError
        If there is no bucket for a single distance, or ``max_distance`` is not beyond those.
    TypeError
        If offsets are no integers.

    Notes
    -----
    Implements :eq:`eq-t5-buckets`.

    Examples
    --------
    >>> from primer_ref.position_biases import t5_buckets_causal
    >>> print(t5_buckets_causal([-1000, -128, -32, -16, -15, -1, 0, 5]))
    [31 31 21 16 15  1  0  0]
    """
    return _log_buckets(np.maximum(-_whole(offset), 0), n_buckets, max_distance)


def _clipped(n_offsets: int, n_queries: int, n_keys: int | None) -> Ints:
    """Row of the table for each pair: offsets −R to R, those further away at its ends."""
    if n_offsets % 2 == 0:
        raise ValueError(f"the table must hold the offsets −R to R, an odd number; got {n_offsets}")
    reach = n_offsets // 2
    return np.clip(offsets(n_queries, n_keys), -reach, reach) + reach


def relative_bias(table: ArrayLike, n_queries: int, n_keys: int | None = None) -> Floats:
    r"""Lay out one number for each offset as a Toeplitz matrix, :math:`B_{ts} = \beta_{s-t}`.

    Parameters
    ----------
    table : array_like, shape (..., 2R + 1)
        Biases of the offsets −R to R; offsets beyond take those of the ends.
    n_queries : int
        Number of queries, T: the last T of the S tokens.
    n_keys : int, optional
        Number of keys, S ≥ T; T if not given.

    Returns
    -------
    ndarray, shape (..., T, S)
        What is added to the scores, in nats.

    Raises
    ------
    ValueError
        If the table is even in length or there are fewer keys than queries.

    Notes
    -----
    Implements :eq:`eq-relative-bias`.

    T5's bias is a table of buckets read twice: with ``b`` of shape (H, 32),
    ``relative_bias(b[:, t5_buckets(np.arange(-127, 128))], T, S)``.

    Examples
    --------
    >>> from primer_ref.position_biases import relative_bias
    >>> print(relative_bias([-1.0, 0.0, 7.0], 3))
    [[ 0.  7.  7.]
     [-1.  0.  7.]
     [-1. -1.  0.]]
    """
    table = as_floats(table, axes=1)
    return table[..., _clipped(table.shape[-1], n_queries, n_keys)]


def shaw_bias(q: ArrayLike, table: ArrayLike, n_keys: int | None = None) -> Floats:
    r"""Let each query choose its bias for an offset, :math:`q_t\cdot a_{s-t}/\sqrt{d_k}`.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries: of the last T of the S tokens.
    table : array_like, shape (2R + 1, D)
        Vectors a of the offsets −R to R; offsets beyond take those of the ends.
    n_keys : int, optional
        Number of keys, S ≥ T; T if not given.

    Returns
    -------
    ndarray, shape (..., T, S)
        What is added to the scores :math:`q_t\cdot k_s/\sqrt{d_k}`, in nats. In general Toeplitz
        only where all queries are alike.

    Raises
    ------
    ValueError
        If the table is even in length or there are fewer keys than queries.

    Notes
    -----
    Implements :eq:`eq-shaw`.

    Of the order of T(2R + 1)D operations: vectors are met once for each offset, not for each pair.

    References
    ----------
    P. Shaw, J. Uszkoreit and A. Vaswani (2018), Self-Attention with Relative Position
    Representations.

    Examples
    --------
    >>> from primer_ref.position_biases import shaw_bias
    >>> print(shaw_bias([[1.0], [10.0]], [[-1.0], [0.0], [7.0]]))
    [[  0.   7.]
     [-10.   0.]]
    """
    q, table = as_floats(q), as_floats(table)
    by_offset = q @ table.T / math.sqrt(q.shape[-1])  # (..., T, 2 R + 1)
    index = _clipped(len(table), q.shape[-2], n_keys)
    return by_offset[..., np.arange(len(index))[:, None], index]  # (..., T, S)
