"""Tables that the extensions write themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from docutils import nodes

Cell = str | Iterable[Iterable[nodes.Node]]


def table(rows: Iterable[Sequence[Cell]], widths: Sequence[int], **attributes: Any) -> nodes.table:
    """Make a table whose first row is its head; a cell is a text, or the content of its lines."""
    head, *body = (nodes.row("", *map(entry, row)) for row in rows)
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(widths))
    group += [nodes.thead("", head), nodes.tbody("", *body)]
    return nodes.table("", group, **attributes)


def entry(cell: Cell) -> nodes.entry:
    """Make a cell."""
    lines = [[nodes.Text(cell)]] if isinstance(cell, str) else cell
    return nodes.entry("", *(nodes.paragraph("", "", *line) for line in lines))
