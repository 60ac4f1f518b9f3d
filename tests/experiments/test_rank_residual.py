"""How alike tokens become: theorems on small networks, and what was stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments import rank_residual, record
from experiments.rank_residual import VARIANTS, streams
from primer_ref import llama
from primer_ref.config import Config
from primer_ref.transformer import Weights, forward, initialize, unembed

CONFIG = Config(
    n_layers=12,
    width=32,
    n_heads=4,
    n_kv_heads=2,
    head_size=8,
    hidden=48,
    n_tokens=50,
    context=64,
    eps=1e-12,
)
TOKENS = np.random.default_rng(1).integers(50, size=20)


@pytest.fixture(scope="module")
def weights() -> Weights:
    return initialize(CONFIG, rng=np.random.default_rng(0))


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("rank_residual")


def relative(weights: Weights, name: str, config: Config = CONFIG) -> list[float]:
    return [rank_residual.scores(x)[0] for x in streams(config, weights, TOKENS, VARIANTS[name])]


# --- On small networks -------------------------------------------------------------------------


def test_the_whole_is_the_package_s_network(weights: Weights) -> None:
    *_, last = streams(CONFIG, weights, TOKENS, VARIANTS["whole"])
    logits = unembed(CONFIG, weights, last)
    np.testing.assert_allclose(logits, forward(CONFIG, weights, TOKENS), atol=1e-4)


def test_without_attention_no_token_sees_another(weights: Weights) -> None:
    changed = TOKENS.copy()
    changed[3] = (changed[3] + 1) % 50
    for name, apart in (("no_attention", [3]), ("whole", list(range(3, 20)))):
        pair = [
            list(streams(CONFIG, weights, row, VARIANTS[name]))[-1] for row in (TOKENS, changed)
        ]
        differing = np.flatnonzero(np.max(np.abs(pair[0] - pair[1]), axis=1) > 0)
        assert differing.tolist() == apart


def test_even_attention_without_a_mask_makes_all_tokens_alike_at_once(weights: Weights) -> None:
    """Without query weights all scores are 0, so that every token gets the same mean."""
    queries = CONFIG.n_heads * CONFIG.head_size
    layers = []
    for layer in weights.layers:
        qkv = layer.qkv.copy()
        qkv[:, :queries] = 0
        layers.append(replace(layer, qkv=qkv))
    even = replace(weights, layers=tuple(layers))
    assert relative(even, "attention_unmasked")[1] < 1e-14
    x0, x1, *_ = streams(CONFIG, even, TOKENS, VARIANTS["attention_only"])
    # The mask makes it a running mean of the normed tokens, times values and outputs.
    normed = x0 / np.sqrt(np.mean(x0**2, axis=1, keepdims=True))
    running = np.cumsum(normed, axis=0) / np.arange(1, 21)[:, None]
    layer = even.layers[0]
    values = (running @ layer.qkv[:, -16:]).reshape(20, 2, 8).repeat(2, axis=1)  # 2 heads share
    np.testing.assert_allclose(x1, values.reshape(20, 32) @ layer.output, rtol=1e-5, atol=1e-12)


def test_even_attention_with_a_mask_halves_what_is_left() -> None:
    """The running mean has the eigenvalues 1, 1/2, 1/3, ...: the residual goes as 1/2 a layer."""
    config = replace(CONFIG, n_layers=40)
    drawn = initialize(config, rng=np.random.default_rng(2))
    layer, inner = drawn.layers[0], 32
    qkv = np.zeros_like(layer.qkv)
    qkv[:16, inner + 16 :] = np.eye(16)
    output = np.zeros_like(layer.output)  # heads 0, 1 repeat value head 0, heads 2, 3 head 1
    output[:8, :8] = output[16:24, 8:16] = np.eye(8)
    kept = replace(drawn, layers=(replace(layer, qkv=qkv, output=output),) * 40)
    found = relative(kept, "attention_only", config)
    assert found[40] / found[39] == pytest.approx(1 / 2, rel=0.02)
    assert np.exp(rank_residual.log_factor(np.array(found))) == pytest.approx(1 / 2, rel=0.02)


def test_bare_attention_cubes_what_is_left(weights: Weights) -> None:
    sharp = tuple(replace(layer, qkv=10 * layer.qkv) for layer in weights.layers)
    found = np.array(relative(replace(weights, layers=sharp), "attention_bare"))
    assert rank_residual.convergence_order(found) == pytest.approx(3, abs=0.4)


def test_orders_and_factors_of_known_sequences() -> None:
    cubes = [0.3]
    for _ in range(5):
        cubes.append(0.7 * cubes[-1] ** 3)
    cubes = [max(residual, 1e-16) for residual in cubes]
    assert rank_residual.convergence_order(np.array(cubes)) == pytest.approx(3, abs=1e-9)
    halves = 0.4 * 0.5 ** np.arange(60.0)
    assert rank_residual.convergence_order(halves) == pytest.approx(1, abs=1e-9)
    assert np.exp(rank_residual.log_factor(halves)) == pytest.approx(0.5, abs=1e-9)
    assert np.isnan(rank_residual.log_factor(np.array(cubes)))


def test_scores_of_known_streams() -> None:
    alike = np.ones((4, 3))
    assert rank_residual.scores(alike) == [0, 0, 0]
    one_huge = np.array([[30.0, 0.0], [0.0, 1.0], [0.0, 3.0]])
    every, rest, composite = rank_residual.scores(one_huge)
    # Left are the rows (20, -4/3), (-10, -1/3), (-10, 5/3): columns 40 and 10/3, a row 64/3.
    assert every**2 == pytest.approx((600 + 42 / 9) / 910)
    assert rest**2 == pytest.approx(2 / 10)
    assert composite**2 == pytest.approx(40 * (64 / 3) / (30 * 30))


# --- What was stored ---------------------------------------------------------------------------


@pytest.mark.model
def test_the_first_passage_comes_out_again(stored: dict[str, Any], model: llama.Model) -> None:
    names = ("whole", "attention_bare")
    again = rank_residual.measure_passage(model, ("trained", 0), stored["length"], names)
    for name in names:
        found = np.array(again[name])[:, 0]
        np.testing.assert_allclose(found, stored["first"][name], rtol=2e-3, atol=1e-9)
        assert found[-1] == pytest.approx(stored["trained"][name]["last"][0], rel=2e-3, abs=1e-14)
    assert found[3] / found[2] ** 3 == pytest.approx(
        stored["first"]["attention_bare"][3] / stored["first"]["attention_bare"][2] ** 3, rel=0.01
    )


def test_stored_residuals_are_shares_with_intervals(stored: dict[str, Any]) -> None:
    for kind in ("trained", "random"):
        assert stored[kind].keys() == VARIANTS.keys()
        starts = {variant["relative"]["value"][0] for variant in stored[kind].values()}
        assert len(starts) == 1  # all variants start from the embedding
        for variant in stored[kind].values():
            assert len(variant["last"]) == stored[f"n_{kind}"]
            logs = np.log(variant["last"])
            assert variant["relative"]["value"][-1] == pytest.approx(np.exp(logs.mean()), rel=1e-4)
            for score in rank_residual.SCORES:
                low, value, high = (
                    np.array(variant[score][end]) for end in ("low", "value", "high")
                )
                assert len(value) == 31
                assert np.all((low > 0) & (low <= value) & (value <= high))
                assert score == "composite" or np.all(value <= 1)


def test_stored_residuals_collapse_as_the_theorems_say(stored: dict[str, Any]) -> None:
    for kind in ("trained", "random"):
        variants = stored[kind]
        assert variants["attention_bare"]["order"]["value"] == pytest.approx(3, abs=0.25)
        ends = {name: variant["relative"]["value"][-1] for name, variant in variants.items()}
        assert ends["attention_bare"] < 1e-14
        assert ends["attention_unmasked"] < ends["attention_only"] < 1e-6
        assert ends["attention_only"] < ends["no_residual"] < ends["no_feed_forward"]
        assert ends["no_feed_forward"] < ends["whole"] < ends["no_attention"]
    assert stored["random"]["attention_only"]["factor"]["value"] == pytest.approx(0.5, abs=0.05)
