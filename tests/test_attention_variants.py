"""Variants of attention: what can reach what, limits that are exact, and what a gate closes."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.attention import attention_weights, causal_mask, scaled_dot_product_attention
from primer_ref.attention_variants import (
    gated_attention,
    linformer_attention,
    pool_heads,
    receptive_field,
    sliding_window_mask,
)
from primer_ref.autodiff import check_gradient
from primer_ref.heads import multi_head_attention

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.equation("eq-window-mask")
@given(st.integers(1, 12), st.integers(1, 14), st.integers(0, 5))
def test_a_window_shows_the_token_and_the_ones_just_before(n: int, window: int, past: int) -> None:
    mask = sliding_window_mask(n, window, n + past)
    for t in range(n):
        for s in range(n + past):
            shown = 0 <= past + t - s < window
            assert mask[t, s] == (0 if shown else -np.inf)
    if window >= n + past:
        np.testing.assert_array_equal(mask, causal_mask(n, n + past))


@pytest.mark.equation("eq-receptive-field")
@given(st.integers(0, 5), st.integers(1, 6))
def test_the_receptive_field_is_what_can_be_reached_through_the_layers(
    n_layers: int, window: int
) -> None:
    step = (sliding_window_mask(40, window) == 0).astype(int)
    reached = np.linalg.matrix_power(step, n_layers)[-1] > 0
    assert np.sum(reached) == receptive_field(n_layers, window)


def test_tokens_beyond_the_receptive_field_leave_an_output_alone() -> None:
    x = 0.3 * np.random.default_rng(0).normal(size=(20, 3))
    other = x.copy()
    reach = receptive_field(3, 4)
    other[: 20 - reach] += 1
    first = x.copy()
    first[20 - reach] += 1

    def last(x: F) -> F:
        for _ in range(3):
            x = x + scaled_dot_product_attention(x, x, x, sliding_window_mask(20, 4))
        return np.asarray(x[-1])

    np.testing.assert_array_equal(last(other), last(x))
    assert np.max(np.abs(last(first) - last(x))) > 1e-6


@given(seeds)
def test_linformer_with_the_identity_is_attention(seed: int) -> None:
    q, k, v = np.random.default_rng(seed).normal(size=(3, 2, 5, 4))
    np.testing.assert_allclose(
        linformer_attention(q, k, v, np.eye(5), np.eye(5)), scaled_dot_product_attention(q, k, v)
    )


@pytest.mark.equation("eq-linformer")
@given(seeds)
def test_linformer_attends_to_mixtures_of_keys_and_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    q, k, v = rng.normal(size=(3, 5, 4))
    e, f = rng.normal(size=(2, 2, 5))
    scores = q @ (e @ k).T / 2
    weights = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(linformer_attention(q, k, v, e, f), weights @ f @ v, atol=1e-12)


@pytest.mark.equation("eq-linformer-error")
def test_random_projections_keep_the_products_of_the_weights_as_the_lemma_says() -> None:
    # The theorem's form, P Fᵀ F V: the error of a product falls as the root of the rank.
    rng = np.random.default_rng(1)
    q, k = rng.normal(size=(2, 256, 8))
    weights, v = attention_weights(q, k), rng.normal(size=256)
    exact, errors = weights @ v, []
    for rank in (16, 256):
        runs = [rng.normal(size=(rank, 256)) / math.sqrt(rank) for _ in range(40)]
        errors.append(np.sqrt(np.mean([(weights @ f.T @ (f @ v) - exact) ** 2 for f in runs])))
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.15)


@pytest.mark.equation("eq-linformer-error")
def test_with_as_many_mixtures_as_the_theorem_asks_for_all_products_are_kept() -> None:
    rng = np.random.default_rng(3)
    eps, eta, (n, size, width) = 0.5, 0.05, (30, 400, 4)
    rank = math.ceil(2 * math.log(4 * n * width / eta) / (eps**2 / 2 - eps**3 / 3))
    assert rank < size
    weights, v = (
        attention_weights(*rng.normal(size=(2, size, 8)))[:n],
        rng.normal(size=(size, width)),
    )
    weights[0] = np.eye(1, size)  # a row that looks at one key only
    allowed = eps * np.linalg.norm(weights, axis=1)[:, None] * np.linalg.norm(v, axis=0)
    failed = 0
    for _ in range(20):
        f = rng.normal(size=(rank, size)) / math.sqrt(rank)
        failed += bool(np.any(np.abs(weights @ f.T @ (f @ v) - weights @ v) > allowed))
    assert failed <= 3  # of 20, each with probability at most 0.05


@pytest.mark.equation("eq-pool-heads")
def test_pooling_means_neighboring_heads_and_keeps_a_model_whose_heads_agree() -> None:
    rng = np.random.default_rng(2)
    w = rng.normal(size=(5, 4 * 3))
    pooled = pool_heads(w, n_heads=4, n_kv_heads=2)
    np.testing.assert_allclose(pooled[:, :3], (w[:, :3] + w[:, 3:6]) / 2)
    np.testing.assert_allclose(pooled[:, 3:], (w[:, 6:9] + w[:, 9:]) / 2)
    np.testing.assert_allclose(pool_heads(w, n_heads=4, n_kv_heads=4), w)
    x, w_q, w_o = rng.normal(size=(6, 5)), rng.normal(size=(5, 12)), rng.normal(size=(12, 5))
    shared = np.repeat(pooled.reshape(5, 2, 3), 2, axis=1).reshape(5, 12)
    full = multi_head_attention(x, w_q, shared, shared, w_o, n_heads=4)
    again = pool_heads(shared, n_heads=4, n_kv_heads=2)
    grouped = multi_head_attention(x, w_q, again, again, w_o, n_heads=4, n_kv_heads=2)
    np.testing.assert_allclose(grouped, full, atol=1e-12)


@pytest.mark.equation("eq-pool-heads")
def test_heads_that_disagree_may_be_pooled_without_loss() -> None:
    # Both heads put the same weights and are read out alike: only the sum of their values counts.
    rng = np.random.default_rng(4)
    x, (w_q, w_k, w_o) = rng.normal(size=(6, 5)), rng.normal(size=(3, 5, 3))
    w_v = rng.normal(size=(5, 6))
    twice = [np.hstack([w, w]) for w in (w_q, w_k, w_o)]
    full = multi_head_attention(x, twice[0], twice[1], w_v, twice[2].T, n_heads=2)
    k, v = (pool_heads(w, n_heads=2, n_kv_heads=1) for w in (twice[1], w_v))
    grouped = multi_head_attention(x, twice[0], k, v, twice[2].T, n_heads=2, n_kv_heads=1)
    np.testing.assert_allclose(grouped, full, atol=1e-12)
    assert np.max(np.abs(w_v[:, :3] - w_v[:, 3:])) > 1


@pytest.mark.equation("eq-gated-attention")
@given(seeds)
def test_a_gate_scales_the_output_from_closed_to_open(seed: int) -> None:
    q, k, v = np.random.default_rng(seed).normal(size=(3, 2, 5, 4))
    mask, plain = causal_mask(5), scaled_dot_product_attention(q, k, v, causal_mask(5))
    for log_odds, share in ((-800.0, 0), (0.0, 0.5), (math.log(3), 0.75), (800.0, 1)):
        gated = gated_attention(q, k, v, np.full((2, 5, 1), log_odds), mask)
        np.testing.assert_allclose(gated, share * plain, atol=1e-300)
    each = gated_attention(q, k, v, np.array([0.0, -800, 800, 0]) * np.ones((2, 5, 1)), mask)
    np.testing.assert_allclose(each, plain * [0.5, 0, 1, 0.5], atol=1e-300)


def test_variants_can_be_differentiated() -> None:
    rng = np.random.default_rng(3)
    q, k, v, gate, mix = rng.normal(size=(5, 4, 4))
    e = rng.normal(size=(2, 4))

    def loss(arrays: tuple[F, F, F, F, F]) -> object:
        q, k, v, gate, e = arrays
        gated = gated_attention(q, k, v, gate, sliding_window_mask(4, 2))
        return np.sum(mix * (gated + linformer_attention(q, k, v, e, e)))

    assert check_gradient(loss, (q, k, v, gate, e), rng=rng) < 1e-7


def test_single_precision_stays_single() -> None:
    x = np.ones((3, 4), np.float32)
    assert gated_attention(x, x, x, x, sliding_window_mask(3, 2)).dtype == np.float32
    assert linformer_attention(x, x, x, x.T[:1, :3], x.T[:1, :3]).dtype == np.float32
    assert pool_heads(x, n_heads=2, n_kv_heads=1).dtype == np.float32
