"""Softmax with temperature: four scores, their weights, and how far from even these are."""

from __future__ import annotations

import math

from primer_ref.functional import softmax
from primer_ref.information import entropy
from widgets import Range

CONTROLS = (
    Range("temperature", "Temperature τ", 0.05, 50, 1, log=True),
    *(
        Range(f"s{j}", f"Score {j}", -3, 3, value, step=0.1)
        for j, value in enumerate((2.0, 1.0, 0.5, -1.0), start=1)
    ),
)


def data() -> dict[str, float]:
    """Give the largest entropy of four weights."""
    return {"most": math.log(4)}


def compute(*, temperature: float, **scores: float) -> dict[str, object]:
    """Compute the weights, their entropy in nats and its exponential."""
    p = softmax([scores[f"s{j}"] for j in range(1, 5)], temperature=temperature)
    nats = float(entropy(p))
    return {"p": p.tolist(), "entropy": nats, "choices": math.exp(nats)}
