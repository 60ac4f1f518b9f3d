"""Surprisal along four passages: what each token cost, and the mean of those read so far."""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import record
from primer_ref.information import bits_per_byte, perplexity
from widgets import Choice, Range

NAMES = {
    "persuasion": "opening of Persuasion",
    "modern": "modern passage",
    "backwards": "its words backwards",
    "twice": "modern passage, twice",
}
SHADES = {"surprisal": "surprisal", "entropy": "entropy before it"}
CONTROLS = (
    Choice("passage", "Passage", tuple(NAMES.values()), NAMES["modern"]),
    Range("n", "Tokens read", 1, 139, 43, step=1),
    Choice("shade", "Shaded by", tuple(SHADES.values()), SHADES["surprisal"]),
)


def data() -> dict[str, Any]:
    """Give the tokens, and what was measured of them in hundredths of a nat."""
    stored = {each["name"]: each for each in record.load("passage_surprisal")["passages"]}
    return {
        title: {
            # No token holds this mark, and it is shorter than a list's quotes.
            "tokens": "|".join(stored[name]["tokens"]),
            **{
                key: np.round(np.multiply(stored[name][key], 100)).astype(int).tolist()
                for key in SHADES
            },
            "rank": stored[name]["rank"],
        }
        for name, title in NAMES.items()
    }


def compute(*, passage: str, n: int, shade: str) -> dict[str, object]:
    """Compute the means after each token, and the perplexity and bits per byte after the last."""
    row = data()[passage]
    tokens = row["tokens"].split("|")[:n]
    surprisal, entropy = (np.array(row[key][:n]) / 100 for key in SHADES)
    counts = np.arange(1, len(tokens) + 1)
    return {
        "n": len(tokens),
        "means": (np.cumsum(surprisal) / counts).tolist(),
        "expected": (np.cumsum(entropy) / counts).tolist(),
        "perplexity": perplexity(-surprisal),
        "bits": bits_per_byte(-surprisal, len("".join(tokens).encode())),
        "shades": np.minimum(np.floor(surprisal if shade == SHADES["surprisal"] else entropy), 9)
        .astype(int)
        .tolist(),
    }
