"""Softmax, its logarithm and its relatives: the functions that every layer is built from.

Scores may be −∞ (an outcome that is ruled out). A row in which everything is ruled out has no
softmax, and neither has a row with NaN or +∞ in it; such a row is an error, not a guess.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_positive_finite

__all__ = [
    "as_floats",
    "as_mask",
    "as_positive",
    "entropy_slope",
    "log_softmax",
    "logsumexp",
    "softmax",
    "softmax_jacobian",
    "softmax_vjp",
]

Floats = NDArray[np.floating[Any]]


def as_floats(x: ArrayLike, *, axes: int = 0) -> Floats:
    """Read an array in the precision to compute in: float32 stays, everything else is float64.

    Parameters
    ----------
    x : array_like
        Real numbers.
    axes : int
        At least so many axes it must have.

    Returns
    -------
    ndarray
        The array itself where it has that precision already, else a converted copy. An array of
        another kind that takes part in NumPy's dispatch, such as a tensor that records what is
        done with it, goes through as it is.

    Raises
    ------
    TypeError
        If the entries are not real numbers, or the array is a masked one.
    ValueError
        If it has fewer axes.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.functional import as_floats
    >>> print(as_floats([1, 2]).dtype, as_floats(np.ones(2, np.float32)).dtype)
    float64 float32
    """
    if isinstance(x, np.ndarray) or not hasattr(x, "__array_function__"):
        x = _plain_floats(x)
    x = cast("Floats", x)
    if x.ndim < axes:
        raise ValueError(f"an array must have {axes} or more axes here; got shape {x.shape}")
    return x


def _plain_floats(x: ArrayLike) -> Floats:
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError("an array must show all its numbers; got a masked one, use its .filled()")
    x = np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"an array must hold real numbers; got entries of type {x.dtype}")
    return x if x.dtype == np.float32 else x.astype(np.float64, copy=False)


def as_mask(mask: ArrayLike) -> Floats:
    """Read a mask to add to scores; truth values, which would hide nothing there, are refused.

    Parameters
    ----------
    mask : array_like
        0 shows, −∞ hides.

    Returns
    -------
    ndarray
        The mask, in float32 or float64.

    Raises
    ------
    TypeError
        If the entries are truth values, or no real numbers at all.

    Examples
    --------
    >>> from primer_ref.functional import as_mask
    >>> print(as_mask([0, 0]))
    [0. 0.]
    """
    read = mask if hasattr(mask, "dtype") else np.asarray(mask)  # one that records stays as it is
    if read.dtype == np.bool_:
        raise TypeError("a mask is added to scores, 0 to show and −∞ to hide; got truth values")
    return as_floats(mask)


def as_positive(x: ArrayLike, name: str) -> Floats:
    """Read an array of positive numbers as `as_floats` does, or say which one is not.

    Parameters
    ----------
    x : array_like
        Numbers above 0.
    name : str
        What the caller calls them; the message begins with it.

    Returns
    -------
    ndarray
        The numbers, in float32 or float64.

    Raises
    ------
    ValueError
        If an entry is 0, negative or NaN.

    Examples
    --------
    >>> from primer_ref.functional import as_positive
    >>> print(as_positive([1, 2], "sizes"))
    [1. 2.]
    """
    x = as_floats(x)
    bad = ~(x > 0)
    if np.any(bad):
        raise ValueError(f"{name} must be positive; got {x[bad][0]}")
    return x


def _below_top(s: ArrayLike, axis: int, temperature: float) -> Floats:
    """Scores less the largest of their row, over the temperature: at most 0, and 0 somewhere."""
    check_positive_finite(temperature, "temperature")
    s = as_floats(s)
    if s.ndim == 0 or s.shape[axis] == 0:
        raise ValueError(f"softmax needs at least one score; got shape {s.shape}")
    top = np.max(s, axis=axis, keepdims=True)
    # One look at the maxima finds all three: NaN and +∞ win a maximum, and −∞ wins only alone.
    if not np.all(np.isfinite(top)):
        bad = top[~np.isfinite(top)][0]
        raise ValueError(f"softmax needs a finite largest score in every row; got {bad}")
    with np.errstate(over="ignore"):  # a gap too large for the format is −∞: no weight
        below: Floats = (s - top) / temperature
    return below


def softmax(s: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> Floats:
    r"""Weights in proportion to exponentials, :math:`p_j = e^{s_j/\tau} / \sum_i e^{s_i/\tau}`.

    Parameters
    ----------
    s : array_like, shape (..., n, ...)
        Scores; −∞ gives weight 0.
    axis : int
        The axis along which weights sum to 1.
    temperature : float
        Temperature τ > 0: near 0 the largest score takes all, far above 1 all weights are alike.

    Returns
    -------
    ndarray, shape (..., n, ...)
        Weights in [0, 1], float32 for float32 scores, else float64.

    Raises
    ------
    ValueError
        If the temperature is not positive and finite, or a row's largest score is not finite:
        the row holds NaN or +∞, or nothing but −∞.

    Notes
    -----
    The largest score is subtracted first, which changes nothing in exact arithmetic and keeps the
    exponentials in (0, 1].

    Implements :eq:`eq-softmax`.

    Examples
    --------
    >>> from primer_ref.functional import softmax
    >>> print(softmax([2.0, 1.0, -1.0]).round(4))
    [0.7054 0.2595 0.0351]
    >>> print(softmax([2.0, 1.0, -1.0], temperature=0.25).round(4))
    [0.982 0.018 0.   ]
    """
    e = np.exp(_below_top(s, axis, temperature))
    p: Floats = e / np.sum(e, axis=axis, keepdims=True)
    return p


def log_softmax(s: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> Floats:
    r"""Logarithm of softmax, :math:`s_j/\tau - \lse(s/\tau)`.

    Accurate where `softmax` has rounded to 0.

    Parameters
    ----------
    s : array_like, shape (..., n, ...)
        Scores; −∞ gives −∞.
    axis : int
        The axis along which weights sum to 1.
    temperature : float
        Temperature τ > 0.

    Returns
    -------
    ndarray, shape (..., n, ...)
        Log-weights in nats, at most 0.

    Raises
    ------
    ValueError
        As for `softmax`.

    Notes
    -----
    Implements :eq:`eq-log-softmax`.

    Examples
    --------
    >>> from primer_ref.functional import log_softmax, softmax
    >>> print(softmax([0.0, -800.0]), log_softmax([0.0, -800.0]))
    [1. 0.] [   0. -800.]
    """
    z = _below_top(s, axis, temperature)
    log_p: Floats = z - np.log(np.sum(np.exp(z), axis=axis, keepdims=True))
    return log_p


def logsumexp(s: ArrayLike, *, axis: int = -1) -> Floats:
    r"""Logarithm of the sum of exponentials, :math:`\log\sum_j e^{s_j}`, without overflow.

    Parameters
    ----------
    s : array_like, shape (..., n, ...)
        Scores.
    axis : int
        The axis to sum over; it disappears.

    Returns
    -------
    ndarray, shape (...)
        At least the largest score, at most that plus log n. −∞ for a row of −∞; +∞ or NaN in a
        row goes through.

    Notes
    -----
    Implements :eq:`eq-lse`.

    Examples
    --------
    >>> from primer_ref.functional import logsumexp
    >>> print(f"{logsumexp([1000.0, 1000.0]):.4f}")
    1000.6931
    """
    s = as_floats(s)
    top = np.max(s, axis=axis, keepdims=True)
    # An infinite maximum is the answer already; subtracting it would give ∞ − ∞.
    shift = np.where(np.isinf(top), 0, top)
    with np.errstate(divide="ignore", over="ignore"):
        total = np.log(np.sum(np.exp(s - shift), axis=axis, keepdims=True))
    value: Floats = np.squeeze(shift + total, axis)
    return value


def softmax_jacobian(p: ArrayLike, *, temperature: float = 1.0) -> Floats:
    r"""Differentiate softmax at its value p, :math:`(\operatorname{diag}(p) - pp^\T)/\tau`.

    Parameters
    ----------
    p : array_like, shape (..., n)
        Weights, as `softmax` returned them.
    temperature : float
        The temperature τ that they were computed with.

    Returns
    -------
    ndarray, shape (..., n, n)
        Entry (i, j) is ∂p_i/∂s_j. Symmetric, positive semidefinite, rows sum to 0.

    Raises
    ------
    ValueError
        If the temperature is not positive and finite.

    Notes
    -----
    Implements :eq:`eq-softmax-jacobian`.

    Examples
    --------
    >>> from primer_ref.functional import softmax_jacobian
    >>> print(softmax_jacobian([0.5, 0.5, 0.0]))
    [[ 0.25 -0.25  0.  ]
     [-0.25  0.25  0.  ]
     [ 0.    0.    0.  ]]
    """
    check_positive_finite(temperature, "temperature")
    p = as_floats(p, axes=1)
    outer = p[..., :, None] * p[..., None, :]
    jacobian: Floats = (np.eye(p.shape[-1], dtype=p.dtype) * p[..., None, :] - outer) / temperature
    return jacobian


def softmax_vjp(p: ArrayLike, dp: ArrayLike, *, axis: int = -1, temperature: float = 1.0) -> Floats:
    r"""Gradient at the scores from the gradient at the weights, without forming the Jacobian.

    Each weight times how far its gradient lies above the weighted mean of the gradients.

    Parameters
    ----------
    p : array_like, shape (..., n, ...)
        Weights, as `softmax` returned them.
    dp : array_like, shape (..., n, ...)
        Gradient of a loss with respect to the weights.
    axis : int
        The axis along which weights sum to 1.
    temperature : float
        The temperature that they were computed with.

    Returns
    -------
    ndarray, shape (..., n, ...)
        Gradient of the loss with respect to the scores; it sums to 0, and is 0 where p is 0.

    Raises
    ------
    ValueError
        If the temperature is not positive and finite.

    Notes
    -----
    Costs of the order of n operations a row, where the Jacobian alone has n² entries.

    Implements :eq:`eq-softmax-vjp`.

    Examples
    --------
    >>> from primer_ref.functional import softmax_vjp
    >>> print(softmax_vjp([0.5, 0.25, 0.25], [1.0, 0.0, 0.0]))
    [ 0.25  -0.125 -0.125]
    """
    check_positive_finite(temperature, "temperature")
    p, dp = as_floats(p), as_floats(dp)
    ds: Floats = p * (dp - np.sum(p * dp, axis=axis, keepdims=True)) / temperature
    return ds


def entropy_slope(s: ArrayLike, *, temperature: float = 1.0) -> Floats:
    r"""Rate at which entropy grows with temperature, :math:`\Var_p(s)/\tau^3`.

    Parameters
    ----------
    s : array_like, shape (..., n)
        Scores; −∞ gives weight 0 and takes no part.
    temperature : float
        Temperature τ > 0.

    Returns
    -------
    ndarray, shape (...)
        dH/dτ in nats per unit of temperature, at least 0.

    Raises
    ------
    ValueError
        As for `softmax`.

    Notes
    -----
    Implements :eq:`eq-entropy-slope`.

    Examples
    --------
    >>> from primer_ref.functional import entropy_slope
    >>> print(f"{entropy_slope([2.0, 1.0, 0.5, -1.0]):.4f}")
    0.5337
    """
    p = softmax(s, temperature=temperature)
    # A score without weight has no say; left in, −∞ · 0 would be NaN.
    below = np.where(p > 0, _below_top(s, -1, temperature), 0)
    mean = np.sum(p * below, axis=-1, keepdims=True)
    slope: Floats = np.sum(p * (below - mean) ** 2, axis=-1) / temperature
    return slope
