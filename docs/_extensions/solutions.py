"""``{solutions}``: all exercises of the book with links to their solutions; none may lack one."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

from _extensions.links import link

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Exercise:
    """An exercise and the anchor of its solution, empty if there is none."""

    docname: str
    label: str
    name: str
    solution: str


def exercises(env: BuildEnvironment) -> list[Exercise]:
    """All exercises in the order of the pages, as sphinx-exercise registered them."""
    registry: dict[str, Any] = getattr(env, "sphinx_exercise_registry", {})
    order: dict[str, Any] = getattr(env, "sphinx_exercise_node_order", {})
    solutions = {
        entry["node"]["target_label"]: label
        for label, entry in registry.items()
        if "target_label" in entry["node"]
    }
    return [
        Exercise(docname, label, _name(registry[label]["node"]), solutions.get(label, ""))
        for docname in sorted(order)
        for label in (item["label"] for item in order[docname] if item["type"] == "exercise")
    ]


def _name(node: nodes.Element) -> str:
    """Read the title its author gave the exercise, without the number."""
    return "".join(child.astext() for child in node[0].children[1:])


class SolutionsList(nodes.General, nodes.Element):
    """The place of the list, filled when all pages are read."""


class SolutionsDirective(SphinxDirective):
    """The list of exercises."""

    def run(self) -> list[nodes.Node]:
        """Leave the placeholder."""
        self.env.metadata[self.env.docname]["solutions"] = "yes"
        return [SolutionsList(docname=self.env.docname)]


class FillSolutionsList(SphinxPostTransform):
    """Write the list before sphinx-exercise (5) and Sphinx (10) resolve its references."""

    default_priority = 4

    def run(self, **_kwargs: Any) -> None:
        """Write one list a page."""
        for place in list(self.document.findall(SolutionsList)):
            content: list[nodes.Node] = []
            for docname, group in groupby(exercises(self.env), lambda e: e.docname):
                chapter = _link(place["docname"], "doc", f"/{docname}", self.env.titles[docname])
                content.append(nodes.paragraph("", "", nodes.strong("", "", chapter)))
                items = (self.item(place["docname"], exercise) for exercise in group)
                content.append(nodes.bullet_list("", *items, bullet="*", classes=["solutions"]))
            place.replace_self(content or nodes.paragraph("", "There are none yet."))

    def item(self, here: str, exercise: Exercise) -> nodes.list_item:
        """One exercise: its number, its name, its solution."""
        line = nodes.paragraph("", "", _link(here, "numref", exercise.label))
        if exercise.name:
            registry: dict[str, Any] = self.env.sphinx_exercise_registry  # type: ignore[attr-defined]
            title = registry[exercise.label]["node"][0]
            line += [nodes.Text(", "), *(part.deepcopy() for part in title[1].children)]
        if exercise.solution:
            uri = self.app.builder.get_relative_uri(here, exercise.docname)
            target = f"{uri}#{exercise.solution}"
            line += nodes.Text(": ")
            line += nodes.reference("", "solution", internal=True, refuri=target)
        return nodes.list_item("", line)


def _link(here: str, role: str, target: str, title: nodes.Element | None = None) -> nodes.Node:
    text = nodes.inline("", title.astext()) if title is not None else nodes.literal("", target)
    return link(here, role, target, text, explicit=title is not None)


def update(_app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Warn of exercises without a solution; write the list again if it changed."""
    found = exercises(env)
    for exercise in found:
        if not exercise.solution:
            logger.warning(
                "exercise %s has no solution",
                exercise.label,
                location=exercise.docname,
                type="solutions",
                subtype="missing",
            )
    changed = found != getattr(env, "solutions_listed", None)
    env.solutions_listed = found  # type: ignore[attr-defined]
    return [name for name, data in env.metadata.items() if changed and "solutions" in data]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the list."""
    app.add_node(SolutionsList)
    app.add_directive("solutions", SolutionsDirective)
    app.add_post_transform(FillSolutionsList)
    app.connect("env-updated", update)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
