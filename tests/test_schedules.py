"""Schedules at their ends and in the mean; noise recovered from gradients whose noise is known."""

from __future__ import annotations

import math
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.optim import adam, initial_moments
from primer_ref.schedules import (
    NoiseScale,
    accumulate,
    critical_batch_tokens,
    gradient_noise_scale,
    linear_rate,
    square_root_rate,
    warmup_cosine,
    warmup_stable_decay,
)

Doubles = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.equation("eq-warmup-cosine")
@given(st.integers(0, 20), st.integers(1, 100), st.floats(0, 1))
def test_cosine_passes_its_corners_and_averages_half_way(
    warmup: int, length: int, share: float
) -> None:
    peak, floor, total = 2.0, 2.0 * share, warmup + length
    rates = warmup_cosine(range(total + 1), peak=peak, warmup=warmup, total=total, floor=floor)
    assert rates[warmup] == pytest.approx(peak)
    assert rates[total] == pytest.approx(floor, abs=1e-12)
    np.testing.assert_allclose(
        rates[: warmup + 1], np.linspace(0 if warmup else peak, peak, warmup + 1)
    )
    assert np.all(np.diff(rates[warmup:]) <= 1e-12)
    # Half a cosine has the mean of its ends; the trapezoid rule is exact for it.
    fall = rates[warmup:]
    assert float(np.sum(fall[1:] + fall[:-1])) / 2 / length == pytest.approx((peak + floor) / 2)
    middle = warmup_cosine(warmup + length / 4, peak=peak, warmup=warmup, total=total, floor=floor)
    assert middle == pytest.approx(floor + (peak - floor) * (2 + math.sqrt(2)) / 4)


def test_steps_in_bytes_may_be_fewer_than_those_of_the_warmup() -> None:
    rates = warmup_cosine(np.arange(5, dtype=np.uint8), peak=1.0, warmup=400, total=500)
    np.testing.assert_allclose(rates, np.arange(5) / 400)


@pytest.mark.equation("eq-stable-decay")
@given(st.integers(0, 20), st.integers(0, 50), st.integers(1, 50), st.floats(0, 1))
def test_the_trapezoid_passes_its_corners_and_has_its_area(
    warmup: int, flat: int, fall: int, share: float
) -> None:
    peak, floor = 2.0, 2.0 * share
    stable, total = warmup + flat, warmup + flat + fall
    rates = warmup_stable_decay(
        range(total + 1), peak=peak, warmup=warmup, stable=stable, total=total, floor=floor
    )
    assert np.all(rates[warmup : stable + 1] == peak)
    assert rates[total] == pytest.approx(floor)
    area = float(np.sum(rates[1:] + rates[:-1])) / 2
    assert area == pytest.approx(peak * (warmup / 2 + flat) + (peak + floor) / 2 * fall)


def test_a_schedule_may_be_nothing_but_warm_up() -> None:
    assert warmup_cosine([2, 4], peak=1.0, warmup=4, total=4).tolist() == [0.5, 1.0]
    rates = warmup_stable_decay([2, 4], peak=1.0, warmup=4, stable=4, total=4)
    assert rates.tolist() == [0.5, 1.0]


# --- Noise -----------------------------------------------------------------------------------


@pytest.mark.equation("eq-noise-estimates")
@given(st.floats(0.01, 10), st.floats(0, 100), st.integers(1, 50), st.integers(1, 50))
def test_exact_expectations_give_signal_and_noise_back(
    signal: float, noise: float, n_small: int, more: int
) -> None:
    n_large = n_small + more
    found = gradient_noise_scale(
        signal + noise / n_small, signal + noise / n_large, n_small=n_small, n_large=n_large
    )
    scale = signal + noise
    assert found.signal == pytest.approx(signal, abs=1e-9 * scale * n_large)
    assert found.noise == pytest.approx(noise, abs=1e-9 * scale * n_large)


