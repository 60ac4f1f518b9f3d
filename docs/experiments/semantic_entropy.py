"""How well the spread of a model's sampled answers tells its right answers from its wrong ones.

24 short questions of three kinds, written for this measurement: ``known`` (the answer is common
knowledge), ``obscure`` (it exists, but few know it) and ``invented`` (what is asked about does not
exist, so that only saying so is right). Each stands after two answered examples; the model answers
once greedily and several times by sampling at temperature 1, up to the end of the line, a full
stop, or ``limit`` tokens. *Right* is said of the greedy answer: it holds one of the accepted
phrases as consecutive words.

The *rule of meaning*: answers are put in small letters without marks and articles, and number words
up to twelve become digits; two answers mean the same if one then holds the other as consecutive
words, and so do answers linked through others. Answers without a word are one meaning. The rule is
crude: it tells synonyms apart, and joins an answer and its contrary if one holds the other.

Intervals (``value``, ``low``, ``high``) are 95 % bootstraps over questions; with so few they are
wide. Result::

    start, prompt (what stands before a question), limit, n_samples, n_resamples
    questions       list: kind, question, accepted
        greedy          tokens, answer, log_p (of the tokens and of the end, nats; truncated
                        answers have no end)
        right           whether the greedy answer is right
        samples         list of the same fields for the sampled answers
        meanings        number of the first sampled answer that means the same, for each
        sampled_right   share of sampled answers that are right
        semantic        entropy of the meanings of the samples, nats; at most log(n_samples)
        string          entropy of the different texts of the samples, nats
        predictive      mean of -log_p over the samples: estimates the entropy of the model's
                        answers, nats
        per_token       mean of -log_p over the number of tokens, nats
        agreement       share of the samples that mean the same as the greedy answer
    kinds           for each kind: n, right (number of right greedy answers), sampled_right (mean
                    share), semantic, predictive (means, nats)
    scores          for semantic, string, predictive, per_token (each taken negatively), agreement,
                    greedy (log_p of the greedy answer):
        all             AUROC of right against wrong over all questions, interval
        answerable      the same without the invented ones
        known           AUROC of the known against all other questions, interval
        risk_area       area under the risk-coverage curve
    advantage       differences of AUROCs over all questions, intervals: semantic less predictive,
                    agreement less semantic, greedy less semantic
    errors          share of wrong greedy answers; exact binomial interval
    best_area       the least possible risk_area at this number of errors; that of scores that tell
                    nothing is about ``errors``
    curves          for semantic, predictive: coverage, risk

Two machines may draw another token where a random number falls between two tokens; then a sampled
answer differs. A bootstrap resample that holds only right or only wrong answers counts as an AUROC
of 1/2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import START
from primer_ref import llama
from primer_ref.decoding import sample
from primer_ref.functional import log_softmax
from primer_ref.hallucination import (
    area_under_risk_coverage,
    auroc,
    risk_coverage,
    semantic_entropy,
)
from primer_ref.intervals import bootstrap_interval, exact_interval

NAME = "semantic_entropy"
SEED = 113
LIMIT = 12
PROMPT = (
    "Question: What do bees make?\nAnswer: Honey\n\n"
    "Question: Which river flows through Vienna?\nAnswer: The Danube\n\n"
)
ARTICLES = ("a", "an", "the")
NUMBER_WORDS = "zero one two three four five six seven eight nine ten eleven twelve"
UNKNOWN = (
    "unknown",
    "not known",
    "does not exist",
    "doesn't exist",
    "no such",
    "I don't know",
    "fictional",
    "not real",
    "invented",
)
QUESTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("known", "What is the capital of France?", ("Paris",)),
    ("known", "What color is the sky on a clear day?", ("blue",)),
    ("known", "How many legs does a spider have?", ("8",)),
    ("known", "What is the largest planet of the solar system?", ("Jupiter",)),
    ("known", "In which country is the city of Rome?", ("Italy",)),
    ("known", "Who wrote the play Hamlet?", ("Shakespeare",)),
    ("known", "What is the opposite of hot?", ("cold",)),
    ("known", "How many days are there in a week?", ("7",)),
    ("known", "What is frozen water called?", ("ice",)),
    ("known", "What is the chemical symbol of gold?", ("Au",)),
    ("known", "Which ocean lies between Europe and North America?", ("Atlantic",)),
    ("known", "Which animal gives us wool?", ("sheep",)),
    ("obscure", "What is the capital of Burkina Faso?", ("Ouagadougou",)),
    ("obscure", "Which chemical element has the atomic number 72?", ("hafnium",)),
    ("obscure", "In which year was the Peace of Westphalia signed?", ("1648",)),
    ("obscure", "Who composed the opera Oberon?", ("Weber",)),
    ("obscure", "What is the currency of Mongolia?", ("tugrik", "tögrög", "togrog", "tugrug")),
    ("obscure", "What is the longest river of Myanmar?", ("Irrawaddy", "Ayeyarwady")),
    ("invented", "What is the capital of the island of Velmora?", UNKNOWN),
    ("invented", "Who wrote the novel The Lantern of Astrid Kell?", UNKNOWN),
    ("invented", "In which year did Orvin Talleck discover brelium?", UNKNOWN),
    ("invented", "What is the main export of Sandrovia?", UNKNOWN),
    ("invented", "Who won the first chess tournament of Halderby?", UNKNOWN),
    ("invented", "Which river flows through Ostrenbeck?", UNKNOWN),
)
KINDS = ("known", "obscure", "invented")

Floats = NDArray[np.floating[Any]]


def normalize(answer: str) -> tuple[str, ...]:
    """Words of an answer in small letters, without marks and articles, numbers as digits."""
    words = re.findall(r"\w+", answer.lower())
    kept = [word for word in words if word not in ARTICLES]
    numbers = NUMBER_WORDS.split()
    return tuple(str(numbers.index(word)) if word in numbers else word for word in kept)


def holds(words: Sequence[str], part: Sequence[str]) -> bool:
    """Whether the part, not empty, stands in the words one after another."""
    size = len(part)
    places = range(len(words) - size + 1)
    return size > 0 and any(tuple(words[at : at + size]) == tuple(part) for at in places)


def same(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two normalized answers mean the same by themselves."""
    return one == other or holds(one, other) or holds(other, one)


