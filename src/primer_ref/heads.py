"""Attention with many heads: the layer as a sum over heads, their circuits, and what they cost.

Biases are left out, as the models of this book leave them out. Weights multiply from the right:
a row x of X becomes x W.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.attention import scaled_dot_product_attention
from primer_ref.functional import as_floats, as_mask

__all__ = [
    "attention_flops",
    "attention_parameters",
    "head_contributions",
    "multi_head_attention",
    "ov_circuit",
    "qk_circuit",
    "split_heads",
]

Floats = NDArray[np.floating[Any]]


def split_heads(x: ArrayLike, n_heads: int) -> Floats:
    """Cut the last axis into heads and put them in front of the rows.

    Parameters
    ----------
    x : array_like, shape (..., T, H·D)
        Rows that hold their heads side by side; activations or the columns of a weight matrix.
    n_heads : int
        Number of heads, H.

    Returns
    -------
    ndarray, shape (..., H, T, D)
        Head h is ``x[..., h*D:(h+1)*D]``.

    Raises
    ------
    ValueError
        If the width is not a multiple of the number of heads.

    Examples
    --------
    >>> from primer_ref.heads import split_heads
    >>> print(split_heads([[1.0, 2.0, 3.0, 4.0]], 2))
    [[[1. 2.]]
    <BLANKLINE>
     [[3. 4.]]]
    """
    x = as_floats(x, axes=2)
    if n_heads < 1 or x.shape[-1] % n_heads:
        raise ValueError(f"width must be a multiple of n_heads; got {x.shape[-1]} and {n_heads}")
    return np.swapaxes(x.reshape(*x.shape[:-1], n_heads, -1), -2, -3)


def head_contributions(
    x: ArrayLike,
    w_q: ArrayLike,
    w_k: ArrayLike,
    w_v: ArrayLike,
    w_o: ArrayLike,
    *,
    n_heads: int,
    n_kv_heads: int | None = None,
    mask: ArrayLike | None = None,
) -> Floats:
    r"""Compute what each head adds to each token, :math:`A_h X W_V^h W_O^h`.

    Parameters
    ----------
    x : array_like, shape (..., T, C)
        Token vectors.
    w_q : array_like, shape (C, H·D)
        Query weights, heads side by side.
    w_k : array_like, shape (C, K·D)
        Key weights.
    w_v : array_like, shape (C, K·E)
        Value weights.
    w_o : array_like, shape (H·E, C)
        Output weights, heads on top of one another.
    n_heads : int
        Number of query heads, H.
    n_kv_heads : int, optional
        Number of key and value heads, K, each shared by H/K neighboring query heads; H if not
        given.
    mask : array_like, shape (..., T, T), optional
        Added to every head's scores: 0 shows, −∞ hides.

    Returns
    -------
    ndarray, shape (..., H, T, C)
        The terms whose sum over heads is `multi_head_attention`.

    Raises
    ------
    ValueError
        If the number of heads is not a multiple of the number of key and value heads, or a width
        is not a multiple of its number of heads.
    TypeError
        If the mask holds truth values.

    Notes
    -----
    Implements :eq:`eq-head`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.heads import head_contributions
    >>> x, eye = np.array([[1.0, 2.0]]), np.eye(2)
    >>> print(head_contributions(x, eye, eye, eye, eye, n_heads=2))
    [[[1. 0.]]
    <BLANKLINE>
     [[0. 2.]]]
    """
    n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
    if n_kv_heads < 1 or n_heads % n_kv_heads:
        raise ValueError(
            f"n_heads must be a multiple of n_kv_heads; got {n_heads} and {n_kv_heads}"
        )
    x, w_o = as_floats(x), as_floats(w_o, axes=2)
    group = n_heads // n_kv_heads
    q = split_heads(x @ as_floats(w_q), n_heads)  # (..., H, T, D)
    k = np.repeat(split_heads(x @ as_floats(w_k), n_kv_heads), group, axis=-3)  # (..., H, T, D)
    v = np.repeat(split_heads(x @ as_floats(w_v), n_kv_heads), group, axis=-3)  # (..., H, T, E)
    mask = None if mask is None else as_mask(mask)[..., None, :, :]  # one mask for all heads
    context = scaled_dot_product_attention(q, k, v, mask)  # (..., H, T, E)
    return context @ w_o.reshape(n_heads, -1, w_o.shape[-1])


def multi_head_attention(
    x: ArrayLike,
    w_q: ArrayLike,
    w_k: ArrayLike,
    w_v: ArrayLike,
    w_o: ArrayLike,
    *,
    n_heads: int,
    n_kv_heads: int | None = None,
    mask: ArrayLike | None = None,
) -> Floats:
    r"""Sum what the heads add, :math:`\sum_h A_h X W_V^h W_O^h`.

    Parameters
    ----------
    x : array_like, shape (..., T, C)
        Token vectors.
    w_q, w_k, w_v, w_o : array_like
        Weights as in `head_contributions`.
    n_heads : int
        Number of query heads, H.
    n_kv_heads : int, optional
        Number of key and value heads, K; H if not given.
    mask : array_like, shape (..., T, T), optional
        Added to every head's scores: 0 shows, −∞ hides.

    Returns
    -------
    ndarray, shape (..., T, C)
        What the layer adds to the residual stream.

    Raises
    ------
    ValueError
        As for `head_contributions`.

    Notes
    -----
    Equal to concatenating the heads' outputs and multiplying by the whole of W_O; the sum holds
    the heads apart for study, at the price of an array H times as large.

    Implements :eq:`eq-multi-head`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.heads import multi_head_attention
    >>> x, eye = np.array([[1.0, 2.0]]), np.eye(2)
    >>> print(multi_head_attention(x, eye, eye, eye, eye, n_heads=2))
    [[1. 2.]]
    """
    terms = head_contributions(
        x, w_q, w_k, w_v, w_o, n_heads=n_heads, n_kv_heads=n_kv_heads, mask=mask
    )
    value: Floats = np.sum(terms, axis=-3)
    return value


def qk_circuit(w_q: ArrayLike, w_k: ArrayLike) -> Floats:
    r"""Multiply out the form that scores a pair of tokens, :math:`W_Q W_K^\T / \sqrt{d_k}`.

    Parameters
    ----------
    w_q : array_like, shape (..., C, D)
        Query weights of one head.
    w_k : array_like, shape (..., C, D)
        Key weights of one head.

    Returns
    -------
    ndarray, shape (..., C, C)
        Rank at most D; the score of tokens x and y is ``x @ form @ y``.

    Notes
    -----
    Implements :eq:`eq-bilinear`.

    Examples
    --------
    >>> from primer_ref.heads import qk_circuit
    >>> print(qk_circuit([[1.0], [0.0]], [[0.0], [1.0]]))
    [[0. 1.]
     [0. 0.]]
    """
    w_q = as_floats(w_q)
    return w_q @ np.swapaxes(as_floats(w_k), -1, -2) / math.sqrt(w_q.shape[-1])


def ov_circuit(w_v: ArrayLike, w_o: ArrayLike) -> Floats:
    r"""Multiply out the map from a token that is looked at to what it adds, :math:`W_V W_O`.

    Parameters
    ----------
    w_v : array_like, shape (..., C, E)
        Value weights of one head.
    w_o : array_like, shape (..., E, C)
        Output weights of one head.

    Returns
    -------
    ndarray, shape (..., C, C)
        Rank at most E.

    Notes
    -----
    Implements :eq:`eq-ov`.

    Examples
    --------
    >>> from primer_ref.heads import ov_circuit
    >>> print(ov_circuit([[1.0], [0.0]], [[0.0, 2.0]]))
    [[0. 2.]
     [0. 0.]]
    """
    return as_floats(w_v) @ as_floats(w_o)


def attention_parameters(
    width: int, n_heads: int, head_size: int, *, n_kv_heads: int | None = None
) -> int:
    r"""Count the weights of an attention layer without biases, :math:`2CHD + 2CKD`.

    Parameters
    ----------
    width : int
        Model width, C.
    n_heads : int
        Number of query heads, H.
    head_size : int
        Size of a head, D.
    n_kv_heads : int, optional
        Number of key and value heads, K; H if not given.

    Returns
    -------
    int
        Number of parameters.

    Notes
    -----
    Implements :eq:`eq-attention-parameters`.

    Examples
    --------
    >>> from primer_ref.heads import attention_parameters
    >>> attention_parameters(576, 9, 64, n_kv_heads=3)
    884736
    """
    n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
    return 2 * width * head_size * (n_heads + n_kv_heads)


def attention_flops(
    width: int,
    n_heads: int,
    head_size: int,
    *,
    n_queries: int,
    n_keys: int,
    n_kv_heads: int | None = None,
) -> int:
    r"""Count the operations of an attention layer's matrix products.

    Parameters
    ----------
    width : int
        Model width, C.
    n_heads : int
        Number of query heads, H.
    head_size : int
        Size of a head, D.
    n_queries : int
        New tokens, T: each is projected and asks.
    n_keys : int
        Tokens that can be looked at, S.
    n_kv_heads : int, optional
        Number of key and value heads, K; H if not given.

    Returns
    -------
    int
        FLOP, a multiplication and an addition counted as two; products with masked keys included.

    Notes
    -----
    Leaves out softmax, whose H·T·S exponentials are the one part that grows with the number of
    heads at a fixed H·D.

    Implements :eq:`eq-attention-flops`.

    Examples
    --------
    >>> from primer_ref.heads import attention_flops
    >>> attention_flops(576, 9, 64, n_queries=1024, n_keys=1024, n_kv_heads=3)
    4227858432
    """
    parameters = attention_parameters(width, n_heads, head_size, n_kv_heads=n_kv_heads)
    return 2 * n_queries * parameters + 4 * n_queries * n_keys * n_heads * head_size
