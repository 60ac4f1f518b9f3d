"""What a GPU did, as it is stored: what was counted, and that rates, times and ratios agree.

Nothing is measured again: that takes such a device.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from experiments import record


def test_each_file_names_the_device() -> None:
    for name in ("gpu_roofline", "gpu_attention", "gpu_training"):
        stored = json.loads((record.MEASUREMENTS / f"{name}.json").read_text("utf-8"))
        assert stored["provenance"]["accelerator"].keys() == {"name", "torch", "cuda"}


def test_products_lie_under_the_roof() -> None:
    stored = record.load("gpu_roofline")
    machine, (n, m) = stored["machine"], stored["sizes"]
    for kind, width in (("bfloat16", 2), ("tf32", 4), ("float32", 4)):
        times, rates = machine["products"][kind].values()
        assert machine["peak"][kind] == max(rates)
        for work, seconds, rate in zip(stored["products"][kind], times, rates, strict=True):
            rows = work["rows"]
            assert work["flops"] == 2 * rows * n * m
            assert work["bytes"] == width * (rows * n + n * m + rows * m)
            assert work["intensity"] == pytest.approx(work["flops"] / work["bytes"], rel=1e-5)
            assert rate == pytest.approx(work["flops"] / seconds, rel=1e-4)
            assert work["bytes"] / seconds <= machine["bandwidth"] * 1.001
    assert machine["ridge"] == pytest.approx(
        machine["peak"]["bfloat16"] / machine["bandwidth"], rel=1e-4
    )


# Layers, width, heads, key heads, head size, hidden width, tokens.
SIZES = {
    "smollm2-135m": (30, 576, 9, 3, 64, 1536, 49_152),
    "llama3-8b": (32, 4096, 32, 8, 128, 14_336, 128_256),
}


def test_steps_are_counted_and_lie_under_the_roof() -> None:
    stored = record.load("gpu_roofline")
    machine = stored["machine"]
    for work, step in zip(stored["decode"], machine["decode"], strict=True):
        n_layers, c, h, k, d, f, v = SIZES[work["model"]]
        past, batch = work["past"], np.array(work["batches"])
        entries = n_layers * (2 * c * h * d + 2 * c * k * d + 3 * c * f) + c * v
        flops = 2 * batch * (entries + 2 * n_layers * h * d * (past + 1))
        np.testing.assert_allclose(work["flops"], flops, rtol=1e-5)
        moved = 2 * (entries + batch * 2 * n_layers * k * d * (past + 1))
        np.testing.assert_allclose(work["intensity"], flops / moved, rtol=0.01)
        roof = np.minimum(
            machine["peak"]["bfloat16"], np.array(work["intensity"]) * machine["bandwidth"]
        )
        found = {key: np.array(values) for key, values in step.items()}
        rate = flops / found["replayed"]
        np.testing.assert_allclose(found["tokens_per_second"], batch / found["replayed"], rtol=1e-4)
        np.testing.assert_allclose(found["allowed"], batch * roof / flops, rtol=1e-4)
        np.testing.assert_allclose(found["share"], rate / roof, rtol=1e-4)
        np.testing.assert_allclose(found["of_peak"], rate / machine["peak"]["bfloat16"], rtol=1e-4)
        assert np.all(found["share"] < 1)
        assert np.all(found["products"] + found["attention"] < found["replayed"])


def test_dense_attention_grows_with_the_square_and_fused_with_the_length() -> None:
    stored = record.load("gpu_attention")
    machine, heads, size = stored["machine"], stored["heads"], stored["head_size"]
    n = np.array(stored["sizes"])
    np.testing.assert_allclose(stored["flops"], 4 * heads * size * n**2.0)
    result = 2 * heads * size * n  # bytes of what comes out, in bfloat16
    for kind in ("fused", "fused_causal"):
        peak = np.array(machine[kind]["forward"]["peak"])
        # With each row's logarithm of its sum, a float32 number for a head and a token.
        np.testing.assert_allclose(peak[1:], (result + 4 * heads * n)[1:], rtol=0.01)
    dense = n[n <= stored["dense_until"]]
    for kind in ("dense", "dense_causal"):
        peak = np.array(machine[kind]["forward"]["peak"])
        scores = 2 * heads * dense**2.0
        assert np.all(peak > 2 * scores)  # before and after softmax
        assert np.all(peak[1:] < 2.1 * scores[1:])
    for name, suffix in (("plain", ""), ("causal", "_causal")):
        for key, ratio in machine["ratio"][name].items():
            one, other = (machine[way + suffix]["forward"][key] for way in ("dense", "fused"))
            np.testing.assert_allclose(ratio, np.divide(one, other[: len(one)]), rtol=1e-4)


def test_a_layer_keeps_what_is_counted() -> None:
    stored = record.load("gpu_training")
    layer, machine = stored["layer"], stored["machine"]
    s, b, h, a = np.array(layer["lengths"]), layer["batch"], layer["width"], layer["heads"]
    counted: dict[str, Any] = {"dense": s * b * h * (34 + 5 * a * s / h), "fused": s * b * h * 34}
    for way, expected in counted.items():
        np.testing.assert_allclose(layer["counted"][way], expected, rtol=1e-5)
        # The rest: means and variances, logarithms of sums, the causal mask.
        np.testing.assert_allclose(machine["kept"][way], expected, rtol=0.004)
        assert np.all(np.array(machine["kept"][way]) > expected)


def test_rates_of_training_count_three_passes() -> None:
    stored = record.load("gpu_training")
    stack, machine = stored["stack"], stored["machine"]
    n_layers, batch, length, width = (stack[key] for key in ("layers", "batch", "length", "width"))
    per_token = 24 * width**2 + 4 * length * width  # of a layer, forward
    assert stack["flops"] == n_layers * batch * length * per_token
    steps = machine["steps"]
    for step in steps.values():
        rate = 3 * stack["flops"] / step["both"]
        assert step["flops_per_second"] == pytest.approx(rate, rel=1e-4)
    for way, than in (("selective", "dense"), ("full", "fused")):
        ratio = steps[way]["both"] / steps[than]["both"]
        assert machine["longer"][way] == pytest.approx(ratio, rel=1e-4)
    changed = np.array(machine["changed"])
    assert changed.shape == (len(stored["matrices"]), len(stored["batches"]))
    assert not changed[:, 0].any()  # a row alone, against itself
