r"""Model collapse in miniature: laws fitted again and again to samples of their own predecessor.

Two models small enough for exact answers. A Gaussian refitted by maximum likelihood passes its
variance into drift of its mean; real data in every sample stops both at a fixed point. A
categorical law refitted by its frequencies loses outcomes for good, as a gene pool does by drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative, check_nonnegative_finite
from primer_ref.functional import as_floats
from primer_ref.information import distribution
from primer_ref.intervals import binomial

__all__ = [
    "accumulated_variance",
    "expected_heterozygosity",
    "expected_support",
    "expected_variance",
    "refit_chain",
    "resample_chain",
    "variance_fixed_point",
]

Floats = NDArray[np.floating[Any]]


def _check_sizes(n_generations: int, sample_size: int, n_real: int = 0) -> None:
    check_nonnegative(n_generations, "n_generations")
    if sample_size < 1:
        raise ValueError(f"sample_size must be at least 1; got {sample_size}")
    if not 0 <= n_real <= sample_size:
        raise ValueError(f"n_real must be from 0 to sample_size; got {n_real} of {sample_size}")


def expected_variance(
    n_generations: int, *, sample_size: int, n_real: int = 0, variance: float = 1.0
) -> float:
    r"""Mean variance of a Gaussian that was refitted n times to draws from its predecessor.

    Each fit is by maximum likelihood to m draws, a share a of them real. Then

    .. math:: \E V_n = V^\star + (\sigma^2 - V^\star)\,c^n, \qquad
        c = (1 - a)\left(1 - a - \tfrac{1}{m}\right),

    which without real data is :math:`\sigma^2 \left(\frac{m - 1}{m}\right)^n`.

    Parameters
    ----------
    n_generations : int
        Number of refits, n.
    sample_size : int
        Draws that each refit sees, m, the real ones among them.
    n_real : int
        How many of the m come fresh from the true law each time, a m.
    variance : float
        Variance of the true law, σ², where the chain starts.

    Returns
    -------
    float
        Expected variance of generation n, exact. Without real data half of it is gone after
        about m log 2 refits.

    Raises
    ------
    ValueError
        If a size is out of range, or the variance is negative or not finite.

    Notes
    -----
    The mean squared distance of a draw from the true mean stays σ² for ever, so that variance is
    not lost but spent: the expected squared drift of the fitted mean is :math:`\sigma^2 - \E V_n`.

    The expectation flatters the typical chain. Without real data the variance is σ² times a
    product of independent :math:`\chi^2_{m-1}/m`; its logarithm is a random walk that falls faster
    than log((m − 1)/m) a step, and falls even for the unbiased fit, which divides by m − 1.

    Implements :eq:`eq-refit-variance`.

    References
    ----------
    I. Shumailov, Z. Shumaylov, Y. Zhao, N. Papernot, R. Anderson and Y. Gal (2024), AI Models
    Collapse When Trained on Recursively Generated Data.

    Examples
    --------
    >>> from primer_ref.collapse import expected_variance
    >>> print(f"{expected_variance(69, sample_size=100):.4f}")
    0.4998
    >>> print(f"{expected_variance(69, sample_size=100, n_real=10):.4f}")
    0.9497
    """
    _check_sizes(n_generations, sample_size, n_real)
    rest = variance_fixed_point(sample_size=sample_size, n_real=n_real, variance=variance)
    return rest + (variance - rest) * _contraction(n_real, sample_size) ** n_generations


def _contraction(n_real: int, sample_size: int) -> float:
    return (sample_size - n_real) * (sample_size - n_real - 1) / sample_size**2


def variance_fixed_point(*, sample_size: int, n_real: int, variance: float = 1.0) -> float:
    r"""Mean variance at which refitting with some real data comes to rest.

    .. math:: V^\star = \frac{a\left(2 - a - \frac1m\right)}{1 - c}\,\sigma^2, \qquad
        c = (1 - a)\left(1 - a - \tfrac{1}{m}\right).

    Parameters
    ----------
    sample_size : int
        Draws that each refit sees, m.
    n_real : int
        How many of the m come fresh from the true law each time, a m.
    variance : float
        Variance of the true law, σ².

    Returns
    -------
    float
        The limit of `expected_variance`: 0 without real data, and for k real draws in large
        samples about 2k/(2k + 1) of σ². It is their number that counts, hardly their share.

    Raises
    ------
    ValueError
        If a size is out of range, or the variance is negative or not finite.

    Notes
    -----
    Implements :eq:`eq-refit-fixed-point`.

    Examples
    --------
    >>> from primer_ref.collapse import variance_fixed_point
    >>> [round(variance_fixed_point(sample_size=100, n_real=k), 4) for k in (0, 1, 10)]
    [0.0, 0.6644, 0.9497]
    """
    _check_sizes(0, sample_size, n_real)
    check_nonnegative_finite(variance, "variance")
    real = n_real / sample_size
    return variance * real * (2 - real - 1 / sample_size) / (1 - _contraction(n_real, sample_size))


def accumulated_variance(sizes: Sequence[int], *, variance: float = 1.0) -> float:
    r"""Mean variance of a Gaussian that is refitted to all draws so far, real and its own.

    The first draws are real. Every later generation adds draws from the last fit, and keeps what
    was there:

    .. math:: \E V_n = \sigma^2 \prod_{i=1}^{n} \left(1 - \frac{m_i}{N_i^2}\right), \qquad
        N_i = m_1 + \dots + m_i.

    Parameters
    ----------
    sizes : sequence of int
        Draws that each generation adds, :math:`m_1, \dots, m_n`: the real ones, then made ones.
    variance : float
        Variance of the true law, σ².

    Returns
    -------
    float
        Expected variance of the maximum-likelihood fit to all of them, exact.

    Raises
    ------
    ValueError
        If a size is below 1, or the variance is negative or not finite.

    Notes
    -----
    The sum of the :math:`m_i/N_i^2` is below :math:`2/N_1` for whatever sizes, so that with two
    real draws or more the variance never falls to 0. For generations of one size m the product
    tends to :math:`\sin(x)/x` with :math:`x = \pi/\sqrt m`.

    Implements :eq:`eq-accumulated-variance`.

    References
    ----------
    M. Gerstgrasser et al. (2024), Is Model Collapse Inevitable? Breaking the Curse of Recursion by
    Accumulating Real and Synthetic Data.

    Examples
    --------
    >>> from primer_ref.collapse import accumulated_variance, expected_variance
    >>> print(f"{accumulated_variance([100] * 500):.4f}")
    0.9837
    >>> print(f"{expected_variance(500, sample_size=100):.4f}")  # each sees its predecessor's only
    0.0066
    """
    check_nonnegative_finite(variance, "variance")
    if any(size < 1 for size in sizes):
        raise ValueError(f"sizes must be at least 1; got {min(sizes)}")
    total, kept = 0, variance
    for size in sizes:
        total += size
        kept *= 1 - size / total**2
    return kept


def refit_chain(
    n_generations: int,
    *,
    sample_size: int,
    n_real: int = 0,
    variance: float = 1.0,
    n_chains: int = 1,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Simulate chains of Gaussians, each fitted to draws from the one before.

    Parameters
    ----------
    n_generations : int
        Number of refits, n.
    sample_size : int
        Draws that each refit sees, m.
    n_real : int
        How many of the m come fresh from the true law each time.
    variance : float
        Variance of the true law; its mean is 0.
    n_chains : int
        Number of independent chains.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    means, variances : ndarray, shape (n + 1, n_chains)
        Maximum-likelihood mean and variance of the generations 0 to n.

    Raises
    ------
    ValueError
        If a size is out of range, or the variance is negative or not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collapse import refit_chain
    >>> _, variances = refit_chain(500, sample_size=20, rng=np.random.default_rng(0))
    >>> bool(variances[-1, 0] < 1e-6)
    True
    """
    _check_sizes(n_generations, sample_size, n_real)
    check_nonnegative_finite(variance, "variance")
    means = np.zeros((n_generations + 1, n_chains))
    variances = np.full((n_generations + 1, n_chains), float(variance))
    real = (np.arange(sample_size) < n_real)[:, None]
    for t in range(n_generations):
        mean = np.where(real, 0.0, means[t])  # (m, n_chains)
        scale = np.sqrt(np.where(real, variance, variances[t]))
        draws = mean + scale * rng.normal(size=mean.shape)
        means[t + 1], variances[t + 1] = draws.mean(axis=0), draws.var(axis=0)
    return means, variances


