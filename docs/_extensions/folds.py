"""Fold proofs, solutions and what is marked ``:class: dropdown`` into ``<details>`` elements.

The browser opens and closes them, by keyboard too and without a script. Proofs begin open, the
others closed; on paper all are open. Only pages for the web have them: everywhere else the boxes
stay what they were.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx_exercise.nodes import solution_node
from sphinx_proof.nodes import proof_node

from _extensions.site import is_site

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator


class Fold(nodes.General, nodes.Element):
    """A title, and what it hides."""


class FoldTitle(nodes.TextElement):
    """What stays visible."""


class MakeFolds(SphinxPostTransform):
    """Turn the boxes into folds, when their titles and the references in them are resolved."""

    default_priority = 510  # after what works on the boxes themselves
    formats = ("html",)

    def run(self, **_kwargs: Any) -> None:
        """Replace each box."""
        if not is_site(self.app.builder):
            return
        for solution in list(self.document.findall(solution_node)):
            title = FoldTitle("", f"Solution {self.number(solution)}".rstrip())
            replace(solution, "solution", title, solution[1].children)
        for proof in list(self.document.findall(proof_node)):
            content = without_opening(proof[0].children)
            replace(proof, "proof", FoldTitle("", "Proof"), content, is_open=True)
        for aside in list(self.document.findall(nodes.admonition)):
            if "dropdown" in aside["classes"]:
                title = FoldTitle("", "", *aside[0].children)
                replace(aside, "aside", title, aside.children[1:])

    def number(self, solution: solution_node) -> str:
        """Return the number of the exercise that is solved, empty if it has none."""
        label = solution["target_label"]
        exercise = self.env.sphinx_exercise_registry[label]  # type: ignore[attr-defined]
        numbers = self.env.toc_fignumbers.get(exercise["docname"], {}).get("exercise", {})
        return ".".join(map(str, numbers.get(label, ())))


def replace(
    box: nodes.Element,
    kind: str,
    title: FoldTitle,
    content: Iterable[nodes.Node],
    *,
    is_open: bool = False,
) -> None:
    """Put a fold into the place of a box, with its ids and classes."""
    box.replace_self(Fold("", title, *content, classes=[kind], is_open=is_open))


def without_opening(content: list[nodes.Node]) -> list[nodes.Node]:
    """Leave out the "Proof." that our directive writes before the text: the title says it."""
    first = content[0]
    if isinstance(first, nodes.paragraph) and first.children[0].astext() == "Proof.":
        del first[:2]
    return content if first.children else content[1:]


def visit_fold(translator: HTML5Translator, node: Fold) -> None:
    """Open the element."""
    state: dict[str, Any] = {"open": ""} if node["is_open"] else {}
    translator.body.append(translator.starttag(node, "details", CLASS="fold", **state))


def depart_fold(translator: HTML5Translator, node: Fold) -> None:
    """Close it."""
    translator.body.append("</details>\n")


def visit_title(translator: HTML5Translator, node: FoldTitle) -> None:
    """Open the title."""
    translator.body.append("<summary>")


def depart_title(translator: HTML5Translator, node: FoldTitle) -> None:
    """Close it."""
    translator.body.append("</summary>\n")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the folds and their script."""
    app.add_node(Fold, html=(visit_fold, depart_fold))
    app.add_node(FoldTitle, html=(visit_title, depart_title))
    app.add_post_transform(MakeFolds)
    app.add_js_file("folds.js")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
