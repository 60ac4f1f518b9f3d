"""What the pages of the real book say of themselves to search engines and other programs."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


class Head(HTMLParser):
    """What stands in the head of a page: the contents of its tags, and where its copies lie."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.tags: dict[str, str] = {}
        self.copies: list[str] = []
        self.feed(page.read_text(encoding="utf-8").partition("<body")[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "meta" and "content" in given:
            self.tags[given.get("name") or given.get("property", "")] = given["content"]
        if tag == "link" and given.get("type") == "text/markdown":
            self.copies.append(given["href"])


@pytest.fixture(scope="module")
def heads(built_book: Path) -> dict[Path, Head]:
    """Read the head of every page of the working copy."""
    return {path: Head(path) for path in sorted((built_book / "latest").rglob("*.html"))}


def test_every_page_has_a_description_of_its_own(heads: dict[Path, Head]) -> None:
    described: dict[str, Path] = {}
    for path, head in heads.items():
        text = head.tags["description"]
        assert 50 <= len(text) <= 160, (path, text)
        assert text not in described, (path, described[text])
        assert head.tags["og:description"] == text
        assert head.tags["og:title"], path
        described[text] = path


def test_every_document_names_its_copy(heads: dict[Path, Head]) -> None:
    for path, head in heads.items():
        copy = path.with_suffix(".md")
        found = [(path.parent / address).resolve() for address in head.copies]
        assert found == ([copy.resolve()] if copy.is_file() else []), path


def test_the_index_for_programs_lists_every_document(built_book: Path) -> None:
    text = (built_book / "latest" / "llms.txt").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[.+\]\((\S+)\): .+$", text, flags=re.MULTILINE)
    parts = ("appendix", "chapters", "reference")
    files = (path for part in parts for path in (DOCS / part).rglob("*.md"))
    assert len(listed) == len(set(listed))
    assert set(listed) == {path.relative_to(DOCS).as_posix() for path in files}
    series = [name for name in listed if name.startswith("chapters/")]
    assert series == sorted(series) == listed[: len(series)]
    assert len(text) < 50_000  # it is meant to be read at once
