"""Clusters that fail: closed forms, optima, exact integrals, and simulation against theory."""

import heapq
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from primer_ref.checkpoint_interval import daly_interval
from primer_ref.cluster import (
    Cluster,
    expected_goodput,
    expected_maximum_exponential,
    expected_maximum_normal,
    mean_time_between_failures,
    simulate_run,
)

LLAMA3 = Cluster(
    n_devices=16_384,
    device_mtbf=16_384 * 54 * 86_400 / 419,
    step_time=10.0,
    jitter=0.02,
    checkpoint_time=30.0,
    detection_time=60.0,
    restart_time=240.0,
)


@pytest.mark.equation("eq-cluster-mtbf")
def test_failures_of_many_devices_are_one_poisson_process() -> None:
    # Each device has a clock of its own and gets a new one at every failure: no superposition.
    rng = np.random.default_rng(0)
    n, mean = 50, 20.0
    clocks = [(rng.exponential(mean), device) for device in range(n)]
    heapq.heapify(clocks)
    times, devices = [], []
    for _ in range(20_000):
        now, device = clocks[0]
        heapq.heapreplace(clocks, (now + rng.exponential(mean), device))
        times.append(now)
        devices.append(device)
    cluster = replace(LLAMA3, n_devices=n, device_mtbf=mean)
    gaps = np.diff(times, prepend=0)
    assert stats.kstest(gaps, stats.expon(scale=cluster.mtbf).cdf).pvalue > 0.01
    assert stats.chisquare(np.bincount(devices, minlength=n)).pvalue > 0.01
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 0.03


@pytest.mark.equation("eq-mtbf-estimate")
def test_llama_3_interruptions_give_years_for_a_device_and_hours_for_the_cluster() -> None:
    # Dubey et al. 2024, section 3.3.4: 419 unexpected interruptions in 54 days, 16,384 GPUs.
    days = mean_time_between_failures(419, n_devices=16_384, duration=54)
    assert 5 < days / 365 < 6
    np.testing.assert_allclose(LLAMA3.mtbf / 3600, 54 * 24 / 419)
    np.testing.assert_allclose(LLAMA3.device_mtbf / 86_400, days)


def test_a_simulated_llama_3_has_about_as_many_failures_and_its_effective_time() -> None:
    runs = [
        simulate_run(
            LLAMA3, n_steps=450_000, steps_per_checkpoint=80, rng=np.random.default_rng(seed)
        )
        for seed in range(4)
    ]
    per_day = sum(run.n_failures for run in runs) / sum(run.wall_time for run in runs) * 86_400
    np.testing.assert_allclose(per_day, 419 / 54, rtol=4 / math.sqrt(4 * 419))
    assert all(0.87 < run.goodput < 0.93 for run in runs)


def test_without_failures_only_checkpoints_cost() -> None:
    safe = replace(LLAMA3, device_mtbf=1e30, jitter=0.0)
    run = simulate_run(safe, n_steps=105, steps_per_checkpoint=20, rng=np.random.default_rng(0))
    assert (run.n_failures, run.lost_time, run.down_time, run.straggler_time) == (0, 0, 0, 0)
    assert run.checkpoint_time == 6 * 30
    assert run.goodput == 1050 / (1050 + 180)
    np.testing.assert_allclose(expected_goodput(safe, steps_per_checkpoint=20), 200 / 230)


def test_ten_thousand_attempts_on_average_are_allowed() -> None:
    # A stretch of t takes e^(t/M) attempts: a restart of log(10,000) M is at the limit.
    single = replace(LLAMA3, n_devices=1, device_mtbf=1.0, step_time=1e-9, jitter=0.0)
    limit = replace(single, checkpoint_time=0.0, detection_time=0.0, restart_time=math.log(10_000))
    run = simulate_run(limit, n_steps=1, steps_per_checkpoint=1, rng=np.random.default_rng(0))
    assert (run.n_failures, run.wall_time) == (0, 1e-9)


@pytest.mark.equation("eq-cluster-goodput")
@pytest.mark.equation("eq-goodput")
@pytest.mark.parametrize("steps_per_checkpoint", [20, 80, 300])
def test_the_simulation_converges_to_the_closed_form(steps_per_checkpoint: int) -> None:
    hard = replace(LLAMA3, device_mtbf=LLAMA3.device_mtbf / 5)
    expected = expected_goodput(hard, steps_per_checkpoint=steps_per_checkpoint)
    errors = []
    for n_steps in (4_000, 36_000):
        runs = [
            simulate_run(
                hard,
                n_steps=n_steps,
                steps_per_checkpoint=steps_per_checkpoint,
                rng=np.random.default_rng((seed, n_steps)),
            ).goodput
            for seed in range(40)
        ]
        deviation = np.std(runs)
        assert abs(np.mean(runs) - expected) < 4 * deviation / math.sqrt(40) + 1e-3
        errors.append(np.sqrt(np.mean((np.array(runs) - expected) ** 2)))
    # Nine times as long a run is three times as near.
    assert 2 < errors[0] / errors[1] < 4.5


