"""Printed and computed numbers on the page: side by side, and each with its verdict."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sphinx.environment import BuildEnvironment

import published
from tests.extensions import toy

ENTRY = published.Published(
    id="ch01-half",
    title="A half",
    statement="What a half is",
    source="Somebody (1951), Halves",
    chapter=1,
    kind="golden",
    origin="published",
    expected={"half": ["0.50", "-.5"]},
    tolerance={"abs": 0.001},
    confirmed="seen in the book",
    note="It is known.",
)


def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[str, str]:
    """Build a page with the entry, changed; return its text and the warnings."""
    monkeypatch.setattr(published, "load", lambda: [replace(ENTRY, **changes)])
    monkeypatch.setattr(published, "recompute", lambda _: {"half": [0.5, -0.5004]})
    source = tmp_path / "docs"
    (source / "chapters").mkdir(parents=True)
    (source / "conf.py").write_text(
        "extensions = ['myst_parser', '_extensions.published_numbers']\nhtml_theme = 'basic'\n"
    )
    (source / "chapters" / "01-one.md").write_text("# One\n\nSee {ref}`ch01-half`.\n")
    (source / "index.md").write_text(
        "# All\n\n```{published-numbers}\n```\n\n```{toctree}\nchapters/01-one\n```\n"
    )
    out, said, _ = toy.build(source)
    assert "A half</span></a>" in (out / "chapters/01-one.html").read_text()
    html = (out / "index.html").read_text()
    return " ".join(re.sub(r"<[^>]+>", " ", html).split()), said


def test_printed_and_computed_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, said = build(tmp_path, monkeypatch)
    assert said == ""
    assert "quantity printed ours difference half 0.50, -.5 0.5000, -0.500 −0.0004" in text
    assert "It recomputes. It is known." in text
    assert "Source: Somebody (1951), Halves; seen in the book. For chapter 1 ." in text


def test_depends_on_what_computes_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: set[str] = set()
    monkeypatch.setattr(BuildEnvironment, "note_dependency", lambda _, path: noted.add(path))
    build(tmp_path, monkeypatch)
    names = {"/".join(Path(path).parts[-2:]) for path in noted}
    assert {"published/chapter01.py", "primer_ref/information.py"} <= names


def test_a_misprint_and_a_derived_value_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, said = build(
        tmp_path / "misprint",
        monkeypatch,
        kind="published-value-not-reproduced",
        tolerance={"abs": 1e-9},
    )
    assert said == ""
    assert "The printed value does not recompute." in text
    text, said = build(tmp_path / "derived", monkeypatch, origin="derived")
    assert said == ""
    assert "expected ours difference" in text
    assert "not counted as published" in text


@pytest.mark.parametrize(
    "changes",
    [{"kind": "published-value-not-reproduced"}, {"tolerance": {"abs": 1e-9}}],
)
def test_a_verdict_that_no_longer_holds_is_a_located_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    _, said = build(tmp_path, monkeypatch, **changes)
    assert "index.md:3: WARNING: ch01-half is listed as" in said
    assert "[published.verdict]" in said
