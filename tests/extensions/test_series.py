"""The series: its index, the line of a chapter, its feed, and front matter that is refused."""

import re
import uuid
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from urllib.parse import urljoin
from xml.etree import ElementTree as ET

import feedparser
import pytest

from _extensions.articles import ArticleError, read_folder
from tests.extensions.toy import build

DOCS = Path(__file__).parents[2] / "docs"
A = "{http://www.w3.org/2005/Atom}"
FRONT = """\
# Front

```{series}
```

```{toctree}
:glob:

chapters/*
other
```
"""


def chapter(position: int, **changes: str | None) -> str:
    """Write one chapter; a change of None leaves the key out."""
    front = {
        "title": f"Chapter about {position}",
        "number": f"{position}",
        "needs": "[1]" if position > 1 else "[]",
        "date": f"2026-03-{position + 1:02d}",
        "status": "coming",
        "summary": f"Summary of {position}, with < & >.",
    }
    lines = [f"{key}: {value}" for key, value in (front | changes).items() if value is not None]
    return "\n".join(["---", *lines, "---", "", "```{coming}", "```", ""])


@pytest.fixture
def book(tmp_path: Path) -> Path:
    """Lay out a toy book of four chapters."""
    source = tmp_path / "docs"
    (source / "chapters").mkdir(parents=True)
    (source / "conf.py").write_text(
        'project = "Toy & Co"\nauthor = "Somebody"\nhtml_theme = "basic"\n'
        'extensions = ["myst_parser", "_extensions.series"]\nmyst_title_to_header = True\n'
    )
    (source / "index.md").write_text(FRONT)
    # Sphinx writes a page with a toctree again whatever changes below it; this one has none.
    (source / "other.md").write_text("# Other\n\n```{series}\n:order: newest\n```\n")
    for number in range(4):
        (source / "chapters" / f"{number:02d}-topic.md").write_text(chapter(number))
    return source


def links(html: str) -> list[str]:
    """Targets of the entries of the series' lists."""
    return re.findall(r'<strong><a class="reference internal" href="([^"]+)"', html)


def test_index_in_both_orders(book: Path) -> None:
    out, said, _ = build(book)
    assert said == ""
    reading = [f"chapters/{n:02d}-topic.html" for n in range(4)]
    for page, order in (("index", reading), ("other", reading[::-1])):
        html = (out / f"{page}.html").read_text()
        assert links(html) == order
        assert html.count("Total of 4 articles: 0 finished, 4 coming.") == 1
        assert html.count("Summary of 2, with &lt; &amp; &gt;.") == 1
        assert html.count('<span class="coming">coming</span>') == 4
        assert "March 3, 2026" in html


def test_only_the_site_has_a_feed(book: Path) -> None:
    assert (build(book)[0] / "feed.xml").exists()
    out, _, written = build(book, "epub")
    assert "index" in written
    assert not (out / "feed.xml").exists()


def test_a_brief_index_has_no_summaries(book: Path) -> None:
    (book / "other.md").write_text("# Other\n\n```{series}\n:order: newest\n:brief:\n```\n")
    out, said, _ = build(book)
    assert said == ""
    html = (out / "other.html").read_text()
    assert links(html) == [f"chapters/{n:02d}-topic.html" for n in (3, 2, 1, 0)]
    assert "Summary of" not in html


def test_nothing_is_said_of_the_coming_when_all_is_finished(book: Path) -> None:
    for number in range(4):
        text = chapter(number, status="finished").replace("```{coming}\n```", "Text.")
        (book / f"chapters/{number:02d}-topic.md").write_text(text)
    assert "<p>Total of 4 articles.</p>" in (build(book)[0] / "index.html").read_text()


def test_facts_in_a_sentence_follow_the_front_matter(book: Path) -> None:
    names = ("total", "chapters", "opening", "first", "last")
    (book / "other.md").write_text(f"# Other\n\n{'; '.join(f'{{series}}`{n}`' for n in names)}.\n")
    out, said, _ = build(book)
    assert said == ""
    days = "March 1, 2026; March 2, 2026; March {}, 2026"
    assert f"<p>4; 3; {days.format(4)}.</p>" in (out / "other.html").read_text()
    (book / "chapters/04-new.md").write_text(chapter(4))
    out, _, written = build(book)
    assert "other" in written
    assert f"<p>5; 4; {days.format(5)}.</p>" in (out / "other.html").read_text()


def test_an_unknown_fact_is_a_located_warning(book: Path) -> None:
    (book / "other.md").write_text("# Other\n\n{series}`pages`\n")
    said = build(book)[1]
    assert "other.md:3: WARNING: the series tells total, chapters, opening" in said
    assert "got 'pages' [series.fact]" in said


def test_a_reading_without_a_build_finds_the_same(book: Path) -> None:
    found = read_folder(book / "chapters")
    assert [article.number for article in found] == [0, 1, 2, 3]
    assert [article.needs for article in found] == [(), (), (1,), (1,)]
    assert found[2].docname == "chapters/02-topic"
    (book / "chapters/02-topic.md").write_text(chapter(2, needs="[2]"))
    with pytest.raises(ArticleError, match="2 is not before 2"):
        read_folder(book / "chapters")


