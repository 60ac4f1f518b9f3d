"""Attention as a smoother: exact identities, moments of random features, parallel = recurrent."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.attention import attention_weights, causal_mask, scaled_dot_product_attention
from primer_ref.kernel_attention import (
    exponential_kernel,
    gaussian_form_weights,
    gaussian_kernel,
    linear_attention,
    linear_attention_recurrent,
    nadaraya_watson,
    positive_features,
    positive_features_variance,
)
from tests.draws import normal

Floats = NDArray[np.floating[Any]]

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.equation("eq-nadaraya-watson")
@pytest.mark.equation("eq-exponential-kernel")
@given(seeds)
def test_attention_is_the_smoother_with_the_exponential_kernel(seed: int) -> None:
    q, k, v = normal(seed, (4, 3), (5, 3), (5, 2))
    np.testing.assert_allclose(
        nadaraya_watson(q, k, v, kernel=exponential_kernel),
        scaled_dot_product_attention(q, k, v),
        atol=1e-12,
    )


@pytest.mark.equation("eq-gaussian-kernel")
def test_gaussian_kernel_by_hand() -> None:
    kernel = gaussian_kernel([[0.0, 0.0]], [[3.0, 4.0], [0.0, 0.0]], bandwidth=5.0)
    np.testing.assert_allclose(kernel, [[math.exp(-0.5), 1]])
    with pytest.raises(ValueError, match="bandwidth must be positive; got 0"):
        gaussian_kernel([[0.0]], [[0.0]], bandwidth=0)


@pytest.mark.equation("eq-exp-split")
@given(seeds)
def test_the_exponential_kernel_is_a_gaussian_and_two_norms(seed: int) -> None:
    q, k = normal(seed, (4, 3), (5, 3))
    of_q, of_k = (np.exp(np.sum(x * x, axis=-1) / (2 * math.sqrt(3))) for x in (q, k))
    for t in range(4):
        for j in range(5):
            np.testing.assert_allclose(
                exponential_kernel(q[t : t + 1], k[j : j + 1])[0, 0],
                of_q[t] * math.exp(-(math.dist(q[t], k[j]) ** 2) / (2 * math.sqrt(3))) * of_k[j],
            )


@pytest.mark.equation("eq-exponential-kernel")
def test_exponential_kernel_by_hand() -> None:
    kernel = exponential_kernel(
        [[1.0, 2.0, 3.0, 4.0]], [[4.0, 0.0, 0.0, -1.0], [0.0, 0.0, 0.0, 1.0]]
    )
    np.testing.assert_allclose(kernel, [[1, math.exp(2)]])


@pytest.mark.equation("eq-nadaraya-watson")
def test_a_smoother_by_hand() -> None:
    smoothed = nadaraya_watson([[0.0]], [[0.0]] * 2, [[8.0], [0.0]], kernel=fixed([[3.0, 1.0]]))
    np.testing.assert_allclose(smoothed, [[6]])


@given(seeds)
def test_the_similarity_of_tokens_is_a_mercer_kernel_for_a_semidefinite_form_only(
    seed: int,
) -> None:
    (root,) = normal(seed, (3, 3))
    x = normal(seed + 1, (6, 3))[0] / 2
    # Queries and keys from one matrix: every matrix of similarities is positive semidefinite.
    similarity = exponential_kernel(x @ root, x @ root)
    assert np.linalg.eigvalsh(similarity)[0] >= -1e-10 * similarity.max()
    # Keys of the opposite sign: symmetric still, but two opposite tokens give it away.
    u = np.array([1.0, 0.0, 0.0])
    lam = float(np.sum((u @ root) ** 2)) / math.sqrt(3)
    pair = exponential_kernel([u @ root, -u @ root], [-u @ root, u @ root])
    np.testing.assert_allclose(pair, pair.T)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(pair), [-2 * math.sinh(lam), 2 * math.cosh(lam)], rtol=1e-9, atol=1e-12
    )


@pytest.mark.equation("eq-gaussian-form")
@given(seeds)
def test_attention_is_a_gaussian_smoother_reweighted_by_key_norms(seed: int) -> None:
    q, k, v = normal(seed, (4, 3), (5, 3), (5, 2))
    np.testing.assert_allclose(gaussian_form_weights(q, k), attention_weights(q, k), atol=1e-12)

    def weighted(a: Floats, b: Floats) -> Floats:
        norms = np.exp(np.sum(b * b, axis=-1) / (2 * math.sqrt(3)))
        return np.asarray(gaussian_kernel(a, b, bandwidth=3**0.25) * norms)

    np.testing.assert_allclose(
        nadaraya_watson(q, k, v, kernel=weighted),
        scaled_dot_product_attention(q, k, v),
        atol=1e-12,
    )


def test_with_keys_of_one_length_attention_is_a_plain_gaussian_smoother() -> None:
    q, k, v = normal(5, (4, 3), (6, 3), (6, 2))
    k /= np.linalg.norm(k, axis=-1, keepdims=True)

    def plain(a: Floats, b: Floats) -> Floats:
        return np.asarray(gaussian_kernel(a, b, bandwidth=3**0.25))

    np.testing.assert_allclose(
        nadaraya_watson(q, k, v, kernel=plain),
        scaled_dot_product_attention(q, k, v),
    )


def test_a_smoother_refuses_what_has_no_mean() -> None:
    q, v = np.array([[1.0]]), np.array([[1.0], [2.0]])
    for similarity, message in [
        ([[-1.0, 2.0]], "nonnegative; got -1.0 to 2.0"),
        ([[np.inf, 2.0]], "finite"),
        ([[0.0, 0.0]], "similarities 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            nadaraya_watson(q, v, v, kernel=fixed(similarity))


def fixed(similarity: list[list[float]]) -> Callable[[Floats, Floats], Floats]:
    return lambda *_: np.array(similarity)


def hermite_moments(x: float, y: float) -> tuple[float, float]:
    """Mean and mean square of one feature's estimate, by Gauss–Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    weights /= weights.sum()
    estimates = np.array(
        [positive_features([x], [[w]])[0] * positive_features([y], [[w]])[0] for w in nodes]
    )
    return float(weights @ estimates), float(weights @ estimates**2)


