"""Chapter 1: entropies, perplexities, and counts of pairs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from experiments import record
from primer_ref.information import entropy, perplexity, surprisal
from primer_ref.ngram import additive_smoothing

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray


def shannon_f0() -> dict[str, ArrayLike]:
    """Entropy of the uniform distributions over two alphabets."""
    return {f"{v} letters": entropy(np.full(v, 1 / v), base=2) for v in (26, 27)}


def zipf_words(n_words: int = 8727) -> dict[str, ArrayLike]:
    """Sum of p log 1/p for p = 0.1/n, which is no distribution unless cut at rank 12,367."""
    p = 0.1 / np.arange(1, n_words + 1)
    return {"bits per word": np.sum(p * surprisal(p, base=2))}


def horse_race() -> dict[str, ArrayLike]:
    """Entropy and code length of a dyadic distribution."""
    p = np.array([1 / 2, 1 / 4, 1 / 8, 1 / 16] + 4 * [1 / 64])
    return {"entropy": entropy(p, base=2), "mean length": p @ [1, 2, 3, 4, 6, 6, 6, 6]}


def bigram_loss(added: float) -> dict[str, ArrayLike]:
    """Mean loss of a bigram model on the very names it was counted on."""
    counts: NDArray[np.int64] = np.array(record.load("makemore_bigrams")["counts"])
    seen = counts > 0
    losses = surprisal(additive_smoothing(counts, added)[seen])
    return {"bigrams": counts.sum(), "loss": counts[seen] @ losses / counts.sum()}


def skewed_digits() -> dict[str, ArrayLike]:
    """Perplexity of nine likely digits and an unlikely one."""
    return {"perplexity": perplexity(np.log(9 * [0.91] + [0.01]))}


def english_food() -> dict[str, ArrayLike]:
    """Probability of a sentence from those of its bigrams."""
    return {"probability": np.exp(-np.sum(surprisal([0.25, 0.33, 0.0011, 0.5, 0.68])))}


def bits_per_byte_of_gpt3() -> dict[str, ArrayLike]:
    """Loss per token from bits per byte and tokens per byte."""
    loss = 0.7177 * math.log(2) / 0.29335
    return {"nats per token": loss, "perplexity": perplexity([-loss])}


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch01-shannon-f0": shannon_f0,
    "ch01-shannon-zipf-1182": zipf_words,
    "ch01-horse-race": horse_race,
    "ch01-makemore-bigram": lambda: bigram_loss(0),
    "ch01-makemore-notebook-stale": lambda: bigram_loss(1),
    "ch01-slp3-skewed-digits": skewed_digits,
    "ch01-slp3-berp": english_food,
    "ch01-bpb-gpt3-pile": bits_per_byte_of_gpt3,
}
