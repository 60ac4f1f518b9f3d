"""Place sphinx-codeautolink's links while a page is written, and mend what it stumbles over.

It finds out which names of an example are documented, and puts the links in when the build is over:
it parses the finished pages of those documents that were read anew, and writes them again. So a
page that is only written anew loses its links. Here they are placed as each block is highlighted.

It also keeps a stack of titles, pushed by ``visit_title`` and popped by ``depart_section``. The
sections that sphinx-proof and sphinx-exercise make inside their boxes push nothing, so that the pop
finds an empty stack and the build ends.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.highlighting import PygmentsBridge
from sphinx.util import logging
from sphinx_codeautolink import extension
from sphinx_codeautolink.extension import block, cache

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

logger = logging.getLogger(__name__)

TRANSFORMS = "sphinx_codeautolink_transforms"  # where it keeps what it found, in the environment


class Analyser(block.CodeBlockAnalyser):  # type: ignore[misc]
    """The analyser, with a pop that may find nothing."""

    def depart_section(self, node: nodes.section) -> None:
        """Leave a section."""
        if self.title_stack:
            super().depart_section(node)


class Cache(cache.DataCache):  # type: ignore[misc]
    """The names found in earlier builds, also those in documents that are not ``.rst``."""

    def read(self) -> None:
        """Read what the last build wrote; Sphinx purges the documents that are gone."""
        path = self.cache_dir / self.cache_filename
        stored = json.loads(path.read_text("utf-8")) if path.exists() else {}
        for docname, transforms in stored.items():
            for found in transforms:
                found["example"] = block.CodeExample(**found["example"])
                found["names"] = [block.Name(**name) for name in found["names"]]
            self.transforms[docname] = [block.SourceTransform(**found) for found in transforms]


class LinkingHighlighter(PygmentsBridge):
    """A highlighter whose code leads to the reference."""

    def __init__(self, builder: StandaloneHTMLBuilder) -> None:
        super().__init__("html", "none")
        self.builder, self.inner = builder, builder.highlighter
        self.formatter_args = self.inner.formatter_args
        self.inventory: dict[str, str] = {}
        self.page, self.left = "", list[Any]()

    def take_inventory(self, app: Sphinx, _env: BuildEnvironment) -> None:
        """Note where the names are documented, once all documents are read."""
        self.inventory = extension.SphinxCodeAutoLink.make_inventory(app)

    def highlight_block(self, source: str, *args: Any, **kwargs: Any) -> str:
        """Highlight, then put a link around each name that the analyser found in this block."""
        html = self.inner.highlight_block(source, *args, **kwargs)
        location = kwargs.get("location")
        if not isinstance(location, nodes.literal_block | nodes.doctest_block):
            return html
        if self.builder.current_docname != self.page:
            self.page = self.builder.current_docname
            found_in: dict[str, list[Any]] = getattr(self.builder.env, TRANSFORMS)
            self.left = list(found_in.get(self.page, ()))
        # Blocks that print the same are told apart by their order.
        for at, found in enumerate(self.left):
            if found.source.rstrip() == source.rstrip():
                return self.linked(html, self.left.pop(at).names, location)
        return html

    def linked(self, html: str, names: list[Any], location: nodes.Node) -> str:
        """Put the links in; each name has its lines, counted from one."""
        lines = html.split("\n")
        up = "../" * self.page.count("/")
        for name in names:
            place = slice(name.lineno - 1, name.end_lineno)
            text = "\n".join(lines[place])
            matches = list(re.finditer(block.construct_name_pattern(name), text))
            if not matches:
                logger.warning(
                    "cannot find %s in the example to link it", name.code_str, location=location
                )
                continue
            # The last one: of a.b = a.b, what stands on the right was found first.
            start, end = matches[-1].start() + len(matches[-1][1]), matches[-1].end()
            address = self.inventory[name.resolved_location]
            address = address if "://" in address else up + address
            link = f'<a class="sphinx-codeautolink-a" href="{address}">{text[start:end]}</a>'
            lines[place] = f"{text[:start]}{link}{text[end:]}".split("\n")
        return "\n".join(lines)


def highlight_with_links(app: Sphinx) -> None:
    """Put the highlighter that links in the place of the builder's own."""
    builder = app.builder
    if isinstance(builder, StandaloneHTMLBuilder) and builder.name == "html":
        builder.highlighter = highlighter = LinkingHighlighter(builder)
        # After sphinx-codeautolink has found out which names are documented.
        app.connect("env-updated", highlighter.take_inventory, priority=900)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Put the mended parts in the place of the others."""
    app.setup_extension("sphinx_codeautolink")
    extension.CodeBlockAnalyser = Analyser
    extension.DataCache = Cache
    extension.link_html = lambda *_args, **_kwargs: None  # nothing is left to be done afterward
    # After the theme has looked at the builder's own highlighter.
    app.connect("builder-inited", highlight_with_links, priority=800)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
