"""Descriptions, tags, site map, picture and the page for missing addresses, of a toy book."""

import shutil
import struct
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from _extensions.descriptions import LONGEST, SHORTEST, fitted
from _extensions.social_card import SIZE, social_card
from tests.extensions import toy

CONF = """\
project = "Toy"
extensions = [
    "myst_parser", "sphinx.ext.viewcode", "sphinx.ext.autodoc", "_extensions.page_metadata",
    "_extensions.not_found", "_extensions.versions",
]
html_theme = "furo"
autodoc_default_options = {"members": True}
myst_title_to_header = True
templates_path = ["_templates"]
copyright = "2026, Toy"
"""
SWITCHER = Path(__file__).parents[2] / "docs" / "_templates" / "sidebar" / "versions.html"
PAGES = {
    "index": "# Front & back\n\nWhat a toy is good for, in two words. It has *four* pages. No page "
    "has more to say than the page before it, and it takes its time to say that there is nothing "
    "to say.\n\n"
    "```{toctree}\nchapters/00-start\nreference/api/toy\nreference/tests/test_toy\n```\n",
    "chapters/00-start": "---\ntitle: Start\nnumber: 0\nneeds: []\ndate: 2026-03-01\n"
    'status: finished\nsummary: The "first" steps; many words about them; and then many words '
    "about everything else that can be said; and then again more words than would fit; in the "
    "end, no more."
    "\n---\n\nText.\n",
    "reference/api/toy": "# toy_code\n\n```{eval-rst}\n.. automodule:: toy_code\n```\n",
    "reference/tests/test_toy": "# Tests of toy\n\n```python\n1 + 1\n```\n",
}
CODE = '"""A module: what it does, and why. And more."""\n\n\ndef f() -> None:\n    """Do it."""\n'
BASE = "https://example.org/en/1.0"


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay out the toy book."""
    source = tmp_path / "docs"
    for name, text in PAGES.items():
        path = source / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (source / "_templates" / "sidebar").mkdir(parents=True)
    shutil.copy(SWITCHER, source / "_templates" / "sidebar")
    (source / "conf.py").write_text(CONF)
    (source / "toy_code.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(source))
    return source


def build(source: Path, builder: str = "html", **config: Any) -> Path:
    """Build the toy without a warning."""
    out, said, _ = toy.build(source, builder, **config)
    assert said == ""
    return out


class Head(HTMLParser):
    """The tags of a page's head, and every address in the page."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: dict[str, str] = {}
        self.canonical: list[str] = []
        self.addresses: list[str] = []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "meta" and "content" in given:
            name = given.get("name") or given.get("property", "")
            assert name == "viewport" or name not in self.tags
            self.tags[name] = given["content"]
        if given.get("rel") == "canonical":
            self.canonical.append(given["href"])
        self.addresses += [given[key] for key in ("href", "src", "action") if key in given]


def test_every_page_has_a_description_of_its_own(book: Path) -> None:
    out = build(book)
    heads = {path.relative_to(out).as_posix(): Head(path) for path in out.rglob("*.html")}
    about = {name: head.tags["description"] for name, head in heads.items()}
    assert {"genindex.html", "search.html", "_modules/toy_code.html", "404.html"} <= about.keys()
    assert len(set(about.values())) == len(about)
    assert all(SHORTEST <= len(text) <= LONGEST for text in about.values())
    assert all(head.tags["og:description"] == about[name] for name, head in heads.items())
    assert about["index.html"] == "What a toy is good for, in two words. It has four pages."
    assert about["chapters/00-start.html"] == (
        'The "first" steps; many words about them; and then many words about everything else that '
        "can be said; and then again more words than would fit."
    )
    said = about["reference/api/toy.html"]
    assert said == "A module: what it does, and why. Module toy_code of Toy."


