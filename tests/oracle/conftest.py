"""What the comparisons with other libraries share: a tolerance to keep, a row to leave behind."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

TABLE = Path(__file__).parents[2] / "docs" / "data" / "oracles.json"

# Reads the metadata of every installed package, which takes a while.
distributions = cache(importlib.metadata.packages_distributions)

Compare = Callable[[Callable[..., Any], str, ArrayLike, ArrayLike, float], None]


@pytest.fixture(scope="session")
def rows() -> Iterator[dict[tuple[str, str], dict[str, Any]]]:
    """Collect the comparisons of a run; those that pass replace the stored ones."""
    collected: dict[tuple[str, str], dict[str, Any]] = {}
    yield collected
    stored = json.loads(TABLE.read_text(encoding="utf-8")) if TABLE.exists() else []
    merged = {(row["function"], row["call"]): row for row in stored} | collected
    text = json.dumps([merged[key] for key in sorted(merged)], indent=1, ensure_ascii=False)
    TABLE.write_text(text + "\n", encoding="utf-8")


@pytest.fixture
def compare(rows: dict[tuple[str, str], dict[str, Any]]) -> Compare:
    """Assert that two results agree, and keep how far apart they are.

    Called with the function, the library's call beginning with the package's name
    (``"torch.nn.functional.gelu"``), our result, theirs, and the largest difference allowed.
    """

    def check(
        function: Callable[..., Any], call: str, ours: ArrayLike, theirs: ArrayLike, limit: float
    ) -> None:
        ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
        assert ours.shape == theirs.shape
        difference = float(np.max(np.abs(ours - theirs), initial=0.0))
        assert difference <= limit
        library = call.partition(".")[0]
        distribution = distributions()[library][0]
        name = f"{function.__module__}.{function.__qualname__}"
        before = rows.get((name, call))
        rows[name, call] = {
            "function": name,
            "call": call,
            "version": f"{distribution} {importlib.metadata.version(distribution)}",
            "difference": max(difference, before["difference"] if before else 0.0),
            "limit": limit,
        }

    return check
