"""Figures that can be tried: an element around the figure, one script a page, plain elsewhere."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from sphinx.environment import BuildEnvironment
from sphinx.testing.util import SphinxTestApp

import widgets
from _extensions import widgets as extension
from experiments import record
from primer_ref import llama
from widgets import own_roofline

NAMES = sorted(path.stem for path in Path(widgets.__file__).parent.glob("[a-z]*.py"))
CONF = """\
extensions = ["myst_parser", "_extensions.pyfigures", "_extensions.widgets"]
html_static_path = []
html_scaled_image_link = False
"""
PAGE = """\
# Title

```{{widget}} {name}
:figure: attention.temperature
:name: fig-tried
:alt: Four weights.

The caption.
```
"""


def built(folder: Path, name: str, builder: str = "html") -> tuple[str, str, Path]:
    """Build a page with a widget; return the page, the warnings and the output folder."""
    source = folder / "source"
    source.mkdir()
    (source / "conf.py").write_text(CONF)
    (source / "index.md").write_text(PAGE.format(name=name))
    app = SphinxTestApp(builder, srcdir=source, builddir=folder / "build")
    try:
        app.build()
        page = next(Path(app.outdir).glob("index.*")).read_text("utf-8")
        return page, app.warning.getvalue(), Path(app.outdir)
    finally:
        app.cleanup()


def test_the_element_stands_between_figure_and_image(tmp_path: Path) -> None:
    page, warnings, out = built(tmp_path, "softmax_temperature")
    assert not warnings
    rows = len(importlib.import_module("widgets.softmax_temperature").CONTROLS)
    pattern = (
        rf'<figure[^>]*>\s*<softmax-temperature class="widget rows-{rows}"><img[^>]*>\s*</softmax'
    )
    assert re.search(pattern, page)
    assert re.search(r'<script defer="defer" src="_static/widgets/index.js\?v=\w+">', page)
    assert (out / "_static/widgets/index.js").read_text("utf-8").startswith('"use strict";')


def test_a_page_depends_on_what_computes_its_widgets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: set[str] = set()
    monkeypatch.setattr(BuildEnvironment, "note_dependency", lambda _, path: noted.add(path))
    built(tmp_path, "own_roofline")
    scripts = {"widgets/widget.js", "widgets/own_roofline.js", "widgets/own_roofline.py"}
    package = {"widgets/__init__.py", "primer_ref/roofline.py", "primer_ref/accounting.py"}
    assert scripts | package <= {"/".join(Path(path).parts[-2:]) for path in noted}


def test_other_formats_get_the_figure_alone(tmp_path: Path) -> None:
    page, warnings, _ = built(tmp_path, "softmax_temperature", "text")
    assert not warnings
    assert "The caption." in page


def test_an_unknown_widget_is_reported_where_it_stands(tmp_path: Path) -> None:
    _, warnings, _ = built(tmp_path, "perpetual_motion")
    assert "index.md:3" in warnings
    assert "widget perpetual_motion cannot be loaded" in warnings


@pytest.mark.parametrize("name", NAMES)
def test_controls_start_inside_their_limits_and_have_names_of_their_own(name: str) -> None:
    controls = importlib.import_module(f"widgets.{name}").CONTROLS
    assert len({control.name for control in controls}) == len(controls)
    for control in controls:
        if isinstance(control, widgets.Range | widgets.Number):
            assert control.low <= control.value <= control.high
        if isinstance(control, widgets.Choice):
            assert control.value in control.options


@pytest.mark.parametrize("name", NAMES)
def test_the_package_computes_plain_numbers(name: str) -> None:
    module = importlib.import_module(f"widgets.{name}")
    first: dict[str, Any] = {control.name: control.value for control in module.CONTROLS}
    assert json.dumps(module.compute(**first))


def test_own_roofline_allows_what_the_table_beside_it_allows() -> None:
    """Writing, and reading in one pass: the table's bounds were stored by the experiment."""
    stored = record.load("machine_roofline")
    machine = stored["machine"]
    works = [("writing", step["batch"], stored["past"], step) for step in stored["decode"]]
    works += [("reading", 1, reading["tokens"], reading) for reading in stored["prefill"]]
    rates = [*machine["decode"], *machine["prefill"]]
    for (work, batch, tokens, counted), rate in zip(works, rates, strict=True):
        if work == "writing" or tokens <= llama.PIECE:
            found = own_roofline.compute(
                peak=machine["peak"] / 1e9,
                bandwidth=machine["bandwidth"] / 1e9,
                model="SmolLM2 135M, 32 bits",
                work=work,
                batch=batch,
                tokens=tokens,
            )
            assert found["intensity"] == pytest.approx(counted["intensity"], rel=1e-4)
            assert found["rate"] == pytest.approx(rate["allowed"], rel=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_weighs_no_more_than_ten_kilobytes(name: str) -> None:
    assert len(extension.bundle([name])) - len(extension.bundle([])) < 10_000
