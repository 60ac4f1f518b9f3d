"""A Markdown copy of every page beside it, for people and programs that read plain text.

It is made from the finished body of the page, so that it holds what the page holds: numbered
formulas, resolved references, the reference as it is documented. What Sphinx makes of templates and
has no text of its own, search and the indices, has no copy.
"""

from __future__ import annotations

import posixpath
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from _extensions.descriptions import SOURCES
from _extensions.llms_index import write_index
from _extensions.markdown_rules import to_markdown
from _extensions.site import is_site

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata


def has_copy(env: BuildEnvironment, page: str) -> bool:
    """Say whether a page has a copy: all documents have, and all source code."""
    return page in env.found_docs or page.startswith(SOURCES)


def copy_address(env: BuildEnvironment, page: str, href: str) -> str:
    """Lead a link of a page to the copy of what it leads to, if there is one."""
    path, mark, fragment = href.partition("#")
    if path.endswith(".html") and "://" not in path:
        stem = path.removesuffix(".html")
        if has_copy(env, posixpath.normpath(posixpath.join(posixpath.dirname(page), stem))):
            return f"{stem}.md{mark}{fragment}"
    return href


def write_copy(app: Sphinx, page: str, _template: str, context: dict[str, Any], _doc: Any) -> None:
    """Write the copy of a page, and name it in the page's head."""
    if not (is_site(app.builder) and has_copy(app.env, page) and context.get("body")):
        return
    text = to_markdown(context["body"], partial(copy_address, app.env, page))
    path = Path(app.outdir, f"{page}.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    href = context["pathto"](f"{page}.md", resource=True)
    context["metatags"] = context.get("metatags", "") + (
        f'<link rel="alternate" type="text/markdown" title="Markdown" href="{href}">\n'
    )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Make the copies when the bodies are finished, and the index when all are."""
    app.connect("html-page-context", write_copy, priority=900)
    app.connect("build-finished", write_index)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
