"""Calibration: published examples, identities, simulation of calibrated forecasters, SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, special

from primer_ref.calibration import (
    Bins,
    brier_decomposition,
    brier_score,
    calibration_error,
    conformal_sets,
    conformal_threshold,
    debiased_square_error,
    equal_mass_bins,
    equal_width_bins,
    expected_error_if_calibrated,
    fit_temperature,
    log_score,
)

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


def forecasts(seed: int, n: int = 40, v: int = 4) -> tuple[F, NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(v), size=n), rng.integers(v, size=n)


@pytest.mark.equation("eq-log-score")
@pytest.mark.equation("eq-brier-score")
@given(seeds)
def test_scores_are_their_definitions_written_out(seed: int) -> None:
    p, y = forecasts(seed)
    logs = [math.log(p[i, y[i]]) for i in range(len(p))]
    squares = [sum((p[i, v] - (v == y[i])) ** 2 for v in range(4)) for i in range(len(p))]
    assert log_score(p, y) == pytest.approx(-sum(logs) / len(p))
    assert brier_score(p, y) == pytest.approx(sum(squares) / len(p))


@pytest.mark.equation("eq-proper-gap")
@given(seeds)
def test_both_scores_are_proper(seed: int) -> None:
    """In the mean over outcomes from q, no forecast does better than q, and the gap is known."""
    p, q = np.random.default_rng(seed).dirichlet(np.ones(5), size=2)
    mean = {
        score: (
            sum(q[y] * score([p], [y]) for y in range(5)),
            sum(q[y] * score([q], [y]) for y in range(5)),
        )
        for score in (log_score, brier_score)
    }
    assert mean[log_score][0] - mean[log_score][1] == pytest.approx(
        np.sum(special.rel_entr(q, p)), abs=1e-12
    )
    assert mean[brier_score][0] - mean[brier_score][1] == pytest.approx(np.sum((p - q) ** 2))


def test_what_was_ruled_out_and_came_scores_infinity() -> None:
    assert log_score([[1.0, 0.0]], [1]) == math.inf
    assert str(log_score([[1.0, 0.0]], [0])) == "0.0"  # certain and right: not −0


@pytest.mark.equation("eq-brier-parts")
@given(seeds, st.integers(1, 12))
def test_murphys_parts_add_up(seed: int, n_values: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.choice(rng.random(n_values), size=60)
    y = rng.random(60) < p
    parts = brier_decomposition(p, y)
    total = parts.reliability - parts.resolution + parts.uncertainty
    assert total == pytest.approx(np.mean((p - y) ** 2))
    assert min(parts.reliability, parts.resolution, parts.uncertainty) >= 0


@pytest.mark.equation("eq-brier-parts")
def test_murphys_parts_of_a_known_table() -> None:
    p = np.repeat([0.1, 0.4, 0.8], 10)
    y = np.concatenate([np.arange(10) < k for k in (1, 5, 7)])
    parts = brier_decomposition(p, y)
    found = (parts.reliability, parts.resolution, parts.uncertainty)
    assert found == pytest.approx((0.0066666667, 0.0622222222, 0.2455555556))


@pytest.mark.equation("eq-brier-bins")
@given(seeds, st.integers(1, 8))
def test_binned_parts_miss_what_varies_within_bins(seed: int, n_bins: int) -> None:
    rng = np.random.default_rng(seed)
    p = np.sort(rng.random(50))
    y = (rng.random(50) < p).astype(float)
    bins = equal_mass_bins(p, y, n_bins=n_bins)
    parts = brier_decomposition(np.repeat(bins.confidence, bins.counts), y)
    edges = np.cumsum(bins.counts)[:-1]
    rest = 0.0
    for own, came in zip(np.split(p, edges), np.split(y, edges), strict=True):
        covariance = np.cov(own, came, ddof=0)
        rest += len(own) / 50 * (covariance[0, 0] - 2 * covariance[0, 1])
    total = parts.reliability - parts.resolution + parts.uncertainty
    assert np.mean((p - y) ** 2) == pytest.approx(total + rest)


@pytest.mark.equation("eq-calibration-error")
def test_errors_recompute_published_examples() -> None:
    # The documentation of torchmetrics: BinaryCalibrationError and MulticlassCalibrationError.
    binary = equal_width_bins([0.25, 0.25, 0.55, 0.75, 0.75], [0, 0, 1, 1, 1], n_bins=2)
    p = np.array([[0.25, 0.2, 0.55], [0.55, 0.05, 0.4], [0.1, 0.3, 0.6], [0.9, 0.05, 0.05]])
    right = np.argmax(p, axis=1) == [0, 1, 2, 0]
    many = equal_width_bins(np.max(p, axis=1), right, n_bins=3)
    for bins, printed in ((binary, (0.29, 0.2918, 0.3167)), (many, (0.2, 0.2082, 0.2333))):
        found = [calibration_error(bins, order=order) for order in (1, 2, math.inf)]
        assert found == pytest.approx(printed, abs=6e-5)


@pytest.mark.equation("eq-calibration-error")
@given(seeds, st.floats(1, 1e6))
def test_the_error_rises_with_the_order_to_the_largest_gap(seed: int, order: float) -> None:
    """Means of powers: the largest gap times at least the root of its bin's share."""
    rng = np.random.default_rng(seed)
    bins = Bins(rng.integers(1, 9, size=4), rng.random(4), rng.random(4))
    gaps = np.abs(bins.accuracy - bins.confidence)
    share = bins.counts[np.argmax(gaps)] / bins.counts.sum()
    found = calibration_error(bins, order=order)
    assert share ** (1 / order) * gaps.max() <= found * (1 + 1e-9)
    assert found <= calibration_error(bins, order=2 * order) * (1 + 1e-9)
    assert found <= gaps.max() * (1 + 1e-9)
    perfect = Bins(bins.counts, bins.confidence, bins.confidence)
    assert calibration_error(perfect, order=order) == 0


