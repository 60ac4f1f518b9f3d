"""Which rotary frequencies the heads of the real model use, and how far offset alone sets a score.

Texts are passages of the novels after ``<|endoftext|>`` at position 0. Scores are q·k/√D, of
queries at positions t >= first_query and keys at 1 <= s <= t, since the key at position 0 is
like no other; what is called offset here is the distance t − s. Pair j turns by
``frequencies[j]`` radians a position. What offset alone explains is measured on each text with the
other texts' numbers: 1 less the squared errors over those of the text's own mean score. Below 0 the
prediction is worse than that mean. Result::

    start, n_texts, length, first_query
    frequencies       of the D/2 pairs; wavelengths, positions a turn
    n_slow            how many pairs turn less than once within the model's context
    by_pair           for each pair, quantiles over all heads at 5, 25, 50, 75 and 95 %
        levels
        amplitude     mean of |q_j||k_j|/√D over all queries and keys, the size of its wave
        share         the same over its sum over pairs
        coherence     |mean q_j||mean k_j| over mean |q_j| mean |k_j|, before turning; 1 if all
                      tokens have one phase and size, so that only the offset matters, 0 if none
    by_layer          (L, D/2) mean over heads of share
    by_head           each (L, H)
        amplitude     sum over pairs
        center        mean number of the pair, weighted by amplitude
        slow          share of the slow pairs in the amplitude; evenly spread it is n_slow/(D/2)
        distance      mean offset, weighted by attention to keys s >= 1
        explained     share of the scores' variance explained by the mean score at each offset
        by_means      the same, by the trigonometric polynomial of the mean query and mean key
        within        share of the variance within queries that mean scores at offsets explain: the
                      mean over each query's keys is taken off both, for softmax does not see it
    summary           for each of by_head: smallest, median and largest value
    found             heads found by their number in by_head: most_local and least_local (distance),
                      most_explained and least_explained (within)
        layer, head, value
        texts         the number on each text, in order
        amplitude     of each pair
        mean_amplitude, mean_phase    spectrum of the mean query and mean key: |·||·|/√D, radians
        start_part, part    what each pair adds to a score, the mean over the queries and the key at
                      position 0, and over the queries and the keys at 1 <= s <= t
        score, spread    mean and standard deviation of the scores at each of ``offsets``
        polynomial    what the spectrum of the means says there
    offsets           in positions
    pairings          both pairings on the real weights, on one text
        tokens        its length
        loss          mean surprisal in nats: interleaved, as the weights are made for; half_split
                      of weights in the order for it; mistaken, half_split without reordering;
                      reversed, interleaved of reordered weights
        difference    largest absolute difference of logits from interleaved, in nats
        largest_logit largest absolute logit of interleaved
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.attention_heads import scaled_scores
from experiments.texts import START, passages
from primer_ref import llama
from primer_ref.attention import causal_mask
from primer_ref.heads import split_heads
from primer_ref.losses import token_losses
from primer_ref.norms import rms_norm
from primer_ref.positions import (
    interleaved_to_half,
    rotary,
    rotary_frequencies,
    rotary_half_split,
    turns_at,
)
from primer_ref.spectra import rotary_spectrum, score_by_offset, wavelengths
from primer_ref.transformer import attend, embed, feed_forward

NAME = "rotary_spectrum"
SEED = 6
FIRST_QUERY = 16
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
OFFSETS = (*range(64), *range(64, 448, 8))

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Turn = Callable[[Floats, NDArray[np.complexfloating[Any, Any]]], Floats]


@dataclass(frozen=True)
class Pairs:
    """Vectors of the heads in one layer on one text, before turning."""

    queries: Floats  # (H, T', D), from the first query on
    keys: Floats  # (H, S', D), from position 1 on, repeated for the query heads
    scores: Floats  # (H, n), of visible pairs
    offsets: Ints  # (n,)
    rows: Ints  # (n,), number of the query
    distance: Floats  # (H,)
    parts: Floats  # (H, 2, D / 2), of scores: on the key at position 0, on the others


def visible(n: int, first_query: int) -> tuple[Ints, Ints]:
    """Positions of all queries and the keys they see, without key 0."""
    seen = np.tril(np.ones((n, n), bool))
    seen[:first_query] = seen[:, 0] = False
    queries, keys = np.nonzero(seen)
    return queries, keys


def unturn(x: Floats, frequencies: Floats) -> Floats:
    """Turn vectors (..., T, D) back to position 0."""
    return rotary(x.astype(np.float64), np.conj(turns_at(np.arange(x.shape[-2]), frequencies)))


def parts_of(queries: Floats, keys: Floats, first_query: int) -> Floats:
    """Mean of what each pair adds to a score, on key 0 and on the others: (H, T, D) to (H, 2, D/2).

    The vectors are turned. All keys that a query sees are added up first.
    """
    n_heads, n, size = queries.shape
    seen = np.cumsum(keys, axis=1) - keys[:, :1]  # (H, T, D), keys 1 … t
    last, n_pairs = queries[:, first_query:], np.arange(first_query, n).sum()
    on_start, on_others = (
        (last * key).reshape(n_heads, -1, size // 2, 2).sum((1, 3))
        for key in (keys[:, :1], seen[:, first_query:])
    )
    means: Floats = np.stack([on_start / (n - first_query), on_others / n_pairs], axis=1)
    return means / math.sqrt(size)


def pairs_of(block: llama.Block, frequencies: Floats, first_query: int) -> Pairs:
    """Collect what is needed of one layer on one text."""
    t, s = visible(block.queries.shape[1], first_query)
    group = len(block.queries) // len(block.keys)
    weights = block.weights[:, t, s].astype(np.float64)
    turned_keys = np.repeat(block.keys.astype(np.float64), group, axis=0)
    return Pairs(
        unturn(block.queries, frequencies)[:, first_query:],
        np.repeat(unturn(block.keys, frequencies)[:, 1:], group, axis=0),
        scaled_scores(block.queries, block.keys)[:, t, s],
        t - s,
        t - first_query,
        weights @ (t - s) / weights.sum(-1),
        parts_of(block.queries.astype(np.float64), turned_keys, first_query),
    )


def sizes(x: Floats) -> Floats:
    """Mean size of each pair of coordinates over tokens: (..., T, D) to (..., D / 2)."""
    mean: Floats = np.hypot(x[..., ::2], x[..., 1::2]).mean(-2)
    return mean


def offset_means(texts: Sequence[Pairs], head: int, n: int) -> tuple[Floats, Floats]:
    """Mean and standard deviation of one head's scores at each offset below n; 0 where none is."""
    offsets = np.concatenate([text.offsets for text in texts])
    scores = np.concatenate([text.scores[head] for text in texts])
    counts = np.maximum(np.bincount(offsets, minlength=n), 1)
    mean = np.bincount(offsets, scores, minlength=n) / counts
    square = np.bincount(offsets, (scores - mean[offsets]) ** 2, minlength=n) / counts
    return mean, np.sqrt(square)


