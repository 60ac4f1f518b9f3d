"""Scaled dot-product attention: masks, weights, output, gradients, and bounds on the weights.

Rows are tokens. A query may look at the keys that its row of the mask leaves at 0; where the mask
is −∞ it may not. A query that may look at nothing gets weights 0 and the output 0.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.autodiff import unbroadcast
from primer_ref.functional import as_floats, as_mask, softmax, softmax_vjp

__all__ = [
    "attention_backward",
    "attention_weights",
    "causal_mask",
    "entropy_floor",
    "masked_scores",
    "scaled_dot_product_attention",
    "weight_ceiling",
]

Floats = NDArray[np.floating[Any]]


def causal_mask(n_queries: int, n_keys: int | None = None) -> NDArray[np.float64]:
    r"""Mask that shows every token itself and what came before it.

    Parameters
    ----------
    n_queries : int
        Number of queries, T.
    n_keys : int, optional
        Number of keys, S ≥ T; the queries are the last T of the S tokens, as when the earlier ones
        are read from a cache. T if not given.

    Returns
    -------
    ndarray, shape (T, S)
        0 where the key is not later than the query, −∞ elsewhere.

    Raises
    ------
    ValueError
        If there are fewer keys than queries: a query's own key is always among them.

    Notes
    -----
    Implements :eq:`eq-causal-mask`.

    Examples
    --------
    >>> from primer_ref.attention import causal_mask
    >>> print(causal_mask(3))
    [[  0. -inf -inf]
     [  0.   0. -inf]
     [  0.   0.   0.]]
    >>> print(causal_mask(1, 3))
    [[0. 0. 0.]]
    """
    n_keys = n_queries if n_keys is None else n_keys
    if n_keys < n_queries:
        raise ValueError(f"n_keys must be at least n_queries; got {n_keys} and {n_queries}")
    later = np.arange(n_keys) > np.arange(n_keys - n_queries, n_keys)[:, None]
    return np.where(later, -np.inf, 0.0)


def masked_scores(q: ArrayLike, k: ArrayLike, mask: ArrayLike | None = None) -> Floats:
    r"""Score each key for each query, :math:`QK^\T/\sqrt{d_k} + M`.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries.
    k : array_like, shape (..., S, D)
        Keys.
    mask : array_like, shape (..., T, S), optional
        0 shows, −∞ hides.

    Returns
    -------
    ndarray, shape (..., T, S)
        Scores in nats; their softmax is `attention_weights`.

    Raises
    ------
    ValueError
        If queries and keys differ in size or are no rows.
    TypeError
        If the mask holds truth values.

    Examples
    --------
    >>> from primer_ref.attention import masked_scores
    >>> print(masked_scores([[2.0, 0, 0, 0]], [[3.0, 0, 0, 0], [1.0, 0, 0, 0]]))
    [[3. 1.]]
    """
    q, k = as_floats(q), as_floats(k)
    if not q.shape or len(k.shape) < 2:
        raise ValueError(f"queries and keys must be rows; got shapes {q.shape} and {k.shape}")
    if q.shape[-1] != k.shape[-1]:
        raise ValueError(
            f"queries and keys must have one size; got {q.shape[-1]} and {k.shape[-1]}"
        )
    scores: Floats = q @ np.swapaxes(k, -1, -2) / math.sqrt(q.shape[-1])  # (..., T, S)
    if mask is None:
        return scores
    return scores + as_mask(mask).astype(scores.dtype, copy=False)


def attention_weights(q: ArrayLike, k: ArrayLike, mask: ArrayLike | None = None) -> Floats:
    r"""How much each query looks at each key, :math:`\softmax(QK^\T/\sqrt{d_k} + M)`.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries.
    k : array_like, shape (..., S, D)
        Keys.
    mask : array_like, shape (..., T, S), optional
        Added to the scores: 0 shows, −∞ hides.

    Returns
    -------
    ndarray, shape (..., T, S)
        Rows sum to 1, save that a row hidden altogether is all 0.

    Raises
    ------
    ValueError
        If queries and keys differ in size, or a score is NaN or +∞.
    TypeError
        If the mask holds truth values.

    Notes
    -----
    Softmax runs over the keys, the last axis; over the other axis the keys would share out the
    queries among them.

    Implements :eq:`eq-attention-weights`.

    Examples
    --------
    >>> from primer_ref.attention import attention_weights, causal_mask
    >>> x = [[2.0, 0.0], [0.0, 2.0]]
    >>> print(attention_weights(x, x, causal_mask(2)).round(4))
    [[1.     0.    ]
     [0.0558 0.9442]]
    """
    scores = masked_scores(q, k, mask)
    if mask is None:
        return softmax(scores)
    hidden = np.max(scores, axis=-1, keepdims=True) == -np.inf
    if not np.any(hidden):
        return softmax(scores)
    return np.where(hidden, 0, softmax(np.where(hidden, 0, scores)))


def scaled_dot_product_attention(
    q: ArrayLike, k: ArrayLike, v: ArrayLike, mask: ArrayLike | None = None
) -> Floats:
    r"""Average the values, weighted by how well their keys answer the query.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries.
    k : array_like, shape (..., S, D)
        Keys.
    v : array_like, shape (..., S, E)
        Values, one to a key.
    mask : array_like, shape (..., T, S), optional
        Added to the scores: 0 shows, −∞ hides.

    Returns
    -------
    ndarray, shape (..., T, E)
        Row t lies in the convex hull of the values that query t may look at; 0 if there is none.

    Raises
    ------
    ValueError
        If queries and keys differ in size, or a score is NaN or +∞.
    TypeError
        If the mask holds truth values.

    Notes
    -----
    Implements :eq:`eq-attention`.

    References
    ----------
    A. Vaswani et al. (2017), Attention Is All You Need, equation 1.

    Examples
    --------
    >>> from primer_ref.attention import scaled_dot_product_attention
    >>> keys, values = [[4.0, 0.0], [0.0, 4.0]], [[10.0], [20.0]]
    >>> print(scaled_dot_product_attention([[0.0, 4.0]], keys, values).round(3))
    [[20.]]
    """
    return attention_weights(q, k, mask) @ as_floats(v)


def attention_backward(
    q: ArrayLike, k: ArrayLike, v: ArrayLike, d_out: ArrayLike, mask: ArrayLike | None = None
) -> tuple[Floats, Floats, Floats]:
    r"""Gradients at queries, keys and values from the gradient at the output.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries.
    k : array_like, shape (..., S, D)
        Keys.
    v : array_like, shape (..., S, E)
        Values.
    d_out : array_like, shape (..., T, E)
        Gradient of a loss with respect to the output of `scaled_dot_product_attention`.
    mask : array_like, shape (..., T, S), optional
        The mask of the forward pass.

    Returns
    -------
    tuple of ndarray
        Gradients with the shapes of ``q``, ``k`` and ``v``; what was shared along a leading axis
        gets the sum over it.

    Raises
    ------
    ValueError
        If queries and keys differ in size, or a score is NaN or +∞.
    TypeError
        If the mask holds truth values.

    Notes
    -----
    Implements :eq:`eq-attention-backward`.

    Examples
    --------
    >>> from primer_ref.attention import attention_backward
    >>> dq, dk, dv = attention_backward([[1.0]], [[1.0], [-1.0]], [[1.0], [0.0]], [[1.0]])
    >>> print(f"{dq[0, 0]:.4f}", dk.ravel().round(4), dv.ravel().round(4))
    0.2100 [ 0.105 -0.105] [0.8808 0.1192]
    """
    q, k, v, d_out = as_floats(q), as_floats(k), as_floats(v), as_floats(d_out)
    a = attention_weights(q, k, mask)  # (..., T, S)
    dv = np.swapaxes(a, -1, -2) @ d_out
    da = d_out @ np.swapaxes(v, -1, -2)
    dz = softmax_vjp(a, da) / math.sqrt(q.shape[-1])
    dq, dk = dz @ k, np.swapaxes(dz, -1, -2) @ q
    return unbroadcast(dq, q.shape), unbroadcast(dk, k.shape), unbroadcast(dv, v.shape)


def _check_bound(n_keys: int, score_range: float) -> None:
    if n_keys < 1 or not score_range >= 0:
        raise ValueError(
            f"the bound needs a key and a range of at least 0; got {n_keys} and {score_range}"
        )


def weight_ceiling(n_keys: int, score_range: float) -> float:
    r"""Bound every attention weight when scores differ by at most B, :math:`e^B/(n-1+e^B)`.

    Parameters
    ----------
    n_keys : int
        Number of keys, n.
    score_range : float
        Largest less smallest score, B ≥ 0, in nats.

    Returns
    -------
    float
        The largest weight possible; reached when one score is B above all the others.

    Raises
    ------
    ValueError
        If there is no key or the range is negative.

    Notes
    -----
    Implements :eq:`eq-weight-ceiling`.

    Examples
    --------
    >>> from primer_ref.attention import weight_ceiling
    >>> print(f"{weight_ceiling(16, 5.0):.4f} {weight_ceiling(16_384, 5.0):.4f}")
    0.9082 0.0090
    """
    _check_bound(n_keys, score_range)
    return 1 / (1 + (n_keys - 1) * math.exp(-score_range))


def entropy_floor(n_keys: int, score_range: float) -> float:
    r"""Bound the entropy of attention from below, :math:`\log n - B^2/8`.

    Parameters
    ----------
    n_keys : int
        Number of keys, n.
    score_range : float
        Largest less smallest score, B ≥ 0, in nats.

    Returns
    -------
    float
        Nats; the bound says nothing where it is negative.

    Raises
    ------
    ValueError
        If there is no key or the range is negative.

    Notes
    -----
    Implements :eq:`eq-entropy-floor`.

    Examples
    --------
    >>> from primer_ref.attention import entropy_floor
    >>> print(f"{entropy_floor(1024, 4.0):.4f}")
    4.9315
    """
    _check_bound(n_keys, score_range)
    return math.log(n_keys) - score_range**2 / 8
