"""Readers' queries find the page that they need as the first result, by the book's own search.

`queries.toml` says what is typed and what must come first. The scripts and the index are those of
the built search page, run in Chromium.
"""

from __future__ import annotations

import gzip
import tomllib
from collections.abc import Sequence
from pathlib import Path

from tests.site.browser import launch
from tests.site.report import Row, problem

QUERIES = Path(__file__).with_name("queries.toml")
# The list of results is shown from its end.
ASK = """
queries => queries.map(query => {
  const first = Search._performSearch(...Search._parseQuery(query)).at(-1)
  return first ? first[0] + first[2] : "nothing"
})
"""


def wanted() -> dict[str, str]:
    """Read the queries, each with the page or the section that must come first."""
    groups = tomllib.loads(QUERIES.read_text(encoding="utf-8")).values()
    return {query: place for group in groups for query, place in group.items()}


def first_results(book: Path, queries: Sequence[str]) -> list[str]:
    """Ask the search page."""
    with launch() as browser:
        page = browser.new_page()
        page.goto((book / "search.html").as_uri())
        found: list[str] = page.evaluate(ASK, list(queries))
    return found


def judge(book: Path, _pages: Sequence[Path]) -> list[Row]:
    """Count the queries whose first result is right."""
    places = wanted()
    missed = astray = 0
    for (query, place), found in zip(
        places.items(), first_results(book, list(places)), strict=True
    ):
        if found.partition("#")[0] != place.partition("#")[0]:
            missed += 1
        elif "#" in place and found != place:
            astray += 1
        else:
            continue
        problem("search", repr(query), f"leads to {found} before {place}")
    total = len(places)
    pages, sections = (total - missed) / total, (total - missed - astray) / total
    size = len(gzip.compress((book / "searchindex.js").read_bytes(), mtime=0)) / 1000
    return [
        Row("search", f"right page first, of {total}", f"{pages:.0%}", "90 %", ok=pages >= 0.9),
        Row("search", "right section, too", f"{sections:.0%}", "90 %", ok=sections >= 0.9),
        Row("search", "index, compressed", f"{size:.0f} KB", "-", ok=True),
    ]
