"""Preference losses: closed forms, gradients, and the policies at which they are minimal."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

from primer_ref.alignment import (
    dpo_gradient_weight,
    dpo_loss,
    implicit_reward,
    ipo_loss,
    kto_loss,
    preference_margin,
    simpo_loss,
)
from primer_ref.autodiff import check_gradient, grad
from primer_ref.functional import log_softmax
from primer_ref.gibbs import gibbs_policy
from primer_ref.preferences import bradley_terry

F = NDArray[np.floating[Any]]
World = tuple[F, F, F]
seeds = st.integers(0, 10_000)


def pairs(seed: int, n: int = 7) -> tuple[F, F, F, F]:
    rng = np.random.default_rng(seed)
    chosen, rejected, *reference = -rng.exponential(10, size=(4, n))
    return chosen, rejected, reference[0], reference[1]


@pytest.mark.equation("eq-implicit-reward")
@pytest.mark.equation("eq-preference-margin")
@pytest.mark.equation("eq-dpo-loss")
@given(seeds, st.floats(0.01, 2))
def test_dpo_is_the_mean_surprisal_of_the_margin(seed: int, beta: float) -> None:
    c, r, c0, r0 = pairs(seed)
    h = (c - c0) - (r - r0)
    np.testing.assert_allclose(preference_margin(c, r, c0, r0), h, rtol=1e-12)
    expected = -np.mean(stats.logistic.logcdf(beta * h))
    np.testing.assert_allclose(dpo_loss(c, r, c0, r0, beta=beta), expected, rtol=1e-12)
    np.testing.assert_allclose(implicit_reward(c, c0, beta=beta), beta * (c - c0), rtol=1e-12)


def test_published_dpo_values() -> None:
    # ch10-dpo-init: TRL's float32 record of the loss at the reference
    c, r, _, _ = pairs(0)
    assert dpo_loss(c, r, c, r, beta=0.1) == pytest.approx(0.6931471824645996, abs=5e-8)
    # ch10-dpo-grad
    weight = dpo_gradient_weight([-1.0, -1.0], [-2.0, -3.0], [-1.0] * 2, [-2.0, -1.0], beta=0.1)
    np.testing.assert_allclose(-weight, [-0.05, -0.04501660026875222], atol=1e-8)


@pytest.mark.equation("eq-dpo-gradient")
@given(seeds, st.floats(0.01, 2))
def test_the_gradient_of_dpo_is_the_weight_times_the_pull(seed: int, beta: float) -> None:
    c, r, c0, r0 = pairs(seed)
    weight = dpo_gradient_weight(c, r, c0, r0, beta=beta)
    up = grad(lambda x: dpo_loss(x, r, c0, r0, beta=beta))(c)
    down = grad(lambda x: dpo_loss(c, x, c0, r0, beta=beta))(r)
    np.testing.assert_allclose(up, -weight / 7, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(down, weight / 7, rtol=1e-9, atol=1e-300)
    assert np.all((weight >= 0) & (weight <= beta))


def test_both_likelihoods_can_fall_while_the_margin_grows() -> None:
    before = dpo_loss([-2.0], [-4.0], [-2.0], [-4.0], beta=0.1)
    after = dpo_loss([-3.0], [-6.0], [-2.0], [-4.0], beta=0.1)
    assert after < before


def test_losses_agree_with_finite_differences() -> None:
    c, r, c0, r0 = pairs(1)
    rng, tree = np.random.default_rng(0), {"c": c - 1, "r": r - 1}
    good = np.arange(7) % 3 > 0
    losses = [
        lambda t: dpo_loss(t["c"], t["r"], c0, r0, beta=0.2),
        lambda t: ipo_loss(t["c"], t["r"], c0, r0, beta=0.2),
        lambda t: simpo_loss(t["c"], t["r"], np.arange(1, 8), np.full(7, 3), beta=2, margin=0.5),
        lambda t: kto_loss(t["c"], c0, good, beta=0.2, reference_point=0.3),
    ]
    for loss in losses:
        assert check_gradient(loss, tree, rng=rng) < 1e-6


@pytest.mark.equation("eq-ipo-loss")
@given(seeds, st.floats(0.05, 2))
def test_ipo_regresses_the_margin(seed: int, beta: float) -> None:
    c, r, c0, r0 = pairs(seed)
    expected = np.mean(((c - c0) - (r - r0) - 1 / (2 * beta)) ** 2)
    np.testing.assert_allclose(ipo_loss(c, r, c0, r0, beta=beta), expected, rtol=1e-11)


@pytest.mark.equation("eq-kto-loss")
@given(seeds, st.floats(0.05, 2), st.floats(0, 5))
def test_kto_weighs_gains_and_losses(seed: int, beta: float, z: float) -> None:
    c, _, c0, _ = pairs(seed)
    good = np.random.default_rng(seed).random(7) < 0.5
    gain = beta * (c - c0 - z)
    value = np.where(good, 1.5 * special.expit(gain), 0.5 * special.expit(-gain))
    expected = np.mean(np.where(good, 1.5, 0.5) - value)
    ours = kto_loss(
        c, c0, good, beta=beta, reference_point=z, desirable_weight=1.5, undesirable_weight=0.5
    )
    np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-12)
    slope = grad(lambda x: kto_loss(x, c0, good, beta=beta, reference_point=z))(c)
    assert np.all(np.where(good, slope <= 0, slope >= 0))


@pytest.mark.equation("eq-simpo-loss")
@given(seeds)
def test_simpo_compares_mean_token_log_probabilities(seed: int) -> None:
    c, r, _, _ = pairs(seed)
    lengths = np.random.default_rng(seed).integers(1, 20, size=(2, 7))
    expected = -np.mean(stats.logistic.logcdf(2.5 * (c / lengths[0] - r / lengths[1]) - 0.7))
    ours = simpo_loss(c, r, lengths[0], lengths[1], beta=2.5, margin=0.7)
    np.testing.assert_allclose(ours, expected, rtol=1e-11)


def world(seed: int, n: int = 5) -> World:
    """A reference, the law that pairs are drawn from, and preferences of no particular model."""
    rng = np.random.default_rng(seed)
    half = np.triu(rng.uniform(0.05, 0.95, size=(n, n)), 1)
    preferred = half + np.tril(1 - half.T, -1) + np.eye(n) / 2
    return rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n)), preferred


def expected_slope(loss: Any, policy: F, world: World, *, beta: float) -> F:
    """Gradient, at the policy's logits, of a loss over all pairs with their exact frequencies."""
    reference, drawn, preferred = world
    first, second = np.divmod(np.arange(len(policy) ** 2), len(policy))
    weights = drawn[first] * drawn[second] * preferred[first, second]
    ref = np.log(reference)

    def mean(z: Any) -> Any:
        log_p = log_softmax(z)
        each = [
            w * loss(log_p[i : i + 1], log_p[j : j + 1], ref[i : i + 1], ref[j : j + 1], beta=beta)
            for i, j, w in zip(first, second, weights, strict=True)
        ]
        return sum(each[1:], each[0])

    slope = grad(mean)(np.log(policy))
    assert isinstance(slope, np.ndarray)
    return slope