def test_ties_are_cut_in_the_order_given() -> None:
    """One calibrated forecast of ½, of which five in ten come true."""
    in_turn, sorted_by_outcome = np.tile([0, 1], 5), np.repeat([0, 1], 5)
    half = np.full(10, 0.5)
    errors = [
        calibration_error(equal_mass_bins(half, y, n_bins=2)) for y in (in_turn, sorted_by_outcome)
    ]
    assert errors == pytest.approx([0.1, 0.5])
    assert calibration_error(equal_width_bins(half, sorted_by_outcome, n_bins=2)) == 0


@given(seeds, st.integers(1, 30), st.integers(1, 60))
def test_bins_hold_every_forecast_once(seed: int, n_bins: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.choice([0, 0.5, 1, rng.random()], size=n)
    y = rng.random(n) < 0.5
    for gather in (equal_width_bins, equal_mass_bins):
        bins = gather(p, y, n_bins=n_bins)
        assert bins.counts.sum() == n
        assert bins.counts.min() > 0
        assert bins.counts @ bins.confidence == pytest.approx(p.sum())
        assert bins.counts @ bins.accuracy == pytest.approx(y.sum())
        assert np.all(np.diff(bins.confidence) >= -1e-12)
    assert np.ptp(equal_mass_bins(p, y, n_bins=min(n, n_bins)).counts) <= 1


def test_edges_belong_to_the_bin_above_and_one_to_the_last() -> None:
    bins = equal_width_bins([0.0, 0.25, 0.5, 1.0], [1, 1, 1, 1], n_bins=4)
    np.testing.assert_array_equal(bins.confidence, [0, 0.25, 0.5, 1])


def simulate(n: int, n_bins: int, *, rng: np.random.Generator) -> tuple[float, float, float]:
    """Error of forecasts that are calibrated, what the formula expects, and the debiased square."""
    p = rng.random(n)
    bins = equal_mass_bins(p, rng.random(n) < p, n_bins=n_bins)
    return calibration_error(bins), expected_error_if_calibrated(bins), debiased_square_error(bins)


@pytest.mark.equation("eq-calibration-bias")
def test_a_calibrated_forecaster_has_the_predicted_error() -> None:
    rng = np.random.default_rng(0)
    found, expected, debiased = np.mean([simulate(3000, 15, rng=rng) for _ in range(300)], axis=0)
    assert found == pytest.approx(expected, rel=0.03)
    assert abs(debiased) < 0.1 * found**2


@pytest.mark.equation("eq-calibration-bias")
def test_the_bias_grows_like_the_root_of_bins_over_forecasts() -> None:
    rng = np.random.default_rng(1)

    def error(n: int, n_bins: int) -> float:
        return float(np.mean([simulate(n, n_bins, rng=rng)[0] for _ in range(200)]))

    assert error(1000, 40) / error(1000, 10) == pytest.approx(2, rel=0.12)
    assert error(1000, 10) / error(4000, 10) == pytest.approx(2, rel=0.12)


@pytest.mark.equation("eq-debiased-error")
def test_debiasing_keeps_what_is_no_chance() -> None:
    """Forecasts that are all 0.1 too high: the square error is 0.01 at every sample size."""
    rng = np.random.default_rng(2)
    for n in (50, 500):
        draws = [
            debiased_square_error(Bins(np.array([n]), np.array([0.6]), np.array([share])))
            for share in rng.binomial(n, 0.5, size=20_000) / n
        ]
        assert np.mean(draws) == pytest.approx(0.01, abs=4e-4)


@pytest.mark.equation("eq-fit-temperature")
@given(seeds, st.floats(0.3, 4))
def test_temperature_is_the_likeliest(seed: int, true: float) -> None:
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(300, 5)) * 3
    y = np.argmax(z / true + rng.gumbel(size=z.shape), axis=1)

    def loss(log_beta: float) -> float:
        return -float(np.mean(special.log_softmax(math.exp(log_beta) * z, 1)[np.arange(300), y]))

    best = optimize.minimize_scalar(loss, bounds=(-5, 5), method="bounded")
    assert fit_temperature(z, y) == pytest.approx(math.exp(-best.x), rel=1e-3)


