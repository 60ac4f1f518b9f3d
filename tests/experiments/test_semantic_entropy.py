"""The measurement of semantic entropy: its rule by hand, what was stored, and a part again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from experiments import record
from experiments import semantic_entropy as measured
from primer_ref import llama


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("semantic_entropy")


# --- By hand ---------------------------------------------------------------------------------


def test_answers_are_compared_without_case_marks_articles_and_number_words() -> None:
    assert measured.normalize("The Danube!") == ("danube",)
    assert measured.normalize("Eight legs.") == measured.normalize("8 legs") == ("8", "legs")
    assert measured.normalize(" A ...") == ()


def test_a_part_stands_in_order_and_whole() -> None:
    assert measured.holds(("new", "york", "city"), ("new", "york"))
    assert not measured.holds(("new", "york"), ("york", "new"))
    assert not measured.holds(("parisian",), ("paris",))
    assert not measured.holds(("paris",), ())


def test_meanings_are_linked_through_others_and_silence_is_one() -> None:
    answers = ["Paris", "It is Paris.", "London", "", "paris, I think", "It is", "..."]
    # "It is" is held by "It is Paris.", which holds "Paris": all four are one meaning.
    assert measured.meanings(answers) == [0, 0, 2, 3, 0, 0, 3]
    order = [4, 2, 0, 6, 5, 1, 3]
    labels = measured.meanings([answers[n] for n in order])
    partition = {
        frozenset(n for n, own in zip(order, labels, strict=True) if own == label)
        for label in labels
    }
    assert partition == {frozenset({0, 1, 4, 5}), frozenset({2}), frozenset({3, 6})}


def test_a_right_answer_holds_an_accepted_phrase() -> None:
    assert measured.is_right("It has eight legs", ("8",))
    assert not measured.is_right("It has eighty legs", ("8",))
    assert measured.is_right("I don't know.", measured.UNKNOWN)
    assert not measured.is_right("Velmora City", measured.UNKNOWN)


def test_areas_are_those_of_mann_and_whitney() -> None:
    rng = np.random.default_rng(2)
    rows = np.stack([rng.integers(5, size=60), rng.integers(2, size=60)], axis=-1).astype(float)
    right, wrong = rows[rows[:, 1] == 1, 0], rows[rows[:, 1] == 0, 0]
    u = stats.mannwhitneyu(right, wrong).statistic
    assert measured.area(rows) == pytest.approx(u / (len(right) * len(wrong)))
    assert measured.area(rows[rows[:, 1] == 1]) == 0.5


def test_a_score_has_no_advantage_over_itself_and_one_over_its_contrary() -> None:
    outcomes = np.array([1.0, 0.0] * 20)
    nothing = measured.difference_interval(outcomes, outcomes, outcomes, 100)
    assert set(nothing.values()) == {0.0}
    most = measured.difference_interval(outcomes, -outcomes, outcomes, 100)
    assert set(most.values()) == {1.0}


# --- What was stored -------------------------------------------------------------------------


@pytest.mark.model
def test_probabilities_come_out_again_without_the_shared_cache(
    stored: dict[str, Any], model: llama.Model
) -> None:
    for number in (0, 18):
        entry = stored["questions"][number]
        text = f"{stored['prompt']}Question: {entry['question']}\nAnswer:"
        prompt = [model.tokenizer.specials[stored["start"]], *model.tokenizer.encode(text)]
        for answer in (entry["greedy"], entry["samples"][-1]):
            tokens = answer["tokens"]
            logits = llama.forward(model, [*prompt, *tokens[:-1]])[len(prompt) - 1 :]
            log_p = special.log_softmax(logits.astype(np.float64), axis=1)
            total = log_p[np.arange(len(tokens)), tokens].sum()
            assert total == pytest.approx(answer["log_p"], abs=1e-2)
        greedy = entry["greedy"]
        again = measured.measure_question(model, number, 1)
        assert again["greedy"]["tokens"] == greedy["tokens"]
        assert again["right"] == entry["right"]


def test_entropies_are_those_of_the_stored_answers(stored: dict[str, Any]) -> None:
    n = stored["n_samples"]
    for entry in stored["questions"]:
        texts = [one["answer"] for one in entry["samples"]]
        assert len(texts) == n
        assert measured.meanings(texts) == entry["meanings"]
        for field, labels in (("semantic", entry["meanings"]), ("string", texts)):
            _, counts = np.unique(labels, return_counts=True)
            assert entry[field] == pytest.approx(stats.entropy(counts), abs=1e-5)
        # Meanings are a function of the texts: their entropy cannot be larger.
        assert entry["semantic"] <= entry["string"] + 1e-5 <= math.log(n) + 2e-5
        losses = [-one["log_p"] for one in entry["samples"]]
        assert entry["predictive"] == pytest.approx(np.mean(losses), rel=1e-4)
        assert entry["right"] == measured.is_right(entry["greedy"]["answer"], entry["accepted"])
        for one in (entry["greedy"], *entry["samples"]):
            assert 1 <= len(one["tokens"]) <= stored["limit"]
            assert one["log_p"] < 0


def test_summaries_are_those_of_the_questions(stored: dict[str, Any]) -> None:
    questions = stored["questions"]
    right = np.array([one["right"] for one in questions])
    assert stored["errors"]["value"] == pytest.approx(1 - right.mean(), rel=1e-5)
    exact = stats.binomtest(int(np.sum(~right)), len(right)).proportion_ci()
    assert stored["errors"]["low"] == pytest.approx(exact.low, rel=1e-4)
    for kind, row in stored["kinds"].items():
        own = [one for one in questions if one["kind"] == kind]
        assert (row["n"], row["right"]) == (len(own), sum(one["right"] for one in own))
    for name, value in measured.score_values(questions).items():
        u = stats.mannwhitneyu(value[right], value[~right]).statistic
        row = stored["scores"][name]
        assert row["all"]["value"] == pytest.approx(u / (right.sum() * np.sum(~right)), rel=1e-4)
        assert row["all"]["low"] <= row["all"]["value"] <= row["all"]["high"]
        assert stored["best_area"] <= row["risk_area"] + 1e-6
    for curve in stored["curves"].values():
        assert curve["risk"][-1] == pytest.approx(stored["errors"]["value"], rel=1e-5)
        assert curve["coverage"][-1] == 1