def meanings(answers: Sequence[str]) -> list[int]:
    """Find the first answer that means the same, directly or through others, for each."""
    words = [normalize(answer) for answer in answers]
    labels = list(range(len(words)))
    for n, own in enumerate(words):
        for other in range(n):
            if same(own, words[other]) and labels[other] != labels[n]:
                low, high = sorted((labels[other], labels[n]))
                labels = [low if label == high else label for label in labels]
    return labels


def is_right(answer: str, accepted: Sequence[str]) -> bool:
    """Whether an answer holds an accepted phrase."""
    return any(holds(normalize(answer), normalize(phrase)) for phrase in accepted)


def ended(text: str) -> bool:
    """Whether the answer is over: a line or a sentence ends."""
    return "\n" in text or text.endswith(".")


def sampler(seed: Sequence[int]) -> Callable[[Floats], int]:
    """Draw tokens from log-probabilities; with its own seed no answer depends on another."""
    rng = np.random.default_rng(seed)
    return lambda log_p: int(sample(np.exp(log_p), rng=rng))


def write_answer(
    model: llama.Model,
    cache: llama.KVCache,
    logits: Floats,
    choose: Callable[[Floats], int],
    limit: int,
) -> dict[str, Any]:
    """Write one answer after what the cache holds; its tokens stay in the cache."""
    marks = list(model.tokenizer.specials.values())
    tokens: list[int] = []
    total = 0.0
    while True:
        log_p = log_softmax(logits.astype(np.float64))
        token = choose(log_p)
        total += float(log_p[token])
        tokens.append(token)
        text = model.tokenizer.decode(tokens)
        if token in marks or ended(text) or len(tokens) == limit:
            break
        logits = llama.forward(model, [token], cache, last=True)
    if token in marks:
        text = model.tokenizer.decode(tokens[:-1])
    return {"tokens": tokens, "answer": text.split("\n")[0].strip(), "log_p": total}


def measure_question(
    model: llama.Model, number: int, n_samples: int, limit: int = LIMIT
) -> dict[str, Any]:
    """Answer one question greedily and by sampling, and measure the spread."""
    kind, question, accepted = QUESTIONS[number]
    text = f"{PROMPT}Question: {question}\nAnswer:"
    prompt = [model.tokenizer.specials[START], *model.tokenizer.encode(text)]
    cache = llama.KVCache(model.config, len(prompt) + limit)
    logits = llama.forward(model, prompt, cache, last=True)

    def answer(choose: Callable[[Floats], int]) -> dict[str, Any]:
        cache.length[...] = len(prompt)  # what an earlier answer added is written over
        return write_answer(model, cache, logits, choose, limit)

    greedy = answer(lambda log_p: int(log_p.argmax()))
    samples = [answer(sampler([SEED, number, order])) for order in range(n_samples)]
    texts = [one["answer"] for one in samples]
    labels = meanings(texts)
    with_greedy = meanings([greedy["answer"], *texts])
    weights = np.full(n_samples, 1 / n_samples)
    losses = -np.array([one["log_p"] for one in samples])
    return {
        "kind": kind,
        "question": question,
        "accepted": accepted,
        "greedy": greedy,
        "right": is_right(greedy["answer"], accepted),
        "samples": samples,
        "meanings": labels,
        "sampled_right": np.mean([is_right(text, accepted) for text in texts]),
        "semantic": semantic_entropy(weights, labels),
        "string": semantic_entropy(weights, texts),
        "predictive": losses.mean(),
        "per_token": np.mean(losses / [len(one["tokens"]) for one in samples]),
        "agreement": np.mean([label == 0 for label in with_greedy[1:]]),
    }


