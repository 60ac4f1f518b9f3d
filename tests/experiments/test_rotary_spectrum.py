"""Frequencies that heads use: statistics on heads made by hand, and what was stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from experiments import record, rotary_spectrum
from experiments.texts import passages
from primer_ref import llama
from primer_ref.positions import rotary, rotary_frequencies, rotary_half_split, rotations

THETA = rotary_frequencies(4, base=100.0)
N = 40


def block(queries: Any, keys: Any, weights: Any = None) -> llama.Block:
    """Turn queries (H, N, 4) and keys (1, N, 4) by their positions, as a layer does."""
    turns = rotations(range(N), 4, base=100.0)
    even = np.tril(np.ones((len(queries), N, N))) / np.arange(1, N + 1)[:, None]
    return llama.Block(
        np.zeros((N, 8), np.float32),
        rotary(np.asarray(queries, np.float64), turns),
        rotary(np.asarray(keys, np.float64), turns),
        np.zeros((1, N, 4), np.float32),
        even if weights is None else weights,
    )


def pairs(queries: Any, keys: Any, weights: Any = None) -> rotary_spectrum.Pairs:
    return rotary_spectrum.pairs_of(block(queries, keys, weights), THETA, 16)


def draw(seed: int, shape: tuple[int, ...]) -> Any:
    return np.random.default_rng(seed).normal(size=shape)


# --- Statistics on heads made by hand ------------------------------------------------------------


def test_vectors_are_turned_back_and_pairs_counted() -> None:
    queries, keys = draw(0, (2, N, 4)), draw(1, (1, N, 4))
    found = pairs(queries, keys)
    np.testing.assert_allclose(found.queries, queries[:, 16:], atol=1e-12)
    np.testing.assert_allclose(found.keys, np.repeat(keys[:, 1:], 2, axis=0), atol=1e-12)
    assert len(found.offsets) == sum(range(16, N))  # query t sees keys 1 … t
    assert found.offsets.min() == 0
    assert found.offsets.max() == N - 2
    turned = block(queries, keys)
    at = int(np.flatnonzero((found.rows == 30 - 16) & (found.offsets == 7))[0])
    score = turned.queries[1, 30] @ turned.keys[0, 23] / 2
    assert found.scores[1, at] == pytest.approx(score, abs=1e-6)


def test_parts_of_the_pairs_on_the_first_key_and_on_the_others() -> None:
    turned = block(draw(6, (2, N, 4)), draw(7, (1, N, 4)))
    found = rotary_spectrum.pairs_of(turned, THETA, 16)
    products = turned.queries[:, :, None] * turned.keys[0] / 2  # (2, T, S, 4)
    by_pair = products[..., ::2] + products[..., 1::2]
    for number in range(2):
        on_start = by_pair[number, 16:, 0].mean(0)
        on_others = np.mean(
            [by_pair[number, t, s] for t in range(16, N) for s in range(1, t + 1)], axis=0
        )
        np.testing.assert_allclose(found.parts[number], [on_start, on_others], atol=1e-12)
    np.testing.assert_allclose(found.parts[:, 1].sum(-1), found.scores.mean(-1), atol=1e-6)


def test_distance_leaves_the_first_key_out() -> None:
    weights = np.zeros((1, N, N))
    weights[0, :, 0] = 0.9
    weights[0, np.arange(N), np.maximum(np.arange(N) - 3, 0)] += 0.1
    assert pairs(draw(0, (1, N, 4)), draw(1, (1, N, 4)), weights).distance == pytest.approx([3.0])


def test_the_mean_amplitude_is_that_over_all_queries_and_keys() -> None:
    texts = [pairs(draw(seed, (2, N, 4)), draw(seed + 9, (1, N, 4))) for seed in (2, 3)]
    offsets = np.arange(5)
    heads = rotary_spectrum.measure_layer(texts, THETA, 1, offsets)
    for number, head in enumerate(heads):
        q = np.concatenate([text.queries[number] for text in texts])
        k = np.concatenate([text.keys[number] for text in texts])
        by_pair = [
            np.mean(
                [
                    [np.hypot(*one[2 * j :][:2]) * np.hypot(*other[2 * j :][:2]) for other in k]
                    for one in q
                ]
            )
            / 2
            for j in range(2)
        ]
        np.testing.assert_allclose(head["spectrum"], by_pair, rtol=1e-10)
        numbers = head["numbers"]
        assert numbers["amplitude"] == pytest.approx(sum(by_pair))
        assert numbers["slow"] == numbers["center"] == pytest.approx(by_pair[1] / sum(by_pair))


def test_a_head_whose_tokens_are_all_alike_is_a_function_of_the_offset() -> None:
    q, k = draw(4, (4,)), draw(5, (4,))
    texts = [pairs(np.tile(q, (1, N, 1)), np.tile(k, (1, N, 1)))] * 2
    found = rotary_spectrum.held_out(texts, 0, THETA)
    for share in found.values():
        assert share == pytest.approx([1, 1])
    offsets = np.arange(10)
    amplitude, phase, waves = rotary_spectrum.polynomial(texts, 0, THETA, offsets)
    by_hand = [
        (q @ rotary([k], rotations([0], 4, base=100.0))[0])
        if d == 0
        else rotary([q], rotations([d], 4, base=100.0))[0] @ k
        for d in range(10)
    ]
    np.testing.assert_allclose(waves, np.array(by_hand) / 2, atol=1e-12)
    np.testing.assert_allclose(
        waves, [amplitude @ np.cos(d * THETA + phase) for d in range(10)], atol=1e-12
    )
    mean, spread = rotary_spectrum.offset_means(texts, 0, 10_000)
    np.testing.assert_allclose(mean[:10], waves, atol=1e-6)
    np.testing.assert_allclose(spread, 0, atol=1e-6)
    [head] = rotary_spectrum.measure_layer(texts, THETA, 1, offsets)
    np.testing.assert_allclose(head["coherence"], 1)


def test_a_head_without_any_order_is_not_explained() -> None:
    texts = [pairs(draw(seed, (1, N, 4)), draw(seed + 9, (1, N, 4))) for seed in range(6)]
    for share in rotary_spectrum.held_out(texts, 0, THETA).values():
        assert np.mean(share) < 0.02


def test_a_share_explained_by_hand() -> None:
    scores = np.array([0.0, 2.0, 4.0, 6.0])
    assert rotary_spectrum.explained(scores, scores) == 1
    assert rotary_spectrum.explained(scores, np.full(4, 3.0)) == 0
    assert rotary_spectrum.explained(scores, np.array([1.0, 1.0, 5.0, 5.0])) == 1 - 4 / 20
    assert rotary_spectrum.explained(scores, np.full(4, 9.0)) == pytest.approx(-36 / 5)


def test_what_is_common_to_a_query_does_not_count_within_queries() -> None:
    """Scores that differ from query to query only are no matter of softmax."""
    rows = np.array([0, 0, 1, 1, 1])
    x = np.array([1.0, 3.0, 6.0, 6.0, 9.0])
    assert rotary_spectrum.centered(x, rows).tolist() == [-1, 1, -1, -1, 2]


def test_a_text_is_predicted_from_the_others_alone() -> None:
    """One text's scores have the opposite sign: from the other it is predicted badly."""
    q, k = draw(4, (4,)), draw(5, (4,))
    texts = [pairs(np.tile(sign * q, (1, N, 1)), np.tile(k, (1, N, 1))) for sign in (1, -1)]
    for share in rotary_spectrum.held_out(texts, 0, THETA).values():
        assert max(share) < -1


