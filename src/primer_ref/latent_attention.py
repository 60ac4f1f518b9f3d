"""Multi-head latent attention: keys and values of all heads rebuilt from one short vector a token.

Two ways to compute one thing: build the keys and values, to train; or leave them unbuilt and let
queries and outputs meet the latent vectors, to generate.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.attention import attention_weights, scaled_dot_product_attention
from primer_ref.functional import as_floats, as_mask
from primer_ref.heads import split_heads

__all__ = ["latent_attention", "latent_attention_absorbed"]

Floats = NDArray[np.floating[Any]]


def latent_attention(
    x: ArrayLike,
    w_q: ArrayLike,
    w_down: ArrayLike,
    w_up: tuple[ArrayLike, ArrayLike],
    w_o: ArrayLike,
    *,
    n_heads: int,
    mask: ArrayLike | None = None,
) -> Floats:
    r"""Attend with keys and values that are rebuilt from one short vector a token.

    Token x leaves the latent vector :math:`c = xW_\downarrow` alone in the cache, and head h reads
    from it the key :math:`cW_K^h` and the value :math:`cW_V^h`.

    Parameters
    ----------
    x : array_like, shape (..., T, C)
        Token vectors.
    w_q : array_like, shape (C, H·D)
        Query weights, heads side by side.
    w_down : array_like, shape (C, r)
        Compression.
    w_up : tuple of array_like, shapes (r, H·D) and (r, H·E)
        From the latent vector to keys and to values.
    w_o : array_like, shape (H·E, C)
        Output weights, heads on top of one another.
    n_heads : int
        Number of heads, H.
    mask : array_like, shape (..., T, T), optional
        Added to every head's scores.

    Returns
    -------
    ndarray, shape (..., T, C)
        What the layer adds to the residual stream.

    Raises
    ------
    ValueError
        If a width is not a multiple of the number of heads.
    TypeError
        If the mask holds truth values.

    Notes
    -----
    Implements :eq:`eq-latent`.

    `primer_ref.heads.multi_head_attention` whose key and value weights, side by side, are a product
    of rank r. Kept for a token: r numbers instead of H(D + E). Rotary positions would come between
    the two matrices of the key; DeepSeek-V2 gives them coordinates of their own for this reason,
    which are left out here.

    References
    ----------
    DeepSeek-AI (2024), DeepSeek-V2: A Strong, Economical, and Efficient Mixture-of-Experts Language
    Model.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.latent_attention import latent_attention
    >>> x, eye, narrow = np.array([[1.0, 2.0]]), np.eye(2), np.array([[1.0], [1.0]])
    >>> print(latent_attention(x, eye, narrow, (narrow.T, narrow.T), eye, n_heads=2))
    [[3. 3.]]
    """
    x, w_o = as_floats(x), as_floats(w_o, axes=2)
    latent = x @ as_floats(w_down)  # (..., T, r)
    q = split_heads(x @ as_floats(w_q), n_heads)  # (..., H, T, D)
    k, v = (split_heads(latent @ as_floats(w), n_heads) for w in w_up)
    mask = None if mask is None else as_mask(mask)[..., None, :, :]  # one mask for all heads
    context = scaled_dot_product_attention(q, k, v, mask)  # (..., H, T, E)
    value: Floats = np.sum(context @ w_o.reshape(n_heads, -1, w_o.shape[-1]), axis=-3)
    return value


def latent_attention_absorbed(
    x: ArrayLike,
    w_q: ArrayLike,
    w_down: ArrayLike,
    w_up: tuple[ArrayLike, ArrayLike],
    w_o: ArrayLike,
    *,
    n_heads: int,
    mask: ArrayLike | None = None,
) -> Floats:
    r"""Attend to the latent vectors themselves, as if all heads shared one key and value.

    The score :math:`q\,(cW_K)^\T` is :math:`(qW_K^\T)\,c^\T`, and the output
    :math:`(Ac)\,W_V W_O`: the up-projections move into the query and the output weights.

    Parameters
    ----------
    x : array_like, shape (..., T, C)
        Token vectors.
    w_q, w_down, w_up, w_o : array_like
        Weights as in `latent_attention`.
    n_heads : int
        Number of heads, H.
    mask : array_like, shape (..., T, T), optional
        Added to every head's scores.

    Returns
    -------
    ndarray, shape (..., T, C)
        The same as `latent_attention`, with no key or value ever built.

    Raises
    ------
    ValueError
        If a width is not a multiple of the number of heads.
    TypeError
        If the mask holds truth values.

    Notes
    -----
    Implements :eq:`eq-latent-absorbed`.

    The way to generate text: of the cache, each step reads r numbers a token. Scores still are
    divided by the root of D, the size of the keys that are not built.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.latent_attention import latent_attention_absorbed
    >>> x, eye, narrow = np.array([[1.0, 2.0]]), np.eye(2), np.array([[1.0], [1.0]])
    >>> print(latent_attention_absorbed(x, eye, narrow, (narrow.T, narrow.T), eye, n_heads=2))
    [[3. 3.]]
    """
    x, w_o = as_floats(x), as_floats(w_o, axes=2)
    latent = (x @ as_floats(w_down))[..., None, :, :]  # (..., 1, T, r)
    up_k, up_v = (split_heads(w, n_heads) for w in w_up)  # (H, r, D), (H, r, E)
    q = split_heads(x @ as_floats(w_q), n_heads) @ np.swapaxes(up_k, -1, -2)  # (..., H, T, r)
    # Attention will divide by √r where the keys ask for √D.
    q = q * math.sqrt(q.shape[-1] / up_k.shape[-1])
    mask = None if mask is None else as_mask(mask)[..., None, :, :]  # one mask for all heads
    context = attention_weights(q, latent, mask) @ latent  # (..., H, T, r)
    w_out = up_v @ w_o.reshape(n_heads, -1, w_o.shape[-1])  # (H, r, C)
    value: Floats = np.sum(context @ w_out, axis=-3)
    return value