def _frequencies(p: ArrayLike) -> Floats:
    p = np.asarray(as_floats(p), np.float64)
    if p.ndim != 1 or p.size == 0:
        raise ValueError(f"p must be one distribution; got shape {p.shape}")
    return distribution(p)


def expected_heterozygosity(p: ArrayLike, n_generations: int, *, sample_size: int) -> float:
    r"""Give the chance that two draws differ after n refits of a categorical law.

    Each refit takes the frequencies of m draws for the new law.

    .. math:: \E\Bigl[1 - \sum_v p_{n,v}^2\Bigr] =
        \Bigl(1 - \sum_v p_v^2\Bigr)\left(1 - \frac1m\right)^n.

    Parameters
    ----------
    p : array_like, shape (V,)
        The first law.
    n_generations : int
        Number of refits, n.
    sample_size : int
        Draws that each refit sees, m.

    Returns
    -------
    float
        Expected diversity of generation n, exact.

    Raises
    ------
    ValueError
        If ``p`` is not one distribution, or a size is out of range.

    Notes
    -----
    Two draws of a generation are copies of one draw of the sample before with probability 1/m,
    and otherwise of two different ones. Geneticists know the chain as the Wright–Fisher model.

    Implements :eq:`eq-heterozygosity`.

    Examples
    --------
    >>> from primer_ref.collapse import expected_heterozygosity
    >>> expected_heterozygosity([0.5, 0.5], 2, sample_size=4)
    0.28125
    """
    _check_sizes(n_generations, sample_size)
    return float(1 - np.sum(_frequencies(p) ** 2)) * (1 - 1 / sample_size) ** n_generations


