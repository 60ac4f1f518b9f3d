"""The renderer of mathematics: what it converts, what it refuses, what it puts on the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from sphinx.testing.util import SphinxTestApp

from _extensions import mathml

Build = Callable[[str], tuple[str, str]]

CONF = 'extensions = ["myst_parser", "_extensions.mathml"]\n' + "\n".join(
    [
        'myst_enable_extensions = ["dollarmath", "amsmath"]',
        'html_math_renderer = "mathml"',
        'html_theme = "furo"',
    ]
)


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build one page of Markdown and return its HTML with the warnings."""

    def run(text: str) -> tuple[str, str]:
        source = tmp_path / "source"
        source.mkdir(exist_ok=True)
        (source / "conf.py").write_text(CONF)
        (source / "index.md").write_text("# Title\n\n" + text)
        app = SphinxTestApp("html", srcdir=source, builddir=tmp_path / "build")
        try:
            app.build(force_all=True)
            html = (Path(app.outdir) / "index.html").read_text()
            return html, re.sub(r"\x1b\[[\d;]*m", "", app.warning.getvalue())
        finally:
            app.cleanup()

    return run


@pytest.mark.parametrize("name", mathml.MACROS)
def test_every_macro_converts(name: str) -> None:
    count, _ = mathml.MACROS[name]
    xml = mathml.convert(f"\\{name}" + "{q}" * count, display=True, xml=True)
    assert ET.fromstring(xml).tag.endswith("math")
    assert ("q" in "".join(ET.fromstring(xml).itertext())) == (count > 0)


def test_macro_means_its_body() -> None:
    short = mathml.convert(r"\KL{p}{q}", display=False, xml=True)
    count, body = mathml.MACROS["KL"]
    assert count == 2
    long = body.replace("#1", "{p}").replace("#2", "{q}")
    assert short == mathml.convert(long, display=False, xml=True)


def test_preamble_defines_every_macro() -> None:
    preamble = mathml.latex_preamble()
    for name, (count, _) in mathml.MACROS.items():
        assert rf"\renewcommand{{\{name}}}" + (f"[{count}]" if count else "{") in preamble


@pytest.mark.parametrize("tex", [r"\unknown", r"\frac{1", r"\substack{a \\ b}", r"\KL{p}"])
def test_refuses_what_it_cannot_convert(tex: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mathml.convert(tex, display=True)


def test_refuses_a_length_after_a_line_break() -> None:
    with pytest.raises(ValueError, match="drop the length"):
        mathml.convert(r"\begin{cases} 1 & a \\[1ex] 2 & b \end{cases}", display=True)
    assert mathml.convert(r"\begin{cases} 1 & a \\ [0, 1] & b \end{cases}", display=True)


def test_warning_names_file_and_line(build: Build) -> None:
    html, warnings = build("Good $x$.\n\nThen\n\n$$\n\\oops{x}\n$$\n")
    assert re.search(r"index\.md:\d+: WARNING: math cannot be converted: .*oops", warnings)
    assert '<code class="math-error">' in html


def test_number_stands_beside_a_box_that_scrolls(build: Build) -> None:
    html, warnings = build("$$\nE = mc^2\n$$ (eq-energy)\n\nSee {eq}`eq-energy`.\n")
    assert not warnings
    box, number = html.index('class="math-scroll"'), html.index('class="eqno"')
    assert box < html.index("</math>") < number
    assert 'aria-label="Equation 1"' in html
    assert html.count('id="equation-eq-energy"') == 1, "Furo repeats the id on its wrapper"


def test_page_needs_no_script_for_mathematics(build: Build) -> None:
    html, _ = build("$x$")
    assert not re.search(r"<script[^>]*mathjax", html, re.IGNORECASE)
    assert "<math>" in html


def test_two_paragraphs_become_two_rows(build: Build) -> None:
    html, warnings = build("```{math}\na = b\n\nc = d\n```\n")
    assert not warnings
    assert html.count("<mtr>") == 2
