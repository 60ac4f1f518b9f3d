"""Softmax and its relatives: SciPy, identities, bounds, finite differences, what they refuse."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray
from scipy import special

from primer_ref.functional import (
    as_floats,
    entropy_slope,
    log_softmax,
    logsumexp,
    softmax,
    softmax_jacobian,
    softmax_vjp,
)
from primer_ref.information import entropy, kl_divergence

F = NDArray[np.float64]

scores = arrays(float, st.integers(1, 8), elements=st.floats(-30, 30))
temperatures = st.floats(0.2, 10)


def variance(p: ArrayLike, s: ArrayLike) -> float:
    p, s = np.asarray(p), np.asarray(s)
    return float(p @ s**2 - (p @ s) ** 2)


@pytest.mark.equation("eq-softmax")
@given(scores, temperatures)
def test_softmax_agrees_with_scipy(s: F, t: float) -> None:
    np.testing.assert_allclose(softmax(s, temperature=t), special.softmax(s / t), rtol=1e-12)


@given(scores, st.floats(-1e3, 1e3))
def test_softmax_does_not_see_a_common_shift(s: F, shift: float) -> None:
    np.testing.assert_allclose(softmax(s + shift), softmax(s), rtol=1e-10, atol=1e-300)


def test_softmax_runs_along_the_axis_it_is_given() -> None:
    s = np.arange(24.0).reshape(2, 3, 4) ** 1.5
    np.testing.assert_allclose(softmax(s, axis=1), special.softmax(s, axis=1), rtol=1e-12)
    np.testing.assert_allclose(log_softmax(s, axis=0), special.log_softmax(s, axis=0), rtol=1e-12)
    np.testing.assert_allclose(logsumexp(s, axis=1), special.logsumexp(s, axis=1), rtol=1e-12)
    p, dp = softmax(s, axis=1), np.sin(s)
    expected = np.swapaxes(softmax_vjp(np.swapaxes(p, 1, 2), np.swapaxes(dp, 1, 2)), 1, 2)
    np.testing.assert_allclose(softmax_vjp(p, dp, axis=1), expected, rtol=1e-12)


def test_extreme_scores_neither_overflow_nor_warn() -> None:
    np.testing.assert_array_equal(softmax([1e308, -1e308, -np.inf], temperature=1e-3), [1, 0, 0])
    np.testing.assert_array_equal(softmax([1e308, 1e308]), [0.5, 0.5])
    assert log_softmax([0, -1000])[1] == -1000


@pytest.mark.parametrize("function", [softmax, log_softmax, entropy_slope])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_without_a_softmax_are_refused(function: object, bad: float) -> None:
    assert callable(function)
    with pytest.raises(ValueError, match="finite largest score"):
        function([0, bad])
    with pytest.raises(ValueError, match="got -inf"):
        function([[0, 1], [-np.inf, -np.inf]])
    with pytest.raises(ValueError, match="at least one score"):
        function(np.zeros((2, 0)))


@pytest.mark.parametrize("temperature", [0, -1, np.nan, np.inf])
def test_a_temperature_is_positive_and_finite(temperature: float) -> None:
    for function in (softmax, log_softmax, softmax_jacobian):
        with pytest.raises(ValueError, match="temperature must be positive"):
            function([0.5, 0.5], temperature=temperature)
    with pytest.raises(ValueError, match="temperature must be positive"):
        softmax_vjp([1], [1], temperature=temperature)


def test_single_precision_stays_and_everything_else_is_double() -> None:
    s = np.array([0, 1, -np.inf], np.float32)
    p = softmax(s, temperature=0.7)
    every = (p, log_softmax(s), logsumexp(s), softmax_jacobian(p), softmax_vjp(p, p))
    assert {x.dtype for x in (*every, entropy_slope(s))} == {np.dtype(np.float32)}
    assert softmax(np.array([1, 2], np.float16)).dtype == softmax([1, 2]).dtype == np.float64
    assert as_floats(s) is s


@pytest.mark.equation("eq-log-softmax")
@given(scores, temperatures)
def test_log_softmax_is_the_logarithm(s: F, t: float) -> None:
    np.testing.assert_allclose(log_softmax(s, temperature=t), s / t - logsumexp(s / t), atol=1e-12)
    np.testing.assert_allclose(np.exp(log_softmax(s, temperature=t)), softmax(s, temperature=t))


@pytest.mark.equation("eq-lse")
@given(scores)
def test_logsumexp_agrees_with_scipy(s: F) -> None:
    np.testing.assert_allclose(logsumexp(s), special.logsumexp(s), rtol=1e-13, atol=1e-13)


def test_logsumexp_of_infinite_scores() -> None:
    rows = [[-np.inf, -np.inf], [np.inf, 0], [np.nan, 0], [0, -np.inf], [np.inf, -np.inf]]
    np.testing.assert_array_equal(logsumexp(rows), [-np.inf, np.inf, np.nan, 0, np.inf])


@pytest.mark.equation("eq-lse-bounds")
@given(scores, temperatures)
def test_soft_maximum_lies_between_the_maximum_and_log_n_above(s: F, t: float) -> None:
    soft = t * logsumexp(s / t)
    assert s.max() - 1e-12 <= soft <= s.max() + t * math.log(len(s)) + 1e-12


@pytest.mark.equation("eq-lse-bounds")
def test_the_bounds_are_reached() -> None:
    assert logsumexp([3, -np.inf, -np.inf]) == 3
    np.testing.assert_allclose(2 * logsumexp(np.full(5, 3) / 2), 3 + 2 * math.log(5))


@pytest.mark.equation("eq-softmax-variational")
@given(scores, temperatures, st.integers(0, 2**32 - 1))
def test_reward_plus_entropy_is_lse_less_divergence(s: F, t: float, seed: int) -> None:
    p = np.random.default_rng(seed).dirichlet(np.ones(len(s)))
    best = softmax(s, temperature=t)
    gap = t * logsumexp(s / t) - (p @ s + t * entropy(p))
    # Divergence in logarithms: the maximizer may hold weights too small for entropy's check.
    divergence = p @ (np.log(p) - log_softmax(s, temperature=t))
    np.testing.assert_allclose(gap, t * divergence, atol=1e-10)
    assert gap >= -1e-10
    np.testing.assert_allclose(best @ s + t * entropy(best), t * logsumexp(s / t), atol=1e-10)


@pytest.mark.equation("eq-softmax-jacobian")
@given(scores, temperatures)
def test_jacobian_is_the_derivative(s: F, t: float) -> None:
    jacobian = softmax_jacobian(softmax(s, temperature=t), temperature=t)
    h = 1e-5
    step = h * np.eye(len(s))
    up, down = softmax(s + step, temperature=t), softmax(s - step, temperature=t)
    np.testing.assert_allclose(jacobian, ((up - down) / (2 * h)).T, atol=1e-7)


@pytest.mark.equation("eq-softmax-jacobian")
@given(arrays(float, st.integers(2, 8), elements=st.floats(-5, 5)))
def test_jacobian_has_one_null_direction_and_is_at_most_a_half(s: F) -> None:
    jacobian = softmax_jacobian(softmax(s))
    values = np.linalg.eigvalsh(jacobian)
    np.testing.assert_allclose(jacobian.sum(axis=1), 0, atol=1e-15)
    assert abs(values[0]) < 1e-14 < values[1]
    assert values[-1] <= 0.5 + 1e-15


@pytest.mark.equation("eq-jacobian-saturation")
@given(scores)
def test_a_confident_softmax_passes_no_gradient(s: F) -> None:
    p = softmax(s)
    size = np.linalg.norm(softmax_jacobian(p))
    rest = float(np.sum(np.delete(p, np.argmax(p))))
    top = np.sort(s)
    gap = float(top[-1] - top[-2]) if len(s) > 1 else math.inf
    assert size <= 1 - p @ p + 1e-12
    assert 1 - p @ p <= 2 * rest + 1e-12
    assert rest <= (len(s) - 1) * math.exp(-gap) + 1e-12


@pytest.mark.equation("eq-softmax-vjp")
@given(scores, temperatures, st.integers(0, 2**32 - 1))
def test_vjp_is_the_jacobian_times_the_gradient(s: F, t: float, seed: int) -> None:
    p, dp = softmax(s, temperature=t), np.random.default_rng(seed).normal(size=len(s))
    expected = softmax_jacobian(p, temperature=t) @ dp
    np.testing.assert_allclose(softmax_vjp(p, dp, temperature=t), expected, atol=1e-13)


@pytest.mark.equation("eq-entropy-slope")
@given(scores, temperatures)
def test_entropy_slope_is_the_derivative_in_the_temperature(s: F, t: float) -> None:
    h = 1e-4 * t
    ends = [entropy(softmax(s, temperature=t + d)) for d in (h, -h)]
    slope = (ends[0] - ends[1]) / (2 * h)
    np.testing.assert_allclose(entropy_slope(s, temperature=t), slope, rtol=1e-5, atol=1e-7)
    assert entropy_slope(s, temperature=t) >= 0


@pytest.mark.equation("eq-entropy-beta")
def test_entropy_slope_in_the_inverse_temperature() -> None:
    s = np.array([2, 1, 0.5, -1])
    published = -0.533681616072958  # at β = 1
    np.testing.assert_allclose(-variance(softmax(s), s), published, atol=1e-10)
    for beta in (0.3, 1.0, 2.5):
        h = 1e-5
        slope = (entropy(softmax((beta + h) * s)) - entropy(softmax((beta - h) * s))) / (2 * h)
        np.testing.assert_allclose(slope, -beta * variance(softmax(beta * s), s), rtol=1e-8)
        # dτ = −dβ/β²
        rate = entropy_slope(s, temperature=1 / beta)
        np.testing.assert_allclose(slope, -rate / beta**2, rtol=1e-8)


def test_entropy_slope_leaves_out_what_is_ruled_out() -> None:
    np.testing.assert_allclose(entropy_slope([1, 2, -np.inf]), entropy_slope([1, 2]))


def test_entropy_slope_does_not_see_a_common_shift() -> None:
    for shift in (2.0**40, -(2.0**52)):  # the sums are exact
        np.testing.assert_allclose(
            entropy_slope(np.array([0, 2, 3]) + shift), entropy_slope([0, 2, 3])
        )
    large = np.array([1e7, 1e7 + 1], np.float32)
    np.testing.assert_allclose(entropy_slope(large), entropy_slope([0, 1]), rtol=1e-6)


def test_entropy_slope_of_scores_far_apart_and_at_small_temperatures() -> None:
    assert entropy_slope([1e200, -1e200]) == entropy_slope([1e308, -1e308]) == 0
    assert entropy_slope(np.array([1e20, 0], np.float32)) == 0
    assert entropy_slope([1, 0], temperature=1e-200) == 0
    # Scores and temperature in another unit: the entropy is the same, per unit of temperature.
    cold = entropy_slope([2e-150, 0, -1e-150], temperature=1e-150)
    np.testing.assert_allclose(cold, entropy_slope([2, 0, -1]) / 1e-150)


@given(scores, scores, temperatures)
def test_divergence_between_softmaxes_is_a_bregman_divergence_of_lse(a: F, b: F, t: float) -> None:
    n = min(len(a), len(b))
    a, b = a[:n] / t / 3, b[:n] / t / 3
    p, q = softmax(a), softmax(b)
    bregman = logsumexp(b) - logsumexp(a) - p @ (b - a)
    np.testing.assert_allclose(kl_divergence(p, q), bregman, rtol=1e-6, atol=1e-9)
