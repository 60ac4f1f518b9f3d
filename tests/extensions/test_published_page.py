import re
from dataclasses import replace
from pathlib import Path

import pytest
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

import published

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


def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **changes: str) -> tuple[str, str]:
    """Build a page with the entry, changed; return its text and the warnings."""
    monkeypatch.setattr(published, "load", lambda: [replace(ENTRY, **changes)])  # type: ignore[arg-type]
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
    with docutils_namespace(), (tmp_path / "log").open("w") as log:
        app = Sphinx(
            str(source), str(source), str(tmp_path / "html"), str(tmp_path / "doctrees"), "html",
            status=None, warning=log,
        )  # fmt: skip
        app.build()
    assert "A half</span></a>" in (tmp_path / "html/chapters/01-one.html").read_text()
    said = re.sub(r"\x1b\[[0-9;]*m", "", (tmp_path / "log").read_text())
    html = (tmp_path / "html/index.html").read_text()
    return " ".join(re.sub(r"<[^>]+>", " ", html).split()), said


def test_printed_and_computed_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, said = build(tmp_path, monkeypatch)
    assert said == ""
    assert "quantity printed ours difference half 0.50, -.5 0.5000, -0.500 −0.0004" in text
    assert "It recomputes. It is known." in text
    assert "Source: Somebody (1951), Halves; seen in the book. For chapter 1 ." in text


def test_a_misprint_and_a_derived_value_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, said = build(tmp_path, monkeypatch, origin="derived")
    assert said == ""
    assert "expected ours difference" in text
    assert "not counted as published" in text


@pytest.mark.parametrize(
    "changes",
    [{"kind": "published-value-not-reproduced"}, {"tolerance": {"abs": 1e-9}}],
)
def test_a_verdict_that_no_longer_holds_is_a_located_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
) -> None:
    _, said = build(tmp_path, monkeypatch, **changes)
    assert "index.md:3: WARNING: ch01-half is listed as" in said
    assert "[published.verdict]" in said
