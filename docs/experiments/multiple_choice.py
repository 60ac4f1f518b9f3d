"""A small multiple-choice set, scored by the real model in five ways, with every kind of bar.

72 questions of everyday knowledge in 18 topics, written for this measurement, stand in
``data/multiple_choice.json``. The answers are shown in an order drawn by the seed, in which each of
the four positions is right equally often. The model chooses the answer with the highest *score*:

    sum                 log-probability of the answer's text after the question, nats
    per_byte            the same over the answer's bytes
    letter              log-probability of the letter A, B, C or D after the question and the four
                        answers with their letters
    letter_centered     letter less the mean over all questions of the same letter's score, which
                        takes a liking for a position away without looking at what is right
    without_question    log-probability of the answer's text where no question stands

The last one is a control: it shows what the answers tell by themselves. A model that always
chooses one position is right in exactly a quarter of the questions by the balance of the positions,
and the bars around that say nothing, since nothing was left to chance. No answer is followed by an
end, so that one which begins like another is not punished for what it leaves out. Result::

    start, n, n_topics, chance (1/4)
    chance_limit    smallest number of rights whose exact interval lies above chance
    questions       list: topic, question, answers in the order shown, right (position of the right
                    one, from 0), scores (for each scoring: of each answer), choices (for each
                    scoring: position)
    scorings        for each scoring:
        right           number of right choices; by_topic: the same for each topic, of four
        clt, wilson, exact, bootstrap           95 % intervals (value, low, high) of the share of
                        right choices, as if questions were independent
        clustered, cluster_bootstrap            the same with topics as what is independent
        standard_error, clustered_error
        design_effect   squared ratio of the clustered error to the error of independent questions
        regrouped       design effects when questions are put into topics at random: mean, high (the
                        95 % quantile). The mean is below 1 by the inverse of the number of topics:
                        the clustered error is that much too small
        positions       number of times that each position was chosen
    comparisons     list, one entry a pair: first, second; difference of the shares (first less
                    second) with the paired interval; clustered and unpaired, the intervals with
                    topics as clusters and as if the two had answered different questions; wins and
                    losses, questions that only the first, only the second got right; p of the sign
                    test, adjusted by Holm over the pairs; correlation of rights; needed and
                    needed_unpaired, how many questions find a difference of 5 points with power
                    0.8 at the level 0.95
    coverage        for shares from ``share``: probability that the intervals clt, wilson, exact of
                    as many independent questions hold the share
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments import record
from experiments.texts import START
from primer_ref import llama
from primer_ref.evaluation import holm, paired_difference, questions_needed, sign_test
from primer_ref.functional import log_softmax
from primer_ref.intervals import (
    Estimate,
    bootstrap_interval,
    clustered_standard_error,
    coverage,
    exact_interval,
    mean_interval,
    normal_interval,
    standard_error,
    wilson_interval,
)

NAME = "multiple_choice"
SEED = 112
LETTERS = "ABCD"
CHANCE = 1 / len(LETTERS)
SCORINGS = ("sum", "per_byte", "letter", "letter_centered", "without_question")
SHARES = (0.25, 0.5, 0.75, 0.9, 0.98)
POINTS = 0.05
N_RESAMPLES = 2000
DATA = record.DOCS / "data" / "multiple_choice.json"

Floats = NDArray[np.floating[Any]]


def read_questions() -> list[dict[str, Any]]:
    """Read the questions with their topics, and show their answers in a balanced random order."""
    topics = json.loads(DATA.read_text(encoding="utf-8"))["topics"]
    pairs = [(topic["topic"], entry) for topic in topics for entry in topic["questions"]]
    rng = np.random.default_rng(SEED)
    places = rng.permutation(np.arange(len(pairs)) % len(LETTERS))
    questions = []
    for (topic, entry), place in zip(pairs, places, strict=True):
        right, *wrong = entry["answers"]
        answers = [wrong[n] for n in rng.permutation(len(wrong))]
        answers.insert(int(place), right)
        questions.append(
            {"topic": topic, "question": entry["question"], "answers": answers, "right": int(place)}
        )
    return questions


def continuation_scores(model: llama.Model, prompt: str, answers: Sequence[str]) -> list[float]:
    """Log-probability of each answer's text after a prompt."""
    encode = model.tokenizer.encode
    tokens = [model.tokenizer.specials[START], *encode(prompt)]
    codes = [encode(f" {answer}") for answer in answers]
    cache = llama.KVCache(model.config, len(tokens) + max(map(len, codes)))
    first = llama.forward(model, tokens, cache, last=True)[None]
    scores = []
    for code in codes:
        cache.length[...] = len(tokens)  # what an earlier answer added is written over
        rest = [llama.forward(model, code[:-1], cache)] if len(code) > 1 else []
        log_p = log_softmax(np.concatenate([first, *rest]).astype(np.float64))
        scores.append(float(log_p[np.arange(len(code)), code].sum()))
    return scores


def score_question(model: llama.Model, question: dict[str, Any]) -> dict[str, list[float]]:
    """Score the answers to one question in every way."""
    answers = question["answers"]
    asked = f"Question: {question['question']}\n"
    shown = "".join(
        f"{letter}. {answer}\n" for letter, answer in zip(LETTERS, answers, strict=True)
    )
    total = continuation_scores(model, f"{asked}Answer:", answers)
    sizes = [len(answer.encode()) for answer in answers]
    return {
        "sum": total,
        "per_byte": [score / size for score, size in zip(total, sizes, strict=True)],
        "letter": continuation_scores(model, f"{asked}{shown}Answer:", LETTERS),
        "without_question": continuation_scores(model, "Answer:", answers),
    }


