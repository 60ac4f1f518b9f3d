r"""Memorization and differential privacy: exposure, Gaussian noise, composition, private gradients.

A mechanism is (ε, δ)-differentially private when, for any two data sets that differ in one record
and any set of outcomes, the probability of the set under one is at most :math:`e^{\varepsilon}`
times that under the other, plus δ. It is ρ-zero-concentrated when the Rényi divergence of order α
between the two laws is at most ρα for every α > 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import (
    check_nonnegative,
    check_nonnegative_finite,
    check_positive_finite,
    check_share,
)
from primer_ref.functional import as_floats

__all__ = [
    "advanced_composition",
    "analytic_gaussian_sigma",
    "basic_composition",
    "clip_and_noise",
    "exposure",
    "gaussian_delta",
    "gaussian_mechanism_sigma",
    "gaussian_rho",
    "zcdp_epsilon",
]

Floats = NDArray[np.floating[Any]]


def exposure(losses: ArrayLike, secret: int) -> float:
    r"""Measure in bits how far a model narrows down a secret.

    Among the candidates R it is :math:`\log_2 \abs{R}` less the logarithm of the secret's rank.

    Parameters
    ----------
    losses : array_like, shape (R,)
        The model's loss on every string that the secret might have been, the secret's among them.
    secret : int
        Index of the secret.

    Returns
    -------
    float
        Bits: 0 when every other candidate is likelier, log₂ R when none is. A candidate as
        likely as the secret counts as ahead of it.

    Raises
    ------
    ValueError
        If a loss is NaN, there are none, or the index is out of range.

    Notes
    -----
    A secret drawn at random that the model has never seen has a uniform rank: its exposure
    reaches b bits with probability at most :math:`2^{-b}`.

    Implements :eq:`eq-exposure`.

    References
    ----------
    N. Carlini, C. Liu, Ú. Erlingsson, J. Kos and D. Song (2019), The Secret Sharer: Evaluating and
    Testing Unintended Memorization in Neural Networks.

    Examples
    --------
    >>> from primer_ref.privacy import exposure
    >>> losses = [9.0, 2.0, 7.0, 8.0]
    >>> [exposure(losses, secret) for secret in (1, 2, 0)]
    [2.0, 1.0, 0.0]
    """
    losses = as_floats(losses)
    if losses.ndim != 1 or np.any(np.isnan(losses)):
        raise ValueError(f"losses must be a row without NaN; got shape {losses.shape}")
    if not 0 <= secret < len(losses):
        raise ValueError(f"secret must be an index from 0 to {len(losses) - 1}; got {secret}")
    rank = int(np.count_nonzero(losses <= losses[secret]))
    return math.log2(len(losses)) - math.log2(rank)


def gaussian_mechanism_sigma(epsilon: float, delta: float, *, sensitivity: float = 1.0) -> float:
    r"""Noise that suffices by the classical bound.

    .. math:: \sigma = \frac{\Delta}{\varepsilon} \sqrt{2\log\frac{1.25}{\delta}}.

    Parameters
    ----------
    epsilon : float
        Privacy loss ε, in (0, 1].
    delta : float
        Probability δ with which the loss may be larger, in (0, 1).
    sensitivity : float
        Largest distance Δ between the query's values on data sets that differ in one record.

    Returns
    -------
    float
        Standard deviation of the noise on every coordinate.

    Raises
    ------
    ValueError
        If ε is not in (0, 1], δ not in (0, 1), or the sensitivity is not positive.

    Notes
    -----
    The theorem is stated for ε < 1, and by continuity holds at 1. Far above 1 the formula is
    false: it falls like 1/ε where the noise that is needed falls like :math:`1/\sqrt{\varepsilon}`;
    at δ = 1e-5 it breaks its promise from about ε = 8.4 on. `analytic_gaussian_sigma` has no such
    range and never needs more.

    Implements :eq:`eq-gaussian-sigma`.

    References
    ----------
    C. Dwork and A. Roth (2014), The Algorithmic Foundations of Differential Privacy, appendix A.

    Examples
    --------
    >>> from primer_ref.privacy import gaussian_mechanism_sigma
    >>> print(f"{gaussian_mechanism_sigma(1.0, 1e-5):.4f}")
    4.8448
    """
    if not 0 < epsilon <= 1:
        raise ValueError(f"epsilon must be in (0, 1] for the classical bound; got {epsilon}")
    check_share(delta, "delta")
    check_positive_finite(sensitivity, "sensitivity")
    return sensitivity * math.sqrt(2 * math.log(1.25 / delta)) / epsilon


def _log_normal_cdf(x: float) -> float:
    """Logarithm of the normal distribution function, also where that underflows."""
    if x > -30:
        return math.log(math.erfc(-x / math.sqrt(2)) / 2)
    # Leading terms of the asymptotic series; the next one is below 2e-10 here.
    series = math.log1p(-1 / x**2 + 3 / x**4 - 15 / x**6)
    return -x * x / 2 - math.log(-x * math.sqrt(2 * math.pi)) + series


def gaussian_delta(epsilon: float, *, sigma: float, sensitivity: float = 1.0) -> float:
    r"""Smallest δ for which Gaussian noise is (ε, δ)-private.

    .. math:: \delta(\varepsilon) =
        \Phi\left(\frac{\Delta}{2\sigma} - \frac{\varepsilon\sigma}{\Delta}\right)
        - e^{\varepsilon}\,
        \Phi\left(-\frac{\Delta}{2\sigma} - \frac{\varepsilon\sigma}{\Delta}\right).

    Parameters
    ----------
    epsilon : float
        Privacy loss ε, at least 0.
    sigma : float
        Standard deviation of the noise on every coordinate.
    sensitivity : float
        Largest distance Δ between the query's values on data sets that differ in one record.

    Returns
    -------
    float
        The exact δ, up to rounding.

    Raises
    ------
    ValueError
        If ε is negative, or ``sigma`` or the sensitivity is not positive.

    Notes
    -----
    Of two normal laws at distance Δ the likelihood ratio exceeds :math:`e^{\varepsilon}` on a half
    line; δ is how much more of the one than :math:`e^{\varepsilon}` times the other lies there. As
    a difference it is right to about 1e-16: of a δ as small as that few digits are.

    Implements :eq:`eq-gaussian-delta`.

    References
    ----------
    B. Balle and Y.-X. Wang (2018), Improving the Gaussian Mechanism for Differential Privacy:
    Analytical Calibration and Optimal Denoising.

    Examples
    --------
    >>> from primer_ref.privacy import gaussian_delta
    >>> print(f"{gaussian_delta(1.0, sigma=4.8448):.1e}")
    4.1e-08
    """
    check_nonnegative_finite(epsilon, "epsilon")
    check_positive_finite(sigma, "sigma")
    check_positive_finite(sensitivity, "sensitivity")
    half, shift = sensitivity / (2 * sigma), epsilon * sigma / sensitivity
    near, far = _log_normal_cdf(half - shift), _log_normal_cdf(-half - shift)
    return max(math.exp(near) - math.exp(epsilon + far), 0.0)


def analytic_gaussian_sigma(epsilon: float, delta: float, *, sensitivity: float = 1.0) -> float:
    """Least noise that makes the Gaussian mechanism (ε, δ)-private.

    Parameters
    ----------
    epsilon : float
        Privacy loss ε, at least 0.
    delta : float
        Probability δ with which the loss may be larger, in (0, 1).
    sensitivity : float
        Largest distance Δ between the query's values on data sets that differ in one record.

    Returns
    -------
    float
        Standard deviation of the noise at which `gaussian_delta` is δ.

    Raises
    ------
    ValueError
        If ε is negative, δ not in (0, 1), or the sensitivity is not positive.

    Notes
    -----
    δ falls as the noise grows, so the equation has one root, found by halving an interval. It is as
    exact as `gaussian_delta`: to 1e-6 at ε = 0 and δ = 1e-10, to a hundredth at δ = 1e-14.

    References
    ----------
    B. Balle and Y.-X. Wang (2018), Improving the Gaussian Mechanism for Differential Privacy:
    Analytical Calibration and Optimal Denoising.

    Examples
    --------
    >>> from primer_ref.privacy import analytic_gaussian_sigma
    >>> [round(analytic_gaussian_sigma(epsilon, 1e-5), 4) for epsilon in (0.5, 1.0, 8.0)]
    [7.0318, 3.7306, 0.6002]
    """
    check_share(delta, "delta")
    check_positive_finite(sensitivity, "sensitivity")
    low, high = 0.0, sensitivity
    while gaussian_delta(epsilon, sigma=high, sensitivity=sensitivity) > delta:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        private = gaussian_delta(epsilon, sigma=middle, sensitivity=sensitivity) <= delta
        low, high = (low, middle) if private else (middle, high)
    return high


def basic_composition(epsilons: Sequence[float], deltas: Sequence[float]) -> tuple[float, float]:
    r"""Add up the privacy losses of several steps, :math:`(\sum \varepsilon_i, \sum \delta_i)`.

    Parameters
    ----------
    epsilons : sequence of float
        Privacy loss of each step, at least 0.
    deltas : sequence of float
        Its δ, at least 0.

    Returns
    -------
    epsilon, delta : float
        What holds for all steps together, each of which may depend on the results before it.

    Raises
    ------
    ValueError
        If the two differ in number, or an entry is negative.

    Notes
    -----
    Implements :eq:`eq-basic-composition`.

    References
    ----------
    C. Dwork and A. Roth (2014), The Algorithmic Foundations of Differential Privacy, section 3.5.

    Examples
    --------
    >>> from primer_ref.privacy import basic_composition
    >>> basic_composition([0.5, 0.25], [0.0, 1e-6])
    (0.75, 1e-06)
    """
    if len(epsilons) != len(deltas):
        raise ValueError(
            f"there must be one delta an epsilon; got {len(deltas)} and {len(epsilons)}"
        )
    if not all(value >= 0 for value in (*epsilons, *deltas)):
        raise ValueError(f"epsilons and deltas must be at least 0; got {epsilons} and {deltas}")
    return math.fsum(epsilons), math.fsum(deltas)


def advanced_composition(
    epsilon: float, delta: float, *, n_steps: int, slack: float
) -> tuple[float, float]:
    r"""Bound the loss of k equal steps by its mean and fluctuation instead of its maximum.

    .. math:: \varepsilon' = \varepsilon\sqrt{2k\log(1/\delta')}
        + k\varepsilon(e^{\varepsilon} - 1), \qquad k\delta + \delta'.

    Parameters
    ----------
    epsilon : float
        Privacy loss ε of one step.
    delta : float
        Its δ, at least 0.
    n_steps : int
        Number of steps, k.
    slack : float
        Probability δ′ that is given up for the smaller ε′, in (0, 1).

    Returns
    -------
    epsilon, delta : float
        ε′ and the total δ. For many steps with small ε it grows like the root of their number;
        for few steps or a large ε `basic_composition` is the smaller bound.

    Raises
    ------
    ValueError
        If ε is not positive, δ negative, ``n_steps`` below 1 or the slack not in (0, 1).

    Notes
    -----
    Implements :eq:`eq-advanced-composition`.

    References
    ----------
    C. Dwork and A. Roth (2014), The Algorithmic Foundations of Differential Privacy, section 3.5.

    Examples
    --------
    >>> from primer_ref.privacy import advanced_composition
    >>> epsilon, delta = advanced_composition(0.01, 0.0, n_steps=10_000, slack=1e-5)
    >>> print(f"{epsilon:.2f} instead of 100, with delta {delta:.0e}")
    5.80 instead of 100, with delta 1e-05
    """
    check_positive_finite(epsilon, "epsilon")
    check_share(slack, "slack")
    check_nonnegative(delta, "delta")
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1; got {n_steps}")
    fluctuation = epsilon * math.sqrt(2 * n_steps * math.log(1 / slack))
    return fluctuation + n_steps * epsilon * math.expm1(epsilon), n_steps * delta + slack


def gaussian_rho(sigma: float, *, sensitivity: float = 1.0) -> float:
    r"""Concentrated privacy loss of Gaussian noise, :math:`\rho = \Delta^2 / (2\sigma^2)`.

    Parameters
    ----------
    sigma : float
        Standard deviation of the noise on every coordinate.
    sensitivity : float
        Largest distance Δ between the query's values on data sets that differ in one record.

    Returns
    -------
    float
        The least ρ for which the mechanism is ρ-zero-concentrated.

    Raises
    ------
    ValueError
        If ``sigma`` or the sensitivity is not positive.

    Notes
    -----
    The Rényi divergence of order α between :math:`\Normal(0, \sigma^2)` and
    :math:`\Normal(\Delta, \sigma^2)` is exactly :math:`\alpha\Delta^2/(2\sigma^2)`.

    Implements :eq:`eq-gaussian-rho`.

    References
    ----------
    M. Bun and T. Steinke (2016), Concentrated Differential Privacy: Simplifications, Extensions,
    and Lower Bounds.

    Examples
    --------
    >>> from primer_ref.privacy import gaussian_rho
    >>> gaussian_rho(10.0)
    0.005
    """
    check_positive_finite(sigma, "sigma")
    check_positive_finite(sensitivity, "sensitivity")
    return sensitivity**2 / (2 * sigma**2)


def zcdp_epsilon(rhos: ArrayLike, delta: float) -> float:
    r"""Privacy loss of concentrated steps together, :math:`\rho + 2\sqrt{\rho\log(1/\delta)}`.

    Parameters
    ----------
    rhos : array_like, shape (...)
        Concentrated loss of every step; together they have the sum of these as their ρ.
    delta : float
        Probability δ with which the loss may be larger, in (0, 1).

    Returns
    -------
    float
        An ε for which all steps together are (ε, δ)-private.

    Raises
    ------
    ValueError
        If a ρ is negative or NaN, or δ is not in (0, 1).

    Notes
    -----
    Rényi divergences add over independent steps, and over adaptive ones their bounds do: the
    accountant is a sum. The conversion is a tail bound, best over the order α, and not tight.

    Implements :eq:`eq-zcdp-epsilon`.

    References
    ----------
    M. Bun and T. Steinke (2016), Concentrated Differential Privacy: Simplifications, Extensions,
    and Lower Bounds.

    Examples
    --------
    >>> from primer_ref.privacy import gaussian_rho, zcdp_epsilon
    >>> print(f"{zcdp_epsilon([gaussian_rho(100.0)] * 10_000, 1e-5):.4f}")
    5.2985
    """
    rhos = as_floats(rhos)
    if not np.all(rhos >= 0):
        raise ValueError(f"rhos must be at least 0; got {rhos[~(rhos >= 0)][0]}")
    check_share(delta, "delta")
    rho = float(np.sum(rhos))
    return rho + 2 * math.sqrt(rho * math.log(1 / delta))


def clip_and_noise(
    gradients: ArrayLike, *, max_norm: float, noise_multiplier: float, rng: np.random.Generator
) -> Floats:
    r"""Average gradients of single examples privately: clip each, add noise to their sum.

    .. math:: \tilde g = \frac1B \left( \sum_i g_i \min\left(1, \frac{C}{\norm{g_i}}\right)
        + \sigma C z \right), \qquad z \sim \Normal(0, I).

    Parameters
    ----------
    gradients : array_like, shape (B, N)
        One gradient an example.
    max_norm : float
        Bound C on the norm of each: how far one example can move the sum.
    noise_multiplier : float
        Noise σ in units of C; 0 only clips.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (N,)
        The mean of the clipped gradients, with noise of standard deviation σC/B on every entry.

    Raises
    ------
    ValueError
        If the gradients are not a matrix of finite numbers, C is not positive and finite, or σ is
        negative or infinite.

    Notes
    -----
    Adding or removing one example moves the clipped sum by at most C, so one step over all
    examples is a Gaussian mechanism with :math:`\rho = 1/(2\sigma^2)`; B counts as public.
    Clipping biases the mean towards the small gradients, and the noise has a norm of about
    :math:`\sigma C \sqrt N / B`.

    Implements :eq:`eq-dp-sgd`.

    References
    ----------
    M. Abadi, A. Chu, I. Goodfellow, H. B. McMahan, I. Mironov, K. Talwar and L. Zhang (2016), Deep
    Learning with Differential Privacy.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.privacy import clip_and_noise
    >>> rng = np.random.default_rng(0)
    >>> print(clip_and_noise([[3.0, 4.0], [0.0, 0.5]], max_norm=1.0, noise_multiplier=0, rng=rng))
    [0.3  0.65]
    """
    gradients = as_floats(gradients)
    if gradients.ndim != 2 or len(gradients) == 0 or not np.all(np.isfinite(gradients)):
        raise ValueError(f"gradients must be finite rows; got shape {gradients.shape}")
    check_positive_finite(max_norm, "max_norm")
    check_nonnegative_finite(noise_multiplier, "noise_multiplier")
    norms = np.linalg.norm(gradients, axis=1, keepdims=True)
    clipped = gradients / np.maximum(1, norms / max_norm)
    noise = noise_multiplier * max_norm * rng.normal(size=gradients.shape[1])
    return np.asarray((np.sum(clipped, axis=0) + noise) / len(gradients))
