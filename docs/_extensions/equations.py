"""Link every equation of the book with the function that implements it and the test that checks it.

An equation is known by its label, ``eq-<topic>``. It is *implemented* when a docstring of the
package says ``Implements :eq:`eq-x`.``; otherwise its directive says of what ``:kind:`` it is. It
is *checked* when a test carries ``@pytest.mark.equation("eq-x")`` or, for a kind, when an executed
example stands in the same section. Whatever is left over on either side is a warning, repeated at
every build until it is mended.

`equation_sources` reads the package and the tests, `equation_register` keeps what was found,
`equation_checks` finds what is missing, `equation_places` and `equation_links` write the links into
the pages; this module reads the equations of a page and keeps incremental builds up to date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.directives.patches import MathDirective
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx_exercise.nodes import exercise_enumerable_node, exercise_node, solution_node
from sphinx_proof.nodes import proof_node

from . import equation_places as places
from .doctest_fences import is_example
from .equation_checks import problems
from .equation_links import FillPlaces
from .equation_register import Equation, EquationDomain, Page, register
from .equation_sources import read_sources

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata, OptionSpec

logger = logging.getLogger(__name__)

KINDS = ("definition", "step", "identity")
PREFIX = "eq-"
# Here a display may go without a label: it belongs to an argument, not to the book's equations.
ASIDES = (proof_node, exercise_node, exercise_enumerable_node, solution_node)


class EquationDirective(MathDirective):
    """Sphinx's ``math`` directive with the option ``:kind:``."""

    option_spec: ClassVar[OptionSpec] = {
        **MathDirective.option_spec,
        "kind": lambda argument: directives.choice(argument, KINDS),
    }

    def run(self) -> list[nodes.Node]:
        """Mark the equation with its kind."""
        result = super().run()
        for node in result:
            if isinstance(node, nodes.math_block):
                node["kind"] = self.options.get("kind", "")
        return result


class CollectEquations(SphinxTransform):
    """Register the equations of a page and make a place for links under each."""

    default_priority = 840

    def apply(self, **kwargs: Any) -> None:
        """Walk over the page once it is parsed."""
        docname = self.env.current_document.docname
        is_chapter = re.match(self.config.equations_pages, docname)
        equations, unlabeled = [], []
        for node in list(self.document.findall(nodes.math_block)):
            label = node.get("label") or ""
            if label.startswith(PREFIX):
                equations.append(equation_of(node, docname))
                links = places.equation_line(labels=[label])
                links.source, links.line = node.source, node.line
                node.parent.insert(node.parent.index(node) + 1, links)
            elif is_chapter and not any(isinstance(parent, ASIDES) for parent in ancestors(node)):
                # MyST gives an amsmath environment a random label: it has none of its own.
                unlabeled.append((node.line or 0, "" if "amsmath" in node["classes"] else label))
        marked = list(self.document.findall(places.Place))
        references = self.document.findall(addnodes.pending_xref)
        register(self.env).pages[docname] = Page(
            tuple(equations),
            tuple(unlabeled),
            shown=frozenset(label for place in marked for label in place["labels"]),
            cited=frozenset(ref["reftarget"] for ref in references if ref["reftype"] == "eq"),
            printed=frozenset(p["module"] for p in marked if isinstance(p, places.checks_phrase)),
        )


def equation_of(node: nodes.math_block, docname: str) -> Equation:
    """Describe an equation; the example that checks it gets an id to link to."""
    example, below = nearest_example(node)
    if example and not example["ids"]:
        example["ids"].append(f"example-{node['label']}")
    return Equation(
        label=node["label"],
        docname=docname,
        line=node.line or 0,
        latex=node.astext(),
        kind=node.get("kind", ""),
        example=example["ids"][0] if example else "",
        example_below=below,
    )


def ancestors(node: nodes.Node) -> Iterator[nodes.Element]:
    """Walk from a node up to the document."""
    while node.parent is not None:
        node = node.parent
        yield node


def section_of(node: nodes.Node) -> nodes.Element | None:
    """Return the innermost section; sphinx-proof's and sphinx-exercise's inner ones are none."""
    for element in ancestors(node):
        structural = isinstance(element.parent, nodes.section | nodes.document)
        if isinstance(element, nodes.section) and structural:
            return element
    return None


def nearest_example(equation: nodes.math_block) -> tuple[nodes.literal_block | None, bool]:
    """Find the first executed example below an equation in its section, or the last one above."""
    section = section_of(equation)
    above, is_below = None, False
    for node in section.findall() if section else ():
        if node is equation:
            is_below = True
        elif (
            isinstance(node, nodes.literal_block)
            and is_example(node)
            and section_of(node) is section
        ):
            if is_below:
                return node, True
            above = node
    return above, False


def read_code(app: Sphinx, env: BuildEnvironment, *_: object) -> list[str]:
    """Before reading: learn what package and tests say now."""
    base = Path(app.srcdir)
    package, tests = base / app.config.equations_package, base / app.config.equations_tests
    register(env).data["sources"] = read_sources(package.resolve(), tests.resolve())
    return []


def check(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """After reading: warn about everything that is not linked on both sides.

    Sphinx's consistency check would be skipped by a build that has nothing to read.
    """
    package = Path(app.config.equations_package).name
    for subtype, message, location in problems(register(env), package):
        logger.warning(message, location=location, type="equations", subtype=subtype)
    return []


def outdated_links(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """After numbering: name the pages whose links look different from when they were written."""
    domain = register(env)
    views = {docname: domain.view(page) for docname, page in domain.pages.items()}
    changed = [docname for docname in views if views[docname] != domain.data["views"].get(docname)]
    domain.data["views"] = views
    return changed


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive, the register and the handlers."""
    app.setup_extension("sphinx.ext.autodoc")  # whose event marks the docstrings
    app.add_config_value("equations_package", "../src/primer_ref", "env", types=[str])
    app.add_config_value("equations_tests", "../tests", "env", types=[str])
    app.add_config_value("equations_pages", r"chapters/", "env", types=[str])
    app.add_domain(EquationDomain)
    app.add_directive("math", EquationDirective, override=True)
    app.add_directive("equation-index", places.EquationIndexDirective)
    app.add_directive("equation-tests", places.EquationTestsDirective)
    app.add_role("implements", places.ImplementsRole())
    app.add_transform(CollectEquations)
    app.add_post_transform(FillPlaces)
    app.connect("autodoc-process-docstring", places.mark_docstring)
    app.connect("env-get-outdated", read_code)
    app.connect("env-updated", check)
    # Sphinx numbers sections and equations in this event at the default priority, 500.
    app.connect("env-get-updated", outdated_links, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
