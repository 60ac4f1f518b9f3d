"""What the pages of the real book say of themselves to search engines and other programs."""

import re
from html import unescape
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def heads(built_book: Path) -> dict[str, str]:
    """Read the head of every page of the working copy."""
    latest = built_book / "latest"
    return {
        path.relative_to(latest).as_posix(): path.read_text(encoding="utf-8").partition("<body")[0]
        for path in sorted(latest.rglob("*.html"))
    }


def test_every_page_has_a_description_of_its_own(heads: dict[str, str]) -> None:
    described: dict[str, str] = {}
    for name, head in heads.items():
        (text,) = map(unescape, re.findall('<meta name="description" content="(.*?)">', head))
        assert 50 <= len(text) <= 160, (name, text)
        assert text not in described, (name, described[text])
        described[text] = name
        assert re.search('<meta property="og:title" content="[^"]+">', head), name


def test_every_document_names_its_copy(built_book: Path, heads: dict[str, str]) -> None:
    for name, head in heads.items():
        copies = re.findall('<link rel="alternate" type="text/markdown" .*?href="(.*?)">', head)
        copy = (built_book / "latest" / name).with_suffix(".md")
        assert len(copies) == copy.is_file(), name
        for address in copies:
            assert (copy.parent / address).resolve() == copy.resolve()


def test_the_index_for_programs_lists_every_document(built_book: Path) -> None:
    text = (built_book / "latest" / "llms.txt").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[.+\]\((\S+)\): .+$", text, flags=re.MULTILINE)
    parts = ("appendix", "chapters", "reference")
    files = (path for part in parts for path in (DOCS / part).rglob("*.md"))
    assert len(listed) == len(set(listed))
    assert set(listed) == {path.relative_to(DOCS).as_posix() for path in files}
    series = [name for name in listed if name.startswith("chapters/")]
    assert series == sorted(series) == listed[:15]
    assert len(text) < 50_000  # it is meant to be read at once
