"""A key term with its definition, where a page first uses it.

A ``{term}`` role is a link to the glossary. In HTML, the first in a page's running text becomes a
word that shows its definition when a pointer rests on it, a finger taps it or the keyboard reaches
it: `book.css` does that, without a script, and `terms.js` closes it again. A link would take those
who tap it away from the page. The definition is the first paragraph of the glossary's, as the
glossary stands when the page is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.environment.collectors import EnvironmentCollector
from sphinx.transforms.post_transforms import SphinxPostTransform

from .search import explanations

if TYPE_CHECKING:
    from collections.abc import Iterator, Set

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator

# A definition opens over what follows; a box that scrolls would cut it off.
KEPT_AS_LINK = (nodes.title, nodes.table, nodes.figure, addnodes.glossary)


class Term(nodes.inline):
    """A word that shows its definition."""


class Definition(nodes.inline):
    """The definition, hidden until it is asked for."""


def name_of(xref: addnodes.pending_xref) -> str:
    """Return the term that a cross-reference means, as Sphinx compares them."""
    return " ".join(xref["reftarget"].split()).lower()


def references(tree: nodes.Node) -> list[addnodes.pending_xref]:
    """List the uses of the ``term`` role."""
    found = tree.findall(addnodes.pending_xref)
    return [xref for xref in found if xref["reftype"] == "term"]


def definitions(document: nodes.document) -> Iterator[tuple[str, str, nodes.paragraph]]:
    """List terms, their anchors, and the first paragraph of their definitions."""
    for glossary in document.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            paragraph = next(iter(item.findall(nodes.paragraph)), None)
            for term in item.findall(nodes.term):
                if paragraph is not None:
                    yield term.astext().lower(), term["ids"][0], paragraph


class TermCollector(EnvironmentCollector):
    """Knows which page uses which term, and what each term means."""

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        """Note what a page uses and defines."""
        env = app.env
        uses, meanings = noted(env)
        uses[env.docname] = {name_of(xref) for xref in references(doctree)}
        for name, _, paragraph in definitions(doctree):
            meanings[name] = (env.docname, paragraph.pformat())

    def clear_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Forget a page."""
        uses, meanings = noted(env)
        uses.pop(docname, None)
        for name in [name for name, (place, _) in meanings.items() if place == docname]:
            del meanings[name]

    def merge_other(
        self, app: Sphinx, env: BuildEnvironment, docnames: Set[str], other: BuildEnvironment
    ) -> None:
        """Take in what another process noted."""
        (uses, meanings), (new_uses, new_meanings) = noted(env), noted(other)
        uses.update({docname: new_uses[docname] for docname in docnames})
        meanings.update({k: v for k, v in new_meanings.items() if v[0] in docnames})

    def get_updated_docs(self, app: Sphinx, env: BuildEnvironment) -> list[str]:
        """Name the pages that show another definition than in the last build."""
        uses, meanings = noted(env)
        places = explanations(env)
        shown = {
            docname: sorted((name, meanings.get(name), places.get(name)) for name in names)
            for docname, names in uses.items()
        }
        before = getattr(env, "terms_shown", {})
        env.terms_shown = shown  # type: ignore[attr-defined]
        return [docname for docname in shown if shown[docname] != before.get(docname)]


def noted(env: BuildEnvironment) -> tuple[dict[str, set[str]], dict[str, tuple[str, str]]]:
    """Return the terms of each page, and the page and text of each definition."""
    if not hasattr(env, "terms_noted"):
        env.terms_noted = ({}, {})  # type: ignore[attr-defined]
    found: tuple[dict[str, set[str]], dict[str, tuple[str, str]]] = env.terms_noted  # type: ignore[attr-defined]
    return found


class ShowDefinitions(SphinxPostTransform):
    """Put the definition behind the first use of a term."""

    default_priority = 8  # before Sphinx resolves references (10), also those of the definition
    builders = ("html", "dirhtml")

    def run(self, **_kwargs: Any) -> None:
        """Replace the first use of each term that stands in running text."""
        uses = [xref for xref in references(self.document) if in_running_text(xref)]
        meanings = noted(self.env)[1]
        sources = {meanings[name][0] for name in map(name_of, uses) if name in meanings}
        known = {
            name: (docname, anchor, paragraph)
            for docname in sorted(sources)
            for name, anchor, paragraph in definitions(self.env.get_doctree(docname))
        }
        places = explanations(self.env)
        for xref in uses:
            if found := known.pop(name_of(xref), None):
                links = [(*found[:2], "Glossary")]
                place = places.get(name_of(xref))
                if place and place[0] != self.env.docname:
                    number = int(self.env.metadata[place[0]].get("number", 0))
                    links.insert(0, (*place, f"Chapter {number}" if number else "Opening post"))
                xref.replace_self(self.term(xref, *found[1:], links))

    def term(
        self,
        xref: addnodes.pending_xref,
        anchor: str,
        paragraph: nodes.paragraph,
        links: list[tuple[str, str, str]],
    ) -> list[nodes.Node]:
        """Write a word and its definition."""
        identity = f"about-{anchor}"
        word = Term("", definition=identity)
        word += [child.deepcopy() for content in xref for child in content.children]
        definition = Definition("", ids=[identity], classes=["no-search"], links=links)
        definition += [child.deepcopy() for child in paragraph.children]
        for inner in definition.findall(addnodes.pending_xref):
            inner["refdoc"] = self.env.docname
        return [word, definition]


def in_running_text(xref: nodes.Element) -> bool:
    """Say whether a definition may open under the line."""
    parents = [xref.parent]
    while parents[-1].parent is not None:
        parents.append(parents[-1].parent)
    paragraph = any(isinstance(parent, nodes.paragraph) for parent in parents)
    return paragraph and not any(isinstance(parent, KEPT_AS_LINK) for parent in parents)


def visit_term(translator: HTML5Translator, node: Term) -> None:
    """Open the word: a button, as it answers to a tap and to the keyboard, but one that wraps."""
    translator.body.append(
        f'<span class="term" role="button" tabindex="0" aria-describedby="{node["definition"]}">'
    )


def visit_definition(translator: HTML5Translator, node: Definition) -> None:
    """Open the definition; the class ``definition`` is that of the numbered ones."""
    translator.body.append(f'<span class="meaning" id="{node["ids"][0]}" hidden>')


def depart_term(translator: HTML5Translator, _node: Term) -> None:
    """Close the word."""
    translator.body.append("</span>")


def depart_definition(translator: HTML5Translator, node: Definition) -> None:
    """Close the definition, with links to where there is more."""
    builder = translator.builder
    for docname, anchor, text in node["links"]:
        uri = builder.get_relative_uri(builder.current_docname, docname)
        translator.body.append(f' <a href="{uri}#{anchor}">{text}</a>')
    translator.body.append("</span>")


def add_script(
    app: Sphinx, _page: str, _template: str, _context: object, doctree: nodes.document | None
) -> None:
    """Load the script where there is something to close."""
    if doctree and any(doctree.findall(Definition)):
        app.add_js_file("terms.js", loading_method="defer")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the collector, the transform and how HTML writes its nodes."""
    app.add_env_collector(TermCollector)
    app.add_node(Term, html=(visit_term, depart_term))
    app.add_node(Definition, html=(visit_definition, depart_definition))
    app.add_post_transform(ShowDefinitions)
    app.connect("html-page-context", add_script)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
