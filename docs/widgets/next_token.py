"""Temperature and a cut of the real model's law of the next token: what stays possible."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import record
from primer_ref.decoding import min_p, top_k, top_p, typical
from primer_ref.functional import softmax
from primer_ref.information import entropy
from widgets import Choice, Range

MEASURED = record.load("next_token_laws")
# A field of the page holds some thirty letters: of a longer text its end.
TEXTS = {
    text if len(text) < 30 else f"… {' '.join(text.split()[-4:])}": law
    for law in MEASURED["laws"]
    for text in [law["text"]]
}
CONTROLS = (
    Choice("text", "Text before", tuple(TEXTS), next(iter(TEXTS))),
    Range("temperature", "Temperature τ", 0.2, 2, 1, step=0.05),
    Choice("cut", "Cut", ("none", "top-k", "top-p", "min-p", "typical"), "top-p"),
    Range("k", "k of top-k", 1, 50, 50, step=1),
    Range("mass", "Mass m of top-p, typical", 0.05, 0.99, 0.9, step=0.01),
    Range("ratio", "Ratio ρ of min-p", 0.01, 1, 0.05, step=0.01),
)


def data() -> dict[str, Any]:
    """Give the laws: words, and surprisals in thousandths of a nat, one for a block of tokens."""
    return {
        "edges": MEASURED["edges"],
        "laws": {
            text: {
                "words": law["words"],
                "surprisal": np.rint(-1000 * np.log(law["p"])).astype(int).tolist(),
            }
            for text, law in TEXTS.items()
        },
    }


def compute(
    *, text: str, temperature: float, cut: str, k: int, mass: float, ratio: float
) -> dict[str, object]:
    """Map the law, one number a token: what is kept, both entropies, the first tokens' shares."""
    given = data()
    law = given["laws"][text]
    logits = np.repeat(law["surprisal"], np.diff(given["edges"])) / -1000
    p = softmax(logits, temperature=temperature)
    match cut:
        case "none":
            q = p
        case "top-k":
            q = top_k(p, k=k)
        case "top-p":
            q = top_p(p, mass=mass)
        case "min-p":
            q = min_p(p, ratio=ratio)
        case _:
            q = typical(p, mass=mass)
    shown = len(law["words"])
    return {
        "kept": int(np.sum(q > 0)),
        "mass": float(p[q > 0].sum()),
        "before": float(entropy(p)),
        "entropy": float(entropy(q)),
        "p": p[:shown].tolist(),
        "q": q[:shown].tolist(),
    }
