"""Model collapse measured: the statistics by hand, and a part of what was stored again."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments import model_collapse as measured
from experiments import record
from experiments.texts import austen
from primer_ref.ngram import fit_ngrams, letters27


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("model_collapse")


def regime(stored: dict[str, Any], name: str) -> dict[str, Any]:
    return next(row for row in stored["letters"]["regimes"] if row["name"] == name)


def values(column: list[dict[str, float]]) -> list[float]:
    return [entry["value"] for entry in column]


# --- By hand ---------------------------------------------------------------------------------


def test_text_statistics_count_what_is_there() -> None:
    text = [letters27("the man the man"), letters27("a man qqq")]
    found = measured.text_statistics(text, letters27("the man"))
    assert found["words"] == 4
    assert found["new_words"] == pytest.approx(1 / 7)
    # Four-grams with three begin symbols before each string, and its end.
    padded = [["<"] * 3 + list(s) + [">"] for s in ("the man the man", "a man qqq")]
    grams = Counter(tuple(s[i - 3 : i + 1]) for s in padded for i in range(3, len(s)))
    assert found["grams"] == len(grams)
    contexts = Counter(dict.fromkeys(grams, 0))
    for gram, count in grams.items():
        contexts[gram[:3]] += count
    total = -sum(n * math.log2(n / contexts[gram[:3]]) for gram, n in grams.items())
    assert found["entropy"] == pytest.approx(total / sum(grams.values()))


def test_texts_have_the_size_that_is_asked_for() -> None:
    rng = np.random.default_rng(0)
    real = measured.real_text(500, rng)
    assert 500 <= sum(len(one) + 1 for one in real) < 500 + max(map(len, measured.sentences()))
    model = fit_ngrams(real, n_symbols=27, order=2, lowest=2, strength=0)
    own = measured.own_text(model, 300, rng)
    assert 300 <= sum(len(one) + 1 for one in own) <= 301
    known = {tuple(g) for one in real for g in np.lib.stride_tricks.sliding_window_view(one, 3)}
    for one in own:  # relative frequencies write no new n-gram
        if len(one) >= 3:
            grams = np.lib.stride_tricks.sliding_window_view(one, 3)
            assert {tuple(g) for g in grams} <= known


def test_differences_are_taken_chain_by_chain() -> None:
    one, other = [{"words": [5, 9]}, {"words": [5, 7]}], [{"words": [5, 4]}, {"words": [5, 3]}]
    found = measured.difference(one, other, "words")
    assert found["value"] == 4.5
    assert found["high"] - found["low"] == pytest.approx(2 * stats.norm.ppf(0.975) * 0.5)


# --- What was stored -------------------------------------------------------------------------


def test_the_first_chain_begins_again_as_it_did(stored: dict[str, Any]) -> None:
    letters = stored["letters"]
    held_out = letters27(austen("persuasion"))[: letters["held_out"]]
    again = measured.run_chain(
        "own", 0, generations=1, n_symbols=letters["n_symbols"], held_out=held_out
    )
    for field, column in regime(stored, "own")["first"].items():
        np.testing.assert_allclose(again[field], column[:2], rtol=2e-3, err_msg=field)


def test_gaussians_meet_their_expectations(stored: dict[str, Any]) -> None:
    for row in stored["gaussian"]:
        for mean, exact in zip(row["variance"], row["expected"], strict=True):
            half = (mean["high"] - mean["low"]) / 2
            assert abs(mean["value"] - exact) <= 2.5 * half + 1e-6  # five standard errors
        for mean, variance in zip(row["drift"], row["expected"], strict=True):
            half = (mean["high"] - mean["low"]) / 2
            assert abs(mean["value"] - (1 - variance)) <= 2.5 * half + 1e-6 or row["n_real"]
    own = stored["gaussian"][0]
    assert own["n_real"] == 0
    m = stored["sample_size"]
    for n, exact in zip(own["generations"], own["expected"], strict=True):
        assert exact == pytest.approx((1 - 1 / m) ** n, rel=1e-5)
    assert own["median"][-1] < own["variance"][-1]["value"]


def test_words_meet_their_expectations(stored: dict[str, Any]) -> None:
    found = stored["words"]
    for name in ("support", "heterozygosity"):
        pairs = zip(found[name], found[f"{name}_expected"], strict=True)
        for mean, exact in pairs:
            half = (mean["high"] - mean["low"]) / 2
            assert abs(mean["value"] - exact) <= 2.5 * half + 1e-5 * exact
    assert values(found["support"]) == sorted(values(found["support"]), reverse=True)


def test_letters_collapse_without_real_text(stored: dict[str, Any]) -> None:
    own = regime(stored, "own")
    for field in ("entropy", "grams", "words"):
        assert own["change"][field]["high"] < 0
    assert own["change"]["cross_entropy"]["low"] > 0
    for one, other in pairwise(values(own["grams"])):
        assert other < one
    for row in stored["letters"]["regimes"]:
        assert len(row["entropy"]) == stored["letters"]["generations"] + 1
        assert row["entropy"][0] == own["entropy"][0]  # all regimes begin with the same texts
        for field in ("entropy", "words", "cross_entropy"):
            last, first = values(row[field])[-1], values(row[field])[0]
            assert row["change"][field]["value"] == pytest.approx(last - first, rel=1e-2, abs=1e-3)


def test_real_text_helps_and_more_of_it_more(stored: dict[str, Any]) -> None:
    against = stored["letters"]["against_own"]
    assert against["half"]["cross_entropy"]["high"] < 0
    assert against["half"]["cross_entropy"]["value"] < against["tenth"]["cross_entropy"]["value"]
