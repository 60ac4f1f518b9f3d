"""One world, four roads: Gibbs, reward model and PPO, best-of-n and DPO on one reward–KL plane.

The world is one prompt with six answers, a reference, and preferences that follow the
Bradley–Terry model. All expectations are exact sums, so that the roads can be compared to many
digits.
"""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize

from primer_ref.alignment import dpo_loss
from primer_ref.autodiff import grad, value_and_grad
from primer_ref.functional import log_softmax, softmax
from primer_ref.gibbs import (
    best_of_n_policy,
    gibbs_policy,
    optimal_value,
    regularized_objective,
    reward_kl_frontier,
)
from primer_ref.information import kl_divergence
from primer_ref.kl_estimators import kl_k1
from primer_ref.policy_gradient import policy_gradient
from primer_ref.ppo import ppo_is_clipped, ppo_surrogate
from primer_ref.preferences import bradley_terry, fit_bradley_terry

F = NDArray[np.floating[Any]]

RNG = np.random.default_rng(10)
REFERENCE, REWARDS = RNG.dirichlet(np.full(6, 4.0)), RNG.normal(size=6)
PREFERRED = bradley_terry(REWARDS[:, None], REWARDS)
COMPARED = np.outer(REFERENCE, REFERENCE) * (1 - np.eye(6))  # how often each pair is shown
BETA = 1.0


def point(policy: F) -> tuple[float, float]:
    """Divergence from the reference and mean reward of a policy."""
    return float(kl_divergence(policy, REFERENCE)), float(policy @ REWARDS)


def reward_model() -> F:
    """Fit rewards to the expected wins of a million comparisons."""
    return fit_bradley_terry(1e6 * COMPARED * PREFERRED).strengths


def ppo(rewards: F, *, rounds: int, inner: int, rate: float) -> F:
    """Train logits on the clipped surrogate, with the price of divergence in the reward."""
    logits = np.log(REFERENCE)
    for _ in range(rounds):
        old, log_old = softmax(logits), log_softmax(logits)
        priced = rewards - BETA * kl_k1(log_old, np.log(REFERENCE))
        advantage = priced - old @ priced

        def loss(z: Any, old: F = old, log_old: F = log_old, advantage: F = advantage) -> Any:
            return -np.sum(old * ppo_surrogate(np.exp(log_softmax(z) - log_old), advantage))

        for _ in range(inner):
            logits = logits - rate * grad(loss)(logits)
    return softmax(logits)


def dpo() -> F:
    """Minimize the expected DPO loss over all policies."""
    first, second = np.nonzero(COMPARED)
    weights = COMPARED[first, second] * PREFERRED[first, second]
    log_reference = np.log(REFERENCE)

    def loss(z: Any) -> Any:
        log_p = log_softmax(z)
        # A weighted mean from unweighted losses: one call a pair.
        each = [
            w * dpo_loss(log_p[i], log_p[j], log_reference[i], log_reference[j], beta=BETA)
            for i, j, w in zip(first, second, weights, strict=True)
        ]
        return sum(each[1:], each[0])

    found = optimize.minimize(
        value_and_grad(loss), log_reference, jac=True, method="BFGS", options={"gtol": 1e-9}
    )
    return softmax(found.x)


BEST = gibbs_policy(REFERENCE, REWARDS, beta=BETA)


def test_the_reward_model_recovers_the_rewards_up_to_a_constant() -> None:
    np.testing.assert_allclose(reward_model(), REWARDS - REWARDS.mean(), atol=1e-7)


def test_ppo_on_the_reward_model_arrives_at_the_gibbs_policy() -> None:
    rewards = reward_model()
    policy = ppo(rewards, rounds=150, inner=3, rate=2.0)
    np.testing.assert_allclose(policy, BEST, atol=1e-7)
    np.testing.assert_allclose(point(policy), point(BEST), atol=1e-6)
    # The clip is at work on the way: after one round some answers are silenced.
    ratio = ppo(rewards, rounds=1, inner=3, rate=2.0) / REFERENCE
    silenced = ppo_is_clipped(ratio, rewards - REFERENCE @ rewards)
    assert 0 < np.count_nonzero(silenced) < 6


def test_plain_policy_gradient_arrives_there_too() -> None:
    logits = np.log(REFERENCE)
    for _ in range(400):
        priced = REWARDS - BETA * kl_k1(log_softmax(logits), np.log(REFERENCE))
        logits = logits + 1.5 * policy_gradient(logits, priced)
    np.testing.assert_allclose(softmax(logits), BEST, atol=1e-7)


def test_dpo_arrives_at_the_gibbs_policy_without_a_reward_model() -> None:
    policy = dpo()
    np.testing.assert_allclose(policy, BEST, atol=1e-7)
    np.testing.assert_allclose(point(policy), point(BEST), atol=1e-6)
    value = regularized_objective(policy, REFERENCE, REWARDS, beta=BETA)
    assert value == pytest.approx(float(optimal_value(REFERENCE, REWARDS, beta=BETA)), abs=1e-9)


def test_best_of_n_lies_below_the_frontier_but_near_it() -> None:
    betas = np.logspace(-2, 2, 400)
    reward, divergence = reward_kl_frontier(REFERENCE, REWARDS, betas)
    start = float(REFERENCE @ REWARDS)
    for n in (2, 3, 4, 8):
        at, reached = point(best_of_n_policy(REFERENCE, REWARDS, n))
        # The frontier at that divergence: concave, so chords bound it from below.
        least = float(np.interp(at, divergence[::-1], reward[::-1]))
        assert 0.94 * (least - start) < reached - start < least - start
    assert point(best_of_n_policy(REFERENCE, REWARDS, 1)) == pytest.approx((0, start), abs=1e-12)
