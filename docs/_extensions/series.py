"""The series: an index of its articles and an Atom feed, from the chapters' front matter alone.

An article is a page under ``chapters/`` whose front matter says ``title``, ``number``, ``needs``
(the numbers of the chapters that it builds on), ``date``, ``status`` (``finished`` or ``coming``)
and ``summary``. Adding one adds its entry, its place in both orders and its feed entry. The
directives, the role and the line on top of each chapter leave a placeholder, filled when the page
is written: then all front matter is known, and a page whose placeholders would read differently is
written again even if its own source is unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from _extensions.articles import FOLDER, Article, articles, check_series, newest_first
from _extensions.feed import atom_feed
from _extensions.links import link
from _extensions.site import base_address, is_site

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.builders import Builder
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata, OptionSpec

FEED = "feed.xml"
ORDERS = ("reading", "newest")
# What the role prints: of the articles in reading order, the first being the opening post.
FACTS: dict[str, Callable[[list[Article]], str]] = {
    "total": lambda series: str(len(series)),
    "chapters": lambda series: str(sum(article.number > 0 for article in series)),
    "opening": lambda series: series[0].day,
    "first": lambda series: next(article.day for article in series if article.number),
    "last": lambda series: series[-1].day,
}
logger = logging.getLogger(__name__)


class SeriesPart(nodes.General, nodes.Element):
    """A placeholder for what needs the front matter of all chapters."""


class SeriesFact(nodes.Inline, SeriesPart):
    """Such a placeholder in a sentence."""


class SeriesDirective(SphinxDirective):
    """``{series}``: the list of all articles.

    ``:order:`` is ``reading`` or ``newest`` first; ``:brief:`` leaves the summaries out.
    """

    option_spec: ClassVar[OptionSpec] = {
        "order": lambda argument: directives.choice(argument, ORDERS),
        "brief": directives.flag,
    }

    def run(self) -> list[nodes.Node]:
        """Leave the placeholder."""
        self.env.metadata[self.env.docname]["series_reading"] = "yes"
        part = self.options.get("order", "reading") + "-brief" * ("brief" in self.options)
        return [SeriesPart(part=part, docname=self.env.docname)]


class SeriesRole(SphinxRole):
    """``{series}`total` ``: a number or a date that follows from the front matter, see `FACTS`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave the placeholder."""
        if self.text not in FACTS:
            message = f"the series tells {', '.join(FACTS)}; got {self.text!r}"
            logger.warning(message, location=self.get_location(), type="series", subtype="fact")
            return [nodes.inline("", "?")], []
        self.env.metadata[self.env.docname][f"series_{self.text}"] = "yes"
        return [SeriesFact(part=self.text, docname=self.env.docname)], []


class ComingDirective(SphinxDirective):
    """``{coming}``: the body of a chapter that is not written yet."""

    def run(self) -> list[nodes.Node]:
        """Leave the placeholder."""
        self.env.metadata[self.env.docname]["series_coming"] = "yes"
        return [SeriesPart(part="coming", docname=self.env.docname)]


def add_line(app: Sphinx, doctree: nodes.document) -> None:
    """Put the line with number, date and neighbors under a chapter's title."""
    docname = app.env.current_document.docname
    title = next(iter(doctree.findall(nodes.title)), None)
    if docname.startswith(FOLDER) and title is not None:
        title.parent.insert(title.parent.index(title) + 1, SeriesPart(part="line", docname=docname))


class FillSeriesParts(SphinxPostTransform):
    """Replace the placeholders, before Sphinx resolves references."""

    default_priority = 5

    def run(self, **_kwargs: Any) -> None:
        """Fill each placeholder, or drop it where there is nothing to say."""
        series = articles(self.env)
        for part in list(self.document.findall(SeriesPart)):
            place = Place(part["docname"], self.env.config.root_doc)
            part.replace_self(render(part["part"], place, series))


@dataclass(frozen=True, slots=True)
class Place:
    """The page a part stands on, and the page that links lead back to."""

    docname: str
    root: str

    def link(self, target: str, text: str) -> nodes.Node:
        """Refer to another page."""
        return link(self.docname, "doc", f"/{target}", nodes.inline("", text))


def render(part: str, place: Place, series: list[Article]) -> list[nodes.Node]:
    """Render one placeholder."""
    order, _, brief = part.partition("-")
    if order in ORDERS:
        ordered = series if order == "reading" else newest_first(series)
        return _list(place, series, ordered, brief=bool(brief))
    if part in FACTS:
        return [nodes.Text(FACTS[part](series))]
    here = next((article for article in series if article.docname == place.docname), None)
    if here is None:
        return []
    return _coming(place, here) if part == "coming" else _line(place, here, series)