@pytest.mark.equation("eq-positive-features")
@pytest.mark.equation("eq-features-variance")
@pytest.mark.parametrize(("x", "y"), [(0.3, 0.4), (-0.7, 0.7), (1.0, 0.5), (0.0, -1.2)])
def test_mean_and_variance_of_positive_features_by_quadrature(x: float, y: float) -> None:
    mean, square = hermite_moments(x, y)
    np.testing.assert_allclose(mean, math.exp(x * y), rtol=1e-12)
    variance = float(positive_features_variance([x], [y], n_features=1))
    np.testing.assert_allclose(variance, square - mean**2, rtol=1e-10, atol=1e-12)


@pytest.mark.equation("eq-features-variance")
def test_mean_and_variance_of_positive_features_by_simulation() -> None:
    x, y = np.array([0.4, 0.2, -0.3]), np.array([0.1, -0.5, 0.2])
    m, draws = 4, 200_000
    directions = np.random.default_rng(0).normal(size=(draws * m, 3))
    products = positive_features(x, directions) * positive_features(y, directions) * draws * m
    estimates = products.reshape(draws, m).mean(axis=1)
    variance = positive_features_variance(x, y, n_features=m)
    error = math.sqrt(float(variance) / draws)
    assert abs(estimates.mean() - math.exp(x @ y)) < 4 * error
    np.testing.assert_allclose(estimates.var(), variance, rtol=0.05)


def test_opposite_vectors_are_estimated_without_error() -> None:
    x = np.array([1.5, -0.5])
    directions = np.random.default_rng(0).normal(size=(3, 2))
    estimate = positive_features(x, directions) @ positive_features(-x, directions)
    np.testing.assert_allclose(estimate, math.exp(-x @ x))
    assert positive_features_variance(x, -x, n_features=3) == 0
    # Almost opposite and long: e^(−120000) times e^(10000), less that without the second factor.
    assert positive_features_variance([300], [-200], n_features=3) == 0


def test_random_features_approach_attention_as_they_grow() -> None:
    q, k, v = normal(2, (8, 4), (8, 4), (8, 2))
    q, k = q / 2, k / 2  # short vectors: at the length of three the variance has yet to settle
    exact = scaled_dot_product_attention(q, k, v, causal_mask(8))
    rng, errors = np.random.default_rng(3), []
    for m in (64, 4096):
        runs = []
        for _ in range(20):
            w = rng.normal(size=(m, 4))
            phi_q, phi_k = positive_features(q / 2**0.5, w), positive_features(k / 2**0.5, w)
            runs.append(np.mean((linear_attention(phi_q, phi_k, v) - exact) ** 2))
        errors.append(math.sqrt(np.mean(runs)))
    assert 5 < errors[0] / errors[1] < 13  # 64 times the features: about 8 times less error


@pytest.mark.equation("eq-linear-attention")
@given(seeds)
def test_linear_attention_is_the_causal_smoother_of_its_features(seed: int) -> None:
    phi_q, phi_k, v = normal(seed, (6, 3), (6, 3), (6, 2))
    phi_q, phi_k = np.exp(phi_q), np.exp(phi_k)
    out = linear_attention(phi_q, phi_k, v)
    for t in range(6):
        weights = [phi_q[t] @ phi_k[j] for j in range(t + 1)]
        np.testing.assert_allclose(out[t], np.average(v[: t + 1], axis=0, weights=weights))


@pytest.mark.equation("eq-linear-recurrence")
@given(seeds, st.integers(1, 30))
def test_the_recurrence_is_the_parallel_form(seed: int, length: int) -> None:
    phi_q, phi_k, v = normal(seed, (length, 4), (length, 4), (length, 3))
    phi_q, phi_k = np.exp(phi_q), np.exp(phi_k)
    np.testing.assert_allclose(
        linear_attention_recurrent(phi_q, phi_k, v), linear_attention(phi_q, phi_k, v), atol=1e-12
    )


def test_single_precision_stays_single() -> None:
    x = np.ones((3, 2), np.float32)
    results = [
        exponential_kernel(x, x),
        gaussian_kernel(x, x, bandwidth=1.0),
        gaussian_form_weights(x, x),
        positive_features(x, x),
        positive_features_variance(x, x, n_features=2),
        linear_attention(x, x, x),
        linear_attention_recurrent(x, x, x),
    ]
    assert {r.dtype for r in results} == {np.dtype(np.float32)}
