"""What public functions refuse: one table, kept in one file a module, read as one test.

What takes more than one call stands with the tests of its module.

A row is ``(function, arguments by name, pattern of the message)``. Bad shapes and types, NaN, empty
input, probabilities that do not sum to 1 and targets out of range each get the stated message, in
an error of a class that the docstring names.
"""

from __future__ import annotations

import inspect
import re
import runpy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Row = tuple[Callable[..., Any], Mapping[str, Any], str]

TABLES = sorted(Path(__file__).with_name("refusals").glob("*.py"))
# What every array of real numbers is told where it is read, which docstrings do not repeat.
READ = re.compile("an array must (hold real numbers|show all its numbers|have . or more axes)")
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
    with pytest.raises((ValueError, TypeError), match=message) as refused:
        begin(function(**arguments))
    described = re.search("Raises\n------\n(.*?)(\n\n|$)", inspect.getdoc(function) or "", re.S)
    if function.__module__.startswith("primer_ref") and not READ.match(str(refused.value)):
        assert described, "the docstring names no error"
        named = set(re.findall(r"^\w+$", described[1], re.M))
        assert named & {kind.__name__ for kind in refused.type.__mro__}
