"""Gibbs policy and best-of-n: identities, SciPy's optimizer, enumeration, published bounds."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, special

from primer_ref.autodiff import check_gradient
from primer_ref.functional import softmax
from primer_ref.gibbs import (
    best_of_n_kl_bound,
    best_of_n_policy,
    gibbs_policy,
    optimal_value,
    regularized_objective,
    reward_kl_frontier,
)
from primer_ref.information import kl_divergence

F = NDArray[np.float64]
seeds = st.integers(0, 10_000)


def world(seed: int, n: int = 5) -> tuple[F, F]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(n)), rng.normal(size=n)


def test_published_tilt() -> None:
    # ch10-rlhf-tilt: objective at the optimum less β log Z
    reference, rewards = np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0])
    best = gibbs_policy(reference, rewards, beta=0.5)
    value = regularized_objective(best, reference, rewards, beta=0.5)
    assert abs(value - 0.5 * math.log(reference @ np.exp(rewards / 0.5))) < 1e-12


@pytest.mark.equation("eq-gibbs-gap")
@pytest.mark.equation("eq-optimal-value")
@given(seeds, st.floats(0.05, 20))
def test_every_policy_falls_short_by_its_divergence_from_the_gibbs_policy(
    seed: int, beta: float
) -> None:
    reference, rewards = world(seed)
    best = gibbs_policy(reference, rewards, beta=beta)
    policy = np.random.default_rng(seed + 1).dirichlet(np.ones(5))
    gap = optimal_value(reference, rewards, beta=beta) - regularized_objective(
        policy, reference, rewards, beta=beta
    )
    with np.errstate(divide="ignore"):
        divergence = float(np.sum(special.rel_entr(policy, best)))
    np.testing.assert_allclose(gap, beta * divergence, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(
        regularized_objective(best, reference, rewards, beta=beta),
        optimal_value(reference, rewards, beta=beta),
        atol=1e-12,
    )


@pytest.mark.equation("eq-regularized-objective")
@pytest.mark.equation("eq-gibbs-policy")
@pytest.mark.parametrize("beta", [0.3, 2.0])
def test_a_general_optimizer_finds_the_gibbs_policy(beta: float) -> None:
    reference, rewards = world(3)
    found = optimize.minimize(
        lambda z: -float(regularized_objective(softmax(z), reference, rewards, beta=beta)),
        np.zeros(5),
        tol=1e-12,
    )
    np.testing.assert_allclose(
        softmax(found.x), gibbs_policy(reference, rewards, beta=beta), atol=1e-5
    )


@given(seeds, st.floats(-50, 50))
def test_a_constant_for_the_prompt_changes_no_policy(seed: int, shift: float) -> None:
    reference, rewards = world(seed)
    shifted = gibbs_policy(reference, rewards + shift, beta=0.5)
    np.testing.assert_allclose(shifted, gibbs_policy(reference, rewards, beta=0.5), rtol=1e-9)
    value = optimal_value(reference, rewards + shift, beta=0.5)
    np.testing.assert_allclose(
        value, optimal_value(reference, rewards, beta=0.5) + shift, rtol=1e-9
    )


def test_limits_of_the_price() -> None:
    reference, rewards = world(4)
    np.testing.assert_allclose(gibbs_policy(reference, rewards, beta=1e9), reference, rtol=1e-8)
    cold = gibbs_policy(reference, rewards, beta=1e-3)
    np.testing.assert_allclose(cold, np.arange(5) == np.argmax(rewards), atol=1e-12)
    mean = reference @ rewards
    np.testing.assert_allclose(optimal_value(reference, rewards, beta=1e6), mean, rtol=1e-4)
    ruled_out = gibbs_policy([0.0, 0.4, 0.6], [9.0, 0.0, 0.0], beta=0.01)
    np.testing.assert_allclose(ruled_out, [0, 0.4, 0.6])
    assert regularized_objective([1.0, 0.0], [0.0, 1.0], [1.0, 0.0], beta=1) == -np.inf
    assert regularized_objective([0.0, 1.0], [0.0, 1.0], [1.0, 0.5], beta=1) == 0.5
    assert regularized_objective([1.0, 0.0], [0.0, 1.0], [1.0, 0.0], beta=0) == 1


def test_prompts_are_treated_one_by_one() -> None:
    worlds = [world(seed) for seed in range(3)]
    reference, rewards = (np.array(x) for x in zip(*worlds, strict=True))
    best = gibbs_policy(reference, rewards, beta=0.7)
    value = regularized_objective(best, reference, rewards, beta=0.7)
    for i, (p, r) in enumerate(worlds):
        np.testing.assert_allclose(best[i], gibbs_policy(p, r, beta=0.7))
        np.testing.assert_allclose(value[i], optimal_value(p, r, beta=0.7))


def test_the_objective_agrees_with_finite_differences() -> None:
    reference, rewards = world(5)
    slope = check_gradient(
        lambda z: regularized_objective(softmax(z), reference, rewards, beta=0.4),
        np.zeros(5),
        rng=np.random.default_rng(0),
    )
    assert slope < 1e-7


@pytest.mark.equation("eq-reward-kl-frontier")
@pytest.mark.equation("eq-frontier-slope")
def test_the_price_is_the_slope_of_the_frontier() -> None:
    reference, rewards = world(6)
    betas = np.array([0.2, 0.5, 1.0, 3.0])
    h = 1e-4
    ahead = np.array(reward_kl_frontier(reference, rewards, betas * (1 + h)))
    behind = np.array(reward_kl_frontier(reference, rewards, betas * (1 - h)))
    slope = (ahead - behind)[0] / (ahead - behind)[1]
    np.testing.assert_allclose(slope, betas, rtol=1e-5)


@given(seeds)
def test_no_policy_lies_above_the_frontier(seed: int) -> None:
    reference, rewards = world(seed)
    policy = np.random.default_rng(seed + 1).dirichlet(np.ones(5))
    divergence = kl_divergence(policy, reference)
    betas = np.logspace(-2, 3, 20)
    reward, at = reward_kl_frontier(reference, rewards, betas)
    # The frontier is concave and lies below its tangents, whose slopes are the prices.
    tangents = reward + betas * (divergence - at)
    assert policy @ rewards <= tangents.min() + 1e-9


def enumerate_best(reference: F, rewards: F, n: int) -> F:
    """Law of the first of the best, over all sequences of n draws."""
    law = np.zeros(len(reference))
    for draws in itertools.product(range(len(reference)), repeat=n):
        won = max(draws, key=lambda y: rewards[y])  # max keeps the first of equals
        law[won] += math.prod(reference[list(draws)])
    return law


@pytest.mark.equation("eq-best-of-n")
@pytest.mark.parametrize("n", [1, 2, 4])
def test_best_of_n_agrees_with_enumeration_also_with_ties(n: int) -> None:
    reference, _ = world(7)
    for rewards in (np.array([0.3, -1, 2, 0.5, 0]), np.array([1.0, 0, 1, 1, 0])):
        ours = best_of_n_policy(reference, rewards, n)
        np.testing.assert_allclose(ours, enumerate_best(reference, rewards, n), rtol=1e-12)
    np.testing.assert_allclose(best_of_n_policy([0.0, 0.5, 0.5], [2.0, 1.0, 0.0], n)[0], 0)


@pytest.mark.equation("eq-best-of-n")
@pytest.mark.parametrize("p", [1e-6, 1e-12, 1e-17, 1e-30])
def test_a_rare_best_answer_is_found_as_often_as_it_is_drawn(p: float) -> None:
    for n in (1, 2, 100):
        found = best_of_n_policy([1 - p, p], [0.0, 1.0], n)[1]
        np.testing.assert_allclose(found, -math.expm1(n * math.log1p(-p)), rtol=1e-12)


def test_published_divergences_of_best_of_n() -> None:
    # ch10-bon-kl
    ours = [best_of_n_kl_bound(n) for n in (2, 4, 16, 64, 1000)]
    assert ours == pytest.approx([0.1931, 0.6363, 1.8351, 3.1745, 5.9088], abs=6e-5)
    # ch10-bon-kl-exact
    uniform = np.full(4000, 1 / 4000)
    exact = kl_divergence(best_of_n_policy(uniform, np.arange(4000.0), 4), uniform)
    assert exact == pytest.approx(0.6363, abs=1e-3)
    assert exact == pytest.approx(0.636294314245, abs=1e-10)


@pytest.mark.equation("eq-best-of-n-bound")
def test_the_bound_is_approached_from_below_at_second_order() -> None:
    gaps = []
    for size in (50, 100, 200):
        uniform = np.full(size, 1 / size)
        policy = best_of_n_policy(uniform, np.arange(float(size)), 4)
        gaps.append(best_of_n_kl_bound(4) - float(kl_divergence(policy, uniform)))
    assert min(gaps) > 0
    np.testing.assert_allclose(np.divide(gaps[:-1], gaps[1:]), 4, rtol=0.1)


@pytest.mark.equation("eq-best-of-n-bound")
@given(seeds, st.integers(2, 200), st.booleans())
def test_the_bound_holds_strictly(seed: int, n: int, ties: bool) -> None:
    reference, rewards = world(seed)
    rewards = np.round(rewards) if ties else rewards
    policy = best_of_n_policy(reference, rewards, n)
    np.testing.assert_allclose(policy.sum(), 1)
    divergence = float(np.sum(special.rel_entr(policy, reference)))
    assert divergence < best_of_n_kl_bound(n)
    assert best_of_n_kl_bound(1) == 0


@pytest.mark.equation("eq-best-of-n-two")
def test_two_outcomes_show_that_the_bound_is_no_equality() -> None:
    p = 0.3  # of the better one
    for n in (1, 2, 8, 100):
        lost = (1 - p) ** n
        policy = best_of_n_policy([1 - p, p], [0.0, 1.0], n)
        np.testing.assert_allclose(policy, [lost, 1 - lost])
        assert kl_divergence(policy, [1 - p, p]) <= -math.log(p) + 1e-12
    limit = kl_divergence(best_of_n_policy([1 - p, p], [0.0, 1.0], 200), [1 - p, p])
    np.testing.assert_allclose(limit, -math.log(p), rtol=1e-12)
    assert best_of_n_kl_bound(100) > 3 * -math.log(p)
