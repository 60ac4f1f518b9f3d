"""Double descent: bias and variance against features per case, with and without a penalty."""

from __future__ import annotations

from typing import Any

import numpy as np

from primer_ref.generalization import RidgelessRisk, ridge_risk
from widgets import Choice, Range

PENALTIES = ("none", "λ as set below", "the best, γσ²")
GRID = np.round([*np.geomspace(0.1, 0.985, 40), 1.0, *np.geomspace(1.015, 10, 40)], 4)
CONTROLS = (
    Range("gamma", "Features per case, γ", 0.1, 10, 2, log=True),
    Range("noise", "Noise, σ²", 0, 2, 0.25, step=0.05),
    Choice("penalty", "Penalty", PENALTIES, PENALTIES[0]),
    Range("strength", "λ", 0.001, 10, 0.1, log=True),
)


def data() -> dict[str, Any]:
    """Give the ratios at which the curves are drawn."""
    return {"grid": GRID.tolist()}


def compute(*, gamma: float, noise: float, penalty: str, strength: float) -> dict[str, Any]:
    """Compute the risk's parts at one ratio and along the curves, for a truth of length 1."""

    def risk(ratio: Any) -> RidgelessRisk:
        size = {"none": 0.0, PENALTIES[1]: strength}.get(penalty, ratio * noise)
        return ridge_risk(ratio, noise=noise, signal=1.0, penalty=size)

    here, curve = risk(gamma), risk(GRID)
    best = ridge_risk(gamma, noise=noise, signal=1.0, penalty=gamma * noise)
    return {
        "bias": float(here.bias),
        "variance": float(here.variance),
        "best": float(best.total),
        "biases": curve.bias.tolist(),
        "variances": curve.variance.tolist(),
    }
