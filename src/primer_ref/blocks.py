"""What layers are made of: feed-forward parts, and how parts, norms and the stream combine.

A feed-forward part takes each row by itself. Biases are left out, as the real model of this book
leaves them out. Weights multiply from the right: a row x of X becomes x W.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.activations import silu
from primer_ref.checks import check_positive
from primer_ref.functional import as_floats

__all__ = [
    "gated_width",
    "mlp",
    "post_norm",
    "post_norm_gradient",
    "pre_norm",
    "pre_norm_gradient",
    "swiglu",
]

Floats = NDArray[np.floating[Any]]
Part = Callable[[Floats], Floats]


def pre_norm(x: Floats, part: Part, norm: Part) -> Floats:
    r"""Add to the residual stream what a part makes of its norm, :math:`x + f(\mathrm{norm}(x))`.

    Parameters
    ----------
    x : ndarray, shape (..., T, C)
        Residual stream.
    part : callable
        Attention or a feed-forward part, f.
    norm : callable
        The norm.

    Returns
    -------
    ndarray, shape (..., T, C)
        The stream; what came in goes through it unchanged.

    Notes
    -----
    Implements :eq:`eq-pre-norm`.

    References
    ----------
    R. Xiong et al. (2020), On Layer Normalization in the Transformer Architecture.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.blocks import pre_norm
    >>> pre_norm(np.array([4.0]), lambda x: 3 * x, np.sign)
    array([7.])
    """
    return x + part(norm(x))


def post_norm(x: Floats, part: Part, norm: Part) -> Floats:
    r"""Norm the sum of the stream and a part of it, :math:`\mathrm{norm}(x + f(x))`.

    Parameters
    ----------
    x : ndarray, shape (..., T, C)
        Stream.
    part : callable
        Attention or a feed-forward part, f.
    norm : callable
        The norm.

    Returns
    -------
    ndarray, shape (..., T, C)
        The stream, normed anew by every part, as in the first transformer.

    Notes
    -----
    Implements :eq:`eq-post-norm`.

    References
    ----------
    R. Xiong et al. (2020), On Layer Normalization in the Transformer Architecture.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.blocks import post_norm
    >>> post_norm(np.array([4.0]), lambda x: 3 * x, np.sign)
    array([1.])
    """
    return norm(x + part(x))


def _check_gains(n_parts: int, forward: float, backward: float) -> None:
    if n_parts < 0 or not forward >= 0 or not backward >= 0:
        raise ValueError(
            "parts and gains must not be negative; "
            f"got {n_parts} parts, gains {forward} and {backward}"
        )


def pre_norm_gradient(n_parts: int, *, forward: float, backward: float) -> float:
    r"""Growth of the mean square gradient from the last stream to the first, under `pre_norm`.

    Parameters
    ----------
    n_parts : int
        Number of parts, n: two a layer.
    forward : float
        Mean square, a, of what a part adds to a stream of mean square 1.
    backward : float
        Mean square, b, of what a part's own Jacobian makes of a gradient of mean square 1.

    Returns
    -------
    float
        Mean square of the gradient at the first stream over that at the last.

    Raises
    ------
    ValueError
        If the number or a gain is negative.

    Notes
    -----
    Implements :eq:`eq-pre-norm-gradient`.

    Independent parts of mean 0, a wide stream, no gains in the norms: the stream's mean square
    grows by a with each part, and the norm divides what comes back by it. So the growth goes like
    :math:`(1 + an)^{b/a}`, in the end a power of the depth.

    Examples
    --------
    >>> from primer_ref.blocks import pre_norm_gradient
    >>> print(f"{pre_norm_gradient(60, forward=0.5, backward=0.5):.2f}")  # 1 + 60 / 2
    31.00
    """
    _check_gains(n_parts, forward, backward)
    return math.prod(1 + backward / (1 + forward * part) for part in range(n_parts))


def post_norm_gradient(n_parts: int, *, forward: float, backward: float) -> float:
    r"""Growth of the mean square gradient from the last stream to the first, under `post_norm`.

    Parameters
    ----------
    n_parts : int
        Number of parts, n: two a layer.
    forward : float
        Mean square, a, of what a part adds to a stream of mean square 1.
    backward : float
        Mean square, b, of what a part's own Jacobian makes of a gradient of mean square 1.

    Returns
    -------
    float
        Mean square of the gradient at the first stream over that at the last.

    Raises
    ------
    ValueError
        If the number or a gain is negative.

    Notes
    -----
    Implements :eq:`eq-post-norm-gradient`.

    Independent parts of mean 0, a wide stream, no gains in the norms. The same factor at every
    part: the growth is exponential in the depth, save where b = a.

    Examples
    --------
    >>> from primer_ref.blocks import post_norm_gradient
    >>> print(f"{post_norm_gradient(60, forward=0.5, backward=1.0):.1e}")  # (2 / 1.5)**60
    3.1e+07
    """
    _check_gains(n_parts, forward, backward)
    return ((1 + backward) / (1 + forward)) ** n_parts


def mlp(x: ArrayLike, w_in: ArrayLike, w_out: ArrayLike, activation: Part) -> Floats:
    r"""Feed-forward part with two matrices, :math:`\varphi(x W_{\mathrm{in}}) W_{\mathrm{out}}`.

    Parameters
    ----------
    x : array_like, shape (..., C)
        Rows.
    w_in : array_like, shape (C, F)
        A column a neuron: what it answers to, its key.
    w_out : array_like, shape (F, C)
        A row a neuron: what it adds, its value.
    activation : callable
        The function φ of each hidden coordinate.

    Returns
    -------
    ndarray, shape (..., C)
        Each row by itself: no token sees another.

    Notes
    -----
    Implements :eq:`eq-mlp`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.blocks import mlp
    >>> mlp([[1.0, -1.0]], np.eye(2), [[2.0], [3.0]], lambda h: np.maximum(h, 0))
    array([[2.]])
    """
    return activation(as_floats(x) @ as_floats(w_in)) @ as_floats(w_out)


def swiglu(x: ArrayLike, gate_up: ArrayLike, down: ArrayLike) -> Floats:
    r"""Gated feed-forward part, :math:`(\operatorname{silu}(x W_g) \odot x W_u) W_d`.

    Parameters
    ----------
    x : array_like, shape (..., C)
        Rows.
    gate_up : array_like, shape (C, 2 F)
        The matrices of the gates and of what they gate, side by side.
    down : array_like, shape (F, C)
        Back to the width of the model.

    Returns
    -------
    ndarray, shape (..., C)
        Each row by itself.

    Notes
    -----
    Implements :eq:`eq-swiglu`.

    References
    ----------
    N. Shazeer (2020), GLU Variants Improve Transformer.

    Examples
    --------
    >>> from primer_ref.blocks import swiglu
    >>> print(swiglu([[1.0]], [[1.0, 2.0]], [[1.0]]).round(4))  # silu(1) · 2
    [[1.4621]]
    """
    h = as_floats(x) @ as_floats(gate_up)  # (..., 2 F)
    hidden = h.shape[-1] // 2
    return (silu(h[..., :hidden]) * h[..., hidden:]) @ as_floats(down)


def gated_width(width: int, *, multiple_of: int) -> int:
    r"""Choose F so that a gated part has as many weights as a plain one of width 4C.

    Three matrices of C·F against two of 4C²: :math:`F = \tfrac{2}{3} \cdot 4C`, rounded down, then
    up to a multiple that suits the hardware.

    Parameters
    ----------
    width : int
        Width of the model, C.
    multiple_of : int
        What the result is a multiple of.

    Returns
    -------
    int
        Hidden width, F.

    Raises
    ------
    ValueError
        If one of the two is not positive.

    Notes
    -----
    Implements :eq:`eq-gated-width`.

    References
    ----------
    H. Touvron et al. (2023), LLaMA: Open and Efficient Foundation Language Models, whose code
    rounds like this.

    Examples
    --------
    >>> from primer_ref.blocks import gated_width
    >>> gated_width(4096, multiple_of=256), gated_width(576, multiple_of=64)
    (11008, 1536)
    """
    check_positive(width, "width")
    check_positive(multiple_of, "multiple_of")
    return -(-(8 * width // 3) // multiple_of) * multiple_of
