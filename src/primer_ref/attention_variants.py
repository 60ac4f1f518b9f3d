"""Attention made cheaper or different: windows, mixtures of keys, pooled heads, gated outputs.

Each variant changes one thing about attention: which keys are seen, how many there are, who shares
them, or what becomes of the output. What is exact and what approximates is said with each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.activations import sigmoid
from primer_ref.attention import causal_mask, scaled_dot_product_attention
from primer_ref.checks import check_nonnegative
from primer_ref.functional import as_floats
from primer_ref.heads import split_heads

__all__ = [
    "gated_attention",
    "linformer_attention",
    "pool_heads",
    "receptive_field",
    "sliding_window_mask",
]

Floats = NDArray[np.floating[Any]]


def _check_window(window: int) -> None:
    if window < 1:
        raise ValueError(f"window must hold at least the token itself; got {window}")


def sliding_window_mask(
    n_queries: int, window: int, n_keys: int | None = None
) -> NDArray[np.float64]:
    r"""Mask that shows every token itself and the w − 1 tokens before it.

    Parameters
    ----------
    n_queries : int
        Number of queries, T.
    window : int
        Number of keys that a query sees, w ≥ 1, its own among them.
    n_keys : int, optional
        Number of keys, S ≥ T; the queries are the last T of the S tokens. T if not given.

    Returns
    -------
    ndarray, shape (T, S)
        0 where 0 ≤ t − s < w, −∞ elsewhere.

    Raises
    ------
    ValueError
        If the window holds nothing or there are fewer keys than queries.

    Notes
    -----
    Implements :eq:`eq-window-mask`.

    Other conventions: in the formula of Mistral 7B's paper a token sees w tokens before itself; in
    Longformer half of the window lies on either side.

    References
    ----------
    I. Beltagy, M. E. Peters and A. Cohan (2020), Longformer: The Long-Document Transformer.

    Examples
    --------
    >>> from primer_ref.attention_variants import sliding_window_mask
    >>> print(sliding_window_mask(3, 2))
    [[  0. -inf -inf]
     [  0.   0. -inf]
     [-inf   0.   0.]]
    """
    _check_window(window)
    mask = causal_mask(n_queries, n_keys)
    first = np.arange(mask.shape[1] - n_queries, mask.shape[1])[:, None] - window + 1
    return np.where(np.arange(mask.shape[1]) < first, -np.inf, mask)


def receptive_field(n_layers: int, window: int) -> int:
    r"""Count the tokens that can reach one output through layers of windows, :math:`L(w-1) + 1`.

    Parameters
    ----------
    n_layers : int
        Number of layers, L.
    window : int
        Number of keys that a query sees, w, its own among them.

    Returns
    -------
    int
        Number of tokens, the output's own among them. That they can reach it does not say that
        much of them arrives.

    Raises
    ------
    ValueError
        If the window holds nothing or the number of layers is negative.

    Notes
    -----
    Implements :eq:`eq-receptive-field`.

    Examples
    --------
    >>> from primer_ref.attention_variants import receptive_field
    >>> receptive_field(32, 4096)
    131041
    """
    _check_window(window)
    check_nonnegative(n_layers, "n_layers")
    return n_layers * (window - 1) + 1


def linformer_attention(
    q: ArrayLike, k: ArrayLike, v: ArrayLike, mix_keys: ArrayLike, mix_values: ArrayLike
) -> Floats:
    r"""Attend to r mixtures of the keys, :math:`\softmax(Q(EK)^\T/\sqrt{d_k})\,FV`.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries.
    k : array_like, shape (..., S, D)
        Keys.
    v : array_like, shape (..., S, U)
        Values.
    mix_keys : array_like, shape (r, S)
        The matrix E.
    mix_values : array_like, shape (r, S)
        The matrix F.

    Returns
    -------
    ndarray, shape (..., T, U)
        Outputs, at the cost of r keys. No approximation of attention in general: the softmax runs
        over mixtures, and a mask of tokens has no place in it.

    Raises
    ------
    ValueError
        If the matrices do not mix all the keys.

    Notes
    -----
    Implements :eq:`eq-linformer`.

    With E and F the identity it is attention itself. The theorem that goes with it projects the
    *weights*, :math:`PF^\T F V`, and keeps each product of a row of weights with a column of values
    to within ε times their norms with high probability, for r of the order of
    :math:`\log (TU)/\varepsilon^2`, by the Johnson–Lindenstrauss lemma.

    References
    ----------
    S. Wang, B. Z. Li, M. Khabsa, H. Fang and H. Ma (2020), Linformer: Self-Attention with Linear
    Complexity.

    Examples
    --------
    >>> from primer_ref.attention_variants import linformer_attention
    >>> mean = [[0.5, 0.5]]
    >>> print(linformer_attention([[3.0]], [[1.0], [2.0]], [[10.0], [20.0]], mean, mean))
    [[15.]]
    """
    k, v = as_floats(k, axes=2), as_floats(v)
    mix_keys, mix_values = as_floats(mix_keys, axes=2), as_floats(mix_values, axes=2)
    if not mix_keys.shape[-1] == mix_values.shape[-1] == k.shape[-2]:
        raise ValueError(
            "mixing matrices must have one column a key; "
            f"got shapes {mix_keys.shape} and {mix_values.shape} for {k.shape[-2]} keys"
        )
    return scaled_dot_product_attention(q, mix_keys @ k, mix_values @ v)


def pool_heads(w: ArrayLike, *, n_heads: int, n_kv_heads: int) -> Floats:
    """Average the key or value weights of neighboring heads, to start grouped queries from.

    Parameters
    ----------
    w : array_like, shape (C, H·D)
        Key or value weights, heads side by side.
    n_heads : int
        Number of heads, H.
    n_kv_heads : int
        Number of heads that shall remain, K.

    Returns
    -------
    ndarray, shape (C, K·D)
        Head j is the mean of heads jG to (j + 1)G − 1, with G = H/K.

    Raises
    ------
    ValueError
        If the width is no multiple of H, or H none of K.

    Notes
    -----
    Implements :eq:`eq-pool-heads`.

    A place to go on training from: the pooled model is not the model it came from.

    References
    ----------
    J. Ainslie et al. (2023), GQA: Training Generalized Multi-Query Transformer Models from
    Multi-Head Checkpoints.

    Examples
    --------
    >>> from primer_ref.attention_variants import pool_heads
    >>> print(pool_heads([[1.0, 3.0, 10.0, 20.0]], n_heads=4, n_kv_heads=2))
    [[ 2. 15.]]
    """
    heads = split_heads(w, n_heads)  # (H, C, D)
    if n_kv_heads < 1 or n_heads % n_kv_heads:
        raise ValueError(
            f"n_heads must be a multiple of n_kv_heads; got {n_heads} and {n_kv_heads}"
        )
    pooled = np.mean(heads.reshape(n_kv_heads, -1, *heads.shape[1:]), axis=1)  # (K, C, D)
    value: Floats = np.swapaxes(pooled, 0, 1).reshape(heads.shape[1], -1)
    return value


def gated_attention(
    q: ArrayLike, k: ArrayLike, v: ArrayLike, gate: ArrayLike, mask: ArrayLike | None = None
) -> Floats:
    r"""Let each output coordinate through as far as a gate opens, :math:`\sigma(G) \odot AV`.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries.
    k : array_like, shape (..., S, D)
        Keys.
    v : array_like, shape (..., S, E)
        Values.
    gate : array_like, shape (..., T, E) or (..., T, 1)
        Log-odds G of the gates, a linear function of the token: one a coordinate or one a head.
    mask : array_like, shape (..., T, S), optional
        Added to the scores: 0 shows, −∞ hides.

    Returns
    -------
    ndarray, shape (..., T, E)
        Gated output of one head, before the output weights.

    Raises
    ------
    ValueError
        As for `primer_ref.attention.scaled_dot_product_attention`.

    Notes
    -----
    Implements :eq:`eq-gated-attention`.

    Softmax weights sum to 1, so plain attention must look somewhere; a closed gate says that there
    was nothing to find. Between the value and output weights, two linear maps in a row, it puts
    what is not linear.

    References
    ----------
    Z. Qiu et al. (2025), Gated Attention for Large Language Models: Non-linearity, Sparsity, and
    Attention-Sink-Free.

    Examples
    --------
    >>> from primer_ref.attention_variants import gated_attention
    >>> print(gated_attention([[0.0]], [[1.0]], [[10.0, 20.0]], [[0.0, -1000.0]]))
    [[5. 0.]]
    """
    return sigmoid(gate) * scaled_dot_product_attention(q, k, v, mask)
