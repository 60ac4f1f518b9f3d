"""The texts that experiments and chapters measure on: six novels by Jane Austen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from primer_ref import llama

START = "<|endoftext|>"  # the token that separates documents
NOVELS = (
    "sensesensibility",
    "prideprejudice",
    "mansfieldpark",
    "emma",
    "northangerabbey",
    "persuasion",
)

Ints = NDArray[np.int64]


def austen(name: str) -> str:
    """Read a whole novel."""
    path = Path(__file__).parents[1] / "data" / "austen" / f"{name}.txt"
    return path.read_text(encoding="utf-8")


def austen_chapter(name: str, number: int) -> str:
    """Read one chapter of a novel that has no volumes, without its heading."""
    after = austen(name).split(f"\nChapter {number}\n", 1)[1]
    return after.split(f"\nChapter {number + 1}\n", 1)[0].strip() + "\n"


def passages(model: llama.Model, rng: np.random.Generator, count: int, length: int) -> list[Ints]:
    """Draw passages of some length, each from a random place in a random novel."""
    drawn = []
    for _ in range(count):
        novel = austen(str(rng.choice(NOVELS)))
        somewhere = int(rng.integers(len(novel) // 4, len(novel) // 2))
        at = novel.index("\n\n", somewhere)  # start with a paragraph
        text = " ".join(novel[at : at + 8 * length].split())
        tokens = model.tokenizer.encode(text)[:length]
        drawn.append(np.array([model.tokenizer.specials[START], *tokens]))
    return drawn
