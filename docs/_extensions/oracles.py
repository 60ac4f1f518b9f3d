"""Print how far the package is from other libraries, as ``tests/oracle`` stored it.

``data/oracles.json`` holds a row for every call that was compared; ``nox -s oracle`` writes it.
The directive makes a table of the rows of some modules::

    ```{oracle-table} activations norms
    ```

A function stands beside the equations that its docstring names. Of many calls compared with one
function, the first ones are named, and the largest difference counts.
"""

from __future__ import annotations

import json
from collections import defaultdict
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from _extensions.equation_sources import find_implementations
from _extensions.links import link

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata, OptionSpec

logger = logging.getLogger(__name__)

Row = dict[str, Any]
NAMED = 3  # calls of a function that are named, if there are more


@cache
def equations_of(package: Path) -> Mapping[str, list[str]]:
    """List the labels that the docstring of each function names."""
    found = defaultdict(list)
    for implementation in find_implementations(package):
        found[implementation.name].append(implementation.label)
    return found


class OracleTable(SphinxDirective):
    """A table of the comparisons of some modules."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar[OptionSpec] = {}

    def run(self) -> list[nodes.Node]:
        """Make the table, or warn of a module without a comparison."""
        self.env.note_dependency("data/oracles.json")
        stored = json.loads(Path(self.env.srcdir, "data", "oracles.json").read_text("utf-8"))
        body = nodes.tbody()
        for module in self.arguments[0].split():
            prefix = f"primer_ref.{module}."
            rows = [row for row in stored if row["function"].startswith(prefix)]
            if not rows:
                logger.warning(
                    "no function of %s was compared with a library",
                    module,
                    location=self.get_location(),
                    type="oracles",
                )
            for function, compared in groupby(rows, key=lambda row: str(row["function"])):
                body += line(*self.cells(function, list(compared)))
        head = nodes.thead("", line("Function", "Call and version", "Off, limit"))
        columns = (nodes.colspec(colwidth=width) for width in (34, 44, 22))
        group = nodes.tgroup("", *columns, head, body, cols=3)
        return [nodes.table("", group, classes=["oracles", "colwidths-given"])]

    def cells(self, function: str, rows: list[Row]) -> Iterator[Iterable[nodes.Node]]:
        """Write the cells of a function: its name and equations, calls, the largest difference."""
        here, text = self.env.docname, function.partition(".")[2]
        named: list[nodes.Node] = [
            link(here, "obj", function, nodes.literal(text, text), domain="py")
        ]
        for label in equations_of(Path(self.env.srcdir).parent / "src" / "primer_ref")[function]:
            number_of = nodes.literal("", label)
            named += [
                nodes.Text(", "),
                link(here, "eq", label, number_of, domain="math", explicit=False),
            ]
        yield named
        calls: list[nodes.Node] = []
        for row in rows[:NAMED] if len(rows) > NAMED + 1 else rows:
            calls += [nodes.literal(row["call"], row["call"]), nodes.Text(", ")]
        more = f"and {len(rows) - NAMED} more, " if len(rows) > NAMED + 1 else ""
        versions = ", ".join(sorted({row["version"].partition("+")[0] for row in rows}))
        yield [*calls, nodes.Text(f"{more}{versions}")]
        largest = max(rows, key=lambda row: (row["difference"], row["limit"]))
        yield [nodes.Text(f"{number(largest['difference'])}, {number(largest['limit'])}")]


def number(x: float) -> str:
    """Write a difference with one digit, and a power of ten with its sign."""
    return "0" if x == 0 else f"{x:.0e}".replace("e-0", "e-").replace("-", "−")


def line(*cells: Iterable[nodes.Node] | str) -> nodes.row:
    """Make a row of a table, of texts or of parts of a paragraph."""
    return nodes.row(
        "",
        *(
            nodes.entry(
                "", nodes.paragraph("", "", *([nodes.Text(c)] if isinstance(c, str) else c))
            )
            for c in cells
        ),
    )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Offer the directive."""
    app.add_directive("oracle-table", OracleTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