def test_chapter_has_its_line_and_the_body_of_a_coming_one(book: Path) -> None:
    (book / "chapters/02-topic.md").write_text(
        chapter(2, status="finished").replace("```{coming}\n```", "Text.")
    )
    out, said, _ = build(book)
    assert said == ""
    coming = (out / "chapters/01-topic.html").read_text()
    assert re.search(
        r'article-line">Chapter 1 · March 2, 2026 · previous: <a [^>]*href="00', coming
    )
    assert re.search(r'next: <a [^>]*href="02-topic.html".*\(March 3, 2026\)', coming)
    assert "Summary of 1" in coming
    assert re.search(r'not yet written. <a class="reference internal" href="../index.html"', coming)
    finished = (out / "chapters/02-topic.html").read_text()
    assert "not yet written" not in finished
    assert "Opening post · March 1, 2026 · next" in (out / "chapters/00-topic.html").read_text()
    assert "3 coming." in (out / "index.html").read_text()


def test_a_new_file_is_all_that_a_chapter_needs(book: Path) -> None:
    build(book)
    (book / "chapters/04-new.md").write_text(chapter(4))
    out, said, written = build(book)
    assert said == ""
    assert written == {"index", "other", "chapters/04-new", "chapters/03-topic"}
    assert links((out / "index.html").read_text())[4] == "chapters/04-new.html"
    assert "04-new.html" in (out / "chapters/03-topic.html").read_text()
    assert len(ET.parse(out / "feed.xml").findall(f"{A}entry")) == 5


def test_a_changed_summary_refreshes_what_shows_it_and_no_more(book: Path) -> None:
    build(book)
    assert build(book)[2] == set()
    (book / "chapters/02-topic.md").write_text(chapter(2, summary="Another one."))
    out, _, written = build(book)
    assert written == {"index", "other", "chapters/02-topic"}
    assert (out / "other.html").read_text().count("Another one.") == 1
    assert "Another one." in (out / "feed.xml").read_text()


def test_a_changed_title_refreshes_the_neighbors(book: Path) -> None:
    build(book)
    (book / "chapters/02-topic.md").write_text(chapter(2, title="A new name"))
    out, _, written = build(book)
    assert written == {"index", "other"} | {f"chapters/{n:02d}-topic" for n in (1, 2, 3)}
    assert "A new name" in (out / "chapters/01-topic.html").read_text()


def test_parallel_and_serial_builds_agree(book: Path) -> None:
    for number in range(4, 9):
        (book / "chapters" / f"{number:02d}-topic.md").write_text(chapter(number))
    serial, parallel = build(book)[0], build(book, parallel=2)[0]
    pages = [path.relative_to(serial) for path in serial.rglob("*.html")] + [Path("feed.xml")]
    assert len(pages) > 9
    for page in pages:
        assert (serial / page).read_bytes() == (parallel / page).read_bytes(), page


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"summary": None}, "front matter lacks summary"),
        ({"date": None, "status": None}, "front matter lacks date, status"),
        ({"status": "draft"}, "status must be finished or coming; got 'draft'"),
        ({"status": "finished"}, "status is finished, but the body is {coming}"),
        ({"number": "two"}, "number must be whole"),
        ({"date": "'March 3'"}, "date YYYY-MM-DD"),
        ({"number": "1"}, "number 1 belongs to a file 01-….md; this is 02-topic"),
        ({"date": "2026-03-02"}, "date 2026-03-02 is chapters/01-topic's, too"),
        ({"date": "2026-03-01"}, "date 2026-03-01 is before that of chapters/01-topic"),
        ({"needs": None}, "front matter lacks needs"),
        ({"needs": "1, 3"}, "needs must list numbers of chapters, as in [1, 3]; got 1, 3"),
        ({"needs": "1"}, "needs must list numbers of chapters, as in [1, 3]; got 1"),
        ({"needs": "[true]"}, "needs must list numbers of chapters, as in [1, 3]; got [true]"),
        ({"needs": "[1, 0]"}, "needs must be in order, each chapter once; got [1, 0]"),
        ({"needs": "[1, 1]"}, "needs must be in order, each chapter once; got [1, 1]"),
        ({"needs": "[1, 3]"}, "needs must name earlier chapters; 3 is not before 2"),
        ({"needs": "[-1, 1]"}, "needs chapter -1, and there is no such chapter"),
    ],
)
def test_wrong_front_matter_is_a_located_warning_each_time(
    book: Path, changes: dict[str, str | None], message: str
) -> None:
    (book / "chapters/02-topic.md").write_text(chapter(2, **changes))
    for _ in range(2):  # the second build reads nothing again and must not forget
        said = build(book)[1]
        assert message in said
        assert "chapters/02-topic.md:1: WARNING" in said
        assert "[series.front_matter]" in said