# --- The stored measurement ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("rotary_spectrum")


def test_stored_numbers_agree_with_each_other(stored: dict[str, Any]) -> None:
    theta = 100000.0 ** -(np.arange(32) / 32)
    np.testing.assert_allclose(stored["frequencies"], theta, rtol=1e-5)
    assert stored["n_slow"] == np.sum(2 * math.pi / theta > 8192)
    by_head = {field: np.array(values) for field, values in stored["by_head"].items()}
    for field, values in by_head.items():
        assert values.shape == (30, 9)
        assert stored["summary"][field]["largest"] == values.max()
        assert stored["summary"][field]["median"] == pytest.approx(np.median(values), rel=1e-5)
    assert np.all(by_head["explained"] < 1)
    share = np.array(stored["by_layer"])
    np.testing.assert_allclose(share.sum(1), 1, atol=1e-4)
    np.testing.assert_allclose(share[:, -stored["n_slow"] :].sum(1), by_head["slow"].mean(1), 1e-4)
    np.testing.assert_allclose(share @ np.arange(32), by_head["center"].mean(1), 1e-4)
    coherence = np.array(stored["by_pair"]["coherence"])
    assert np.all((coherence >= 0) & (coherence <= 1))
    assert np.all(np.diff(coherence, axis=0) >= 0)


