"""Every link inside the book leads to a file, and to a place in it; no id stands twice on a page.

Links to other sites are counted only: nothing is asked of the network.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from tests.site.report import Row, problem

ADDRESSES = {"href", "src", "poster", "data", "action"}
# Where a site's root is, for links that leave the version's folder.
SITE = "https://site.invalid/"


class Page(HTMLParser):
    """The links and the ids of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[tuple[int, str]] = []
        self.ids: Counter[str] = Counter()
        self.feed(text)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        line, _ = self.getpos()
        for name, value in attrs:
            if name in ADDRESSES and value is not None:
                self.links.append((line, value.strip()))
            elif name == "srcset" and value:
                self.links += [(line, part.split()[0]) for part in value.split(",")]
            elif name == "id" and value is not None:
                self.ids[value] += 1


@functools.cache
def read(path: Path) -> Page:
    """Read a page once."""
    return Page(path.read_text(encoding="utf-8"))


def fault(book: Path, page: Path, link: str) -> str | None:
    """Say what is wrong with a link on a page of one version of the book."""
    root = book.parent
    base = urljoin(SITE, page.relative_to(root).as_posix())
    parts = urlsplit(urljoin(base, link))
    target = root / unquote(parts.path.lstrip("/"))
    if target.is_dir():
        target /= "index.html"
    if not target.is_file():
        return "leads to no file"
    if target.parent != root and not target.is_relative_to(book):
        return "leads into another version"
    if target.suffix != ".html" or parts.fragment in {"", "top"}:
        return None
    return None if unquote(parts.fragment) in read(target).ids else "leads to no place in its page"


def judge(book: Path, pages: Sequence[Path]) -> list[Row]:
    """Follow the links of the pages."""
    faults = twice = inside = 0
    hosts: Counter[str] = Counter()
    for path in pages:
        page, name = read(path), path.relative_to(book)
        for identity, count in page.ids.items():
            if count > 1 or not identity:
                twice += 1
                problem("links", str(name), f"id {identity!r} stands {count} times")
        for line, link in page.links:
            parts = urlsplit(link)
            if parts.scheme in {"http", "https"} or parts.netloc:
                hosts[parts.netloc] += 1
            elif not parts.scheme:
                inside += 1
                if wrong := fault(book, path, link):
                    faults += 1
                    problem("links", f"{name}:{line}", f"{link!r} {wrong}")
    listed = ", ".join(f"{host} {count}" for host, count in hosts.most_common())
    print(f"links: to other hosts, not asked: {listed or 'none'}")
    return [
        Row("links", f"wrong among {inside} links inside", str(faults), "0", ok=not faults),
        Row("links", "ids that stand twice on a page", str(twice), "0", ok=not twice),
        Row("links", "links to other hosts, not asked", str(hosts.total()), "-", ok=True),
    ]
