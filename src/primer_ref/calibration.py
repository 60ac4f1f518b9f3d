"""Calibration: scores that reward honesty, reliability and its bias, temperature, conformal sets.

A forecast is calibrated when, among the cases to which it gives probability p, a share p comes
true. That says nothing of accuracy: the constant forecast of the base rate is calibrated too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_share
from primer_ref.functional import as_floats, log_softmax, softmax
from primer_ref.information import distribution, probabilities

__all__ = [
    "Bins",
    "BrierParts",
    "brier_decomposition",
    "brier_score",
    "calibration_error",
    "conformal_sets",
    "conformal_threshold",
    "debiased_square_error",
    "equal_mass_bins",
    "equal_width_bins",
    "expected_error_if_calibrated",
    "fit_temperature",
    "log_score",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Forecasts gathered by how confident they are; bins without forecasts are left out.

    Attributes
    ----------
    counts : ndarray of int64, shape (B,)
        Number of forecasts in each bin.
    confidence : ndarray of float64, shape (B,)
        Their mean confidence.
    accuracy : ndarray of float64, shape (B,)
        The share of them that came true.
    """

    counts: Ints
    confidence: Floats
    accuracy: Floats


@dataclass(frozen=True, slots=True)
class BrierParts:
    """Murphy's parts of the Brier score, which is reliability − resolution + uncertainty.

    Attributes
    ----------
    reliability : float
        Mean squared distance of forecasts from the share that came true after them; 0 if
        calibrated.
    resolution : float
        Variance of those shares: how far the forecasts tell cases apart.
    uncertainty : float
        Variance of the outcome: what a forecaster of the base rate scores.
    """

    reliability: float
    resolution: float
    uncertainty: float


