"""Draw the sidebar's tree from titles alone.

Furo asks for the tree of all pages on every page. Sphinx copies with it every section and every
function of the reference, and then takes out what is no title: minutes, where there are hundreds of
functions. Here that is taken out once, before any page is written. Furo would also list all pages
of the reference beside every page, folded; here a list is drawn only where the reader is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment.adapters.toctree import global_toctree_for_doc

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.builders import Builder
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata


class Titles:
    """The environment of a build, whose tables of contents hold titles only."""

    def __init__(self, env: BuildEnvironment) -> None:
        self._env = env
        self.tocs = {name: titles_only(toc) for name, toc in env.tocs.items()}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)


def titles_only(toc: nodes.bullet_list) -> nodes.bullet_list:
    """Keep of a page's table of contents its title and the lists of pages in it."""
    toc = toc.deepcopy()
    for entry in toc.children:
        if isinstance(entry, nodes.list_item) and len(entry) > 1:
            pages = list(entry.findall(addnodes.toctree))
            del entry[1:]
            if pages:
                entry.append(nodes.bullet_list("", *pages))
    return toc


def prepare(app: Sphinx, builder: Builder) -> None:
    """Take out once what no page's tree will show."""
    if isinstance(builder, StandaloneHTMLBuilder):
        builder.titles = Titles(app.env)  # type: ignore[attr-defined]


def draw(builder: StandaloneHTMLBuilder, page: str, **options: Any) -> str:
    """Draw the tree of all pages as it is seen from one of them."""
    titles: Any = builder.titles  # type: ignore[attr-defined]
    options["collapse"] = True
    tree = global_toctree_for_doc(titles, page, builder, tags=builder.tags, **options)
    return builder.render_partial(tree)["fragment"]


def offer(app: Sphinx, page: str, _template: str, context: dict[str, Any], _doctree: Any) -> None:
    """Put the quick way to draw in the place of the other, before the theme asks."""
    if "toctree" in context and isinstance(app.builder, StandaloneHTMLBuilder):
        context["toctree"] = partial(draw, app.builder, page)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Come before the theme (500)."""
    app.connect("write-started", prepare)
    app.connect("html-page-context", offer, priority=400)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
