"""The articles of the series, as the front matter of the chapters describes them."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from babel.dates import format_date
from myst_parser.config.main import read_topmatter
from sphinx.util import logging

if TYPE_CHECKING:
    from pathlib import Path

    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

FOLDER = "chapters/"
STATUSES = ("finished", "coming")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Article:
    """What the front matter of one chapter says."""

    number: int
    date: dt.date
    title: str
    summary: str
    coming: bool
    docname: str
    needs: tuple[int, ...]

    @property
    def day(self) -> str:
        """The date as a reader writes it."""
        return str(format_date(self.date, "long", locale="en_US"))


class ArticleError(ValueError):
    """A front matter that does not describe an article."""


def read_article(docname: str, title: str, metadata: dict[str, Any]) -> Article:
    """Make an article of a page's front matter, or say what is wrong with it."""
    required = ("number", "needs", "date", "status", "summary")
    missing = [key for key in required if not str(metadata.get(key, "")).strip()]
    if missing or not title:
        raise ArticleError(f"front matter lacks {', '.join(missing or ['title'])}")
    status = metadata["status"]
    if status not in STATUSES:
        raise ArticleError(f"status must be {' or '.join(STATUSES)}; got {status!r}")
    try:
        number, date = int(metadata["number"]), dt.date.fromisoformat(str(metadata["date"]))
    except ValueError as error:
        raise ArticleError(f"number must be whole and date YYYY-MM-DD; {error}") from error
    stem = docname.removeprefix(FOLDER)
    if not stem.startswith(f"{number:02d}-"):
        raise ArticleError(f"number {number} belongs to a file {number:02d}-….md; this is {stem}")
    needs = _needs(metadata["needs"], number)
    summary = " ".join(str(metadata["summary"]).split())
    return Article(number, date, title, summary, status == "coming", docname, needs)


def _needs(value: Any, number: int) -> tuple[int, ...]:
    """Read the numbers of the chapters that a chapter builds on, as a list or as its text."""
    try:
        needs = json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError:
        needs = None
    if not isinstance(needs, list) or not all(type(other) is int for other in needs):
        raise ArticleError(f"needs must list numbers of chapters, as in [1, 3]; got {value}")
    if needs != sorted(set(needs)):
        raise ArticleError(f"needs must be in order, each chapter once; got {value}")
    if later := [other for other in needs if other >= number]:
        raise ArticleError(f"needs must name earlier chapters; {later[0]} is not before {number}")
    return tuple(needs)


def read_folder(folder: Path) -> list[Article]:
    """Read the articles without a build, from the files of ``docs/chapters``."""
    found = []
    for path in sorted(folder.glob("*.md")):
        front = read_topmatter(path.read_text("utf-8")) or {}
        found.append(read_article(f"{FOLDER}{path.stem}", str(front.get("title", "")), front))
    return found


def articles(env: BuildEnvironment) -> list[Article]:
    """All valid articles in reading order."""
    found = []
    for docname in _chapters(env):
        try:
            found.append(_article(env, docname))
        except ArticleError:
            continue  # reported by check_series, each time
    return sorted(found, key=lambda article: (article.number, article.docname))


def _chapters(env: BuildEnvironment) -> list[str]:
    return sorted(docname for docname in env.found_docs if docname.startswith(FOLDER))


def _article(env: BuildEnvironment, docname: str) -> Article:
    title = env.titles[docname].astext() if docname in env.titles else ""
    return read_article(docname, title, env.metadata[docname])


def check_series(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of front matter that is wrong by itself or contradicts another chapter's."""

    def warn(docname: str, message: str) -> None:
        logger.warning(message, location=(docname, 1), type="series", subtype="front_matter")

    for docname in _chapters(env):
        try:
            _article(env, docname)
        except ArticleError as error:
            warn(docname, str(error))
        if env.metadata[docname].get("series_coming") and (
            env.metadata[docname].get("status") == "finished"
        ):
            warn(docname, "status is finished, but the body is {coming}")
    series = articles(env)
    known = {article.number for article in series}
    for article in series:
        if unknown := [number for number in article.needs if number not in known]:
            warn(article.docname, f"needs chapter {unknown[0]}, and there is no such chapter")
    for before, after in pairwise(series):
        if before.number == after.number:
            warn(after.docname, f"number {after.number} is {before.docname}'s, too")
        elif before.date == after.date:
            warn(after.docname, f"date {after.date} is {before.docname}'s, too")
        elif before.date > after.date:
            warn(after.docname, f"date {after.date} is before that of {before.docname}")


def newest_first(series: list[Article]) -> list[Article]:
    """Order articles as the feed and the index have them, the latest date first."""
    return sorted(series, key=lambda article: (article.date, article.number), reverse=True)
