"""At which layer the real model's answer appears, seen through the logit lens.

The lens reads the stream after each layer as if it were the last: final norm, then unembedding.
Layer 0 is the embedding, layer l the stream after l layers, the last one the model's own output,
whose most probable token is called the *answer*. A position *settles* at the first layer from which
the lens shows the answer there and at every later layer.

Measured on ``n`` passages from novels by Jane Austen after ``<|endoftext|>`` at position 0, at the
positions from ``first_position`` up to that before the last of ``length``; and at the last position
of short prompts. Result::

    start, n, length, first_position    the token at position 0; passages; tokens after it
    positions, level    positions measured in all; of all intervals, which are over passages
    by_layer: value, low, high of means over positions, one number a layer from 0
        agree           the lens' most probable token is the answer
        log_rank        log10 of the answer's rank in the lens; rank 1 is the most probable
        kl              divergence KL(output || lens) in nats
        surprisal       of the token that really follows, in nats
        echo            the lens' most probable token is the token at this position itself
    median_rank         median over positions of the answer's rank, by layer
    settle: layers at which positions settle
        counts          number of positions by layer
        mean            value, low, high
        quantiles       5, 25, 50, 75 and 95 % of positions have settled there
        last            share of positions that settle only at the last layer: value, low, high
    appear              the same counts for the first layer that shows the answer, kept or not
    half                first layer whose agree is at least one half
    by_confidence: positions by the final probability of the answer, list of
        low, high       bounds of that probability
        count           positions
        mean            mean layer at which they settle: value, low, high; null if too few
    first_passage       settle by position, kl by layer, of the first passage
    prompts: list of
        prompt, expected    text, and the token that a knowing reader would add
        answer, probability     of the model
        right           whether the answer is the expected token
        settle          layer
        shown           text of the lens' most probable token, by layer
        rank            of the expected token, by layer
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments import record
from experiments.texts import START, passages
from primer_ref import llama
from primer_ref.functional import softmax
from primer_ref.information import kl_divergence
from primer_ref.intervals import clustered_standard_error, mean_interval, normal_interval
from primer_ref.losses import token_losses

NAME = "logit_lens"
SEED = 8
LEVEL = 0.95
CONFIDENCE = (0.0, 0.25, 0.5, 0.75, 1.0)
PROMPTS = {
    "The capital of France is": " Paris",
    "The opposite of hot is": " cold",
    "Two plus two equals": " four",
    "The sun rises in the": " east",
    "Water is made of hydrogen and": " oxygen",
    "The first month of the year is": " January",
    "The color of fresh grass is": " green",
    "The largest planet in the solar system is": " Jupiter",
    "The chemical symbol for gold is": " Au",
    "Monday, Tuesday, Wednesday,": " Thursday",
    "The currency of Japan is the": " yen",
    "A young cat is called a": " kitten",
    "The author of Hamlet is William": " Shakespeare",
    "The Eiffel Tower stands in the city of": " Paris",
    "The past tense of the verb go is": " went",
    "Bees make": " honey",
}

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


def through_lens(
    model: llama.Model, hidden: Floats, current: Ints, following: Ints
) -> dict[str, Floats]:
    """Read streams (layers, positions, C) through the lens: each statistic (layers, positions)."""
    output = llama.unembed(model, hidden[-1]).astype(np.float64)  # (positions, V)
    answer, final = output.argmax(-1), softmax(output)
    rows = []
    for stream in hidden:
        logits = llama.unembed(model, stream).astype(np.float64)
        shown = logits.argmax(-1)
        rows.append(
            (
                shown == answer,
                np.log10(ranks(logits, answer)),
                kl_divergence(final, softmax(logits)),
                token_losses(logits, following),
                shown == current,
            )
        )
    names = ("agree", "log_rank", "kl", "surprisal", "echo")
    return dict(zip(names, np.array(rows, np.float64).swapaxes(0, 1), strict=True))


def ranks(logits: Floats, tokens: ArrayLike) -> Ints:
    """Rank of a token among the logits (..., V) of each row; 1 is the largest."""
    own = np.take_along_axis(logits, np.asarray(tokens)[..., None], axis=-1)
    rank: Ints = 1 + np.sum(logits > own, axis=-1)
    return rank


def settling(agree: ArrayLike) -> Ints:
    """First layer from which all agree; agree (layers, ...), true in the last layer."""
    kept = np.logical_and.accumulate(np.asarray(agree, bool)[::-1], axis=0)
    layer: Ints = len(kept) - np.sum(kept, axis=0)
    return layer


def measure_passage(
    model: llama.Model, number: int, *, length: int, first: int
) -> dict[str, Floats]:
    """Measure one passage."""
    (tokens,) = passages(model, np.random.default_rng([SEED, number]), 1, length)
    hidden = llama.trace(model, tokens[:-1].tolist()).hidden[:, first:]
    found = through_lens(model, hidden, tokens[first:-1], tokens[first + 1 :])
    confidence = softmax(llama.unembed(model, hidden[-1]).astype(np.float64)).max(-1)
    return found | {"confidence": confidence}


def measure_prompt(model: llama.Model, prompt: str, expected: str) -> dict[str, Any]:
    """Measure one prompt at its last position."""
    text = model.tokenizer.encode(prompt)
    wanted = model.tokenizer.encode(expected)[0]
    hidden = llama.trace(model, [model.tokenizer.specials[START], *text]).hidden[:, -1]
    logits = llama.unembed(model, hidden).astype(np.float64)  # (layers, V)
    shown = logits.argmax(-1)
    return {
        "prompt": prompt,
        "expected": model.tokenizer.decode([wanted]),
        "answer": model.tokenizer.decode([int(shown[-1])]),
        "probability": softmax(logits[-1]).max(),
        "right": shown[-1] == wanted,
        "settle": settling(shown == shown[-1]),
        "shown": [model.tokenizer.decode([token]) for token in shown.tolist()],
        "rank": ranks(logits, np.full(len(logits), wanted)),
    }


def over_passages(values: Floats) -> dict[str, Any]:
    """Mean and interval over passages, the last axis but one of (..., passages, positions)."""
    means = values.mean(-1)
    estimates = [mean_interval(row, level=LEVEL) for row in means.reshape(-1, means.shape[-1])]
    names = ("value", "low", "high")
    ends = {name: [getattr(found, name) for found in estimates] for name in names}
    return ends if means.ndim > 1 else {name: end[0] for name, end in ends.items()}


def group_mean(values: Floats, groups: Ints) -> dict[str, float] | None:
    """Mean of values that come in groups of unequal size, with its interval."""
    if len(np.unique(groups)) < 2:
        return None
    error = clustered_standard_error(values, groups)
    return asdict(normal_interval(float(values.mean()), error, level=LEVEL))


def measure(*, n: int = 24, length: int = 96, first: int = 64) -> dict[str, Any]:
    """Measure passages and prompts.

    Parameters
    ----------
    n : int
        Number of passages, at least two.
    length : int
        Tokens of a passage after the start token.
    first : int
        First position that is measured.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()

    def measure_number(number: int) -> dict[str, Floats]:
        return measure_passage(model, number, length=length, first=first)

    parts = record.parts(NAME, range(n), measure_number)
    stacked = {name: np.stack([part[name] for part in parts], axis=-2) for name in parts[0]}
    confidence = stacked.pop("confidence")  # (n, positions); the others (layers, n, positions)
    agree = stacked["agree"] == 1
    settled, appeared = settling(agree), agree.argmax(0)
    last = len(agree) - 1
    curves = {name: over_passages(values) for name, values in stacked.items()}
    passage = np.broadcast_to(np.arange(n)[:, None], settled.shape)
    by_confidence = []
    for low, high in pairwise(CONFIDENCE):
        inside = (confidence > low) & (confidence <= high)
        by_confidence.append(
            {
                "low": low,
                "high": high,
                "count": inside.sum(),
                "mean": group_mean(settled[inside].astype(float), passage[inside]),
            }
        )
    return {
        "start": START,
        "n": n,
        "length": length,
        "first_position": first,
        "positions": settled.size,
        "level": LEVEL,
        "by_layer": curves,
        "median_rank": np.median(np.rint(10 ** stacked["log_rank"]), axis=(1, 2)),
        "settle": {
            "counts": np.bincount(settled.ravel(), minlength=last + 1),
            "mean": over_passages(settled.astype(float)),
            "quantiles": np.quantile(settled, (0.05, 0.25, 0.5, 0.75, 0.95)),
            "last": over_passages((settled == last).astype(float)),
        },
        "appear": np.bincount(appeared.ravel(), minlength=last + 1),
        "half": int(np.argmax(np.array(curves["agree"]["value"]) >= 1 / 2)),
        "by_confidence": by_confidence,
        "first_passage": {"settle": settled[0], "kl": stacked["kl"][:, 0].mean(-1)},
        "prompts": [measure_prompt(model, *prompt) for prompt in PROMPTS.items()],
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.logit_lens",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
