r"""Normalization of rows, and what it does to gradients.

Both norms project: root-mean-square normalization keeps a row's direction and drops its length,
layer normalization drops its mean as well. What is dropped gets no gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative
from primer_ref.functional import as_floats

__all__ = ["layer_norm", "layer_norm_jacobian", "rms_norm", "rms_norm_jacobian"]

Floats = NDArray[np.floating[Any]]


def _check(x: Floats, weight: Floats, eps: float) -> None:
    if x.shape[-1:] != weight.shape:
        raise ValueError(
            f"weight must have one gain a coordinate; got shapes {weight.shape} and {x.shape}"
        )
    check_nonnegative(eps, "eps")


def rms_norm(x: ArrayLike, weight: ArrayLike, *, eps: float = 1e-5) -> Floats:
    r"""Divide each row by its root mean square, then scale each coordinate.

    The result is :math:`g_i\, x_i / \sqrt{\tfrac{1}{C} \sum_j x_j^2 + \varepsilon}`.

    Parameters
    ----------
    x : array_like, shape (..., C)
        Rows.
    weight : array_like, shape (C,)
        Gains g.
    eps : float
        What is added under the root, so that a row of zeros stays one.

    Returns
    -------
    ndarray, shape (..., C)
        Rows of root mean square 1 before the gains, save for ε.

    Raises
    ------
    ValueError
        If there is not one gain a coordinate, or ``eps`` is negative.

    Notes
    -----
    Implements :eq:`eq-rms-norm`.

    Multiplying a row by a positive number leaves its direction, and so the result, as it was: ε
    alone breaks this, for rows as small as its root.

    References
    ----------
    B. Zhang and R. Sennrich (2019), Root Mean Square Layer Normalization.

    Examples
    --------
    >>> from primer_ref.norms import rms_norm
    >>> print(rms_norm([[3.0, 4.0], [0.0, 0.0]], [1.0, 2.0]).round(4))
    [[0.8485 2.2627]
     [0.     0.    ]]
    """
    x, weight = as_floats(x), as_floats(weight)
    _check(x, weight, eps)
    # np.mean is this sum over this count, at three times the time for one row.
    square = np.sum(x * x, axis=-1, keepdims=True) / x.shape[-1]
    value: Floats = x / np.sqrt(square + eps) * weight
    return value


def rms_norm_jacobian(x: ArrayLike, weight: ArrayLike, *, eps: float = 1e-5) -> Floats:
    r"""Differentiate `rms_norm`, :math:`\operatorname{diag}(g)\,(I - \hat x\hat x^\T/C)/r`.

    Here r is the root in it, and :math:`\hat x = x/r`.

    Parameters
    ----------
    x : array_like, shape (..., C)
        Rows.
    weight : array_like, shape (C,)
        Gains g.
    eps : float
        What is added under the root.

    Returns
    -------
    ndarray, shape (..., C, C)
        Entry (i, j) is the derivative of coordinate i of the result in coordinate j of the row.

    Raises
    ------
    ValueError
        If there is not one gain a coordinate, or ``eps`` is negative.

    Notes
    -----
    Implements :eq:`eq-rms-norm-jacobian`.

    Without ε a projection over r: a change along the row itself has no effect, one across it is
    scaled by 1/r. So the gradient is the smaller, the longer the row.

    Examples
    --------
    >>> from primer_ref.norms import rms_norm_jacobian
    >>> jacobian = rms_norm_jacobian([3.0, 4.0], [1.0, 1.0], eps=0.0)
    >>> print(jacobian.round(4), (jacobian @ [3.0, 4.0]).round(4) + 0.0)
    [[ 0.181  -0.1358]
     [-0.1358  0.1018]] [0. 0.]
    """
    x, weight = as_floats(x), as_floats(weight)
    _check(x, weight, eps)
    r = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    normed, n = x / r, x.shape[-1]
    projection = np.eye(n, dtype=x.dtype) - normed[..., :, None] * normed[..., None, :] / n
    jacobian: Floats = weight[:, None] * projection / r[..., None]  # (..., C, C)
    return jacobian


def layer_norm(x: ArrayLike, weight: ArrayLike, bias: ArrayLike, *, eps: float = 1e-5) -> Floats:
    r"""Subtract each row's mean and divide by its standard deviation, then scale and shift.

    The result is :math:`g_i\,(x_i - \mu)/\sqrt{\sigma^2 + \varepsilon} + b_i`, with the mean μ and
    the variance σ² (over C, not C − 1) of the row.

    Parameters
    ----------
    x : array_like, shape (..., C)
        Rows.
    weight : array_like, shape (C,)
        Gains g.
    bias : array_like, shape (C,)
        Shifts b.
    eps : float
        What is added under the root, so that a row of equal numbers becomes one of zeros.

    Returns
    -------
    ndarray, shape (..., C)
        Rows of mean 0 and variance 1 before gains and shifts, save for ε.

    Raises
    ------
    ValueError
        If there is not one gain and one shift a coordinate, or ``eps`` is negative.

    Notes
    -----
    Implements :eq:`eq-layer-norm`.

    The same as `rms_norm` of the row less its mean.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton (2016), Layer Normalization.

    Examples
    --------
    >>> from primer_ref.norms import layer_norm
    >>> print(layer_norm([1.0, 2.0, 6.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.0]).round(4))
    [-0.9258 -0.4629  1.3887]
    """
    x, bias = as_floats(x), as_floats(bias)
    if bias.shape != x.shape[-1:]:
        raise ValueError(
            f"bias must have one shift a coordinate; got shapes {bias.shape} and {x.shape}"
        )
    centered = x - np.mean(x, axis=-1, keepdims=True)
    return rms_norm(centered, weight, eps=eps) + bias


def layer_norm_jacobian(x: ArrayLike, weight: ArrayLike, *, eps: float = 1e-5) -> Floats:
    r"""Differentiate `layer_norm` in its rows.

    It is :math:`\operatorname{diag}(g)\,(I - \tfrac1C \mathbf 1\mathbf 1^\T -
    \tfrac1C \hat x\hat x^\T)/s`, with the root s of the variance and ε, and the normalized row
    :math:`\hat x`.

    Parameters
    ----------
    x : array_like, shape (..., C)
        Rows.
    weight : array_like, shape (C,)
        Gains g.
    eps : float
        What is added under the root.

    Returns
    -------
    ndarray, shape (..., C, C)
        Entry (i, j) is the derivative of coordinate i of the result in coordinate j of the row.

    Raises
    ------
    ValueError
        If there is not one gain a coordinate, or ``eps`` is negative.

    Notes
    -----
    Implements :eq:`eq-layer-norm-jacobian`.

    Without ε a projection over s, with two null directions: a common shift of all coordinates, and
    a stretch of the row about its mean.

    Examples
    --------
    >>> from primer_ref.norms import layer_norm_jacobian
    >>> jacobian = layer_norm_jacobian([1.0, 2.0, 6.0], [1.0, 1.0, 1.0], eps=0.0)
    >>> print((jacobian @ [[1.0, 1.0], [1.0, 2.0], [1.0, 6.0]]).round(4) + 0.0)
    [[0. 0.]
     [0. 0.]
     [0. 0.]]
    """
    x = as_floats(x)
    centered = x - np.mean(x, axis=-1, keepdims=True)
    about_mean = rms_norm_jacobian(centered, weight, eps=eps)
    jacobian: Floats = about_mean - np.mean(about_mean, axis=-1, keepdims=True)
    return jacobian
