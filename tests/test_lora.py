"""Low-rank updates: what they start as, what they cost, what they can reach, and how they train."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.autodiff import check_gradient, grad, value_and_grad
from primer_ref.config import Config
from primer_ref.lora import (
    Adapter,
    adapt_attention,
    best_adapter,
    lora_delta,
    lora_parameters,
    lora_product,
    merge,
    start_adapter,
    unmerge,
)
from primer_ref.optim import adam, initial_moments
from primer_ref.training import loss
from primer_ref.transformer import forward, initialize
from primer_ref.trees import tree_leaves, tree_map

seeds = st.integers(0, 2**32 - 1)

CONFIG = Config(
    n_layers=2,
    width=16,
    n_heads=4,
    n_kv_heads=2,
    head_size=4,
    hidden=24,
    n_tokens=11,
    context=16,
)
QKV = 32  # columns of its fused matrix


def draw(seed: int, n: int = 6, m: int = 5, rank: int = 2) -> Adapter:
    rng = np.random.default_rng(seed)
    return Adapter(rng.normal(size=(n, rank)), rng.normal(size=(rank, m)))


@pytest.mark.equation("eq-lora-update")
@given(seeds, st.floats(0.1, 32))
def test_the_update_is_a_sum_of_outer_products(seed: int, alpha: float) -> None:
    adapter = draw(seed, rank=3)
    terms = [np.outer(adapter.a[:, i], adapter.b[i]) for i in range(3)]
    delta = lora_delta(adapter, alpha=alpha)
    np.testing.assert_allclose(delta, alpha / 3 * sum(terms), rtol=1e-10, atol=1e-12)
    assert np.linalg.matrix_rank(delta) == 3


@pytest.mark.equation("eq-lora-product")
@given(seeds)
def test_merged_or_not_the_product_is_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    adapter, w, x = draw(seed), rng.normal(size=(6, 5)), rng.normal(size=(2, 3, 6))
    merged = merge(w, adapter, alpha=4.0)
    np.testing.assert_allclose(x @ merged, lora_product(x, w, adapter, alpha=4.0), atol=1e-12)
    np.testing.assert_allclose(unmerge(merged, adapter, alpha=4.0), w, atol=1e-13)


def test_a_new_adapter_changes_nothing_and_can_learn() -> None:
    rng = np.random.default_rng(0)
    adapter = start_adapter(400, 300, rank=8, rng=rng)
    assert {leaf.dtype for leaf in tree_leaves(adapter)} == {np.dtype(np.float32)}
    assert abs(float(np.std(adapter.a)) * math.sqrt(400) - 1) < 0.05
    w, x = rng.normal(size=(400, 300)), rng.normal(size=(2, 400))
    np.testing.assert_array_equal(merge(w, adapter, alpha=16.0), w)
    slope = grad(lambda adapter: np.sum(lora_product(x, w, adapter, alpha=16.0) ** 2))(adapter)
    assert not np.any(slope.a)  # through B = 0 nothing comes back
    assert np.all(slope.b != 0)


@given(st.integers(1, 30), st.integers(1, 30), st.data())
def test_an_adapter_has_the_counted_numbers(n: int, m: int, data: st.DataObject) -> None:
    rank = data.draw(st.integers(1, min(n, m)))
    adapter = start_adapter(n, m, rank=rank, rng=np.random.default_rng(0))
    counted = lora_parameters(n, m, rank=rank)
    assert counted == sum(leaf.size for leaf in tree_leaves(adapter))


@pytest.mark.equation("eq-lora-count")
def test_counts_of_gpt3_are_as_published() -> None:
    # Hu et al. 2022: queries and values of 96 layers of width 12,288, at ranks 1 and 8 (table 4),
    # and 18 million, 35 MB in 16 bits, at rank 4 (section 7.1).
    counts = {r: 96 * 2 * lora_parameters(12_288, 12_288, rank=r) for r in (1, 4, 8)}
    assert round(counts[1] / 1e6, 1) == 4.7
    assert round(counts[8] / 1e6, 1) == 37.7
    assert counts[4] // 10**6 == 18
    assert counts[4] * 2 / 2**20 == 36.0


@pytest.mark.equation("eq-lora-residual")
@given(seeds, st.integers(1, 4))
def test_no_update_of_the_rank_comes_nearer_than_the_best(seed: int, rank: int) -> None:
    rng = np.random.default_rng(seed)
    wanted = rng.normal(size=(6, 4))
    best = best_adapter(wanted, rank=rank)
    delta = lora_delta(best, alpha=rank)
    left = np.linalg.norm(wanted - delta)
    tail = np.linalg.svd(wanted, compute_uv=False)[rank:]
    np.testing.assert_allclose(left, math.sqrt(np.sum(tail**2)), atol=1e-12)
    # Least squares for one factor, from a random other: alternating steps that never win.
    a = rng.normal(size=(6, rank))
    for _ in range(5):
        b = np.linalg.lstsq(a, wanted, rcond=None)[0]
        a = np.linalg.lstsq(b.T, wanted.T, rcond=None)[0].T
        assert np.linalg.norm(wanted - a @ b) >= left - 1e-12
    np.testing.assert_allclose(best.a.T @ best.a, best.b @ best.b.T, atol=1e-12)  # balanced


def test_gradients_of_adapters_agree_with_finite_differences() -> None:
    rng = np.random.default_rng(2)
    frozen = tree_map(lambda w: 5.0 * w.astype(np.float64), initialize(CONFIG, rng=rng))
    adapters = [draw(seed, 16, QKV) for seed in (1, 2)]
    tokens = rng.integers(11, size=(2, 8))

    def adapted_loss(adapters: Any) -> Any:
        return loss(adapt_attention(frozen, adapters, alpha=0.5), CONFIG, tokens)

    assert check_gradient(adapted_loss, adapters, rng=rng) < 1e-7


def test_training_adapters_lowers_the_loss_and_leaves_the_weights_alone() -> None:
    rng = np.random.default_rng(3)
    frozen = initialize(CONFIG, rng=rng)
    before = [leaf.copy() for leaf in tree_leaves(frozen)]
    tokens = rng.integers(11, size=(2, 8))
    adapters = [start_adapter(16, QKV, rank=2, rng=rng) for _ in range(2)]
    state = initial_moments(adapters)
    adapted = adapt_attention(frozen, adapters, alpha=2.0)
    np.testing.assert_array_equal(forward(CONFIG, adapted, tokens), forward(CONFIG, frozen, tokens))
    losses = []
    for _ in range(40):
        value, slope = value_and_grad(
            lambda adapters: loss(adapt_attention(frozen, adapters, alpha=2.0), CONFIG, tokens)
        )(adapters)
        adapters, state = adam(adapters, slope, state, rate=0.05)
        losses.append(float(value))
    assert losses[-1] < losses[0] - 0.02
    for leaf, old in zip(tree_leaves(frozen), before, strict=True):
        np.testing.assert_array_equal(leaf, old)
