"""Mixed precision: the scaling rule, vanishing updates, and shifts that do not add accuracy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special

from primer_ref.mixed_precision import (
    LossScale,
    shifted_logsumexp,
    shifted_softmax,
    unshifted_logsumexp,
    unshifted_softmax,
    update_loss_scale,
    vanishing_update,
)
from primer_ref.numerics import BF16, FP16, FP32, FloatFormat, round_to, stochastic_round
from primer_ref.summation import kahan_sum

F = NDArray[np.float64]

formats = pytest.mark.parametrize("format", [BF16, FP16, FP32])


@pytest.mark.equation("eq-loss-scale")
def test_the_scale_halves_at_an_overflow_and_doubles_after_a_clean_interval() -> None:
    state = LossScale(1024.0)
    seen = []
    for overflowed in [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]:
        gradients = [1.0, np.nan if overflowed else -2.0]
        state = update_loss_scale(state, gradients, interval=3)
        seen.append(state.scale)
    assert seen == [1024] * 2 + [2048] + [1024] * 3 + [512] * 3 + [1024] * 3 + [2048]


def test_the_scale_settles_where_the_largest_gradient_just_fits() -> None:
    gradient, state = 3e-5, LossScale(1.0)
    scales = []
    for _ in range(600):
        scaled = round_to(gradient * state.scale, FP16)
        state = update_loss_scale(state, scaled, interval=10)
        scales.append(state.scale)
    fits = 2.0 ** np.floor(np.log2(FP16.max / gradient))
    assert set(scales[-100:]) == {fits, 2 * fits}


def test_scaling_saves_gradients_from_underflow() -> None:
    gradients = np.array([3e-8, 2e-8, 1e-3])
    assert round_to(gradients, FP16)[1] == 0
    saved = round_to(gradients * 2.0**12, FP16) / 2.0**12
    np.testing.assert_allclose(saved, gradients, rtol=FP16.unit_roundoff * 4)


@pytest.mark.equation("eq-vanishing")
@given(st.floats(-100, 100), st.sampled_from([BF16, FP16]))
def test_smaller_updates_vanish_and_some_larger_ones_do_not(w: float, format: FloatFormat) -> None:
    weight = float(round_to(w, format))
    limit = float(vanishing_update(weight, format))
    for sign in (-1, 1):
        assert round_to(weight + 0.999 * sign * limit, format) == weight
    inward = -1 if weight > 0 else 1
    assert round_to(weight + 1.001 * inward * limit, format) != weight
    if abs(weight) > format.smallest_normal:
        assert format.unit_roundoff / 2 <= limit / abs(weight) <= format.unit_roundoff


def test_a_master_copy_a_carry_and_chance_keep_what_plain_bfloat16_loses() -> None:
    step, n = 2.0**-10, 1000
    rng = np.random.default_rng(0)
    plain = random = master = 1.0
    for _ in range(n):
        plain = float(round_to(plain + step, BF16))
        random = float(stochastic_round(random + step, BF16, rng=rng))
        master = float(round_to(master + step, FP32))
    carried = kahan_sum(np.append(1.0, np.full(n, step)), BF16)
    truth = 1 + n * step
    assert step < vanishing_update(1.0, BF16)
    assert plain == 1
    assert master == truth
    assert abs(carried - truth) <= BF16.unit_roundoff * truth
    assert abs(random - truth) < 4 * np.sqrt(n * step * 2**-7)


def test_a_carry_loses_updates_below_the_square_of_the_unit_roundoff() -> None:
    n, limit = 3000, BF16.unit_roundoff**2
    for factor, share in ((1.1, 1.0), (0.9, 0.0)):
        step = float(round_to(factor * limit, BF16))
        carried = kahan_sum(np.append(1.0, np.full(n, step)), BF16)
        assert abs(carried - (1 + share * n * step)) <= BF16.epsilon


def test_at_a_rate_of_1e_4_weights_above_a_thirty_second_stand_still() -> None:
    weights = np.unique(round_to(np.linspace(0.02, 0.07, 10_000), BF16))
    stands = vanishing_update(weights, BF16) > 1e-4
    np.testing.assert_array_equal(stands, weights > 2**-5)


@pytest.mark.equation("eq-shifted-softmax")
@pytest.mark.equation("eq-shifted-lse")
@formats
def test_shifting_prevents_overflow(format: FloatFormat) -> None:
    x = np.array([0.0, np.floor(np.log(format.max))])[:, None] + np.array([1.0, 2.0])
    assert np.isinf(unshifted_logsumexp(x, format)[1])
    assert np.isnan(unshifted_softmax(x, format)[1]).any()
    np.testing.assert_allclose(
        shifted_logsumexp(x, format), special.logsumexp(x, axis=-1), rtol=2 * format.epsilon
    )
    np.testing.assert_allclose(
        shifted_softmax(x, format), special.softmax(x, axis=-1), rtol=8 * format.epsilon
    )


def scores(format: FloatFormat, n: int) -> F:
    return round_to(np.random.default_rng(n).uniform(-5, 5, (1000, n)), format)


@pytest.mark.equation("eq-lse-errors")
@formats
@pytest.mark.parametrize("n", [4, 16, 48])
def test_both_formulas_keep_within_their_bounds(format: FloatFormat, n: int) -> None:
    x, u = scores(format, n), format.unit_roundoff
    spread = np.ptp(x, axis=-1)
    exact = special.logsumexp(x, axis=-1)
    gamma = n * u / (1 - n * u)  # n − 1 additions and one exponential
    plain = -np.log1p(-gamma) + u * (np.abs(exact) + gamma)
    assert np.all(np.abs(unshifted_logsumexp(x, format) - exact) <= plain)
    # A difference of relative error u moves its exponential by a factor within e^(±u·spread).
    inner = -np.log1p(-gamma) + u * spread
    log_total = np.log(n) + inner
    shifted = inner + u * log_total + u * (np.abs(exact) + inner + u * log_total)
    assert np.all(np.abs(shifted_logsumexp(x, format) - exact) <= shifted)


def rms(x: F) -> float:
    return float(np.sqrt(np.mean(x * x)))


@pytest.mark.equation("eq-shifted-softmax")
@pytest.mark.equation("eq-shifted-lse")
@formats
@pytest.mark.parametrize("n", [8, 48])
def test_shifting_does_not_add_accuracy(format: FloatFormat, n: int) -> None:
    x = scores(format, n)
    exact, p = special.logsumexp(x, axis=-1), special.softmax(x, axis=-1)
    plain = rms(unshifted_logsumexp(x, format) - exact)
    assert 1 <= rms(shifted_logsumexp(x, format) - exact) / plain <= 1.3
    plain = rms(unshifted_softmax(x, format) / p - 1)
    assert 1.3 <= rms(shifted_softmax(x, format) / p - 1) / plain <= 3


@formats
def test_shifting_loses_digits_of_log_probabilities(format: FloatFormat) -> None:
    rng = np.random.default_rng(1)
    x = round_to(np.log(rng.dirichlet(np.ones(32), 1000) + 1e-4), format)
    exact = special.logsumexp(x, axis=-1)  # near 0, as the difference of two numbers near 2
    plain, shifted = (f(x, format) - exact for f in (unshifted_logsumexp, shifted_logsumexp))
    assert rms(shifted) > 1.1 * rms(plain)
