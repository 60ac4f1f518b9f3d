"""What the judges report: problems while they look, figures when they are done."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of a judge, beside what it may be at most, or must be at least."""

    judge: str
    what: str
    figure: str
    limit: str
    ok: bool


def problem(judge: str, where: str, message: str) -> None:
    """Print a finding at once: a page, then the place in it and what is wrong there."""
    print(f"{judge}: {where}: {' '.join(message.split())}", flush=True)


def table(rows: Sequence[Row]) -> str:
    """Align rows as text."""
    cells = [("judge", "what", "figure", "limit", "")]
    cells += [(r.judge, r.what, r.figure, r.limit, "ok" if r.ok else "RED") for r in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def write(rows: Sequence[Row], path: Path) -> None:
    """Store rows for other programs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
