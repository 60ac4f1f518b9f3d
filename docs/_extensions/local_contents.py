"""Put under a chapter's title a list of its sections, folded; in HTML alone.

The theme's own list stands beside the text on wide screens only, and behind a button elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx import addnodes

from _extensions.articles import FOLDER

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator


class LocalContents(nodes.General, nodes.Element):
    """The folded list."""


def add_contents(app: Sphinx, doctree: nodes.document) -> None:
    """List the sections right under a chapter's title."""
    title = next(iter(doctree.findall(nodes.title)), None)
    if not app.env.current_document.docname.startswith(FOLDER) or title is None:
        return
    entries = nodes.bullet_list("", bullet="*")
    for section in title.parent.children:
        if isinstance(section, nodes.section):
            words = [child.deepcopy() for child in section[0].children]
            link = nodes.reference("", "", *words, internal=True, refid=section["ids"][0])
            entries += nodes.list_item("", addnodes.compact_paragraph("", "", link))
    if len(entries):
        only = addnodes.only(
            "", LocalContents("", entries), expr="format_html and not builder_epub"
        )
        title.parent.insert(title.parent.index(title) + 1, only)


def visit(translator: HTML5Translator, _node: LocalContents) -> None:
    """Open the fold."""
    translator.body.append(
        '<details class="local-contents"><summary>In this chapter</summary>'
        '<nav aria-label="In this chapter">'
    )


def depart(translator: HTML5Translator, _node: LocalContents) -> None:
    """Close it."""
    translator.body.append("</nav></details>\n")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Come before the line with date and neighbors (500), which is then put above."""
    app.add_node(LocalContents, html=(visit, depart))
    app.connect("doctree-read", add_contents, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
