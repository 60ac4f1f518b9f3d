"""Policy gradients against automatic differentiation, enumeration and telescoping sums."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.autodiff import grad
from primer_ref.functional import log_softmax, softmax
from primer_ref.policy_gradient import (
    advantages,
    optimal_baseline,
    policy_gradient,
    policy_gradient_variance,
)

F = NDArray[np.float64]
seeds = st.integers(0, 10_000)


def bandit(seed: int, n: int = 5) -> tuple[F, F]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.normal(size=n)


def scores(logits: F) -> F:
    """Gradient of every action's log-probability, by automatic differentiation."""
    return np.array([grad(lambda z, a=a: log_softmax(z)[a])(logits) for a in range(len(logits))])


@pytest.mark.equation("eq-policy-gradient")
@given(seeds, st.floats(-10, 10))
def test_the_mean_of_the_scores_is_the_gradient_of_the_mean_reward(seed: int, b: float) -> None:
    logits, rewards = bandit(seed)
    direct = grad(lambda z: np.sum(softmax(z) * rewards))(logits)
    np.testing.assert_allclose(policy_gradient(logits, rewards), direct, atol=1e-13)
    np.testing.assert_allclose(policy_gradient(logits, rewards, baseline=b), direct, atol=1e-12)


@pytest.mark.equation("eq-score-mean")
@given(seeds)
def test_scores_have_mean_zero(seed: int) -> None:
    logits, _ = bandit(seed)
    np.testing.assert_allclose(softmax(logits) @ scores(logits), 0, atol=1e-14)


@pytest.mark.equation("eq-policy-gradient-variance")
def test_the_variance_is_that_of_one_sample_with_its_baseline() -> None:
    logits, rewards = bandit(1)
    p, s = softmax(logits), scores(logits)
    for b in (0.0, -3.0, float(p @ rewards)):
        samples = (rewards - b)[:, None] * s
        mean = p @ samples
        np.testing.assert_allclose(mean, policy_gradient(logits, rewards), atol=1e-13)
        spread = p @ np.sum((samples - mean) ** 2, axis=1)
        ours = policy_gradient_variance(logits, rewards, baseline=b)
        np.testing.assert_allclose(ours, spread, rtol=1e-10)


@pytest.mark.equation("eq-optimal-baseline")
@given(seeds)
def test_the_optimal_baseline_is_the_bottom_of_the_parabola(seed: int) -> None:
    logits, rewards = bandit(seed)
    best = optimal_baseline(logits, rewards)
    at = [policy_gradient_variance(logits, rewards, baseline=best + h) for h in (-1, 0, 1)]
    np.testing.assert_allclose(at[0], at[2], rtol=1e-9)
    assert at[1] < at[0]
    mean = float(softmax(logits) @ rewards)
    assert at[1] <= policy_gradient_variance(logits, rewards, baseline=mean) + 1e-12


@pytest.mark.equation("eq-optimal-baseline")
@given(st.floats(0, 300))
def test_of_two_actions_the_rarer_one_decides(gap: float) -> None:
    # b = (1 − p) r₁ + p r₂, with the weights exchanged.
    np.testing.assert_allclose(optimal_baseline([gap, 0], [1, 0]), np.exp(-np.logaddexp(0, gap)))


def test_a_policy_that_gives_one_action_alone_has_no_noise_to_lower() -> None:
    assert optimal_baseline([1000.0, 0.0], [1.0, 0.0]) == 1
    assert optimal_baseline([0.0], [3.0]) == 3
    assert policy_gradient_variance([1000.0, 0.0], [1.0, 0.0], baseline=7.0) == 0


def test_a_sampled_gradient_is_unbiased_with_any_baseline() -> None:
    logits, rewards = bandit(2)
    actions = np.random.default_rng(0).choice(5, size=60_000, p=softmax(logits))
    one_hot = np.eye(5)[actions]
    estimate = (rewards[actions] - 0.7)[:, None] * (one_hot - softmax(logits))
    error = np.sqrt(policy_gradient_variance(logits, rewards, baseline=0.7) / 60_000)
    off = np.linalg.norm(estimate.mean(0) - policy_gradient(logits, rewards))
    assert off < 3 * error


@pytest.mark.equation("eq-advantage-estimate")
def test_advantages_are_the_sum_of_discounted_surprises() -> None:
    rng = np.random.default_rng(3)
    r, v = rng.normal(size=(2, 6)), rng.normal(size=(2, 7))
    gamma, lam = 0.9, 0.7
    expected = np.zeros((2, 6))
    for t, k in itertools.product(range(6), range(6)):
        if t + k < 6:
            surprise = r[:, t + k] + gamma * v[:, t + k + 1] - v[:, t + k]
            expected[:, t] += (gamma * lam) ** k * surprise
    ours = advantages(r, v, discount=gamma, decay=lam)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)
    np.testing.assert_allclose(advantages(r[0], v[0], discount=gamma, decay=lam), expected[0])
    assert advantages(np.zeros((2, 0)), np.zeros((2, 1))).shape == (2, 0)


@pytest.mark.parametrize("gamma", [1.0, 0.8])
def test_the_ends_of_the_decay_are_returns_and_one_step_surprises(gamma: float) -> None:
    rng = np.random.default_rng(4)
    r, v = rng.normal(size=5), rng.normal(size=6)
    returns = [
        sum(gamma ** (k - t) * r[k] for k in range(t, 5)) + gamma ** (5 - t) * v[5]
        for t in range(5)
    ]
    np.testing.assert_allclose(advantages(r, v, discount=gamma, decay=1), returns - v[:5])
    np.testing.assert_allclose(advantages(r, v, discount=gamma, decay=0), r + gamma * v[1:] - v[:5])


def test_right_values_make_mean_advantages_zero() -> None:
    # Two steps, two actions each, under a fair coin: V is the mean return from each state.
    r1, r2 = np.array([1.0, 3.0]), np.array([[0.0, 4.0], [1.0, 2.0]])
    v2 = r2.mean(1)
    v1 = float(np.mean(r1 + v2))
    for lam in (0.0, 0.6, 1.0):
        every = [
            advantages([r1[a], r2[a, b]], [v1, v2[a], 0.0], decay=lam)
            for a, b in itertools.product(range(2), repeat=2)
        ]
        np.testing.assert_allclose(np.mean(every, axis=0), 0, atol=1e-15)
