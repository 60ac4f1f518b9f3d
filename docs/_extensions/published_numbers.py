"""``{published-numbers}``: what others printed beside what we compute, chapter by chapter."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import published
from _extensions.imports import imported_files
from _extensions.links import link
from _extensions.tables import table

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

logger = logging.getLogger(__name__)

VERDICTS = {
    ("golden", "published"): "It recomputes.",
    ("golden", "derived"): "It recomputes, but is not counted as published.",
    ("golden", "identity"): "It holds, as it must.",
    ("published-value-not-reproduced", "published"): "The printed value does not recompute.",
}


class PublishedNumbers(SphinxDirective):
    """Lay out every entry of every chapter as a section that ``{ref}`` can name by its id."""

    def run(self) -> list[nodes.Node]:
        """Render a section a chapter, its entries in the order of the list."""
        for path in set().union(*map(imported_files, published.SOURCES)):
            self.env.note_dependency(str(path))
        sections: list[nodes.Node] = []
        for number, entries in groupby(published.load(), key=lambda entry: entry.chapter):
            title = f"Chapter {number}"
            section = nodes.section("", nodes.title("", title), names=[title.lower()])
            self.state.document.note_implicit_target(section, section)
            section += [self.entry(entry) for entry in entries]
            sections.append(section)
        return sections

    def entry(self, entry: published.Published) -> nodes.section:
        """Render one entry."""
        ours = published.recompute(entry.id)
        if entry.agrees(ours) != (entry.kind == "golden"):
            logger.warning(
                "%s is listed as %s, but we compute %s",
                entry.id,
                entry.kind,
                ours,
                location=self.get_location(),
                type="published",
                subtype="verdict",
            )
        name = nodes.fully_normalize_name(entry.id)  # as references are looked up
        section = nodes.section("", nodes.title("", entry.title), names=[name])
        self.state.document.note_explicit_target(section, section)
        section += nodes.paragraph("", f"{entry.statement}.")
        section += comparison(entry, ours)
        verdict = nodes.strong("", VERDICTS[entry.kind, entry.origin])
        section += nodes.paragraph("", "", verdict, nodes.Text(f" {entry.note}".rstrip()))
        source = nodes.paragraph("", f"Source: {entry.source}; {entry.confirmed}. For ")
        source += [self.chapter(entry.chapter), nodes.Text(".")]
        section += source
        return section

    def chapter(self, number: int) -> nodes.Node:
        """Refer to a chapter by its number."""
        prefix = f"chapters/{number:02d}-"
        target = next(name for name in sorted(self.env.found_docs) if name.startswith(prefix))
        return link(self.env.docname, "doc", f"/{target}", nodes.inline("", f"chapter {number}"))


def comparison(entry: published.Published, ours: dict[str, list[float]]) -> nodes.table:
    """Tabulate each quantity as printed, as computed, and the largest difference."""
    listed = "printed" if entry.origin == "published" else "expected"
    rows = [("quantity", listed, "ours", "difference")]
    for name, printed in entry.expected.items():
        off = max(
            (value - float(digits) for value, digits in zip(ours[name], printed, strict=True)),
            key=abs,
        )
        computed = (show(value, digits) for value, digits in zip(ours[name], printed, strict=True))
        rows.append(
            (name, ", ".join(printed), ", ".join(computed), f"{off:+.2g}".replace("-", "−"))
        )
    return table(rows, (1, 1, 1, 1))


def show(value: float, printed: str) -> str:
    """Print a value to two digits more than the printed one, and to no more than ten."""
    mantissa, power, _ = printed.lower().partition("e")
    digits = min(len(mantissa.partition(".")[2]) + 2, 10)
    if power:
        return f"{value:.{digits}e}"
    return f"{value:.0f}" if value == round(value) else f"{value:.{digits}f}"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("published-numbers", PublishedNumbers)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
