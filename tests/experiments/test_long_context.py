"""Loss beyond the trained context: how it is read, how it is summed up, and what was stored."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from scipy import special, stats

from experiments import long_context, record
from experiments.long_context import Rule
from experiments.texts import passages
from primer_ref import llama, transformer
from primer_ref.config import Config
from primer_ref.rope_scaling import dynamic_ntk, ntk_base
from primer_ref.tokenizer import BPETokenizer

SMALL = Config(
    n_layers=2,
    width=24,
    n_heads=6,
    n_kv_heads=2,
    head_size=4,
    hidden=32,
    n_tokens=11,
    context=16,
    rope_base=100.0,
)
FREQUENCIES = np.array([1.0, 0.1])


@pytest.fixture(scope="module")
def small() -> llama.Model:
    """Return a model with random weights, large enough for its attention to matter."""
    weights = transformer.initialize(SMALL, rng=np.random.default_rng(0))
    layers = tuple(replace(layer, qkv=20 * layer.qkv) for layer in weights.layers)
    # It is never asked for text.
    return llama.Model(SMALL, replace(weights, layers=layers), cast(BPETokenizer, None))


@pytest.fixture(scope="module")
def tokens() -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).integers(SMALL.n_tokens, size=600)  # three blocks of rows


def read(model: llama.Model, tokens: Any, positions: Any, rule: Rule) -> Any:
    return long_context.read(model, tokens, np.asarray(positions), rule)


# --- How texts are read ------------------------------------------------------------------------


def test_reading_is_the_forward_pass(small: llama.Model, tokens: Any) -> None:
    hidden = read(small, tokens, range(600), Rule(FREQUENCIES))
    logits = transformer.forward(SMALL, small.weights, tokens)
    np.testing.assert_allclose(llama.unembed(small, hidden), logits, atol=1e-5)


def test_moving_the_whole_text_changes_nothing_but_moving_half_of_it_does(
    small: llama.Model, tokens: Any
) -> None:
    positions = np.arange(600)
    there = read(small, tokens, positions, Rule(FREQUENCIES))
    moved = read(small, tokens, positions + 1000, Rule(FREQUENCIES))
    np.testing.assert_allclose(moved, there, atol=1e-4)
    apart = read(small, tokens, long_context.moved_positions(600, 1000), Rule(FREQUENCIES))
    np.testing.assert_allclose(apart[:300], there[:300], atol=1e-9)
    assert np.abs(apart[300:] - there[300:]).max() > 1e-2


def test_interpolation_is_a_division_of_positions(small: llama.Model, tokens: Any) -> None:
    slowed = long_context.rules(FREQUENCIES, factor=4, context=16)["interpolation"]
    np.testing.assert_allclose(
        read(small, tokens, np.arange(600) * 4, slowed),
        read(small, tokens, np.arange(600), Rule(FREQUENCIES)),
        atol=1e-9,
    )


def test_a_change_of_base_is_another_model(small: llama.Model, tokens: Any) -> None:
    rule = long_context.rules(FREQUENCIES, factor=3, context=16)["ntk"]
    config = replace(SMALL, rope_base=ntk_base(100.0, factor=3, size=4))
    logits = transformer.forward(config, small.weights, tokens)
    hidden = read(small, tokens, range(600), rule)
    np.testing.assert_allclose(llama.unembed(small, hidden), logits, atol=1e-5)


def test_sharpness_is_a_factor_of_the_query_weights(small: llama.Model, tokens: Any) -> None:
    gains = np.where(np.arange(40) < 24, 1.5, 1.0)  # queries, then keys and values
    layers = tuple(replace(layer, qkv=layer.qkv * gains) for layer in small.weights.layers)
    sharp = replace(small.weights, layers=layers)
    hidden = read(small, tokens, range(600), Rule(FREQUENCIES, 1.5))
    logits = transformer.forward(SMALL, sharp, tokens)
    np.testing.assert_allclose(llama.unembed(small, hidden), logits, atol=1e-5)


def test_rules_do_nothing_at_factor_1_and_slow_the_last_pair_by_the_factor() -> None:
    frequencies = 100000.0 ** -(np.arange(32) / 32)
    for rule in long_context.rules(frequencies, factor=1, context=8192).values():
        np.testing.assert_allclose(rule.frequencies, frequencies)
        assert rule.sharpness == 1
    scaled = long_context.rules(frequencies, factor=4, context=8192)
    for name, rule in scaled.items():
        assert frequencies[-1] / rule.frequencies[-1] == pytest.approx(1 if name == "none" else 4)
        assert (rule.frequencies[0] == 1) == (name != "interpolation")
    assert scaled["yarn"].sharpness == (0.1 * math.log(4) + 1) ** 2


def test_dynamic_scaling_is_a_change_of_base_by_the_length() -> None:
    frequencies = 100000.0 ** -(np.arange(32) / 32)
    scaled = long_context.rules(frequencies, factor=1.25, context=8192)
    for length, name in ((10240, "ntk"), (8192, "none"), (500, "none")):
        np.testing.assert_allclose(
            dynamic_ntk(frequencies, factor=1, context=8192, length=length),
            scaled[name].frequencies,
        )


# --- How losses are summed up ------------------------------------------------------------------


def test_losses_of_a_model_that_always_says_the_same(small: llama.Model) -> None:
    logits = np.log(np.arange(1, 12))  # token n has probability (n + 1) / 66
    embedding = np.zeros((11, 24))
    embedding[:, 0] = logits / math.sqrt(24)  # a unit vector leaves the norm with that length
    gains = np.ones(24)
    weights = replace(small.weights, embedding=embedding, norm=gains)
    one = replace(small, weights=weights, config=replace(SMALL, eps=1e-12))
    hidden = np.zeros((500, 24))
    hidden[:, 0] = 3.0
    targets = np.arange(500) % 11
    found = long_context.losses(one, hidden, targets)
    np.testing.assert_allclose(found, -np.log((targets + 1) / 66), atol=1e-6)


def test_sampled_positions() -> None:
    at = long_context.sampled(0, 600)
    assert at.tolist() == [*range(512), *range(512, 600, 4)]
    assert long_context.sampled(550, 562).tolist() == [552, 556, 560]


def test_bins_hold_the_positions_they_say() -> None:
    at = long_context.sampled(0, 2048)
    loss = np.where(at < 64, 5.0, 2.0) + np.where(at % 2 == 0, 1.0, 0.0)
    bins = long_context.by_bins(loss, at, (0, 64, 512, 2048))
    assert bins["value"] == pytest.approx([5.5, 2.5, 3.0])  # every fourth position is even
    assert bins["low"][2] == bins["high"][2] == 3.0


def test_intervals_take_a_run_of_positions_as_one() -> None:
    """With all numbers of a run equal, the interval is that of as many numbers as runs."""
    one_each = np.random.default_rng(2).normal(size=40)
    found = long_context.estimate(np.repeat(one_each, 16), np.repeat(np.arange(40), 16))
    half = stats.norm.ppf(0.975) * one_each.std() / math.sqrt(40)
    assert found["value"] == pytest.approx(one_each.mean())
    assert found["low"] == pytest.approx(one_each.mean() - half)
    assert found["high"] == pytest.approx(one_each.mean() + half)


def test_moved_texts_do_not_share_runs() -> None:
    values = np.repeat(np.random.default_rng(3).normal(size=(3, 4)), 64, axis=1)
    found = long_context.moved_estimate(values)
    half = stats.norm.ppf(0.975) * values.std() / math.sqrt(12)
    assert found["high"] - found["value"] == pytest.approx(half)


# --- The stored measurement ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("long_context")


def estimates(value: Any) -> Iterator[dict[str, float]]:
    """Find every value with an interval, all the way down."""
    if isinstance(value, dict):
        if "low" in value and not isinstance(value["low"], list):
            yield value
        for part in value.values():
            yield from estimates(part)
    elif isinstance(value, list):
        for part in value:
            yield from estimates(part)


def test_stored_numbers_agree_with_each_other(stored: dict[str, Any]) -> None:
    passage = stored["passage"]
    assert stored["context"] == 8192
    assert passage["edges"][-1] == passage["length"] > 1.2 * stored["context"]
    assert passage["factor"] == passage["length"] / stored["context"]
    assert passage["sampled"] == 512 + (passage["length"] - 512) // 4
    assert list(passage["loss"]) == ["none", *passage["change"]]
    for name, change in passage["change"].items():
        less = np.array(passage["loss"][name]["value"]) - passage["loss"]["none"]["value"]
        np.testing.assert_allclose(change["value"], less, atol=1e-4)
    beyond = slice(passage["edges"].index(stored["context"]), None)
    alone = passage["alone"]
    assert alone["positions"] == [stored["context"], passage["length"]]
    for name, change in alone["change"].items():
        mean = np.mean(passage["loss"][name]["value"][beyond])  # the bins are of one size
        assert change["value"] == pytest.approx(alone["loss"]["value"] - mean, abs=1e-4)
    found = list(estimates(stored))
    assert len(found) > 10
    for one in found:
        assert one["low"] <= one["value"] <= one["high"]
        if "texts" in one:
            assert np.mean(one["texts"]) == pytest.approx(one["value"], abs=1e-5)


def test_stored_moved_texts_start_without_a_gap(stored: dict[str, Any]) -> None:
    moved = stored["moved"]
    assert moved["none"][0]["length"] == moved["tokens"]
    assert moved["none"][0]["change"] == {"value": 0, "low": 0, "high": 0, "texts": [0, 0]}
    assert {one["rule"] for one in moved["scaled"]} == {*stored["rules"]} - {"none"}


@pytest.mark.model
def test_the_start_of_the_passage_comes_out_again(
    model: llama.Model, stored: dict[str, Any]
) -> None:
    """Read by the package's own forward pass, with another base for the change of base."""
    rng = np.random.default_rng(long_context.SEED)
    [tokens] = passages(model, rng, 1, stored["passage"]["length"])
    base = ntk_base(stored["rope_base"], factor=stored["passage"]["factor"], size=64)
    scaled = replace(model, config=replace(model.config, rope_base=base))
    for name, one in (("none", model), ("ntk", scaled)):
        logits = llama.forward(one, tokens[:128].tolist()).astype(np.float64)
        loss = special.logsumexp(logits, axis=-1) - logits[np.arange(128), tokens[1:129]]
        halves = loss.reshape(2, 64).mean(1)  # the first two bins
        np.testing.assert_allclose(halves, stored["passage"]["loss"][name]["value"][:2], rtol=2e-3)


@pytest.mark.model
def test_a_text_without_a_gap_comes_out_again(model: llama.Model, stored: dict[str, Any]) -> None:
    rng = np.random.default_rng(long_context.SEED)
    passages(model, rng, 1, stored["passage"]["length"])
    moved = stored["moved"]
    tokens = passages(model, rng, moved["n"], moved["tokens"])[0]
    half = moved["tokens"] // 2
    for block in llama.blocks(model, tokens[:-1].tolist()):
        hidden = block.hidden
    logits = llama.unembed(model, hidden[half:]).astype(np.float64)
    own = logits[np.arange(half), tokens[half + 1 :]]
    loss = np.mean(special.logsumexp(logits, axis=-1) - own)
    assert loss == pytest.approx(moved["none"][0]["loss"]["texts"][0], rel=2e-3)
