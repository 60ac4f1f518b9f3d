"""What stands in the search's index, and what the glossary lacks there."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.extensions import toy

CHAPTER = """\
# Chapter

## Why a logarithm

```{index} ! entropy, ! nat, aside
```

Because.

```{index} ! not under a heading
```

More.
"""
GLOSSARY = "# Glossary\n\n```{glossary}\nentropy\n  A mean.\n\nNat\n  A unit.\n```\n"
FUNCTION = "# Code\n\n```{py:function} entropy(p)\nA mean.\n```\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Lay out a chapter, a glossary, a function and a listing of tests."""
    source = tmp_path / "docs"
    pages = {
        "conf.py": "extensions = ['myst_parser', '_extensions.search']\nhtml_theme = 'basic'\n",
        "index.md": "# Book\n\n```{toctree}\n:glob:\n\n*/*\n*/*/*\n```\n",
        "chapters/1.md": CHAPTER,
        "appendix/glossary.md": GLOSSARY,
        "reference/code.md": FUNCTION,
        "reference/tests/code.md": "# Tests of code\n\nA zebra.\n",
    }
    for name, text in pages.items():
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return source


def build(source: Path) -> tuple[Path, str]:
    """Build; return the output and the warnings."""
    return toy.build(source)[:2]


def read_index(out: Path) -> dict[str, Any]:
    """Read what the search reads."""
    script = (out / "searchindex.js").read_text()
    index: dict[str, Any] = json.loads(script.removeprefix("Search.setIndex(").removesuffix(")"))
    return index


def test_a_main_entry_leads_to_its_section(source: Path) -> None:
    out, said = build(source)
    assert said == ""
    index = read_index(out)
    chapter, glossary = map(index["docnames"].index, ("chapters/1", "appendix/glossary"))
    assert index["indexentries"] == {
        "entropy": [[glossary, "term-entropy", True], [chapter, "why-a-logarithm", True]],
        "nat": [[glossary, "term-Nat", True], [chapter, "why-a-logarithm", True]],
        "not under a heading": [[chapter, "why-a-logarithm", True]],
    }
    html = (out / "chapters" / "1.html").read_text()
    assert 'id="index-' not in html
    assert 'href="chapters/1.html#why-a-logarithm">aside' in (out / "genindex.html").read_text()


def test_entries_of_pages_that_are_not_written_again_stay(source: Path) -> None:
    before = read_index(build(source)[0])["indexentries"]
    code = source / "reference" / "code.md"
    code.write_text(code.read_text() + "\nMore.\n")
    assert read_index(build(source)[0])["indexentries"] == before != {}


def test_functions_are_objects_and_stay_in_the_general_index(source: Path) -> None:
    out, _ = build(source)
    assert [[entry[4] for entry in part] for part in read_index(out)["objects"].values()] == [
        ["entropy"]
    ]
    assert "entropy()" in (out / "genindex.html").read_text()


def test_listings_of_tests_are_left_out(source: Path) -> None:
    out, _ = build(source)
    index = read_index(out)
    assert "zebra" not in index["terms"]
    assert "Tests of code" not in index["alltitles"]


def test_a_term_that_no_section_explains_is_a_warning_each_time(source: Path) -> None:
    page = source / "chapters" / "1.md"
    page.write_text(page.read_text().replace("! nat, aside", "nat"))
    for _ in range(2):
        said = build(source)[1]
        assert "no section has a main index entry for 'Nat'; write {index} ! Nat under" in said
        assert "appendix/glossary.md" in said
        assert "'entropy'" not in said


def test_the_script_is_in_the_page(source: Path) -> None:
    out, _ = build(source)
    assert "const findSections" in (out / "_static" / "language_data.js").read_text()
