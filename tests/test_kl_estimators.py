"""Estimators of a divergence: Schulman's table by quadrature, mean gradients by enumeration."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, special, stats

from primer_ref.autodiff import grad
from primer_ref.functional import log_softmax, softmax
from primer_ref.kl_estimators import kl_k1, kl_k2, kl_k3, log_ratio

F = NDArray[np.float64]
Estimator = Callable[[Any, Any], Any]
ESTIMATORS = [kl_k1, kl_k2, kl_k3]
seeds = st.integers(0, 10_000)


def gaussian_moments(estimator: Estimator, mu: float) -> tuple[float, float]:
    """Relative bias and relative deviation, for samples of N(0, 1) and the reference N(μ, 1)."""

    def moment(power: int) -> float:
        def integrand(x: float) -> float:
            p, q = stats.norm.logpdf(x), stats.norm.logpdf(x, mu)
            return float(math.exp(p) * estimator(p, q) ** power)

        return float(integrate.quad(integrand, -15, 15, epsabs=1e-13, limit=200)[0])

    true = mu**2 / 2
    mean = moment(1)
    return (mean - true) / true, math.sqrt(moment(2) - mean**2) / true


SMALL = [0, 20, 0.002, 1.42, 0, 1.42]  # ch10-schulman-kl-small
LARGE = [0, 2, 0.25, 1.73, 0, 1.7]  # ch10-schulman-kl-large
SMALL_EXACT = [0, 20, 0.0025, 1.41774468788, 0, 1.41657451859]
LARGE_EXACT = [0, 2, 0.25, 1.73205080757, 0, 1.6950301808]


@pytest.mark.equation("eq-kl-estimators")
@pytest.mark.parametrize(
    ("mu", "published", "exact", "tolerance"),
    [(0.1, SMALL, SMALL_EXACT, 0.005), (1.0, LARGE, LARGE_EXACT, 0.006)],
)
def test_schulmans_table(
    mu: float, published: list[float], exact: list[float], tolerance: float
) -> None:
    ours = [x for estimator in ESTIMATORS for x in gaussian_moments(estimator, mu)]
    np.testing.assert_allclose(ours, published, atol=tolerance)
    np.testing.assert_allclose(ours, exact, atol=1e-8)


def laws(seed: int, n: int = 6) -> tuple[F, F]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=n), rng.dirichlet(np.ones(n))


@given(seeds)
def test_k1_and_k3_are_unbiased_and_k3_is_never_negative(seed: int) -> None:
    logits, reference = laws(seed)
    policy, log_policy = softmax(logits), log_softmax(logits)
    divergence = np.sum(special.rel_entr(policy, reference))
    for estimator in (kl_k1, kl_k3):
        mean = policy @ estimator(log_policy, np.log(reference))
        np.testing.assert_allclose(mean, divergence, rtol=1e-9, atol=1e-12)
    assert np.all(kl_k2(log_policy, np.log(reference)) >= 0)
    assert np.all(kl_k3(log_policy, np.log(reference)) >= 0)
    np.testing.assert_allclose(kl_k1(log_policy, log_policy), 0)


def test_the_bias_of_k2_and_the_difference_of_the_divergences_are_of_third_order() -> None:
    logits, direction = np.zeros(5), np.array([1.0, -0.5, 0.2, 2.0, 0.1])
    biases, differences = [], []
    for h in (0.1, 0.05, 0.025):
        log_policy, log_reference = log_softmax(logits), log_softmax(logits + h * direction)
        policy = np.exp(log_policy)
        biases.append(
            policy @ (kl_k2(log_policy, log_reference) - kl_k1(log_policy, log_reference))
        )
        differences.append((policy + np.exp(log_reference)) @ (log_reference - log_policy))
    np.testing.assert_allclose(np.divide(biases[:-1], biases[1:]), 8, rtol=0.15)
    np.testing.assert_allclose(np.divide(differences[:-1], differences[1:]), 8, rtol=0.15)


def test_small_log_ratios_are_not_lost_to_cancellation() -> None:
    ell = 1e-9
    np.testing.assert_allclose(kl_k3(-1.0, -1.0 + ell), 0, atol=1e-17)
    np.testing.assert_allclose(kl_k3(-1.0, -1.001), 1e-6 / 2 - 1e-9 / 6, rtol=1e-6)


def mean_gradient(estimator: Estimator, logits: F, log_reference: F) -> F:
    """Average of the estimator's gradients over samples of the policy, which stay as drawn."""
    drawn = softmax(logits)
    gradient = grad(lambda z: np.sum(drawn * estimator(log_softmax(z), log_reference)))(logits)
    assert isinstance(gradient, np.ndarray)
    return gradient


@pytest.mark.equation("eq-kl-gradients")
@given(seeds)
def test_the_mean_gradients_of_the_estimators(seed: int) -> None:
    logits, reference = laws(seed)
    log_reference = np.log(reference)
    reverse = grad(lambda z: np.sum(softmax(z) * (log_softmax(z) - log_reference)))(logits)
    forward = grad(lambda z: -np.sum(reference * log_softmax(z)))(logits)
    # The two gradients in closed form: softmax of the policy less the reference is the forward one.
    np.testing.assert_allclose(forward, softmax(logits) - reference, atol=1e-12)
    scale = 1 + np.max(np.abs(reverse))
    np.testing.assert_allclose(mean_gradient(kl_k1, logits, log_reference), 0, atol=1e-12)
    np.testing.assert_allclose(
        mean_gradient(kl_k2, logits, log_reference), reverse, atol=1e-11 * scale
    )
    np.testing.assert_allclose(mean_gradient(kl_k3, logits, log_reference), forward, atol=1e-10)


