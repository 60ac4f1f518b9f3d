"""Numbers that others printed, each computed again with the package's own functions.

``data/published_numbers.json`` says what was printed where; `OURS` says how we compute it. The
page of published numbers and the tests read both.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from experiments import record
from primer_ref.functional import softmax
from primer_ref.information import entropy, perplexity, surprisal
from primer_ref.ngram import additive_smoothing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

DATA = Path(__file__).parent / "data" / "published_numbers.json"
MAKEMORE = record.MEASUREMENTS / "makemore_bigrams.json"


@dataclass(frozen=True, slots=True)
class Published:
    """One entry of the list.

    Parameters
    ----------
    id, title, statement, source : str
        Its name, its heading, what the number says, and where it stands.
    chapter : int
        The chapter that uses it.
    kind : str
        ``golden`` if it recomputes, ``published-value-not-reproduced`` if it does not.
    origin : str
        ``published`` if the source prints it, ``derived`` from what the source prints, or an
        ``identity``.
    expected : mapping of str to sequence of str
        The printed digits of one or more named quantities.
    tolerance : mapping of str to float
        ``abs`` or ``rel``, with the largest difference that counts as agreement.
    confirmed : str
        How we know that the source says so.
    note : str
        What else a reader should know; may be empty.
    """

    id: str
    title: str
    statement: str
    source: str
    chapter: int
    kind: Literal["golden", "published-value-not-reproduced"]
    origin: Literal["published", "derived", "identity"]
    expected: Mapping[str, Sequence[str]]
    tolerance: Mapping[str, float]
    confirmed: str
    note: str = ""

    def agrees(self, ours: Mapping[str, Sequence[float]]) -> bool:
        """Tell whether all quantities agree within the tolerance."""
        return all(
            math.isclose(
                value,
                float(digits),
                abs_tol=self.tolerance.get("abs", 0.0),
                rel_tol=self.tolerance.get("rel", 0.0),
            )
            for name, printed in self.expected.items()
            for value, digits in zip(ours[name], printed, strict=True)
        )


def load() -> list[Published]:
    """Read the list."""
    return [Published(**entry) for entry in json.loads(DATA.read_text(encoding="utf-8"))]


@cache
def recompute(name: str) -> dict[str, list[float]]:
    """Compute one entry's quantities."""
    return {key: np.ravel(value).tolist() for key, value in OURS[name]().items()}


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


def context_vectors() -> dict[str, ArrayLike]:
    """Attention without weights: every token looks up all tokens."""
    x = np.array(
        [
            [0.43, 0.15, 0.89],
            [0.55, 0.87, 0.66],
            [0.57, 0.85, 0.64],
            [0.22, 0.58, 0.33],
            [0.77, 0.25, 0.10],
            [0.05, 0.80, 0.55],
        ]
    )
    return {f"z{i}": z for i, z in enumerate(softmax(x @ x.T) @ x, start=1)}


def dot_variance() -> dict[str, ArrayLike]:
    """Variance of random dot products."""
    q, k = np.random.default_rng(2).standard_normal((2, 200_000, 64))
    return {"variance": np.var(np.sum(q * k, axis=-1))}


def entropy_slope(step: float = 1e-5) -> dict[str, ArrayLike]:
    """Difference quotient of the entropy of softmax."""
    z = np.array([2, 1, 0.5, -1])
    high, low = (entropy(softmax(beta * z)) for beta in (1 + step, 1 - step))
    return {"slope": (high - low) / (2 * step)}


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch01-shannon-f0": shannon_f0,
    "ch01-shannon-zipf-1182": zipf_words,
    "ch01-horse-race": horse_race,
    "ch01-makemore-bigram": lambda: bigram_loss(0),
    "ch01-makemore-notebook-stale": lambda: bigram_loss(1),
    "ch01-slp3-skewed-digits": skewed_digits,
    "ch01-slp3-berp": english_food,
    "ch01-bpb-gpt3-pile": bits_per_byte_of_gpt3,
    "ch04-raschka-all": context_vectors,
    "ch04-dot-variance": dot_variance,
    "ch04-entropy-temperature": entropy_slope,
}
