"""What public functions refuse: one table, kept in one file a module, read as one test.

What takes more than one call stands with the tests of its module.

A row is ``(function, arguments by name, pattern of the message)``. Bad shapes and types, NaN, empty
input, probabilities that do not sum to 1 and targets out of range each get the stated message.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Row = tuple[Callable[..., Any], Mapping[str, Any], str]

TABLES = sorted(Path(__file__).with_name("refusals").glob("*.py"))
ROWS: list[tuple[str, Row]] = [
    (f"{path.stem}.{row[0].__name__}-{number}", row)
    for path in TABLES
    for number, row in enumerate(runpy.run_path(str(path))["ROWS"])
]


def begin(made: Any) -> None:
    """Take the first step of a generator, where it refuses what it was given."""
    next(iter(made))


@pytest.mark.parametrize("row", [row for _, row in ROWS], ids=[name for name, _ in ROWS])
def test_bad_input_gets_the_stated_message(row: Row) -> None:
    function, arguments, message = row
    with pytest.raises((ValueError, TypeError), match=message):
        begin(function(**arguments))