@pytest.mark.equation("eq-temperature-slope")
@given(seeds, st.floats(0.3, 3))
def test_slope_and_curvature_are_a_mean_and_a_variance(seed: int, beta: float) -> None:
    """Finite differences of the loss; and at the fitted temperature the slope vanishes."""
    rng, h = np.random.default_rng(seed), 1e-3
    z = rng.normal(size=(300, 5)) * 2
    y = np.argmax(z + rng.gumbel(size=z.shape), axis=1)
    own = z[np.arange(300), y]
    below, here, above = (
        log_score(special.softmax(b * z, axis=1), y) for b in (beta - h, beta, beta + h)
    )
    p = special.softmax(beta * z, axis=1)
    mean = np.sum(p * z, axis=1)
    variance = np.sum(p * (z - mean[:, None]) ** 2, axis=1)
    assert (above - below) / (2 * h) == pytest.approx(np.mean(mean - own), abs=1e-4)
    assert (above - 2 * here + below) / h**2 == pytest.approx(np.mean(variance), abs=1e-3)
    fitted = special.softmax(z / fit_temperature(z, y), axis=1)
    assert np.mean(np.sum(fitted * z, axis=1)) == pytest.approx(np.mean(own), abs=1e-6)


def test_temperature_is_recovered_and_keeps_every_answer() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=(40_000, 6)) * 2
    y = np.argmax(z + rng.gumbel(size=z.shape), axis=1)
    assert fit_temperature(2.5 * z, y) == pytest.approx(2.5, rel=0.02)
    assert fit_temperature(0.4 * z, y) == pytest.approx(0.4, rel=0.02)


@given(seeds, st.integers(2, 60), st.floats(0, 100))
def test_scores_exactly_at_chance_have_no_temperature(seed: int, v: int, shift: float) -> None:
    """Every outcome once at the same scores: what comes has the average, but for rounding."""
    row = np.random.default_rng(seed).normal(size=v) + shift
    with pytest.raises(ValueError, match="better than chance"):
        fit_temperature(np.tile(row, (v, 1)), np.arange(v))
    with pytest.raises(ValueError, match="better than chance"):
        fit_temperature([[0.1, 0.2, 0.3]], [1])


def test_a_little_better_than_chance_has_a_temperature() -> None:
    """Of 2n + 1 cases n + 1 come: log(1 + 1/n) over the gap, also beside a large common score."""
    y = np.arange(20_001) % 2
    for gap, shift in ((1e-9, 0.0), (2.0, 1000.0)):
        z = np.tile([gap, 0.0], (len(y), 1)) + shift
        assert fit_temperature(z, y) == pytest.approx(gap / math.log1p(1e-4), rel=1e-6)


@pytest.mark.equation("eq-conformal-threshold")
@pytest.mark.parametrize(("n", "level"), [(9, 0.9), (19, 0.8), (50, 0.95)])
def test_conformal_sets_cover_as_promised(n: int, level: float) -> None:
    rng = np.random.default_rng(n)
    scores = rng.standard_cauchy(size=(40_000, n + 1))
    held = [row[-1] <= conformal_threshold(row[:-1], level=level) for row in scores[:20_000]]
    assert level - 0.008 <= np.mean(held) <= level + 1 / (n + 1) + 0.008


def test_a_small_sample_gives_no_finite_threshold() -> None:
    assert conformal_threshold([1, 2, 3], level=0.9) == math.inf
    assert conformal_threshold([3, 1, 2], level=1e-12) == 1  # no rank is below the first
    assert conformal_threshold(np.arange(9), level=0.9) == 8
    assert conformal_threshold([1, 2, 3, 4, 5], level=0.7) == 5  # of six ranks, 4.2: rounded up


@pytest.mark.equation("eq-conformal-set")
@given(seeds, st.floats(0.1, 4))
def test_a_set_holds_what_is_no_stranger_than_the_threshold(seed: int, threshold: float) -> None:
    z = np.random.default_rng(seed).normal(size=(6, 5)) * 2
    expected = special.softmax(z, axis=1) >= math.exp(-threshold)
    np.testing.assert_array_equal(conformal_sets(z, threshold), expected)
    assert conformal_sets(z, math.inf).all()
