"""The watermark in real texts: the statistics by hand, and a part of what was stored again."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments import record
from experiments import watermark_power as measured
from experiments.sampler_entropy import OPENINGS
from primer_ref import llama
from primer_ref.watermark import green_list


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("watermark_power")


def green_text(length: int, first: int, n_tokens: int = 500) -> list[int]:
    """Write a text whose every token is green, at random otherwise."""
    rng, tokens = np.random.default_rng(first), [first]
    for _ in range(length):
        green = green_list(tokens[-1], n_tokens=n_tokens, key=measured.KEY, fraction=0.5)
        tokens.append(int(rng.choice(np.flatnonzero(green))))
    return tokens


# --- By hand ---------------------------------------------------------------------------------


def test_a_bias_is_summarized_by_windows_side_by_side() -> None:
    rng = np.random.default_rng(0)
    texts: list[dict[str, Any]] = [
        {"tokens": tokens, "green": 0.9, "floor": 0.8, "kl": 0.1, "surprisal": 2.0}
        for tokens in (green_text(24, 1), rng.integers(500, size=25).tolist())
    ]
    found = measured.summarize_bias(1.0, texts, (12, 24), 500)
    assert found["windows"] == [4, 2]
    greens = [
        [
            bool(green_list(a, n_tokens=500, key=measured.KEY, fraction=0.5)[b])
            for a, b in pairwise(text["tokens"])
        ]
        for text in texts
    ]
    z = [[(sum(g[:n]) - n / 2) / math.sqrt(n / 4) for g in greens] for n in (12, 24)]
    np.testing.assert_allclose([one["value"] for one in found["z"]], np.mean(z, axis=1))
    assert found["observed"] == pytest.approx(np.mean(greens))
    # Of the green text both windows are found, of the other one none.
    assert found["power"][0]["value"] == 0.5
    expected = stats.norm.sf(
        (stats.norm.isf(1e-3) * 0.5 / math.sqrt(24) - 0.4) / math.sqrt(0.09 / 24)
    )
    assert found["power_expected"][1] == pytest.approx(expected)


def test_a_share_of_the_tokens_is_replaced() -> None:
    tokens = list(range(100))
    edited = measured.replace_tokens(tokens, 0.3, [-1], np.random.default_rng(0))
    assert edited.count(-1) == 30
    assert [t for t in edited if t >= 0] == sorted(set(tokens) & set(edited))


def test_alarms_are_counted_from_the_threshold_on() -> None:
    found = measured.false_alarms([0.0, 1.7, 3.0, 3.1])
    assert found["above"]["value"] == 0.25
    assert found["above_20th"]["value"] == 0.75
    assert found["z_std"] == pytest.approx(np.std([0.0, 1.7, 3.0, 3.1], ddof=1))


# --- What was stored -------------------------------------------------------------------------


@pytest.mark.model
def test_the_beginning_of_a_marked_text_is_scored_again(
    stored: dict[str, Any], model: llama.Model
) -> None:
    text = stored["texts"][-1]
    prompt = measured.start_tokens(model, OPENINGS[text["opening"]])
    assert prompt[-1] == text["tokens"][0]
    logits = llama.forward(model, [*prompt, *text["tokens"][1:]])[len(prompt) - 1 : -1]
    s = logits.astype(np.float64)
    s[:, list(model.tokenizer.specials.values())] = -np.inf
    p = np.exp(s - s.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    lists = np.array(
        [
            green_list(t, n_tokens=s.shape[1], key=measured.KEY, fraction=stored["fraction"])
            for t in text["tokens"][:-1]
        ]
    )
    share = np.sum(p, axis=-1, where=lists)
    marked = np.where(lists, p * math.exp(text["bias"]), p)
    marked /= marked.sum(-1, keepdims=True)
    assert share.mean() == pytest.approx(text["plain_green"], rel=2e-3)
    assert np.sum(marked, axis=-1, where=lists).mean() == pytest.approx(text["green"], rel=2e-3)
    kl = np.sum(marked * np.log(np.where(marked > 0, marked, 1) / np.where(p > 0, p, 1)), axis=-1)
    assert kl.mean() == pytest.approx(text["kl"], rel=2e-3)
    own = -np.log(p[np.arange(len(p)), text["tokens"][1:]])
    assert own.mean() == pytest.approx(text["surprisal"], rel=2e-3)


def test_texts_have_one_length_and_summaries_are_theirs(stored: dict[str, Any]) -> None:
    for row in stored["biases"]:
        texts = [text for text in stored["texts"] if text["bias"] == row["bias"]]
        assert len(texts) >= 8
        assert {len(text["tokens"]) for text in texts} == {stored["length"] + 1}
        for field in ("green", "floor", "kl", "surprisal"):
            mean = np.mean([text[field] for text in texts])
            assert row[field]["value"] == pytest.approx(mean, rel=1e-4, abs=1e-9)
        assert row["floor"]["value"] <= row["green"]["high"]


def test_strength_grows_with_bias_and_length(stored: dict[str, Any]) -> None:
    rows = stored["biases"]
    for one, other in pairwise(rows):
        for field in ("green", "kl"):
            assert one[field]["value"] < other[field]["value"]
        assert one["z"][-1]["value"] < other["z"][-1]["value"]
    for row in rows[1:]:
        assert row["z_expected"] == sorted(row["z_expected"])
        assert row["kl"]["value"] <= row["bias"]  # the bias is the most that a token can gain
        assert row["power_expected"] == sorted(row["power_expected"])
    assert stored["threshold"] == pytest.approx(stats.norm.isf(stored["rate"]), rel=1e-5)


def test_counts_agree_with_the_probabilities_they_were_drawn_from(stored: dict[str, Any]) -> None:
    for row in stored["biases"]:
        n = 8 * row["scored"][-1]
        green = row["green"]["value"]
        assert abs(row["observed"] - green) < 5 * math.sqrt(green * (1 - green) / n)


def test_false_alarms_are_those_of_a_normal_number(stored: dict[str, Any]) -> None:
    for row in stored["false_alarms"].values():
        assert row["above"]["low"] <= stored["rate"]
        assert row["above_20th"]["low"] <= 0.05 <= row["above_20th"]["high"]
        assert row["z_std"] == pytest.approx(1, abs=5 / math.sqrt(2 * row["tests"]))


def test_edits_take_the_watermark_away(stored: dict[str, Any]) -> None:
    for bias in {row["bias"] for row in stored["removal"]}:
        rows = [row for row in stored["removal"] if row["bias"] == bias]
        for one, other in pairwise(rows):
            assert one["edited"] < other["edited"]
            assert one["z_expected"] > other["z_expected"]
