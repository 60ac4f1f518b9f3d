"""The decoder against loops, its invariances, its masks, and its gradient."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.attention import causal_mask
from primer_ref.autodiff import check_gradient, grad
from primer_ref.config import Config
from primer_ref.positions import rotations
from primer_ref.transformer import (
    Weights,
    attend,
    block,
    document_mask,
    forward,
    initialize,
    project,
    unembed,
)
from primer_ref.trees import tree_leaves, tree_map

Doubles = NDArray[np.float64]

CONFIG = Config(
    n_layers=2,
    width=12,
    n_heads=6,
    n_kv_heads=2,
    head_size=4,
    hidden=10,
    n_tokens=9,
    context=32,
    rope_base=100.0,
)

seeds = st.integers(0, 2**32 - 1)


def trained(seed: int = 0) -> Weights:
    """Weights in float64 that are large enough for every part to matter."""
    rng = np.random.default_rng(seed)
    drawn = initialize(CONFIG, rng=rng)
    weights: Weights = tree_map(
        lambda w: (10 if w.ndim == 2 else 1) * w + 0.1 * rng.normal(size=w.shape), drawn
    )
    return weights


def draw_tokens(seed: int, *shape: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(CONFIG.n_tokens, size=shape)


def by_loops(weights: Weights, tokens: list[int]) -> Doubles:
    """Logits of one sequence, token by token and head by head, with scalars where it matters."""
    c, n = CONFIG, len(tokens)

    def norm(row: Doubles, gains: NDArray[Any]) -> Doubles:
        scaled: Doubles = row * gains / math.sqrt(sum(v * v for v in row) / len(row) + c.eps)
        return scaled

    def turned(vector: Doubles, t: int) -> list[float]:
        out = []
        for i in range(c.head_size // 2):
            angle, (a, b) = t * c.rope_base ** (-2 * i / c.head_size), vector[2 * i : 2 * i + 2]
            out += [math.cos(angle) * a - math.sin(angle) * b]
            out += [math.sin(angle) * a + math.cos(angle) * b]
        return out

    x = [weights.embedding[token] for token in tokens]
    for layer in weights.layers:
        made = [norm(row, layer.attention_norm) @ layer.qkv for row in x]
        parts = [row.reshape(c.n_heads + 2 * c.n_kv_heads, c.head_size) for row in made]
        for t in reversed(range(n)):
            found = []
            for h in range(c.n_heads):
                j = c.n_heads + h * c.n_kv_heads // c.n_heads
                query = turned(parts[t][h], t)
                scores = [
                    sum(a * b for a, b in zip(query, turned(parts[s][j], s), strict=True))
                    for s in range(t + 1)
                ]
                e = [math.exp(score / math.sqrt(c.head_size)) for score in scores]
                found.append(sum(e[s] / sum(e) * parts[s][j + c.n_kv_heads] for s in range(t + 1)))
            x[t] = x[t] + np.concatenate(found) @ layer.output
        for t in range(n):
            h_t = norm(x[t], layer.hidden_norm) @ layer.gate_up
            gates = [g / (1 + math.exp(-g)) for g in h_t[: c.hidden]]
            x[t] = x[t] + (np.array(gates) * h_t[c.hidden :]) @ layer.down
    return np.array([weights.embedding @ norm(row, weights.norm) for row in x])


@pytest.mark.equation("eq-block")
@pytest.mark.equation("eq-decoder")
@given(seeds)
def test_the_decoder_is_what_its_definition_says(seed: int) -> None:
    weights, tokens = trained(seed), draw_tokens(seed, 2, 7)
    expected = [by_loops(weights, row.tolist()) for row in tokens]
    np.testing.assert_allclose(forward(CONFIG, weights, tokens), expected, rtol=0, atol=1e-11)


@given(seeds)
def test_rows_of_a_batch_do_not_see_one_another(seed: int) -> None:
    weights, tokens = trained(), draw_tokens(seed, 2, 3, 5)
    logits = forward(CONFIG, weights, tokens)
    for i in np.ndindex(2, 3):
        alone = forward(CONFIG, weights, tokens[i])
        np.testing.assert_allclose(logits[i], alone, rtol=0, atol=1e-12)
    order = np.random.default_rng(seed).permutation(3)
    np.testing.assert_allclose(
        forward(CONFIG, weights, tokens[:, order]), logits[:, order], rtol=0, atol=1e-12
    )


@given(seeds, st.integers(0, 7))
def test_no_token_sees_a_later_one(seed: int, t: int) -> None:
    weights, tokens = trained(), draw_tokens(seed, 8)
    changed = tokens.copy()
    changed[t] = (changed[t] + 1) % CONFIG.n_tokens
    before, after = (forward(CONFIG, weights, row) for row in (tokens, changed))
    np.testing.assert_array_equal(before[:t], after[:t])
    assert np.all(np.any(before[t:] != after[t:], axis=-1))


def test_a_later_token_gets_no_gradient_from_an_earlier_prediction() -> None:
    layer, x = trained().layers[0], np.random.default_rng(1).normal(size=(6, 12))
    turns = rotations(range(6), 4)
    for t in range(6):
        slope = grad(lambda x, t=t: np.sum(block(CONFIG, layer, x, turns, causal_mask(6))[t]))(x)
        assert np.all(slope[t + 1 :] == 0)
        assert np.all(np.any(slope[: t + 1] != 0, axis=-1))


@given(seeds, st.integers(0, 1000))
def test_a_layer_sees_distances_and_no_positions(seed: int, shift: int) -> None:
    layer, x = trained().layers[0], np.random.default_rng(seed).normal(size=(5, 12))
    here, there = (
        block(CONFIG, layer, x, rotations(range(s, s + 5), 4, base=100.0), causal_mask(5))
        for s in (0, shift)
    )
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-10)
    stretched = block(CONFIG, layer, x, rotations(range(0, 10, 2), 4, base=100.0), causal_mask(5))
    assert np.max(np.abs(here - stretched)) > 1e-4


@given(seeds)
def test_renaming_tokens_renames_logits(seed: int) -> None:
    weights, tokens = trained(), draw_tokens(seed, 6)
    names = np.random.default_rng(seed).permutation(CONFIG.n_tokens)
    renamed = replace(weights, embedding=weights.embedding[np.argsort(names)])
    logits = forward(CONFIG, renamed, names[tokens])
    np.testing.assert_allclose(
        logits[:, names], forward(CONFIG, weights, tokens), rtol=0, atol=1e-12
    )


@pytest.mark.equation("eq-document-mask")
@given(seeds, st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_packed_documents_get_the_logits_that_each_gets_by_itself(
    seed: int, lengths: list[int]
) -> None:
    weights, documents = trained(), np.repeat(np.arange(len(lengths)), lengths)
    tokens = draw_tokens(seed, 2, sum(lengths))
    packed = forward(CONFIG, weights, tokens, document_mask(documents))
    for number in range(len(lengths)):
        own = documents == number
        alone = forward(CONFIG, weights, tokens[:, own])
        np.testing.assert_allclose(packed[:, own], alone, rtol=0, atol=1e-11)


def test_every_row_of_a_batch_may_have_its_own_mask() -> None:
    documents = np.array([[0, 0, 1, 1], [5, 6, 6, 6]])
    mask = document_mask(documents)
    assert mask.shape == (2, 4, 4)
    np.testing.assert_array_equal(mask[1], document_mask(documents[1]))
    weights, tokens = trained(), draw_tokens(3, 2, 4)
    together = forward(CONFIG, weights, tokens, mask)
    for row in range(2):
        np.testing.assert_allclose(
            together[row], forward(CONFIG, weights, tokens[row], mask[row]), rtol=0, atol=1e-12
        )


def test_new_tokens_look_at_keys_and_values_kept_from_earlier_ones() -> None:
    layer, x = trained().layers[0], np.random.default_rng(2).normal(size=(6, 12))
    q, k, v = project(CONFIG, layer, x, rotations(range(6), 4))
    whole, weights = attend(layer, x, q, k, v, mask=causal_mask(6))
    late, late_weights = attend(layer, x[4:], q[:, 4:], k, v, mask=causal_mask(2, 6))
    np.testing.assert_allclose(late, whole[4:], rtol=0, atol=1e-13)
    np.testing.assert_allclose(late_weights, weights[:, 4:], rtol=0, atol=1e-13)
    last, _ = attend(layer, x[5:], q[:, 5:], k, v)
    np.testing.assert_allclose(last, whole[5:], rtol=0, atol=1e-13)
    np.testing.assert_allclose(np.sum(weights, axis=-1), 1)


def mean_square(weights: Weights, tokens: NDArray[np.int64]) -> Any:
    return np.mean(forward(CONFIG, weights, tokens) ** 2)


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_of_the_whole_agrees_with_finite_differences(seed: int) -> None:
    tokens, rng = draw_tokens(seed, 2, 5), np.random.default_rng(seed)
    slope = check_gradient(lambda w: mean_square(w, tokens), trained(seed), rng=rng)
    assert slope < 1e-7


def test_a_mask_can_be_learned() -> None:
    weights, tokens, rng = trained(), draw_tokens(5, 2, 5), np.random.default_rng(5)

    def squares(mask: Any) -> Any:
        return np.mean(forward(CONFIG, weights, tokens, causal_mask(5) + mask) ** 2)

    assert check_gradient(squares, rng.normal(size=(5, 5)), rng=rng) < 1e-7


def test_every_weight_gets_a_gradient_of_its_shape_and_precision() -> None:
    single: Weights = tree_map(lambda w: w.astype(np.float32), trained())
    gradient = grad(mean_square)(single, np.arange(CONFIG.n_tokens)[None])
    for found, weight in zip(tree_leaves(gradient), tree_leaves(single), strict=True):
        assert found.shape == weight.shape
        assert found.dtype == np.float32
        assert np.all(np.isfinite(found))
        assert np.any(found != 0)


def test_single_precision_stays_single() -> None:
    weights = initialize(CONFIG, rng=np.random.default_rng(0))
    assert {w.dtype for w in tree_leaves(weights)} == {np.dtype(np.float32)}
    assert forward(CONFIG, weights, [1, 2]).dtype == np.float32


@pytest.mark.equation("eq-residual-init")
def test_first_weights_have_the_stated_spread_and_number() -> None:
    c = replace(CONFIG, n_layers=8, width=64, head_size=10, hidden=128, n_tokens=300)
    weights = initialize(c, rng=np.random.default_rng(0))
    layer = weights.layers[3]
    for matrix, scale in (
        (weights.embedding, 0.02),
        (layer.qkv, 0.02),
        (layer.gate_up, 0.02),
        (layer.output, 0.005),
        (layer.down, 0.005),
    ):
        off = abs(float(np.std(matrix, dtype=np.float64)) / scale - 1)
        assert off < 4 / math.sqrt(2 * matrix.size)
        assert abs(float(np.mean(matrix))) < 4 * scale / math.sqrt(matrix.size)
    gains = [weights.norm, layer.attention_norm, layer.hidden_norm]
    assert all(np.all(gain == 1) for gain in gains)
    per_layer = 2 * 64 + 64 * (6 + 2 * 2) * 10 + 6 * 10 * 64 + 3 * 64 * 128
    assert sum(w.size for w in tree_leaves(weights)) == 300 * 64 + 8 * per_layer + 64


def test_the_stream_keeps_its_variance_at_any_depth() -> None:
    spread = []
    for n_layers in (2, 32):
        c = replace(CONFIG, n_layers=n_layers, width=64, hidden=128, n_tokens=300)
        weights = initialize(c, rng=np.random.default_rng(1))
        embedded = weights.embedding[:8]
        x = 0 * embedded
        for layer in weights.layers:
            x = block(c, layer, x + embedded, rotations(range(8), 4)) - embedded
        spread.append(float(np.std(x)))
    assert 0.5 < spread[0] / spread[1] < 2


@pytest.mark.equation("eq-logit-lens")
def test_the_logit_lens_is_the_unembedding_of_any_layer() -> None:
    weights, x = trained(), np.random.default_rng(4).normal(size=(3, 12))
    rms = np.sqrt(np.mean(x**2, axis=-1, keepdims=True) + CONFIG.eps)
    expected = x / rms * weights.norm @ weights.embedding.T
    np.testing.assert_allclose(unembed(CONFIG, weights, x), expected, rtol=1e-12)
