"""The links between equations, functions and tests, as the pages show them.

The places marked in `equation_places` are filled with ordinary cross-references just before Sphinx
resolves those, so that every builder gets what it can show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from .equation_places import Place, checks_phrase, equation_line, equation_table, implements_phrase
from .equation_register import Equation, EquationDomain, register
from .equation_sources import MarkedTest
from .links import link
from .tables import table

Inlines = list[nodes.Node]


class FillPlaces(SphinxPostTransform):
    """Fill every place of a page."""

    default_priority = 5  # the references are resolved at 10

    def run(self, **kwargs: Any) -> None:
        """Replace each place by its links."""
        links = Links(register(self.env), self.env.docname)
        for place in list(self.document.findall(Place)):
            filled = links.fill(place)
            for node in filled:
                node.source, node.line = place.source, place.line
            place.replace_self(filled)


class Links:
    """Writes what the register knows as text with cross-references."""

    def __init__(self, domain: EquationDomain, here: str) -> None:
        self.domain, self.here = domain, here

    def fill(self, place: Place) -> list[nodes.Element]:
        """Return what stands in a place."""
        labels: list[str] = place["labels"]
        match place:
            case equation_table():
                return list(self.tables())
            case equation_line():
                equation = self.domain.equation(labels[0])
                example = f"example {'below' if equation and equation.example_below else 'above'}"
                line = nodes.paragraph("", "", *joined(self.line(labels[0], example), " · "))
                return [nodes.container("", line, classes=["equation-links"])]
            case implements_phrase():
                return [nodes.inline("", "", *self.implements(labels[0]))]
            case checks_phrase():
                return [nodes.paragraph("", "", *joined(map(self.checks, labels), " "))]
        raise TypeError(place)

    def line(self, label: str, example: str) -> Iterator[Inlines]:
        """Give the parts of the line under an equation; ``example`` is how to call its example."""
        equation, code = self.domain.equation(label), self.functions(label)
        if equation and equation.kind:
            yield [nodes.Text(equation.kind.capitalize())]
        if code:
            yield [nodes.Text("Code: "), *code]
        if tests := self.tests(label):
            yield [nodes.Text("Test: " if len(tests) == 1 else "Tests: "), *tests]
        elif equation and equation.example and not code:
            yield [nodes.Text("checked by the "), self.example(equation, example)]

    def implements(self, label: str) -> Inlines:
        """Say which equation a function implements and what checks it."""
        phrase = [nodes.Text("Implements "), *self.place_of(label)]
        if tests := self.tests(label):
            phrase += [nodes.Text("; checked by "), *tests]
        return phrase

    def checks(self, label: str) -> Inlines:
        """Say which equation a test checks and what implements it."""
        phrase = [nodes.Text("Checks "), *self.place_of(label)]
        if functions := self.functions(label):
            phrase += [nodes.Text("; implemented by "), *functions]
        return [*phrase, nodes.Text(".")]

    def tables(self) -> Iterator[nodes.Element]:
        """List all equations, a table a page, in reading order."""

        def place(equation: Equation) -> tuple[tuple[int, ...], str]:
            return self.domain.chapter(equation.docname), equation.docname

        for (_, docname), equations in groupby(sorted(self.domain.equations, key=place), key=place):
            yield nodes.rubric("", "", *self.page(docname), **{"heading-level": 2})
            rows = [("Equation", "Formula, code, tests"), *map(self.row, equations)]
            # HTML fits columns to their contents; plain text has only these widths, in characters.
            yield table(rows, (10, 90), classes=["equation-index", "colwidths-auto"])

    def row(self, equation: Equation) -> list[list[Inlines]]:
        """Return the cells of an equation in the index; each is a list of lines."""
        formula: Inlines = [nodes.math("", r"\displaystyle " + equation.latex)]
        links = joined(self.line(equation.label, "example"), " · ")
        return [[[self.number(equation.label)]], [formula, links]]

    def place_of(self, label: str) -> Inlines:
        """Name an equation with its number and chapter."""
        equation = self.domain.equation(label)
        if equation is None:
            return [nodes.Text("equation "), nodes.literal(label, label)]
        return [
            nodes.Text("equation "),
            self.number(label),
            nodes.Text(" of "),
            *self.page(equation.docname),
        ]

    def page(self, docname: str) -> Inlines:
        """Name a page, as a chapter if it is one."""
        number = ".".join(map(str, self.domain.chapter(docname)))
        title = link(self.here, "doc", f"/{docname}", nodes.inline(), explicit=False)
        chapter = f"Chapter {number}, " if number else ""
        return [nodes.Text(chapter), nodes.emphasis("", "", title)]

    def number(self, label: str) -> addnodes.pending_xref:
        """Link to an equation by its number."""
        return link(self.here, "eq", label, nodes.literal(label, label), domain="math")

    def example(self, equation: Equation, text: str) -> addnodes.pending_xref:
        """Link to the executed example that checks an equation."""
        target = f"{equation.docname}#{equation.example}"
        return link(self.here, "id", target, nodes.inline("", text), domain="equations")

    def functions(self, label: str) -> Inlines:
        """Link to the reference entries of an equation's implementations."""
        names = (found.name for found in self.domain.implementations(label))
        return joined([[self.function(name)] for name in names], ", ")

    def function(self, name: str) -> addnodes.pending_xref:
        """Link to a function, named within the package."""
        return link(self.here, "obj", name, literal(name.partition(".")[2]), domain="py")

    def tests(self, label: str) -> Inlines:
        """Link to an equation's tests where the book prints them."""
        return joined([[self.test(test)] for test in self.domain.tests(label)], ", ")

    def test(self, test: MarkedTest) -> nodes.Element:
        """Link to a test."""
        docname, text = self.domain.page_of_tests(test.module), literal(test.name)
        if docname is None:
            return text
        return link(self.here, "id", f"{docname}#{test.name}", text, domain="equations")


def literal(text: str) -> nodes.literal:
    """Make a name in the type of code."""
    return nodes.literal(text, text, classes=["xref"])


def joined(parts: Iterable[Inlines], separator: str) -> Inlines:
    """Put a separator between pieces of text."""
    result: Inlines = []
    for part in parts:
        result += [*([nodes.Text(separator)] if result else []), *part]
    return result
