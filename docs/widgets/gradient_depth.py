"""Growth of the gradient through many parts with fresh weights, for two places of the norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from primer_ref.activations import (
    gelu,
    gelu_derivative,
    relu,
    relu_derivative,
    silu,
    silu_derivative,
)
from primer_ref.blocks import post_norm_gradient, pre_norm_gradient
from widgets import Choice, Range, Switch

KINDS: dict[str, tuple[Any, Any]] = {
    "SiLU": (silu, silu_derivative),
    "GELU": (gelu, gelu_derivative),
    "ReLU": (relu, relu_derivative),
}
CONTROLS = (
    Choice("activation", "Activation", tuple(KINDS), "SiLU"),
    Switch("gated", "Gated", value=True),
    Range("n", "Parts, n", 1, 120, 40, step=1),
    Range("scale", "Weights on the way out, times", 0.1, 2, 1, log=True),
)


def data() -> dict[str, list[float]]:
    """Give mean squares of each activation and of its derivative at a standard normal number."""
    z, weight = np.polynomial.hermite_e.hermegauss(100)
    weight = weight / weight.sum()
    return {
        name: [round(float(weight @ f(z) ** 2), 6) for f in functions]
        for name, functions in KINDS.items()
    }


def compute(*, activation: str, gated: bool, n: int, scale: float) -> dict[str, Any]:
    """Compute both gains of a part, and the gradient's growth up to each depth."""
    value, slope = data()[activation]
    a, b = scale**2 * value, scale**2 * (slope + value if gated else slope)
    depths = range(1, n + 1)
    return {
        "a": a,
        "b": b,
        "pre": [pre_norm_gradient(depth, forward=a, backward=b) for depth in depths],
        "post": [post_norm_gradient(depth, forward=a, backward=b) for depth in depths],
    }
