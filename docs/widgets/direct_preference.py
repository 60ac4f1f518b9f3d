"""One pair under DPO: loss and pull by the margin, and where the probability goes."""

from __future__ import annotations

import math

from primer_ref.alignment import dpo_gradient_weight, dpo_loss, preference_margin
from widgets import Range

REFERENCE = (-2.0, -4.0)
CONTROLS = (
    Range("beta", "Price β", 0.05, 2, 0.1, log=True),
    Range("chosen", "Log-ratio of preferred y₊", -6, 1.5, -1, step=0.1, unit="nats"),
    Range("rejected", "Log-ratio of other y₋", -6, 2, -2, step=0.1, unit="nats"),
)


def data() -> dict[str, list[float]]:
    """Give the reference's log-probabilities of the two answers."""
    return {"reference": list(REFERENCE)}


def compute(*, beta: float, chosen: float, rejected: float) -> dict[str, object]:
    """Compute margin, loss, pull, and the probabilities of the two answers and of all others."""
    pair = [REFERENCE[0] + chosen], [REFERENCE[1] + rejected], [REFERENCE[0]], [REFERENCE[1]]
    p = [math.exp(pair[0][0]), math.exp(pair[1][0])]
    return {
        "margin": float(preference_margin(*pair)[0]),
        "loss": float(dpo_loss(*pair, beta=beta)),
        "pull": float(dpo_gradient_weight(*pair, beta=beta)[0]),
        "p": [*p, 1 - sum(p)],
    }