def _pairs(confidence: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    """Read confidences in [0, 1] and outcomes 0 or 1, one to one."""
    p = probabilities(confidence, "confidence").astype(np.float64)
    y = as_floats(correct).astype(np.float64)
    if p.ndim != 1 or p.shape != y.shape or not p.size:
        raise ValueError(
            "every confidence needs one outcome, and there must be at least one; "
            f"got {p.shape} and {y.shape}"
        )
    bad = ~((y == 0) | (y == 1))
    if np.any(bad):
        raise ValueError(f"an outcome must be 0 or 1; got {y[bad][0]}")
    return p, y


def _targets(n_rows: int, n_classes: int, targets: ArrayLike) -> Ints:
    numbers = np.asarray(targets)
    if numbers.shape != (n_rows,) or n_rows == 0 or numbers.dtype.kind not in "iu":
        raise ValueError(
            f"targets must be one whole number a row; got shape {numbers.shape} of "
            f"{numbers.dtype} for {n_rows} rows"
        )
    bad = (numbers < 0) | (numbers >= n_classes)
    if np.any(bad):
        raise ValueError(f"targets must be from 0 to {n_classes - 1}; got {numbers[bad][0]}")
    return numbers.astype(np.int64)


def _forecasts(p: ArrayLike, targets: ArrayLike) -> tuple[Floats, Ints]:
    """Read rows that are distributions, and the outcome of each."""
    p = distribution(p)
    if p.ndim != 2 or 0 in p.shape:
        raise ValueError(f"p must have a row a case and a column an outcome; got shape {p.shape}")
    return p, _targets(len(p), p.shape[-1], targets)


def log_score(p: ArrayLike, targets: ArrayLike) -> float:
    r"""Mean surprisal of what came, :math:`-\tfrac1n \sum_i \log p_{i, y_i}`.

    Parameters
    ----------
    p : array_like, shape (n, V)
        Forecasts, a distribution a row.
    targets : array_like of int, shape (n,)
        What came, from 0 to V − 1.

    Returns
    -------
    float
        Nats; infinite if something came that was ruled out. Lower is better.

    Raises
    ------
    ValueError
        If a row is not a distribution or a target is out of range.

    Notes
    -----
    Implements :eq:`eq-log-score`.

    Strictly proper: :math:`\sum_y q_y (-\log p_y)` is smallest at p = q, by Gibbs' inequality.

    Examples
    --------
    >>> from primer_ref.calibration import log_score
    >>> print(f"{log_score([[0.5, 0.5], [0.9, 0.1]], [0, 0]):.4f}")
    0.3993
    """
    p, targets = _forecasts(p, targets)
    with np.errstate(divide="ignore"):
        return 0.0 - float(np.mean(np.log(p[np.arange(len(p)), targets])))  # 0, not −0


def brier_score(p: ArrayLike, targets: ArrayLike) -> float:
    r"""Mean squared distance from the corners of the simplex, :math:`\norm{p_i - e_{y_i}}^2`.

    Parameters
    ----------
    p : array_like, shape (n, V)
        Forecasts, a distribution a row.
    targets : array_like of int, shape (n,)
        What came, from 0 to V − 1.

    Returns
    -------
    float
        From 0 to 2; lower is better. With two outcomes it is twice the score of the probability
        of one of them.

    Raises
    ------
    ValueError
        If a row is not a distribution or a target is out of range.

    Notes
    -----
    Implements :eq:`eq-brier-score`.

    Strictly proper: in the mean over y from q it is :math:`\norm{p - q}^2 + 1 - \norm{q}^2`.

    References
    ----------
    G. W. Brier (1950), Verification of Forecasts Expressed in Terms of Probability.

    Examples
    --------
    >>> from primer_ref.calibration import brier_score
    >>> print(f"{brier_score([[0.5, 0.5], [0.9, 0.1]], [0, 0]):.4f}")
    0.2600
    """
    p, targets = _forecasts(p, targets)
    own = p[np.arange(len(p)), targets]
    return float(np.mean(np.sum(p * p, axis=-1) - 2 * own + 1))


def brier_decomposition(confidence: ArrayLike, correct: ArrayLike) -> BrierParts:
    r"""Split the Brier score of one outcome into what calibration and discrimination add.

    .. math:: \tfrac1n \sum_i (p_i - y_i)^2
        = \sum_k \tfrac{n_k}{n} (p_k - \bar y_k)^2
        - \sum_k \tfrac{n_k}{n} (\bar y_k - \bar y)^2 + \bar y (1 - \bar y)

    Parameters
    ----------
    confidence : array_like, shape (n,)
        Forecast probabilities of the outcome.
    correct : array_like, shape (n,)
        1 where it came, else 0.

    Returns
    -------
    BrierParts
        The three parts. The sums run over the distinct forecasts: with bins instead, the identity
        would not be exact.

    Raises
    ------
    ValueError
        If the lengths differ, a confidence is not in [0, 1] or an outcome neither 0 nor 1.

    Notes
    -----
    Implements :eq:`eq-brier-parts`.

    References
    ----------
    A. H. Murphy (1973), A New Vector Partition of the Probability Score.

    Examples
    --------
    >>> from primer_ref.calibration import brier_decomposition
    >>> parts = brier_decomposition([0.2, 0.2, 0.7, 0.7], [0, 1, 1, 1])
    >>> print(f"{parts.reliability:.4f} − {parts.resolution:.4f} + {parts.uncertainty:.4f}")
    0.0900 − 0.0625 + 0.1875
    """
    p, y = _pairs(confidence, correct)
    forecasts, member, counts = np.unique(p, return_inverse=True, return_counts=True)
    came = np.bincount(member, weights=y) / counts
    weight, base = counts / len(p), np.mean(y)
    return BrierParts(
        reliability=float(weight @ (forecasts - came) ** 2),
        resolution=float(weight @ (came - base) ** 2),
        uncertainty=float(base * (1 - base)),
    )


def _gather(p: Floats, y: Floats, member: Ints) -> Bins:
    """Count and average what falls into each numbered bin."""
    counts = np.bincount(member)
    used = counts > 0
    confidence = np.bincount(member, weights=p)[used] / counts[used]
    accuracy = np.bincount(member, weights=y)[used] / counts[used]
    return Bins(counts[used], confidence, accuracy)


def equal_width_bins(confidence: ArrayLike, correct: ArrayLike, *, n_bins: int) -> Bins:
    """Gather forecasts in bins of equal width.

    Parameters
    ----------
    confidence : array_like, shape (n,)
        Confidences in [0, 1].
    correct : array_like, shape (n,)
        1 where the forecast came true, else 0.
    n_bins : int
        Number of bins; bin b holds confidences from b/n_bins up to, not including, the next; the
        last one holds 1 too.

    Returns
    -------
    Bins
        The bins that hold something.

    Raises
    ------
    ValueError
        If the lengths differ, a value is out of range, or there is no bin.

    Examples
    --------
    >>> from primer_ref.calibration import equal_width_bins
    >>> bins = equal_width_bins([0.1, 0.3, 0.9, 1.0], [0, 1, 1, 1], n_bins=2)
    >>> print(bins.counts, bins.confidence, bins.accuracy)
    [2 2] [0.2  0.95] [0.5 1. ]
    """
    p, y = _pairs(confidence, correct)
    _check_bins(n_bins)
    edges = np.arange(1, n_bins) / n_bins
    return _gather(p, y, np.searchsorted(edges, p, side="right"))


def equal_mass_bins(confidence: ArrayLike, correct: ArrayLike, *, n_bins: int) -> Bins:
    """Gather forecasts in bins of equally many, from the least confident to the most.

    Parameters
    ----------
    confidence : array_like, shape (n,)
        Confidences in [0, 1].
    correct : array_like, shape (n,)
        1 where the forecast came true, else 0.
    n_bins : int
        Number of bins; their sizes differ by at most one.

    Returns
    -------
    Bins
        The bins that hold something. Ties are cut in the order given, so where confidences repeat,
        shuffle the cases first: an order that knows the outcomes shows gaps that are none.

    Raises
    ------
    ValueError
        If the lengths differ, a value is out of range, or there is no bin.

    Examples
    --------
    >>> from primer_ref.calibration import equal_mass_bins
    >>> bins = equal_mass_bins([0.1, 0.8, 0.9, 1.0], [0, 1, 1, 1], n_bins=2)
    >>> print(bins.counts, bins.confidence, bins.accuracy)
    [2 2] [0.45 0.95] [0.5 1. ]
    """
    p, y = _pairs(confidence, correct)
    _check_bins(n_bins)
    member = np.empty(len(p), np.int64)
    member[np.argsort(p, kind="stable")] = np.arange(len(p)) * n_bins // len(p)
    return _gather(p, y, member)


def _check_bins(n_bins: int) -> None:
    if n_bins < 1:
        raise ValueError(f"n_bins must be at least 1; got {n_bins}")


def calibration_error(bins: Bins, *, order: float = 1) -> float:
    r"""Average the gaps between confidence and accuracy, :math:`\sum_b \tfrac{n_b}{n} |a_b - c_b|`.

    Parameters
    ----------
    bins : Bins
        Forecasts, gathered.
    order : float
        Exponent of the gaps, whose mean's root is taken: 1 for the expected calibration error,
        ``inf`` for the largest gap.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        If the order is below 1.

    Notes
    -----
    Implements :eq:`eq-calibration-error`.

    A *biased* estimate: a finite bin of calibrated forecasts shows a gap too, and absolute values
    do not cancel. See `expected_error_if_calibrated`.

    References
    ----------
    M. P. Naeini, G. F. Cooper and M. Hauskrecht (2015), Obtaining Well Calibrated Probabilities
    Using Bayesian Binning. C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (2017), On Calibration
    of Modern Neural Networks.

    Examples
    --------
    >>> from primer_ref.calibration import calibration_error, equal_width_bins
    >>> bins = equal_width_bins([0.25, 0.25, 0.55, 0.75, 0.75], [0, 0, 1, 1, 1], n_bins=2)
    >>> print(f"{calibration_error(bins):.4f}")
    0.2900
    """
    if not order >= 1:
        raise ValueError(f"order must be at least 1; got {order}")
    gaps = np.abs(bins.accuracy - bins.confidence)
    largest = float(np.max(gaps))
    if order == math.inf or largest == 0:
        return largest
    weight = bins.counts / np.sum(bins.counts)
    # Over the largest gap: high powers of small gaps would all be rounded to 0.
    return largest * math.pow(weight @ (gaps / largest) ** order, 1 / order)


def expected_error_if_calibrated(bins: Bins) -> float:
    r"""Find what the expected calibration error of a calibrated forecaster is, for lack of data.

    .. math:: \sum_b \tfrac{n_b}{n} \sqrt{\tfrac{2 c_b (1 - c_b)}{\pi n_b}}

    Parameters
    ----------
    bins : Bins
        Forecasts, gathered; their accuracy is not looked at.

    Returns
    -------
    float
        The mean of `calibration_error`, in the normal approximation.

    Notes
    -----
    Implements :eq:`eq-calibration-bias`.

    In a bin of :math:`n_b` calibrated forecasts of about :math:`c_b` the gap is nearly normal with
    mean 0 and variance :math:`c_b(1-c_b)/n_b`, and a normal variable's mean absolute value is
    :math:`\sqrt{2/\pi}` of its standard deviation. With B equal bins it grows like
    :math:`\sqrt{B/n}`: finer bins make a good model look worse.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.calibration import Bins, expected_error_if_calibrated
    >>> center = (np.arange(15) + 0.5) / 15
    >>> bins = Bins(np.full(15, 200 // 15), center, center)
    >>> print(f"{expected_error_if_calibrated(bins):.3f}")
    0.087
    """
    spread = bins.confidence * (1 - bins.confidence) / bins.counts
    weight = bins.counts / np.sum(bins.counts)
    return float(weight @ np.sqrt(2 * spread / math.pi))


def debiased_square_error(bins: Bins) -> float:
    r"""Square of the calibration error of order 2, less what chance adds to it.

    .. math:: \sum_b \tfrac{n_b}{n} \Bigl[(a_b - c_b)^2 - \tfrac{a_b(1 - a_b)}{n_b - 1}\Bigr]

    Parameters
    ----------
    bins : Bins
        Forecasts, gathered.

    Returns
    -------
    float
        Its mean is the squared error of the binned forecasts where all forecasts of a bin are
        alike; it may be negative, and is not clipped.

    Raises
    ------
    ValueError
        If a bin holds a single forecast: its variance cannot be estimated.

    Notes
    -----
    Implements :eq:`eq-debiased-error`.

    :math:`a_b(1-a_b)/(n_b-1)` estimates the variance of :math:`a_b` without bias.

    References
    ----------
    A. Kumar, P. Liang and T. Ma (2019), Verified Uncertainty Calibration.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.calibration import Bins, debiased_square_error
    >>> bins = Bins(np.array([11]), np.array([0.5]), np.array([0.6]))
    >>> print(f"{debiased_square_error(bins):.4f}")
    -0.0140
    """
    if np.any(bins.counts < 2):
        raise ValueError("every bin must hold at least two forecasts; got one with 1")
    noise = bins.accuracy * (1 - bins.accuracy) / (bins.counts - 1)
    weight = bins.counts / np.sum(bins.counts)
    return float(weight @ ((bins.accuracy - bins.confidence) ** 2 - noise))


def fit_temperature(logits: ArrayLike, targets: ArrayLike) -> float:
    r"""Find the temperature under which the outcomes are likeliest.

    Parameters
    ----------
    logits : array_like, shape (n, V)
        Scores in nats, a row a case.
    targets : array_like of int, shape (n,)
        What came, from 0 to V − 1.

    Returns
    -------
    float
        The τ > 0 that minimizes the mean loss of softmax(logits / τ).

    Raises
    ------
    ValueError
        If a target is out of range, or the loss has no minimum: every outcome had the highest
        score (τ → 0), or the scores do no better than chance (τ → ∞).

    Notes
    -----
    Implements :eq:`eq-fit-temperature`.

    The loss is convex in β = 1/τ: its slope is :math:`\E_p[z] - z_y` and its curvature
    :math:`\Var_p(z) \ge 0`, averaged over the cases. The slope is bisected. Dividing a row by a
    positive number keeps its largest entry, so no answer changes.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (2017), On Calibration of Modern Neural Networks.

    Examples
    --------
    Right three times in four, but as sure as 9 in 10:

    >>> import numpy as np
    >>> from primer_ref.calibration import fit_temperature
    >>> z = np.log(9) * np.array([[1, 0], [1, 0], [1, 0], [1, 0]])
    >>> print(f"{fit_temperature(z, [0, 0, 0, 1]):.4f}")  # log 9 / log 3
    2.0000
    """
    z = as_floats(logits).astype(np.float64)
    if z.ndim != 2 or not np.all(np.isfinite(z)):
        raise ValueError(f"logits must be finite, a row a case; got shape {z.shape}")
    y = _targets(len(z), z.shape[-1], targets)
    rounding = 16 * np.finfo(np.float64).eps * np.max(np.abs(z))
    z = z - z[np.arange(len(z)), y][:, None]  # the outcome's score is 0

    def slope(beta: float) -> float:
        return float(np.mean(np.sum(softmax(beta * z) * z, axis=-1)))

    if np.all(z <= 0):
        raise ValueError("a temperature needs a mistake: every outcome had the highest score")
    if slope(0.0) >= -rounding:  # a rounded mean: chance may look a little better than chance
        raise ValueError("a temperature needs scores that do better than chance; these do not")
    high = 1.0
    while slope(high) < 0:
        high *= 2
    low = 0.0
    while low < (beta := (low + high) / 2) < high:
        low, high = (beta, high) if slope(beta) < 0 else (low, beta)
    return 1 / beta


def conformal_threshold(scores: ArrayLike, *, level: float) -> float:
    r"""Find the score that a new case exceeds with probability at most 1 − level.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Scores of cases whose outcome is known, the larger the stranger: for instance the surprisal
        of the outcome.
    level : float
        Coverage 1 − α wanted, in (0, 1).

    Returns
    -------
    float
        The :math:`\lceil (n+1)(1-\alpha) \rceil`-th smallest score; infinite if n is too small.

    Raises
    ------
    ValueError
        If there are no scores, one is NaN, or the level is not in (0, 1).

    Notes
    -----
    Implements :eq:`eq-conformal-threshold`.

    If the n known cases and the new one are exchangeable, the rank of the new score is uniform over
    1 to n + 1 (ties broken at random), so it is at most the threshold with probability at least
    the level, and below the level + 1/(n + 1) if there are no ties. Nothing is assumed of the
    model. The guarantee is an average over cases, not one for each.

    References
    ----------
    V. Vovk, A. Gammerman and G. Shafer (2005), Algorithmic Learning in a Random World.

    Examples
    --------
    >>> from primer_ref.calibration import conformal_threshold
    >>> conformal_threshold([3.0, 1.0, 2.0, 4.0], level=0.8)
    4.0
    """
    s = as_floats(scores)
    if s.ndim != 1 or not s.size or np.any(np.isnan(s)):
        raise ValueError(f"scores must be a row of numbers; got {s}")
    check_share(level, "level")
    # Rounded first: 10 · 0.9 must not become 9.000000000000002 and then 10.
    rank = max(1, math.ceil(round((len(s) + 1) * level, 9)))
    return float(np.sort(s)[rank - 1]) if rank <= len(s) else math.inf


def conformal_sets(logits: ArrayLike, threshold: float) -> Bools:
    r"""Keep the outcomes whose surprisal is at most a threshold.

    Parameters
    ----------
    logits : array_like, shape (n, V)
        Scores in nats, a row a case.
    threshold : float
        Largest surprisal in nats, as `conformal_threshold` found it among surprisals.

    Returns
    -------
    ndarray of bool, shape (n, V)
        Which outcomes each set holds; it may hold none or all.

    Raises
    ------
    ValueError
        If the threshold is NaN or a row has no softmax.

    Notes
    -----
    Implements :eq:`eq-conformal-set`.

    Examples
    --------
    >>> from primer_ref.calibration import conformal_sets
    >>> print(conformal_sets([[2.0, 1.5, -3.0], [9.0, 0.0, 0.0]], 1.0))
    [[ True  True False]
     [ True False False]]
    """
    if math.isnan(threshold):
        raise ValueError(f"threshold must be a number; got {threshold}")
    return -log_softmax(logits) <= threshold
