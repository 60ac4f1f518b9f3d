"""Loss by position inside and beyond the trained context, with and without frequency scaling.

The file of the model says that its context is 8,192 tokens. Two things are measured. First, one
passage a quarter longer than that is read from its start, with the frequencies of the model and
with those of a changed base, by the factor that the length needs. As later tokens do not change
what came before, the part within the context is at once the test at a shorter length. The part
beyond it is also read as the second half of the last 4,096 tokens alone, from position 0 on and
without a start token: what a window of recent tokens would do.

Second, all rules are tried on short passages whose second half is moved away from the first:
positions 0 … n/2 − 1, then a gap, then the rest, so that the last position is ``length`` − 1. Keys
then stand at offsets that a text of this length has, at a small part of its cost; how the model
fares with so many keys is not measured by this. The gap costs something within the context too, for
half the text is then far away: that is what a gap beyond it is to be compared with. Nothing is
trained with the scaled frequencies, as was done in the papers on interpolation and YaRN.

Dynamic scaling needs no readings of its own: with its factor 1 it is ``none`` up to the context,
and ``ntk`` by the factor length / context for a text that is longer and read at once.

Passages start with ``<|endoftext|>`` at position 0, and loss at position t is that of token
t + 1, in nats. Intervals hold 95 %; they take tokens as independent between runs of 64 positions of
a passage, not within, and say nothing about other passages. Result::

    context, rope_base    tokens, and the base of the frequencies, as the file of the model says
    start, run            text of the token at position 0; positions in a run
    rules                 names: none; interpolation, of positions; ntk, change of base; by_parts,
                          as the paper on YaRN has it; yarn, frequencies as its code has them and
                          its scale of the scores; llama3
    passage               the long passage
        length, factor    tokens read, and the factor of the rules
        sampled           number of positions whose loss is computed: all below every_position,
                          from there on every fourth
        every_position
        edges             borders of the bins of positions, the last one excluded
        loss              of each rule: value, low, high, a number a bin
        change            the same for the loss less that with rule none at the same positions
        alone             what reading the last tokens as a text of their own does
            length        tokens read
            positions     first and end of those compared, the second half of them, as positions in
                          the long passage
            loss, change  value, low, high of the loss, and of this less that of each rule in the
                          long passage
    moved                 the short passages
        n, tokens         passages, tokens in each
        none              list of: length; loss of the second half, and change against no gap, and
                          against_near, as below
        scaled            list of: rule; factor; at_home, change without a gap; far, change with the
                          gap that makes the length factor · context; both against rule none without
                          a gap; and against_near, far less rule none with a gap within the context,
                          at the second of ``lengths``. Each of these is value, low, high, and
                          texts, the mean of each text
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import START, passages
from primer_ref import llama
from primer_ref.flash_attention import causal, flash_attention
from primer_ref.intervals import clustered_standard_error, normal_interval
from primer_ref.losses import token_losses
from primer_ref.positions import rotary_frequencies, turns_at
from primer_ref.rope_scaling import (
    by_parts,
    interpolate_positions,
    llama3_frequencies,
    ntk_aware,
    yarn_attention_scale,
    yarn_frequencies,
)
from primer_ref.transformer import embed, feed_forward, project

NAME = "long_context"
SEED = 5
LENGTH = 10240
ALONE = 4096
EDGES = (0, 64, 128, 256, 512, 1024, 2048, 4096, 6144, 8192, 9216, 10240)
LONG_RULES = ("none", "ntk")
N_MOVED, MOVED_TOKENS = 2, 512
LENGTHS = (512, 8192, 10240, 12288, 16384, 32768)
FACTORS = (4.0,)
EVERY_POSITION = 512
RUN = 64
ROWS = 256  # what is computed at a time, so that it stays in fast memory

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Rule:
    """Frequencies, and what scores are multiplied by."""

    frequencies: Floats
    sharpness: float = 1.0


def rules(frequencies: Floats, *, factor: float, context: int) -> dict[str, Rule]:
    """Scale the frequencies of a model by every rule."""
    same = {"factor": factor, "context": context}
    return {
        "none": Rule(frequencies),
        "interpolation": Rule(interpolate_positions(frequencies, factor=factor)),
        "ntk": Rule(ntk_aware(frequencies, factor=factor)),
        "by_parts": Rule(by_parts(frequencies, **same, fast=32, slow=1)),
        "yarn": Rule(yarn_frequencies(frequencies, **same), yarn_attention_scale(factor) ** 2),
        "llama3": Rule(llama3_frequencies(frequencies, **same)),
    }


def read(model: llama.Model, tokens: Ints, positions: Ints, rule: Rule) -> Floats:
    """Run all layers, layer by layer over the whole text; returns hidden states (T, C)."""
    config, n = model.config, len(tokens)
    turns = turns_at(positions, rule.frequencies).astype(np.complex64)
    x = embed(config, model.weights, tokens)  # (T, C)
    for layer in model.weights.layers:
        q, k, v = project(config, layer, x, turns)
        grouped = (rule.sharpness * q).reshape(config.n_kv_heads, -1, *q.shape[1:])  # (K, G, T, D)
        found, _ = flash_attention(
            grouped, k[:, None], v[:, None], block_q=ROWS // 2, block_k=2 * ROWS, rule=causal
        )
        joined = np.swapaxes(found.reshape(q.shape), 0, 1).reshape(n, -1)  # (T, H D)
        x = x + joined @ layer.output
        cuts = np.split(x, range(ROWS, n, ROWS))
        x = np.concatenate([feed_forward(config, layer, part) for part in cuts])
    return x


def losses(model: llama.Model, hidden: Floats, targets: Ints) -> Floats:
    """Loss of each target in nats, from the output of the last layer."""
    cuts = list(range(ROWS, len(targets), ROWS))
    found = []
    for rows, own in zip(np.split(hidden, cuts), np.split(targets, cuts), strict=True):
        found.append(token_losses(llama.unembed(model, rows).astype(np.float64), own))
    return np.concatenate(found)


def sampled(first: int, end: int) -> Ints:
    """Positions whose loss is computed."""
    t = np.arange(first, end, dtype=np.int64)
    kept: Ints = t[(t < EVERY_POSITION) | (t % 4 == 0)]
    return kept


def estimate(x: Floats, runs: Ints) -> dict[str, float]:
    """Mean and interval of losses that stand in runs of positions."""
    return asdict(normal_interval(float(x.mean()), clustered_standard_error(x, runs)))


def by_bins(loss: Floats, at: Ints, edges: Sequence[int], run: int = RUN) -> dict[str, list[float]]:
    """Estimate the loss of each bin of positions; short bins have shorter runs."""
    rows = []
    for low, high in pairwise(edges):
        inside = (at >= low) & (at < high)
        rows.append(estimate(loss[inside], at[inside] // min(run, (high - low) // 8)))
    return {field: [row[field] for row in rows] for field in ("value", "low", "high")}


def model_rules(model: llama.Model, factor: float) -> dict[str, Rule]:
    """Scale the frequencies of the real model."""
    frequencies = rotary_frequencies(model.config.head_size, base=model.config.rope_base)
    return rules(frequencies, factor=factor, context=model.config.context)


def late(length: int, alone: int) -> Ints:
    """Positions in a long passage at which its last part read alone is compared."""
    return sampled(length - alone // 2, length)


def read_passage(model: llama.Model, tokens: Ints, name: str, alone: int) -> Floats:
    """Loss at the sampled positions of T + 1 tokens by a rule, or read alone at the late ones."""
    length = len(tokens) - 1
    choice = model_rules(model, max(length / model.config.context, 1.0))
    first, at = (
        (length - alone, late(length, alone)) if name == "alone" else (0, sampled(0, length))
    )
    rule = choice["none" if name == "alone" else name]
    hidden = read(model, tokens[first:-1], np.arange(length - first), rule)
    return losses(model, hidden[at - first], tokens[at + 1])


def summarize_passage(
    found: dict[str, Floats], *, length: int, alone: int, edges: Sequence[int]
) -> dict[str, Any]:
    """Bring the losses on a long passage, by rule and alone, into bins."""
    at, compared = sampled(0, length), late(length, alone)
    runs, names = compared // RUN, [name for name in found if name != "alone"]
    return {
        "edges": edges,
        "loss": {name: by_bins(found[name], at, edges) for name in names},
        "change": {name: by_bins(found[name] - found["none"], at, edges) for name in names[1:]},
        "alone": {
            "length": alone,
            "positions": [length - alone // 2, length],
            "loss": estimate(found["alone"], runs),
            "change": {
                name: estimate(found["alone"] - found[name][np.isin(at, compared)], runs)
                for name in names
            },
        },
    }


def moved_positions(n: int, length: int) -> Ints:
    """Positions of n tokens, the second half of them last in a text of some length."""
    half = n // 2
    return np.concatenate([np.arange(half), np.arange(length - (n - half), length)])


def moved_losses(model: llama.Model, texts: Sequence[Ints], rule: Rule, length: int) -> Floats:
    """Loss at the second half of each text of n + 1 tokens: shape (texts, n / 2)."""
    rows = []
    for tokens in texts:
        n = len(tokens) - 1
        hidden = read(model, tokens[:-1], moved_positions(n, length), rule)
        rows.append(losses(model, hidden[n // 2 :], tokens[n // 2 + 1 :]))
    return np.array(rows)


def moved_estimate(values: Floats) -> dict[str, Any]:
    """Estimate the mean of numbers (texts, positions), with that of each text."""
    n_texts, n = values.shape
    runs = np.arange(n) // RUN + n * np.arange(n_texts)[:, None]
    return {**estimate(values.ravel(), runs.ravel()), "texts": values.mean(-1)}


def measure(
    *,
    length: int = LENGTH,
    alone: int = ALONE,
    edges: Sequence[int] = EDGES,
    names: Sequence[str] = LONG_RULES,
    n_moved: int = N_MOVED,
    moved_tokens: int = MOVED_TOKENS,
    lengths: Sequence[int] = LENGTHS,
    factors: Sequence[float] = FACTORS,
) -> dict[str, Any]:
    """Measure the long passage and the short ones.

    Parameters
    ----------
    length : int
        Tokens read of the long passage.
    alone : int
        Tokens at its end that are read once more, alone.
    edges : sequence of int
        Borders of the bins of positions.
    names : sequence of str
        Rules for the long passage; none is the first.
    n_moved, moved_tokens : int
        Number of short passages, and tokens in each.
    lengths : sequence of int
        Lengths for rule none; the first is that of a passage without a gap, the second is within
        the context.
    factors : sequence of float
        Factors for the other rules.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    rng = np.random.default_rng(SEED)
    [passage] = passages(model, rng, 1, length)
    texts = passages(model, rng, n_moved, moved_tokens)
    context, no_gap = model.config.context, lengths[0]

    def measure_passage(item: tuple[str, int, int]) -> Floats:
        return read_passage(model, passage, item[0], alone)

    def measure_moved(item: tuple[str, float, int, int, int]) -> Floats:
        name, factor, end, *_ = item
        return moved_losses(model, texts, model_rules(model, factor)[name], end)

    order = [names[0], "alone", *names[1:]]
    read_items = [(name, length, alone) for name in order]
    by_name = dict(zip(order, record.parts(NAME, read_items, measure_passage), strict=True))
    scaled_names = [name for name in model_rules(model, 1.0) if name != "none"]
    pairs = [(name, factor) for name in scaled_names for factor in factors]
    moved_items = [("none", 1.0, end, n_moved, moved_tokens) for end in lengths]
    for name, factor in pairs:
        ends = (no_gap, int(factor * context))
        moved_items += [(name, factor, end, n_moved, moved_tokens) for end in ends]
    found = map(np.array, record.parts(f"{NAME}-moved", moved_items, measure_moved))
    moved = {item[:3]: values for item, values in zip(moved_items, found, strict=True)}
    basis, near = (moved["none", 1.0, end] for end in lengths[:2])
    return {
        "context": context,
        "rope_base": model.config.rope_base,
        "start": START,
        "run": RUN,
        "rules": list(model_rules(model, 1.0)),
        "passage": {
            "length": length,
            "factor": max(length / context, 1.0),
            "sampled": len(sampled(0, length)),
            "every_position": EVERY_POSITION,
            **summarize_passage(
                {name: np.array(values) for name, values in by_name.items()},
                length=length,
                alone=alone,
                edges=edges,
            ),
        },
        "moved": {
            "n": n_moved,
            "tokens": moved_tokens,
            "none": [
                {
                    "length": end,
                    "loss": moved_estimate(moved["none", 1.0, end]),
                    "change": moved_estimate(moved["none", 1.0, end] - basis),
                    "against_near": moved_estimate(moved["none", 1.0, end] - near),
                }
                for end in lengths
            ],
            "scaled": [
                {
                    "rule": name,
                    "factor": factor,
                    "at_home": moved_estimate(moved[name, factor, no_gap] - basis),
                    "far": moved_estimate(moved[name, factor, int(factor * context)] - basis),
                    "against_near": moved_estimate(
                        moved[name, factor, int(factor * context)] - near
                    ),
                }
                for name, factor in pairs
            ],
        },
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.long_context",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
