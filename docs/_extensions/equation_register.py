"""The register of the book's equations, kept in Sphinx's environment."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, cast

from docutils import nodes
from sphinx.domains import Domain
from sphinx.util.nodes import make_refnode

from .equation_sources import Implementation, MarkedTest, Sources

if TYPE_CHECKING:
    from sphinx.addnodes import pending_xref
    from sphinx.builders import Builder
    from sphinx.environment import BuildEnvironment


@dataclass(frozen=True, slots=True)
class Equation:
    """A labelled equation: where it stands, what it says, and how a mere kind is checked."""

    label: str
    docname: str
    line: int
    latex: str
    kind: str = ""
    example: str = ""
    """The id of the nearest executed example in the section, if there is one."""
    example_below: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """What one page has to do with equations."""

    equations: tuple[Equation, ...]
    unlabeled: tuple[tuple[int, str], ...]
    """Line and label, if any, of each display that lacks a proper label."""
    shown: frozenset[str]
    """The equations whose links the page shows; ``*`` stands for all."""
    cited: frozenset[str]
    """The equations whose numbers the page mentions."""
    printed: frozenset[str]
    """The test modules whose tests the page prints."""


class EquationDomain(Domain):
    """The register: the equations of each page, and what package and tests say about them."""

    name = "equations"
    label = "Equations"
    data_version = 1
    initial_data: ClassVar[dict[str, Any]] = {
        "pages": {},  # docname -> Page
        "sources": Sources(),
        "views": {},  # docname -> what its links looked like when it was last written
    }

    @property
    def pages(self) -> dict[str, Page]:
        """What each page has to do with equations."""
        return cast("dict[str, Page]", self.data["pages"])

    @property
    def sources(self) -> Sources:
        """What the package and the tests say."""
        return cast("Sources", self.data["sources"])

    @property
    def equations(self) -> list[Equation]:
        """All equations, page by page, in the order of the text."""
        return [equation for _, page in sorted(self.pages.items()) for equation in page.equations]

    def equation(self, label: str) -> Equation | None:
        """Find the equation with a label."""
        return next((equation for equation in self.equations if equation.label == label), None)

    def implementations(self, label: str) -> list[Implementation]:
        """Find what implements an equation."""
        return [found for found in self.sources.implementations if found.label == label]

    def tests(self, label: str) -> list[MarkedTest]:
        """Find the tests that check an equation."""
        return [test for test in self.sources.tests if label in test.labels]

    def page_of_tests(self, module: str) -> str | None:
        """Find the page that prints the tests of a module."""
        return next(
            (doc for doc, page in sorted(self.pages.items()) if module in page.printed), None
        )

    def number(self, equation: Equation) -> tuple[int, ...]:
        """Return the number of an equation; Sphinx knows it once all pages are read."""
        numbered = self.env.toc_fignumbers.get(equation.docname, {}).get("displaymath", {})
        return numbered.get(nodes.make_id(f"equation-{equation.label}"), ())

    def chapter(self, docname: str) -> tuple[int, ...]:
        """Return the number of a chapter; a page that is none has an empty one."""
        if not re.match(self.env.config.equations_pages, docname):
            return ()
        return self.env.toc_secnumbers.get(docname, {}).get("", ())

    def clear_doc(self, docname: str) -> None:
        """Forget a page."""
        self.pages.pop(docname, None)

    def merge_domaindata(self, docnames: Set[str], otherdata: dict[str, Any]) -> None:
        """Take over the pages that another process has read."""
        pages = otherdata["pages"]
        self.pages.update({docname: pages[docname] for docname in docnames if docname in pages})

    def resolve_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        typ: str,
        target: str,
        node: pending_xref,
        contnode: nodes.Element,
    ) -> nodes.reference | None:
        """Link to an id on a page, written ``docname#id``."""
        docname, _, node_id = target.partition("#")
        return make_refnode(builder, fromdocname, docname, node_id, contnode)

    def resolve_any_xref(
        self,
        env: BuildEnvironment,
        fromdocname: str,
        builder: Builder,
        target: str,
        node: pending_xref,
        contnode: nodes.Element,
    ) -> list[tuple[str, nodes.reference]]:
        """Offer nothing to the role ``any``."""
        return []

    def view(self, page: Page) -> list[object]:
        """Describe everything that the links of a page print or point to."""
        everything = "*" in page.shown
        shown = {equation.label for equation in self.equations} if everything else page.shown
        documented = self.env.domains.python_domain.objects
        view: list[object] = []
        for label in sorted(shown | page.cited):
            equation = self.equation(label)
            view += [label, equation and (equation.docname, self.number(equation))]
            if label not in shown:
                continue
            for found in self.implementations(label):
                view += [found.name, found.name in documented and documented[found.name].docname]
            for test in self.tests(label):
                view += [test.id, self.page_of_tests(test.module)]
            if equation:
                view += [self.env.titles[equation.docname].astext(), self.chapter(equation.docname)]
                view += [equation.kind, equation.example, everything and equation.latex]
        return view


def register(env: BuildEnvironment) -> EquationDomain:
    """Return the register of a book."""
    return cast("EquationDomain", env.get_domain(EquationDomain.name))