def _list(
    place: Place, series: list[Article], ordered: list[Article], *, brief: bool
) -> list[nodes.Node]:
    coming = sum(article.coming for article in series)
    done = f": {len(series) - coming} finished, {coming} coming" if coming else ""
    total = f"Total of {len(series)} articles{done}."
    items = nodes.bullet_list("", classes=["series"], bullet="*")
    for article in ordered:
        head = nodes.paragraph()
        head += nodes.inline("", str(article.number), classes=["number"])
        head += [nodes.Text(" "), nodes.strong("", "", place.link(article.docname, article.title))]
        head += [nodes.Text(" "), nodes.inline("", article.day, classes=["date"])]
        if article.coming:
            head += [nodes.Text(" "), nodes.inline("", "coming", classes=["coming"])]
        summary = [] if brief else [nodes.paragraph("", article.summary)]
        items += nodes.list_item("", head, *summary)
    return [nodes.paragraph("", total), items]


def _coming(place: Place, here: Article) -> list[nodes.Node]:
    note = nodes.paragraph()
    note += [nodes.inline("", "coming", classes=["coming"]), nodes.Text(" This article, dated ")]
    note += nodes.Text(f"{here.day}, is announced and not yet written. ")
    note += place.link(place.root, "All articles of the series")
    return [nodes.paragraph("", here.summary), note]


def _line(place: Place, here: Article, series: list[Article]) -> list[nodes.Node]:
    name = f"Chapter {here.number}" if here.number else "Opening post"
    line = nodes.paragraph("", f"{name} · {here.day}", classes=["article-line"])
    for before, after in pairwise(series):
        if after == here:
            line += [nodes.Text(" · previous: "), place.link(before.docname, before.title)]
            line += nodes.Text(f" ({before.day})")
        if before == here:
            line += [nodes.Text(" · next: "), place.link(after.docname, after.title)]
            line += nodes.Text(f" ({after.day})")
    return [line]


def changed_pages(_app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Name the pages whose placeholders read differently than in the last build."""
    series = articles(env)
    pages: dict[str, str] = {}
    for docname, metadata in env.metadata.items():
        parts = [p for p in ("reading", "coming", *FACTS) if f"series_{p}" in metadata]
        if docname.startswith(FOLDER):
            parts.append("line")
        place = Place(docname, env.config.root_doc)
        if parts:
            rendered = (node for p in parts for node in render(p, place, series))
            pages[docname] = "".join(node.pformat() for node in rendered)
    before: dict[str, str] = getattr(env, "series_pages", {})
    env.series_pages = pages  # type: ignore[attr-defined]
    return [docname for docname, text in pages.items() if before.get(docname) != text]


def link_feed(
    app: Sphinx,
    _page: str,
    _template: str,
    context: dict[str, Any],
    _doctree: nodes.document | None,
) -> None:
    """Announce the feed in the head of every page."""
    href = context["pathto"](FEED, resource=True)
    context["metatags"] = context.get("metatags", "") + (
        '<link rel="alternate" type="application/atom+xml" '
        f'title="{escape(app.config.project)}" href="{href}">'
    )


def write_feed(app: Sphinx, exception: Exception | None) -> None:
    """Write the feed beside the pages."""
    if exception is None and is_site(app.builder) and (series := articles(app.env)):
        (Path(app.outdir) / FEED).write_bytes(make_feed(app.builder, series))


def make_feed(builder: Builder, series: list[Article]) -> bytes:
    """Describe the series for feed readers."""
    config = builder.config
    return atom_feed(
        newest_first(series),
        title=config.project,
        author=config.author,
        rights=config.copyright,
        base=base_address(config),
        feed=FEED,
        front=builder.get_target_uri(config.root_doc),
        page=builder.get_target_uri,
    )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register directives, placeholders and the feed."""
    app.add_node(SeriesPart)
    app.add_node(SeriesFact)
    app.add_directive("series", SeriesDirective)
    app.add_role("series", SeriesRole())
    app.add_directive("coming", ComingDirective)
    app.add_post_transform(FillSeriesParts)
    app.connect("doctree-read", add_line)
    # env-check-consistency would be skipped when nothing changed, and the warning with it.
    app.connect("env-updated", check_series)
    app.connect("env-updated", changed_pages)
    app.connect("html-page-context", link_feed)
    app.connect("build-finished", write_feed)
    return {
        "version": "1",
        "env_version": 2,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
