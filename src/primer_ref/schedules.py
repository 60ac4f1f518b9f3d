"""Learning rates over a run, and over batch sizes: schedules, noise scale, accumulation.

Steps are counted from 1; a schedule is a function of the number of the step, and of arrays of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_positive
from primer_ref.functional import as_floats
from primer_ref.trees import tree_map

__all__ = [
    "NoiseScale",
    "accumulate",
    "critical_batch_tokens",
    "gradient_noise_scale",
    "linear_rate",
    "square_root_rate",
    "warmup_cosine",
    "warmup_stable_decay",
]

Floats = NDArray[np.floating[Any]]
Tree = Any


# --- Over a run ------------------------------------------------------------------------------


def _check_schedule(step: ArrayLike, peak: float, floor: float, bounds: Sequence[int]) -> Floats:
    """Check that the phases follow one another, and that the steps are in them."""
    step = np.asarray(as_floats(step), np.float64)
    total = bounds[-1]
    if total < 1 or list(bounds) != sorted(bounds) or bounds[0] < 0:
        raise ValueError(f"phases must end one after another, the last at 1 or later; got {bounds}")
    if not 0 <= floor <= peak < math.inf:
        raise ValueError(f"rates must fulfill 0 <= floor <= peak; got {floor} and {peak}")
    if not np.all((step >= 0) & (step <= total)):
        raise ValueError(f"step must be from 0 to {total}; got {step}")
    return step


def warmup_cosine(
    step: ArrayLike, *, peak: float, warmup: int, total: int, floor: float = 0.0
) -> Floats:
    r"""Rise in a line to the peak, then fall along half a cosine.

    With W steps of warm-up of T steps in all,

    .. math:: \eta_t = \eta_{\max} \frac{t}{W} \ (t \le W), \qquad
        \eta_t = \eta_{\min} + \frac{\eta_{\max} - \eta_{\min}}{2}
        \left(1 + \cos \pi \frac{t - W}{T - W}\right) \ (t > W).

    Parameters
    ----------
    step : array_like
        Number of the step, t, from 1; 0 is before the first.
    peak : float
        Largest rate, reached at step W.
    warmup : int
        Steps of warm-up, W.
    total : int
        Steps of the run, T.
    floor : float
        Rate at step T.

    Returns
    -------
    ndarray
        Learning rates.

    Raises
    ------
    ValueError
        If a step is outside the run, the warm-up is longer than the run, or the rates are not
        0 ≤ floor ≤ peak.

    Notes
    -----
    Implements :eq:`eq-warmup-cosine`.

    References
    ----------
    I. Loshchilov and F. Hutter (2017), SGDR: Stochastic Gradient Descent with Warm Restarts.

    Examples
    --------
    >>> from primer_ref.schedules import warmup_cosine
    >>> print(warmup_cosine([1, 2, 4, 6, 8, 10], peak=1.0, warmup=4, total=10).round(3))
    [0.25 0.5  1.   0.75 0.25 0.  ]
    """
    step = _check_schedule(step, peak, floor, (warmup, total))
    fallen = np.maximum(step - warmup, 0) / max(total - warmup, 1)  # from 0 to 1
    after = floor + (peak - floor) / 2 * (1 + np.cos(np.pi * fallen))
    return np.where(step < warmup, peak * step / max(warmup, 1), after)


def warmup_stable_decay(
    step: ArrayLike, *, peak: float, warmup: int, stable: int, total: int, floor: float = 0.0
) -> Floats:
    r"""Rise in a line to the peak, stay there, and fall in a line at the end.

    With W steps of warm-up and a decay that begins after step S of T,

    .. math:: \eta_t = \eta_{\max} \frac{t}{W} \ (t \le W), \qquad
        \eta_t = \eta_{\max} \ (W < t \le S), \qquad
        \eta_t = \eta_{\max} - (\eta_{\max} - \eta_{\min}) \frac{t - S}{T - S} \ (t > S).

    Parameters
    ----------
    step : array_like
        Number of the step, t, from 1; 0 is before the first.
    peak : float
        Largest rate.
    warmup : int
        Steps of warm-up, W.
    stable : int
        Last step at the peak, S ≥ W.
    total : int
        Steps of the run, T.
    floor : float
        Rate at step T.

    Returns
    -------
    ndarray
        Learning rates.

    Raises
    ------
    ValueError
        If a step is outside the run, the phases do not follow one another, or the rates are not
        0 ≤ floor ≤ peak.

    Notes
    -----
    Until the decay, T takes no part: a run can be prolonged, or a decay be branched off from any
    of its checkpoints.

    Implements :eq:`eq-stable-decay`.

    References
    ----------
    S. Hu et al. (2024), MiniCPM: Unveiling the Potential of Small Language Models with Scalable
    Training Strategies. Their decay is exponential.

    Examples
    --------
    >>> from primer_ref.schedules import warmup_stable_decay
    >>> print(warmup_stable_decay([1, 2, 5, 8, 9, 10], peak=1.0, warmup=2, stable=8, total=10))
    [0.5 1.  1.  1.  0.5 0. ]
    """
    step = _check_schedule(step, peak, floor, (warmup, stable, total))
    fallen = np.maximum(step - stable, 0) / max(total - stable, 1)
    return np.where(step < warmup, peak * step / max(warmup, 1), peak - (peak - floor) * fallen)


# --- Over batch sizes ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoiseScale:
    r"""Estimates of signal and noise in gradients.

    Attributes
    ----------
    signal : float
        Squared norm of the true gradient, :math:`\norm{g}^2`; an estimate may fall below 0.
    noise : float
        Trace of the covariance of the gradient of one example, tr Σ; an estimate may fall below 0.

    Examples
    --------
    >>> from primer_ref.schedules import NoiseScale
    >>> NoiseScale(signal=0.5, noise=40.0).batch
    80.0
    """

    signal: float
    noise: float

    @property
    def batch(self) -> float:
        r"""Noise over signal, :math:`\operatorname{tr}\Sigma / \norm{g}^2`.

        Returns
        -------
        float
            Examples: the batch size at which noise and signal are equally strong.

        Raises
        ------
        ValueError
            If the estimate of the signal is not positive: more gradients are needed.

        Notes
        -----
        Implements :eq:`eq-noise-scale`.
        """
        if not self.signal > 0:
            raise ValueError(f"the estimate of the signal must be positive; got {self.signal}")
        return self.noise / self.signal


def gradient_noise_scale(
    small: ArrayLike, large: ArrayLike, *, n_small: int, n_large: int
) -> NoiseScale:
    r"""Estimate signal and noise from squared norms of gradients at two batch sizes.

    A mean over B examples has
    :math:`\E \norm{g_B}^2 = \norm{g}^2 + \operatorname{tr}\Sigma / B`; two batch sizes b < B give
    two equations for the two unknowns:

    .. math:: \norm{g}^2 \approx \frac{B \norm{g_B}^2 - b \norm{g_b}^2}{B - b}, \qquad
        \operatorname{tr}\Sigma \approx \frac{\norm{g_b}^2 - \norm{g_B}^2}{1/b - 1/B}.

    Parameters
    ----------
    small, large : array_like
        Squared norms of one or more gradients at each batch size; they are averaged.
    n_small, n_large : int
        The batch sizes, b and B, in examples.

    Returns
    -------
    NoiseScale
        Both estimates.

    Raises
    ------
    ValueError
        If the batch sizes are not 0 < b < B, or a squared norm is negative, NaN or missing.

    Notes
    -----
    Implements :eq:`eq-noise-estimates`.

    Both estimates are unbiased if examples are drawn independently; their ratio is not, so average
    many norms before dividing. That the ratio is a useful batch size supposes a Hessian near a
    multiple of the identity, and plain gradient descent.

    References
    ----------
    S. McCandlish, J. Kaplan, D. Amodei et al. (2018), An Empirical Model of Large-Batch Training,
    appendix A.1.

    Examples
    --------
    >>> from primer_ref.schedules import gradient_noise_scale
    >>> gradient_noise_scale([3.0], [1.5], n_small=1, n_large=4)
    NoiseScale(signal=1.0, noise=2.0)
    """
    if not 0 < n_small < n_large:
        raise ValueError(f"batch sizes must be 0 < n_small < n_large; got {n_small} and {n_large}")
    means = []
    for given in (small, large):
        norms = np.asarray(as_floats(given), np.float64)
        if not norms.size or not np.all(norms >= 0):
            raise ValueError(f"squared norms must be at least one, none negative; got {norms}")
        means.append(float(np.mean(norms)))
    at_small, at_large = means
    return NoiseScale(
        signal=(n_large * at_large - n_small * at_small) / (n_large - n_small),
        noise=(at_small - at_large) / (1 / n_small - 1 / n_large),
    )


def critical_batch_tokens(loss: float, *, scale: float = 2e8, exponent: float = 0.21) -> float:
    r"""Predict the critical batch size from the loss, :math:`B_* / L^{1/\alpha_B}`.

    Parameters
    ----------
    loss : float
        Loss L, in nats per token.
    scale : float
        Batch size at a loss of 1 nat, B\ :sub:`*`, in tokens.
    exponent : float
        Exponent α\ :sub:`B`.

    Returns
    -------
    float
        Tokens.

    Raises
    ------
    ValueError
        If an argument is not positive.

    Notes
    -----
    Implements :eq:`eq-critical-batch`.

    A fit to models trained on one corpus with one tokenizer; the constants are theirs. Their text
    rounds the scale to 2e8; a table of theirs gives 2.1e8.

    References
    ----------
    J. Kaplan et al. (2020), Scaling Laws for Neural Language Models, equation (1.4).

    Examples
    --------
    >>> from primer_ref.schedules import critical_batch_tokens
    >>> print(f"{critical_batch_tokens(3.0):.2e} {critical_batch_tokens(2.0):.2e}")
    1.07e+06 7.37e+06
    """
    check_positive(loss, "loss")
    check_positive(scale, "scale")
    check_positive(exponent, "exponent")
    tokens: float = scale / loss ** (1 / exponent)
    return tokens


def linear_rate(rate: float, *, batch: float, base: float) -> float:
    r"""Scale a learning rate with the batch, :math:`\eta B / B_0`.

    Parameters
    ----------
    rate : float
        Rate that suits the base.
    batch : float
        New batch size, B.
    base : float
        Batch size B₀ that the rate was found for.

    Returns
    -------
    float
        New rate.

    Raises
    ------
    ValueError
        If a batch size is not positive.

    Notes
    -----
    Implements :eq:`eq-linear-rate`.

    One step at B then moves as far as B/B₀ small steps do whose gradients hardly differ: a rule for
    plain gradient descent well below the critical batch size.

    References
    ----------
    P. Goyal et al. (2017), Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour.

    Examples
    --------
    >>> from primer_ref.schedules import linear_rate
    >>> linear_rate(0.1, batch=1024, base=256)
    0.4
    """
    check_positive(batch, "batch")
    check_positive(base, "base")
    return rate * batch / base


def square_root_rate(rate: float, *, batch: float, base: float) -> float:
    r"""Scale a learning rate with the root of the batch, :math:`\eta \sqrt{B / B_0}`.

    Parameters
    ----------
    rate : float
        Rate that suits the base.
    batch : float
        New batch size, B.
    base : float
        Batch size B₀ that the rate was found for.

    Returns
    -------
    float
        New rate.

    Raises
    ------
    ValueError
        If a batch size is not positive.

    Notes
    -----
    Implements :eq:`eq-root-rate`.

    The noise of a step has variance η² tr Σ / B: this rule keeps it. For Adam, whose steps have a
    size of their own, it keeps the variance that a given number of examples adds up to.

    References
    ----------
    A. Krizhevsky (2014), One Weird Trick for Parallelizing Convolutional Neural Networks.

    Examples
    --------
    >>> from primer_ref.schedules import square_root_rate
    >>> square_root_rate(0.1, batch=1024, base=256)
    0.2
    """
    check_positive(batch, "batch")
    check_positive(base, "base")
    return rate * math.sqrt(batch / base)


def accumulate(parts: Sequence[tuple[float, Tree, int]]) -> tuple[float, Tree]:
    r"""Put the losses and gradients of parts of a batch together, weighted by their tokens.

    .. math:: g = \sum_i \frac{n_i}{n} g_i, \qquad n = \sum_i n_i.

    Parameters
    ----------
    parts : sequence of tuple
        Of each part: mean loss, its gradient, and the number of tokens that the mean is over.

    Returns
    -------
    tuple
        Mean loss and gradient of the whole batch.

    Raises
    ------
    ValueError
        If there is no part, a number of tokens is not positive, or the trees differ in structure.

    Notes
    -----
    Implements :eq:`eq-token-weighted`.

    The plain mean of the parts' means is another number wherever the parts differ in length: it
    counts a token of a short part more than one of a long part.

    Examples
    --------
    >>> from primer_ref.schedules import accumulate
    >>> accumulate([(1.0, {"w": 4.0}, 30), (5.0, {"w": 0.0}, 10)])
    (2.0, {'w': 3.0})
    """
    counts = [count for _, _, count in parts]
    if not counts or not min(counts) > 0:
        raise ValueError(f"there must be parts, each of at least one token; got {counts}")
    shares = [float(count / sum(counts)) for count in counts]
    loss = sum(share * part for share, (part, _, _) in zip(shares, parts, strict=True))
    gradient = tree_map(
        lambda *gradients: sum(s * g for s, g in zip(shares, gradients, strict=True)),
        *(gradient for _, gradient, _ in parts),
    )
    return loss, gradient
