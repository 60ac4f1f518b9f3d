"""Intervals: SciPy, published tables, true coverage by enumeration, and rates."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from primer_ref.intervals import (
    binomial,
    bootstrap_interval,
    clustered_standard_error,
    coverage,
    exact_interval,
    mean_interval,
    normal_interval,
    normal_quantile,
    standard_error,
    wilson_interval,
)

# Newcombe (1998), table I, method 3.
NEWCOMBE = [
    (81, 263, 0.2553, 0.3662),
    (15, 148, 0.0624, 0.1605),
    (0, 20, 0.0, 0.1611),
    (1, 29, 0.0061, 0.1718),
    (29, 29, 0.8830, 1.0),
]


@given(st.floats(0.01, 0.999))
def test_quantile_agrees_with_scipy(level: float) -> None:
    assert normal_quantile(level) == pytest.approx(stats.norm.ppf((1 + level) / 2), rel=1e-9)


def test_normal_interval_agrees_with_scipy() -> None:
    found = normal_interval(-0.3, 0.2, level=0.9)
    low, high = stats.norm.interval(0.9, -0.3, 0.2)
    assert (found.value, found.low, found.high) == pytest.approx((-0.3, low, high))


@pytest.mark.equation("eq-standard-error")
@pytest.mark.equation("eq-mean-interval")
def test_mean_interval_agrees_with_scipy() -> None:
    x = np.random.default_rng(0).normal(size=50)
    found = mean_interval(x, level=0.9)
    low, high = stats.norm.interval(0.9, np.mean(x), stats.sem(x))
    assert (found.value, found.low, found.high) == pytest.approx((np.mean(x), low, high))
    assert standard_error(x) == pytest.approx(stats.sem(x))


@pytest.mark.equation("eq-wilson")
@pytest.mark.parametrize(("k", "n", "low", "high"), NEWCOMBE)
def test_wilson_recomputes_newcombes_table(k: int, n: int, low: float, high: float) -> None:
    found = wilson_interval(k, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5.1e-5)


@pytest.mark.equation("eq-wilson")
@pytest.mark.equation("eq-exact-interval")
@given(st.integers(1, 400), st.floats(0, 1), st.floats(0.5, 0.999))
def test_wilson_and_exact_agree_with_scipy(n: int, share: float, level: float) -> None:
    k = round(share * n)
    for method, interval in (("wilson", wilson_interval), ("exact", exact_interval)):
        expected = stats.binomtest(k, n).proportion_ci(level, method)
        found = interval(k, n, level=level)
        assert found.value == k / n
        assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-8)


@given(st.integers(0, 3000), st.floats(1e-100, 1))  # SciPy overflows where p is subnormal
def test_the_binomial_law_agrees_with_scipy(n: int, p: float) -> None:
    shares, k = np.array([[p, 0.0, 1.0], [0.5, 1e-300, 1 - p]]), np.arange(n + 1)
    expected = stats.binom.pmf(k, n, shares[..., None])
    np.testing.assert_allclose(binomial(n, shares), expected, rtol=1e-9, atol=1e-12)


@given(st.integers(1, 40), st.floats(0, 1))
def test_exact_intervals_cover_at_least_what_they_say(n: int, p: float) -> None:
    assert coverage(exact_interval, n, p) >= 0.95 - 1e-9


@pytest.mark.equation("eq-interval-coverage")
def test_coverage_is_the_share_of_samples_that_hold_the_truth() -> None:
    draws = np.random.default_rng(1).binomial(20, 0.9, size=200_000)
    found = [wilson_interval(k, 20) for k in range(21)]
    holds = np.array([estimate.low <= 0.9 <= estimate.high for estimate in found])
    assert coverage(wilson_interval, 20, 0.9) == pytest.approx(np.mean(holds[draws]), abs=2e-3)
    assert coverage(wilson_interval, 20, 0) == coverage(wilson_interval, 20, 1) == 1


def test_the_normal_interval_covers_too_little_near_one() -> None:
    def plain(k: int, n: int) -> object:
        return mean_interval([1.0] * k + [0.0] * (n - k))

    assert coverage(plain, 20, 0.95) < 0.66  # type: ignore[arg-type]
    assert coverage(wilson_interval, 20, 0.95) > 0.9


def test_clusters_of_one_are_independent_scores() -> None:
    x = np.random.default_rng(2).normal(size=30)
    n = len(x)
    expected = standard_error(x) * math.sqrt((n - 1) / n)
    assert clustered_standard_error(x, np.arange(n)) == pytest.approx(expected)


@pytest.mark.equation("eq-clustered-error")
def test_clustered_error_adds_the_products_within_clusters() -> None:
    x, clusters = np.random.default_rng(3).random(12), np.repeat([3, 1, 2, 7], 3)
    d = x - x.mean()
    cross = sum(
        d[i] * d[j] for i in range(12) for j in range(12) if i != j and clusters[i] == clusters[j]
    )
    expected = (d @ d + cross) / 12**2
    assert clustered_standard_error(x, clusters) ** 2 == pytest.approx(expected)


@pytest.mark.equation("eq-clustered-error")
def test_clustered_error_is_what_repeated_samples_show() -> None:
    rng = np.random.default_rng(4)
    samples = rng.normal(size=(2000, 200, 1)) + 0.5 * rng.normal(size=(2000, 200, 4))
    clusters = np.repeat(np.arange(200), 4)
    estimates = [clustered_standard_error(sample.ravel(), clusters) for sample in samples[:200]]
    true = np.std(np.mean(samples, axis=(1, 2)))
    assert np.mean(estimates) == pytest.approx(true, rel=0.05)
    assert standard_error(samples[0].ravel()) < 0.6 * true


@pytest.mark.equation("eq-bootstrap")
def test_bootstrap_of_a_mean_approaches_the_normal_interval() -> None:
    x = np.random.default_rng(5).exponential(size=2000)
    found = bootstrap_interval(x, np.mean, rng=np.random.default_rng(6), n_resamples=4000)
    expected = mean_interval(x)
    half = expected.high - expected.value
    assert found.value == pytest.approx(expected.value)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.1 * half)


def test_bootstrap_resamples_rows_and_repeats_with_its_seed() -> None:
    rows = np.arange(20.0).reshape(10, 2)
    apart = [
        bootstrap_interval(rows, lambda r: float(np.max(r[:, 1] - r[:, 0])), rng=rng, n_resamples=9)
        for rng in map(np.random.default_rng, (0, 0))
    ]
    assert apart[0] == apart[1]
    assert (apart[0].low, apart[0].high) == (1, 1)


def test_bootstrap_of_a_median_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(7)
    intervals = [
        bootstrap_interval(rng.normal(size=60), np.median, rng=rng, n_resamples=300)
        for _ in range(300)
    ]
    assert 0.9 <= np.mean([found.low <= 0 <= found.high for found in intervals]) <= 0.99


def test_one_resample_is_enough_to_draw() -> None:
    rng = np.random.default_rng(8)
    found = bootstrap_interval([1.0, 2.0], np.mean, rng=rng, n_resamples=1)
    assert found.low == found.high
