"""The judges of the built book judge rightly: what they do without a browser, on small cases."""

import json
from pathlib import Path

import pytest

from tests.site import vnu
from tests.site.headers import POLICY, shipped
from tests.site.links import Page, judge
from tests.site.report import Row, table, write

ROWS = [
    Row("axe", "violations", "0", "0", ok=True),
    Row("weight", "HTML", "86 KB", "<= 80 KB", ok=False),
]


def test_the_table_is_aligned_and_marks_what_is_red(tmp_path: Path) -> None:
    assert table(ROWS).splitlines() == [
        "judge   what        figure  limit",
        "------  ----------  ------  --------  ---",
        "axe     violations  0       0         ok",
        "weight  HTML        86 KB   <= 80 KB  RED",
    ]
    write(ROWS, tmp_path / "new" / "rows.json")
    stored = json.loads((tmp_path / "new" / "rows.json").read_text())
    assert [Row(**row) for row in stored] == ROWS


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """One page with a good link of each kind, beside what it leads to."""
    files = {
        "versions.js": "",
        "0.1.0/index.html": "",
        "latest/a.html": '<h1 id="top of it"></h1>'
        '<a href="#top%20of%20it">1</a> <a href="#top">2</a> <a href="">3</a>'
        '<a href="deep/b.html?q=1#c&amp;d">4</a> <a href="deep/">5</a> '
        '<a href="/latest/a.html">6</a> <script src="../versions.js"></script>'
        '<img srcset="pic.svg 1x" src="data:image/png;base64,">'
        '<a href="https://example.org/none">7</a> <a href="mailto:a@example.org">8</a>',
        "latest/deep/b.html": "<p id='c&amp;d'></p>",
        "latest/deep/index.html": "",
        "latest/pic.svg": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "latest"


def links(book: Path) -> dict[str, str]:
    return {row.what: row.figure for row in judge(book, sorted(book.rglob("*.html")))}


def test_good_links_are_found_good(book: Path) -> None:
    assert links(book) == {
        "wrong among 8 links inside": "0",
        "ids that stand twice on a page": "0",
        "links to other hosts, not asked": "1",
    }


@pytest.mark.parametrize(
    ("link", "fault"),
    [
        ("deep/none.html", "leads to no file"),
        ("deep/none.html#c", "leads to no file"),
        ("#none", "leads to no place in its page"),
        ("deep/b.html#none", "leads to no place in its page"),
        ("../0.1.0/index.html", "leads into another version"),
        ("../none/index.html", "leads to no file"),
    ],
)
def test_a_wrong_link_is_reported_with_its_page_and_line(
    book: Path, link: str, fault: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (book / "wrong.html").write_text(f'<p>\n<a href="{link}">it</a>')
    assert links(book)["wrong among 9 links inside"] == "1"
    assert f"links: wrong.html:2: '{link}' {fault}" in capsys.readouterr().out


def test_an_id_may_stand_once(book: Path) -> None:
    (book / "twice.html").write_text('<p id="a"><b id="a"><i id=""><svg id="b">')
    assert links(book)["ids that stand twice on a page"] == "2"
    assert Page('<p id="a"><b id="a">').ids == {"a": 2}


def test_only_the_named_errors_are_excused() -> None:
    excused = "Attribute “displaystyle” not allowed on element “mrow” at this point."
    assert vnu.excuse(excused) in vnu.FALSE
    assert vnu.excuse(excused.replace("mrow", "div")) is None
    assert vnu.excuse(excused.replace("displaystyle", "align")) is None


@pytest.mark.parametrize("place", [".", ".."])
@pytest.mark.parametrize("address", ["/*", "/latest/*"])
def test_the_headers_for_all_pages_are_read(tmp_path: Path, place: str, address: str) -> None:
    book = tmp_path / "latest"
    book.mkdir()
    assert shipped(book) == {}
    lines = [
        "# comment: none",
        address,
        f"  Content-Security-Policy: {POLICY}",
        "/x/*",
        "  Other: 1",
    ]
    (book / place / "_headers").write_text("\n".join(lines))
    assert shipped(book) == {"Content-Security-Policy": POLICY}
