r"""Training in 16 bits: what vanishes, what overflows, and the remedies.

Three things can go wrong in a format of 16 bits. A gradient can be smaller than the smallest
number: the loss is scaled up. An update can be smaller than half the gap around its weight: a
master copy of the weights is kept in 32 bits. An exponential can overflow: the largest score is
subtracted first, which cures the overflow and does not make the result more accurate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative, check_positive_finite
from primer_ref.functional import as_floats
from primer_ref.numerics import FloatFormat, neighbors, round_to
from primer_ref.summation import naive_sum

__all__ = [
    "LossScale",
    "shifted_logsumexp",
    "shifted_softmax",
    "unshifted_logsumexp",
    "unshifted_softmax",
    "update_loss_scale",
    "vanishing_update",
]

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LossScale:
    """The factor that a loss is multiplied by before it is differentiated.

    Attributes
    ----------
    scale : float
        The factor; gradients are divided by it again in 32 bits.
    clean_steps : int
        Steps in a row without an overflow since the factor last changed.

    Raises
    ------
    ValueError
        If the factor is not positive and finite, or the number of steps is negative.

    Examples
    --------
    >>> from primer_ref.mixed_precision import LossScale
    >>> LossScale(2.0**16).clean_steps
    0
    """

    scale: float
    clean_steps: int = 0

    def __post_init__(self) -> None:
        check_positive_finite(self.scale, "scale")
        check_nonnegative(self.clean_steps, "clean_steps")


def update_loss_scale(
    state: LossScale,
    gradients: ArrayLike,
    *,
    growth: float = 2.0,
    backoff: float = 0.5,
    interval: int = 2000,
) -> LossScale:
    """Halve the scale where gradients overflowed; double it after a long run without overflow.

    Parameters
    ----------
    state : LossScale
        The scale that the gradients were computed with.
    gradients : array_like, shape (...)
        Gradients of the scaled loss; where one is infinite or NaN the step must be left out.
    growth : float
        What the scale is multiplied by after ``interval`` clean steps, more than 1.
    backoff : float
        What it is multiplied by after an overflow, between 0 and 1.
    interval : int
        Clean steps before it grows.

    Returns
    -------
    LossScale
        The scale for the next step.

    Raises
    ------
    ValueError
        If a factor does not lie on its side of 1, or the interval is not positive.

    Notes
    -----
    Implements :eq:`eq-loss-scale`.

    The scale settles near the largest power of two under which gradients do not overflow; about
    one step in ``interval`` is lost to trying the next.

    References
    ----------
    P. Micikevicius et al. (2018), Mixed Precision Training.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.mixed_precision import LossScale, update_loss_scale
    >>> update_loss_scale(LossScale(65536.0, 7), [0.5, np.inf])
    LossScale(scale=32768.0, clean_steps=0)
    """
    if not (growth > 1 and 0 < backoff < 1):
        raise ValueError(
            f"growth must be above 1 and backoff between 0 and 1; got {growth} and {backoff}"
        )
    if interval < 1:
        raise ValueError(f"interval must be at least 1; got {interval}")
    if not np.all(np.isfinite(as_floats(gradients))):
        return LossScale(state.scale * backoff)
    if state.clean_steps + 1 < interval:
        return LossScale(state.scale, state.clean_steps + 1)
    return LossScale(state.scale * growth)


def vanishing_update(weight: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Find the size below which every update is lost: half the smaller gap around a weight.

    Parameters
    ----------
    weight : array_like, shape (...)
        Weights: finite numbers of the format.
    format : FloatFormat
        The format that weights are kept in.

    Returns
    -------
    ndarray, shape (...)
        What an update must reach so that the rounded sum can differ from the weight.

    Raises
    ------
    ValueError
        If a weight is not a finite number of the format.

    Notes
    -----
    Implements :eq:`eq-vanishing`.

    For normal weights it lies between u/2 and u times the weight. With a learning rate of
    :math:`10^{-4}` Adam changes a weight by about as much, so in bfloat16, where
    :math:`u = 2^{-8}`, all weights above :math:`2^{-5}` stand still. A master copy in 32 bits,
    where :math:`u = 2^{-24}`, gathers the updates; `primer_ref.summation.kahan_sum` and
    `primer_ref.numerics.stochastic_round` are ways without one.

    Examples
    --------
    >>> from primer_ref.mixed_precision import vanishing_update
    >>> from primer_ref.numerics import BF16
    >>> print(vanishing_update([1.0, 1.5], BF16))
    [0.00195312 0.00390625]
    """
    weight = np.asarray(as_floats(weight), np.float64)
    below, above = neighbors(weight, format)
    return np.asarray(np.fmin(weight - below, above - weight) / 2)


