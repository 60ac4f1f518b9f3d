"""Write HTML that validators and screen readers accept, where Sphinx writes other.

- The title of a page is a heading of the whole article, not of a section inside it.
- What a field says in several blocks is no paragraph (``<ul>`` in ``<p>``).
- The captions of lists of pages are headings with a level; works in a list are its items.
- A listing is a ``<pre>``, which may hold ``<span>`` but no ``<div>``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

# What Sphinx and docutils write: a heading without its level, and a role that is no longer one.
ROLES = {
    'class="caption" role="heading"': 'class="caption" role="heading" aria-level="2"',
    'role="doc-biblioentry"': 'role="listitem"',
}


def visit_section(translator: HTML5Translator, node: nodes.section) -> None:
    """Open a section, or the plain box that holds the whole page."""
    HTML5Translator.visit_section(translator, node)
    if isinstance(node.parent, nodes.document):
        translator.body[-1] = translator.body[-1].replace("<section", "<div", 1)


def depart_section(translator: HTML5Translator, node: nodes.section) -> None:
    """Close what was opened."""
    HTML5Translator.depart_section(translator, node)
    if isinstance(node.parent, nodes.document):
        translator.body[-1] = translator.body[-1].replace("</section>", "</div>", 1)


def is_block(node: nodes.Node) -> bool:
    """Whether HTML forbids a node inside a paragraph."""
    return isinstance(node, nodes.Body) and not isinstance(node, nodes.Inline)


class FreeBlocks(SphinxPostTransform):
    """Put blocks that stand in a paragraph into its place, as in fields of several blocks."""

    default_priority = 500
    formats = ("html",)

    def run(self, **_kwargs: Any) -> None:
        """Look at the paragraphs of a page."""
        for paragraph in list(self.document.findall(nodes.paragraph)):
            if paragraph.children and all(map(is_block, paragraph.children)):
                paragraph.replace_self(paragraph.children)


def mend(
    _app: Sphinx, pagename: str, _template: str, context: dict[str, Any], _doctree: Any
) -> None:
    """Mend what is text already: roles, and the listings of viewcode."""
    body = context.get("body", "")
    for written, right in ROLES.items():
        body = body.replace(written, right)
    if pagename.startswith("_modules/"):
        head, mark, listing = body.partition("<pre>")
        listing = listing.replace('<div class="viewcode-block"', '<span class="viewcode-block"')
        listing, end, foot = listing.partition("</pre>")
        body = head + mark + listing.replace("</div>", "</span>") + end + foot
    context["body"] = body


def setup(app: Sphinx) -> ExtensionMetadata:
    """Change how sections are written, and mend the rest."""
    app.add_node(nodes.section, override=True, html=(visit_section, depart_section))
    app.add_post_transform(FreeBlocks)
    app.connect("html-page-context", mend)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