@pytest.mark.equation("eq-psi-optimum")
@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_ipo_is_stationary_at_the_policy_of_mean_preferences(beta: float) -> None:
    reference, drawn, preferred = world(3)
    best = gibbs_policy(reference, preferred @ drawn, beta=beta)
    slope = expected_slope(ipo_loss, best, (reference, drawn, preferred), beta=beta)
    np.testing.assert_allclose(slope, 0, atol=1e-13)
    other = expected_slope(ipo_loss, reference, (reference, drawn, preferred), beta=beta)
    assert np.max(np.abs(other)) > 1e-3


@pytest.mark.parametrize("beta", [0.3, 1.0])
def test_dpo_is_stationary_at_the_policy_of_mean_logits_if_preferences_are_bradley_terry(
    beta: float,
) -> None:
    reference, drawn, _ = world(4)
    rewards = np.random.default_rng(4).normal(size=5)
    preferred = bradley_terry(rewards[:, None], rewards)
    psi = special.logit(preferred) @ drawn  # Ψ = logit, averaged over the opponent
    best = gibbs_policy(reference, psi, beta=beta)
    np.testing.assert_allclose(best, gibbs_policy(reference, rewards, beta=beta), rtol=1e-10)
    slope = expected_slope(dpo_loss, best, (reference, drawn, preferred), beta=beta)
    np.testing.assert_allclose(slope, 0, atol=1e-13)


def test_preferences_without_exception_push_dpo_on_and_let_ipo_rest() -> None:
    far = np.array([1.0, 10.0, 100.0])
    dpo = [float(dpo_loss([-1.0], [-1 - h], [-1.0], [-1.0], beta=0.1)) for h in far]
    assert dpo[0] > dpo[1] > dpo[2] > 0
    ipo = [float(ipo_loss([-1.0], [-1 - h], [-1.0], [-1.0], beta=0.1)) for h in (4, 5, 6)]
    assert ipo[1] == 0 < min(ipo[0], ipo[2])
    assert math.isclose(ipo[0], ipo[2])