def unshifted_logsumexp(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Compute :math:`\log\sum_j e^{x_j}` as it is written, every operation rounded.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Scores; they are rounded first.
    format : FloatFormat
        The format of all operations.

    Returns
    -------
    ndarray, shape (...)
        The result in nats; infinite (NaN in a format without infinities) where an exponential or
        the sum overflows, −∞ where all exponentials underflow.

    Raises
    ------
    ValueError
        If there is no score.

    Notes
    -----
    Rounding the exponentials and their sum changes the sum by a factor within
    :math:`1 \pm \gamma_n`, so the logarithm by at most about nu, whatever the scores, as
    long as nothing over- or underflows; rounding the logarithm adds u times its size.

    References
    ----------
    P. Blanchard, D. J. Higham and N. J. Higham (2021), Accurately Computing the Log-Sum-Exp and
    Softmax Functions.

    Examples
    --------
    >>> from primer_ref.mixed_precision import unshifted_logsumexp
    >>> from primer_ref.numerics import FP16
    >>> print(unshifted_logsumexp([[1.0, 2.0], [11.0, 12.0]], FP16))
    [2.3125    inf]
    """
    with np.errstate(divide="ignore", over="ignore"):
        total = naive_sum(_exp(_scores(x, format)[0], format), format)
        return round_to(np.log(total), format)


def shifted_logsumexp(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Compute :math:`a + \log\sum_j e^{x_j - a}` with a the largest score, operations rounded.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Scores; they are rounded first.
    format : FloatFormat
        The format of all operations.

    Returns
    -------
    ndarray, shape (...)
        The result in nats; no exponential overflows.

    Raises
    ------
    ValueError
        If there is no score.

    Notes
    -----
    Implements :eq:`eq-shifted-lse`.

    The rounded differences :math:`x_j - a` add u times the spread of the scores to the error of
    `unshifted_logsumexp`, and the last sum rounds once more. Where a and the logarithm cancel, as
    for scores that are log-probabilities, the shift loses digits that the plain formula keeps.

    References
    ----------
    P. Blanchard, D. J. Higham and N. J. Higham (2021), Accurately Computing the Log-Sum-Exp and
    Softmax Functions.

    Examples
    --------
    >>> from primer_ref.mixed_precision import shifted_logsumexp
    >>> from primer_ref.numerics import FP16
    >>> print(shifted_logsumexp([[1.0, 2.0], [11.0, 12.0]], FP16))
    [ 2.3125 12.3125]
    """
    x, top = _scores(x, format)
    total = naive_sum(_exp(round_to(x - top, format), format), format)
    return round_to(top[..., 0] + round_to(np.log(total), format), format)


def unshifted_softmax(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Compute :math:`e^{x_j} / \sum_i e^{x_i}` as it is written, every operation rounded.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Scores; they are rounded first.
    format : FloatFormat
        The format of all operations.

    Returns
    -------
    ndarray, shape (..., n)
        Weights; NaN where an exponential overflows or all of them underflow, 0 where only their
        sum overflows.

    Raises
    ------
    ValueError
        If there is no score.

    Examples
    --------
    >>> from primer_ref.mixed_precision import unshifted_softmax
    >>> from primer_ref.numerics import FP16
    >>> print(unshifted_softmax([[1.0, 2.0], [11.0, 12.0]], FP16).round(4))
    [[0.269 0.731]
     [0.      nan]]
    """
    return _share(_exp(_scores(x, format)[0], format), format)


def shifted_softmax(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Compute :math:`e^{x_j - a} / \sum_i e^{x_i - a}` with a the largest score, rounded.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Scores; they are rounded first.
    format : FloatFormat
        The format of all operations.

    Returns
    -------
    ndarray, shape (..., n)
        Weights.

    Raises
    ------
    ValueError
        If there is no score.

    Notes
    -----
    Implements :eq:`eq-shifted-softmax`.

    Rounding a difference :math:`x_j - a` by a factor :math:`1 + \delta` multiplies its weight by
    about :math:`1 + \delta(x_j - a)`: an error that the unshifted formula does not make.

    Examples
    --------
    >>> from primer_ref.mixed_precision import shifted_softmax
    >>> from primer_ref.numerics import FP16
    >>> print(shifted_softmax([[1.0, 2.0], [11.0, 12.0]], FP16).round(4))
    [[0.2688 0.731 ]
     [0.2688 0.731 ]]
    """
    x, top = _scores(x, format)
    return _share(_exp(round_to(x - top, format), format), format)


def _scores(x: ArrayLike, format: FloatFormat) -> tuple[Doubles, Doubles]:
    """Round scores, and find the largest of each row."""
    x = round_to(x, format)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"softmax needs at least one score; got shape {x.shape}")
    return x, np.max(x, axis=-1, keepdims=True)


def _exp(x: Doubles, format: FloatFormat) -> Doubles:
    with np.errstate(over="ignore"):
        return round_to(np.exp(x), format)


def _share(e: Doubles, format: FloatFormat) -> Doubles:
    with np.errstate(invalid="ignore", divide="ignore"):
        return round_to(e / naive_sum(e, format)[..., None], format)
