"""Linear attention that forgets: a memory that fades coordinate by coordinate, in two forms.

One form is a sum over all earlier tokens, the other a recurrence with a matrix for its state; they
are the same function.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = ["gated_linear_attention", "gated_linear_attention_recurrent"]

Floats = NDArray[np.floating[Any]]


def _check_decay(decay: Floats) -> None:
    if not np.all((decay > 0) & (decay <= 1)):
        raise ValueError(
            f"decay must lie above 0 and not above 1; got {np.min(decay)} to {np.max(decay)}"
        )


def gated_linear_attention(q: ArrayLike, k: ArrayLike, v: ArrayLike, decay: ArrayLike) -> Floats:
    r"""Linear attention that forgets, all positions at once.

    Output t is :math:`\sum_{s \le t} \bigl(\sum_i q_{ti} k_{si} \prod_{r=s+1}^{t}
    \alpha_{ri}\bigr) v_s`.

    Parameters
    ----------
    q : array_like, shape (T, D)
        Queries.
    k : array_like, shape (T, D)
        Keys.
    v : array_like, shape (T, E)
        Values.
    decay : array_like, shape (T, D) or (T, 1)
        Share α in (0, 1] of its memory that each coordinate keeps when token t arrives.

    Returns
    -------
    ndarray, shape (T, E)
        Sums, not means: nothing divides by the weights.

    Raises
    ------
    ValueError
        If a decay is not above 0 or is above 1.

    Notes
    -----
    Implements :eq:`eq-gated-sum`.

    With decay 1 it is the numerator of `primer_ref.kernel_attention.linear_attention`. The products
    of decays are taken as exponentials of differences that are never positive; splitting them into
    a factor for t and one for s would turn this into one matrix product, and overflow for long
    texts. Time and memory of the order of T²D: the definition, not the fast road.

    References
    ----------
    S. Yang, B. Wang, Y. Shen, R. Panda and Y. Kim (2024), Gated Linear Attention Transformers with
    Hardware-Efficient Training.

    Examples
    --------
    >>> from primer_ref.gated_recurrence import gated_linear_attention
    >>> ones = [[1.0], [1.0], [1.0]]
    >>> print(gated_linear_attention(ones, ones, [[8.0], [0.0], [0.0]], [[1.0], [0.5], [0.5]]))
    [[8.]
     [4.]
     [2.]]
    """
    q, k, v, decay = (as_floats(x, axes=2) for x in (q, k, v, decay))
    _check_decay(decay)
    kept = np.cumsum(np.log(decay), axis=0)  # (T, D)
    earlier = np.tri(len(q), dtype=bool)[:, :, None]
    lost = np.where(earlier, kept[:, None, :] - kept[None, :, :], -np.inf)  # (T, T, D)
    weights: Floats = np.sum(q[:, None, :] * k[None, :, :] * np.exp(lost), axis=-1)  # (T, T)
    return weights @ v


def gated_linear_attention_recurrent(
    q: ArrayLike, k: ArrayLike, v: ArrayLike, decay: ArrayLike
) -> Floats:
    r"""Compute the same as `gated_linear_attention` with a matrix as memory.

    :math:`S_t = \diag(\alpha_t)\,S_{t-1} + k_t^\T v_t`, and output t is :math:`q_t S_t`.

    Parameters
    ----------
    q : array_like, shape (T, D)
        Queries.
    k : array_like, shape (T, D)
        Keys.
    v : array_like, shape (T, E)
        Values.
    decay : array_like, shape (T, D) or (T, 1)
        Share α in (0, 1] of its memory that each coordinate keeps when token t arrives.

    Returns
    -------
    ndarray, shape (T, E)
        Sums of values, the older the more faded.

    Raises
    ------
    ValueError
        If a decay is not above 0 or is above 1.

    Notes
    -----
    Implements :eq:`eq-gated-recurrence`.

    Time of the order of T·D·E; memory D·E numbers at any length of the context.

    Examples
    --------
    >>> from primer_ref.gated_recurrence import gated_linear_attention_recurrent
    >>> ones, v = [[1.0], [1.0], [1.0]], [[8.0], [0.0], [0.0]]
    >>> print(gated_linear_attention_recurrent(ones, ones, v, [[1.0], [0.5], [0.5]]).ravel())
    [8. 4. 2.]
    """
    q, k, v, decay = (as_floats(x, axes=2) for x in (q, k, v, decay))
    _check_decay(decay)
    memory = np.zeros((k.shape[-1], v.shape[-1]), v.dtype)  # (D, E)
    out = []
    for query, key, value, kept in zip(q, k, v, decay, strict=True):
        memory = kept[:, None] * memory + np.outer(key, value)
        out.append(query @ memory)
    return np.stack(out)