def test_the_simulated_goodput_is_best_near_the_interval_of_young_and_daly() -> None:
    cluster = replace(LLAMA3, jitter=0.0, device_mtbf=LLAMA3.device_mtbf / 4)
    best = round(daly_interval(cluster.checkpoint_time, cluster.mtbf) / cluster.step_time)
    goodputs = {
        steps: simulate_run(
            cluster, n_steps=300_000, steps_per_checkpoint=steps, rng=np.random.default_rng(1)
        ).goodput
        for steps in (best // 3, best, 3 * best)
    }
    assert goodputs[best] > 1.01 * max(goodputs[best // 3], goodputs[3 * best])


def test_all_time_is_accounted_for() -> None:
    run = simulate_run(LLAMA3, n_steps=9000, steps_per_checkpoint=70, rng=np.random.default_rng(3))
    assert run.useful_time == 90_000
    np.testing.assert_allclose(
        run.straggler_time,
        9000 * (LLAMA3.mean_step_time - LLAMA3.step_time),
        rtol=0.02,
    )
    assert run.checkpoint_time == 30 * math.ceil(9000 / 70)
    assert run.down_time >= run.n_failures * 60
    assert run.lost_time <= run.n_failures * (70 * 10 + 70 * 0.4 + 30)


def test_a_hundred_thousand_devices_have_their_expected_goodput() -> None:
    large = replace(LLAMA3, n_devices=100_000, detection_time=10.0, restart_time=60.0)
    steps = round(daly_interval(large.checkpoint_time, large.mtbf) / large.mean_step_time)
    run = simulate_run(
        large, n_steps=450_000, steps_per_checkpoint=steps, rng=np.random.default_rng(4)
    )
    assert run.n_failures > 2000
    expected = expected_goodput(large, steps_per_checkpoint=steps)
    np.testing.assert_allclose(run.goodput, expected, atol=0.01)


@pytest.mark.equation("eq-harmonic-maximum")
@given(st.integers(1, 300))
def test_the_largest_exponential_time_has_the_harmonic_mean(n: int) -> None:
    mean = integrate.quad(lambda t: -np.expm1(n * np.log1p(-np.exp(-t))), 0, np.inf)[0]
    np.testing.assert_allclose(expected_maximum_exponential(n), mean, rtol=1e-7)


def test_the_harmonic_mean_approaches_gumbels_at_the_rate_of_one_over_2n() -> None:
    for n in (10, 1000, 100_000):
        gap = expected_maximum_exponential(n) - math.log(n) - np.euler_gamma
        np.testing.assert_allclose(gap * 2 * n, 1, rtol=1 / n)


def exact_maximum_normal(n: int) -> float:
    def density(x: float) -> float:
        return float(x * n * stats.norm.pdf(x) * np.exp((n - 1) * stats.norm.logcdf(x)))

    middle = math.sqrt(2 * math.log(n))
    return float(integrate.quad(density, -9, 12, points=[middle], limit=400, epsabs=1e-12)[0])


@pytest.mark.equation("eq-normal-maximum")
def test_the_largest_normal_number_approaches_extreme_value_theory_slowly() -> None:
    sizes = [10, 100, 1000, 10_000, 100_000]
    errors = np.array([expected_maximum_normal(n) - exact_maximum_normal(n) for n in sizes])
    assert np.all(np.diff(errors) < 0)
    np.testing.assert_allclose(errors[[0, -1]], [0.072, 0.0095], rtol=0.02)
    # The error falls like a power of 1/log n, between the first and the second.
    slope = np.polyfit(np.log(np.log(sizes)), np.log(errors), 1)[0]
    assert -1.5 < slope < -1
    np.testing.assert_allclose(exact_maximum_normal(2), 1 / math.sqrt(math.pi), rtol=1e-9)


def test_simulated_stragglers_are_the_latest_of_all() -> None:
    cluster = replace(LLAMA3, n_devices=500, device_mtbf=1e30, jitter=1.0)
    run = simulate_run(
        cluster, n_steps=20_000, steps_per_checkpoint=50_000, rng=np.random.default_rng(5)
    )
    drawn = np.random.default_rng(6).exponential(size=(4000, 500)).max(axis=1)
    mean = expected_maximum_exponential(500)
    np.testing.assert_allclose(run.straggler_time / 20_000, mean, atol=0.04)
    np.testing.assert_allclose(drawn.mean(), mean, atol=0.1)
