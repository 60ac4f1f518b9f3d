"""One query among five keys in the plane: its scores, its weights, and the output."""

from __future__ import annotations

import math

import numpy as np

from primer_ref.attention import attention_weights, causal_mask, scaled_dot_product_attention
from widgets import Range, Switch

KEYS = ((2.2, 0.6), (1.0, 1.8), (-1.6, 1.2), (-1.2, -1.4), (1.1, -1.9))
VALUES = ((0.2, 0.4), (2.6, 0.0), (3.4, 1.8), (1.9, 3.0), (0.1, 2.1))
CONTROLS = (
    Range("angle", "Angle of the query", -180, 180, 54, step=1, unit="°"),
    Range("length", "Length of the query", 0, 4, 1.85, step=0.05),
    Switch("mask", "Causal mask", value=False),
    Range("place", "Position of the query", 1, 5, 3, step=1),
)


def data() -> dict[str, object]:
    """Give the keys and values of the figure."""
    return {"keys": KEYS, "values": VALUES}


def compute(*, angle: float, length: float, mask: bool, place: int) -> dict[str, object]:
    """Compute the query, its scores, its weights and its output."""
    turn = math.radians(angle)
    query = np.array([[length * math.cos(turn), length * math.sin(turn)]])
    hidden = causal_mask(len(KEYS))[place - 1 : place] if mask else np.zeros((1, len(KEYS)))
    return {
        "query": query[0].tolist(),
        "scores": (query @ np.transpose(KEYS) / math.sqrt(2))[0].tolist(),
        "weights": attention_weights(query, KEYS, hidden)[0].tolist(),
        "output": scaled_dot_product_attention(query, KEYS, VALUES, hidden)[0].tolist(),
    }
