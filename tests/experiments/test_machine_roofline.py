"""The roofline of a machine: what is counted, and that a small measurement hangs together."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import machine_roofline, record
from primer_ref import llama
from primer_ref.roofline import Device

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
    assert rates[1]["tokens_per_second"] > rates[0]["tokens_per_second"] > 0


def test_the_stored_measurement_is_whole() -> None:
    stored = record.load("machine_roofline")
    machine, past = stored["machine"], stored["past"]
    assert machine["ridge"] == pytest.approx(machine["peak"] / machine["bandwidth"], rel=1e-4)
    # 30 layers, width 576, 9 and 3 heads of 64, hidden width 1,536, 49,152 tokens.
    weights = 30 * (2 * 576 * 576 + 2 * 192 * 576 + 3 * 1536 * 576) + 49152 * 576
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
    shares = [rate["tokens_per_second"] for rate in machine["decode"]]
    assert np.all(np.diff(shares) > 0)
    assert machine["products"] < machine["decode"][0]["seconds"]
