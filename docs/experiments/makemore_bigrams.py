"""Count the letter pairs of the 32,033 names of makemore; the list itself is not part of the book.

Get ``names.txt`` from https://github.com/karpathy/makemore (MIT License, Copyright 2022 Andrej
Karpathy) and run ``python -m experiments.makemore_bigrams names.txt`` in the folder ``docs``.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from experiments import record

NAME = "makemore_bigrams"
SOURCE = "https://github.com/karpathy/makemore/blob/master/names.txt"
COMMAND = "python -m experiments.makemore_bigrams names.txt"
SYMBOLS = ".abcdefghijklmnopqrstuvwxyz"


def measure(text: str) -> dict[str, Any]:
    """Count how often each symbol follows each; a dot begins and ends every name.

    Parameters
    ----------
    text : str
        One name a line, in lower case.

    Returns
    -------
    dict
        ``counts[i][j]`` for symbol j after symbol i, the symbols, the number of names, and the
        SHA-256 of the text.
    """
    names = text.split()
    codes = np.array([SYMBOLS.index(symbol) for name in names for symbol in f".{name}."])
    counts = np.zeros((len(SYMBOLS), len(SYMBOLS)), dtype=np.int64)
    np.add.at(counts, (codes[:-1], codes[1:]), 1)
    counts[0, 0] -= len(names) - 1  # from the end of a name to the start of the next
    return {
        "source": SOURCE,
        "source_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "names": len(names),
        "symbols": SYMBOLS,
        "counts": counts,
    }


def main() -> None:
    """Measure and store."""
    if len(sys.argv) != 2:
        sys.exit(f"Nothing was measured. Get the names from\n{SOURCE}\nand run: {COMMAND}")
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    record.save(NAME, measure(text), command=COMMAND, seed=None)


if __name__ == "__main__":
    main()
