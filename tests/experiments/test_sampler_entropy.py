"""The samplers' measurement: its statistics by hand, and a part of what was stored again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments import record
from experiments import sampler_entropy as measured
from primer_ref import llama
from primer_ref.functional import softmax


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("sampler_entropy")


def rows(stored: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [row for row in stored["maps"] if row["map"] == name]


def mean(row: dict[str, Any], field: str) -> float:
    value: float = row[field]["value"]
    return value


# --- By hand ---------------------------------------------------------------------------------


def test_a_map_is_compared_with_the_law_before_it() -> None:
    p = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    q = np.array([[0.625, 0.375, 0], [0.5, 0.5, 0]])
    found = measured.map_statistics(p, q, [2, 1])
    np.testing.assert_allclose(found["entropy"], stats.entropy(q, axis=1))
    np.testing.assert_array_equal(found["support"], [2, 2])
    np.testing.assert_allclose(found["kept"], [0.8, 0.2])
    np.testing.assert_allclose(found["distance"], [0.2, 0.8])
    assert found["next_possible"].tolist() == [False, True]
    assert found["top_dropped"].tolist() == [False, True]
    assert found["entropy_rises"].tolist() == [False, True]


def test_temperature_raises_probabilities_to_a_power() -> None:
    p = np.array([0.5, 0.3, 0.2])
    q = measured.map_law("temperature", 0.5, p)
    np.testing.assert_allclose(q, p**2 / np.sum(p**2))


def test_a_repeated_gram_is_counted_where_it_is_complete() -> None:
    assert measured.repeated([1, 2, 3, 4, 5, 6, 7, 8]) == 0
    assert measured.repeated([1, 2, 3, 4, 9, 1, 2, 3, 4, 5]) == 1 / 10
    text = np.random.default_rng(0).integers(3, size=60).tolist()
    grams = [tuple(text[t - 3 : t + 1]) for t in range(3, 60)]
    brute = sum(gram in grams[:t] for t, gram in enumerate(grams)) / 60
    assert measured.repeated(text) == pytest.approx(brute)


def test_a_loop_is_found_where_a_text_ends_in_one() -> None:
    assert measured.find_loop([9, 8, *[1, 2, 3] * 5, 1]) == (3, 2)
    assert measured.find_loop([5] * 20) == (1, 0)
    assert measured.find_loop([9, *[1, 2, 3, 4, 5, 6, 7] * 2]) == (7, 1)
    assert measured.find_loop([*[1, 2, 3] * 5, 9]) == (0, 16)  # left again
    assert measured.find_loop([9, *[1, 2, 3] * 3]) == (0, 10)  # too short


# --- What was stored -------------------------------------------------------------------------


@pytest.mark.model
def test_two_maps_of_the_first_passage_come_out_again(
    stored: dict[str, Any], model: llama.Model
) -> None:
    tokens = measured.inputs(model, stored["n_passages"], stored["length"])[0]
    logits = llama.forward(model, tokens[:-1])[stored["first"] :]
    p = softmax(logits.astype(np.float64))
    for name, setting in (("top_p", 0.9), ("min_p", 0.1)):
        row = next(row for row in rows(stored, name) if row["setting"] == setting)
        q = measured.map_law(name, setting, p)
        again = np.mean([stats.entropy(law) for law in q])
        assert again == pytest.approx(row["by_passage"][0], rel=2e-3)


@pytest.mark.model
def test_one_continuation_comes_out_again(stored: dict[str, Any], model: llama.Model) -> None:
    text = stored["continuations"][0]
    opening = stored["openings"][text["opening"]]
    again = record.plain(measured.measure_text(model, opening, text["tokens"]))
    for field in ("repeated", "distinct", "surprisal", "leave"):
        np.testing.assert_allclose(again[field], text[field], rtol=2e-3, atol=2e-3)
    assert (again["period"], again["loop_start"]) == (text["period"], text["loop_start"])
    # Greedy: each token is the most probable one after those before it.
    start = model.tokenizer.specials[stored["start"]]
    prompt = [start, *model.tokenizer.encode(opening)]
    logits = llama.forward(model, [*prompt, *text["tokens"][:20]])[len(prompt) - 1 : -1]
    assert text["decoding"] == "greedy"
    assert logits.argmax(-1).tolist() == text["tokens"][:20]


def test_upper_sets_never_raise_the_entropy_and_keep_the_top(stored: dict[str, Any]) -> None:
    for name in ("top_k", "top_p", "min_p"):
        for row in rows(stored, name):
            assert row["entropy_rises"] == row["top_dropped"] == 0
            assert mean(row, "entropy") < stored["plain"]["entropy"]["value"]
    assert rows(stored, "top_k")[0]["entropy"]["value"] == pytest.approx(0, abs=1e-9)  # greedy
    assert any(row["top_dropped"] > 0 for row in rows(stored, "typical"))


def test_what_is_kept_and_the_distance_add_up_for_truncations(stored: dict[str, Any]) -> None:
    for row in stored["maps"]:
        if row["map"] != "temperature":
            assert mean(row, "kept") + mean(row, "distance") == pytest.approx(1, abs=1e-5)
        if row["map"] in ("top_p", "typical"):
            assert mean(row, "kept") >= row["setting"]
        if row["map"] == "top_k":
            assert row["support_median"] == row["setting"]


def test_temperature_one_changes_nothing_and_entropy_rises_with_it(stored: dict[str, Any]) -> None:
    by_setting = {row["setting"]: row for row in rows(stored, "temperature")}
    assert mean(by_setting[1.0], "distance") == pytest.approx(0, abs=1e-9)
    assert by_setting[1.0]["entropy"] == stored["plain"]["entropy"]
    means = [mean(row, "entropy") for _, row in sorted(by_setting.items())]
    assert means == sorted(means)
    assert all(mean(row, "support") == 49152 for row in by_setting.values())


def test_intervals_are_those_of_the_means_over_passages(stored: dict[str, Any]) -> None:
    for row in stored["maps"]:
        x = np.array(row["by_passage"])
        half = stats.norm.ppf(0.975) * x.std(ddof=1) / math.sqrt(len(x))
        assert mean(row, "entropy") == pytest.approx(x.mean(), rel=1e-4, abs=1e-9)
        assert row["entropy"]["high"] == pytest.approx(x.mean() + half, rel=1e-4, abs=1e-9)


def test_summaries_are_those_of_the_continuations(stored: dict[str, Any]) -> None:
    for name, row in stored["decodings"].items():
        texts = [text for text in stored["continuations"] if text["decoding"] == name]
        assert len(texts) == len(stored["openings"])
        assert row["loops"] == sum(text["period"] > 0 for text in texts)
        shares = [text["repeated"] for text in texts]
        assert row["repeated"]["value"] == pytest.approx(np.mean(shares), rel=1e-5)
        for text in texts:
            assert text["repeated"] == pytest.approx(measured.repeated(text["tokens"]), rel=1e-5)
            assert len(text["tokens"]) <= stored["limit"]
            if text["period"]:
                x = text["tokens"][text["loop_start"] :]
                assert x[text["period"] :] == x[: -text["period"]]
                assert text["escape"] >= 1
