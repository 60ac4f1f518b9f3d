"""What the maps of decoding do to the real model's distributions, and what greedy decoding repeats.

*Passages* are from novels by Jane Austen, each after ``<|endoftext|>``; the model's laws of the
tokens numbered ``first`` to ``length - 1`` of each are mapped, counted from 0. *Continuations* are
written by the model after openings, each after ``<|endoftext|>`` too; they end at a mark or after
``limit`` tokens. Intervals (``value``, ``low``, ``high``) are of a mean over passages or openings,
for 95 % by the central limit theorem; over so few they cover less. Result::

    start, length, first, n_passages, positions (of all passages together)
    plain           the model's own laws: entropy (interval, nats) and kept_next (interval), the
                    probability of the token that comes next in the novel
    maps            list, one entry a map and setting:
        map, setting    "temperature", "top_k", "top_p", "min_p" or "typical", and its parameter
        by_passage      mean entropy over the positions of each passage, nats
        entropy         interval of its mean over passages
        support         mean number of tokens whose probability is above 0, interval
        support_median, support_largest     over all positions
        kept            probability under the model's own law of the tokens that are kept, interval
        distance        total variation distance from the model's own law, interval
        next_possible   share of positions where the novel's next token keeps a probability above 0
        top_dropped     share of positions where the model's most probable token is dropped
        entropy_rises   share of positions where the entropy is higher than before
    gram, shortest  length n of the n-grams whose repetition is counted; least length of a loop
    limit, openings
    continuations   list, one entry an opening and a way to decode:
        opening, decoding   number of the opening; "greedy", "sampled" or "nucleus" (top-p of 0.9)
        tokens          what the model wrote, as token numbers
        repeated        share of the tokens that complete an n-gram that occurred in it before
        distinct        share of different tokens
        surprisal       mean under the model's own law, nats a token
        period          smallest length of a loop in which the text ends: its last tokens, at least
                        ``2 period`` and ``shortest``, repeat with this period; 0 if there is none
        loop_start      first token of the longest such ending; the number of tokens if none
        leave           for the copies of the loop one after another, the mean probability that a
                        draw from the model's own law leaves it; empty if there is none
        escape          escape length in tokens from the last whole copy, by sampling; null if none
    decodings       for each way to decode: repeated, distinct, surprisal (intervals); loops, how
                    many of the texts end in one
    greedy_excess   interval of the difference in ``repeated``, greedy less sampled, by opening
    novels          repeated, distinct: the same of passages of ``limit`` tokens of the novels

The laws are computed in float32, then mapped in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import START, passages
from primer_ref import llama
from primer_ref.decoding import escape_length, min_p, no_repeat_ngram, sample, top_k, top_p, typical
from primer_ref.functional import softmax
from primer_ref.information import entropy
from primer_ref.intervals import mean_interval
from primer_ref.losses import token_losses

NAME = "sampler_entropy"
SEED = 12
FIRST = 16
GRAM = 4
SHORTEST = 12
NUCLEUS = 0.9
DECODINGS = ("greedy", "sampled", "nucleus")
SETTINGS: dict[str, tuple[float, ...]] = {
    "temperature": (0.3, 0.5, 0.7, 1.0, 1.3, 1.6),
    "top_k": (1, 5, 20, 50, 200),
    "top_p": (0.5, 0.8, 0.9, 0.95),
    "min_p": (0.02, 0.05, 0.1, 0.2),
    "typical": (0.2, 0.5, 0.9, 0.95),
}
OPENINGS = (
    "The lighthouse keeper had not spoken to anyone for three weeks when",
    "To bake a good loaf of bread at home, you first need to",
    "Our town council met on Tuesday evening to discuss the old bridge, and",
    "Dear Anna, I am writing to you from a small hotel by the sea, where",
    "The main reason why the experiment failed was that",
    "When the rain stopped, the children ran out into the garden and",
    "A computer stores every number as a row of bits, which means that",
    "In the last minutes of the match, with the score still even,",
)

Floats = NDArray[np.floating[Any]]


def map_law(name: str, setting: float, p: Floats) -> Floats:
    """Apply one map to distributions (..., V)."""
    match name:
        case "temperature":
            return softmax(np.log(p), temperature=setting)
        case "top_k":
            return top_k(p, k=int(setting))
        case "top_p":
            return top_p(p, mass=setting)
        case "min_p":
            return min_p(p, ratio=setting)
        case _:
            return typical(p, mass=setting)


def map_statistics(p: Floats, q: Floats, following: Sequence[int]) -> dict[str, Any]:
    """Compare laws p (T, V) with what a map made of them, q: one number a position each."""
    rows, own = np.arange(len(p)), entropy(p)
    kept = q > 0
    return {
        "entropy": entropy(q),
        "support": kept.sum(-1),
        "kept": np.sum(p, axis=-1, where=kept),
        "distance": np.abs(q - p).sum(-1) / 2,
        "next_possible": kept[rows, following],
        "top_dropped": ~kept[rows, p.argmax(-1)],
        "entropy_rises": entropy(q) > own + 1e-9,  # more than rounding
    }


def measure_passage(model: llama.Model, tokens: Sequence[int], first: int) -> dict[str, Any]:
    """Map the laws of the tokens from a place on: for each map, each statistic by position."""
    logits = llama.forward(model, tokens[:-1])[first:]
    p = softmax(logits.astype(np.float64))
    following = tokens[first + 1 :]
    return {
        "entropy": entropy(p),
        "next": p[np.arange(len(p)), following],
        "maps": [
            map_statistics(p, map_law(name, setting, p), following)
            for name, settings in SETTINGS.items()
            for setting in settings
        ],
    }


def write(
    model: llama.Model, opening: str, decoding: str, limit: int, rng: np.random.Generator
) -> list[int]:
    """Let the model go on after an opening."""

    def choose(logits: Floats) -> int:
        if decoding == "greedy":
            return int(logits.argmax())
        p = softmax(logits.astype(np.float64))
        return int(sample(top_p(p, mass=NUCLEUS) if decoding == "nucleus" else p, rng=rng))

    specials = model.tokenizer.specials
    prompt = [specials[START], *model.tokenizer.encode(opening)]
    return list(llama.generate(model, prompt, choose, limit=limit, stop=list(specials.values())))


def repeated(tokens: Sequence[int]) -> float:
    """Share of the tokens that complete an n-gram that has occurred before."""
    numbers = np.unique(tokens, return_inverse=True)[1].tolist()  # few of them, so a short mask
    size = max(numbers) + 1
    again = [
        no_repeat_ngram(numbers[:t], n=GRAM, n_tokens=size)[numbers[t]] for t in range(len(numbers))
    ]
    return float(np.mean(again))


def find_loop(tokens: Sequence[int]) -> tuple[int, int]:
    """Find the period and the start of the loop in which a text ends, or 0 and its length."""
    x, n = np.array(tokens), len(tokens)
    for period in range(1, n // 2 + 1):
        differs = np.flatnonzero(x[period:] != x[:-period])
        start = int(differs[-1]) + 1 if differs.size else 0
        if n - start >= max(2 * period, SHORTEST):
            return period, start
    return 0, n


def measure_text(model: llama.Model, opening: str, tokens: Sequence[int]) -> dict[str, Any]:
    """Measure one continuation."""
    prompt = [model.tokenizer.specials[START], *model.tokenizer.encode(opening)]
    logits = llama.forward(model, [*prompt, *tokens[:-1]])[len(prompt) - 1 :]
    losses = token_losses(logits.astype(np.float64), tokens)
    period, start = find_loop(tokens)
    leave = -np.expm1(np.minimum(-losses, 0))
    n_copies = (len(tokens) - start) // period if period else 0
    copies = leave[start : start + n_copies * period].reshape(n_copies, max(period, 1))
    return {
        "tokens": list(tokens),
        "repeated": repeated(tokens),
        "distinct": len(set(tokens)) / len(tokens),
        "surprisal": losses.mean(),
        "period": period,
        "loop_start": start,
        "leave": copies.mean(-1) if period else [],
        "escape": escape_length(copies[-1]) if period else None,
    }


def over(values: Sequence[float] | Floats) -> dict[str, float]:
    """Mean of independent values with its interval."""
    return asdict(mean_interval(values))


def summarize_maps(measured: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pool passages, for each map and setting."""
    names = [(name, setting) for name, settings in SETTINGS.items() for setting in settings]
    rows = []
    for number, (name, setting) in enumerate(names):
        by_passage = [passage["maps"][number] for passage in measured]
        row: dict[str, Any] = {"map": name, "setting": setting}
        row["by_passage"] = [np.mean(one["entropy"]) for one in by_passage]
        for field in ("entropy", "support", "kept", "distance"):
            row[field] = over([np.mean(one[field]) for one in by_passage])
        support = np.concatenate([one["support"] for one in by_passage])
        row |= {"support_median": np.median(support), "support_largest": support.max()}
        for field in ("next_possible", "top_dropped", "entropy_rises"):
            row[field] = np.mean([one[field] for one in by_passage])
        rows.append(row)
    return rows


