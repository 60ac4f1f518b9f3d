"""Stored measurements on the page: numbers, passages, the index."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sphinx.testing.util import SphinxTestApp

Build = Callable[..., tuple[dict[str, str], str]]

CONF = (
    'extensions = ["myst_parser", "_extensions.measurements"]\nexclude_patterns = ["experiments"]\n'
)
PASSAGE = {
    "name": "short",
    "tokens": ["Sir", " <b>"],
    "surprisal": [0.5, 12.345],
    "entropy": [1.0, 2.5],
    "rank": [1, 1422],
}
RESULT: dict[str, Any] = {
    "rows": [{"size": 1234.5678, "name": "xz"}, {"size": -2, "shares": [[0.25, 0.5]]}],
    "passages": [PASSAGE],
}
PROVENANCE = {
    "command": "python -m experiments.sizes",
    "seed": None,
    "date": "2026-11-24",
    "versions": {"python": "3.11"},
    "model": {"file": "m.gguf", "sha256": "b179"},
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Lay out a book with one measurement, its experiment and an index."""
    source = tmp_path / "source"
    (source / "measurements").mkdir(parents=True)
    (source / "experiments").mkdir()
    (source / "conf.py").write_text(CONF)
    (source / "other.md").write_text("# Other\n\n```{measurement-index}\n```\n")
    (source / "experiments" / "sizes.py").write_text(
        '"""Sizes of\nthings.\n\nMore."""\nSECRET = 1\n'
    )
    write(source, RESULT)
    return source


def write(source: Path, result: dict[str, Any]) -> None:
    content = {"provenance": PROVENANCE, "result": result}
    (source / "measurements" / "sizes.json").write_text(json.dumps(content))


@pytest.fixture
def build(source: Path, tmp_path: Path) -> Build:
    """Build a page of Markdown beside the index; return all pages and the warnings."""

    def run(text: str, *, builder: str = "html", parallel: int = 0) -> tuple[dict[str, str], str]:
        index = source / "index.md"
        page = f"# Title\n\n{text}\n\n```{{toctree}}\nother\n```\n"
        if not index.exists() or index.read_text() != page:
            index.write_text(page)
        app = SphinxTestApp(builder, srcdir=source, builddir=tmp_path / "build", parallel=parallel)
        app.config.nitpicky = True
        try:
            app.build()
            out = Path(app.outdir)
            suffix = {"html": ".html", "text": ".txt", "latex": ".tex"}[builder]
            pages = {path.stem: path.read_text() for path in out.glob(f"*{suffix}")}
            return pages, app.warning.getvalue()
        finally:
            app.cleanup()

    return run


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("sizes:rows[0].size:,.1f", "1,234.6"),
        ("sizes:rows[0].name", "xz"),
        ("sizes:rows[1].size:.2f", "−2.00"),
        ("sizes:rows[1].shares[0][1]:.0%", "50%"),
        ("sizes:passages[0].rank[1]:,", "1,422"),
        ("sizes:rows[0].size:.2f:1e-3", "1.23"),
    ],
)
def test_prints_a_number_and_links_to_its_entry(build: Build, place: str, shown: str) -> None:
    pages, warnings = build(f"It is {{measured}}`{place}`.")
    assert not warnings
    found = re.search(r'It is <a [^>]*href="([^"]*)"[^>]*><span[^>]*>(.*?)<', pages["index"])
    assert found
    assert found[1] == "other.html#measurement-sizes"
    assert found[2] == shown
    assert 'id="measurement-sizes"' in pages["other"]


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("weights:a:.1f", "there is no measurement 'weights'"),
        ("../sizes:a:.1f", "there is no measurement"),
        ("sizes:rows[7].size:.1f", "sizes has nothing at 'rows[7]'"),
        ("sizes:rows[0].weight:.1f", "sizes has nothing at 'rows[0].weight'"),
        ("sizes:rows[0].name[0].x:.1f", "sizes has nothing at"),
        ("sizes:rows 0:.1f", "is no path"),
        ("sizes", "is no path"),
        ("sizes:rows:.1f", "must be a number or a text"),
        ("sizes:rows[0].name:.1f", "Unknown format code"),
        ("sizes:rows[0].size:.1f:ten", "could not convert string to float"),
        ("sizes:rows[0].name::2", "could not convert string to float"),
    ],
)
def test_warns_of_a_wrong_place_where_it_stands(build: Build, place: str, message: str) -> None:
    pages, warnings = build(f"First.\n\nIt is {{measured}}`{place}`.")
    assert "index.md:5: WARNING" in warnings
    assert message in warnings
    assert "It is" in pages["index"]


def test_follows_its_measurement(build: Build, source: Path) -> None:
    text = "It is {measured}`sizes:rows[0].size:.0f`."
    assert ">1235<" in build(text)[0]["index"]
    write(source, {"rows": [{"size": 7}]})
    assert ">7<" in build(text)[0]["index"]


def test_index_follows_new_measurements(build: Build, source: Path) -> None:
    build("Text.")
    new = source / "measurements" / "later.json"
    new.write_text(json.dumps({"provenance": {"source": "a list"}, "result": {}}))
    assert 'id="measurement-later"' in build("Text.")[0]["other"]


def test_index_says_where_a_measurement_comes_from(build: Build) -> None:
    page = build("Text.")[0]["other"]
    text = re.sub(r"<[^>]+>", "", page)
    for fact in ("Sizes of things.", "python -m experiments.sizes", "2026-11-24", "sha256 b179"):
        assert fact in text
    assert "Seed" not in text
    assert "More." in text
    assert "SECRET" not in text  # the script is a file of its own
    link = re.search(r'href="(_downloads/[^"]+/sizes\.py)"', page)
    assert link
    assert re.search(r"docs/measurements/sizes.json, [\d,]+ bytes", text)


def test_passage_is_shaded_and_tabulated(build: Build) -> None:
    pages, warnings = build("```{token-surprisal} sizes:passages[0]\n```")
    assert not warnings
    page = pages["index"]
    assert re.search(r'<span class="tok tok-0" title="0.50 nats, rank 1; [^"]*">Sir</span>', page)
    assert re.search(r'<span class="tok tok-9" title="12.3\d nats[^"]*"> &lt;b&gt;</span>', page)
    assert page.index("<details") < page.index("1,422") < page.index("</details>")
    assert "style=" not in page[page.index('class="tokens"') : page.index("</details>")]


@pytest.mark.parametrize("place", ["sizes:rows[0]", "sizes:passages[1]", "sizes:rows[0].size"])
def test_passage_must_be_one(build: Build, place: str) -> None:
    assert "index.md:3: WARNING" in build(f"```{{token-surprisal}} {place}\n```")[1]


@pytest.mark.parametrize("builder", ["text", "latex"])
def test_other_writers_print_passages_plain(build: Build, builder: str) -> None:
    text = (
        "It is {measured}`sizes:rows[0].size:.0f`.\n\n```{token-surprisal} sizes:passages[0]\n```"
    )
    pages, warnings = build(text, builder=builder)
    assert not warnings
    page = "".join(pages.values())
    assert "1235" in page
    assert page.count("Sir") == 2
    assert "1,422" in page


def test_parallel_build(build: Build) -> None:
    pages, warnings = build("It is {measured}`sizes:rows[0].size:.0f`.", parallel=2)
    assert not warnings
    assert ">1235<" in pages["index"]
