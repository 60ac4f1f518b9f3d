"""The association tests: by hand, stored, and a part of them again."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments import record
from experiments import weat as measured
from primer_ref import llama

VERSIONS = ("plain", "centered", "stripped")


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("weat")


def clouds(shift: float) -> tuple[Any, Any, Any, Any]:
    """Two lists of targets that lean apart by a shift along the axis between the attributes."""
    rng = np.random.default_rng(5)
    axis = np.eye(12)[0]
    x, y = rng.normal(size=(2, 6, 12)) * 0.3 + 1
    return x + shift * axis, y - shift * axis, (axis * 2)[None], (-axis)[None]


# --- By hand ---------------------------------------------------------------------------------


def test_p_values_count_partitions_of_all_words() -> None:
    x, y, a, b = clouds(0.1)
    targets = np.concatenate([x, y])
    leans = 2 * targets[:, 0] / np.linalg.norm(targets, axis=1)  # cosines with an axis and back
    own = leans[:6].sum()
    sums = [leans[list(rows)].sum() for rows in itertools.combinations(range(12), 6)]
    assert measured.p_value(x, y, a, b) == pytest.approx(np.mean(np.array(sums) >= own - 1e-12))


def test_an_effect_and_its_bar_are_those_of_the_standardized_difference() -> None:
    x, y, a, b = clouds(0.2)
    targets = np.concatenate([x, y])
    leans = 2 * targets[:, 0] / np.linalg.norm(targets, axis=1)
    size = (leans[:6].mean() - leans[6:].mean()) / leans.std(ddof=1)
    found = measured.effect_interval(x, y, a, b, 300)
    assert found["value"] == pytest.approx(size)
    assert -2 <= found["low"] < size < found["high"] <= 2


def test_the_null_effect_is_that_of_a_random_half() -> None:
    x, y, a, b = clouds(0.5)
    # Of n words in two halves the difference of means has the variance 4 s^2 / n.
    assert measured.null_effect(x, y, a, b) == pytest.approx(1.645 * 2 / np.sqrt(12), rel=0.15)


def test_first_directions_hold_the_largest_variance() -> None:
    rng = np.random.default_rng(6)
    vectors = rng.normal(size=(4000, 5)) * [1, 9, 1, 4, 1]
    found = measured.first_directions(vectors, 2)
    np.testing.assert_allclose(found.T @ found, np.eye(2), atol=1e-12)
    np.testing.assert_allclose(np.abs(found.T), np.eye(5)[[3, 1]], atol=0.03)


def test_correlations_are_pearson_s() -> None:
    rng = np.random.default_rng(7)
    numbers, leans = rng.integers(1, 10_000, 40), rng.normal(size=40)
    expected = stats.pearsonr(np.log(numbers), leans).statistic
    assert measured.rank_interval(numbers, leans, 10)["value"] == pytest.approx(expected)


# --- What was stored -------------------------------------------------------------------------


@pytest.mark.model
def test_a_test_comes_out_again(stored: dict[str, Any], model: llama.Model) -> None:
    number = 3
    entry = stored["tests"][number]
    words = measured.find_words(model, measured.TESTS[number])
    assert measured.read_words(model, words) == entry["words"]
    embedding = model.weights.embedding.astype(np.float64)
    ordinary = np.setdiff1d(np.arange(len(embedding)), list(model.tokenizer.specials.values()))
    versions = {"plain": embedding, "centered": embedding - embedding[ordinary].mean(0)}
    for name, vectors in versions.items():
        again = record.plain(measured.measure_test(vectors, words, 10))
        for field in ("p", "x", "y", "mean_cosine", "null_high"):
            assert list(record.differences(entry[name][field], again[field])) == []
        assert again["effect"]["value"] == pytest.approx(entry[name]["effect"]["value"], rel=2e-3)


@pytest.mark.parametrize("version", VERSIONS)
def test_effects_and_adjusted_p_values_are_those_of_what_is_stored(
    stored: dict[str, Any], version: str
) -> None:
    p = np.array([test[version]["p"] for test in stored["tests"]])
    order = np.argsort(p)
    by_hand = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    adjusted = np.array([test[version]["adjusted"] for test in stored["tests"]])
    np.testing.assert_allclose(adjusted[order], by_hand, rtol=1e-4)
    everything = [test[name]["p"] for test in stored["tests"] for name in VERSIONS]
    least = min(everything) * len(everything)
    for test in stored["tests"]:
        row = test[version]
        assert row["adjusted"] <= row["adjusted_all"] + 1e-9
        assert row["adjusted_all"] >= min(least, 1) - 1e-4
        x, y = np.array(row["x"]), np.array(row["y"])
        size = (x.mean() - y.mean()) / np.concatenate([x, y]).std(ddof=1)
        assert row["effect"]["value"] == pytest.approx(size, abs=1e-4)
        assert row["effect"]["low"] <= size <= row["effect"]["high"]
        # The same partitions give both: beyond the null's 95 % quantile is below 0.05.
        if abs(row["p"] - 0.05) > 0.01:
            assert (size > row["null_high"]) == (row["p"] < 0.05)


def test_words_and_partitions_add_up(stored: dict[str, Any]) -> None:
    for test, names in zip(stored["tests"], measured.TESTS, strict=True):
        used = test["words"]
        total = sum(len(measured.LISTS[name].split()) for name in names)
        assert sum(map(len, used.values())) + test["dropped"] == total
        for name, words in zip(names, used.values(), strict=True):
            assert set(words) <= set(measured.LISTS[name].split())
        n_x, n_y = len(used["x"]), len(used["y"])
        assert test["partitions"] == math.comb(n_x + n_y, n_x)


def test_taking_the_mean_away_makes_directions_even(stored: dict[str, Any]) -> None:
    assert stored["mean_cosine"]["plain"] > 0.3
    assert abs(stored["mean_cosine"]["centered"]) < 0.01
    assert 0 < stored["mean_share"] < 1


def test_random_words_raise_false_alarms_as_often_as_the_level_says(
    stored: dict[str, Any],
) -> None:
    for row in stored["random"]:
        alarms = round(row["below"]["value"] * stored["n_random"])
        # One test in a thousand may fail: with five tests, two-sided.
        assert stats.binomtest(alarms, stored["n_random"], 0.05).pvalue > 1e-3