def inputs(model: llama.Model, n_passages: int, length: int) -> list[list[int]]:
    """Draw the passages."""
    drawn = passages(model, np.random.default_rng(SEED), n_passages, length)
    return [tokens.tolist() for tokens in drawn]


def measure(
    *, n_passages: int = 10, length: int = 40, n_openings: int = 8, limit: int = 80
) -> dict[str, Any]:
    """Measure all maps and all ways to decode.

    Parameters
    ----------
    n_passages, length : int
        Number of passages and their tokens.
    n_openings, limit : int
        Number of openings, and largest number of tokens written after each.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    texts = inputs(model, n_passages, length)
    measured = record.parts(NAME, texts, lambda tokens: measure_passage(model, tokens, FIRST))

    def continuation(item: tuple[int, str, int]) -> dict[str, Any]:
        number, decoding, longest = item
        rng = np.random.default_rng([SEED, number, DECODINGS.index(decoding)])
        tokens = write(model, OPENINGS[number], decoding, longest, rng)
        found = measure_text(model, OPENINGS[number], tokens)
        return {"opening": number, "decoding": decoding, **found}

    items = [(number, name, limit) for number in range(n_openings) for name in DECODINGS]
    written = record.parts(NAME, items, continuation)
    by_decoding = {
        name: [text for text in written if text["decoding"] == name] for name in DECODINGS
    }
    pairs = zip(by_decoding["greedy"], by_decoding["sampled"], strict=True)
    novels = [tokens[1:] for tokens in inputs(model, n_openings, limit)]
    return {
        "start": START,
        "length": length,
        "first": FIRST,
        "n_passages": n_passages,
        "positions": n_passages * (length - FIRST),
        "plain": {
            "entropy": over([np.mean(one["entropy"]) for one in measured]),
            "kept_next": over([np.mean(one["next"]) for one in measured]),
        },
        "maps": summarize_maps(measured),
        "gram": GRAM,
        "shortest": SHORTEST,
        "limit": limit,
        "openings": OPENINGS[:n_openings],
        "continuations": written,
        "decodings": {
            name: {
                **{f: over([t[f] for t in texts]) for f in ("repeated", "distinct", "surprisal")},
                "loops": sum(text["period"] > 0 for text in texts),
            }
            for name, texts in by_decoding.items()
        },
        "greedy_excess": over([one["repeated"] - other["repeated"] for one, other in pairs]),
        "novels": {
            "repeated": over([repeated(tokens) for tokens in novels]),
            "distinct": over([len(set(tokens)) / len(tokens) for tokens in novels]),
        },
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.sampler_entropy",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