def score_values(questions: Sequence[dict[str, Any]]) -> dict[str, Floats]:
    """Six confidences in the greedy answers: the larger, the surer."""
    doubts = ("semantic", "string", "predictive", "per_token")
    values = {name: -np.array([one[name] for one in questions]) for name in doubts}
    values["agreement"] = np.array([one["agreement"] for one in questions])
    values["greedy"] = np.array([one["greedy"]["log_p"] for one in questions])
    return values


def area(rows: Floats) -> float:
    """AUROC of rows (score, outcome); 1/2 if all outcomes are the same."""
    if len(np.unique(rows[:, 1])) < 2:
        return 0.5
    return auroc(rows[:, 0], rows[:, 1])


def area_interval(scores: Floats, outcomes: Floats, n_resamples: int) -> dict[str, float]:
    """AUROC with its bootstrap over questions."""
    rows, rng = np.stack([scores, outcomes], axis=-1), np.random.default_rng(SEED)
    return asdict(bootstrap_interval(rows, area, rng=rng, n_resamples=n_resamples))


def difference_interval(
    one: Floats, other: Floats, outcomes: Floats, n_resamples: int
) -> dict[str, float]:
    """Difference of two AUROCs on the same questions."""
    rows, rng = np.stack([one, other, outcomes], axis=-1), np.random.default_rng(SEED)

    def difference(drawn: Floats) -> float:
        return area(drawn[:, [0, 2]]) - area(drawn[:, [1, 2]])

    return asdict(bootstrap_interval(rows, difference, rng=rng, n_resamples=n_resamples))


def summarize(questions: Sequence[dict[str, Any]], n_resamples: int) -> dict[str, Any]:
    """How well each score tells right from wrong."""
    right = np.array([float(one["right"]) for one in questions])
    kinds = np.array([one["kind"] for one in questions])
    known = (kinds == "known").astype(float)
    values = score_values(questions)
    real = kinds != "invented"
    errors = len(right) - int(right.sum())
    curves = {}
    for name in ("semantic", "predictive"):
        coverage, risk = risk_coverage(values[name], right)
        curves[name] = {"coverage": coverage, "risk": risk}
    return {
        "kinds": {
            kind: {
                "n": int(np.sum(kinds == kind)),
                "right": int(np.sum(right[kinds == kind])),
                **{
                    field: np.mean([one[field] for one in questions if one["kind"] == kind])
                    for field in ("sampled_right", "semantic", "predictive")
                },
            }
            for kind in KINDS
        },
        "scores": {
            name: {
                "all": area_interval(value, right, n_resamples),
                "answerable": area_interval(value[real], right[real], n_resamples),
                "known": area_interval(value, known, n_resamples),
                "risk_area": area_under_risk_coverage(value, right),
            }
            for name, value in values.items()
        },
        "advantage": {
            "semantic_predictive": difference_interval(
                values["semantic"], values["predictive"], right, n_resamples
            ),
            "agreement_semantic": difference_interval(
                values["agreement"], values["semantic"], right, n_resamples
            ),
            "greedy_semantic": difference_interval(
                values["greedy"], values["semantic"], right, n_resamples
            ),
        },
        "errors": asdict(exact_interval(errors, len(right))),
        # Distinct scores, right answers first: answers with equal scores would be given together.
        "best_area": area_under_risk_coverage(right + np.linspace(0, 0.5, len(right)), right),
        "curves": curves,
    }


def measure(
    *, numbers: Sequence[int] = range(len(QUESTIONS)), n_samples: int = 10, n_resamples: int = 2000
) -> dict[str, Any]:
    """Ask the questions.

    Parameters
    ----------
    numbers : sequence of int
        Which questions, with one of every kind.
    n_samples : int
        Number of sampled answers to each.
    n_resamples : int
        Number of bootstrap resamples.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    questions = record.parts(
        NAME,
        [(number, n_samples) for number in numbers],
        lambda item: measure_question(model, *item),
    )
    return {
        "start": START,
        "prompt": PROMPT,
        "limit": LIMIT,
        "n_samples": n_samples,
        "n_resamples": n_resamples,
        "questions": questions,
        **summarize(questions, n_resamples),
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.semantic_entropy",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
