"""What goes into PDF and EPUB: the opening post, the chapters and the appendix.

The reference stays on the web: thousands of names that are looked up by following a link. What
refers to it is printed as plain text or, in a build that knows the book's address on the web, as a
link to it.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.builders import Builder
from sphinx.transforms.post_transforms import SphinxPostTransform

from _extensions.measurements import folded
from _extensions.site import base_address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

NAME = "llm-primer-ii"  # of both files
BUILDERS = ("latex", "epub")
OUTSIDE = "outside:"


def is_printed(docname: str) -> bool:
    """Say whether a page is part of the printed book."""
    return not docname.startswith("reference/")


def keep_printed(root: nodes.document) -> Iterator[addnodes.toctree]:
    """Take from the front page's lists of pages what is not printed, and yield what is left."""
    for toctree in list(root.findall(addnodes.toctree)):
        toctree["entries"] = [entry for entry in toctree["entries"] if is_printed(entry[1])]
        toctree["includefiles"] = list(filter(is_printed, toctree["includefiles"]))
        if toctree["entries"]:
            yield toctree
        else:
            toctree.parent.remove(toctree)


def build_time() -> dt.datetime:
    """Return the time of the build, or what SOURCE_DATE_EPOCH says instead."""
    seconds = float(os.environ.get("SOURCE_DATE_EPOCH", time.time()))
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


class PrintedPages(Builder):
    """A builder, to be mixed in before one of Sphinx's, that marks what leads out of the book."""

    def get_relative_uri(self, from_: str, to: str, typ: str | None = None) -> str:
        """Return the address of a page as seen from another."""
        return super().get_relative_uri(from_, to, typ) if is_printed(to) else f"{OUTSIDE}{to}"


class LeaveBook(SphinxPostTransform):
    """Lead to the web where a link leaves the book, or leave only its text."""

    default_priority = 30  # after Sphinx (10) and sphinx-exercise (22) resolved references
    builders = BUILDERS

    def run(self, **_kwargs: Any) -> None:
        """Go through the links of the page."""
        for link in list(self.document.findall(nodes.reference)):
            uri = link.get("refuri", "")
            if not uri.startswith(OUTSIDE):
                continue
            if base := base_address(self.config):
                page, _, fragment = uri.removeprefix(OUTSIDE).partition("#")
                address = f"{base}{page}.html"
                link["refuri"] = f"{address}#{fragment}" if fragment else address
                link["internal"] = False
            else:
                link.replace_self(link.children)


class MarkMeasured(SphinxPostTransform):
    """Draw a dotted line under a measured number, as the pages on the web do with its link."""

    default_priority = 29  # before links leave the book
    builders = BUILDERS

    def run(self, **_kwargs: Any) -> None:
        """Mark what stands in a link to a measurement."""
        for link in self.document.findall(nodes.reference):
            if "#measurement-" in link.get("refuri", ""):
                link[:] = [nodes.inline("", "", *link.children, classes=["measured"])]


class DropTags(SphinxPostTransform):
    """Leave out tags written by hand: they lead to files that are on the web only."""

    default_priority = 30
    builders = BUILDERS

    def run(self, **_kwargs: Any) -> None:
        """Keep the text between the tags."""
        for tag in list(self.document.findall(nodes.raw)):
            tag.parent.remove(tag)


class Unfold(SphinxPostTransform):
    """Print open what a browser folds, under what it is called there."""

    default_priority = 30
    builders = BUILDERS

    def run(self, **_kwargs: Any) -> None:
        """Give each folded part its name as a title."""
        for part in list(self.document.findall(folded)):
            name = nodes.paragraph("", "", nodes.strong("", part["summary"]))
            part.replace_self([name, *part.children])


class ShortenLine(SphinxPostTransform):
    """Leave of the line on top of a chapter what says nothing of the pages beside it."""

    default_priority = 6  # right after `series` wrote the line
    builders = BUILDERS

    def run(self, **_kwargs: Any) -> None:
        """Keep the chapter's number and date."""
        for line in list(self.document.findall(nodes.paragraph)):
            if "article-line" in line["classes"]:
                date = line.astext().split(" · ")[1]
                words = nodes.paragraph("", date)
                line.replace_self(nodes.container("", words, classes=["article-line"]))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register what both builders need."""
    for transform in (LeaveBook, MarkMeasured, DropTags, Unfold, ShortenLine):
        app.add_post_transform(transform)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
