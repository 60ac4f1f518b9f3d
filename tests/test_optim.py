"""Optimizers: closed forms on quadratics, explicit averages, a problem on which Adam fails."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.optim import (
    Moments,
    adam,
    adamw,
    clip_by_global_norm,
    global_norm,
    initial_moments,
    momentum,
    sgd,
    zeros,
)
from primer_ref.trees import tree_leaves, tree_map

Doubles = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.equation("eq-sgd")
@pytest.mark.equation("eq-quadratic-factor")
def test_gradient_descent_shrinks_each_direction_by_its_own_factor() -> None:
    curvatures, start, rate = np.array([0.1, 1.0, 3.9, 4.1]), np.array([1.0, -2.0, 3.0, 1e-3]), 0.5
    weights, state = start, None
    for _ in range(30):
        weights, state = sgd(weights, curvatures * weights, state, rate=rate)
    np.testing.assert_allclose(weights, (1 - rate * curvatures) ** 30 * start, rtol=1e-12)
    assert abs(weights[2]) < abs(start[2])  # below 2/λ it converges
    assert abs(weights[3]) > abs(start[3])  # above it diverges
    assert state is None


@pytest.mark.equation("eq-heavy-ball")
def test_the_heavy_ball_follows_its_two_by_two_matrix() -> None:
    curvature, rate, beta = 0.7, 0.3, 0.8
    matrix = np.array([[1 - rate * curvature, -rate * beta], [curvature, beta]])  # on (θ, u)
    weights, velocity = np.array(2.0), np.array(0.0)
    for _ in range(25):
        weights, velocity = momentum(weights, curvature * weights, velocity, rate=rate, beta=beta)
    expected = np.linalg.matrix_power(matrix, 25) @ [2.0, 0.0]
    np.testing.assert_allclose([weights, velocity], expected, rtol=1e-10)


@pytest.mark.equation("eq-heavy-ball-rate")
@pytest.mark.parametrize("condition", [10.0, 100.0, 1000.0])
def test_the_heavy_ball_at_its_best_converges_at_the_rate_of_the_root(condition: float) -> None:
    # Polyak's choice for curvatures from 1 to κ: all modes shrink by √β = (√κ − 1)/(√κ + 1).
    root = math.sqrt(condition)
    rate, factor = 4 / (root + 1) ** 2, (root - 1) / (root + 1)
    curvatures = np.geomspace(1, condition, 7)[1:-1]  # inside, where no factor of k comes in
    weights, velocity, sizes = np.ones(5), np.zeros(5), []
    for _ in range(round(40 * root)):
        weights, velocity = momentum(
            weights, curvatures * weights, velocity, rate=rate, beta=factor**2
        )
        sizes.append(float(np.linalg.norm(weights) + rate * np.linalg.norm(velocity)))
    late = len(sizes) // 2
    measured = (sizes[-1] / sizes[late]) ** (1 / (len(sizes) - 1 - late))
    assert measured == pytest.approx(factor, rel=0.02 / root)
    assert factor < (condition - 1) / (condition + 1)  # the best of gradient descent


def test_without_memory_the_heavy_ball_is_gradient_descent() -> None:
    weights, gradient = np.array([1.0, 2.0]), np.array([3.0, -1.0])
    plain, _ = sgd(weights, gradient, rate=0.1)
    heavy, _ = momentum(weights, gradient, np.array([7.0, 7.0]), rate=0.1, beta=0.0)
    np.testing.assert_array_equal(heavy, plain)


@pytest.mark.equation("eq-adam")
@given(seeds)
def test_adam_divides_averages_written_out_as_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gradients, beta1, beta2, eps = rng.normal(size=(9, 4)), 0.8, 0.95, 1e-3
    weights = start = rng.normal(size=4)
    state, moved = initial_moments(weights), np.zeros(4)
    for t in range(1, 10):
        weights, state = adam(
            weights, gradients[t - 1], state, rate=0.1 / t, beta1=beta1, beta2=beta2, eps=eps
        )
        ages = np.arange(t)[::-1, None]
        mean, square = (
            np.sum(beta**ages * values, axis=0) / np.sum(beta**ages)
            for beta, values in ((beta1, gradients[:t]), (beta2, gradients[:t] ** 2))
        )
        moved += 0.1 / t * mean / (np.sqrt(square) + eps)
    np.testing.assert_allclose(weights, start - moved, rtol=1e-10, atol=1e-12)
    assert state.n_steps == 9


@pytest.mark.equation("eq-bias-correction")
@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_an_average_that_began_at_zero_holds_a_known_share_of_the_mean(beta: float) -> None:
    rng = np.random.default_rng(0)
    weights = np.zeros(40_000)  # as many runs, with gradients of mean 2 and variance 1
    state = initial_moments(weights)
    for t in range(1, 8):
        gradient = 2 + rng.normal(size=weights.size)
        weights, state = adam(weights, gradient, state, rate=0.1, beta1=beta, beta2=beta)
        assert np.mean(state.mean) == pytest.approx(2 * (1 - beta**t), rel=0.01)
        assert np.mean(state.square) == pytest.approx(5 * (1 - beta**t), rel=0.02)


def test_a_gradient_after_many_zeros_makes_a_step_of_several_rates() -> None:
    weights, state = np.zeros(1), initial_moments(np.zeros(1))
    for _ in range(20_000):
        weights, state = adam(weights, np.zeros(1), state, rate=1.0)
    weights, _ = adam(weights, np.array([5.0]), state, rate=1.0)
    assert float(weights[0]) == pytest.approx(-0.1 / math.sqrt(1e-3), rel=1e-6)


@given(seeds, st.floats(1e-6, 1e6))
def test_adam_does_not_see_the_scale_of_the_loss(seed: int, scale: float) -> None:
    gradients = np.random.default_rng(seed).normal(size=(5, 3))
    ends = []
    for factor in (1.0, scale):
        weights, state = np.zeros(3), initial_moments(np.zeros(3))
        for gradient in gradients:
            weights, state = adam(weights, factor * gradient, state, rate=0.1, eps=0.0)
        ends.append(weights)
    np.testing.assert_allclose(ends[1], ends[0], rtol=1e-9)


@pytest.mark.equation("eq-adamw")
def test_decay_is_decoupled_from_the_averages() -> None:
    weights, gradient = np.array([2.0, -3.0]), np.array([5.0, 1e-3])
    state = initial_moments(weights)
    plain, _ = adam(weights, gradient, state, rate=0.1)
    decayed, after = adamw(weights, gradient, state, rate=0.1, decay=0.4)
    np.testing.assert_allclose(decayed, plain - 0.1 * 0.4 * weights, rtol=1e-14)
    np.testing.assert_allclose(after.mean, 0.1 * gradient, rtol=1e-14)
    still = weights
    for _ in range(10):
        still, state = adamw(still, 0 * still, state, rate=0.1, decay=0.4)
    np.testing.assert_allclose(still, (1 - 0.04) ** 10 * weights, rtol=1e-13)


@pytest.mark.equation("eq-adam-trap")
def test_adam_walks_to_the_worst_point_of_a_convex_problem() -> None:
    # Reddi, Kale and Kumar 2018, theorem 1: of three losses on [−1, 1] one is C x and two are −x.
    # Their sum has its minimum at −1, for C > 2; the average of squares forgets the large gradient.
    large = 3.0
    ends = {}
    for name in ("adam", "sgd"):
        x, state = 0.0, initial_moments(0.0)
        for t in range(1, 6001):
            gradient, rate = (large if t % 3 == 1 else -1.0), 0.3 / math.sqrt(t)
            if name == "adam":
                x, state = adam(
                    x, gradient, state, rate=rate, beta1=0.0, beta2=1 / (1 + large**2), eps=0.0
                )
            else:
                x, _ = sgd(x, gradient, rate=rate)
            x = float(np.clip(x, -1, 1))
        ends[name] = x
    assert ends["adam"] > 0.98
    assert ends["sgd"] < -0.98


# --- Trees -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    first: Any
    second: Any


def draw_tree(rng: np.random.Generator) -> Any:
    return {"a": rng.normal(size=(2, 3)), "b": (rng.normal(size=4), Pair(rng.normal(), [2.0]))}


def flat(tree: Any) -> Doubles:
    return np.concatenate([np.ravel(leaf) for leaf in tree_leaves(tree)])


def test_steps_on_a_tree_are_steps_on_its_leaves() -> None:
    rng = np.random.default_rng(5)
    weights, gradients = draw_tree(rng), [draw_tree(rng) for _ in range(3)]
    joined = flat(weights)
    velocity, moments = zeros(weights), initial_moments(weights)
    flat_velocity, flat_moments = zeros(joined), initial_moments(joined)
    before = flat(weights).copy()
    for gradient in gradients:
        g = flat(gradient)
        weights, _ = sgd(weights, gradient, rate=0.1)
        joined, _ = sgd(joined, g, rate=0.1)
        weights, velocity = momentum(weights, gradient, velocity, rate=0.1)
        joined, flat_velocity = momentum(joined, g, flat_velocity, rate=0.1)
        weights, moments = adamw(weights, gradient, moments, rate=0.1)
        joined, flat_moments = adamw(joined, g, flat_moments, rate=0.1)
    np.testing.assert_array_equal(flat(weights), joined)
    np.testing.assert_array_equal(flat(moments.square), flat_moments.square)
    assert isinstance(weights["b"][1], Pair)
    assert not np.any(flat(weights) == before)


def test_nothing_that_was_given_is_changed() -> None:
    weights, gradient = np.ones(3), np.full(3, 2.0)
    state = initial_moments(weights)
    for step in (adam, adamw):
        step(weights, gradient, state, rate=0.1)
    momentum(weights, gradient, state.mean, rate=0.1)
    clip_by_global_norm(gradient, limit=0.1)
    np.testing.assert_array_equal(weights, 1)
    np.testing.assert_array_equal(gradient, 2)
    np.testing.assert_array_equal([state.mean, state.square], 0)


def test_single_precision_stays_whatever_kind_of_number_the_rate_is() -> None:
    weights = np.ones(3, np.float32)
    rate = np.asarray(0.1)  # a schedule returns such
    made: list[Any] = [
        sgd(weights, weights, rate=rate)[0],  # type: ignore[arg-type]
        *momentum(weights, weights, weights, rate=rate),  # type: ignore[arg-type]
        clip_by_global_norm(weights, limit=0.5)[0],
    ]
    after, state = adamw(weights, weights, initial_moments(weights), rate=rate)  # type: ignore[arg-type]
    made += [after, state.mean, state.square]
    assert {array.dtype for array in made} == {np.dtype(np.float32)}


# --- Norms -----------------------------------------------------------------------------------


@pytest.mark.equation("eq-clip")
@given(seeds, st.floats(1e-3, 1e3))
def test_clipping_keeps_the_direction_and_the_limit(seed: int, limit: float) -> None:
    gradient = draw_tree(np.random.default_rng(seed))
    clipped, norm = clip_by_global_norm(gradient, limit=limit)
    length = float(np.linalg.norm(flat(gradient)))
    assert norm == pytest.approx(length, rel=1e-12)
    assert global_norm(clipped) == pytest.approx(min(length, limit), rel=1e-12)
    np.testing.assert_allclose(flat(clipped), flat(gradient) * min(1, limit / length), rtol=1e-12)


def test_a_gradient_within_the_limit_goes_through_unchanged() -> None:
    gradient = {"w": np.array([0.3, -0.4], np.float32)}
    clipped, norm = clip_by_global_norm(gradient, limit=1.0)
    np.testing.assert_array_equal(clipped["w"], gradient["w"])
    assert norm == pytest.approx(0.5)
    nothing, norm = clip_by_global_norm(tree_map(np.zeros_like, gradient), limit=1.0)
    assert norm == 0
    assert not np.any(nothing["w"])


def test_the_norm_of_large_single_precision_gradients_does_not_overflow() -> None:
    assert global_norm(np.full(4, 1e30, np.float32)) == pytest.approx(2e30)


def test_clipping_is_a_bias() -> None:
    # Three gradients of mean +1: clipped to length 1, their mean points the other way.
    parts = [clip_by_global_norm(np.array([g]), limit=1.0)[0] for g in (-1.0, -1.0, 5.0)]
    assert np.mean([-1.0, -1.0, 5.0]) == 1
    assert np.mean(parts) < 0


def test_moments_begin_at_zero() -> None:
    state = initial_moments({"w": np.ones(2)})
    assert isinstance(state, Moments)
    assert state.n_steps == 0
    assert not np.any(flat(state.mean))
    assert not np.any(flat(state.square))
