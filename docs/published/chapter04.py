"""Chapter 4: attention without weights, and how scores vary."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from primer_ref.functional import softmax
from primer_ref.information import entropy

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike


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
    "ch04-raschka-all": context_vectors,
    "ch04-dot-variance": dot_variance,
    "ch04-entropy-temperature": entropy_slope,
}
