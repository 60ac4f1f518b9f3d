"""Constrained generation measured: the judgments by hand, and a part of what was stored again."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments import constrained_generation as measured
from experiments import record
from primer_ref import llama
from primer_ref.functional import softmax


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("constrained_generation")


# --- By hand ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "text", "valid"),
    [
        ("date", "1998-05-03", True),
        ("date", "1998-13-03", False),
        ("date", "It is 1998-05-03.", False),
        ("date", "1998-05-03.", False),
        ("decimal", "-0.5", True),
        ("decimal", ".5", False),
        ("decimal", "01.5", False),
        ("decimal", "1.٣", False),  # a digit, but none of ASCII's
        ("identifier", "mean_2", True),
        ("identifier", "Mean", False),
        ("json", '{"a": [1, "é"]}', True),
        ("json", "{'a': 1}", False),
        ("json", "", False),
    ],
)
def test_replies_are_judged_whole(kind: str, text: str, valid: bool) -> None:
    assert measured.is_valid(kind, text) is valid


def test_a_valid_part_is_found_in_a_reply() -> None:
    assert measured.contains_valid("date", "On 1998-05-03, they say.")
    assert not measured.contains_valid("date", "On 11998-05-031.")
    assert measured.contains_valid("json", 'Here it is:\n{"a": 1}\nDone.')
    assert not measured.contains_valid("json", "Here it is: {a}")


def test_an_answer_is_no_part_of_a_longer_number() -> None:
    assert measured.is_right("It is 3.5.", "3.5")
    assert not measured.is_right("It is 13.5.", "3.5")
    assert not measured.is_right("It is 3.51", "3.5")
    assert not measured.is_right("It is -3.5", "3.5")


def test_dates_that_no_calendar_has_are_told_apart() -> None:
    assert measured.exists("2024-02-29")
    assert not measured.exists("2023-02-29")


# --- What was stored -------------------------------------------------------------------------


def test_every_masked_reply_is_valid_by_the_standard_library(stored: dict[str, Any]) -> None:
    masked = [one for one in stored["replies"] if one["masked"]]
    assert len(masked) == stored["all"]["masked"]["replies"] >= 32
    for one in masked:
        assert one["ended"]
        assert one["tokens"] <= stored["limit"][one["kind"]]
        if one["kind"] == "json":
            json.loads(one["text"])
        else:
            assert re.fullmatch(measured.PATTERNS[one["kind"]], one["text"])
        assert len(one["kept"]) == len(one["allowed"]) == one["tokens"] + 1
        assert all(0 < kept <= 1 + 1e-9 for kept in one["kept"])


def test_counts_are_those_of_the_replies(stored: dict[str, Any]) -> None:
    for name, masked in (("masked", True), ("free", False)):
        some = [one for one in stored["replies"] if one["masked"] is masked]
        right = sum(one["valid"] for one in some)
        found = stored["all"][name]
        assert (found["valid"], found["replies"]) == (right, len(some))
        low, high = stats.binomtest(right, len(some)).proportion_ci(method="exact")
        assert found["share"]["low"] == pytest.approx(low, abs=1e-5)
        assert found["share"]["high"] == pytest.approx(high, abs=1e-5)
        by_kind = sum(row[name]["valid"] for row in stored["kinds"].values())
        assert by_kind == right
    for kind, row in stored["kinds"].items():
        assert row["contains"] >= row["free"]["valid"] or kind == "json"


@pytest.mark.model
def test_the_mask_of_a_stored_reply_comes_out_again(
    stored: dict[str, Any], model: llama.Model
) -> None:
    one = next(r for r in stored["replies"] if r["kind"] == "date" and r["masked"])
    assert one["decoding"] == "greedy"
    tokens = measured.make_tokens(model, measured.PATTERNS["date"])
    request = stored["requests"]["date"][one["request"]][0]
    logits = llama.forward(model, measured.chat(model, request), last=True)
    allowed = tokens.allowed(0, budget=stored["limit"]["date"])
    kept = softmax(logits.astype(np.float64))[allowed].sum()
    assert kept == pytest.approx(one["kept"][0], rel=2e-3, abs=1e-6)
    assert allowed.sum() == one["allowed"][0]
    best = int(np.where(allowed, logits, -np.inf).argmax())
    assert one["text"].startswith(model.tokenizer.decode([best]))


@pytest.mark.model
def test_a_free_reply_is_that_of_greedy_decoding(
    stored: dict[str, Any], model: llama.Model
) -> None:
    one = next(r for r in stored["replies"] if r["kind"] == "decimal" and not r["masked"])
    rng = np.random.default_rng(0)
    request = stored["requests"]["decimal"][one["request"]][0]
    again = measured.reply(model, request, "greedy", 4, tokens=None, rng=rng)
    assert one["text"].startswith(again["text"])
