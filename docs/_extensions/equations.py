"""Link every equation of the book with the function that implements it and the test that checks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.directives.patches import MathDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata, OptionSpec

KINDS = ("definition", "step", "identity")


def kind_option(argument: str) -> str:
    """Read the value of ``:kind:``."""
    return directives.choice(argument, KINDS)


class EquationDirective(MathDirective):
    """Sphinx's ``math`` directive with the option ``:kind:``."""

    option_spec: ClassVar[OptionSpec] = {**MathDirective.option_spec, "kind": kind_option}

    def run(self) -> list[nodes.Node]:
        """Mark the equation with its kind."""
        result = super().run()
        for node in result:
            if isinstance(node, nodes.math_block):
                node["kind"] = self.options.get("kind", "")
        return result


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("math", EquationDirective, override=True)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
