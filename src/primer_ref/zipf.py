"""Zipf's law and Zipf–Mandelbrot's: exponents from counts by rank, and what the error is.

The laws are regularities, not truths: a fit comes with its standard error under the law, and says
nothing about whether the law holds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats, log_softmax, softmax

__all__ = [
    "ZipfFit",
    "ZipfMandelbrotFit",
    "zipf_exponent",
    "zipf_least_squares",
    "zipf_mandelbrot",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class ZipfFit:
    """An exponent and how well the sample determines it.

    Attributes
    ----------
    exponent : float
        The estimate.
    standard_error : float
        Its standard deviation over samples, to first order, if the law holds.
    """

    exponent: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class ZipfMandelbrotFit:
    """The two parameters of the Zipf–Mandelbrot law and how well the sample determines them.

    Attributes
    ----------
    exponent : float
        Estimate of a.
    shift : float
        Estimate of q.
    exponent_error : float
        Standard error of the exponent, with the shift unknown too.
    shift_error : float
        Standard error of the shift.
    """

    exponent: float
    shift: float
    exponent_error: float
    shift_error: float


def _shares(counts: ArrayLike) -> tuple[Floats, float]:
    """Relative frequencies by rank, and the size of the sample."""
    counts = np.asarray(as_floats(counts), np.float64)
    bad = ~((counts >= 0) & (counts < np.inf))
    if counts.ndim != 1 or np.any(bad):
        got = counts[bad][0] if np.any(bad) else f"shape {counts.shape}"
        raise ValueError(f"counts must be a row of finite numbers of at least 0; got {got}")
    if not np.any(counts[1:]) or not np.any(counts[:-1]):
        raise ValueError("counts must not all be of the first rank, nor all of the last")
    return counts / np.sum(counts), float(np.sum(counts))


def zipf_exponent(counts: ArrayLike) -> ZipfFit:
    r"""Exponent a of Zipf's law, :math:`p_r = r^{-a} / \sum_{s=1}^V s^{-a}`, by maximum likelihood.

    Parameters
    ----------
    counts : array_like, shape (V,)
        How often the word of each rank occurs, the most frequent first; 0 for a word that may
        occur but did not.

    Returns
    -------
    ZipfFit
        The exponent at which the law's mean of log r is the observed one, and
        :math:`1/\sqrt{n \Var_a(\log r)}`, from the Fisher information of n words.

    Raises
    ------
    ValueError
        If a count is negative or not finite, or all are of the first rank or of the last, for
        which no finite exponent is best.

    Notes
    -----
    The law is an exponential family in log r, so its log-likelihood is concave in a; Newton's
    steps, none longer than 1 or the exponent so far, lead to its top.

    The estimate is unbiased to first order for ranks that are known. In a text, ranks are given
    by the counts themselves, and words that did not occur are not even known to exist: with
    3,000 words from a vocabulary of 10,000 and a = 1, ranking by counts gives 1.06, and leaving
    out what did not occur 0.87. Both shrink as the text grows.

    Implements :eq:`eq-zipf-likelihood`.
    Implements :eq:`eq-zipf-error`.

    Examples
    --------
    >>> from primer_ref.zipf import zipf_exponent
    >>> fit = zipf_exponent([600, 300, 200, 150, 120])
    >>> print(f"{fit.exponent:.4f} ± {fit.standard_error:.4f}")
    1.0000 ± 0.0455
    """
    shares, n = _shares(counts)
    log_rank = np.log(np.arange(1, len(shares) + 1))
    exponent = 1.0
    for _ in range(200):
        p = softmax(-exponent * log_rank)
        mean = p @ log_rank
        variance = p @ (log_rank - mean) ** 2
        longest = max(1.0, abs(exponent))
        step = float(np.clip((mean - shares @ log_rank) / variance, -longest, longest))
        exponent += step
        if abs(step) < 1e-12 * longest:
            break
    return ZipfFit(exponent, 1 / math.sqrt(n * variance))


def zipf_least_squares(counts: ArrayLike) -> float:
    """Slope of log count against log rank, with the sign turned: a biased estimate of Zipf's a.

    Parameters
    ----------
    counts : array_like, shape (V,)
        How often the word of each rank occurs, the most frequent first.

    Returns
    -------
    float
        The exponent of the straight line of least squares through the ranks that occur.

    Raises
    ------
    ValueError
        As for :func:`zipf_exponent`, or if fewer than two ranks occur.

    Notes
    -----
    All ranks weigh the same here, so the line follows the many rare words, whose counts are 1, 2
    and 3 on long steps and lack all those that happened not to occur. The error does not fall
    with the square root of the sample, nor is it of one sign. See :func:`zipf_exponent`.

    Examples
    --------
    >>> from primer_ref.zipf import zipf_least_squares
    >>> print(f"{zipf_least_squares([600, 300, 200, 150, 120]):.4f}")
    1.0000
    """
    shares, _ = _shares(counts)
    if np.count_nonzero(shares) < 2:
        raise ValueError("counts must be positive at two ranks or more for a line; got 1")
    log_rank, log_share = np.log(np.flatnonzero(shares) + 1), np.log(shares[shares > 0])
    return -float(np.polyfit(log_rank, log_share, 1)[0])


def zipf_mandelbrot(counts: ArrayLike) -> ZipfMandelbrotFit:
    r"""Fit :math:`p_r \propto (r + q)^{-a}` by maximum likelihood.

    Parameters
    ----------
    counts : array_like, shape (V,)
        How often the word of each rank occurs, the most frequent first.

    Returns
    -------
    ZipfMandelbrotFit
        Exponent, shift and their standard errors, from the inverse of the Fisher information.

    Raises
    ------
    ValueError
        As for :func:`zipf_exponent`; or if every shift is as good, as it is for two ranks or equal
        counts; or if the likelihood has no maximum at a finite shift above −1, as for counts that
        fall exponentially.

    Notes
    -----
    Fisher's scoring: Newton's method with the information, the covariance of the two slopes of
    :math:`\log p_r`, in the place of the Hessian; steps are halved until the likelihood rises.

    Implements :eq:`eq-zipf-mandelbrot`.

    References
    ----------
    B. Mandelbrot (1953), An Informational Theory of the Statistical Structure of Language.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.zipf import zipf_mandelbrot
    >>> fit = zipf_mandelbrot(1e6 * (np.arange(1, 1001) + 2.7) ** -1.2)
    >>> print(f"{fit.exponent:.4f} {fit.shift:.4f}")
    1.2000 2.7000
    """
    shares, n = _shares(counts)
    if len(shares) < 3 or np.ptp(shares) == 0:
        raise ValueError(
            f"counts must be of 3 ranks or more and not all equal, or every shift is as good; "
            f"got {len(shares)} from {n * shares.min():.6g} to {n * shares.max():.6g}"
        )
    rank = np.arange(1, len(shares) + 1)

    def log_prob(exponent: float, shift: float) -> Floats:
        return log_softmax(-exponent * np.log(rank + shift))

    law = np.array([zipf_exponent(counts).exponent, 0.0])
    for _ in range(100):
        exponent, shift = law
        log_p = log_prob(exponent, shift)
        slopes = np.stack([-np.log(rank + shift), -exponent / (rank + shift)])  # (2, V)
        slopes -= (slopes @ np.exp(log_p))[:, None]
        information = (slopes * np.exp(log_p)) @ slopes.T  # (2, 2)
        step = np.linalg.solve(information, slopes @ shares)
        while shift + step[1] <= -1 or shares @ (log_prob(*(law + step)) - log_p) < -1e-15:
            step /= 2
        law += step
        if np.max(np.abs(step)) < 1e-9 < law[1] + 1 < 1e3 * len(rank):
            errors = np.sqrt(np.diag(np.linalg.inv(n * information)))
            return ZipfMandelbrotFit(*law.tolist(), *errors.tolist())
    raise ValueError(f"counts must have a best shift; the likelihood still grew at {law[1]:.3g}")
