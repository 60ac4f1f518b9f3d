"""Figures that can be tried: an element around the figure, one script a page, plain elsewhere."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from sphinx.testing.util import SphinxTestApp

import widgets
from _extensions import widgets as extension

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
        return page, re.sub(r"\x1b\[[\d;]*m", "", app.warning.getvalue()), Path(app.outdir)
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


@pytest.mark.parametrize("name", NAMES)
def test_a_script_weighs_no_more_than_ten_kilobytes(name: str) -> None:
    assert len(extension.bundle([name])) - len(extension.bundle([])) < 10_000
