"""Rotary attention seen by a Fourier analyst: a head's score as a sum of waves in the distance.

Turned by their positions, a query and a key have a dot product that depends on how far apart they
stand: one cosine for each pair of coordinates. Which waves a head uses, how long they are, how
large the sum can be, and how exactly single precision can form its angles, is read off here. Pairs
are interleaved; for other weights see `primer_ref.positions.half_to_interleaved`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_share
from primer_ref.functional import as_floats, as_positive
from primer_ref.positions import turns_at

__all__ = [
    "Spectrum",
    "angle_error_bound",
    "partial_sum_norm",
    "rotary_spectrum",
    "score_by_offset",
    "score_envelope",
    "wavelengths",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Spectrum:
    """The waves that a query and a key make together.

    Attributes
    ----------
    amplitudes : ndarray, shape (..., D / 2)
        Size of each pair's wave, at least 0.
    phases : ndarray, shape (..., D / 2)
        Its phase at distance 0, in radians from −π to π.
    """

    amplitudes: Floats
    phases: Floats


def rotary_spectrum(q: ArrayLike, k: ArrayLike) -> Spectrum:
    r"""Find the waves of a score, before turning.

    As complex numbers, pair j of the query is :math:`q_j` and of the key :math:`k_j`; the wave has
    the coefficient :math:`q_j \overline{k_j}`.

    Parameters
    ----------
    q : array_like, shape (..., D)
        A query, not turned.
    k : array_like, shape (..., D)
        A key, not turned.

    Returns
    -------
    Spectrum
        Amplitudes :math:`\lvert q_j\rvert\lvert k_j\rvert` and phases
        :math:`\arg q_j - \arg k_j`.

    Raises
    ------
    ValueError
        If queries and keys differ in size, or the size is odd.

    Notes
    -----
    Implements :eq:`eq-rotary-waves`.

    Examples
    --------
    >>> from primer_ref.spectra import rotary_spectrum
    >>> spectrum = rotary_spectrum([1.0, 0.0, 0.0, 2.0], [3.0, 0.0, 1.0, 0.0])
    >>> print(spectrum.amplitudes, spectrum.phases.round(4))
    [3. 2.] [0.     1.5708]
    """
    q, k = as_floats(q, axes=1), as_floats(k, axes=1)
    if q.shape[-1] != k.shape[-1] or q.shape[-1] % 2:
        raise ValueError(f"q and k must have one even size; got {q.shape[-1]} and {k.shape[-1]}")
    q_pairs = q[..., 0::2] + 1j * q[..., 1::2]  # (..., D / 2)
    k_pairs = k[..., 0::2] + 1j * k[..., 1::2]
    coefficients = q_pairs * np.conj(k_pairs)
    return Spectrum(np.abs(coefficients), np.angle(coefficients))


def _phases_at(frequencies: ArrayLike, distances: ArrayLike) -> Floats:
    return np.multiply.outer(as_floats(distances), as_floats(frequencies))  # (n, D / 2)


def score_by_offset(spectrum: Spectrum, frequencies: ArrayLike, distances: ArrayLike) -> Floats:
    r"""Score as a function of distance, :math:`\sum_j A_j \cos(\theta_j\Delta + \varphi_j)`.

    Parameters
    ----------
    spectrum : Spectrum
        Amplitudes A and phases φ, from `rotary_spectrum`.
    frequencies : array_like, shape (D / 2,)
        Radians a position, θ.
    distances : array_like, shape (n,)
        How far the query stands behind the key, Δ = t − s.

    Returns
    -------
    ndarray, shape (..., n)
        Dot products of the turned vectors; divide by √d_k for the scores of attention.

    Notes
    -----
    Implements :eq:`eq-rotary-waves`.

    A trigonometric polynomial with as many frequencies as the head has pairs. Read as a kernel of
    the distance, with all phases 0 it is a positive mixture of cosines, so by Bochner's theorem
    positive semidefinite.

    Examples
    --------
    >>> from primer_ref.positions import rotary, rotary_frequencies, rotations
    >>> from primer_ref.spectra import rotary_spectrum, score_by_offset
    >>> q, k = [1.0, 2.0, 0.5, -1.0], [3.0, -1.0, 1.0, 1.0]
    >>> by_spectrum = score_by_offset(rotary_spectrum(q, k), rotary_frequencies(4), [5])
    >>> by_turning = rotary([q], rotations([12], 4)) @ rotary([k], rotations([7], 4)).T
    >>> print(by_spectrum.round(6), by_turning.round(6))
    [6.571726] [[6.571726]]
    """
    angles = _phases_at(frequencies, distances) + spectrum.phases[..., None, :]
    return np.asarray(np.sum(spectrum.amplitudes[..., None, :] * np.cos(angles), axis=-1))


def wavelengths(frequencies: ArrayLike) -> Floats:
    r"""Find in how many positions each pair turns round once, :math:`2\pi/\theta_i`.

    Parameters
    ----------
    frequencies : array_like, shape (D / 2,)
        Radians a position, θ > 0.

    Returns
    -------
    ndarray, shape (D / 2,)
        Positions a turn. Distances that differ by nearly a whole number of them look nearly alike
        to the pair.

    Raises
    ------
    ValueError
        If a frequency is not positive.

    Notes
    -----
    Implements :eq:`eq-wavelengths`.

    Examples
    --------
    >>> from primer_ref.positions import rotary_frequencies
    >>> from primer_ref.spectra import wavelengths
    >>> print(wavelengths(rotary_frequencies(6, base=1000.0)).round(2))
    [  6.28  62.83 628.32]
    """
    return np.asarray(2 * math.pi / as_positive(frequencies, "frequencies"))


def partial_sum_norm(frequencies: ArrayLike, distances: ArrayLike) -> Floats:
    r"""Sum the sizes of the partial sums of the waves, :math:`\sum_{j=1}^{D/2} \lvert S_j\rvert`.

    Here :math:`S_j = \sum_{i<j} e^{\mathrm{i}\Delta\theta_i}`.

    Parameters
    ----------
    frequencies : array_like, shape (D / 2,)
        Radians a position, θ.
    distances : array_like, shape (n,)
        Distances Δ.

    Returns
    -------
    ndarray, shape (n,)
        :math:`1 + 2 + \dots + D/2` at distance 0, its largest value.

    Notes
    -----
    Implements :eq:`eq-envelope`.

    This, over D/2, is the curve by which the paper on rotary embedding illustrates that scores
    decay with distance. It falls in the large and wavers in the small, and what it bounds need not
    fall with it: see `score_envelope`.

    References
    ----------
    J. Su et al. (2021), RoFormer: Enhanced Transformer with Rotary Position Embedding, section
    3.4.3.

    Examples
    --------
    >>> from primer_ref.positions import rotary_frequencies
    >>> from primer_ref.spectra import partial_sum_norm
    >>> print(partial_sum_norm(rotary_frequencies(128), [0, 10, 100, 1000]).round(0))
    [2080. 1149.  655.  286.]
    """
    waves = turns_at(distances, frequencies)  # (n, D / 2)
    return np.asarray(np.sum(np.abs(np.cumsum(waves, axis=-1)), axis=-1))


def score_envelope(spectrum: Spectrum, frequencies: ArrayLike, distances: ArrayLike) -> Floats:
    r"""Bound the size of a score at a distance by summation by parts.

    With the coefficients :math:`h_j = A_j e^{\mathrm{i}\varphi_j}` and :math:`h_{D/2} = 0`, Abel's
    summation gives :math:`\lvert\sum_j h_j e^{\mathrm{i}\Delta\theta_j}\rvert \le
    \max_j \lvert h_{j+1} - h_j\rvert \sum_j \lvert S_j\rvert`.

    Parameters
    ----------
    spectrum : Spectrum
        Amplitudes and phases of the waves, from `rotary_spectrum`.
    frequencies : array_like, shape (D / 2,)
        Radians a position, θ.
    distances : array_like, shape (n,)
        Distances Δ.

    Returns
    -------
    ndarray, shape (..., n)
        At least the absolute value of `score_by_offset`.

    Notes
    -----
    Implements :eq:`eq-envelope`.

    An envelope and no more: scores do not fall steadily below it, and a head whose phases are right
    scores highest far away. Where neighboring coefficients differ much, the trivial bound
    :math:`\sum_j A_j` is the smaller one at every distance.

    References
    ----------
    J. Su et al. (2021), RoFormer: Enhanced Transformer with Rotary Position Embedding, section
    3.4.3.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.positions import rotary_frequencies
    >>> from primer_ref.spectra import rotary_spectrum, score_by_offset, score_envelope
    >>> theta, ones = rotary_frequencies(128), rotary_spectrum(np.ones(128), np.ones(128))
    >>> print(score_by_offset(ones, theta, [34, 37, 1000]).round(1))
    [68.4 70.8 20.4]
    >>> print(score_envelope(ones, theta, [34, 37, 1000]).round(1))
    [1601.8 1649.   572.3]
    """
    h = spectrum.amplitudes * np.exp(1j * spectrum.phases)  # (..., D / 2)
    ended = np.concatenate([h, np.zeros_like(h[..., :1])], axis=-1)
    largest = np.max(np.abs(np.diff(ended, axis=-1)), axis=-1)
    return np.asarray(largest[..., None] * partial_sum_norm(frequencies, distances))


def angle_error_bound(
    positions: ArrayLike, frequencies: ArrayLike, *, unit_roundoff: float = 2.0**-24
) -> Floats:
    r"""Bound the error of angles formed in low precision, :math:`t\theta_i\,((1 + u)^3 - 1)`.

    Position, frequency and their product are each rounded once, with a relative error of at most u.

    Parameters
    ----------
    positions : array_like, shape (T,)
        Positions t.
    frequencies : array_like, shape (D / 2,)
        Radians a position, θ.
    unit_roundoff : float
        Half the distance from 1 to the next number of the format, u: 2^−24 for float32, 2^−8 for
        bfloat16.

    Returns
    -------
    ndarray, shape (T, D / 2)
        Radians. A bound beyond π promises nothing about the angle.

    Raises
    ------
    ValueError
        If the unit roundoff does not lie between 0 and 1.

    Notes
    -----
    Implements :eq:`eq-angle-error`.

    The error grows with the position and is worst for the fastest pair. A chord is shorter than its
    arc, so the turned vector is off by at most this times the size of its pair, and a score by at
    most :math:`\sum_j A_j` times the errors of the two angles.

    Examples
    --------
    >>> from primer_ref.spectra import angle_error_bound
    >>> print(angle_error_bound([100, 131072], [1.0]))
    [[1.78813945e-05]
     [2.34375014e-02]]
    """
    check_share(unit_roundoff, "unit_roundoff")
    growth = math.expm1(3 * math.log1p(unit_roundoff))
    return np.abs(_phases_at(frequencies, positions)) * growth
