"""Rotary positions: independent forms, both pairings, isometry, dependence on distance alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref import llama
from primer_ref.autodiff import check_gradient
from primer_ref.norms import rms_norm
from primer_ref.positions import (
    half_to_interleaved,
    interleaved_to_half,
    rotary,
    rotary_frequencies,
    rotary_half_split,
    rotations,
    turns_at,
)

F = NDArray[np.floating[Any]]


def rotated_by_matrices(x: np.ndarray, positions: list[int], base: float) -> np.ndarray:
    """Turn each interleaved pair by a 2 × 2 matrix."""
    out = np.empty_like(x)
    size = x.shape[-1]
    for row, t in enumerate(positions):
        for i in range(size // 2):
            angle = t * base ** (-2 * i / size)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            out[row, 2 * i : 2 * i + 2] = turn @ x[row, 2 * i : 2 * i + 2]
    return out


@pytest.mark.equation("eq-rotary")
@pytest.mark.parametrize("base", [10000.0, 100.0])
def test_equals_rotation_matrices(base: float) -> None:
    x = np.random.default_rng(0).normal(size=(4, 8))
    positions = [0, 1, 7, 1000]
    turned = rotary(x, rotations(positions, 8, base=base))
    np.testing.assert_allclose(turned, rotated_by_matrices(x, positions, base), atol=1e-12)


@pytest.mark.equation("eq-rotary-relative")
@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000))
def test_scores_depend_on_the_distance_alone(t: int, s: int, shift: int) -> None:
    q, k = np.random.default_rng(1).normal(size=(2, 1, 16))

    def score(t: int, s: int) -> float:
        return float((rotary(q, rotations([t], 16)) @ rotary(k, rotations([s], 16)).T).item())

    assert score(t, s) == pytest.approx(score(t + shift, s + shift), abs=1e-9)
    # The side of the query alone, turned by the distance with matrices: a turn the wrong way fails.
    by_distance = rotated_by_matrices(q, [t - s], 10000.0) @ k.T
    assert score(t, s) == pytest.approx(by_distance.item(), abs=1e-9)


@pytest.mark.equation("eq-rotary-relative")
def test_keeps_norms_shape_and_precision() -> None:
    x = np.random.default_rng(2).normal(size=(3, 5, 6))
    turns = rotations(range(5), 6)
    single = rotary(x.astype(np.float32), turns)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, rotary(x, turns), atol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(rotary(x, turns), axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-12
    )
    assert rotary([[1, 2]], rotations([0], 2)).dtype == np.float64


def test_leaves_its_input_alone() -> None:
    x = np.ones((2, 4))
    rotary(x, rotations([3, 4], 4))
    assert np.array_equal(x, np.ones((2, 4)))


@pytest.mark.equation("eq-rotary-frequencies")
def test_frequencies_recompute_the_published_ones() -> None:
    # Head of 128, base 10,000: the values in the tests of Hugging Face's transformers.
    theta = rotary_frequencies(128)
    published = [1.0, 0.86596, 0.74989, 0.64938]
    np.testing.assert_allclose(theta[:4], published, rtol=6e-5)
    assert theta[16] == pytest.approx(0.1, rel=1e-12)
    assert theta[-1] == pytest.approx(1.1548e-4, rel=6e-5)


@pytest.mark.equation("eq-turns")
def test_turns_are_those_of_the_frequencies_they_are_given() -> None:
    theta = np.array([0.3, 2.0])
    turns = turns_at([0, 1, -4], theta)
    np.testing.assert_allclose(np.angle(turns[1]), theta)
    np.testing.assert_allclose(turns[2] * turns[1] ** 4, 1)
    np.testing.assert_array_equal(
        turns_at([2, 5], rotary_frequencies(8, base=100.0)), rotations([2, 5], 8, base=100.0)
    )


@pytest.mark.equation("eq-half-split")
def test_half_split_equals_rotation_matrices_of_pairs_that_lie_apart() -> None:
    x = np.random.default_rng(3).normal(size=(3, 6))
    positions, out = [0, 3, 50], np.empty((3, 6))
    for row, t in enumerate(positions):
        for i in range(3):
            angle = t * 100.0 ** (-2 * i / 6)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            out[row, [i, i + 3]] = turn @ x[row, [i, i + 3]]
    turned = rotary_half_split(x, rotations(positions, 6, base=100.0))
    np.testing.assert_allclose(turned, out, atol=1e-12)
    single = rotary_half_split(x.astype(np.float32), rotations(positions, 6, base=100.0))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, out, atol=1e-5)


@pytest.mark.equation("eq-pairing")
def test_the_two_pairings_are_one_seen_through_a_permutation() -> None:
    x = np.random.default_rng(4).normal(size=(2, 5, 8))
    turns = rotations(range(5), 8)
    np.testing.assert_allclose(
        interleaved_to_half(rotary(x, turns), head_size=8),
        rotary_half_split(interleaved_to_half(x, head_size=8), turns),
        atol=1e-14,
    )
    # Weights made for one pairing are wrong with the other.
    assert np.max(np.abs(rotary(x, turns) - rotary_half_split(x, turns))) > 0.5


@pytest.mark.equation("eq-pairing")
@given(st.integers(1, 3), st.integers(1, 5))
def test_the_permutations_are_inverse_and_stay_within_heads(n_heads: int, half: int) -> None:
    x = np.arange(2 * 2 * n_heads * half).reshape(2, -1)
    size = 2 * half
    to_half = interleaved_to_half(x, head_size=size)
    np.testing.assert_array_equal(half_to_interleaved(to_half, head_size=size), x)
    heads, moved = x.reshape(2, n_heads, size), to_half.reshape(2, n_heads, size)
    np.testing.assert_array_equal(moved[..., :half], heads[..., 0::2])
    np.testing.assert_array_equal(moved[..., half:], heads[..., 1::2])


def test_half_split_can_be_differentiated() -> None:
    rng = np.random.default_rng(5)
    turns, mix = rotations(range(3), 4), rng.normal(size=(3, 4))
    off = check_gradient(
        lambda x: np.sum(mix * rotary_half_split(interleaved_to_half(x, head_size=4), turns) ** 2),
        rng.normal(size=(3, 4)),
        rng=rng,
    )
    assert off < 1e-8


@pytest.mark.model
def test_converted_weights_of_the_real_model_give_the_scores_it_had(model: llama.Model) -> None:
    config, layer = model.config, model.weights.layers[0]
    tokens = model.tokenizer.encode("It is a truth universally acknowledged, that a single man")
    trace = llama.trace(model, tokens)
    h = rms_norm(trace.hidden[0], layer.attention_norm, eps=config.eps)
    width = config.n_heads * config.head_size
    weights = layer.qkv[:, : width + config.n_kv_heads * config.head_size]
    turns = rotations(range(len(tokens)), config.head_size, base=config.rope_base)

    def heads(w: F) -> F:
        return np.swapaxes((h @ w).reshape(len(tokens), -1, config.head_size), 0, 1)

    converted = heads(interleaved_to_half(weights, head_size=config.head_size))
    turned = rotary_half_split(converted, turns)
    q, k = turned[: config.n_heads], turned[config.n_heads :]
    group = config.n_heads // config.n_kv_heads

    def scores(q: F, k: F) -> F:
        return np.asarray(q @ np.swapaxes(np.repeat(k, group, axis=0), 1, 2))

    expected = scores(trace.queries[0], trace.keys[0])
    off = np.max(np.abs(scores(q, k) - expected)) / np.max(np.abs(expected))
    assert off < 1e-6
    unconverted = rotary_half_split(heads(weights), turns)
    wrong = scores(unconverted[: config.n_heads], unconverted[config.n_heads :])
    assert np.max(np.abs(wrong - expected)) / np.max(np.abs(expected)) > 0.1
