r"""Activation functions and their derivatives.

All act on each entry by itself. GELU and SiLU multiply an entry by how likely, or how far, it is to
be let through: :math:`x\,\Phi(x)` with the normal distribution, :math:`x\,\sigma(x)` with the
logistic one.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.autodiff_rules import differentiable
from primer_ref.functional import as_floats

__all__ = [
    "erf",
    "gelu",
    "gelu_derivative",
    "gelu_tanh",
    "gelu_tanh_derivative",
    "relu",
    "relu_derivative",
    "selu",
    "selu_derivative",
    "sigmoid",
    "sigmoid_derivative",
    "silu",
    "silu_derivative",
    "softplus",
    "softplus_derivative",
]

Floats = NDArray[np.floating[Any]]


@differentiable(lambda g, _, x: g * sigmoid_derivative(x))
def sigmoid(x: ArrayLike) -> Floats:
    r"""Logistic function, :math:`\sigma(x) = 1/(1 + e^{-x})`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers of any size; nothing overflows.

    Returns
    -------
    ndarray, shape (...)
        In [0, 1]: the probability whose log-odds are x nats.

    Examples
    --------
    >>> from primer_ref.activations import sigmoid
    >>> print(sigmoid([-1000.0, 0.0, 1.0]).round(4))
    [0.     0.5    0.7311]
    """
    x = as_floats(x)
    # The exponential never overflows; both branches of the function are written with it.
    e = np.exp(-np.abs(x))
    value: Floats = np.where(x >= 0, 1, e) / (1 + e)
    return value


def sigmoid_derivative(x: ArrayLike) -> Floats:
    r"""Differentiate `sigmoid`, :math:`\sigma(x)\,\sigma(-x)`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        At most 1/4, at 0; relatively accurate far away, where 1 − σ(x) would be 0.

    Examples
    --------
    >>> from primer_ref.activations import sigmoid_derivative
    >>> print(sigmoid_derivative([0.0, 40.0]))
    [2.50000000e-01 4.24835426e-18]
    """
    x = as_floats(x)
    return sigmoid(x) * sigmoid(-x)


def softplus(x: ArrayLike) -> Floats:
    r"""Soft version of the larger of x and 0, :math:`\log(1 + e^x)`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers of any size; nothing overflows.

    Returns
    -------
    ndarray, shape (...)
        Positive; between max(x, 0) and that plus log 2.

    Notes
    -----
    The cross-entropy in nats of an outcome that was given the log-odds −x.

    Examples
    --------
    >>> from primer_ref.activations import softplus
    >>> print(softplus([-1.0, 0.0, 1000.0]).round(4))
    [3.133e-01 6.931e-01 1.000e+03]
    """
    value: Floats = np.logaddexp(as_floats(x), 0)
    return value


def softplus_derivative(x: ArrayLike) -> Floats:
    r"""Differentiate `softplus`: the `sigmoid`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        In [0, 1].

    Examples
    --------
    >>> from primer_ref.activations import softplus_derivative
    >>> print(softplus_derivative([0.0, 1.0]).round(4))
    [0.5    0.7311]
    """
    return sigmoid(x)


def relu(x: ArrayLike) -> Floats:
    r"""Rectified linear unit, :math:`\max(x, 0)`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        The positive part.

    Notes
    -----
    Implements :eq:`eq-relu`.

    With weights of variance 2 over the number of inputs, a layer keeps the mean square of what
    comes in: half of a symmetric distribution's mean square lies above 0.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun (2015), Delving Deep into Rectifiers: Surpassing Human-Level
    Performance on ImageNet Classification.

    Examples
    --------
    >>> from primer_ref.activations import relu
    >>> print(relu([-1.0, 0.0, 2.0]))
    [0. 0. 2.]
    """
    x = as_floats(x)
    value: Floats = np.where(x <= 0, 0, x)  # NaN stays NaN, and the slope at 0 is 0
    return value


def relu_derivative(x: ArrayLike) -> Floats:
    """Differentiate `relu`, the unit step.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        1 above 0, else 0; at 0 itself, where there is no derivative, 0 by convention.

    Examples
    --------
    >>> from primer_ref.activations import relu_derivative
    >>> print(relu_derivative([-1.0, 0.0, 2.0]))
    [0. 0. 1.]
    """
    x = as_floats(x)
    return (x > 0).astype(x.dtype)


@differentiable(lambda g, _, x: g * 2 / math.sqrt(math.pi) * np.exp(-x * x))
def erf(x: ArrayLike) -> Floats:
    r"""Error function, :math:`\tfrac{2}{\sqrt\pi}\int_0^x e^{-t^2}\,\mathrm{d}t`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        In [−1, 1].

    Notes
    -----
    NumPy has none; Python's own is called once an entry, at the cost of several exponentials.

    Examples
    --------
    >>> from primer_ref.activations import erf
    >>> print(erf([0.0, 1.0]).round(6))
    [0.       0.842701]
    """
    x = as_floats(x)
    values = np.fromiter(map(math.erf, x.ravel().tolist()), x.dtype, x.size)
    return values.reshape(x.shape)


def gelu(x: ArrayLike) -> Floats:
    r"""Gaussian error linear unit, :math:`x\,\Phi(x) = \tfrac{x}{2}(1 + \erf(x/\sqrt2))`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        Near x far above 0, near 0 far below; never below −0.1700.

    Notes
    -----
    Implements :eq:`eq-gelu`.

    Checkpoints differ in whether they were trained with this or with `gelu_tanh`: use theirs.

    References
    ----------
    D. Hendrycks and K. Gimpel (2016), Gaussian Error Linear Units (GELUs).

    Examples
    --------
    >>> from primer_ref.activations import gelu
    >>> print(gelu([-1.0, 0.0, 1.0]).round(4))
    [-0.1587  0.      0.8413]
    """
    x = as_floats(x)
    return x * (1 + erf(x / math.sqrt(2))) / 2


def gelu_derivative(x: ArrayLike) -> Floats:
    r"""Differentiate `gelu`, :math:`\Phi(x) + x\,\varphi(x)`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        From −0.1289 to 1.1289; 1/2 at 0.

    Notes
    -----
    Implements :eq:`eq-gelu-derivative`.

    Examples
    --------
    >>> from primer_ref.activations import gelu_derivative
    >>> print(gelu_derivative([-1.0, 0.0, 1.0]).round(4))
    [-0.0833  0.5     1.0833]
    """
    x = as_floats(x)
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return (1 + erf(x / math.sqrt(2))) / 2 + x * density


def _tanh_argument(x: Floats) -> Floats:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)


def gelu_tanh(x: ArrayLike) -> Floats:
    r"""GELU with a hyperbolic tangent in the place of the error function.

    It is :math:`\tfrac{x}{2}\bigl(1 + \tanh(\sqrt{2/\pi}\,(x + 0.044715\,x^3))\bigr)`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        Within 4.74e-4 of `gelu`; the gap is largest near ±2.70.

    Notes
    -----
    Implements :eq:`eq-gelu-tanh`.

    References
    ----------
    D. Hendrycks and K. Gimpel (2016), Gaussian Error Linear Units (GELUs).

    Examples
    --------
    >>> from primer_ref.activations import gelu_tanh
    >>> print(gelu_tanh([-1.0, 0.0, 1.0]).round(4))
    [-0.1588  0.      0.8412]
    """
    x = as_floats(x)
    value: Floats = x * (1 + np.tanh(_tanh_argument(x))) / 2
    return value


def gelu_tanh_derivative(x: ArrayLike) -> Floats:
    r"""Differentiate `gelu_tanh`, :math:`\tfrac12(1 + t) + \tfrac{x}{2}(1 - t^2)\,u'`.

    Here t is the tangent in it, and u the cubic that the tangent is taken of.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        1/2 at 0.

    Examples
    --------
    >>> from primer_ref.activations import gelu_tanh_derivative
    >>> print(gelu_tanh_derivative([-1.0, 0.0, 1.0]).round(4))
    [-0.083  0.5    1.083]
    """
    x = as_floats(x)
    t = np.tanh(_tanh_argument(x))
    slope = math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)
    value: Floats = (1 + t) / 2 + x * (1 - t * t) * slope / 2
    return value


@differentiable(lambda g, _, x: g * silu_derivative(x))
def silu(x: ArrayLike) -> Floats:
    r"""Sigmoid linear unit, :math:`x\,\sigma(x) = x / (1 + e^{-x})`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers of any size; nothing overflows.

    Returns
    -------
    ndarray, shape (...)
        0 at 0, near x far above it and near 0 far below; never below −0.2785.

    Notes
    -----
    Implements :eq:`eq-silu`.

    References
    ----------
    D. Hendrycks and K. Gimpel (2016), Gaussian Error Linear Units (GELUs), for the name.
    S. Elfwing, E. Uchibe and K. Doya (2018), Sigmoid-Weighted Linear Units for Neural Network
    Function Approximation in Reinforcement Learning.

    Examples
    --------
    >>> from primer_ref.activations import silu
    >>> print(silu([-1.0, 0.0, 1.0, 10.0]).round(3))
    [-0.269  0.     0.731 10.   ]
    """
    x = as_floats(x)
    # As in the logistic function, the exponential never overflows.
    e = np.exp(-np.abs(x))
    value: Floats = x * np.where(x >= 0, 1, e) / (1 + e)
    return value


def silu_derivative(x: ArrayLike) -> Floats:
    r"""Differentiate `silu`, :math:`\sigma(x)\,\bigl(1 + x\,(1 - \sigma(x))\bigr)`.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        From −0.0998 to 1.0998; 1/2 at 0.

    Notes
    -----
    Implements :eq:`eq-silu-derivative`.

    Examples
    --------
    >>> from primer_ref.activations import silu_derivative
    >>> print(silu_derivative([-1.0, 0.0, 1.0]).round(4))
    [0.0723 0.5    0.9277]
    """
    x = as_floats(x)
    s = sigmoid(x)
    return s * (1 + x * (1 - s))


# λ and α of SELU: standard normal input z shall give output of mean 0 and variance 1. With
# E[e^(kz); z < 0] = e^(k²/2) Φ(−k), those are one equation for α, then one for λ.
_M0, _M1, _M2 = (math.exp(k * k / 2) * math.erfc(k / math.sqrt(2)) / 2 for k in range(3))
SELU_ALPHA = 1 / math.sqrt(2 * math.pi) / (_M0 - _M1)
SELU_SCALE = 1 / math.sqrt(1 / 2 + SELU_ALPHA**2 * (_M2 - 2 * _M1 + _M0))


def selu(x: ArrayLike) -> Floats:
    r"""Scaled exponential linear unit: a line above 0, an exponential below.

    It is :math:`\lambda x` for x > 0, and :math:`\lambda\alpha(e^x - 1)` elsewhere.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        Above −λα = −1.7581.

    Notes
    -----
    Implements :eq:`eq-selu`.

    λ and α are such that standard normal input gives output of mean 0 and variance 1 again.

    References
    ----------
    G. Klambauer, T. Unterthiner, A. Mayr and S. Hochreiter (2017), Self-Normalizing Neural
    Networks.

    Examples
    --------
    >>> from primer_ref.activations import selu
    >>> print(selu([-1.0, 0.0, 1.0]).round(4))
    [-1.1113  0.      1.0507]
    """
    x = as_floats(x)
    below = SELU_ALPHA * np.expm1(np.where(x > 0, 0, x))  # what is above could overflow
    value: Floats = SELU_SCALE * np.where(x > 0, x, below)
    return value


def selu_derivative(x: ArrayLike) -> Floats:
    r"""Differentiate `selu`, :math:`\lambda` above 0 and :math:`\lambda\alpha e^x` below.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.

    Returns
    -------
    ndarray, shape (...)
        At 0 itself, where the slopes from the two sides differ, that from below.

    Examples
    --------
    >>> from primer_ref.activations import selu_derivative
    >>> print(selu_derivative([-1.0, 0.0, 1.0]).round(4))
    [0.6468 1.7581 1.0507]
    """
    x = as_floats(x)
    value: Floats = SELU_SCALE * np.where(x > 0, 1, SELU_ALPHA * np.exp(np.where(x > 0, 0, x)))
    return value