def test_the_two_divergences_have_different_gradients() -> None:
    logits, reference = laws(1)
    k2 = mean_gradient(kl_k2, logits, np.log(reference))
    k3 = mean_gradient(kl_k3, logits, np.log(reference))
    cosine = k2 @ k3 / (np.linalg.norm(k2) * np.linalg.norm(k3))
    assert 0 < cosine < 0.98


def test_k3_token_by_token_has_the_gradient_of_neither_divergence_of_answers() -> None:
    # Answers of two tokens; rows of logits: of the first, and of the second after 0 and after 1.
    z = np.log([[0.8, 0.2], [0.5, 0.5], [0.9, 0.1]])
    log_q = np.log([[0.3, 0.7], [0.2, 0.8], [0.6, 0.4]])
    p, q = softmax(z), np.exp(log_q)
    before = {"policy": np.append(1, p[0]), "reference": np.append(1, q[0])}  # of each prefix

    def k3(logits: Any) -> Any:
        each = np.sum(p * kl_k3(log_softmax(logits), log_q), axis=1)
        return np.sum(before["policy"] * each)

    def conditional(logits: Any, prefixes: str) -> Any:
        forward = np.sum(q * (log_q - log_softmax(logits)), axis=1)
        return np.sum(before[prefixes] * forward)

    def reverse(logits: Any) -> Any:
        now = np.sum(softmax(logits) * (log_softmax(logits) - log_q), axis=1)
        return now[0] + np.sum(softmax(logits)[0] * now[1:])

    ours = grad(k3)(z)
    # Forward divergences of the next-token laws, but after the policy's prefixes.
    np.testing.assert_allclose(ours, grad(lambda s: conditional(s, "policy"))(z), atol=1e-14)
    whole = grad(lambda s: conditional(s, "reference"))(z)  # by the chain rule, of answers
    for divergence in (whole, grad(reverse)(z)):
        assert np.linalg.norm(ours - divergence) > 0.1 * np.linalg.norm(divergence)


def test_k1_in_the_reward_gives_the_gradient_of_the_reverse_divergence() -> None:
    logits, reference = laws(2)
    k1 = kl_k1(log_softmax(logits), np.log(reference))  # a number: it is not differentiated
    drawn = softmax(logits)
    score = grad(lambda z: np.sum(drawn * k1 * log_softmax(z)))(logits)
    np.testing.assert_allclose(score, mean_gradient(kl_k2, logits, np.log(reference)), atol=1e-12)


@pytest.mark.equation("eq-weighted-kl")
@given(seeds)
def test_each_estimator_has_its_own_right_way_on_samples_of_another_law(seed: int) -> None:
    logits, reference = laws(seed)
    log_reference, drawn = np.log(reference), np.random.default_rng(seed + 1).dirichlet(np.ones(6))
    policy, log_policy = softmax(logits), log_softmax(logits)
    # In closed form, at the logits: π ⊙ (log π/π₀ − KL).
    k1 = log_policy - log_reference
    reverse = policy * (k1 - policy @ k1)

    def mean(estimator: Estimator, ratio: Callable[[Any], Any]) -> Any:
        return grad(lambda z: np.sum(drawn * ratio(z) * estimator(log_softmax(z), log_reference)))(
            logits
        )

    def differentiated(z: Any) -> Any:
        return softmax(z) / drawn

    tolerance = 1e-10 * (1 + np.max(np.abs(reverse)))
    for estimator in (kl_k1, kl_k3):
        np.testing.assert_allclose(mean(estimator, differentiated), reverse, atol=tolerance)
    number = policy / drawn
    np.testing.assert_allclose(mean(kl_k2, lambda _: number), reverse, atol=tolerance)
    # Without a weight k1 pushes away from the law that drew: minus the gradient of KL(μ ‖ π).
    np.testing.assert_allclose(mean(kl_k1, lambda _: 1.0), drawn - policy, atol=1e-12)


@pytest.mark.equation("eq-k3-support")
def test_k3_misses_reference_mass_that_the_policy_never_draws() -> None:
    policy, reference = np.array([0.6, 0.4]), np.array([0.3, 0.2, 0.5])
    log_policy, log_reference = np.log(policy), np.log(reference[:2])
    divergence = policy @ (log_policy - log_reference)
    np.testing.assert_allclose(policy @ kl_k1(log_policy, log_reference), divergence)
    np.testing.assert_allclose(policy @ kl_k3(log_policy, log_reference), divergence - 0.5)


def test_the_ratio_is_of_the_first_to_the_second() -> None:
    p, q = laws(3)
    ours = log_ratio(log_softmax(p), np.log(q))
    np.testing.assert_allclose(np.exp(ours), softmax(p) / q, rtol=1e-12)