@pytest.mark.equation("eq-batch-covariance")
@pytest.mark.equation("eq-noise-estimates")
def test_the_noise_of_gaussian_gradients_is_recovered_without_bias() -> None:
    rng = np.random.default_rng(11)
    true, mix = rng.normal(size=20) / 2, rng.normal(size=(20, 20))
    trials, n_small, n_large = 4000, 2, 16
    examples = true + rng.normal(size=(trials, n_large, 20)) @ mix
    small, large = (
        np.sum(np.mean(examples[:, :n], axis=1) ** 2, axis=-1) for n in (n_small, n_large)
    )
    found = [
        gradient_noise_scale(s, g, n_small=n_small, n_large=n_large)
        for s, g in zip(small, large, strict=True)
    ]
    for estimates, truth in (
        (np.array([one.signal for one in found]), float(true @ true)),
        (np.array([one.noise for one in found]), float(np.trace(mix.T @ mix))),
    ):
        error = float(np.std(estimates)) / math.sqrt(trials)
        assert abs(float(np.mean(estimates)) - truth) < 4 * error
        assert 4 * error < truth / 2  # the test could tell a factor of 2
    together = gradient_noise_scale(small, large, n_small=n_small, n_large=n_large)
    assert together.noise == pytest.approx(np.mean([one.noise for one in found]))
    assert min(one.signal for one in found) < 0  # why norms are averaged before dividing


@pytest.mark.equation("eq-noise-scale")
def test_the_noise_scale_is_where_noise_and_signal_are_even() -> None:
    scale = NoiseScale(signal=0.5, noise=40.0)
    assert scale.noise / scale.batch == scale.signal
    for signal in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="signal must be positive"):
            _ = NoiseScale(signal=signal, noise=1.0).batch


@pytest.mark.equation("eq-step-gain")
@pytest.mark.equation("eq-best-gain")
@pytest.mark.equation("eq-steps-examples")
def test_the_best_step_of_a_quadratic_and_its_gain_follow_the_noise_scale() -> None:
    rng = np.random.default_rng(3)
    pool, root = rng.normal(size=(4, 3)) + 1, rng.normal(size=(3, 3))
    hessian, g = root @ root.T, pool.mean(axis=0)
    covariance = np.cov(pool, rowvar=False, bias=True)
    scale = np.trace(hessian @ covariance) / (g @ hessian @ g)
    gain_of_all = (g @ g) ** 2 / (g @ hessian @ g) / 2
    for n in (1, 2, 3):
        # Every batch of n drawn with replacement, all equally likely.
        batches = np.array([np.mean(rows, axis=0) for rows in product(pool, repeat=n)])
        bend = np.mean(np.sum(batches @ hessian * batches, axis=1))
        assert bend == pytest.approx(g @ hessian @ g + np.trace(hessian @ covariance) / n)
        rate = np.mean(batches @ g) / bend  # where -rate g·g_B + rate² bend / 2 is least
        assert rate == pytest.approx((g @ g) / (g @ hessian @ g) / (1 + scale / n))
        gain = rate * (g @ g) - rate**2 * bend / 2
        assert gain == pytest.approx(gain_of_all / (1 + scale / n))
        steps = gain_of_all / gain  # for the gain of one step with unlimited batches
        assert (steps - 1) * (steps * n / scale - 1) == pytest.approx(1)


@pytest.mark.equation("eq-critical-batch")
def test_the_critical_batch_grows_as_published() -> None:
    # Kaplan et al. 2020: 2·10⁸ tokens at one nat, about doubling for every 13 % less loss.
    assert critical_batch_tokens(1.0) == 2e8
    assert critical_batch_tokens(0.87) / critical_batch_tokens(1.0) == pytest.approx(2, rel=0.05)
    losses = np.array([1.5, 6.0])
    slope = np.diff(np.log([critical_batch_tokens(x) for x in losses])) / np.diff(np.log(losses))
    assert slope == pytest.approx(-1 / 0.21)


# --- Batches ---------------------------------------------------------------------------------


