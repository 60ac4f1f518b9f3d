"""What must hold on every page of the real book, once it is built as ``nox -s docs`` builds it."""

import importlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sphinx.util.inventory import InventoryFile

import primer_ref
from tests.site import links

ROOT = Path(__file__).parents[2]
FETCHED = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("object", "data"),
}
# Relations of a <link> that a browser does not follow on its own.
PASSIVE = {"alternate", "canonical", "index", "search", "next", "prev", "license", "author"}


class Page(HTMLParser):
    """What the checks need to know of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.fetched: list[str] = []
        self.pictures: list[str | None] = []
        self.titles: list[str] = []
        self.headings = 0
        self.language: str | None = None
        self._inside_title = False
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.headings += tag == "h1"
        self._inside_title = tag == "title"
        if tag == "html":
            self.language = given.get("lang")
        elif tag == "img":
            self.pictures.append(given.get("alt"))
        elif tag == "link" and not set((given.get("rel") or "").split()) & PASSIVE:
            self.fetched.append(given.get("href") or "")
        self.fetched += [
            given[key] or "" for name, key in FETCHED if tag == name and given.get(key)
        ]
        self.fetched += [part.split()[0] for part in (given.get("srcset") or "").split(",") if part]
        self.fetched += fetched_by_css(given.get("style") or "")

    def handle_data(self, data: str) -> None:
        if self._inside_title and data.strip():
            self.titles.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._inside_title = False


def fetched_by_css(css: str) -> list[str]:
    """Addresses in ``url(...)`` and ``@import``."""
    found = re.findall(r"""url\(\s*["']?([^"')]+)|@import\s+["']([^"']+)""", css)
    return [address for pair in found for address in pair if address]


@pytest.fixture(scope="module")
def pages(built_book: Path) -> dict[str, Page]:
    """Parse every page."""
    return {
        path.relative_to(built_book).as_posix(): Page(path)
        for path in sorted(built_book.rglob("*.html"))
    }


def offenders(found: Iterator[tuple[str, object]]) -> str:
    return "\n".join(f"{page}: {what}" for page, what in found)


def test_every_chapter_has_its_page(pages: dict[str, Page]) -> None:
    chapters = {path.stem for path in (ROOT / "docs" / "chapters").glob("*.md")}
    assert {f"latest/chapters/{name}.html" for name in chapters} <= pages.keys()


def test_nothing_is_fetched_from_another_host(built_book: Path, pages: dict[str, Page]) -> None:
    fetched = [(name, address) for name, page in pages.items() for address in page.fetched]
    for sheet in [*built_book.rglob("*.css"), *built_book.rglob("*.svg")]:
        css = sheet.read_text(encoding="utf-8")
        fetched += [
            (sheet.relative_to(built_book).as_posix(), address) for address in fetched_by_css(css)
        ]
    assert len(fetched) > len(pages)
    assert not offenders(
        (name, address)
        for name, address in fetched
        if urlsplit(address).netloc or urlsplit(address).scheme not in {"", "data"}
    )


def test_links_lead_somewhere_and_ids_stand_once(
    built_book: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    latest = built_book / "latest"
    rows = links.judge(latest, sorted(latest.rglob("*.html")))
    assert all(row.ok for row in rows), capsys.readouterr().out


def test_every_page_can_be_read_aloud(pages: dict[str, Page]) -> None:
    wrong = [(name, "title") for name, page in pages.items() if not page.titles]
    wrong += [(name, "language") for name, page in pages.items() if page.language != "en"]
    wrong += [(name, "picture") for name, page in pages.items() if not all(page.pictures)]
    # Sphinx writes the heading of the search page by script.
    wrong += [
        (name, f"{page.headings} first headings")
        for name, page in pages.items()
        if page.headings != 1 and not name.endswith("/search.html")
    ]
    assert not offenders(iter(wrong))


def test_equations_are_numbered_and_linked(pages: dict[str, Page]) -> None:
    equation = re.compile(r'<div class="math[^>]* id="equation-(eq-[^"]+)">')
    wrong = []
    for number in (1, 4):
        (name,) = (name for name in pages if name.startswith(f"latest/chapters/{number:02d}-"))
        _, *parts = equation.split(pages[name].text)
        labels, bodies = parts[::2], parts[1::2]
        assert len(labels) >= 20
        for position, (label, body) in enumerate(zip(labels, bodies, strict=True), start=1):
            if f'<span class="eqno">({number}.{position})' not in body:
                wrong.append((name, f"{label} is not ({number}.{position})"))
            line = re.search(r'<div class="equation-links[^>]*>\s*<p>(.*?)</p>', body, re.DOTALL)
            if not (line and "<a " in line[1]):
                wrong.append((name, f"{label} has no link to what implements or checks it"))
    assert not offenders(iter(wrong))


def test_every_public_name_is_in_the_reference(built_book: Path) -> None:
    with (built_book / "latest" / "objects.inv").open("rb") as file:
        inventory = InventoryFile.load(file, "", lambda base, target: base + target)
    documented = {name for kind, names in inventory.items() if kind[:3] == "py:" for name in names}
    package = Path(primer_ref.__file__).parent
    modules = {path.stem for path in package.glob("*.py") if not path.stem.startswith("__")}
    assert {f"primer_ref.{module}" for module in modules} <= documented
    public = {
        f"primer_ref.{module}.{name}"
        for module in modules
        for name in importlib.import_module(f"primer_ref.{module}").__all__
    }
    assert not sorted(public - documented)