def test_a_needed_chapter_that_is_gone_is_missed(book: Path) -> None:
    (book / "chapters/01-topic.md").unlink()
    said = build(book)[1]
    for number in (2, 3):
        place = f"{number:02d}-topic.md:1: WARNING"
        assert f"{place}: needs chapter 1, and there is no such chapter" in said


def test_duplicate_number(book: Path) -> None:
    (book / "chapters/02-twin.md").write_text(chapter(2, date="2026-03-13"))
    said = build(book)[1]
    assert "02-twin.md:1: WARNING: number 2 is chapters/02-topic's, too" in said


def check_feed(path: Path, base: str) -> ET.Element:
    """Check what RFC 4287 requires of a feed and its entries, and that links lead to pages."""
    root = ET.parse(path).getroot()
    assert root.tag == f"{A}feed"
    seen = set()
    for element in (root, *root.findall(f"{A}entry")):
        for tag in ("id", "title", "updated"):  # exactly one each
            (found,) = element.findall(f"{A}{tag}")
            assert found.text
        assert uuid.UUID(element.findtext(f"{A}id")).version == 5
        seen.add(element.findtext(f"{A}id"))
        stamp = datetime.fromisoformat(element.findtext(f"{A}updated", "").replace("Z", "+00:00"))
        assert stamp.tzinfo is not None
        (alternate,) = [e for e in element.findall(f"{A}link") if e.get("rel") == "alternate"]
        href = alternate.get("href", "")
        assert href.startswith(base)
        assert (path.parent / href.removeprefix(base)).is_file()
    assert root.findtext(f"{A}author/{A}name")
    (self_link,) = [e for e in root.findall(f"{A}link") if e.get("rel") == "self"]
    assert self_link.get("href") == urljoin(base, "feed.xml")
    assert len(seen) == 1 + len(root.findall(f"{A}entry"))
    for entry in root.findall(f"{A}entry"):
        assert entry.findtext(f"{A}summary")
    check_reading(path.read_bytes(), root)
    return root


def check_reading(feed: bytes, root: ET.Element) -> None:
    """Check that a feed reader finds nothing wrong, and finds everything."""
    read = feedparser.parse(feed)
    assert not read.bozo
    assert read.version == "atom10"
    assert read.feed.author == root.findtext(f"{A}author/{A}name")
    assert read.feed.language == "en"
    assert {link.rel for link in read.feed.links} == {"self", "alternate"}
    entries = root.findall(f"{A}entry")
    for found, entry in zip(read.entries, entries, strict=True):
        assert found.title == entry.findtext(f"{A}title")
        assert found.id == entry.findtext(f"{A}id")
        assert found.updated_parsed[:6] == (*map(int, found.updated[:10].split("-")), 0, 0, 0)
        (link,) = entry.findall(f"{A}link")
        assert found.link == link.get("href")
        assert found.summary_detail.type == "text/plain"


@pytest.mark.parametrize("base", ["", "https://example.org/en/latest"])
def test_feed_is_valid_and_newest_first(book: Path, base: str) -> None:
    out, _, _ = build(book, html_baseurl=base)
    root = check_feed(out / "feed.xml", f"{base}/" if base else "")
    times = [entry.findtext(f"{A}updated") for entry in root.findall(f"{A}entry")]
    assert times == sorted(times, key=str, reverse=True)
    assert root.findtext(f"{A}updated") == times[0] == "2026-03-04T00:00:00Z"
    terms = {e.get("term") for e in root.iter(f"{A}category")}
    assert terms == {"coming"}


def test_every_page_announces_the_feed(book: Path) -> None:
    out, _, _ = build(book)
    tag = '<link rel="alternate" type="application/atom+xml" title="Toy &amp; Co" href="{}">'
    assert tag.format("feed.xml") in (out / "index.html").read_text()
    assert tag.format("../feed.xml") in (out / "chapters/01-topic.html").read_text()


def test_the_series_of_this_book(book: Path) -> None:
    """The real front matter, without the chapters' bodies."""
    for toy in (book / "chapters").iterdir():
        toy.unlink()
    for path in (DOCS / "chapters").glob("*.md"):
        _, front, body = path.read_text(encoding="utf-8").split("---\n", 2)
        body = body if "{coming}" in body else "Text."
        (book / "chapters" / path.name).write_text(f"---\n{front}---\n\n{body}\n")
    out, said, _ = build(book)
    assert said == ""
    reading = links((out / "index.html").read_text())
    series = read_folder(DOCS / "chapters")
    assert [href[9:11] for href in reading] == [f"{number:02d}" for number in range(len(series))]
    assert links((out / "other.html").read_text()) == reading[::-1]
    assert len(check_feed(out / "feed.xml", "").findall(f"{A}entry")) == len(series)
    assert series[0].date == date(2026, 3, 2)
    assert {(b.date - a.date).days for a, b in pairwise(series)} == {1}  # one article a day
    assert all(article.needs for article in series[2:])
