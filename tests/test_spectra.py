"""Spectra of rotary scores: turned vectors, bounds that hold, and a score that does not decay."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.positions import rotary, rotary_frequencies, rotations, turns_at
from primer_ref.rope_scaling import interpolate_positions
from primer_ref.spectra import (
    Spectrum,
    angle_error_bound,
    partial_sum_norm,
    rotary_spectrum,
    score_by_offset,
    score_envelope,
    wavelengths,
)

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)
THETA = rotary_frequencies(128)


@pytest.mark.equation("eq-rotary-waves")
@given(seeds, st.integers(0, 5000), st.integers(0, 5000))
def test_the_waves_add_up_to_the_dot_product_of_the_turned_vectors(
    seed: int, t: int, s: int
) -> None:
    q, k = np.random.default_rng(seed).normal(size=(2, 1, 16))
    turned = rotary(q, rotations([t], 16)) @ rotary(k, rotations([s], 16)).T
    score = score_by_offset(rotary_spectrum(q[0], k[0]), rotary_frequencies(16), [t - s])
    np.testing.assert_allclose(score, turned[0], atol=1e-9)


def test_spectra_of_many_pairs_at_once() -> None:
    q, k = np.random.default_rng(1).normal(size=(2, 3, 8))
    theta = rotary_frequencies(8)
    many = score_by_offset(rotary_spectrum(q, k), theta, [0, 5])
    assert many.shape == (3, 2)
    for i in range(3):
        one = score_by_offset(rotary_spectrum(q[i], k[i]), theta, [0, 5])
        np.testing.assert_allclose(many[i], one)
    np.testing.assert_allclose(many[:, 0], np.sum(q * k, axis=-1))


@pytest.mark.equation("eq-rotary-waves")
def test_the_spectrum_can_be_read_off_the_scores_by_a_discrete_fourier_transform() -> None:
    # Frequencies that fit the window: 2, 5 and 11 turns in 64 positions.
    theta = 2 * math.pi * np.array([2, 5, 11]) / 64
    spectrum = rotary_spectrum([1.0, 2.0, 0.5, -1.0, 0.0, 3.0], [2.0, 1.0, -1.0, 1.0, 1.0, 1.0])
    found = np.fft.rfft(score_by_offset(spectrum, theta, np.arange(64)))[[2, 5, 11]] / 32
    np.testing.assert_allclose(np.abs(found), spectrum.amplitudes)
    np.testing.assert_allclose(np.angle(found), spectrum.phases)


@pytest.mark.equation("eq-wavelengths")
def test_wavelengths_are_periods_and_grow_with_the_factor_of_interpolation() -> None:
    waves = wavelengths(THETA)
    np.testing.assert_allclose(waves[[0, 16]], [2 * math.pi, 20 * math.pi])
    np.testing.assert_allclose(turns_at([waves[5]], THETA[5:6]), 1, atol=1e-12)
    np.testing.assert_allclose(wavelengths(interpolate_positions(THETA, factor=4)), 4 * waves)


@pytest.mark.equation("eq-envelope")
@given(seeds, st.integers(-20_000, 20_000))
def test_no_score_leaves_its_envelope(seed: int, distance: int) -> None:
    q, k = np.random.default_rng(seed).normal(size=(2, 128))
    spectrum = rotary_spectrum(q, k)
    score = score_by_offset(spectrum, THETA, [distance])
    assert abs(score[0]) <= score_envelope(spectrum, THETA, [distance])[0] * (1 + 1e-12)
    assert abs(score[0]) <= np.sum(spectrum.amplitudes) * (1 + 1e-12)


@pytest.mark.equation("eq-envelope")
def test_the_envelope_by_hand() -> None:
    # One pair: h itself is the only difference, and the only partial sum has size 1.
    spectrum = Spectrum(np.array([3.0]), np.array([0.4]))
    np.testing.assert_allclose(score_envelope(spectrum, [1.0], [0, 7]), 3)
    # Two equal coefficients at distance 0: partial sums 1 and 2, largest difference h.
    pair = Spectrum(np.array([3.0, 3.0]), np.zeros(2))
    np.testing.assert_allclose(score_envelope(pair, [1.0, 0.1], [0]), 9)
    np.testing.assert_allclose(partial_sum_norm([1.0, 0.1], [0]), 3)
    # A quarter turn apart: the difference is the diagonal of a square.
    pair = Spectrum(np.array([3.0, 3.0]), np.array([0.0, math.pi / 2]))
    np.testing.assert_allclose(score_envelope(pair, [1.0, 0.1], [0]), 9 * math.sqrt(2))


@pytest.mark.equation("eq-envelope")
@given(seeds, st.integers(0, 20_000))
def test_summation_by_parts_is_an_identity(seed: int, distance: int) -> None:
    # What the envelope takes sizes of: the sum of h_j e^(iΔθ_j) is −Σ S_(j+1) (h_(j+1) − h_j).
    q, k = np.random.default_rng(seed).normal(size=(2, 16))
    spectrum, theta = rotary_spectrum(q, k), rotary_frequencies(16)
    h = spectrum.amplitudes * np.exp(1j * spectrum.phases)
    waves = np.exp(1j * distance * theta)
    by_parts = -np.sum(np.cumsum(waves) * np.diff([*h, 0]))
    np.testing.assert_allclose(np.sum(h * waves), by_parts, atol=1e-10)
    np.testing.assert_allclose(
        partial_sum_norm(theta, [distance]), [np.sum(np.abs(np.cumsum(waves)))], rtol=1e-12
    )


def test_scores_do_not_decay_steadily_even_for_the_tamest_vectors() -> None:
    ones = rotary_spectrum(np.ones(128), np.ones(128))
    scores = score_by_offset(ones, THETA, np.arange(2000))
    assert scores[37] > scores[34] + 2  # farther, and higher
    assert np.sum(np.diff(scores) > 0) > 500
    # The envelope does fall, in the large.
    envelope = score_envelope(ones, THETA, [1, 100, 1000])
    assert envelope[0] > 3 * envelope[1] > 6 * envelope[2]


@pytest.mark.equation("eq-peak")
def test_a_head_can_score_highest_far_away() -> None:
    # The key is the query turned ahead by 500 positions: the score peaks there.
    query = np.random.default_rng(2).normal(size=(1, 128))
    key = rotary(query, rotations([500], 128))
    scores = score_by_offset(rotary_spectrum(query[0], key[0]), THETA, np.arange(1000))
    assert np.argmax(scores) == 500
    np.testing.assert_allclose(scores[500], np.sum(query**2))
    assert scores[0] < 0.5 * scores[500]


@given(seeds)
def test_with_phases_zero_the_score_is_a_positive_semidefinite_kernel(seed: int) -> None:
    amplitudes = np.random.default_rng(seed).random(4)
    spectrum, n = Spectrum(amplitudes, np.zeros(4)), 10
    by_offset = score_by_offset(spectrum, rotary_frequencies(8), np.arange(-n, n + 1))
    gram = by_offset[np.arange(n)[:, None] - np.arange(n) + n]
    assert np.linalg.eigvalsh(gram)[0] > -1e-12
    assert np.linalg.matrix_rank(gram, tol=1e-9) <= 8  # two dimensions a wave


def single_precision_angles(positions: NDArray[np.int64], theta: F) -> F:
    """Angles as a model forms them that holds positions and frequencies in float32."""
    product = np.multiply.outer(positions.astype(np.float32), theta.astype(np.float32))
    return product.astype(np.float64)


@pytest.mark.equation("eq-angle-error")
def test_angles_in_single_precision_err_as_bounded_and_nearly_as_much() -> None:
    positions = np.concatenate([np.arange(131_000, 131_072), [2**24 + 1, 2**27 + 9]])
    exact = np.multiply.outer(positions, THETA)
    error = np.abs(single_precision_angles(positions, THETA) - exact)
    bound = angle_error_bound(positions, THETA)
    assert np.all(error <= bound)
    assert np.max(error / bound) > 0.5
    # A context of 131,072: hundredths of a radian for the fast pairs; at 2^27 nothing is left.
    assert 0.005 < np.max(error[:72]) < 0.0235
    assert np.max(error[-1]) > 1


@pytest.mark.equation("eq-angle-error")
@given(st.integers(0, 2**20), st.floats(1e-6, 1))
def test_the_error_of_an_angle_bounds_the_error_of_its_turn(t: int, theta: float) -> None:
    angle = float(np.float32(t) * np.float32(theta))
    off = abs(np.exp(1j * angle) - np.exp(1j * t * theta))
    assert off <= angle_error_bound([t], [theta])[0, 0] + 1e-9


def test_bfloat16_positions_are_lost_much_earlier() -> None:
    half = angle_error_bound([1000], [1.0], unit_roundoff=2.0**-8)
    assert half[0, 0] == pytest.approx(1000 * ((1 + 2.0**-8) ** 3 - 1))
    assert half[0, 0] > math.pi
