"""The frame around a page: the theme in ``docs/_themes/book``, its styles and its scripts.

A page holds no inline script, style element or style attribute, so that the site can be served
under a strict Content-Security-Policy (``POLICY`` in ``build_versions.py``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

from _extensions import bundle
from _extensions.articles import Article, articles

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

Neighbors = dict[str, Article | None]


class DropWidths(SphinxPostTransform):
    """Let the stylesheet set the widths of columns: HTML's writer would make style attributes."""

    default_priority = 500
    formats = ("html",)

    def run(self, **_kwargs: Any) -> None:
        """Take the widths from all tables."""
        for table in self.document.findall(nodes.table):
            if "colwidths-given" in table["classes"]:
                table["classes"].remove("colwidths-given")
                table["classes"].append("colwidths-auto")


def neighbors(env: BuildEnvironment) -> dict[str, Neighbors]:
    """Return the articles before and after each page that has one there."""
    by_name = {article.docname: article for article in articles(env)}
    found = {
        page: {"prev": by_name.get(before or ""), "next": by_name.get(after or "")}
        for page, (_, before, after) in env.collect_relations().items()
    }
    return {page: pair for page, pair in found.items() if any(pair.values())}


def changed_pages(_app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Keep what the feet of the pages say, and name those that say something else than before."""
    before: dict[str, Neighbors] = getattr(env, "shell_neighbors", {})
    now = env.shell_neighbors = neighbors(env)  # type: ignore[attr-defined]
    return [page for page in now.keys() | before.keys() if now.get(page) != before.get(page)]


def tell_neighbors(
    app: Sphinx, page: str, _template: str, context: dict[str, Any], _tree: Any
) -> None:
    """Add number, date and state to the links that lead to the article before and after."""
    for which, article in app.env.shell_neighbors.get(page, {}).items():  # type: ignore[attr-defined]
        if context.get(which):
            context[which]["article"] = article


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the frame's files and join them with all others."""
    app.add_css_file("shell.css")
    app.add_js_file("drawers.js")
    app.add_js_file("shell.js")
    app.add_js_file("layout.js")
    app.add_post_transform(DropWidths)
    app.connect("env-updated", changed_pages)
    app.connect("html-page-context", bundle.note, priority=1)
    app.connect("html-page-context", tell_neighbors)
    app.connect("html-page-context", bundle.use, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
