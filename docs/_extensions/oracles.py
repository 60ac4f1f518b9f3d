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
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from _extensions.equation_register import register
from _extensions.links import link
from _extensions.tables import Cell, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

logger = logging.getLogger(__name__)

Row = dict[str, Any]
NAMED = 3  # calls of a function that are named, if there are more


class OracleTable(SphinxDirective):
    """A table of the comparisons of some modules."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Make the table, or warn of a module without a comparison."""
        self.env.note_dependency("data/oracles.json")
        stored = json.loads(Path(self.env.srcdir, "data", "oracles.json").read_text("utf-8"))
        lines: list[Sequence[Cell]] = [("Function", "Call and version", "Off, limit")]
        for module in self.arguments[0].split():
            self.env.note_dependency(f"{self.config.equations_package}/{module}.py")
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
                lines.append(self.cells(function, list(compared)))
        return [table(lines, (34, 44, 22), classes=["oracles", "colwidths-given"])]

    def cells(self, function: str, rows: list[Row]) -> tuple[Cell, Cell, Cell]:
        """Write the cells of a function: its name and equations, calls, the largest difference."""
        here, text = self.env.docname, function.partition(".")[2]
        named: list[nodes.Node] = [
            link(here, "obj", function, nodes.literal(text, text), domain="py")
        ]
        for found in register(self.env).sources.implementations:
            if found.name == function:
                label, number_of = found.label, nodes.literal("", found.label)
                named += [
                    nodes.Text(", "),
                    link(here, "eq", label, number_of, domain="math", explicit=False),
                ]
        calls: list[nodes.Node] = []
        for row in rows[:NAMED] if len(rows) > NAMED + 1 else rows:
            calls += [nodes.literal(row["call"], row["call"]), nodes.Text(", ")]
        more = f"and {len(rows) - NAMED} more, " if len(rows) > NAMED + 1 else ""
        versions = ", ".join(sorted({row["version"].partition("+")[0] for row in rows}))
        calls.append(nodes.Text(f"{more}{versions}"))
        largest = max(rows, key=lambda row: (row["difference"], row["limit"]))
        return [named], [calls], f"{number(largest['difference'])}, {number(largest['limit'])}"


def number(x: float) -> str:
    """Write a difference with one digit, and a power of ten with its sign."""
    return "0" if x == 0 else f"{x:.0e}".replace("e-0", "e-").replace("-", "−")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Offer the directive."""
    app.setup_extension("_extensions.equations")  # which reads what a function implements
    app.add_directive("oracle-table", OracleTable)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
