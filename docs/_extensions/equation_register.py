"""The register of the book's equations, kept in Sphinx's environment."""

from __future__ import annotations

from collections.abc import Iterable, Set
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


class EquationDomain(Domain):
    """The register: the equations of each page, and what package and tests say about them."""

    name = "equations"
    label = "Equations"
    data_version = 1
    initial_data: ClassVar[dict[str, Any]] = {
        "equations": {},  # docname -> list of Equation
        "shown": {},  # docname -> labels whose links the page shows; "*" stands for all
        "pages": {},  # test module -> docname of the page that prints its tests
        "views": {},  # docname -> what its links looked like when it was last written
        "sources": Sources(),
    }

    @property
    def sources(self) -> Sources:
        """What the package and the tests say."""
        return cast("Sources", self.data["sources"])

    @property
    def equations(self) -> list[Equation]:
        """All equations, page by page, in the order of the text."""
        pages: dict[str, list[Equation]] = self.data["equations"]
        return [equation for docname in sorted(pages) for equation in pages[docname]]

    def equation(self, label: str) -> Equation | None:
        """Find the equation with a label."""
        return next((equation for equation in self.equations if equation.label == label), None)

    def implementations(self, label: str) -> list[Implementation]:
        """Find what implements an equation."""
        return [found for found in self.sources.implementations if found.label == label]

    def tests(self, label: str) -> list[MarkedTest]:
        """Find the tests that check an equation."""
        return [test for test in self.sources.tests if label in test.labels]

    def number(self, equation: Equation) -> str:
        """Return the number that the page prints, without parentheses."""
        numbered = self.env.toc_fignumbers.get(equation.docname, {}).get("displaymath", {})
        node_id = nodes.make_id(f"equation-{equation.label}")
        return ".".join(map(str, numbered.get(node_id, ())))

    def chapter(self, docname: str) -> tuple[int, ...]:
        """Return the number of a page in the reading order; empty when it has none."""
        number: tuple[int, ...] = self.env.toc_secnumbers.get(docname, {}).get("", ())
        return number

    def note_page(self, docname: str, equations: list[Equation], shown: set[str]) -> None:
        """Enter what a page contains and which equations' links it shows."""
        self.data["equations"][docname] = equations
        self.data["shown"][docname] = shown

    def clear_doc(self, docname: str) -> None:
        """Forget a page."""
        for key in ("equations", "shown"):
            self.data[key].pop(docname, None)
        self.data["pages"] = {k: v for k, v in self.data["pages"].items() if v != docname}

    def merge_domaindata(self, docnames: Set[str], otherdata: dict[str, Any]) -> None:
        """Take over the pages that another process has read."""
        for key in ("equations", "shown"):
            self.data[key] |= {k: v for k, v in otherdata[key].items() if k in docnames}
        self.data["pages"] |= {k: v for k, v in otherdata["pages"].items() if v in docnames}

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

    def view(self, labels: Iterable[str]) -> list[tuple[object, ...]]:
        """Describe everything that the links of these equations print or point to."""
        documented = self.env.domains.python_domain.objects
        pages = self.data["pages"]
        everything = "*" in labels
        view: list[tuple[object, ...]] = []
        for label in sorted({e.label for e in self.equations} if everything else labels):
            equation = self.equation(label)
            functions = [found.name for found in self.implementations(label)]
            view.append(
                (label, [(n, n in documented and documented[n].docname) for n in functions])
            )
            view.append(tuple((test.id, pages.get(test.module)) for test in self.tests(label)))
            if equation:
                docname = equation.docname
                title = self.env.titles[docname].astext()
                view.append((docname, self.chapter(docname), title, self.number(equation)))
                view.append((equation.kind, equation.example, everything and equation.latex))
        return view


def register(env: BuildEnvironment) -> EquationDomain:
    """Return the register of a book."""
    return cast("EquationDomain", env.get_domain(EquationDomain.name))
