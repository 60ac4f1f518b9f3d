"""What the 270 attention heads of the real model do, each head judged by scores.

Every input starts with ``<|endoftext|>``, the token that separates documents; it is position 0.
*Texts* are passages of ``length`` tokens from novels by Jane Austen. *Repeats* are ``period``
random tokens, drawn uniformly from the vocabulary without its marks, followed by the same tokens
again; *controls* are followed by other random tokens instead. Layers and heads are counted from 0.
A matrix has one row a layer and one column a head. Result::

    start, length, period, n_texts, n_repeats, first_query
    previous          mean weight on position t - 1, texts, queries t >= first_query
    sink              mean weight on position 0, texts, queries t >= first_query
    induction         mean weight on the token that followed the same token in the first copy,
                      repeats, all but the last query of the second copy
    induction_control the same positions, controls
    entropy           mean entropy of the weights in nats, texts, queries t >= first_query
    normalized_entropy  the same, each entropy over log(t + 1), the entropy of even weights
    score_std         standard deviation of q·k/sqrt(d) over all pairs of a query t >= first_query
                      and a key it sees, texts
    row_std           the same within a query's own keys: root of the mean variance
    score_range       mean of largest less smallest score of a query
    query_norm        mean norm of the queries t >= first_query, texts
    key_norm, key_norm_std, value_norm    one column a key head: mean norm of the keys at positions
                      >= 1, standard deviation of these norms, mean norm of the values there
    first_key_norm, first_value_norm      the same at position 0
    form_symmetric    share of the symmetric part in the squared norm of the form B that scores two
                      tokens at the same position, from the weights alone; even odds give 1/2
    form_least        smallest eigenvalue of that symmetric part over its largest
    summary           for previous, sink, induction: layer, head and value of the best head, its
                      values on each input, the median over heads; for score_std and row_std:
                      smallest, median and largest value
    copying           mean surprisal in nats of the first copy, of the second, and of the second
                      half of a control; over the second copies without their first tokens, which
                      nothing announces: second_rest and second_median, mean and median surprisal,
                      second_right, the share that had the highest probability, and second_chance,
                      the mean share that one can name who knows which tokens are left, but not
                      their order
    first_token       mean of the weight on position 0 over heads and queries t >= first_query:
                      with_start, texts; without_start, texts whose start token was left out
    maps              for previous, sink, induction: layer, head, token texts and weights (T, T) of
                      the best head on a short input, rounded to three decimals
    dispersion        on texts of 1,024 tokens, for growing numbers of visible keys: contexts; means
                      over texts, heads and the last 16 queries up to there of the largest weight,
                      of the largest weight on a key that is not position 0, of the entropy in nats,
                      of the normalized entropy and of the score range
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import START, passages
from primer_ref import llama
from primer_ref.config import Config
from primer_ref.heads import qk_circuit, split_heads
from primer_ref.losses import token_losses
from primer_ref.transformer import Layer

NAME = "attention_heads"
SEED = 4
FIRST_QUERY = 16
CONTEXTS = (32, 64, 128, 256, 512, 1024)
WORD = re.compile("Ġ[a-z]{3,7}")  # Ġ is how vocabularies write a space
SENTENCE = "The old clock in the hall had stopped, and nobody in the house knew what time it was."

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Inputs:
    """Token sequences, each with the start token."""

    texts: list[Ints]
    repeats: list[Ints]
    controls: list[Ints]
    long_texts: list[Ints]


def random_tokens(model: llama.Model, rng: np.random.Generator, count: int) -> Ints:
    """Draw tokens uniformly from the vocabulary without its marks."""
    marks = list(model.tokenizer.specials.values())
    return rng.choice(np.setdiff1d(np.arange(model.config.n_tokens), marks), count)


def random_words(model: llama.Model, rng: np.random.Generator, count: int) -> Ints:
    """Draw tokens that are a space and three to seven small letters, fit to be read."""
    words = [n for n, text in enumerate(model.tokenizer.tokens) if WORD.fullmatch(text)]
    return rng.choice(np.array(words), count)


def draw_inputs(
    model: llama.Model, rng: np.random.Generator, *, n: int, length: int, period: int, longest: int
) -> Inputs:
    """Draw n inputs of each kind."""
    start = [model.tokenizer.specials[START]]
    repeats, controls = [], []
    for _ in range(n):
        once, other = random_tokens(model, rng, period), random_tokens(model, rng, period)
        repeats.append(np.concatenate([start, once, once]))
        controls.append(np.concatenate([start, once, other]))
    return Inputs(
        passages(model, rng, n, length),
        repeats,
        controls,
        passages(model, rng, n, longest),
    )


def entropies(weights: Floats) -> Floats:
    """Entropy of each row of weights, in nats."""
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    entropy: Floats = -np.sum(weights * logs, axis=-1)
    return entropy


def scaled_scores(queries: Floats, keys: Floats) -> Floats:
    """Score queries (H, T, D) against keys (K, S, D), hidden ones too: shape (H, T, S)."""
    n_heads, _, size = queries.shape
    shared = np.repeat(keys, n_heads // len(keys), axis=0)
    scores: Floats = queries.astype(np.float64) @ shared.swapaxes(-1, -2) / math.sqrt(size)
    return scores


def score_ranges(scores: Floats, visible: NDArray[np.bool_]) -> Floats:
    """Largest less smallest visible score of each query."""
    largest = np.max(scores, axis=-1, where=visible, initial=-np.inf)
    smallest = np.min(scores, axis=-1, where=visible, initial=np.inf)
    difference: Floats = largest - smallest
    return difference


def text_statistics(block: llama.Block) -> dict[str, Floats]:
    """Measure the heads of one layer on one text: one number a head."""
    weights = block.weights[:, FIRST_QUERY:].astype(np.float64)  # (H, T', S)
    queries = np.arange(FIRST_QUERY, block.weights.shape[1])
    visible = np.arange(block.weights.shape[2]) <= queries[:, None]
    scores = scaled_scores(block.queries[:, FIRST_QUERY:], block.keys)
    entropy = entropies(weights)
    key_norms = np.linalg.norm(block.keys, axis=-1)
    value_norms = np.linalg.norm(block.values, axis=-1)
    return {
        "previous": weights[:, np.arange(len(queries)), queries - 1].mean(-1),
        "sink": weights[:, :, 0].mean(-1),
        "entropy": entropy.mean(-1),
        "normalized_entropy": (entropy / np.log(queries + 1)).mean(-1),
        "score_std": scores[:, visible].std(-1),
        "row_std": np.sqrt(np.var(scores, axis=-1, where=visible).mean(-1)),
        "score_range": score_ranges(scores, visible).mean(-1),
        "query_norm": np.linalg.norm(block.queries[:, FIRST_QUERY:], axis=-1).mean(-1),
        "key_norm": key_norms[:, 1:].mean(-1),
        "key_norm_std": key_norms[:, 1:].std(-1),
        "value_norm": value_norms[:, 1:].mean(-1),
        "first_key_norm": key_norms[:, 0],
        "first_value_norm": value_norms[:, 0],
    }


def induction(block: llama.Block) -> Floats:
    """Weight from the second half to the token after the same place in the first, by head."""
    period = block.weights.shape[1] // 2
    queries = np.arange(period + 1, 2 * period)
    followers = block.weights[:, queries, queries - period + 1]
    mean: Floats = followers.mean(-1, dtype=np.float64)
    return mean


def dispersion(block: llama.Block, contexts: Iterable[int]) -> Floats:
    """Measure how spread the heads of one layer look: shape (statistics, contexts)."""
    rows = []
    for n in contexts:
        queries = np.arange(n - 16, n)
        weights = block.weights[:, queries, :n].astype(np.float64)
        visible = np.arange(n) <= queries[:, None]
        scores = scaled_scores(block.queries[:, queries], block.keys[:, :n])
        entropy = entropies(weights)
        per_query = (
            weights.max(-1),
            weights[..., 1:].max(-1),
            entropy,
            entropy / np.log(queries + 1),
            score_ranges(scores, visible),
        )
        rows.append([values.mean() for values in per_query])
    columns: Floats = np.array(rows).T
    return columns


def form_statistics(config: Config, layer: Layer) -> dict[str, Floats]:
    """Measure the bilinear forms of one layer: one number a head."""
    size, n_queries = config.head_size, config.n_heads * config.head_size
    weights = layer.attention_norm[:, None] * layer.qkv.astype(np.float64)
    w_q = split_heads(weights[:, :n_queries], config.n_heads)
    w_k = split_heads(weights[:, n_queries:][:, : config.n_kv_heads * size], config.n_kv_heads)
    forms = qk_circuit(w_q, np.repeat(w_k, config.n_heads // config.n_kv_heads, axis=0))
    symmetric = (forms + forms.swapaxes(-1, -2)) / 2
    eigenvalues = np.linalg.eigvalsh(symmetric)
    return {
        "form_symmetric": np.sum(symmetric**2, axis=(-1, -2)) / np.sum(forms**2, axis=(-1, -2)),
        "form_least": eigenvalues[:, 0] / eigenvalues[:, -1],
    }


def surprisals(model: llama.Model, block: llama.Block, tokens: Ints) -> Floats:
    """Surprisal of each token after the first, in nats, from the output of the last layer."""
    logits = llama.unembed(model, block.hidden[:-1]).astype(np.float64)
    return token_losses(logits, tokens[1:])


def first_guesses(model: llama.Model, block: llama.Block, tokens: Ints) -> NDArray[np.bool_]:
    """Whether each token after the first had the highest probability."""
    right: NDArray[np.bool_] = llama.unembed(model, block.hidden[:-1]).argmax(-1) == tokens[1:]
    return right


def best(matrices: Floats) -> dict[str, Any]:
    """Find the head with the highest mean over inputs; shape (inputs, L, H)."""
    means = matrices.mean(0)
    layer, head = np.unravel_index(means.argmax(), means.shape)
    return {
        "layer": int(layer),
        "head": int(head),
        "value": means.max(),
        "by_input": matrices[:, layer, head],
        "median": np.median(means),
    }


def head_map(model: llama.Model, tokens: Ints, found: dict[str, Any]) -> dict[str, Any]:
    """Weights of one head on one short input."""
    weights = llama.trace(model, tokens.tolist()).weights[found["layer"], found["head"]]
    return {
        "layer": found["layer"],
        "head": found["head"],
        "tokens": [model.tokenizer.decode([token]) for token in tokens.tolist()],
        "weights": weights.astype(np.float64).round(3),
    }


def measure(
    *, n: int = 4, length: int = 256, period: int = 64, contexts: tuple[int, ...] = CONTEXTS
) -> dict[str, Any]:
    """Measure all heads.

    Parameters
    ----------
    n : int
        Number of inputs of each kind.
    length : int
        Tokens in a text.
    period : int
        Random tokens before they are repeated.
    contexts : tuple of int
        Numbers of visible keys for the dispersion, each above 16.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    rng = np.random.default_rng(SEED)
    inputs = draw_inputs(model, rng, n=n, length=length, period=period, longest=max(contexts))
    short = random_words(model, rng, 12)
    bar = record.progress(range(5 * n), NAME)

    on_texts, without_start, copies, spreads, losses, right = [], [], [], [], [], []
    for tokens in inputs.texts:
        next(bar)
        on_texts.append([text_statistics(block) for block in llama.blocks(model, tokens.tolist())])
    for tokens in inputs.texts:
        next(bar)
        without_start += [
            block.weights[:, FIRST_QUERY:, 0].mean(dtype=np.float64)
            for block in llama.blocks(model, tokens[1:].tolist())
        ]
    for tokens in inputs.repeats + inputs.controls:
        next(bar)
        blocks = list(llama.blocks(model, tokens.tolist()))
        copies.append([induction(block) for block in blocks])
        losses.append(surprisals(model, blocks[-1], tokens).reshape(2, period))
        right.append(first_guesses(model, blocks[-1], tokens).reshape(2, period))
    for tokens in inputs.long_texts:
        next(bar)
        blocks_of_text = llama.blocks(model, tokens.tolist())
        spreads.append(np.mean([dispersion(block, contexts) for block in blocks_of_text], axis=0))
    list(bar)

    by_input = {  # each of shape (inputs, L, H or K)
        field: np.array([[layer[field] for layer in layers] for layers in on_texts])
        for field in on_texts[0][0]
    }
    by_input["induction"], by_input["induction_control"] = np.split(np.array(copies), 2)
    matrices = {field: values.mean(0) for field, values in by_input.items()}
    forms = [form_statistics(model.config, layer) for layer in model.weights.layers]
    matrices |= {field: np.array([layer[field] for layer in forms]) for field in forms[0]}
    heads = {field: best(by_input[field]) for field in ("previous", "sink", "induction")}
    start = model.tokenizer.specials[START]
    sentence = np.array([start, *model.tokenizer.encode(SENTENCE)])
    twice = np.array([start, *short, *short])
    columns = ("largest", "largest_not_first", "entropy", "normalized_entropy", "score_range")
    return {
        "start": START,
        "length": length,
        "period": period,
        "n_texts": n,
        "n_repeats": n,
        "first_query": FIRST_QUERY,
        **matrices,
        "summary": {
            **heads,
            **{
                field: {
                    "smallest": matrices[field].min(),
                    "median": np.median(matrices[field]),
                    "largest": matrices[field].max(),
                }
                for field in ("score_std", "row_std")
            },
        },
        "copying": {
            "first": np.mean(losses[:n], axis=(0, 2))[0],
            "second": np.mean(losses[:n], axis=(0, 2))[1],
            "second_rest": np.mean(losses[:n], axis=0)[1, 1:].mean(),
            "second_median": np.median([loss[1, 1:] for loss in losses[:n]]),
            "second_right": np.mean([guesses[1, 1:] for guesses in right[:n]]),
            "second_chance": np.mean(1 / np.arange(1, period)),
            "control": np.mean(losses[n:], axis=(0, 2))[1],
        },
        "first_token": {
            "with_start": matrices["sink"].mean(),
            "without_start": np.mean(without_start),
        },
        "maps": {
            field: head_map(model, twice if field == "induction" else sentence, found)
            for field, found in heads.items()
        },
        "dispersion": {
            "contexts": contexts,
            **dict(zip(columns, np.mean(spreads, axis=0), strict=True)),
        },
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.attention_heads",
        seed=SEED,
        model=llama.find_model(),
    )


if __name__ == "__main__":
    main()
