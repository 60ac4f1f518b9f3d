"""Intervals: how far a measured score may be from the true one.

Scores are numbers, one a question; a score of right or wrong is 1 or 0. The questions are taken as
a random sample of those that could have been asked; where they come in groups, the groups are.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative, check_share
from primer_ref.functional import as_floats
from primer_ref.information import probabilities

__all__ = [
    "Estimate",
    "binomial",
    "bootstrap_interval",
    "clustered_standard_error",
    "coverage",
    "exact_interval",
    "finite_scores",
    "mean_interval",
    "normal_interval",
    "normal_quantile",
    "standard_error",
    "wilson_interval",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate with the interval around it.

    Attributes
    ----------
    value : float
        The estimate.
    low, high : float
        Ends of the interval.
    """

    value: float
    low: float
    high: float


def normal_quantile(level: float) -> float:
    r"""Half the width of a two-sided normal interval, in standard errors.

    Parameters
    ----------
    level : float
        Probability that a normal variable lies inside, in (0, 1).

    Returns
    -------
    float
        The z with :math:`\P(\abs{Z} \le z) = \text{level}`.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.

    Examples
    --------
    >>> from primer_ref.intervals import normal_quantile
    >>> print(f"{normal_quantile(0.95):.4f}")
    1.9600
    """
    check_share(level, "level")
    return NormalDist().inv_cdf((1 + level) / 2)


def normal_interval(value: float, error: float, *, level: float = 0.95) -> Estimate:
    r"""Interval around an estimate whose error is normal, :math:`v \pm z\,\sigma`.

    Parameters
    ----------
    value : float
        The estimate v.
    error : float
        Its standard error σ, at least 0.
    level : float
        Probability that the interval holds the true value.

    Returns
    -------
    Estimate
        The estimate and its interval.

    Raises
    ------
    ValueError
        If the standard error is negative or the level is not in (0, 1).

    Examples
    --------
    >>> from primer_ref.intervals import normal_interval
    >>> found = normal_interval(0.75, 0.05)
    >>> print(f"{found.value:.2f} from {found.low:.3f} to {found.high:.3f}")
    0.75 from 0.652 to 0.848
    """
    check_nonnegative(error, "error")
    half = normal_quantile(level) * error
    return Estimate(value, value - half, value + half)


def finite_scores(x: ArrayLike, name: str = "x", *, at_least: int = 2) -> Floats:
    """Read a row of finite scores, or say why it is none.

    Parameters
    ----------
    x : array_like, shape (n,)
        Scores.
    name : str
        What to call them in an error.
    at_least : int
        Smallest number of scores.

    Returns
    -------
    ndarray, shape (n,)
        The scores as floating-point numbers.

    Raises
    ------
    ValueError
        If there are fewer, they are no row, or one is not finite.

    Examples
    --------
    >>> from primer_ref.intervals import finite_scores
    >>> print(finite_scores([1, 0, 1]))
    [1. 0. 1.]
    """
    x = as_floats(x)
    if x.ndim != 1 or len(x) < at_least:
        raise ValueError(f"{name} must be a row of at least {at_least} scores; got shape {x.shape}")
    if not np.all(np.isfinite(x)):
        raise ValueError(f"{name} must be finite; got {x[~np.isfinite(x)][0]}")
    return x


def _check_counts(successes: int, n: int) -> None:
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"successes must be from 0 to n ≥ 1; got {successes} of {n}")


def standard_error(x: ArrayLike) -> float:
    r"""Estimate how far a mean of independent scores strays, :math:`s/\sqrt n`.

    Parameters
    ----------
    x : array_like, shape (n,)
        Scores, at least two.

    Returns
    -------
    float
        The sample standard deviation, with n − 1 below, over the root of n.

    Raises
    ------
    ValueError
        If there are fewer than two scores, or one is not finite.

    Notes
    -----
    Implements :eq:`eq-standard-error`.

    Examples
    --------
    >>> from primer_ref.intervals import standard_error
    >>> print(f"{standard_error([1, 0, 1, 1]):.4f}")
    0.2500
    """
    x = finite_scores(x)
    return float(np.std(x, ddof=1)) / math.sqrt(len(x))


def mean_interval(x: ArrayLike, *, level: float = 0.95) -> Estimate:
    r"""Interval for a mean by the central limit theorem, :math:`\bar x \pm z\,s/\sqrt n`.

    Parameters
    ----------
    x : array_like, shape (n,)
        Scores, at least two.
    level : float
        Share of samples whose interval should hold the true mean, in the limit of large n.

    Returns
    -------
    Estimate
        The mean and its interval.

    Raises
    ------
    ValueError
        If there are fewer than two scores, one is not finite, or the level is not in (0, 1).

    Notes
    -----
    Implements :eq:`eq-mean-interval`.

    For rights and wrongs near 0 or 1, or few of them, it covers less than it says: see `coverage`.

    Examples
    --------
    >>> from primer_ref.intervals import mean_interval
    >>> found = mean_interval([1, 0, 1, 1] * 25)
    >>> print(f"{found.value:.2f} from {found.low:.3f} to {found.high:.3f}")
    0.75 from 0.665 to 0.835
    """
    x = finite_scores(x)
    return normal_interval(float(np.mean(x)), standard_error(x), level=level)


