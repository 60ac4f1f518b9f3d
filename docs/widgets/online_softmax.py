"""Online softmax step by step: the largest score, the denominator and the output so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from primer_ref.online_softmax import finish, merge, nothing_seen, partial_attention
from widgets import Choice, Range

SCORES = (1.0, 0.5, 3.0, 2.0, -1.0, 5.0, 4.0, 2.5)
VALUES = (1.0, -1.0, 2.0, 0.0, -2.0, 3.0, -1.0, 1.0)
ORDERS = ("as they come", "rising scores", "falling scores")
CONTROLS = (
    Range("n", "Keys read", 1, len(SCORES), 6, step=1),
    Choice("block", "Keys in a block", ("1", "2", "4"), "1"),
    Choice("order", "Order", ORDERS, ORDERS[0]),
    Range("added", "Added to all scores", 0, 1000, 0, step=10, unit="nats"),
)


def data() -> dict[str, Any]:
    """Give scores and values in each order."""
    by_score = sorted(zip(SCORES, VALUES, strict=True))
    pairs = (list(zip(SCORES, VALUES, strict=True)), by_score, by_score[::-1])
    return {
        name: {"scores": [s for s, _ in order], "values": [v for _, v in order]}
        for name, order in zip(ORDERS, pairs, strict=True)
    }


def compute(*, n: int, block: str, order: str, added: float) -> dict[str, Any]:
    """Merge the keys read so far, block by block; a step's factor rescaled what was there."""
    found, size = data()[order], int(block)
    scores, values = np.array(found["scores"]) + added, np.array(found["values"])
    seen, steps = nothing_seen((1,), 1), []
    for start in range(0, n, size):
        now = slice(start, min(start + size, n))
        # One query, the number 1: its scores are the keys.
        part = partial_attention([[1.0]], scores[now, None], values[now, None])
        old, seen = seen, merge(seen, part)
        steps.append(
            {
                "peak": float(seen.peak[0]),
                "total": float(seen.total[0]),
                "weighted": float(seen.weighted[0, 0]),
                "factor": float(np.exp(old.peak[0] - seen.peak[0])),
            }
        )
    with np.errstate(over="ignore"):
        plain = float(np.sum(np.exp(scores[:n])))
    return {"steps": steps, "output": float(finish(seen)[0][0, 0]), "plain": plain}
