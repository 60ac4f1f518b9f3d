"""Stored measurements: how they are written, and that a part of each comes out again.

Two machines agree on float32 results to about four digits; ``assert_close`` leaves room for that.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special

from experiments import (
    attention_heads,
    chinchilla_refit,
    makemore_bigrams,
    passage_surprisal,
    record,
)
from primer_ref import llama
from primer_ref.functional import softmax
from primer_ref.norms import rms_norm
from primer_ref.scaling import BESIROGLU


def assert_close(actual: Any, desired: Any) -> None:
    np.testing.assert_allclose(actual, desired, rtol=2e-3, atol=2e-3)


# --- The record ------------------------------------------------------------------------------


def test_save_and_load(tmp_path: Path) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(b"weights")
    result = {"a": np.float32(1 / 3), "b": [np.arange(3), {"c": None}], "d": "é", "e": np.bool_(1)}
    path = record.save("x", result, command="run x", seed=3, model=model, folder=tmp_path)
    assert record.load("x", folder=tmp_path) == {
        "a": 0.333333,
        "b": [[0, 1, 2], {"c": None}],
        "d": "é",
        "e": True,
    }
    provenance = json.loads(path.read_text("utf-8"))["provenance"]
    assert provenance["command"] == "run x"
    assert provenance["seed"] == 3
    assert provenance["versions"]["numpy"] == np.__version__
    assert provenance["model"]["file"] == "model.gguf"
    assert provenance["model"]["sha256"].startswith("9a129038")
    assert str(tmp_path) not in path.read_text("utf-8")


def test_a_failed_save_leaves_the_old_file(tmp_path: Path) -> None:
    record.save("x", {"a": 1}, command="", seed=None, folder=tmp_path)
    for bad in (math.nan, math.inf, {1, 2}):
        with pytest.raises((ValueError, TypeError)):
            record.save("x", {"a": bad}, command="", seed=None, folder=tmp_path)
    assert record.load("x", folder=tmp_path) == {"a": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_differences_are_told_and_times_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = {"a": [1.0, 2.0], "b": "x", "machine": {"seconds": 3.0}, "gone": 1}
    new = {"a": [1.001, 2.1], "b": "x", "machine": {"seconds": 5.0}, "c": [1]}
    assert list(record.differences(old, new)) == [
        "result.a[1]: 2.0 -> 2.1",
        "result.c: None -> [1]",
        "result.gone: 1 -> None",
    ]
    assert list(record.differences([1], [1, 2])) == ["result: [1] -> [1, 2]"]
    record.save("x", old, command="", seed=None, folder=tmp_path)
    assert capsys.readouterr().out == ""
    record.save("x", new, command="", seed=None, folder=tmp_path)
    assert capsys.readouterr().out.startswith("x: 3 values differ from the stored ones\n  result.a")


def test_parts_that_are_done_are_not_measured_again(tmp_path: Path) -> None:
    measured: list[int] = []

    def measure(item: int) -> dict[str, float]:
        if len(measured) == 2:
            raise KeyboardInterrupt
        measured.append(item)
        return {"third": item / 3}

    with pytest.raises(KeyboardInterrupt):
        record.parts("x", [1, 2, 3], measure, folder=tmp_path)
    done = record.parts("x", [2, 1], measure, folder=tmp_path)
    assert (measured, done) == ([1, 2], [{"third": 0.666667}, {"third": 0.333333}])
    record.forget("x", folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_cores_are_the_threads_that_numpy_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert record.cores() == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert record.cores() == os.cpu_count()


def test_layout_has_a_line_for_each_list_of_values() -> None:
    value = {"rows": [[1, 2], [3]], "empty": {}, "none": [], "of": [{"a": 1}]}
    lines = [
        "{",
        '  "rows": [',
        "    [1, 2],",
        "    [3]",
        "  ],",
        '  "empty": {},',
        '  "none": [],',
        '  "of": [',
        "    {",
        '      "a": 1',
        "    }",
        "  ]",
        "}",
    ]
    assert record.to_json(value) == "\n".join(lines)


def test_progress_goes_through_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(record.progress([1, 2, 3], "counting")) == [1, 2, 3]
    assert capsys.readouterr().err == ""  # no terminal, no bar


@pytest.mark.parametrize("path", sorted(record.MEASUREMENTS.glob("*.json")), ids=lambda p: p.stem)
def test_stored_files_say_where_they_come_from(path: Path) -> None:
    stored = json.loads(path.read_text("utf-8"))
    assert stored.keys() == {"provenance", "result"}
    assert stored["provenance"]["command"].startswith(f"python -m experiments.{path.stem}")
    assert path.read_text("utf-8") == record.to_json(stored) + "\n"
    assert path.stat().st_size < 200_000


# --- The measurements --------------------------------------------------------------------------


@pytest.mark.model
def test_passage_surprisal(model: llama.Model) -> None:
    stored = record.load("passage_surprisal")["passages"]
    names = ["persuasion", "modern", "backwards", "twice"]
    assert [passage["name"] for passage in stored] == names
    again = record.plain(
        passage_surprisal.measure_passage(model, "modern", passage_surprisal.MODERN)
    )
    assert again["tokens"] == stored[1]["tokens"]
    for field in ("surprisal", "entropy", "mean_surprisal", "bits_per_byte", "perplexity"):
        assert_close(again[field], stored[1][field])
    np.testing.assert_allclose(again["rank"], stored[1]["rank"], rtol=0.02, atol=1)
    assert "".join(stored[0]["tokens"]) == passage_surprisal.opening()
    backwards = "".join(stored[2]["tokens"]).split()
    assert backwards[::-1] == passage_surprisal.MODERN.split()
    # What came before the copy cannot know that it will come.
    np.testing.assert_allclose(stored[3]["surprisal"][:55], stored[1]["surprisal"], rtol=2e-3)
    for passage in stored:
        bits = sum(passage["surprisal"]) / math.log(2)
        assert passage["bits_per_byte"] == pytest.approx(bits / passage["bytes"], rel=1e-5)
        assert passage["perplexity"] == pytest.approx(math.exp(passage["mean_surprisal"]), rel=1e-4)


@pytest.fixture(scope="module")
def heads() -> dict[str, Any]:
    return record.load("attention_heads")


@pytest.fixture(scope="module")
def inputs(model: llama.Model, heads: dict[str, Any]) -> attention_heads.Inputs:
    """The inputs of the stored measurement, drawn again."""
    return attention_heads.draw_inputs(
        model,
        np.random.default_rng(attention_heads.SEED),
        n=heads["n_texts"],
        length=heads["length"],
        period=heads["period"],
        longest=heads["dispersion"]["contexts"][-1],
    )


@pytest.mark.model
def test_attention_heads_on_the_first_text(
    model: llama.Model, heads: dict[str, Any], inputs: attention_heads.Inputs
) -> None:
    layers = list(llama.blocks(model, inputs.texts[0].tolist()))
    for field in ("previous", "sink"):
        found = heads["summary"][field]
        again = attention_heads.text_statistics(layers[found["layer"]])[field][found["head"]]
        assert_close(again, found["by_input"][0])
        matrix = np.array(heads[field])
        assert matrix.shape == (30, 9)
        assert matrix[found["layer"], found["head"]] == matrix.max() == found["value"]


@pytest.mark.model
def test_attention_heads_on_repeats(
    model: llama.Model, heads: dict[str, Any], inputs: attention_heads.Inputs
) -> None:
    period, found, copying = heads["period"], heads["summary"]["induction"], heads["copying"]
    losses, right, weights = [], [], []
    for tokens in inputs.repeats:
        assert len(set(tokens[1 : period + 1])) == period  # as the share by chance supposes
        np.testing.assert_array_equal(tokens[1 : period + 1], tokens[period + 1 :])
        blocks = list(llama.blocks(model, tokens.tolist()))
        p = softmax(llama.unembed(model, blocks[-1].hidden[:-1]).astype(np.float64))
        losses.append(-np.log(p[np.arange(2 * period), tokens[1:]]))
        right.append(p.argmax(axis=-1)[period + 1 :] == tokens[period + 2 :])
        weights.append([attention_heads.induction(block) for block in blocks])
    first, second = np.split(np.array(losses), 2, axis=1)
    assert_close(first.mean(), copying["first"])
    assert_close(second.mean(), copying["second"])
    assert_close(second[:, 1:].mean(), copying["second_rest"])
    assert_close(np.median(second[:, 1:]), copying["second_median"])
    assert np.mean(right) == pytest.approx(copying["second_right"], abs=0.005)
    chances = [1 / left for left in range(period - 1, 0, -1)]
    assert copying["second_chance"] == pytest.approx(sum(chances) / (period - 1), rel=1e-5)
    assert_close(np.mean(weights, axis=0), heads["induction"])
    assert_close(np.array(weights)[:, found["layer"], found["head"]], found["by_input"])


@pytest.mark.model
def test_attention_heads_on_controls(
    model: llama.Model, heads: dict[str, Any], inputs: attention_heads.Inputs
) -> None:
    period, losses, weights = heads["period"], [], []
    for once, tokens in zip(inputs.repeats, inputs.controls, strict=True):
        np.testing.assert_array_equal(tokens[: period + 1], once[: period + 1])
        assert not np.any(tokens[period + 1 :] == once[period + 1 :])
        blocks = list(llama.blocks(model, tokens.tolist()))
        losses.append(attention_heads.surprisals(model, blocks[-1], tokens)[period:])
        weights.append([attention_heads.induction(block) for block in blocks])
    assert_close(np.mean(losses), heads["copying"]["control"])
    assert_close(np.mean(weights, axis=0), heads["induction_control"])


@pytest.mark.model
def test_the_first_token_with_and_without_the_start_token(
    model: llama.Model, heads: dict[str, Any], inputs: attention_heads.Inputs
) -> None:
    found, n = heads["first_token"], heads["first_query"]
    assert found["with_start"] == pytest.approx(np.mean(heads["sink"]), rel=1e-5)
    means = []
    for text in inputs.texts:
        assert text[0] == model.tokenizer.specials[heads["start"]]
        means += [
            block.weights[:, n:, 0].mean() for block in llama.blocks(model, text[1:].tolist())
        ]
    assert_close(np.mean(means), found["without_start"])


@pytest.mark.model
def test_attention_heads_on_short_contexts(
    model: llama.Model, heads: dict[str, Any], inputs: attention_heads.Inputs
) -> None:
    """What comes first in a text is measured without the rest of it."""
    again = []
    for tokens in inputs.long_texts:
        blocks = llama.blocks(model, tokens[:64].tolist())
        again.append(np.mean([attention_heads.dispersion(b, (32, 64)) for b in blocks], axis=0))
    stored = list(heads["dispersion"].values())[1:]
    assert_close(np.mean(again, axis=0), np.array(stored)[:, :2])


@pytest.mark.model
def test_attention_forms(model: llama.Model, heads: dict[str, Any]) -> None:
    """Scored through the model's own norm, two tokens get what the form says."""
    layer, h = model.weights.layers[3], 4
    w_q, w_k = layer.qkv[:, 64 * h :][:, :64], layer.qkv[:, 576 + 64 * (h // 3) :][:, :64]
    basis = rms_norm(np.eye(576), layer.attention_norm, eps=0.0) / 24  # rows of length 24
    form = (basis @ w_q) @ (basis @ w_k).T / 8
    symmetric = (form + form.T) / 2
    eigenvalues = np.linalg.eigvalsh(symmetric)
    found = attention_heads.form_statistics(model.config, layer)
    for statistics in (found["form_least"], heads["form_least"][3]):
        assert statistics[h] == pytest.approx(eigenvalues.min() / eigenvalues.max(), rel=1e-4)
    share = np.linalg.norm(symmetric) ** 2 / np.linalg.norm(form) ** 2
    for statistics in (found["form_symmetric"], heads["form_symmetric"][3]):
        assert statistics[h] == pytest.approx(share, rel=1e-4)


@pytest.mark.model
def test_attention_maps(model: llama.Model, heads: dict[str, Any]) -> None:
    for kind in ("previous", "sink", "induction"):
        stored = heads["maps"][kind]
        tokens = model.tokenizer.encode("".join(stored["tokens"]), specials=True)
        assert [model.tokenizer.decode([token]) for token in tokens] == stored["tokens"]
        weights = llama.trace(model, tokens).weights[stored["layer"], stored["head"]]
        np.testing.assert_allclose(weights, stored["weights"], atol=3e-3)


# --- The statistics of heads, on a layer made by hand ------------------------------------------


def handmade() -> llama.Block:
    """One layer with two heads on 33 tokens: one looks back by one, one at the first token."""
    n = 33
    weights = np.zeros((2, n, n), np.float32)
    weights[0, np.arange(n), np.maximum(np.arange(n) - 1, 0)] = 1
    weights[1, :, 0] = 0.75
    weights[1, np.arange(n), np.arange(n)] += 0.25
    rng = np.random.default_rng(0)
    queries, keys, values = rng.normal(size=(3, 2, n, 4)).astype(np.float32)
    return llama.Block(np.zeros((n, 8), np.float32), queries, keys[:1], values[:1], weights)


def test_text_statistics_by_hand() -> None:
    block = handmade()
    found = attention_heads.text_statistics(block)
    assert found["previous"].tolist() == [1, 0]
    assert found["sink"].tolist() == [0, 0.75]
    spread = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    np.testing.assert_allclose(found["entropy"], [0, spread], atol=1e-6)
    rows = [
        [float(block.queries[1, t] @ block.keys[0, s]) / 2 for s in range(t + 1)]
        for t in range(16, 33)
    ]
    assert found["score_std"][1] == pytest.approx(np.std(np.concatenate(rows)), rel=1e-5)
    variance = np.mean([np.var(row) for row in rows])
    assert found["row_std"][1] == pytest.approx(math.sqrt(variance), rel=1e-5)
    spans = [max(row) - min(row) for row in rows]
    assert found["score_range"][1] == pytest.approx(np.mean(spans), rel=1e-5)
    assert found["first_key_norm"][0] == pytest.approx(np.linalg.norm(block.keys[0, 0]))


def test_induction_by_hand() -> None:
    block = handmade()
    period = 16
    weights = np.zeros_like(block.weights)
    queries = np.arange(period + 1, 2 * period)  # tokens 1 … 16 come again as 17 … 32
    weights[0, queries, queries - period + 1] = 0.5
    assert attention_heads.induction(replace(block, weights=weights)).tolist() == [0.5, 0]


def test_dispersion_by_hand() -> None:
    rows = attention_heads.dispersion(handmade(), (32,))[:, 0]
    assert rows[0] == pytest.approx((1 + 0.75) / 2)
    assert rows[1] == pytest.approx((1 + 0.25) / 2)


# --- The refit of Chinchilla's law; its runs are not part of the book ----------------------------


def huber(n: Any, d: Any, losses: Any, law: dict[str, float]) -> float:
    """Objective of a law, with SciPy's Huber loss."""
    predicted = law["e"] + law["a"] / n ** law["alpha"] + law["b"] / d ** law["beta"]
    return float(np.sum(special.huber(1e-3, np.log(predicted) - np.log(losses))))


def test_chinchilla_refit_on_made_up_runs(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, d = np.exp(rng.uniform(np.log([[5e7], [3e8]]), np.log([[1e10], [3e11]]), (2, 85)))
    losses = (1.8172 + 482.01 / n**0.3478 + 2085.43 / d**0.3658) * np.exp(rng.normal(0, 5e-3, 85))
    failed = rng.permutation(85) < 5
    losses[failed] *= 3
    path = tmp_path / "runs.csv"
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["color", "Training FLOP", "Model Size", "loss"])
        table.writerows(zip(["red"] * 85, 6 * n * d, n, losses, strict=True))
    found = record.plain(chinchilla_refit.measure(path, n_samples=20))
    assert (found["runs"], found["kept"], found["resamples"]) == (85, 80, 20)
    kept = n[~failed], d[~failed], losses[~failed]
    # Published constants, not the package's; the fit is stored with six digits.
    laws = {
        "fitted": found["law"],
        "refit": {"e": 1.8172, "a": 482.01, "b": 2085.43, "alpha": 0.3478, "beta": 0.3658},
        "printed": {"e": 1.69, "a": 406.4, "b": 410.7, "alpha": 0.34, "beta": 0.28},
    }
    for name, law in laws.items():
        assert found["objective"][name] == pytest.approx(huber(*kept, law), rel=1e-4)
    assert min(found["objective"], key=found["objective"].get) == "fitted"
    for name, error in found["standard_errors"].items():
        assert abs(found["law"][name] - laws["refit"][name]) < 4 * error < found["law"][name]


def test_stored_chinchilla_refit() -> None:
    stored = record.load("chinchilla_refit")
    assert re.fullmatch(r"[0-9a-f]{64}", stored["source_sha256"])
    assert (stored["runs"], stored["kept"]) == (245, 240)
    assert list(stored["objective"].values()) == sorted(stored["objective"].values())
    law, errors = stored["law"], stored["standard_errors"]
    for name in law:
        # The refit used the same runs, so it is far nearer than chance would have it.
        assert abs(law[name] - getattr(BESIROGLU, name)) < 0.1 * errors[name]
    total = law["alpha"] + law["beta"]
    assert_close(stored["exponents"], [law["beta"] / total, law["alpha"] / total])
    optimum = (law["alpha"] * law["a"] / (law["beta"] * law["b"])) ** (1 / total)
    optimum *= (stored["budget"] / 6) ** stored["exponents"][0]
    values = {
        "exponent": stored["exponents"][0],
        "parameters": optimum,
        "tokens_a_parameter": stored["budget"] / 6 / optimum**2,
    }
    for name, (low, high) in stored["intervals"].items():
        assert low < values[name] < high
    wide, narrow = stored["intervals"]["exponent"], stored["narrow"]
    assert wide[0] < narrow[0] < values["exponent"] < narrow[1] < wide[1]


def test_chinchilla_refit_says_where_its_runs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["chinchilla_refit.py"])
    with pytest.raises(SystemExit, match=r"Nothing was measured\. .*\nhttps://github\.com/epoch"):
        chinchilla_refit.main()


def test_the_count_of_letter_pairs_says_where_its_names_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.argv", ["makemore_bigrams.py"])
    with pytest.raises(SystemExit, match=r"Nothing was measured\. .*\nhttps://github\.com/karp"):
        makemore_bigrams.main()
