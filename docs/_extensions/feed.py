"""An Atom feed (RFC 4287) of the series."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Sequence

    from _extensions.articles import Article

ATOM = "http://www.w3.org/2005/Atom"


def atom_feed(
    series: Sequence[Article],
    *,
    title: str,
    author: str,
    rights: str,
    base: str,
    feed: str,
    front: str,
    page: Callable[[str], str],
) -> bytes:
    """Write the feed; links are absolute if ``base`` is a folder's URL, relative if it is empty.

    Nothing in it depends on when or where it is made: identifiers come from the title and the
    names of the pages, times from the articles' dates.
    """
    space = uuid.uuid5(uuid.NAMESPACE_URL, title)
    ET.register_namespace("", ATOM)
    root = ET.Element(f"{{{ATOM}}}feed", {"{http://www.w3.org/XML/1998/namespace}lang": "en"})
    _add(root, "id", space.urn)
    _add(root, "title", title)
    _add(root, "updated", _time(max(article.date for article in series)))
    _add(_add(root, "author"), "name", author)
    _add(root, "rights", rights)
    _add(root, "link", rel="self", type="application/atom+xml", href=urljoin(base, feed))
    _add(root, "link", rel="alternate", type="text/html", href=urljoin(base, front))
    for article in series:
        entry = _add(root, "entry")
        _add(entry, "id", uuid.uuid5(space, article.docname).urn)
        _add(entry, "title", f"{article.number}. {article.title}")
        _add(entry, "updated", _time(article.date))
        href = urljoin(base, page(article.docname))
        _add(entry, "link", rel="alternate", type="text/html", href=href)
        _add(entry, "category", term="coming" if article.coming else "finished")
        _add(entry, "summary", article.summary)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, "unicode")}\n'.encode()


def _add(parent: ET.Element, tag: str, text: str = "", **attributes: str) -> ET.Element:
    element = ET.SubElement(parent, f"{{{ATOM}}}{tag}", attributes)
    element.text = text or None
    return element


def _time(date: dt.date) -> str:
    return f"{date.isoformat()}T00:00:00Z"
