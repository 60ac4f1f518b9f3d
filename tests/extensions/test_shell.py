"""The frame: nothing inline, one stylesheet, one bundle of scripts, whatever the build."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from _extensions import bundle

BuildToy = Callable[..., str]
PLAIN = "chapters/02-two.html"


class Inline(HTMLParser):
    """Collect what a strict Content-Security-Policy forbids, and what a page fetches."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forbidden: list[str] = []
        self.styles: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script" and given.get("src"):
            self.scripts.append(given["src"] or "")
        elif tag in {"script", "style"}:
            self.forbidden.append(self.get_starttag_text() or "")
        if tag == "link" and given.get("rel") == "stylesheet":
            self.styles.append(given["href"] or "")
        self.forbidden += [
            f"{tag} {name}={value}"
            for name, value in attrs
            if name == "style" or name.startswith("on") or (value or "").startswith("javascript:")
        ]


def pages(folder: Path) -> dict[str, str]:
    html = folder / "html"
    return {path.relative_to(html).as_posix(): path.read_text() for path in html.rglob("*.html")}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, build_toy: BuildToy) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    assert not build_toy(folder, "-W")
    return folder


def test_no_page_has_anything_inline(toy: Path) -> None:
    found = {name: Inline(text).forbidden for name, text in pages(toy).items()}
    assert {"search.html", "genindex.html", "py-modindex.html", "_modules/colorsys.html"} < set(
        found
    )
    assert not {name: forbidden for name, forbidden in found.items() if forbidden}


def test_a_page_has_one_stylesheet_and_two_scripts(toy: Path) -> None:
    page = Inline(pages(toy)[PLAIN])
    assert [re.sub(r"\?.*", "", style) for style in page.styles] == ["../_static/bundle.css"]
    assert [re.sub(r"\?.*", "", script) for script in page.scripts] == [
        "../_static/theme.js",
        "../_static/bundle.js",
    ]


def test_what_one_page_adds_stays_beside_the_bundle(toy: Path) -> None:
    assert "../_static/extra.js" in pages(toy)["chapters/01-one.html"]
    assert "extra.js" not in pages(toy)[PLAIN]


def test_addresses_carry_fingerprints_of_the_contents(toy: Path) -> None:
    page = Inline(pages(toy)["index.html"])
    for address in page.styles + page.scripts:
        name, _, fingerprint = address.partition("?v=")
        assert fingerprint == f"{zlib.crc32((toy / 'html' / name).read_bytes()):08x}"


def test_the_bundle_keeps_the_order_and_drops_the_maps(toy: Path) -> None:
    static = toy / "html" / "_static"
    css, script = (static / "bundle.css").read_text(), (static / "bundle.js").read_text()
    places = [css.index(mark) for mark in (".highlight", ".mobile-header", ".drawer-close", "Book")]
    assert places == sorted(places)
    assert css.index("--color-code-background: #") > css.index("Book Math")
    order = ("DOCUMENTATION_OPTIONS", "SphinxHighlight", "theme-toggle", "ClipboardJS", "popover")
    places = [script.index(mark) for mark in order]
    assert places == sorted(places)
    assert "sourceMappingURL" not in css + script
    assert not list(static.rglob("*.map"))


def test_the_search_page_has_its_own_scripts_and_a_heading(toy: Path) -> None:
    search = pages(toy)["search.html"]
    scripts = " ".join(Inline(search).scripts)
    assert all(name in scripts for name in ("searchtools.js", "language_data.js", "searchindex.js"))
    assert search.count("<h1>Search</h1>") == 1


def test_two_processes_write_the_same(toy: Path, tmp_path: Path, build_toy: BuildToy) -> None:
    # Sphinx writes in parallel from six pages on.
    source = tmp_path / "source"
    build_toy(tmp_path)
    for number in range(6):
        (source / f"more{number}.md").write_text(f"---\norphan: true\n---\n# More {number}\n")
    build_toy(tmp_path, "-j", "2", "-E", "-a")
    two = pages(tmp_path)
    assert {name: text for name, text in two.items() if name in pages(toy)} == pages(toy)


def test_a_later_build_makes_the_same_bundle(tmp_path: Path, build_toy: BuildToy) -> None:
    build_toy(tmp_path)
    before = pages(tmp_path)
    page = tmp_path / "source" / "reference.md"
    page.write_text(page.read_text() + "\nMore.\n")
    build_toy(tmp_path)
    after = pages(tmp_path)
    assert {name for name in after if after[name] != before[name]} == {"reference.html"}


def test_neighbors_say_number_date_and_state(tmp_path: Path, build_toy: BuildToy) -> None:
    def foot(page: str) -> str:
        nav = re.search(r'<nav class="related-pages".*?</nav>', pages(tmp_path)[page], re.DOTALL)
        assert nav
        return " ".join(re.sub(r"<[^>]+>", " ", nav[0]).split())

    build_toy(tmp_path)
    assert foot("chapters/01-one.html") == (
        "Next Chapter 2 February 2, 2026 coming Two Previous Toy"
    )
    assert "Previous Chapter 2 February 2, 2026 coming Two" in foot("reference.html")
    page = tmp_path / "source" / "chapters" / "02-two.md"
    page.write_text(page.read_text().replace("coming", "finished"))
    build_toy(tmp_path)
    for name in ("chapters/01-one.html", "reference.html"):
        assert "coming" not in foot(name)


@pytest.mark.parametrize(
    ("name", "css", "expected"),
    [
        ("_static/a.css", "x{src:url(fonts/f.woff2)}", 'x{src:url("fonts/f.woff2")}'),
        ("_static/deep/a.css", "url('../f.png')", 'url("deep/../f.png")'),
        ("_static/a.css", "url(data:image/png;base64,AA)", "url(data:image/png;base64,AA)"),
        ("_static/deep/a.css", "url(#mark) url(/x.png)", "url(#mark) url(/x.png)"),
    ],
)
def test_addresses_in_a_stylesheet(tmp_path: Path, name: str, css: str, expected: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(f"{css}\n/*# sourceMappingURL=a.css.map */\n")
    assert bundle.style(tmp_path, name).strip() == expected