def clustered_standard_error(x: ArrayLike, clusters: ArrayLike) -> float:
    r"""Estimate how far a mean strays whose scores come in groups that share something.

    .. math:: \sqrt{\tfrac1{n^2} \sum_c \left(\sum_{i \in c} (x_i - \bar x)\right)^2}

    Parameters
    ----------
    x : array_like, shape (n,)
        Scores.
    clusters : array_like, shape (n,)
        The group of each, such as the passage that a question is about.

    Returns
    -------
    float
        The standard error. With groups of one it is that of independent scores, with n below
        instead of n − 1.

    Raises
    ------
    ValueError
        If there are fewer than two scores or groups, or the lengths differ.

    Notes
    -----
    Implements :eq:`eq-clustered-error`.

    Only the groups are taken as independent, so the number of groups is what must be large.

    References
    ----------
    E. Miller (2024), Adding Error Bars to Evals, section 2.2.

    Examples
    --------
    >>> from primer_ref.intervals import clustered_standard_error
    >>> right = [1, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1]
    >>> passage = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]
    >>> print(f"{clustered_standard_error(right, passage):.4f}")
    0.1738
    """
    x, clusters = finite_scores(x), np.asarray(clusters)
    if clusters.shape != x.shape:
        raise ValueError(f"every score needs a cluster; got shapes {clusters.shape} and {x.shape}")
    _, member = np.unique(clusters, return_inverse=True)
    if member.max() == 0:
        raise ValueError("scores must lie in at least two clusters; got one")
    totals = np.bincount(member, weights=x - np.mean(x))
    return math.sqrt(float(totals @ totals)) / len(x)


