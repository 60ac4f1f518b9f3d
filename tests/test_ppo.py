"""PPO and GRPO: published values, gradients, expected gradients of groups by enumeration."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from primer_ref.autodiff import check_gradient, grad
from primer_ref.functional import log_softmax, softmax
from primer_ref.policy_gradient import policy_gradient
from primer_ref.ppo import (
    grpo_advantages,
    grpo_loss,
    ppo_is_clipped,
    ppo_loss,
    ppo_surrogate,
    rloo_advantages,
)

F = NDArray[np.float64]


def test_published_surrogates() -> None:
    # ch10-ppo-clip
    ours = ppo_surrogate([1.5, 1.5, 0.5, 0.5], [1, -1, 1, -1], clip=0.2)
    np.testing.assert_allclose(ours, [1.2, -1.5, 0.5, -0.8], atol=1e-12)


@pytest.mark.equation("eq-ppo-surrogate")
@pytest.mark.equation("eq-ppo-clipped")
@given(st.floats(0.01, 3), st.floats(-3, 3), st.floats(0.05, 0.9))
def test_exactly_the_clipped_samples_have_no_gradient(ratio: float, a: float, clip: float) -> None:
    if min(abs(ratio - 1 - clip), abs(ratio - 1 + clip), abs(a)) < 1e-3:
        return  # at the corners there is no derivative, and without an advantage no push
    slope = grad(lambda rho: ppo_surrogate(rho, a, clip=clip))(ratio)
    silent = bool(ppo_is_clipped(ratio, a, clip=clip))
    np.testing.assert_allclose(slope, 0 if silent else a, rtol=1e-12)
    assert ppo_surrogate(ratio, a, clip=clip) <= ratio * a + 1e-12


def test_only_what_has_gone_the_right_way_far_enough_is_silenced() -> None:
    ratio, a = np.meshgrid([0.5, 0.9, 1.1, 1.5], [-1.0, 0.0, 2.0])
    expected = [[True, False, False, False], [False] * 4, [False, False, False, True]]
    np.testing.assert_array_equal(ppo_is_clipped(ratio, a), expected)


@pytest.mark.equation("eq-ppo-loss")
def test_where_the_policies_agree_the_gradient_is_the_policy_gradient() -> None:
    rewards = np.random.default_rng(0).normal(size=4)
    # A sample in which every action comes in proportion: weights by repetition.
    counts = np.array([3, 1, 4, 2])
    logits = np.log(counts / 10)
    actions = np.repeat(np.arange(4), counts)
    advantage = (rewards - counts @ rewards / 10)[actions]
    old = log_softmax(logits)[actions]
    slope = grad(lambda z: ppo_loss(log_softmax(z)[actions], old, advantage))(logits)
    np.testing.assert_allclose(slope, -policy_gradient(logits, rewards), atol=1e-13)
    assert ppo_loss(old, old, advantage) == pytest.approx(0, abs=1e-15)


def test_ratios_of_tokens_keep_the_gradient_where_the_policies_agree_and_not_the_mean() -> None:
    # All answers of two tokens; the logits are of the first, and of the second after 0 and after 1.
    rng = np.random.default_rng(4)
    table, rewards = rng.normal(size=(3, 2)), rng.normal(size=(2, 2))
    answers = list(itertools.product(range(2), repeat=2))

    def tokens(z: Any, a: int, b: int) -> Any:
        return log_softmax(z)[[0, 1 + a], [a, b]]

    old = {y: tokens(table, *y) for y in answers}
    weight = {y: np.exp(np.sum(old[y])) for y in answers}
    mean = sum(weight[y] * rewards[y] for y in answers)

    def surrogate(z: Any) -> Any:
        return sum(
            weight[y]
            * np.sum(ppo_surrogate(np.exp(tokens(z, *y) - old[y]), [rewards[y] - mean] * 2))
            for y in answers
        )

    def value(z: Any) -> Any:
        return sum(np.exp(np.sum(tokens(z, *y))) * (rewards[y] - mean) for y in answers)

    slope = grad(value)(table)
    np.testing.assert_allclose(grad(surrogate)(table), slope, atol=1e-14)
    # Were the mean of the surrogate E_π of both tokens' advantages, it would grow twice as fast.
    assert np.max(np.abs(slope)) > 0.1


def test_the_loss_agrees_with_finite_differences_away_from_the_corners() -> None:
    rng = np.random.default_rng(1)
    old = log_softmax(rng.normal(size=(6, 4)))[:, 0]
    start, advantage = old + rng.normal(size=6) * 0.4 - 0.5, rng.normal(size=6)
    assert check_gradient(lambda z: ppo_loss(z, old, advantage), start, rng=rng) < 1e-7
    ratio = np.exp(start - old)
    expected = -np.mean([ppo_surrogate(r, a) for r, a in zip(ratio, advantage, strict=True)])
    np.testing.assert_allclose(ppo_loss(start, old, advantage), expected)


@pytest.mark.equation("eq-grpo-advantages")
@pytest.mark.equation("eq-rloo-advantages")
@given(st.lists(st.lists(st.integers(-3, 3), min_size=4, max_size=4), min_size=1, max_size=3))
def test_advantages_are_standardized_or_all_zero(rows: list[list[int]]) -> None:
    ours = grpo_advantages(rows)
    for row, found in zip(rows, ours, strict=True):
        if len(set(row)) == 1:
            np.testing.assert_array_equal(found, 0)
        else:
            np.testing.assert_allclose(found, stats.zscore(row), atol=1e-12)
    left_out = [[r - (sum(row) - r) / 3 for r in row] for row in rows]
    np.testing.assert_allclose(rloo_advantages(rows), left_out, atol=1e-12)


@pytest.mark.equation("eq-grpo-advantages")
def test_rewards_that_differ_by_rounding_are_alike() -> None:
    np.testing.assert_array_equal(grpo_advantages([0.1 + 0.2, 0.3, 0.3]), 0)
    single = np.float32(0.1)
    np.testing.assert_array_equal(grpo_advantages([single, np.nextafter(single, 1)]), 0)
    np.testing.assert_array_equal(grpo_advantages([0.0, 0.0, 0.0]), 0)


@pytest.mark.equation("eq-grpo-advantages")
@pytest.mark.parametrize(
    ("level", "unit"), [(0.0, 1e-300), (0.0, 1.0), (0.0, 1e300), (1.0, 1e-14), (1.0, 1e300)]
)
def test_advantages_have_no_unit(level: float, unit: float) -> None:
    ours = grpo_advantages(level + unit * np.array([0.0, 1.0, 1.0, 3.0]))
    np.testing.assert_allclose([np.mean(ours), np.mean(ours**2)], [0, 1], atol=1e-12)
    np.testing.assert_allclose(ours, stats.zscore([0, 1, 1, 3]), atol=0.02)


def expected_gradient(logits: F, rewards: F, n: int, advantages: Callable[[Any], Any]) -> F:
    """Mean over all groups of n actions of (1/n) Σ advantage · score."""
    p, total = softmax(logits), np.zeros(len(logits))
    for group in itertools.product(range(len(p)), repeat=n):
        actions = list(group)
        pushed = np.eye(len(p))[actions] - p
        total += math.prod(p[actions]) * np.mean(
            advantages(rewards[actions])[:, None] * pushed, axis=0
        )
    return total


@pytest.mark.equation("eq-group-bias")
@pytest.mark.parametrize("n", [2, 3, 4])
def test_bias_of_a_group_baseline(n: int) -> None:
    rng = np.random.default_rng(2)
    logits, rewards = rng.normal(size=3), rng.normal(size=3)
    true = policy_gradient(logits, rewards)
    unbiased = expected_gradient(logits, rewards, n, rloo_advantages)
    np.testing.assert_allclose(unbiased, true, atol=1e-13)
    shrunk = expected_gradient(logits, rewards, n, lambda r: r - np.mean(r))
    np.testing.assert_allclose(shrunk, true * (n - 1) / n, atol=1e-13)


@pytest.mark.equation("eq-difficulty-weight")
@pytest.mark.parametrize("right", [0.1, 0.5, 0.9])
def test_dividing_by_the_deviation_weighs_prompts_by_their_difficulty(right: float) -> None:
    # One right answer of probability p, two wrong ones: with k right among n, the group pushes by
    # E √(k/n (1 − k/n)) / (p(1 − p)) times the true gradient.
    logits, rewards, n = np.log([right, (1 - right) * 0.7, (1 - right) * 0.3]), np.eye(3)[0], 5
    k = np.arange(n + 1) / n
    root = stats.binom.pmf(np.arange(n + 1), n, right) @ np.sqrt(k * (1 - k))
    expected = policy_gradient(logits, rewards) * root / (right * (1 - right))
    ours = expected_gradient(logits, rewards, n, grpo_advantages)
    np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_for_large_groups_the_weight_is_one_over_the_deviation() -> None:
    for right in (0.1, 0.5):
        n = 4000
        k = np.arange(n + 1) / n
        root = stats.binom.pmf(np.arange(n + 1), n, right) @ np.sqrt(k * (1 - k))
        np.testing.assert_allclose(root, math.sqrt(right * (1 - right)), rtol=2e-3)


@pytest.mark.equation("eq-grpo-loss")
def test_the_loss_averages_over_tokens_and_then_over_answers() -> None:
    rng = np.random.default_rng(3)
    old = np.log(rng.uniform(0.2, 0.9, size=(3, 4)))
    new = np.minimum(old + rng.normal(size=(3, 4)) * 0.3, -0.01)
    mask = np.arange(4) < np.array([4, 1, 2])[:, None]
    a = np.array([1.0, -2.0, 0.5])
    each = [
        np.mean(
            [ppo_surrogate(np.exp(new[i, t] - old[i, t]), a[i]) for t in range(4) if mask[i, t]]
        )
        for i in range(3)
    ]
    np.testing.assert_allclose(grpo_loss(new, old, a, mask), -np.mean(each))
    hidden = np.where(mask, new, -5.0)
    assert grpo_loss(hidden, old, a, mask) == grpo_loss(new, old, a, mask)
    assert check_gradient(lambda z: grpo_loss(z, old, a, mask), new - 0.05, rng=rng) < 1e-7


def test_length_normalization_divides_each_answers_score_by_its_length() -> None:
    # Two answers: "end" (1 token) and "go on, end" (2 tokens), from one logit that all steps share.
    def log_probs(z: Any) -> Any:
        go, end = -np.logaddexp(-z, 0), -np.logaddexp(z, 0)
        return np.stack([np.stack([end, end]), np.stack([go, end])])

    z, mask = 0.3, np.array([[True, False], [True, True]])
    a = np.array([-1.0, -1.0])
    old = log_probs(z)
    slope = grad(lambda z: grpo_loss(log_probs(z), old, a, mask))(z)
    short, long = (
        grad(lambda z, i=i: np.sum(np.where(mask[i], log_probs(z)[i], 0)))(z) for i in (0, 1)
    )
    np.testing.assert_allclose(slope, (short / 1 + long / 2) / 2, rtol=1e-12)