def polynomial(
    texts: Sequence[Pairs], head: int, frequencies: Floats, offsets: Ints
) -> tuple[Floats, Floats, Floats]:
    """Spectrum of a head's mean query and key, and the score it gives at offsets."""
    q = np.concatenate([text.queries[head] for text in texts]).mean(0)
    k = np.concatenate([text.keys[head] for text in texts]).mean(0)
    spectrum, root = rotary_spectrum(q, k), math.sqrt(len(q))
    scores = score_by_offset(spectrum, frequencies, offsets) / root
    return spectrum.amplitudes / root, spectrum.phases, scores


def explained(scores: Floats, predicted: Floats) -> float:
    """Share of the variance of scores that a prediction explains; below 0 it is worse than none."""
    return float(1 - np.sum((scores - predicted) ** 2) / np.sum((scores - scores.mean()) ** 2))


def centered(x: Floats, rows: Ints) -> Floats:
    """Numbers less the mean of their row."""
    means: Floats = np.bincount(rows, x) / np.maximum(np.bincount(rows), 1)
    return x - means[rows]


def held_out(texts: Sequence[Pairs], head: int, frequencies: Floats) -> dict[str, list[float]]:
    """Explain the scores of each text with the numbers of the others."""
    n = max(int(text.offsets.max()) for text in texts) + 1
    found: dict[str, list[float]] = {"explained": [], "by_means": [], "within": []}
    for number, text in enumerate(texts):
        others = [*texts[:number], *texts[number + 1 :]]
        means = offset_means(others, head, n)[0][text.offsets]
        waves = polynomial(others, head, frequencies, np.arange(n))[2][text.offsets]
        scores = text.scores[head]
        found["explained"].append(explained(scores, means))
        found["by_means"].append(explained(scores, waves))
        rows = text.rows
        found["within"].append(explained(centered(scores, rows), centered(means, rows)))
    return found


