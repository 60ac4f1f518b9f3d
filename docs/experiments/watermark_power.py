"""A watermark in the real model's texts: its strength by length, false alarms, cost and removal.

The model goes on after openings, by draws at temperature 1 with ``bias`` nats added to the logits
of green tokens; marks such as ``<|endoftext|>`` are ruled out, so that all texts have ``length``
tokens. The first pair is made with the last token of the opening. z counts each pair of neighbors
once. Intervals (value, low, high) are 95 %: of means over texts by the central limit theorem, of
shares exact ones, for which windows of one text are taken as independent. Result::

    start, length, fraction (of green tokens), rate, threshold, n_keys
                    ``threshold`` is the z that a normal number exceeds with probability ``rate``
    lengths         numbers of pairs at which z is computed, from the beginning of each text
    texts           list, one entry a text: bias, opening (its number), tokens; green, the mean
                    probability of a green token after each one; floor, its mean lower bound for
                    lists chosen at random; kl, the mean divergence of the law with bias from that
                    without; surprisal, the mean under the model without bias; plain_green, the
                    mean probability of green tokens without bias
    biases          list, one entry a bias:
        bias
        green, floor, kl, surprisal     intervals over texts; the last three in nats a token
        observed        green pairs over scored ones
        z               at each length: mean with interval
        z_expected      at each length, from the mean of ``green`` and the mean number scored
        scored          at each length: mean number of different pairs
        windows         at each length: number of windows, side by side, of all texts
        power           at each length: share of the windows with z above the threshold
        power_expected  by the formula, from the same numbers
        needed          pairs needed for power 0.95 by the formula; null at bias 0
    false_alarms    texts of ``length`` tokens that know nothing of the key: "unmarked", the
                    model's, each under ``n_keys`` keys; "austen", from Emma, under one key each:
        tests, z_mean (interval), z_std
        above           share with z at least the threshold
        above_20th      share with z at least 1.645, which a normal number has once in 20
    removal         for each bias above 0 and share of tokens replaced by tokens drawn from unmarked
                    texts: bias, edited, z (interval over texts), z_expected, found (share above
                    the threshold)
    distinct        share of different pairs among all pairs, by bias
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.sampler_entropy import OPENINGS, over
from experiments.texts import START, austen
from primer_ref import llama
from primer_ref.decoding import sample
from primer_ref.functional import softmax
from primer_ref.information import kl_divergence
from primer_ref.intervals import exact_interval, normal_quantile
from primer_ref.watermark import Detection, detect, favor_green, green_list
from primer_ref.watermark_power import (
    detection_power,
    expected_z,
    green_after_edits,
    green_floor,
    green_probability,
    tokens_needed,
)

NAME = "watermark_power"
SEED = 15
KEY = b"a secret of this book"
FRACTION = 0.5
RATE = 1e-3
THRESHOLD = normal_quantile(1 - 2 * RATE)
BIASES = (0.0, 1.0, 2.0, 4.0)
LENGTHS = (12, 24, 48, 96)
EDITED = (0.1, 0.25, 0.5)

Floats = NDArray[np.floating[Any]]


def start_tokens(model: llama.Model, opening: str) -> list[int]:
    """Tokens of an opening after the start token."""
    return [model.tokenizer.specials[START], *model.tokenizer.encode(opening)]


def step_statistics(model: llama.Model, logits: Floats, previous: int, bias: float) -> list[Floats]:
    """Compute the laws without and with bias, and green, floor, kl and plain_green of a step."""
    marks = list(model.tokenizer.specials.values())
    s = logits.astype(np.float64)
    s[marks] = -np.inf
    green = green_list(previous, n_tokens=len(s), key=KEY, fraction=FRACTION)
    p, q = softmax(s), softmax(favor_green(s, green, bias=bias))
    numbers = (
        green_probability(p, green, bias=bias),
        green_floor(p, fraction=FRACTION, bias=bias),
        kl_divergence(q, p),
        green_probability(p, green, bias=0),
    )
    return [p, q, np.array(numbers)]


def write(
    model: llama.Model, opening: str, bias: float, length: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Write one text with the watermark, and measure it on the way."""
    prompt = start_tokens(model, opening)
    previous, numbers, surprisals = prompt[-1], [], []

    def choose(logits: Floats) -> int:
        nonlocal previous
        p, q, found = step_statistics(model, logits, previous, bias)
        previous = int(sample(q, rng=rng))
        numbers.append(found)
        surprisals.append(-np.log(p[previous]))
        return previous

    tokens = list(llama.generate(model, prompt, choose, limit=length))
    green, floor, kl, plain = np.mean(numbers, axis=0)
    return {
        "tokens": [prompt[-1], *tokens],
        "green": green,
        "floor": floor,
        "kl": kl,
        "surprisal": np.mean(surprisals),
        "plain_green": plain,
    }


def search(tokens: Sequence[int], n_tokens: int, key: bytes = KEY) -> Detection:
    """Test a text for the watermark."""
    return detect(tokens, n_tokens=n_tokens, key=key, fraction=FRACTION)


def above(z: Sequence[float], threshold: float) -> dict[str, float]:
    """Share of z from a threshold on, with its interval."""
    return asdict(exact_interval(int(np.sum(np.array(z) >= threshold)), len(z)))


