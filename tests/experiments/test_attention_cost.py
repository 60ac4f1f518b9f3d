"""The cost of attention: counts and fits on known cases, and what was stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from experiments import attention_cost, record


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("attention_cost")


def test_the_peak_is_what_is_alive_at_one_time() -> None:
    def two_at_once() -> None:
        a = np.ones(100_000)  # 0.8 MB
        b = a + 1
        del a
        np.add(b, 1, out=b)
        del b
        np.ones(50_000)

    assert attention_cost.peak(two_at_once) == pytest.approx(1.6e6, rel=0.01)


def test_exponents_of_power_laws_are_found() -> None:
    sizes = np.array([256, 512, 1024, 2048])
    assert attention_cost.exponent(sizes, 3e-9 * sizes**1.7) == pytest.approx(1.7, abs=1e-12)
    rng = np.random.default_rng(0)
    times = 1e-8 * sizes**2.0 * np.exp(0.1 * rng.normal(size=(40, 4)))
    found = attention_cost.time_exponent(sizes, times)
    assert found["low"] < found["value"] < found["high"]
    assert found["low"] < 2 < found["high"]
    assert found["high"] - found["low"] < 0.2


def test_each_kind_gives_attention_or_its_gradient() -> None:
    n = 300  # not a multiple of the tile
    inputs = attention_cost.draw(n).astype(np.float64)
    q, k, v, d_out = inputs
    scores = np.exp(q @ k.T / 8)
    weights = scores / scores.sum(1, keepdims=True)
    seen = np.tril(scores)
    causal = seen / seen.sum(1, keepdims=True)
    d_scores = weights * (d_out @ v.T - np.sum(d_out * (weights @ v), axis=1, keepdims=True)) / 8
    expected = {
        "dense": [weights @ v],
        "dense_causal": [causal @ v],
        "dense_backward": [d_scores @ k, d_scores.T @ q, weights.T @ d_out],
    }
    for kind, call in attention_cost.calls(inputs).items():
        known = expected[kind.replace("tiled", "dense")]
        for found, array in zip(attention_cost.results(kind, call), known, strict=True):
            np.testing.assert_allclose(found, array, atol=1e-12)


def test_dense_memory_holds_the_matrix_and_tiled_memory_does_not() -> None:
    n = 1024
    by_kind = attention_cost.calls(attention_cost.draw(n))
    matrix = 4 * n**2
    for kind in ("dense", "dense_causal", "dense_backward"):
        assert attention_cost.peak(by_kind[kind]) > matrix
    for kind in ("tiled", "tiled_causal", "tiled_backward"):
        assert attention_cost.peak(by_kind[kind]) < matrix / 2


def test_a_small_measurement_has_what_the_stored_one_has(stored: dict[str, Any]) -> None:
    small = record.plain(
        attention_cost.measure(sizes=(64, 256), sweeps=2, fit_from=64, blocks_length=64)
    )
    assert small.keys() == stored.keys()
    assert small["machine"].keys() == stored["machine"].keys()
    place = stored["sizes"].index(256)
    for kind in attention_cost.KINDS:
        assert 0 < small["errors"][kind][1] < 1e-5
        assert small["errors"][kind][1] == pytest.approx(stored["errors"][kind][place], rel=2)
    for kind in stored["bytes"]:
        assert small["bytes"][kind][1] == stored["bytes"][kind][place]
        assert small["operations"][kind][1] == stored["operations"][kind][place]


def test_stored_results_are_equal_up_to_rounding(stored: dict[str, Any]) -> None:
    for kind in attention_cost.KINDS:
        assert min(stored["errors"][kind]) > 0
        assert max(stored["errors"][kind]) < 1e-5


def test_stored_peaks_are_what_the_code_says(stored: dict[str, Any]) -> None:
    peaks = stored["machine"]["peak"]
    large = [place for place, n in enumerate(stored["sizes"]) if n >= 1024]
    for kind, counted in stored["bytes"].items():
        for place in large:
            assert peaks[kind][place] == pytest.approx(counted[place], rel=0.1)
    exponents = stored["machine"]["memory_exponent"]
    for kind in attention_cost.KINDS:
        low, high = (1.9, 2.05) if kind.startswith("dense") else (0.3, 1.05)
        assert low < exponents[kind] < high


def test_stored_fits_come_out_of_stored_medians(stored: dict[str, Any]) -> None:
    machine, sizes = stored["machine"], np.array(stored["sizes"])
    fitted = sizes >= stored["fit_from"]
    for kind in attention_cost.KINDS:
        found = machine["time_exponent"][kind]
        medians = np.array(machine["seconds"][kind]["median"])
        x, y = np.log(sizes[fitted]), np.log(medians[fitted])
        slope = np.sum((x - x.mean()) * y) / np.sum((x - x.mean()) ** 2)
        assert found["value"] == pytest.approx(slope, rel=1e-4)
        assert found["low"] <= found["value"] <= found["high"]
        assert 1.2 < found["value"] < 2.6
        assert np.all(np.array(machine["seconds"][kind]["least"]) <= medians)
    names = {"forward": "", "causal": "_causal", "backward": "_backward"}
    for name, end in names.items():
        dense, tiled = (machine["seconds"][kind + end]["median"] for kind in ("dense", "tiled"))
        np.testing.assert_allclose(machine["ratio"][name], np.divide(dense, tiled), rtol=1e-4)
