"""Numbers that others printed, each computed again with the package's own functions.

``data/published_numbers/chapterNN.json`` says what was printed where; `OURS` of the module
``chapterNN`` says how we compute it. The page of published numbers and the tests read both.
"""

from __future__ import annotations

import importlib
import json
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from experiments import record

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import ArrayLike

HERE = Path(__file__).parent
DATA = HERE.parent / "data"
LISTS = sorted((DATA / "published_numbers").glob("chapter*.json"))
# What the page depends on: the lists, how we compute, and what that may read.
SOURCES = [
    *LISTS,
    *sorted(HERE.glob("*.py")),
    *sorted(DATA.glob("*.json")),
    *sorted(record.MEASUREMENTS.glob("*.json")),
]


@dataclass(frozen=True, slots=True)
class Published:
    """One entry of the list.

    Parameters
    ----------
    id, title, statement, source : str
        Its name, its heading, what the number says, and where it stands.
    chapter : int
        The chapter that uses it.
    kind : str
        ``golden`` if it recomputes, ``published-value-not-reproduced`` if it does not.
    origin : str
        ``published`` if the source prints it, ``derived`` from what the source prints, or an
        ``identity``.
    expected : mapping of str to sequence of str
        The printed digits of one or more named quantities.
    tolerance : mapping of str to float
        ``abs`` or ``rel``, with the largest difference that counts as agreement.
    confirmed : str
        How we know that the source says so.
    note : str
        What else a reader should know; may be empty.
    """

    id: str
    title: str
    statement: str
    source: str
    chapter: int
    kind: Literal["golden", "published-value-not-reproduced"]
    origin: Literal["published", "derived", "identity"]
    expected: Mapping[str, Sequence[str]]
    tolerance: Mapping[str, float]
    confirmed: str
    note: str = ""

    def agrees(self, ours: Mapping[str, Sequence[float]]) -> bool:
        """Tell whether all quantities agree within the tolerance."""
        return all(
            math.isclose(
                value,
                float(digits),
                abs_tol=self.tolerance.get("abs", 0.0),
                rel_tol=self.tolerance.get("rel", 0.0),
            )
            for name, printed in self.expected.items()
            for value, digits in zip(ours[name], printed, strict=True)
        )


def load() -> list[Published]:
    """Read the lists, chapter by chapter."""
    texts = (path.read_text(encoding="utf-8") for path in LISTS)
    return [Published(**entry) for text in texts for entry in json.loads(text)]


def computations() -> dict[str, Callable[[], dict[str, ArrayLike]]]:
    """Collect how the entries are computed, chapter by chapter."""
    chapters = [importlib.import_module(f"published.{path.stem}") for path in LISTS]
    return {name: compute for chapter in chapters for name, compute in chapter.OURS.items()}


@cache
def recompute(name: str) -> dict[str, list[float]]:
    """Compute one entry's quantities."""
    return {key: np.ravel(value).tolist() for key, value in computations()[name]().items()}
