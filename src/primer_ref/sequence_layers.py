r"""What a layer over a sequence costs, and how far apart it leaves two of its positions.

Recurrence, convolution and attention are compared by three numbers: operations, steps that must
wait for one another, and the layers or steps on the way from one end of the sequence to the other.
Gradients travel that way, and each step multiplies them by a Jacobian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from primer_ref.functional import as_floats

__all__ = [
    "LayerCost",
    "attention_cost",
    "convolution_cost",
    "jacobian_product_bounds",
    "recurrence_cost",
]


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What a layer costs, and how long its ways are.

    Attributes
    ----------
    flops : int
        Operations of one layer.
    sequential : int
        Steps of one layer that must wait for one another.
    path_length : int
        Steps on the way from the first position to the last, over layers where one is not enough.

    Examples
    --------
    >>> from primer_ref.sequence_layers import attention_cost
    >>> attention_cost(1000, 512).path_length
    1
    """

    flops: int
    sequential: int
    path_length: int


def _check_sizes(n_tokens: int, width: int) -> None:
    for name, size in (("n_tokens", n_tokens), ("width", width)):
        if not size >= 1:
            raise ValueError(f"{name} must be at least 1; got {size}")


def recurrence_cost(n_tokens: int, width: int) -> LayerCost:
    r"""Cost of a recurrence :math:`h_t = f(x_t U + h_{t-1} W)`, :math:`4TC^2` operations.

    Parameters
    ----------
    n_tokens : int
        Length of the sequence, T.
    width : int
        Size of a token and of the state, C.

    Returns
    -------
    LayerCost
        T steps in sequence, and T − 1 from the first position to the last.

    Raises
    ------
    ValueError
        If a size is below 1.

    Notes
    -----
    Implements :eq:`eq-recurrence-cost`.

    References
    ----------
    A. Vaswani et al. (2017), Attention Is All You Need, table 1.

    Examples
    --------
    >>> from primer_ref.sequence_layers import recurrence_cost
    >>> recurrence_cost(1000, 512)
    LayerCost(flops=1048576000, sequential=1000, path_length=999)
    """
    _check_sizes(n_tokens, width)
    return LayerCost(4 * n_tokens * width**2, n_tokens, n_tokens - 1)


def convolution_cost(n_tokens: int, width: int, *, kernel: int) -> LayerCost:
    r"""Cost of a convolution over k neighbors, :math:`2kTC^2` operations.

    Parameters
    ----------
    n_tokens : int
        Length of the sequence, T.
    width : int
        Size of a token, C.
    kernel : int
        Positions that are seen at once, k, at least 2.

    Returns
    -------
    LayerCost
        One step in sequence. A stack has :math:`\lceil (T-1)/(k-1) \rceil` layers before the last
        position sees the first.

    Raises
    ------
    ValueError
        If a size is below 1, or the kernel below 2.

    Notes
    -----
    With dilations 1, k, k², … the layers are :math:`\lceil \log_k T \rceil`.

    Implements :eq:`eq-convolution-cost`.

    References
    ----------
    A. Vaswani et al. (2017), Attention Is All You Need, table 1.

    Examples
    --------
    >>> from primer_ref.sequence_layers import convolution_cost
    >>> convolution_cost(1000, 512, kernel=4).path_length
    333
    """
    _check_sizes(n_tokens, width)
    if kernel < 2:
        raise ValueError(f"kernel must be at least 2; got {kernel}")
    return LayerCost(2 * kernel * n_tokens * width**2, 1, -(-(n_tokens - 1) // (kernel - 1)))


def attention_cost(n_tokens: int, width: int) -> LayerCost:
    r"""Cost of attention over all positions, :math:`8TC^2 + 4T^2C` operations.

    Parameters
    ----------
    n_tokens : int
        Length of the sequence, T.
    width : int
        Size of a token and of all heads together, C.

    Returns
    -------
    LayerCost
        One step in sequence, and one from any position to any other.

    Raises
    ------
    ValueError
        If a size is below 1.

    Notes
    -----
    Four projections, and products of all pairs, masked ones included. The published table leaves
    the projections out.

    Implements :eq:`eq-attention-cost`.

    References
    ----------
    A. Vaswani et al. (2017), Attention Is All You Need, table 1.

    Examples
    --------
    >>> from primer_ref.sequence_layers import attention_cost, recurrence_cost
    >>> attention_cost(1000, 512).flops / recurrence_cost(1000, 512).flops
    3.953125
    """
    _check_sizes(n_tokens, width)
    return LayerCost(8 * n_tokens * width**2 + 4 * n_tokens**2 * width, 1, 1)


def jacobian_product_bounds(jacobians: Sequence[ArrayLike]) -> tuple[float, float]:
    r"""Bound what a product of Jacobians does to the length of a gradient.

    .. math:: \prod_t \sigma_{\min}(J_t)\, \norm{g} \le \norm{g J_T \cdots J_1}
        \le \prod_t \sigma_{\max}(J_t)\, \norm{g}

    Parameters
    ----------
    jacobians : sequence of array_like, shape (n, n)
        Square matrices.

    Returns
    -------
    lower, upper : float
        Products of the smallest and of the largest singular values.

    Raises
    ------
    ValueError
        If a matrix is not square, or they differ in size.

    Notes
    -----
    If all largest singular values are below some number less than 1, gradients vanish
    exponentially; that they explode it takes more than a value above 1, since the directions of the
    largest values need not line up.

    Implements :eq:`eq-jacobian-product`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.sequence_layers import jacobian_product_bounds
    >>> jacobian_product_bounds([np.diag([0.5, 2.0])] * 3)
    (0.125, 8.0)
    """
    read = [as_floats(j) for j in jacobians]
    for j in read:
        if j.ndim != 2 or j.shape[0] != j.shape[1] or j.shape != read[0].shape:
            raise ValueError(f"matrices must be square and of one size; got shape {j.shape}")
    values = [np.linalg.svd(j, compute_uv=False) for j in read]
    lower = float(np.prod([s[-1] for s in values]))
    return lower, float(np.prod([s[0] for s in values]))