@pytest.mark.equation("eq-linear-rate")
@pytest.mark.equation("eq-root-rate")
def test_one_large_step_is_as_far_as_many_small_ones_and_as_noisy_as_one() -> None:
    rate, base, batch = 0.1, 8, 32
    steps = batch // base
    assert linear_rate(rate, batch=batch, base=base) == pytest.approx(steps * rate)
    larger = square_root_rate(rate, batch=batch, base=base)
    assert larger**2 / batch == pytest.approx(rate**2 / base)
    there = square_root_rate(larger, batch=base, base=batch)
    assert there == pytest.approx(rate)


@pytest.mark.equation("eq-linear-rate")
def test_descent_drifts_and_spreads_alike_over_given_examples_by_the_linear_rule() -> None:
    rng = np.random.default_rng(9)

    def moved(batch: int, rate: float) -> tuple[float, float]:
        steps = 960 // batch
        seen = 0.5 + rng.standard_normal((4000, steps, batch)).mean(axis=2)
        there = -rate * seen.sum(axis=1)
        return float(there.mean()), float(there.std())

    small = moved(8, 1e-2)
    assert moved(32, linear_rate(1e-2, batch=32, base=8)) == pytest.approx(small, rel=0.1)
    assert moved(32, square_root_rate(1e-2, batch=32, base=8)) != pytest.approx(small, rel=0.1)


@pytest.mark.equation("eq-root-rate")
def test_adam_drifts_and_spreads_alike_over_given_examples_by_the_square_root_rule() -> None:
    rng = np.random.default_rng(9)

    def drift(batch: int, rate: float) -> tuple[float, float]:
        x, state = np.zeros(500), initial_moments(np.zeros(500))
        for _ in range(64_000 // batch):
            seen = -0.02 + rng.standard_normal(500) / np.sqrt(batch)
            x, state = adam(
                x, seen, state, rate=rate, beta1=1 - batch / 320, beta2=1 - batch / 3200
            )
        return float(x.mean()), float(x.std())

    small = drift(32, 1e-3)
    root = drift(128, square_root_rate(1e-3, batch=128, base=32))
    line = drift(128, linear_rate(1e-3, batch=128, base=32))
    np.testing.assert_allclose(root, small, rtol=0.15)
    assert line[0] > 1.6 * small[0] > 0
    assert line[1] > 1.6 * small[1]


@pytest.mark.equation("eq-token-weighted")
@given(seeds)
def test_parts_weighted_by_tokens_are_the_whole_batch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y, w = rng.normal(size=(30, 3)), rng.normal(size=30), rng.normal(size=3)

    def part(rows: slice) -> tuple[float, dict[str, Doubles], int]:
        off = x[rows] @ w - y[rows]
        return float(np.mean(off**2)), {"w": 2 * off @ x[rows] / len(off)}, len(off)

    cuts = [0, *sorted(rng.choice(np.arange(1, 30), 3, replace=False)), 30]
    parts = [part(slice(a, b)) for a, b in pairwise(cuts)]
    loss, gradient = accumulate(parts)
    whole = part(slice(None))
    assert loss == pytest.approx(whole[0], rel=1e-12)
    np.testing.assert_allclose(gradient["w"], whole[1]["w"], rtol=1e-10, atol=1e-12)


@pytest.mark.equation("eq-mean-of-means")
@given(seeds)
def test_the_mean_of_means_is_off_by_the_covariance_of_length_and_gradient(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n, g = rng.integers(1, 50, size=6), rng.normal(size=(6, 3))
    _, whole = accumulate([(0.0, part, int(count)) for part, count in zip(g, n, strict=True)])
    covariance = np.cov(np.column_stack([n, g]), rowvar=False, bias=True)[0, 1:]
    np.testing.assert_allclose(g.mean(axis=0) - whole, -covariance / n.mean(), atol=1e-12)


def test_accumulation_keeps_single_precision() -> None:
    one = np.ones(2, np.float32)
    counts = np.array([3, 4])
    _, gradient = accumulate([(1.0, one, int(counts[0])), (1.0, one, counts[1])])
    assert gradient.dtype == np.float32
