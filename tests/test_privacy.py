"""Privacy accounting against quadrature, enumeration of randomized response, and simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, optimize, special, stats

from primer_ref.ngram import additive_smoothing
from primer_ref.privacy import (
    advanced_composition,
    analytic_gaussian_sigma,
    basic_composition,
    clip_and_noise,
    exposure,
    gaussian_delta,
    gaussian_mechanism_sigma,
    gaussian_rho,
    zcdp_epsilon,
)

F = NDArray[np.float64]


@pytest.mark.equation("eq-exposure")
def test_exposure_is_the_bits_that_the_rank_leaves() -> None:
    losses = np.random.default_rng(0).permutation(1024).astype(float)
    for rank in (1, 2, 7, 1024):
        secret = int(np.argsort(losses)[rank - 1])
        np.testing.assert_allclose(exposure(losses, secret), 10 - math.log2(rank))
    # Ties count against the secret.
    np.testing.assert_allclose(exposure([1.0, 1.0, 1.0, 5.0], 0), math.log2(4 / 3))


@pytest.mark.equation("eq-exposure-tail")
def test_exposure_of_an_unseen_secret_is_small() -> None:
    losses = np.random.default_rng(1).permutation(4096).astype(float)
    every = np.array([exposure(losses, secret) for secret in range(0, 4096, 16)])
    for bits in (1, 3, 5):
        assert np.mean(every >= bits) <= 2.0**-bits + 3 * math.sqrt(2.0**-bits / len(every))
    np.testing.assert_allclose(np.mean(every), 1 / math.log(2), atol=0.3)


@pytest.mark.equation("eq-extraction")
@pytest.mark.parametrize("copies", [0, 1, 4, 30])
def test_a_string_is_drawn_as_often_as_its_copies_say(copies: int) -> None:
    """Draw from the posterior, then draw a token from it: no posterior mean is computed."""
    rng, n = np.random.default_rng(copies), 200_000
    kappa, secret = 3.0, (0, 2, 1)
    priors = np.array([[0.5, 0.3, 0.2], [0.4, 0.2, 0.4], [0.25, 0.6, 0.15]])
    whole = np.ones(n, dtype=bool)
    for prior, token in zip(priors, secret, strict=True):
        laws = rng.dirichlet(kappa * prior + copies * np.eye(3)[token], size=n)
        drawn = (rng.random((n, 1)) > laws.cumsum(axis=1)).sum(axis=1)
        whole &= drawn == token
    q = priors[np.arange(3), secret]
    expected = float(np.prod((kappa * q + copies) / (kappa + copies)))
    assert abs(whole.mean() - expected) < 4 * math.sqrt(expected * (1 - expected) / n)
    # The model of chapter 1, trained on the copies, gives the same.
    trained = [
        additive_smoothing(np.bincount([token] * copies, minlength=3), kappa * prior)[token]
        for prior, token in zip(priors, secret, strict=True)
    ]
    np.testing.assert_allclose(np.prod(trained), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("epsilon", "sigma", "sensitivity"),
    [(0.0, 1.0, 1.0), (0.5, 2.0, 1.0), (1.0, 4.8448, 1.0), (3.0, 0.7, 0.5), (40.0, 0.1, 1.0)],
)
@pytest.mark.equation("eq-gaussian-delta")
def test_delta_is_the_integral_of_what_exceeds_the_ratio(
    epsilon: float, sigma: float, sensitivity: float
) -> None:
    def excess(x: float) -> float:
        near = stats.norm.pdf(x, sensitivity, sigma)
        return float(max(near - math.exp(epsilon) * stats.norm.pdf(x, 0, sigma), 0.0))

    kink = sensitivity / 2 + epsilon * sigma**2 / sensitivity
    expected, _ = integrate.quad(excess, kink, kink + 40 * sigma, epsabs=1e-15, limit=200)
    ours = gaussian_delta(epsilon, sigma=sigma, sensitivity=sensitivity)
    np.testing.assert_allclose(ours, expected, rtol=1e-8, atol=1e-15)


def test_delta_survives_where_the_exponential_overflows() -> None:
    # e^ε Φ(b) = φ(a) m(−b), with Mills' ratio m from SciPy's scaled function.
    for epsilon, sigma in ((5000.0, 0.01), (800.0, 0.025), (600.0, 0.03)):
        a, b = 0.5 / sigma - epsilon * sigma, -0.5 / sigma - epsilon * sigma
        mills = math.sqrt(math.pi / 2) * special.erfcx(-b / math.sqrt(2))
        expected = stats.norm.cdf(a) - stats.norm.pdf(a) * mills
        np.testing.assert_allclose(gaussian_delta(epsilon, sigma=sigma), expected, rtol=1e-8)


@given(st.floats(0.01, 20), st.floats(1e-9, 0.5), st.floats(0.1, 10))
def test_analytic_noise_is_the_least_that_is_private(
    epsilon: float, delta: float, sensitivity: float
) -> None:
    sigma = analytic_gaussian_sigma(epsilon, delta, sensitivity=sensitivity)
    assert gaussian_delta(epsilon, sigma=sigma, sensitivity=sensitivity) <= delta
    less = gaussian_delta(epsilon, sigma=sigma * (1 - 1e-6), sensitivity=sensitivity)
    assert less > delta


def test_analytic_noise_agrees_with_a_root_finder() -> None:
    for epsilon, delta in ((0.5, 1e-5), (8.0, 1e-6), (0.0, 0.1)):
        root = optimize.brentq(
            lambda s, e=epsilon, d=delta: gaussian_delta(e, sigma=s) / d - 1, 0.05, 50, xtol=1e-14
        )
        np.testing.assert_allclose(analytic_gaussian_sigma(epsilon, delta), root, rtol=1e-10)


@pytest.mark.parametrize(("delta", "error"), [(1e-3, 1e-12), (1e-10, 1e-6), (1e-14, 1e-2)])
def test_small_deltas_at_no_epsilon_are_as_exact_as_stated(delta: float, error: float) -> None:
    exact = 1 / (2 * math.sqrt(2) * special.erfinv(delta))  # δ = erf(Δ/(2√2σ))
    np.testing.assert_allclose(analytic_gaussian_sigma(0, delta), exact, rtol=error)


@pytest.mark.equation("eq-gaussian-sigma")
def test_published_gaussian_mechanism() -> None:
    # ch13-gaussian-mechanism
    assert gaussian_mechanism_sigma(1, 1e-5) == pytest.approx(4.8448, abs=5e-5)


@given(st.floats(0.01, 1), st.floats(1e-10, 0.5))
@pytest.mark.equation("eq-gaussian-sigma")
def test_the_classical_bound_is_private_in_its_range(epsilon: float, delta: float) -> None:
    sigma = gaussian_mechanism_sigma(epsilon, delta, sensitivity=2)
    assert gaussian_delta(epsilon, sigma=sigma, sensitivity=2) <= delta
    assert analytic_gaussian_sigma(epsilon, delta, sensitivity=2) <= sigma


def test_outside_its_range_the_classical_formula_breaks_its_promise() -> None:
    one = gaussian_mechanism_sigma(1, 1e-5)
    assert gaussian_delta(8.3, sigma=one / 8.3) < 1e-5 < gaussian_delta(8.5, sigma=one / 8.5)


def response_profile(epsilon0: float, n_steps: int, epsilon: float) -> float:
    """Exact δ at ε of n randomized responses that tell the truth with odds e^ε₀."""
    k = np.arange(n_steps + 1)
    p = 1 / (1 + math.exp(-epsilon0))
    true, false = stats.binom.pmf(k, n_steps, p), stats.binom.pmf(k, n_steps, 1 - p)
    return float(np.sum(np.maximum(true - math.exp(epsilon) * false, 0)))


@pytest.mark.parametrize(("epsilon", "n"), [(0.1, 50), (0.02, 2000), (0.5, 5)])
@pytest.mark.equation("eq-basic-composition")
@pytest.mark.equation("eq-advanced-composition")
def test_composition_bounds_hold_for_randomized_response(epsilon: float, n: int) -> None:
    total, delta = advanced_composition(epsilon, 0.0, n_steps=n, slack=1e-6)
    assert delta == 1e-6
    assert response_profile(epsilon, n, total) <= delta
    worst, none = basic_composition([epsilon] * n, [0.0] * n)
    np.testing.assert_allclose(worst, n * epsilon)
    assert none == 0
    assert response_profile(epsilon, n, worst) <= 1e-15
    assert response_profile(epsilon, n, worst * (1 - 1e-3)) > 0  # and no smaller ε has δ = 0


@pytest.mark.equation("eq-advanced-composition")
def test_advanced_composition_adds_deltas_and_follows_its_formula() -> None:
    total, delta = advanced_composition(0.3, 1e-7, n_steps=40, slack=1e-4)
    expected = 0.3 * math.sqrt(80 * math.log(1e4)) + 40 * 0.3 * (math.exp(0.3) - 1)
    np.testing.assert_allclose([total, delta], [expected, 40e-7 + 1e-4])
    one, _ = advanced_composition(0.3, 0, n_steps=1, slack=1e-4)
    np.testing.assert_allclose(one, 0.3 * math.sqrt(2 * math.log(1e4)) + 0.3 * math.expm1(0.3))
    growth = [advanced_composition(1e-4, 0, n_steps=n, slack=1e-5)[0] for n in (100, 400)]
    np.testing.assert_allclose(growth[1] / growth[0], 2, rtol=1e-3)  # the root of the number
    np.testing.assert_allclose(basic_composition([0.5, 0.1, 0.2], [1e-6, 0, 3e-6]), [0.8, 4e-6])


@pytest.mark.parametrize("alpha", [1.5, 2.0, 8.0])
@pytest.mark.equation("eq-gaussian-rho")
@pytest.mark.equation("eq-renyi")
def test_rho_is_the_renyi_divergence_over_its_order(alpha: float) -> None:
    sigma, sensitivity = 1.7, 0.8

    def integrand(x: float) -> float:
        p, q = stats.norm.logpdf(x, 0, sigma), stats.norm.logpdf(x, sensitivity, sigma)
        return math.exp(alpha * p + (1 - alpha) * q)

    value, _ = integrate.quad(integrand, -40, 40, epsabs=1e-13, points=[0])
    divergence = math.log(value) / (alpha - 1)
    rho = gaussian_rho(sigma, sensitivity=sensitivity)
    np.testing.assert_allclose(divergence / alpha, rho, rtol=1e-8)


def renyi(p: F, q: F, alpha: float) -> float:
    """Divergence of two laws on few outcomes, infinite if p has an outcome that q has not."""
    with np.errstate(divide="ignore"):
        terms = alpha * np.log(p) + (1 - alpha) * np.log(q)
    return float(special.logsumexp(terms) / (alpha - 1))


@pytest.mark.equation("eq-renyi")
@pytest.mark.equation("eq-zcdp-epsilon")
def test_bounded_divergences_bound_what_an_event_can_gain() -> None:
    rng = np.random.default_rng(4)
    alphas = 1 + np.geomspace(1e-3, 1e3, 40)
    for _ in range(50):
        pairs = list(itertools.permutations(rng.dirichlet(np.full(3, 4.0), size=2)))
        rho = max(renyi(p, q, alpha) / alpha for p, q in pairs for alpha in alphas)
        for delta in (0.5, 0.01):
            factor = math.exp(zcdp_epsilon(rho, delta))
            assert all(np.sum(np.maximum(p - factor * q, 0)) <= delta for p, q in pairs)


@pytest.mark.equation("eq-renyi")
def test_a_coin_is_not_concentrated_around_a_certainty() -> None:
    coin, sure = np.array([0.5, 0.5]), np.array([1.0, 0.0])
    for alpha in (1.5, 2.0, 10.0):
        assert renyi(coin, sure, alpha) == math.inf
        assert renyi(sure, coin, alpha) == pytest.approx(math.log(2))
    # Without that infinity log 2 would do, and promise an event of ½ a probability of δ.
    assert np.max(coin - math.exp(zcdp_epsilon(math.log(2), 0.01)) * sure) == 0.5


@given(st.floats(0.5, 50), st.integers(1, 5000), st.floats(1e-9, 0.1))
@pytest.mark.equation("eq-zcdp-epsilon")
@pytest.mark.equation("eq-zcdp-composition")
def test_concentrated_accounting_is_sound_and_adds(sigma: float, k: int, delta: float) -> None:
    epsilon = zcdp_epsilon(np.full(k, gaussian_rho(sigma)), delta)
    # k Gaussian steps are one with noise σ/√k: their exact δ is known.
    assert gaussian_delta(epsilon, sigma=sigma / math.sqrt(k)) <= delta
    np.testing.assert_allclose(epsilon, zcdp_epsilon(k / (2 * sigma**2), delta), rtol=1e-9)


@pytest.mark.equation("eq-zcdp-epsilon")
def test_the_conversion_is_the_best_of_its_tail_bounds_over_the_order() -> None:
    rho, delta = 0.3, 1e-5
    alpha = 1 + np.logspace(-2, 3, 200_001)
    bounds = rho * alpha + math.log(1 / delta) / (alpha - 1)
    np.testing.assert_allclose(zcdp_epsilon(rho, delta), bounds.min(), rtol=1e-8)
    assert zcdp_epsilon([], delta) == zcdp_epsilon([0.0], delta) == 0


@pytest.mark.equation("eq-dp-sgd")
def test_clipping_bounds_what_one_example_can_do() -> None:
    rng = np.random.default_rng(0)
    g = rng.normal(size=(6, 5)) * np.array([0.01, 0.1, 1, 10, 100, 1000])[:, None]
    full = clip_and_noise(g, max_norm=0.7, noise_multiplier=0, rng=rng) * 6
    for i in range(6):
        rest = clip_and_noise(np.delete(g, i, 0), max_norm=0.7, noise_multiplier=0, rng=rng) * 5
        moved = full - rest
        expected = g[i] * min(1, 0.7 / np.linalg.norm(g[i]))
        np.testing.assert_allclose(moved, expected, atol=1e-12)
        assert np.linalg.norm(moved) <= 0.7 + 1e-12
    zero = clip_and_noise(np.zeros((2, 3)), max_norm=1, noise_multiplier=0, rng=rng)
    np.testing.assert_array_equal(zero, 0)


@pytest.mark.equation("eq-dp-sgd")
def test_noise_is_normal_of_the_stated_size() -> None:
    rng = np.random.default_rng(3)
    noise = clip_and_noise(np.zeros((4, 20_000)), max_norm=2, noise_multiplier=1.5, rng=rng)
    assert stats.kstest(noise, stats.norm(0, 1.5 * 2 / 4).cdf).pvalue > 0.01