def wilson_interval(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    r"""Interval for a share: all p with :math:`|\hat p - p| \le z\sqrt{p(1-p)/n}`.

    Parameters
    ----------
    successes : int
        Number of rights, from 0 to n.
    n : int
        Number of questions, at least 1.
    level : float
        Share of samples whose interval should hold the true share, in the limit of large n.

    Returns
    -------
    Estimate
        The share of rights and the two roots of the quadratic equation, in [0, 1].

    Raises
    ------
    ValueError
        If the counts do not fit or the level is not in (0, 1).

    Notes
    -----
    Implements :eq:`eq-wilson`.

    References
    ----------
    E. B. Wilson (1927), Probable Inference, the Law of Succession, and Statistical Inference.

    Examples
    --------
    >>> from primer_ref.intervals import wilson_interval
    >>> found = wilson_interval(15, 148)
    >>> print(f"{found.low:.4f} {found.high:.4f}")
    0.0624 0.1605
    """
    _check_counts(successes, n)
    z = normal_quantile(level)
    share = successes / n
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At the ends one root is 0 or 1 exactly; rounding would leave it just outside.
    low = 0.0 if successes == 0 else center - half
    high = 1.0 if successes == n else center + half
    return Estimate(share, low, high)


def exact_interval(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    r"""Interval for a share by inverting two binomial tests (Clopper and Pearson).

    The ends solve :math:`\P(X \ge k \mid p_{\text{low}}) = \alpha/2` and
    :math:`\P(X \le k \mid p_{\text{high}}) = \alpha/2`.

    Parameters
    ----------
    successes : int
        Number of rights k, from 0 to n.
    n : int
        Number of questions, at least 1.
    level : float
        At least this share of samples has an interval that holds the true share, at every n.

    Returns
    -------
    Estimate
        The share of rights and its interval.

    Raises
    ------
    ValueError
        If the counts do not fit or the level is not in (0, 1).
    TypeError
        If ``n`` is not an integer.

    Notes
    -----
    Implements :eq:`eq-exact-interval`.

    It never covers less than it says, and is wider for that.

    References
    ----------
    C. J. Clopper and E. S. Pearson (1934), The Use of Confidence or Fiducial Limits Illustrated in
    the Case of the Binomial.

    Examples
    --------
    >>> from primer_ref.intervals import exact_interval
    >>> found = exact_interval(0, 20)
    >>> print(f"{found.low:.4f} {found.high:.4f}")
    0.0000 0.1684
    """
    _check_counts(successes, n)
    check_share(level, "level")
    tail = (1 - level) / 2

    def at_least(p: float) -> float:
        return float(np.sum(binomial(n, p)[successes:])) - tail

    def at_most(p: float) -> float:
        return tail - float(np.sum(binomial(n, p)[: successes + 1]))

    low = 0.0 if successes == 0 else _bisect(at_least, 0.0, 1.0)
    high = 1.0 if successes == n else _bisect(at_most, 0.0, 1.0)
    return Estimate(successes / n, low, high)


def binomial(n: int, p: ArrayLike) -> NDArray[np.float64]:
    r"""Law of the number of successes in n trials, :math:`\binom nk p^k (1-p)^{n-k}`.

    Parameters
    ----------
    n : int
        Number of independent trials.
    p : array_like, shape (...)
        Probability of success in each.

    Returns
    -------
    ndarray, shape (..., n + 1)
        Probabilities of k = 0 to n successes.

    Raises
    ------
    ValueError
        If ``n`` is negative or an entry of ``p`` is not in [0, 1].
    TypeError
        If ``n`` is not an integer.

    Notes
    -----
    By logarithms, since the coefficients of a large n exceed the largest float.

    Examples
    --------
    >>> from primer_ref.intervals import binomial
    >>> print(binomial(2, [0.5, 1.0]))
    [[0.25 0.5  0.25]
     [0.   0.   1.  ]]
    """
    check_nonnegative(n, "n")
    n = operator.index(n)
    p = np.asarray(probabilities(p), np.float64)[..., None]  # (..., 1)
    k = np.arange(n + 1)
    log_factorials = np.cumsum(np.log(np.maximum(k, 1)))
    log_choose = log_factorials[n] - log_factorials - log_factorials[::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        hits = np.where(k > 0, k * np.log(p), 0)  # 0 · log 0 = 0
        misses = np.where(k < n, (n - k) * np.log1p(-p), 0)
    return np.asarray(np.exp(log_choose + hits + misses))


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Root of a function that rises from below 0 at ``low`` to above 0 at ``high``."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if function(middle) > 0 else (middle, high)
    return middle


def coverage(interval: Callable[[int, int], Estimate], n: int, p: float) -> float:
    r"""Probability that an interval holds the true share, summed over all outcomes.

    Parameters
    ----------
    interval : callable
        Takes the number of successes and n to an `Estimate`.
    n : int
        Number of questions.
    p : float
        The true share, in [0, 1].

    Returns
    -------
    float
        :math:`\sum_k \binom nk p^k (1-p)^{n-k}\,\mathbf 1[\text{low}_k \le p \le \text{high}_k]`.

    Raises
    ------
    ValueError
        If ``n`` is below 1 or ``p`` is not in [0, 1].

    Notes
    -----
    Implements :eq:`eq-interval-coverage`.

    Examples
    --------
    Exact intervals of nominal 95 %, at 20 questions of which 9 in 10 are answered rightly:

    >>> from primer_ref.intervals import coverage, exact_interval, wilson_interval
    >>> print(f"{coverage(exact_interval, 20, 0.9):.3f} {coverage(wilson_interval, 20, 0.9):.3f}")
    0.989 0.957
    """
    if n < 1 or not 0 <= p <= 1:
        raise ValueError(f"coverage needs n ≥ 1 and p in [0, 1]; got {n} and {p}")
    found = [interval(k, n) for k in range(n + 1)]
    holds = np.array([estimate.low <= p <= estimate.high for estimate in found])
    return float(np.sum(binomial(n, p)[holds]))


def bootstrap_interval(
    x: ArrayLike,
    statistic: Callable[[Floats], float],
    *,
    rng: np.random.Generator,
    n_resamples: int = 2000,
    level: float = 0.95,
) -> Estimate:
    """Interval of any statistic from samples drawn with replacement from the sample.

    Parameters
    ----------
    x : array_like, shape (n, ...)
        The sample, one row an independent unit.
    statistic : callable
        Takes such an array to a number.
    rng : numpy.random.Generator
        Source of randomness.
    n_resamples : int
        Number of samples to draw.
    level : float
        Nominal coverage, reached as n grows for smooth statistics.

    Returns
    -------
    Estimate
        The statistic of the sample, and the quantiles of those of the resamples.

    Raises
    ------
    ValueError
        If the sample is empty, there are no resamples, or the level is not in (0, 1).

    Notes
    -----
    Implements :eq:`eq-bootstrap`.

    Of little use for the ends of a law, such as the largest value.

    References
    ----------
    B. Efron (1979), Bootstrap Methods: Another Look at the Jackknife.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.intervals import bootstrap_interval
    >>> x = np.random.default_rng(3).exponential(size=400)
    >>> found = bootstrap_interval(x, np.median, rng=np.random.default_rng(1))
    >>> print(f"{found.value:.3f} from {found.low:.3f} to {found.high:.3f}")
    0.756 from 0.652 to 0.894
    """
    x = as_floats(x)
    if x.ndim == 0 or len(x) == 0 or n_resamples < 1:
        raise ValueError(f"a bootstrap needs data and resamples; got {x.shape}, {n_resamples}")
    check_share(level, "level")
    draws = [statistic(x[rng.integers(len(x), size=len(x))]) for _ in range(n_resamples)]
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(statistic(x)), float(low), float(high))
