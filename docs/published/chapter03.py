"""Chapter 3: how few dimensions keep distances, and mutual information of words."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from primer_ref.autodiff import grad
from primer_ref.cooccurrence import (
    cooccurrence_counts,
    negative_sampling_objective,
    pmi,
    ppmi,
)
from primer_ref.embeddings import cosine_similarity
from primer_ref.projections import jl_dimension

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

WORDS = ("cherry", "strawberry", "digital", "information")
COUNTS = np.array(
    [
        [2, 8, 9, 442, 25],
        [0, 0, 1, 60, 19],
        [1670, 1683, 85, 5, 4],
        [3325, 3982, 378, 5, 13],
    ]
)


def dimensions() -> dict[str, ArrayLike]:
    """Cut the fraction off the bound, as the library does."""
    return {
        "a million points": [math.floor(jl_dimension(10**6, eps)) for eps in (0.5, 0.1, 0.01)],
        "to a tenth": [math.floor(jl_dimension(10**power, 0.1)) for power in (4, 5, 6)],
    }


def four_words() -> dict[str, ArrayLike]:
    """Positive mutual information of four words and five contexts, in bits."""
    table = ppmi(COUNTS) / math.log(2)
    return dict(zip(WORDS, table, strict=True))


def smoothed() -> dict[str, ArrayLike]:
    """Find the smoothed shares of two contexts from the information of a word that is alone.

    Its information with a context is the logarithm of the share over the smoothed share.
    """
    counts = np.array([[99, 1]])
    return {"shares": counts / counts.sum() / np.exp(pmi(counts, alpha=0.75))}


def random_cosine() -> dict[str, ArrayLike]:
    """Find the standard deviation of the cosines of 20,000 pairs of random directions."""
    a, b = np.random.default_rng(1).standard_normal((2, 20_000, 1, 300))
    return {"standard deviation": np.std(cosine_similarity(a, b))}


def best_scores(counts: ArrayLike, k: int) -> NDArray[np.float64]:
    """Find the scores at which the slope of skip-gram's objective changes its sign."""
    slope = grad(lambda x: negative_sampling_objective(x, counts, n_negative=k))
    low, high = np.full(np.shape(counts), -20.0), np.full(np.shape(counts), 20.0)
    for _ in range(60):
        middle = (low + high) / 2
        rising = slope(middle) > 0
        low, high = np.where(rising, middle, low), np.where(rising, high, middle)
    return np.asarray((low + high) / 2)


def skip_gram() -> dict[str, ArrayLike]:
    """Compare the best scores with mutual information less log k on a corpus made by rule."""
    texts = [
        text
        for text in itertools.product(range(3), repeat=4)
        if all(a != b or a == 0 for a, b in itertools.pairwise(text))
    ]
    counts = cooccurrence_counts(texts, n_symbols=3, window=2)
    return {
        "difference": [
            np.max(np.abs(best_scores(counts, k) - (pmi(counts) - math.log(k)))) for k in (1, 5)
        ]
    }


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch03-jl-sklearn": dimensions,
    "ch03-slp3-ppmi": four_words,
    "ch03-slp3-alpha": smoothed,
    "ch03-random-cosine": random_cosine,
    "ch03-levy-goldberg": skip_gram,
}