def test_tags_without_an_address(book: Path) -> None:
    out = build(book)
    head = Head(out / "index.html")
    assert head.tags["og:title"] == "Front & back"
    assert head.tags["og:type"] == "website"
    assert head.tags["og:site_name"] == "Toy"
    assert head.tags["twitter:card"] == "summary"
    assert not head.canonical
    assert not {"og:url", "og:image"} & head.tags.keys()
    chapter = Head(out / "chapters" / "00-start.html").tags
    assert chapter["og:type"] == "article"
    assert chapter["article:published_time"] == "2026-03-01"
    assert not (out / "sitemap.xml").exists()
    assert not (out / "_static" / "card.png").exists()


def test_tags_with_an_address(book: Path) -> None:
    out = build(book, html_baseurl=f"{BASE}/")
    for path in out.rglob("*.html"):
        name = path.relative_to(out).as_posix()
        head = Head(path)
        if name == "404.html":
            assert not head.canonical
            assert head.tags["robots"] == "noindex"
            continue
        assert head.canonical == [head.tags["og:url"]] == [f"{BASE}/{name}"]
        assert head.tags["og:image"] == f"{BASE}/_static/card.png"
        assert head.tags["twitter:card"] == "summary_large_image"


def test_the_picture_is_as_large_as_it_says_and_always_the_same(book: Path) -> None:
    picture = (build(book, html_baseurl=BASE) / "_static" / "card.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", picture[16:24]) == SIZE
    again = book / "again.png"
    social_card().savefig(again, metadata={"Software": None})
    assert again.read_bytes() == picture
    assert b"atplotlib" not in picture


def test_the_site_map_lists_what_somebody_wrote(book: Path) -> None:
    """Check what the schema of sitemaps.org requires, and that the pages are there."""
    out = build(book, html_baseurl=BASE)
    root = ET.parse(out / "sitemap.xml").getroot()
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    assert root.tag == f"{space}urlset"
    assert all([child.tag for child in url] == [f"{space}loc"] for url in root)
    assert {url.tag for url in root} == {f"{space}url"}
    places = [url.findtext(f"{space}loc", "") for url in root]
    assert places == [f"{BASE}/{name}.html" for name in sorted(PAGES)]
    assert all(12 <= len(place) <= 2048 for place in places)
    assert all((out / place.removeprefix(f"{BASE}/")).is_file() for place in places)
    assert not (build(book) / "sitemap.xml").exists()


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({}, "/"),
        ({"versions_current": "latest"}, "/latest/"),
        ({"html_baseurl": BASE, "versions_current": "latest"}, "/en/1.0/"),
        ({"html_baseurl": "https://example.org"}, "/"),
    ],
)
def test_the_page_for_missing_addresses_works_at_any_depth(
    book: Path, config: dict[str, str], path: str
) -> None:
    out = build(book, **config)
    page = out / "404.html"
    for address in Head(page).addresses:
        if not urlsplit(address).scheme and not address.startswith("#"):
            assert address == urljoin(path, address)
            beside = "/".join(path.split("/")[:-2]) + "/versions."
            if not address.startswith(beside):  # those lie beside the versions
                local = urlsplit(address.removeprefix(path)).path
                assert (out / local).is_file(), address
    assert f'data-content_root="{path}"' in page.read_text()
    before = page.read_bytes()
    assert build(book, **config) == out
    assert page.read_bytes() == before


def test_other_builders_are_left_alone(book: Path) -> None:
    out = build(book, "epub", version="1", html_baseurl=BASE)
    assert not {"404.xhtml", "sitemap.xml"} & {path.name for path in out.rglob("*")}
    assert "og:" not in (out / "index.xhtml").read_text()


@given(st.text(alphabet="aB.;, ", min_size=SHORTEST))
def test_descriptions_fit(text: str) -> None:
    kept = fitted(text)
    assert len(kept) <= LONGEST or " " not in kept
    stem = kept.removesuffix(" …").removesuffix(".")
    assert " ".join(text.split()).startswith(stem)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Short.", "Short."),
        ("A first sentence of some length, " * 4 + "ends. Second.", None),
        ("word " * 40, "word " * 31 + "word …"),
        ("clause of many words, " * 12, ("clause of many words, " * 7)[:-2] + " …"),
    ],
)
def test_descriptions_are_cut_where_something_ends(text: str, kept: str | None) -> None:
    assert fitted(text) == (text.strip() if kept is None else kept)
