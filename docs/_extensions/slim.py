"""Fewer elements and fewer bytes for the same page.

- Pygments puts each token of a listing into an element, so that any style can color it. Most tokens
  look like the text around them, in the light style and in the dark: these need none, and neighbors
  that look the same share one.
- Sphinx puts what a reference says into an element of its own, which nothing styles, and shows on
  hovering what the address says already.
- sphinxcontrib-bibtex shows a whole entry of the bibliography on hovering: authors, title and year
  are enough to know it by.
- LaTeX stays with displayed formulas, for those who copy them; with formulas in the line only until
  the page's copy in Markdown is made.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pybtex.plugin
from docutils import nodes
from pybtex.richtext import Text as RichText
from pybtex.style import FormattedEntry
from pybtex.style.formatting import BaseStyle
from pygments.token import STANDARD_TYPES, Text
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.highlighting import PygmentsBridge
from sphinx.transforms.post_transforms import SphinxPostTransform

if TYPE_CHECKING:
    from pybtex.database import Entry
    from pygments.style import Style
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

TOKEN = re.compile(r'<span class="(\w+)">([^<]*)</span>')
# Within a line: Sphinx puts elements of its own around lines.
NEIGHBORS = re.compile(r'<span class="(\w+)">[^<]*</span>(?:[ \t]*<span class="\1">[^<]*</span>)+')
# What Pygments keeps an empty first line with.
GUARD = re.compile(r"(<pre[^>]*>)<span></span>(?!\n)")
INLINE_LATEX = re.compile(r'(<(?:math class|span class="math)[^>]*?) data-latex="[^"]*"')
# What Sphinx says of the kind of a reference, to nobody.
KINDS = {"doc", "std", "std-doc", "std-numref", "std-ref"}


class SlimHighlighter(PygmentsBridge):
    """A highlighter without elements that change nothing, in any of some styles."""

    def __init__(self, inner: PygmentsBridge, styles: list[type[Style]]) -> None:
        super().__init__("html", "none")
        self.inner = inner
        self.formatter_args = inner.formatter_args
        self.shared = shared_classes(styles)

    def highlight_block(self, *args: Any, **kwargs: Any) -> str:
        """Highlight, then take away what shows nothing."""

        def slimmed(token: re.Match[str]) -> str:
            name, text = self.shared.get(token[1], token[1]), token[2]
            return f'<span class="{name}">{text}</span>' if name and text.strip() else text

        def joined(run: re.Match[str]) -> str:
            return f'<span class="{run[1]}">{re.sub("<[^>]*>", "", run[0])}</span>'

        html = TOKEN.sub(slimmed, self.inner.highlight_block(*args, **kwargs))
        return GUARD.sub(r"\1", NEIGHBORS.sub(joined, html))


def shared_classes(styles: list[type[Style]]) -> dict[str, str]:
    """Map each class of Pygments to the first that looks the same; plain text has the class ''."""

    def look(token: Any) -> str:
        found = [style.style_for_token(token) for style in styles]
        plain = [style.style_for_token(Text) for style in styles]
        colors = [one["color"] or other["color"] for one, other in zip(found, plain, strict=True)]
        return repr([one | {"color": color} for one, color in zip(found, colors, strict=True)])

    first = {look(Text): ""}
    return {name: first.setdefault(look(token), name) for token, name in STANDARD_TYPES.items()}


def highlight_slimly(app: Sphinx) -> None:
    """Put the slim highlighter around the builder's own."""
    builder = app.builder
    if isinstance(builder, StandaloneHTMLBuilder) and builder.name == "html":
        light = builder.highlighter
        dark = PygmentsBridge("html", app.config.pygments_dark_style)
        styles = [bridge.formatter_args["style"] for bridge in (light, dark)]
        builder.highlighter = SlimHighlighter(light, styles)


class SlimReferences(SphinxPostTransform):
    """Drop from references what shows nothing, and what shows the address a second time."""

    default_priority = 501
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Lift what the elements inside hold, and drop titles."""
        for reference in self.document.findall(nodes.reference):
            only = reference[0] if len(reference) == 1 else None
            if isinstance(only, nodes.inline) and set(only["classes"]) <= KINDS and not only["ids"]:
                reference[:] = only.children
            title = reference.get("reftitle", "")
            if title and reference.get("refuri", "").endswith(f"#{title}"):
                del reference["reftitle"]


class ShortEntry(BaseStyle):  # type: ignore[misc]
    """A style for entries of the bibliography: authors, title, year."""

    def format_entry(self, label: str, entry: Entry, bib_data: Any = None) -> FormattedEntry:
        """Name no more than two authors."""
        people = entry.persons.get("author") or entry.persons.get("editor") or []
        names = [" ".join([*one.prelast_names, *one.last_names]) for one in people]
        parts = [" and ".join(names) if len(names) < 3 else f"{names[0]} et al."]
        parts += [entry.fields[field] for field in ("title", "year") if field in entry.fields]
        text = RichText(", ").join(map(RichText.from_latex, filter(None, parts)))
        return FormattedEntry(entry.key, text, label)


def slim_page(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: nodes.document | None
) -> None:
    """Drop what only the copy needed."""
    if "body" in context:
        context["body"] = INLINE_LATEX.sub(r"\1", context["body"])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Slim the listings after they got their links, and the pages after they were copied."""
    pybtex.plugin.register_plugin("pybtex.style.formatting", "short", ShortEntry)
    app.connect("builder-inited", highlight_slimly, priority=900)
    app.add_post_transform(SlimReferences)
    app.connect("html-page-context", slim_page, priority=950)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