def measure_layer(
    texts: Sequence[Pairs], frequencies: Floats, n_slow: int, offsets: Ints
) -> list[dict[str, Any]]:
    """Measure the heads of one layer."""
    queries = np.concatenate([text.queries for text in texts], axis=1)  # (H, T, D)
    keys = np.concatenate([text.keys for text in texts], axis=1)
    n_heads, _, size = queries.shape
    amplitude = sizes(queries) * sizes(keys) / math.sqrt(size)  # (H, D / 2), mean over all pairs
    longest = max(int(text.offsets.max()) for text in texts) + 1
    parts = np.mean([text.parts for text in texts], axis=0)  # (H, 2, D / 2)
    heads = []
    for head in range(n_heads):
        mean_amplitude, phase, waves = polynomial(texts, head, frequencies, offsets)
        mean, spread = offset_means(texts, head, longest)
        by_text = held_out(texts, head, frequencies)
        by_text["distance"] = [float(text.distance[head]) for text in texts]
        own = amplitude[head]
        heads.append(
            {
                "spectrum": own,
                "coherence": mean_amplitude / own,
                "by_text": by_text,
                "numbers": {
                    "amplitude": own.sum(),
                    "center": own @ np.arange(len(own)) / own.sum(),
                    "slow": own[len(own) - n_slow :].sum() / own.sum(),
                    "distance": np.mean(by_text["distance"]),
                    "explained": np.mean(by_text["explained"]),
                    "by_means": np.mean(by_text["by_means"]),
                    "within": np.mean(by_text["within"]),
                },
                "curve": {
                    "amplitude": own,
                    "mean_amplitude": mean_amplitude,
                    "mean_phase": phase,
                    "start_part": parts[head, 0],
                    "part": parts[head, 1],
                    "score": mean[offsets],
                    "spread": spread[offsets],
                    "polynomial": waves,
                },
            }
        )
    return heads


def find(layers: list[list[dict[str, Any]]], number: str, *, largest: bool) -> dict[str, Any]:
    """Find the head with the largest or smallest number."""
    values = np.array([[head["numbers"][number] for head in heads] for heads in layers])
    at = values.argmax() if largest else values.argmin()
    layer, head = (int(place) for place in np.unravel_index(at, values.shape))
    found = layers[layer][head]
    return {
        "layer": layer,
        "head": head,
        "value": values[layer, head],
        "texts": found["by_text"][number],
        **found["curve"],
    }


def reordered(model: llama.Model) -> llama.Model:
    """Bring the query and key weights into the order for half-split pairs."""
    size = model.config.head_size
    n_turned = (model.config.n_heads + model.config.n_kv_heads) * size
    layers = []
    for layer in model.weights.layers:
        turned = interleaved_to_half(layer.qkv[:, :n_turned], head_size=size)
        layers.append(replace(layer, qkv=np.concatenate([turned, layer.qkv[:, n_turned:]], axis=1)))
    return replace(model, weights=replace(model.weights, layers=tuple(layers)))


