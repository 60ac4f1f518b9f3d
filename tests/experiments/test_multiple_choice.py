"""The multiple-choice set: its bars by hand, what was stored, and a part of it again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from experiments import multiple_choice as measured
from experiments import record
from primer_ref import llama


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("multiple_choice")


def rights(stored: dict[str, Any], name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([float(one["choices"][name] == one["right"]) for one in stored["questions"]])


# --- By hand ---------------------------------------------------------------------------------


def test_every_position_is_right_equally_often_and_topics_are_equally_large() -> None:
    questions = measured.read_questions()
    places = np.bincount([question["right"] for question in questions])
    assert places.tolist() == [len(questions) // 4] * 4
    _, sizes = np.unique([question["topic"] for question in questions], return_counts=True)
    assert set(sizes) == {4}
    assert len({question["question"] for question in questions}) == len(questions)
    assert all(len(set(question["answers"])) == 4 for question in questions)


def test_questions_that_stand_and_fall_together_count_as_one() -> None:
    topics = np.repeat([f"topic {n}" for n in range(10)], 4).tolist()
    alike = np.repeat([1.0, 0.0] * 5, 4)
    found = measured.bars(alike, topics)
    # Four copies of ten questions: the variance of ten, with 10 and 39 for the divisors.
    assert found["design_effect"] == pytest.approx(4 * 39 / 40)
    assert found["clustered_error"] == pytest.approx(0.5 / np.sqrt(10))
    assert found["by_topic"].tolist() == [4, 0] * 5
    width = found["cluster_bootstrap"]["high"] - found["cluster_bootstrap"]["low"]
    assert width == pytest.approx(2 * 1.96 * 0.5 / np.sqrt(10), rel=0.1)
    # The sum of 4 of 40 drawn without replacement has 36/39 of the variance of 4 draws.
    assert found["regrouped"]["mean"] == pytest.approx(36 / 40, abs=0.03)
    assert found["regrouped"]["high"] < found["design_effect"]


def test_bars_of_independent_questions_are_those_of_scipy() -> None:
    values = np.array([1.0] * 50 + [0.0] * 22)
    found = measured.bars(values, ["a", "b"] * 36)
    test = stats.binomtest(50, 72)
    for name in ("wilson", "exact"):
        interval = test.proportion_ci(method=name)
        assert found[name]["low"] == pytest.approx(interval.low, rel=1e-6)
        assert found[name]["high"] == pytest.approx(interval.high, rel=1e-6)
    half = stats.norm.ppf(0.975) * stats.sem(values)
    assert found["clt"]["high"] == pytest.approx(values.mean() + half)


def test_a_comparison_is_that_of_mcnemar() -> None:
    one = np.array([1.0] * 30 + [0.0] * 10)
    other = np.array([1.0] * 22 + [0.0] * 8 + [1.0] * 2 + [0.0] * 8)
    found = measured.compare(one, other, ["a", "b", "c", "d"] * 10)
    assert (found["wins"], found["losses"]) == (8, 2)
    assert found["p"] == pytest.approx(stats.binomtest(2, 10).pvalue)
    differences = one - other
    z = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    assert found["needed"] == pytest.approx(z**2 * differences.var(ddof=1) / 0.05**2)
    unpaired = found["unpaired"]["high"] - found["unpaired"]["low"]
    paired = found["difference"]["high"] - found["difference"]["low"]
    assert (paired / unpaired) ** 2 == pytest.approx(found["needed"] / found["needed_unpaired"])
    assert measured.compare(one, one[::-1], ["a", "b"] * 20)["p"] == 1


def test_the_limit_of_chance_is_that_of_the_binomial_law() -> None:
    # Clopper and Pearson's lower end exceeds 1/4 when so many or more have probability < 0.025.
    tails = stats.binom.sf(np.arange(72) - 1, 72, 0.25)
    assert measured.chance_limit(72) == np.flatnonzero(tails < 0.025)[0]


# --- What was stored -------------------------------------------------------------------------


@pytest.mark.model
def test_two_questions_come_out_again(stored: dict[str, Any], model: llama.Model) -> None:
    for number in (0, 37):
        entry = stored["questions"][number]
        again = record.plain(measured.score_question(model, entry))
        given = {name: entry["scores"][name] for name in again}
        assert list(record.differences(given, again)) == []
    # Without a cache, and with the whole answer read at once:
    start, encode = model.tokenizer.specials[stored["start"]], model.tokenizer.encode
    prompt = [start, *encode(f"Question: {entry['question']}\nAnswer:")]
    pairs = list(zip(entry["answers"], entry["scores"]["sum"], strict=True))
    for answer, score in pairs[:2]:
        code = encode(f" {answer}")
        logits = llama.forward(model, [*prompt, *code])[len(prompt) - 1 : -1]
        log_p = special.log_softmax(logits.astype(np.float64), axis=1)
        assert log_p[np.arange(len(code)), code].sum() == pytest.approx(score, abs=5e-3)


def test_choices_are_the_highest_scores_of_the_questions_as_read(stored: dict[str, Any]) -> None:
    for entry, question in zip(stored["questions"], measured.read_questions(), strict=True):
        assert {key: entry[key] for key in question} == question
        assert entry["choices"] == {
            name: int(np.argmax(entry["scores"][name])) for name in measured.SCORINGS
        }
        sizes = [len(answer.encode()) for answer in entry["answers"]]
        np.testing.assert_allclose(
            np.array(entry["scores"]["sum"]) / sizes, entry["scores"]["per_byte"], rtol=1e-4
        )


@pytest.mark.parametrize("name", measured.SCORINGS)
def test_bars_are_those_of_the_stored_choices(stored: dict[str, Any], name: str) -> None:
    row, right = stored["scorings"][name], rights(stored, name)
    assert row["right"] == right.sum() == sum(row["by_topic"])
    assert sum(row["positions"]) == stored["n"]
    exact = stats.binomtest(row["right"], stored["n"]).proportion_ci()
    assert row["exact"]["low"] == pytest.approx(exact.low, rel=1e-4)
    assert row["standard_error"] == pytest.approx(stats.sem(right), rel=1e-4)
    deviations = np.array(row["by_topic"]) - 4 * right.mean()
    error = np.sqrt(np.sum(deviations**2)) / len(right)
    assert row["clustered_error"] == pytest.approx(error, rel=1e-4)
    assert row["design_effect"] == pytest.approx((error / stats.sem(right)) ** 2, rel=1e-3)
    for kind in ("clt", "bootstrap", "clustered", "cluster_bootstrap"):
        assert row[kind]["value"] == pytest.approx(right.mean(), rel=1e-4)
        assert row[kind]["low"] <= right.mean() <= row[kind]["high"]


def test_pairs_are_those_of_the_stored_choices(stored: dict[str, Any]) -> None:
    assert len(stored["comparisons"]) == 10
    for row in stored["comparisons"]:
        one, other = rights(stored, row["first"]), rights(stored, row["second"])
        wins, losses = np.sum(one > other), np.sum(one < other)
        assert (row["wins"], row["losses"]) == (wins, losses)
        p_value = stats.binomtest(int(wins), int(wins + losses)).pvalue
        assert row["p"] == pytest.approx(p_value, rel=1e-4)
        assert row["p"] <= row["adjusted"] <= 10 * row["p"] + 1e-9
    assert min(row["p"] for row in stored["comparisons"]) * 10 == pytest.approx(
        min(row["adjusted"] for row in stored["comparisons"]), rel=1e-4
    )


def test_centered_letters_have_no_favorite(stored: dict[str, Any]) -> None:
    scores = np.array([one["scores"]["letter_centered"] for one in stored["questions"]])
    np.testing.assert_allclose(scores.mean(0), 0, atol=1e-5)
    plain = np.array([one["scores"]["letter"] for one in stored["questions"]])
    np.testing.assert_allclose(np.ptp(plain - scores, axis=0), 0, atol=1e-4)


def test_the_exact_interval_covers_what_it_says_and_the_simplest_does_not(
    stored: dict[str, Any],
) -> None:
    found = stored["coverage"]
    assert min(found["exact"]) >= 0.95
    assert min(found["clt"]) < 0.9
    k = np.arange(stored["n"] + 1)
    share = found["share"][1]
    holds = [
        stats.binomtest(int(n), stored["n"]).proportion_ci(method="wilson").low
        <= share
        <= stats.binomtest(int(n), stored["n"]).proportion_ci(method="wilson").high
        for n in k
    ]
    again = stats.binom.pmf(k, stored["n"], share)[holds].sum()
    assert found["wilson"][1] == pytest.approx(again, rel=1e-5)
