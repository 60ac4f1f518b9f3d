"""Clusters that fail: the statistics on cases with known answers, and what was stored."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from experiments import cluster_failures, record
from experiments.sampler_entropy import over
from primer_ref.cluster import Run

STORED: dict[str, Any] = record.load("cluster_failures")
CLUSTERS = {(found["devices"], found["checkpoint"]): found for found in STORED["intervals"]}
SIZES: dict[str, Any] = STORED["sizes"]


def deviation(estimate: dict[str, float]) -> float:
    """Standard error of an estimate, from its interval."""
    return (estimate["high"] - estimate["low"]) / (2 * 1.96)


# --- Cases with known answers ----------------------------------------------------------------


def test_the_fit_finds_the_minimum_of_a_curve_of_its_own_form() -> None:
    intervals = np.array([100.0, 200.0, 300.0, 700.0])
    goodputs = 1 / (1.02 + intervals / 2e4 + 4.5 / intervals)
    assert cluster_failures.best_interval(intervals, goodputs) == pytest.approx(300)


def test_the_largest_distance_is_that_of_kolmogorovs_test() -> None:
    gaps = np.random.default_rng(0).gamma(1.3, 2.0, size=200)
    expected = stats.kstest(gaps, stats.expon(scale=2.0).cdf).statistic
    assert cluster_failures.distance_from_exponential(gaps, 2.0) == pytest.approx(expected)


def test_separate_clocks_are_renewed_and_give_failures_of_the_summed_rate() -> None:
    # Devices that fail ten times on average: without renewal there would be at most 50 failures.
    cluster = replace(cluster_failures.PUBLISHED, n_devices=50, device_mtbf=10.0)
    times = cluster_failures.failure_times(cluster, 100.0, np.random.default_rng(0))
    assert abs(len(times) - 500) < 4 * math.sqrt(500)
    assert np.all(np.diff(times) >= 0)
    assert times[-1] < 100


def test_shares_are_those_of_the_summed_times() -> None:
    runs = [Run(6.0, 1.0, 1.0, 1.0, 1.0, 3), Run(2.0, 0.0, 4.0, 2.0, 2.0, 1)]
    assert cluster_failures.shares(runs) == {
        "useful": 0.4,
        "straggler": 0.05,
        "checkpoint": 0.25,
        "lost": 0.15,
        "down": 0.15,
    }


def test_the_mean_of_the_largest_of_two_normal_numbers_is_known() -> None:
    rng = np.random.default_rng(0)
    found = cluster_failures.mean_largest(rng.standard_normal, 2, 4000)
    assert abs(found["value"] - 1 / math.sqrt(math.pi)) < 4 * deviation(found)


# --- It comes out again ----------------------------------------------------------------------


def test_a_part_of_the_stored_goodputs_comes_out_again() -> None:
    found = CLUSTERS[100_000, 300.0]
    cluster = replace(
        cluster_failures.PUBLISHED, n_devices=100_000, checkpoint_time=300.0, jitter=0.0
    )
    place = 7
    steps = round(found["interval"][place] / cluster.step_time)
    runs = cluster_failures.runs_of(cluster, found["n_steps"], steps, STORED["seeds"], steps)
    fresh = record.plain(over([run.goodput for run in runs]))
    assert fresh == pytest.approx(found["goodput"][place], rel=1e-5)


def test_stored_stragglers_and_clocks_come_out_again() -> None:
    stored = STORED["stragglers"]
    fresh = record.plain(cluster_failures.stragglers(stored["devices"][:1], stored["draws"]))
    assert fresh["exponential"][0] == pytest.approx(stored["exponential"][0], rel=1e-4)
    devices = STORED["clocks"]["devices"][:1]
    fresh = record.plain(cluster_failures.clocks(devices, STORED["seeds"]))
    assert fresh["failures"][0] == STORED["clocks"]["failures"][0]
    assert fresh["rejected"][0] == STORED["clocks"]["rejected"][0]


# --- What was stored -------------------------------------------------------------------------


def test_separate_clocks_fail_as_often_as_one_and_as_irregularly() -> None:
    table = STORED["clocks"]
    assert table["devices"][-1] == 100_000
    assert table["expected"][1] == pytest.approx(419)
    for failures, expected in zip(table["failures"], table["expected"], strict=True):
        assert abs(failures["value"] - expected) < 4 * deviation(failures)
    rejected = sum(table["rejected"]) * STORED["seeds"]
    # Some 5 % of true samples are rejected.
    assert rejected <= stats.binom(3 * STORED["seeds"], 0.05).ppf(0.9999)


def test_simulated_goodputs_are_those_of_the_closed_form() -> None:
    for found in CLUSTERS.values():
        assert len(found["interval"]) >= 12
        for goodput, expected in zip(found["goodput"], found["expected"], strict=True):
            # Beside chance, a run of some days ends with a stretch of its own length.
            assert abs(goodput["value"] - expected) < 4 * deviation(goodput) + 1e-3


def test_rules_and_the_exact_interval_are_those_of_an_independent_maximum() -> None:
    for (_, checkpoint), found in CLUSTERS.items():
        mtbf, best = found["mtbf"], found["best"]

        def attempts(t: float, c: float = checkpoint, m: float = mtbf) -> float:
            return math.expm1((t + c) / m) / t

        exact = optimize.minimize_scalar(attempts, bounds=(10.0, 5000.0), method="bounded").x
        assert best["exact"] == pytest.approx(exact, rel=1e-3)
        assert best["young"] == pytest.approx(math.sqrt(2 * checkpoint * mtbf), rel=1e-5)
        assert best["daly"] == pytest.approx(best["exact"], rel=2e-3)
        at = found["expected_at"]
        assert at["young"] < at["exact"]
        assert at["daly"] <= at["exact"] + 1e-6


def test_the_simulated_best_interval_agrees_with_the_closed_form_fitted_alike() -> None:
    for found in CLUSTERS.values():
        best = found["best"]
        assert abs(best["simulated"]["value"] - best["fitted"]) < 4 * deviation(best["simulated"])
        assert best["fitted"] == pytest.approx(best["exact"], rel=0.04)


def test_at_many_devices_the_simulation_tells_young_from_daly() -> None:
    for key in [(100_000, 30.0), (100_000, 300.0)]:
        assert CLUSTERS[key]["best"]["simulated"]["high"] < CLUSTERS[key]["best"]["young"]


def test_goodput_falls_with_devices_as_the_closed_form_says() -> None:
    assert SIZES["devices"][-1] == 100_000
    values = [goodput["value"] for goodput in SIZES["goodput"]]
    assert values == sorted(values, reverse=True)
    for i, goodput in enumerate(SIZES["goodput"]):
        assert abs(goodput["value"] - SIZES["expected"][i]) < 4 * deviation(goodput) + 1e-3
        kept, expected = SIZES["kept"][i], SIZES["kept_expected"][i]
        assert abs(kept["value"] - expected) < 4 * deviation(kept) + 1e-3
        assert expected <= SIZES["expected"][i] + 1e-4
        assert SIZES["expected_low"][i] < SIZES["expected"][i] < SIZES["expected_high"][i]


def test_shares_of_time_add_up_and_failures_follow_the_rate() -> None:
    for i, parts in enumerate(SIZES["shares"]):
        assert sum(parts.values()) == pytest.approx(1, abs=1e-5)
        assert parts["useful"] == pytest.approx(SIZES["goodput"][i]["value"], abs=2e-3)
        rate = 419 / 54 * SIZES["devices"][i] / 16_384
        days = STORED["seeds"] * 100_000 * 10 / 86_400 / parts["useful"]
        assert abs(SIZES["failures"][i] - rate) < 4 * math.sqrt(rate / days)


def test_stragglers_are_extreme_values() -> None:
    table = STORED["stragglers"]
    for i, n in enumerate(table["devices"]):
        drawn, expected = table["exponential"][i], table["exponential_expected"][i]
        assert abs(drawn["value"] - expected) < 4 * deviation(drawn)
        assert expected == pytest.approx(sum(1 / k for k in range(1, n + 1)), rel=1e-5)
        assert table["simulated"][i] == pytest.approx(expected, abs=0.02)
        drawn, expected = table["normal"][i], table["normal_expected"][i]
        assert abs(drawn["value"] - expected) < 4 * deviation(drawn) + 0.03  # a known bias