def logits_by(model: llama.Model, tokens: Sequence[int], turn: Turn) -> Floats:
    """Run the model with some way to turn queries and keys."""
    config, n = model.config, len(tokens)
    h, n_turned = config.n_heads, config.n_heads + config.n_kv_heads
    frequencies = rotary_frequencies(config.head_size, base=config.rope_base)
    turns = turns_at(np.arange(n), frequencies).astype(np.complex64)
    x = embed(config, model.weights, tokens)
    for layer in model.weights.layers:
        normed = rms_norm(x, layer.attention_norm, eps=config.eps)
        heads = split_heads(normed @ layer.qkv, n_turned + config.n_kv_heads)  # (H + 2 K, T, D)
        turned = turn(heads[:n_turned], turns)
        x, _ = attend(layer, x, turned[:h], turned[h:], heads[n_turned:], mask=causal_mask(n))
        x = feed_forward(config, layer, x)
    return llama.unembed(model, x)


def pairings(model: llama.Model, tokens: Ints) -> dict[str, Any]:
    """Compare both ways to pair coordinates on the real weights."""
    other = reordered(model)
    ways: dict[str, tuple[llama.Model, Turn]] = {
        "interleaved": (model, rotary),
        "half_split": (other, rotary_half_split),
        "mistaken": (model, rotary_half_split),
        "reversed": (other, rotary),
    }
    logits = {name: logits_by(one, tokens.tolist(), turn) for name, (one, turn) in ways.items()}
    loss = {
        name: token_losses(found[:-1].astype(np.float64), tokens[1:]).mean()
        for name, found in logits.items()
    }
    right = logits.pop("interleaved")
    return {
        "tokens": len(tokens),
        "loss": loss,
        "difference": {name: np.abs(found - right).max() for name, found in logits.items()},
        "largest_logit": np.abs(right).max(),
    }


def measure(
    *,
    n: int = 4,
    length: int = 511,
    first_query: int = FIRST_QUERY,
    offsets: Sequence[int] = OFFSETS,
    n_pairing: int = 128,
) -> dict[str, Any]:
    """Measure all heads.

    Parameters
    ----------
    n : int
        Number of texts.
    length : int
        Tokens in each, without the start token.
    first_query : int
        Position of the first query.
    offsets : sequence of int
        Where curves of scores are read, each below length.
    n_pairing : int
        Tokens on which both pairings are compared.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    config = model.config
    texts = passages(model, np.random.default_rng(SEED), n, length)
    frequencies = rotary_frequencies(config.head_size, base=config.rope_base)
    waves = wavelengths(frequencies)
    n_slow = int(np.sum(waves > config.context))
    running = zip(*(llama.blocks(model, tokens.tolist()) for tokens in texts), strict=True)
    layers = []
    for _ in record.progress(range(config.n_layers), NAME):
        blocks = [pairs_of(block, frequencies, first_query) for block in next(running)]
        layers.append(measure_layer(blocks, frequencies, n_slow, np.array(offsets)))

    every = [head for heads in layers for head in heads]
    spectrum = np.array([head["spectrum"] for head in every])  # (L H, D / 2)
    share = spectrum / spectrum.sum(-1, keepdims=True)
    coherence = np.array([head["coherence"] for head in every])
    by_head = {
        number: np.array([[head["numbers"][number] for head in heads] for heads in layers])
        for number in every[0]["numbers"]
    }
    return {
        "start": START,
        "n_texts": n,
        "length": length + 1,
        "first_query": first_query,
        "frequencies": frequencies,
        "wavelengths": waves,
        "n_slow": n_slow,
        "by_pair": {
            "levels": LEVELS,
            "amplitude": np.quantile(spectrum, LEVELS, axis=0),
            "share": np.quantile(share, LEVELS, axis=0),
            "coherence": np.quantile(coherence, LEVELS, axis=0),
        },
        "by_layer": share.reshape(config.n_layers, config.n_heads, -1).mean(1),
        "by_head": by_head,
        "summary": {
            number: {
                "smallest": values.min(),
                "median": np.median(values),
                "largest": values.max(),
            }
            for number, values in by_head.items()
        },
        "found": {
            "most_local": find(layers, "distance", largest=False),
            "least_local": find(layers, "distance", largest=True),
            "most_explained": find(layers, "within", largest=True),
            "least_explained": find(layers, "within", largest=False),
        },
        "offsets": offsets,
        "pairings": pairings(model, texts[0][:n_pairing]),
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.rotary_spectrum",
        seed=SEED,
        model=llama.find_model(),
    )


if __name__ == "__main__":
    main()