def expected_support(p: ArrayLike, n_generations: int, *, sample_size: int) -> float:
    r"""Count the outcomes that are left, on average, after n refits of a categorical law.

    The count of one outcome is a Markov chain of its own: from k of m it goes to a binomial draw
    with probability k/m, and 0 it never leaves.

    Parameters
    ----------
    p : array_like, shape (V,)
        The first law.
    n_generations : int
        Number of refits, n.
    sample_size : int
        Draws that each refit sees, m.

    Returns
    -------
    float
        Expected support, exact; after one refit it is :math:`\sum_v (1 - (1 - p_v)^m)`, and it
        falls to 1.

    Raises
    ------
    ValueError
        If ``p`` is not one distribution, or a size is out of range.

    Notes
    -----
    Costs n multiplications of an (m + 1) × (m + 1) matrix with a vector, whatever the number of
    outcomes.

    Implements :eq:`eq-refit-support`.

    Examples
    --------
    >>> from primer_ref.collapse import expected_support
    >>> [round(expected_support([0.9, 0.05, 0.05], n, sample_size=20), 4) for n in (0, 1, 10)]
    [3.0, 2.283, 1.3479]
    """
    _check_sizes(n_generations, sample_size)
    p = _frequencies(p)
    extinct = np.where(p == 0, 1.0, 0.0)
    if n_generations > 0:
        # Where the count is k now: chance that it is 0 after the refits that are left.
        gone = (np.arange(sample_size + 1) == 0).astype(np.float64)
        step = binomial(sample_size, np.arange(sample_size + 1) / sample_size)
        for _ in range(n_generations - 1):
            gone = step @ gone
        # A sum may be off by rounding, and so one probability above 1.
        extinct = binomial(sample_size, np.minimum(p, 1)) @ gone
    return float(np.sum(1 - extinct))


def resample_chain(
    p: ArrayLike, n_generations: int, *, sample_size: int, rng: np.random.Generator
) -> Floats:
    """Simulate a categorical law refitted again and again by the frequencies of its own draws.

    Parameters
    ----------
    p : array_like, shape (V,)
        The first law.
    n_generations : int
        Number of refits, n.
    sample_size : int
        Draws that each refit sees, m.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (n + 1, V)
        The laws of the generations 0 to n. What has reached 0 stays there.

    Raises
    ------
    ValueError
        If ``p`` is not one distribution, or a size is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collapse import resample_chain
    >>> laws = resample_chain(np.full(50, 0.02), 200, sample_size=50, rng=np.random.default_rng(0))
    >>> print([int(np.count_nonzero(laws[n])) for n in (0, 1, 10, 200)])
    [50, 32, 6, 2]
    """
    _check_sizes(n_generations, sample_size)
    laws = [_frequencies(p)]
    for _ in range(n_generations):
        laws.append(rng.multinomial(sample_size, laws[-1]) / sample_size)
    return np.array(laws)
