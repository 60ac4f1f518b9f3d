"""Recursive fitting: exact moments against simulation and recursion, drift against enumeration."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from primer_ref.collapse import (
    accumulated_variance,
    expected_heterozygosity,
    expected_support,
    expected_variance,
    refit_chain,
    resample_chain,
    variance_fixed_point,
)

F = NDArray[np.float64]


def moments(n: int, m: int, k: int, variance: float) -> tuple[float, float]:
    """Mean variance and squared drift, step by step from the law of total variance."""
    a, v, drift = k / m, variance, 0.0
    for _ in range(n):
        drawn = a * variance + (1 - a) * v
        v, drift = (1 - 1 / m) * drawn + a * (1 - a) * drift, (1 - a) ** 2 * drift + drawn / m
    return v, drift


@pytest.mark.parametrize("n", [0, 1, 2, 17])
@pytest.mark.parametrize(("m", "k"), [(1, 0), (5, 0), (5, 1), (5, 4), (5, 5), (40, 3)])
@pytest.mark.equation("eq-refit-variance")
def test_closed_form_follows_the_law_of_total_variance(n: int, m: int, k: int) -> None:
    v, drift = moments(n, m, k, 2.5)
    ours = expected_variance(n, sample_size=m, n_real=k, variance=2.5)
    np.testing.assert_allclose([ours, 2.5 - ours], [v, drift], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("k", "n"), [(0, 12), (2, 12)])
@pytest.mark.equation("eq-refit-variance")
@pytest.mark.equation("eq-refit-drift")
def test_simulated_chains_have_the_stated_variance_and_drift(k: int, n: int) -> None:
    rng = np.random.default_rng(1)
    means, variances = refit_chain(n, sample_size=8, n_real=k, variance=4, n_chains=40_000, rng=rng)
    assert means.shape == variances.shape == (n + 1, 40_000)
    for t in (1, n):
        expected = expected_variance(t, sample_size=8, n_real=k, variance=4)
        for seen, value in ((variances[t], expected), (means[t] ** 2, 4 - expected)):
            error = np.std(seen) / math.sqrt(len(seen))
            assert abs(np.mean(seen) - value) < 4 * error


def test_without_real_data_the_variance_falls_by_one_mth_a_generation() -> None:
    for n in (0, 1, 50):
        np.testing.assert_allclose(expected_variance(n, sample_size=7), (6 / 7) ** n)
    assert variance_fixed_point(sample_size=7, n_real=0) == 0


@pytest.mark.equation("eq-refit-log")
def test_the_logarithm_of_the_variance_falls_as_a_chi_square_says() -> None:
    m, n = 10, 60
    _, variances = refit_chain(n, sample_size=m, n_chains=4000, rng=np.random.default_rng(2))
    fall = np.log(variances[-1]) / n
    # E log χ²_k = ψ(k/2) + log 2, here from quadrature.
    expected = stats.chi2(m - 1).expect(np.log) - math.log(m)
    assert abs(np.mean(fall) - expected) < 4 * np.std(fall) / math.sqrt(4000)
    assert expected < math.log((m - 1) / m)


@pytest.mark.parametrize("k", [1, 2, 5])
@pytest.mark.equation("eq-refit-fixed-point")
def test_a_few_real_draws_keep_two_k_in_two_k_plus_one_of_the_variance(k: int) -> None:
    limits = [variance_fixed_point(sample_size=m, n_real=k) for m in (10**3, 10**4, 10**5)]
    gaps = np.abs(np.array(limits) - 2 * k / (2 * k + 1))
    np.testing.assert_allclose(gaps[:-1] / gaps[1:], 10, rtol=0.02)  # first order in 1/m
    late = expected_variance(20_000, sample_size=1000, n_real=k)
    np.testing.assert_allclose(late, limits[0], rtol=1e-12)


@pytest.mark.equation("eq-accumulated-variance")
def test_simulated_pools_have_the_stated_variance() -> None:
    rng = np.random.default_rng(4)
    sizes = [3, 2, 5, 4]
    pool = np.empty((40_000, 0))
    for i, size in enumerate(sizes):
        mean, scale = (0.0, 2.0) if i == 0 else (pool.mean(1), pool.std(1))
        draws = np.asarray(mean)[..., None] + np.asarray(scale)[..., None] * rng.normal(
            size=(40_000, size)
        )
        pool = np.concatenate([pool, draws], axis=1)
        seen = pool.var(1)
        expected = accumulated_variance(sizes[: i + 1], variance=4)
        assert abs(np.mean(seen) - expected) < 4 * np.std(seen) / 200
    assert accumulated_variance([]) == 1


@pytest.mark.equation("eq-accumulated-limit")
def test_accumulated_generations_of_one_size_follow_eulers_product() -> None:
    for m in (2, 10, 100):
        x = math.pi / math.sqrt(m)
        limit = math.sin(x) / x
        gaps = [accumulated_variance([m] * n) - limit for n in (400, 800)]
        np.testing.assert_allclose(gaps[0] / gaps[1], 2, rtol=0.01)  # the tail is 1/(m n)
        assert 0 < gaps[0] < limit / (400 * m) * 1.1
    assert accumulated_variance([1] * 3) == 0  # one real draw has no variance


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=60), st.integers(2, 500))
@pytest.mark.equation("eq-accumulated-floor")
def test_no_schedule_of_accumulation_loses_more_than_two_over_the_real_draws(
    sizes: list[int], real: int
) -> None:
    assert accumulated_variance([real, *sizes]) > 1 - 2 / real


def enumerate_refits(p: F, n: int, m: int) -> dict[tuple[float, ...], float]:
    """Law of the n-th generation: every sample of every generation, with its probability."""
    laws = {tuple(p.tolist()): 1.0}
    counts = [c for c in itertools.product(range(m + 1), repeat=len(p)) if sum(c) == m]
    for _ in range(n):
        following: dict[tuple[float, ...], float] = {}
        for law, weight in laws.items():
            for c in counts:
                q = tuple(k / m for k in c)
                chance = float(stats.multinomial.pmf(c, m, law))
                following[q] = following.get(q, 0.0) + weight * chance
        laws = following
    return laws


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.equation("eq-heterozygosity")
@pytest.mark.equation("eq-refit-support")
def test_categorical_drift_agrees_with_enumeration(n: int) -> None:
    p, m = np.array([0.5, 0.3, 0.2, 0.0]), 4
    laws = enumerate_refits(p, n, m)
    diversity = sum(w * (1 - sum(x * x for x in law)) for law, w in laws.items())
    support = sum(w * sum(x > 0 for x in law) for law, w in laws.items())
    np.testing.assert_allclose(expected_heterozygosity(p, n, sample_size=m), diversity, rtol=1e-12)
    np.testing.assert_allclose(expected_support(p, n, sample_size=m), support, rtol=1e-12)


def test_laws_in_single_precision_are_squared_in_double() -> None:
    small = 2.0**-20
    p = np.array([small, 1 - small], np.float32)
    drift = expected_heterozygosity(p, 0, sample_size=4)
    np.testing.assert_allclose(drift, 2 * small * (1 - small), rtol=1e-9)


@pytest.mark.equation("eq-refit-support")
def test_expected_support_has_its_closed_form_after_one_refit_and_falls_to_one() -> None:
    p = np.arange(1, 9) / 36
    once = np.sum(1 - (1 - p) ** 12)
    np.testing.assert_allclose(expected_support(p, 1, sample_size=12), once, rtol=1e-12)
    np.testing.assert_allclose(expected_support(p, 500, sample_size=12), 1, atol=1e-9)


def test_a_law_that_rounding_puts_above_one_keeps_its_outcome() -> None:
    for p in ([1 + 2**-52], [1 + 5e-9, 0.0]):
        for n in (1, 2):
            np.testing.assert_allclose(expected_support(p, n, sample_size=10), 1, rtol=1e-12)


def test_simulated_laws_drift_as_stated() -> None:
    rng = np.random.default_rng(3)
    p = np.array([0.6, 0.2, 0.1, 0.1])
    runs = np.array([resample_chain(p, 6, sample_size=10, rng=rng) for _ in range(3000)])
    assert runs.shape == (3000, 7, 4)
    np.testing.assert_allclose(runs.sum(-1), 1)
    diversity = 1 - np.sum(runs[:, 6] ** 2, -1)
    support = np.count_nonzero(runs[:, 6], -1)
    for seen, value in (
        (diversity, expected_heterozygosity(p, 6, sample_size=10)),
        (support, expected_support(p, 6, sample_size=10)),
    ):
        assert abs(np.mean(seen) - value) < 4 * np.std(seen) / math.sqrt(3000)
    assert np.all(runs[:, 6][runs[:, 3] == 0] == 0)  # what is lost stays lost
