"""Inactive units: the counts on known cases, and what was stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments import inactive_neurons, record
from experiments.texts import passages
from primer_ref import llama
from primer_ref.config import Config
from primer_ref.tokenizer import BPETokenizer
from primer_ref.transformer import initialize


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("inactive_neurons")


# --- On known cases ----------------------------------------------------------------------------


def test_one_unit_alone_or_all_alike() -> None:
    down = 3 * np.eye(20, 25)  # what units write is at right angles and of one length
    products = np.zeros((2, 20))
    products[0, 7] = -2.0
    products[1] = 0.5
    found = inactive_neurons.concentration(products, down)
    np.testing.assert_allclose(found["effective"], [1, 20])
    np.testing.assert_allclose(found["top_energy"], [1, 0.1])  # 2 units of 20
    np.testing.assert_allclose(found["explained"], [1, 0.1])


def test_units_are_chosen_by_what_they_write_and_not_by_their_product() -> None:
    down = np.array([[10.0, 0.0], *[[0.0, 1.0]] * 9])
    products = np.array([[1.0, *[3.0] * 9]])
    found = inactive_neurons.concentration(products, down)
    assert found["top_energy"][0] == pytest.approx(100 / 181)
    # The nine write 27 together in one direction, so that one unit of length 10 explains less.
    assert found["explained"][0] == pytest.approx(1 - 27**2 / (27**2 + 100))


def test_counts_of_a_layer_of_three_units() -> None:
    gates = np.array([[-30.0, -0.001, 2.0], [-40.0, 0.5, 2.0]])
    products = np.array([[0.0, 0.2, 3.0], [0.0, 0.0, 4.0]])
    found = inactive_neurons.counts(gates, products)
    rms = np.sqrt((0.2**2 + 9 + 16) / 6)
    assert found["rms"] == pytest.approx(rms)
    assert found["negative"] == pytest.approx(3 / 6)
    # silu(-0.001) = -0.0005 and silu(0.5) = 0.311
    np.testing.assert_allclose(found["closed"], [3 / 6] * 3)
    np.testing.assert_allclose(found["small"], [3 / 6, 4 / 6, 4 / 6, 1])
    assert found["never_positive"] == pytest.approx(1 / 3)
    np.testing.assert_allclose(found["never_open"], [1 / 3] * 3)
    np.testing.assert_allclose(found["never_large"], [1 / 3, 2 / 3, 2 / 3, 1])
    assert found["largest"] == pytest.approx(4)


def test_units_wake_as_passages_are_added() -> None:
    gates = np.full((3, 2, 4), -1.0)
    gates[0, 0, 2] = gates[1, 1, 3] = 5.0
    products = np.full((3, 2, 4), 1e-3)
    products[2, 1, 0] = 10.0
    assert inactive_neurons.growing(6) == [1, 2, 4, 6]
    found = inactive_neurons.never_by_tokens(gates, products, [1, 2, 3])
    np.testing.assert_allclose(found, [[3 / 4, 1 / 2, 1 / 2], [3 / 4, 1 / 2, 1 / 2], [1, 1, 3 / 4]])


def test_products_are_those_of_the_package_s_feed_forward_part() -> None:
    config = Config(
        n_layers=2,
        width=16,
        n_heads=2,
        n_kv_heads=1,
        head_size=8,
        hidden=24,
        n_tokens=9,
        context=8,
    )
    weights = initialize(config, rng=np.random.default_rng(0))
    fake = llama.Model(config, weights, BPETokenizer([], []))
    hidden = llama.trace(fake, [1, 2, 3]).hidden
    rest = np.array([[1, 2, 3], [4, 5, 6]])
    for number, (layer, _, products) in enumerate(
        inactive_neurons.activations(config, weights, rest)
    ):
        # What is left of a layer's step without the feed-forward part comes from attention alone.
        step = hidden[number + 1] - hidden[number] - products[0] @ layer.down
        block = list(llama.blocks(fake, [1, 2, 3]))[number]
        values = block.values.repeat(2, axis=0)
        joined = (block.weights @ values).swapaxes(0, 1).reshape(3, -1)
        np.testing.assert_allclose(step, joined @ layer.output, atol=1e-6)


# --- What was stored ---------------------------------------------------------------------------


@pytest.mark.model
def test_the_first_passage_comes_out_again(model: llama.Model, stored: dict[str, Any]) -> None:
    rng = np.random.default_rng(inactive_neurons.SEED)
    tokens = passages(model, rng, 1, stored["length"])[0]
    layers = inactive_neurons.activations(model.config, model.weights, tokens)
    for number, (layer, _, products) in zip(range(10), layers, strict=False):
        found = inactive_neurons.concentration(products[1:], layer.down)["explained"].mean()
        expected = stored["trained"]["explained_by_passage"][0][number]
        assert found == pytest.approx(expected, abs=2e-3)


def test_random_units_are_as_concentrated_as_products_of_normal_numbers(
    stored: dict[str, Any],
) -> None:
    """At the start, gate and entry are sums of 576 products of a weight and a normed number."""
    spread = 0.02 * np.sqrt(576 * 0.02**2 / (0.02**2 + 1e-5))  # 1e-5 is what the norm adds
    gate, entry = spread * np.random.default_rng(0).normal(size=(2, 300, 1536))
    products = gate / (1 + np.exp(-gate)) * entry
    energy = np.sort(products**2, axis=1)[:, ::-1]
    expected = np.mean(energy[:, :154].sum(1) / energy.sum(1))
    first = stored["random"]["top_energy"]["value"][0]
    assert first == pytest.approx(expected, abs=0.01)
    assert stored["random"]["negative"][0] == pytest.approx(0.5, abs=0.02)
    assert stored["random"]["rms"][0] == pytest.approx(np.sqrt(np.mean(products**2)), rel=0.02)


def test_stored_shares_fit_together(stored: dict[str, Any]) -> None:
    for kind in ("trained", "random"):
        found = stored[kind]
        for name in ("closed", "small", "never_open", "never_large", "product_quantiles"):
            rows = np.array(found[name])
            assert rows.shape[1] == 30
            assert np.all(np.diff(rows, axis=0) >= 0)  # higher thresholds let more units be
            assert rows.min() >= 0
        # A unit that is inactive at every token is so at each, and so are its pairs.
        assert np.all(np.array(found["never_positive"]) <= np.array(found["negative"]))
        assert np.all(np.array(found["never_large"]) <= np.array(found["small"]))
        assert np.all(np.array(found["never_open"]) <= np.array(found["closed"]))
        # Every negative gate is closed at the last threshold.
        assert np.all(np.array(found["negative"]) <= np.array(found["closed"][-1]))
        by_tokens = found["by_tokens"]
        assert by_tokens["tokens"][-1] == stored["n"] * stored["length"]
        for name, last in (
            ("never_positive", np.mean(found["never_positive"])),
            ("never_open", np.mean(found["never_open"][-1])),
            ("never_large", np.mean(found["never_large"][-1])),
        ):
            assert np.all(np.diff(by_tokens[name]) <= 0)
            assert by_tokens[name][-1] == pytest.approx(last, abs=1e-5)
        explained = np.array(found["explained_by_passage"])
        assert explained.shape == (stored["n"], 30)
        np.testing.assert_allclose(explained.mean(0), found["explained"]["value"], rtol=1e-4)
        for name in ("effective", "top_energy", "explained"):
            low, value, high = (np.array(found[name][end]) for end in ("low", "value", "high"))
            assert np.all((low <= value) & (value <= high))
        assert np.all(np.array(found["top_energy"]["value"]) >= stored["top"])


def test_stored_texts_wake_units_that_the_novels_leave_asleep(stored: dict[str, Any]) -> None:
    found = stored["elsewhere"]
    asleep = 1536 * np.sum(stored["trained"]["never_positive"])
    assert found["asleep"] == pytest.approx(asleep, abs=0.5)
    assert len(found["texts"]) == len(found["woken_by_text"]) == len(inactive_neurons.TEXTS)
    assert max(found["woken_by_text"]) <= found["woken"] <= found["asleep"]
    assert found["control_woken"] <= found["asleep"]
    total = sum(text["tokens"] for text in found["texts"])
    assert found["control_tokens"] == pytest.approx(total, rel=0.05)