def design_effect(scores: Floats, groups: ArrayLike) -> float:
    """Squared ratio of the clustered standard error to that of independent scores."""
    return (clustered_standard_error(scores, groups) / standard_error(scores)) ** 2


def totals(rights: Floats, topics: Sequence[str]) -> Floats:
    """Add up by topic, in the order of their first questions."""
    sums = [rights[np.array(topics) == topic].sum() for topic in dict.fromkeys(topics)]
    return np.array(sums)


def bars(rights: Floats, topics: Sequence[str]) -> dict[str, Any]:
    """Every kind of bar for one scoring."""
    count, n = int(rights.sum()), len(rights)
    by_topic = totals(rights, topics)
    rng = np.random.default_rng(SEED)
    error = clustered_standard_error(rights, topics)
    regrouped = [design_effect(rng.permutation(rights), topics) for _ in range(N_RESAMPLES)]

    def share_of_topics(sums: Floats) -> float:  # topics are equally large
        return float(sums.mean() * len(by_topic) / n)

    def share(values: Floats) -> float:
        return float(values.mean())

    return {
        "right": count,
        "by_topic": by_topic.astype(int),
        "clt": asdict(mean_interval(rights)),
        "wilson": asdict(wilson_interval(count, n)),
        "exact": asdict(exact_interval(count, n)),
        "bootstrap": asdict(bootstrap_interval(rights, share, rng=rng, n_resamples=N_RESAMPLES)),
        "clustered": asdict(normal_interval(count / n, error)),
        "cluster_bootstrap": asdict(
            bootstrap_interval(by_topic, share_of_topics, rng=rng, n_resamples=N_RESAMPLES)
        ),
        "standard_error": standard_error(rights),
        "clustered_error": error,
        "design_effect": design_effect(rights, topics),
        "regrouped": {"mean": np.mean(regrouped), "high": np.quantile(regrouped, 0.95)},
    }


def compare(one: Floats, other: Floats, topics: Sequence[str]) -> dict[str, Any]:
    """Compare two scorings on the same questions."""
    difference = one - other
    wins, losses = int(np.sum(difference > 0)), int(np.sum(difference < 0))
    unpaired = float(np.hypot(standard_error(one), standard_error(other)))
    variances = np.var(one, ddof=1) + np.var(other, ddof=1)
    paired_variance = float(np.var(difference, ddof=1))
    return {
        "difference": asdict(paired_difference(one, other)),
        "clustered": asdict(
            normal_interval(difference.mean(), clustered_standard_error(difference, topics))
        ),
        "unpaired": asdict(normal_interval(difference.mean(), unpaired)),
        "wins": wins,
        "losses": losses,
        "p": sign_test(wins, losses) if wins + losses else 1.0,
        "correlation": np.corrcoef(one, other)[0, 1],
        "needed": questions_needed(POINTS, variance=paired_variance),
        "needed_unpaired": questions_needed(POINTS, variance=float(variances)),
    }


def comparisons(rights: dict[str, Floats], topics: Sequence[str]) -> list[dict[str, Any]]:
    """Compare every pair of scorings."""
    rows = [
        {"first": one, "second": other, **compare(rights[one], rights[other], topics)}
        for one, other in itertools.combinations(rights, 2)
    ]
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]).tolist(), strict=True):
        row["adjusted"] = adjusted
    return rows


def clt_interval(successes: int, n: int) -> Estimate:
    """Interval of the central limit theorem from counts."""
    return mean_interval(np.arange(n) < successes)


def true_coverage(n: int) -> dict[str, Any]:
    """Probability that each interval holds the true share of n independent questions."""
    intervals = {"clt": clt_interval, "wilson": wilson_interval, "exact": exact_interval}
    return {
        "share": SHARES,
        **{
            name: [coverage(interval, n, share) for share in SHARES]
            for name, interval in intervals.items()
        },
    }


def chance_limit(n: int) -> int:
    """Smallest number of rights whose exact interval lies above chance."""
    return next(k for k in range(n + 1) if exact_interval(k, n).low > CHANCE)


def measure(*, n: int | None = None) -> dict[str, Any]:
    """Score the questions.

    Parameters
    ----------
    n : int, optional
        Number of questions, a multiple of four, from the first; all by default.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    questions = read_questions()[:n]
    scores = record.parts(NAME, questions, lambda question: score_question(model, question))
    return summarize(questions, scores)


def summarize(
    questions: Sequence[dict[str, Any]], scores: Sequence[dict[str, list[float]]]
) -> dict[str, Any]:
    """Choose by the scores, and put every bar around the shares of right choices."""
    topics = [question["topic"] for question in questions]
    right = np.array([question["right"] for question in questions])
    letters = np.array([one["letter"] for one in scores])
    centered = (letters - letters.mean(0)).tolist()
    scores = [{**one, "letter_centered": own} for one, own in zip(scores, centered, strict=True)]
    choices = {name: np.array([int(np.argmax(one[name])) for one in scores]) for name in SCORINGS}
    rights = {name: (chosen == right).astype(np.float64) for name, chosen in choices.items()}
    return {
        "start": START,
        "n": len(questions),
        "n_topics": len(set(topics)),
        "chance": CHANCE,
        "chance_limit": chance_limit(len(questions)),
        "questions": [
            {
                **question,
                "scores": one,
                "choices": {name: chosen[number] for name, chosen in choices.items()},
            }
            for number, (question, one) in enumerate(zip(questions, scores, strict=True))
        ],
        "scorings": {
            name: {
                **bars(rights[name], topics),
                "positions": np.bincount(choices[name], minlength=len(LETTERS)),
            }
            for name in SCORINGS
        },
        "comparisons": comparisons(rights, topics),
        "coverage": true_coverage(len(questions)),
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.multiple_choice",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
