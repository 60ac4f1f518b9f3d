"""The roofline of a machine: what is counted, and that a small measurement hangs together."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import machine_roofline, record
from primer_ref import llama, transformer
from primer_ref.config import Config
from primer_ref.roofline import Device
from primer_ref.tokenizer import BPETokenizer, byte_characters

DEVICE = Device(flops=100.0, bandwidth=10.0, memory=1.0, watts=1.0)


def test_a_rate_is_compared_with_the_lower_roof() -> None:
    slow = machine_roofline.rate(DEVICE, 2.0, 4, {"flops": 40.0, "intensity": 5.0})
    assert slow == {
        "seconds": 2.0,
        "tokens_per_second": 2.0,
        "flops_per_second": 20.0,
        "allowed": 5.0,
        "share": 0.4,  # of 5 FLOP a byte times 10 bytes a second
        "of_peak": 0.2,
    }
    fast = machine_roofline.rate(DEVICE, 2.0, 4, {"flops": 40.0, "intensity": 50.0})
    assert fast["share"] == 0.2  # of the peak


@pytest.mark.parametrize("n", [5, 8, 20])
def test_a_reading_is_counted_as_it_runs(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Note the rows that meet the matrices of a layer and of scores, and the entries of these."""
    config = Config(
        n_layers=2,
        width=32,
        n_heads=4,
        n_kv_heads=2,
        head_size=8,
        hidden=40,
        n_tokens=600,
        context=32,
    )
    weights = transformer.initialize(config, rng=np.random.default_rng(0))
    model = llama.Model(config, weights, BPETokenizer(byte_characters(), []))
    met: list[tuple[int, int]] = []  # rows, entries

    def feed_forward(config: Config, layer: transformer.Layer, x: llama.Floats) -> llama.Floats:
        entries = sum(m.size for m in (layer.qkv, layer.output, layer.gate_up, layer.down))
        met.append((x.size // config.width, entries))
        return transformer.feed_forward(config, layer, x)

    unembed = transformer.unembed

    def scores(config: Config, weights: transformer.Weights, x: llama.Floats) -> llama.Floats:
        met.append((x.size // config.width, weights.embedding.size))
        return unembed(config, weights, x)

    monkeypatch.setattr(llama, "PIECE", 8)
    monkeypatch.setattr(llama, "feed_forward", feed_forward)
    monkeypatch.setattr(transformer, "unembed", scores)
    monkeypatch.setattr(machine_roofline, "SHAPES", ((8, 8),))
    found = machine_roofline.measure(model, batches=(), prompts=(n,), steps=1, side=8)
    times = sum(entries == weights.embedding.size for _, entries in met)  # scored once a reading
    flops = sum(2 * rows * entries for rows, entries in met) / times
    pairs = sum(range(1, n + 1))
    flops += 2 * 4 * 32 * pairs  # two layers, each 4HD a pair
    cached = sum(min(end, n) for end in range(8, n + 8, 8))  # tokens held at the end of each pass
    moved = 4 * (sum(entries for _, entries in met) / times + 2 * 2 * 16 * cached)
    (work,) = found["prefill"]
    assert work["flops"] == flops
    assert work["intensity"] == pytest.approx(flops / moved, rel=0.02)  # norms are not noted


@pytest.mark.model
def test_a_small_measurement(model: llama.Model) -> None:
    found = machine_roofline.measure(
        model, batches=(1, 4), prompts=(32,), past=64, steps=3, side=256
    )
    stored = record.load("machine_roofline")
    assert found["past"] == stored["past"]
    assert record.plain(found["decode"]) == [stored["decode"][0], stored["decode"][2]]
    assert record.plain(found["prefill"]) == stored["prefill"][:1]
    rates = found["machine"]["decode"]
    assert all(rate["tokens_per_second"] > 0 for rate in rates)


def test_the_stored_measurement_is_whole() -> None:
    stored = record.load("machine_roofline")
    machine, past = stored["machine"], stored["past"]
    assert machine["ridge"] == pytest.approx(machine["peak"] / machine["bandwidth"], rel=1e-4)
    # 30 layers, width 576, 9 and 3 heads of 64, hidden width 1,536, 49,152 tokens.
    layers = 30 * (2 * 576 * 576 + 2 * 192 * 576 + 3 * 1536 * 576)
    weights = layers + 49152 * 576
    for work, rate in zip(stored["decode"], machine["decode"], strict=True):
        batch = work["batch"]
        flops = 2 * batch * (weights + 30 * 2 * 576 * (past + 1))
        assert work["flops"] == pytest.approx(flops, rel=1e-5)
        moved = 4 * (weights + batch * 30 * 2 * 192 * (past + 1))
        assert work["intensity"] == pytest.approx(flops / moved, rel=0.01)
        assert rate["flops_per_second"] * rate["seconds"] == pytest.approx(flops, rel=1e-4)
        assert rate["tokens_per_second"] * rate["seconds"] == pytest.approx(batch, rel=1e-4)
        roof = min(machine["peak"], work["intensity"] * machine["bandwidth"])
        assert rate["share"] == pytest.approx(rate["flops_per_second"] / roof, rel=1e-4)
        assert rate["share"] < 1
        assert rate["allowed"] * rate["share"] == pytest.approx(rate["tokens_per_second"], rel=1e-4)
        assert rate["of_peak"] * machine["peak"] == pytest.approx(rate["flops_per_second"], 1e-4)
    for work, rate in zip(stored["prefill"], machine["prefill"], strict=True):
        n = work["tokens"]
        flops = 2 * (n * layers + 49152 * 576 + 30 * 2 * 576 * n * (n + 1) / 2)
        assert work["flops"] == pytest.approx(flops, rel=1e-5)
        ends = [min(end, n) for end in range(128, n + 128, 128)]  # of passes
        moved = 4 * (len(ends) * layers + 49152 * 576 + 30 * 2 * 192 * sum(ends))
        assert work["intensity"] == pytest.approx(flops / moved, rel=0.01)
        assert rate["flops_per_second"] * rate["seconds"] == pytest.approx(flops, rel=1e-4)
        assert rate["tokens_per_second"] * rate["seconds"] == pytest.approx(n, rel=1e-4)
        roof = min(machine["peak"], work["intensity"] * machine["bandwidth"])
        assert rate["share"] == pytest.approx(rate["flops_per_second"] / roof, rel=1e-4)
        assert rate["of_peak"] * machine["peak"] == pytest.approx(rate["flops_per_second"], 1e-4)
    speeds = [rate["tokens_per_second"] for rate in machine["decode"]]
    assert np.all(np.diff(speeds) > 0)
    assert machine["products"] < machine["decode"][0]["seconds"]