def test_stored_heads_are_the_ones_looked_for(stored: dict[str, Any]) -> None:
    for name, field, best in (
        ("most_local", "distance", np.min),
        ("least_local", "distance", np.max),
        ("most_explained", "within", np.max),
        ("least_explained", "within", np.min),
    ):
        found, values = stored["found"][name], np.array(stored["by_head"][field])
        assert values[found["layer"], found["head"]] == found["value"] == best(values)
        assert np.mean(found["texts"]) == pytest.approx(found["value"], rel=1e-4)
        amplitude = np.array(found["amplitude"])
        own = stored["by_head"]["amplitude"][found["layer"]][found["head"]]
        assert amplitude.sum() == pytest.approx(own, rel=1e-4)
        assert np.all(np.array(found["mean_amplitude"]) <= amplitude * (1 + 1e-5))
        angles = np.outer(stored["offsets"], stored["frequencies"]) + found["mean_phase"]
        waves = np.cos(angles) @ found["mean_amplitude"]
        np.testing.assert_allclose(waves, found["polynomial"], atol=2e-3, rtol=1e-3)
        # A part is a mean of products of sizes and cosines, so not above the sizes by much.
        assert np.all(np.abs(found["part"]) <= 1.1 * amplitude)


@pytest.mark.model
def test_pairings_come_out_again(model: llama.Model, stored: dict[str, Any]) -> None:
    """The half-split run is checked against the package's own forward pass."""
    rng = np.random.default_rng(rotary_spectrum.SEED)
    texts = passages(model, rng, stored["n_texts"], stored["length"] - 1)
    again = rotary_spectrum.pairings(model, texts[0][: stored["pairings"]["tokens"]])
    for name, loss in stored["pairings"]["loss"].items():
        assert again["loss"][name] == pytest.approx(loss, rel=2e-3)
    logits = llama.forward(model, texts[0][:32].tolist())
    other = rotary_spectrum.logits_by(
        rotary_spectrum.reordered(model),
        texts[0][:32].tolist(),
        rotary_half_split,
    )
    np.testing.assert_allclose(other, logits, atol=5e-3)
    difference, loss = stored["pairings"]["difference"], stored["pairings"]["loss"]
    assert difference["half_split"] < 5e-3
    assert min(difference["mistaken"], difference["reversed"]) > 1
    assert loss["half_split"] == pytest.approx(loss["interleaved"], abs=1e-4)
    assert min(loss["mistaken"], loss["reversed"]) > loss["interleaved"] + 0.1


@pytest.mark.model
def test_what_lifts_the_start_token_in_the_most_local_head_comes_out_again(
    model: llama.Model, stored: dict[str, Any]
) -> None:
    """One text, pair by pair from turned vectors; the stored numbers are means of all texts."""
    found = stored["found"]["most_local"]
    rng = np.random.default_rng(rotary_spectrum.SEED)
    [tokens] = passages(model, rng, 1, stored["length"] - 1)
    running = enumerate(llama.blocks(model, tokens.tolist()))
    own = next(one for layer, one in running if layer == found["layer"])
    q = own.queries[found["head"], stored["first_query"] :]
    k = own.keys[found["head"] // 3]
    seen = np.tril(np.ones((len(k), len(k)), bool))[stored["first_query"] :]
    seen[:, 0] = False
    for pair in range(32):
        both = slice(2 * pair, 2 * pair + 2)
        parts = q[:, both] @ k[:, both].T / 8
        assert parts[:, 0].mean() == pytest.approx(found["start_part"][pair], abs=0.1)
        assert parts[seen].mean() == pytest.approx(found["part"][pair], abs=0.3)


@pytest.mark.model
def test_the_first_layers_spectrum_comes_out_again(
    model: llama.Model, stored: dict[str, Any]
) -> None:
    """The first layer, without turning anything back: turning keeps sizes."""
    rng = np.random.default_rng(rotary_spectrum.SEED)
    texts = passages(model, rng, stored["n_texts"], stored["length"] - 1)
    queries, keys = [], []
    for tokens in texts:
        first = next(llama.blocks(model, tokens.tolist()))
        queries.append(first.queries[:, stored["first_query"] :])
        keys.append(first.keys[:, 1:])
    q = np.linalg.norm(np.concatenate(queries, 1).reshape(9, -1, 32, 2), axis=-1).mean(1)
    k = np.linalg.norm(np.concatenate(keys, 1).reshape(3, -1, 32, 2), axis=-1).mean(1)
    spectrum = q * np.repeat(k, 3, axis=0) / 8
    np.testing.assert_allclose(spectrum.sum(1), stored["by_head"]["amplitude"][0], rtol=2e-3)
    share = (spectrum / spectrum.sum(1, keepdims=True)).mean(0)
    np.testing.assert_allclose(share, stored["by_layer"][0], rtol=2e-3)
