"""A gradient carried back through many steps with one Jacobian, which stretches and turns."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from primer_ref.sequence_layers import jacobian_product_bounds
from widgets import Range

CONTROLS = (
    Range("most", "Largest singular value", 0.2, 3, 1.7, step=0.05),
    Range("ratio", "Smallest over largest", 0, 1, 0.2, step=0.05),
    Range("turn", "Turn a step", 0, 90, 50, step=1, unit="°"),
    Range("steps", "Steps back, T", 1, 200, 100, step=1),
)


def data() -> dict[str, float]:
    """Give the direction of the gradient that arrives: halfway between the two axes."""
    return {"start": math.sqrt(0.5)}


def compute(*, most: float, ratio: float, turn: float, steps: int) -> dict[str, Any]:
    """Compute the gradient's length after each step, the bounds, and the spectral radius."""
    angle = math.radians(turn)
    rotation = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    jacobian = np.diag([most, most * ratio]) @ rotation
    row = np.full(2, data()["start"])
    lengths = [1.0]
    for _ in range(steps):
        row = row @ jacobian
        lengths.append(float(np.linalg.norm(row)))
    lower, upper = jacobian_product_bounds([jacobian] * steps)
    radius = float(np.max(np.abs(np.linalg.eigvals(jacobian))))
    return {"lengths": lengths, "lower": float(lower), "upper": float(upper), "radius": radius}