def summarize_bias(
    bias: float, texts: Sequence[dict[str, Any]], lengths: Sequence[int], n_tokens: int
) -> dict[str, Any]:
    """Pool the texts of one bias."""
    fields = ("green", "floor", "kl", "surprisal")
    row: dict[str, Any] = {"bias": bias} | {f: over([t[f] for t in texts]) for f in fields}
    green = row["green"]["value"]
    columns: dict[str, list[Any]] = {
        name: [] for name in ("z", "z_expected", "scored", "windows", "power", "power_expected")
    }
    for n in lengths:
        found = [
            [
                search(t["tokens"][at : at + n + 1], n_tokens)
                for at in range(0, max(lengths) - n + 1, n)
            ]
            for t in texts
        ]
        scored = float(np.mean([one[0].scored for one in found]))
        pooled = [one.z for windows in found for one in windows]
        columns["z"].append(over([windows[0].z for windows in found]))
        columns["z_expected"].append(expected_z(round(scored), green=green, fraction=FRACTION))
        columns["scored"].append(scored)
        columns["windows"].append(len(pooled))
        columns["power"].append(above(pooled, THRESHOLD))
        columns["power_expected"].append(
            detection_power(round(scored), green=green, fraction=FRACTION, threshold=THRESHOLD)
        )
    whole = [windows[0] for windows in found]
    return {
        **row,
        "observed": sum(one.green for one in whole) / sum(one.scored for one in whole),
        **columns,
        "needed": tokens_needed(green=green, fraction=FRACTION, threshold=THRESHOLD, power=0.95)
        if bias
        else None,
    }


def false_alarms(z: Sequence[float]) -> dict[str, Any]:
    """Summarize tests of texts without watermark."""
    return {
        "tests": len(z),
        "z_mean": over(z),
        "z_std": np.std(z, ddof=1),
        "above": above(z, THRESHOLD),
        "above_20th": above(z, normal_quantile(0.9)),
    }


def replace_tokens(
    tokens: Sequence[int], share: float, others: Sequence[int], rng: np.random.Generator
) -> list[int]:
    """Replace a share of the tokens, chosen at random, by draws from other tokens."""
    edited = np.array(tokens)
    places = rng.choice(len(edited), round(share * len(edited)), replace=False)
    edited[places] = rng.choice(others, len(places))
    return [int(token) for token in edited]


def measure_removal(
    texts: Sequence[dict[str, Any]], bias: float, share: float, others: Sequence[int], n_tokens: int
) -> dict[str, Any]:
    """Edit the texts of one bias and test them again."""
    rng = np.random.default_rng([SEED, round(100 * share), round(bias)])
    found = [search(replace_tokens(t["tokens"], share, others, rng), n_tokens) for t in texts]
    green = green_after_edits(
        float(np.mean([t["green"] for t in texts])), fraction=FRACTION, edited=share
    )
    scored = round(float(np.mean([one.scored for one in found])))
    return {
        "bias": bias,
        "edited": share,
        "z": over([one.z for one in found]),
        "z_expected": expected_z(scored, green=green, fraction=FRACTION),
        "found": above([one.z for one in found], THRESHOLD),
    }


def novel_windows(model: llama.Model, count: int, length: int) -> list[list[int]]:
    """Windows of Emma, side by side, spread over its first third."""
    novel = austen("emma")
    tokens = model.tokenizer.encode(novel[: len(novel) // 3])
    step = len(tokens) // count
    return [tokens[step * n : step * n + length + 1] for n in range(count)]


def measure(
    *,
    n_openings: int = 8,
    lengths: tuple[int, ...] = LENGTHS,
    n_keys: int = 8,
    n_windows: int = 100,
) -> dict[str, Any]:
    """Measure all biases.

    Parameters
    ----------
    n_openings : int
        Number of texts of each bias.
    lengths : tuple of int
        Numbers of pairs, rising; the last one is that of a whole text.
    n_keys, n_windows : int
        Keys for each unmarked text, and windows of the novel.

    Returns
    -------
    dict
        The fields described above.
    """
    model, length = llama.load(), lengths[-1]
    n_tokens = model.config.n_tokens

    def text(item: tuple[float, int, int]) -> dict[str, Any]:
        bias, number, tokens = item
        rng = np.random.default_rng([SEED, BIASES.index(bias), number])
        written = write(model, OPENINGS[number], bias, tokens, rng)
        return {"bias": bias, "opening": number} | written

    items = [(bias, number, length) for bias in BIASES for number in range(n_openings)]
    texts = record.parts(NAME, items, text)
    by_bias = {bias: [one for one in texts if one["bias"] == bias] for bias in BIASES}
    unmarked = [one["tokens"] for one in by_bias[0.0]]
    keys = [b"key %d" % number for number in range(n_keys)]
    others = [token for tokens in unmarked for token in tokens]
    biases = [summarize_bias(bias, some, lengths, n_tokens) for bias, some in by_bias.items()]
    alarms = {
        "unmarked": [search(t, n_tokens, key).z for t in unmarked for key in keys],
        "austen": [search(t, n_tokens).z for t in novel_windows(model, n_windows, length)],
    }
    return {
        "start": START,
        "length": length,
        "fraction": FRACTION,
        "rate": RATE,
        "threshold": THRESHOLD,
        "n_keys": n_keys,
        "lengths": lengths,
        "texts": texts,
        "biases": biases,
        "distinct": [row["scored"][-1] / length for row in biases],
        "false_alarms": {name: false_alarms(z) for name, z in alarms.items()},
        "removal": [
            measure_removal(by_bias[bias], bias, share, others, n_tokens)
            for bias in BIASES[1:]
            for share in EDITED
        ],
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.watermark_power",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
