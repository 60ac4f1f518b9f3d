"""Figures drawn at build: reproducible, described, and reported where they are used."""

from __future__ import annotations

import re
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from sphinx.environment import BuildEnvironment
from sphinx.testing.util import SphinxTestApp

from _extensions import pyfigures
from figures import style

Build = Callable[[str], tuple[str, str, Path]]

CONF = 'extensions = ["myst_parser", "_extensions.pyfigures"]\nnumfig = True\n'
CONF += "html_scaled_image_link = False\n"


def line() -> Figure:
    fig, axes = style.one()
    axes.plot([0, 1], [0, 1])
    return fig


def loud() -> Figure:
    warnings.warn("too many ticks", stacklevel=1)
    return line()


def measured() -> Figure:
    record = types.SimpleNamespace(load=lambda _name: [0, 1])
    fig, axes = style.one()
    axes.plot(record.load("probe"))
    return fig


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    module = types.ModuleType("figures.probe")
    module.__file__ = __file__
    vars(module).update(line=line, loud=loud, measured=measured, nothing=lambda: None)
    monkeypatch.setitem(sys.modules, "figures.probe", module)

    def run(directive: str) -> tuple[str, str, Path]:
        source = tmp_path / "source"
        source.mkdir(exist_ok=True)
        (source / "conf.py").write_text(CONF)
        (source / "index.md").write_text(f"# Title\n\n{directive}\n")
        app = SphinxTestApp("html", srcdir=source, builddir=tmp_path / "build")
        try:
            app.build(force_all=True)
            html = (Path(app.outdir) / "index.html").read_text()
            return html, app.warning.getvalue(), Path(app.outdir)
        finally:
            app.cleanup()

    return run


def test_same_bytes_each_time() -> None:
    assert pyfigures.drawn(line) == pyfigures.drawn(line)


def test_no_paper_no_date() -> None:
    svg = pyfigures.drawn(line)
    assert "dc:date" not in svg
    assert not re.search(r'style="fill: #ffffff"', svg), "the figure stands on nothing"


def test_figure_has_number_caption_and_text_alternative(build: Build) -> None:
    html, warnings_, out = build(
        "```{pyfigure} probe.line\n:name: fig-line\n:alt: a rising line\n\nA $x$ caption.\n```\n"
        "\n{numref}`fig-line`"
    )
    assert not warnings_
    assert 'alt="a rising line"' in html
    assert 'id="fig-line"' in html
    assert html.count("Fig. 1") == 2
    assert (out / "_images" / "probe-line.svg").exists()


def test_images_hold_their_place_and_come_when_needed(build: Build) -> None:
    html, warnings_, _ = build("```{pyfigure} probe.line\n:alt: x\n```\n\n" * 2)
    assert not warnings_
    first, second = re.findall("<img[^>]*>", html)
    for image in (first, second):
        assert 'width="614"' in image  # 6.4 inches of 96 pixels
        assert 'height="326"' in image
    assert "loading" not in first
    assert 'loading="lazy"' in second
    assert "<a" not in re.split("<figure", html)[1].split("<figcaption")[0]


@pytest.mark.parametrize(
    ("directive", "message"),
    [
        ("```{pyfigure} probe.line\n```", r"index\.md:3: WARNING: figure probe.line says nothing"),
        ("```{pyfigure} probe.loud\n:alt: x\n```", "UserWarning: too many ticks"),
        ("```{pyfigure} probe.nothing\n:alt: x\n```", "must return a Figure; got NoneType"),
        ("```{pyfigure} probe.missing\n:alt: x\n```", "AttributeError"),
    ],
)
def test_warns_where_the_figure_is_used(build: Build, directive: str, message: str) -> None:
    _, warnings_, _ = build(directive)
    assert re.search(message, warnings_), warnings_


def test_names_the_measurements_that_it_reads(build: Build) -> None:
    silent = build("```{pyfigure} probe.measured\n:alt: x\n```")[1]
    assert "reads a measurement: add :data: probe" in silent
    assert not build("```{pyfigure} probe.measured\n:alt: x\n:data: probe\n```")[1]


def test_depends_on_what_it_is_made_of(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[str] = []
    monkeypatch.setattr(BuildEnvironment, "note_dependency", lambda _, path: noted.append(path))
    build("```{pyfigure} probe.line\n:alt: x\n:data: one two\n```")
    assert {"measurements/one.json", "measurements/two.json"} <= set(noted)
    assert {"figures/probe.py", "figures/style.py"} <= {"/".join(Path(p).parts[-2:]) for p in noted}


def test_depends_on_the_package_that_it_draws_with(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[str] = []
    monkeypatch.setattr(BuildEnvironment, "note_dependency", lambda _, path: noted.append(path))
    build("```{pyfigure} intuition.coin\n:alt: x\n```")
    of_package = {Path(path).name for path in noted if Path(path).parent.name == "primer_ref"}
    assert "information.py" in of_package
    assert "llama.py" not in of_package


def test_a_file_that_it_reads_draws_it_again_when_new_changed_or_gone(
    build: Build, tmp_path: Path
) -> None:
    directive = "```{pyfigure} intuition.coin\n:alt: x\n:reads: parts/*.md\n```"
    parts = tmp_path / "source" / "parts"
    parts.mkdir(parents=True)
    (parts / "a.md").write_text(":orphan:\n")
    build(directive)

    def read_again() -> list[str]:
        app = SphinxTestApp("html", srcdir=parts.parent, builddir=tmp_path / "build")
        try:
            read: list[str] = []
            app.connect("env-before-read-docs", lambda _app, _env, names: read.extend(names))
            app.build()
            return read
        finally:
            app.cleanup()

    assert read_again() == []
    (parts / "b.md").write_text(":orphan:\n")
    assert "index" in read_again()
    assert read_again() == []
    (parts / "b.md").unlink()
    assert "index" in read_again()


def test_a_figure_that_failed_is_tried_again(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    read_again: list[str] = []
    monkeypatch.setattr(
        BuildEnvironment, "note_reread", lambda self: read_again.append(self.docname)
    )
    build("```{pyfigure} probe.nothing\n:alt: x\n```")
    assert read_again == ["index"]


def test_a_warning_while_drawing_is_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(UserWarning, match="too many ticks"):
            pyfigures.drawn(loud)


def test_leaves_an_unchanged_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "figure.svg"
    pyfigures.write_if_changed(path, "a")
    before = path.stat().st_mtime_ns
    pyfigures.write_if_changed(path, "a")
    assert path.stat().st_mtime_ns == before
    pyfigures.write_if_changed(path, "b")
    assert path.read_text() == "b"


def test_lines_differ_in_more_than_color() -> None:
    cycle = list(style.RC["axes.prop_cycle"])
    assert len({str(entry["linestyle"]) for entry in cycle}) == len(cycle)
