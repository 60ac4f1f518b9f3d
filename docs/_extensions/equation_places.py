"""Places in the pages where links between equations, functions and tests will stand.

While a page is read, only its places are marked: nobody knows the numbers yet, nor what the other
pages contain. `equation_links` fills them when the page is written.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

from .equation_register import register
from .equation_sources import IMPLEMENTS, LABEL, MarkedTest, support

if TYPE_CHECKING:
    from sphinx.application import Sphinx


class Place(nodes.Element):
    """A place for links; ``labels`` names the equations it shows, ``*`` stands for all."""


class equation_line(nodes.General, Place):
    """Under an equation: its kind, code and tests."""


class implements_phrase(nodes.Inline, Place):
    """In a docstring: the equation that the function implements, and its tests."""


class checks_phrase(nodes.General, Place):
    """Above a test's source: the equations that it checks, and their functions."""


class equation_table(nodes.General, Place):
    """All equations of the book, chapter by chapter."""


def mark_docstring(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Turn each ``Implements :eq:`` of a docstring into a place for links."""

    def roles(sentence: re.Match[str]) -> str:
        return ". ".join(f":implements:`{label}`" for label in LABEL.findall(sentence[0]))

    if what in {"class", "exception", "function", "method", "property"}:
        lines[:] = IMPLEMENTS.sub(roles, "\n".join(lines)).split("\n")


class ImplementsRole(SphinxRole):
    """What ``Implements :eq:`` becomes when a docstring is documented."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Mark the place."""
        place = implements_phrase(labels=[self.text])
        self.set_source_info(place)
        return [place], []


class EquationIndexDirective(SphinxDirective):
    """``equation-index``: every equation of the book with its functions and tests."""

    def run(self) -> list[nodes.Node]:
        """Mark the place."""
        place = equation_table(labels=["*"])
        self.set_source_info(place)
        return [place]


class EquationTestsDirective(SphinxDirective):
    """``equation-tests``: the source of a module's equation tests, each with its links."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Print what the tests use of their module, then each test in a section of its own."""
        module = self.arguments[0]
        tests_folder = Path(self.env.srcdir, self.config.equations_tests).resolve()
        path = tests_folder.parent / module
        # Noted before anything can go wrong, so that mending the module brings this page back.
        self.env.note_dependency(str(path))
        tests = [test for test in register(self.env).sources.tests if test.module == module]
        if not tests:
            raise self.error(f"no test in {module} carries @pytest.mark.equation")
        return [code_block(support(path, tests)), *map(self.section, tests)]

    def section(self, test: MarkedTest) -> nodes.section:
        """Print one test."""
        place = checks_phrase(labels=list(test.labels), module=test.module)
        self.set_source_info(place)
        title = nodes.title("", "", nodes.literal(test.name, test.name))
        return nodes.section("", title, place, code_block(test.source), ids=[test.name])


def code_block(source: str) -> nodes.literal_block:
    """Make a highlighted block."""
    return nodes.literal_block(source, source, language="python", classes=["wrapped"])
