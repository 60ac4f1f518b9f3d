"""The renderer of mathematics: what it converts, what it refuses, what it puts on the page."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sphinx.config import Config
from sphinx.testing.util import SphinxTestApp

from _extensions import mathml
from _extensions.math_conversion import (
    CLASSES,
    FONT_CHARACTERS,
    LEANING,
    WIDE,
    font_characters,
    is_wide,
)

STATIC = Path(__file__).parents[2] / "docs" / "_static"
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
            return html, app.warning.getvalue()
        finally:
            app.cleanup()

    return run


def layout(tex: str) -> str:
    """Convert a displayed formula and leave out the source that it carries along."""
    return re.sub(' data-latex="[^"]*"', "", mathml.convert(tex, display=True))


@pytest.mark.parametrize("name", mathml.MACROS)
def test_every_macro_converts(name: str) -> None:
    count, _ = mathml.MACROS[name]
    xml = mathml.convert(f"\\{name}" + "{q}" * count, display=True, xml=True)
    assert ET.fromstring(xml).tag.endswith("math")
    assert ("q" in "".join(ET.fromstring(xml).itertext())) == (count > 0)


def test_macro_means_its_body() -> None:
    count, body = mathml.MACROS["KL"]
    assert count == 2
    long = body.replace("#1", "{p}").replace("#2", "{q}")
    assert layout(r"\KL{p}{q}") == layout(long)


def test_preamble_defines_every_macro() -> None:
    preamble = mathml.latex_preamble()
    for name, (count, _) in mathml.MACROS.items():
        assert rf"\renewcommand{{\{name}}}" + (f"[{count}]" if count else "{") in preamble


@pytest.mark.parametrize("tex", [r"\unknown", r"\frac{1", r"\substack{a \\ b}", r"\KL{p}"])
def test_refuses_what_it_cannot_convert(tex: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        mathml.convert(tex, display=True)


@pytest.mark.parametrize(
    ("tex", "mend"),
    [
        (r"\begin{cases} 1 & a \\[1ex] 2 & b \end{cases}", "no length"),
        (r"\begin{aligned} a \\* b \end{aligned}", "no star"),
        (r"\begin{aligned}[t] a \end{aligned}", "no position"),
        (r"\begin{align} a &= b \end{align}", "use aligned"),
        (r"\begin{align*} a &= b \end{align*}", "use aligned"),
        (r"a \\ b", "outside an environment"),
        (r"\begin{aligned} a \\ b \end{aligned} \\ c", "outside an environment"),
        (r"\eqref{eq-x}", "in the text"),
        (r"\Bigl( x \Bigr)^2", "carries a script"),
        (r"\Bigl\lVert x \Bigr\rVert_2", "carries a script"),
        (r"\boxed{a} + \cancel{b}", "neither strokes nor boxes"),
        (r"\mathfrak{g}", r"the book's font has no 𝔤 \(U\+1D524\)"),
    ],
)
def test_refuses_what_would_be_printed_wrong(tex: str, mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        mathml.convert(tex, display=True)


@pytest.mark.parametrize(
    "tex",
    [
        r"\begin{cases} 1 & a \\ [0, 1] & b \end{cases}",
        r"\begin{aligned} a &= \begin{cases} b \\ c \end{cases} \\ &= d \end{aligned}",
        r"\bigl( x \bigr)^2 + \Bigl( x^2 \Bigr) + \begin{matrix} a \\ b \end{matrix}",
    ],
)
def test_takes_what_is_printed_right(tex: str) -> None:
    assert "<mtable" in mathml.convert(tex, display=True)


@pytest.fixture
def font() -> Any:
    """Open the mathematical font."""
    ttlib = pytest.importorskip("fontTools.ttLib")
    pytest.importorskip("brotli")
    return ttlib.TTFont(next(FONT_CHARACTERS.parent.glob("*.woff2")))


def test_font_holds_what_it_lists(font: Any) -> None:
    assert font_characters() <= set(map(chr, font.getBestCmap()))
    assert "MATH" in font


def test_letters_get_the_room_that_the_font_says_they_lean_into(font: Any) -> None:
    table = font["MATH"].table.MathGlyphInfo.MathItalicsCorrectionInfo
    values = [record.Value / font["head"].unitsPerEm for record in table.ItalicsCorrection]
    leans = dict(zip(table.Coverage.glyphs, values, strict=True))
    room = {
        name: float(em)
        for name, em in re.findall(
            r"math \.(leans\S*) \{ padding-right: ([\d.]+)em", (STATIC / "book.css").read_text()
        )
    }
    latin = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    italic = {letter: chr(0x1D434 + place) for place, letter in enumerate(latin)}
    italic |= {"h": "\N{PLANCK CONSTANT}", "τ": "\N{MATHEMATICAL ITALIC SMALL TAU}"}
    for letter, drawn in italic.items():
        lean = leans.get(font.getBestCmap()[ord(drawn)], 0)
        assert abs(lean - room.get(LEANING.get(letter, ""), 0)) < 0.09
        assert (letter in LEANING) == (lean >= 0.09)


def test_a_letter_leans_out_at_the_end_of_a_formula_in_the_line_alone() -> None:
    for tex in ("V", r"x \in V", r"{a + V}"):
        assert '<mi class="leans-far">V</mi>' in mathml.convert(tex, display=False)
        assert "leans" not in mathml.convert(tex, display=True)
        assert "leans" not in mathml.convert(tex, display=False, xml=True)
    for tex in ("V_i", "V + a", r"\sqrt{V}", r"\mathrm{V}", r"\E"):
        assert "leans" not in mathml.convert(tex, display=False)


def test_fences_grow_only_around_what_is_tall() -> None:
    assert layout(r"\left(x_i\right)") == layout("(x_i)")
    assert layout(r"\left(\hat{x} \middle| y\right)").count('stretchy="false"') >= 3
    for tall in (r"\frac{a}{b}", r"\sum_i x_i", r"\int x", r"\begin{matrix} a \\ b \end{matrix}"):
        assert "<mo>(</mo>" in layout(rf"\left({tall}\right)")


def test_big_fences_are_larger_letters() -> None:
    assert layout(r"\bigl(x\bigr)").count('stretchy="false" mathsize="1.2em"') == 2
    assert "stretchy" not in layout(r"\Bigl(x\Bigr)")


def test_a_wide_inline_formula_may_break_after_its_relations() -> None:
    wide = r"f(x_1, \dots, x_n) = \sum_{i=1}^n x_i^2 \le \norm{x}_2^2 + g(x_1, \dots, x_n)"
    opening, *pieces, closing = re.split(
        r"(?=<math|</span>)", mathml.convert(wide, display=False).replace("<wbr />", "\u200b")
    )
    assert re.fullmatch('<span class="math notranslate" data-latex="[^"]*">', opening)
    assert closing == "</span>"
    texts = [re.sub("<[^>]+>", "", piece) for piece in pieces]
    assert [text.rstrip("\u200b")[-1] for text in texts] == ["=", "≤", ")"]
    assert [text[-1] == "\u200b" for text in texts] == [True, True, False]
    assert "".join(texts).replace("\u200b", "") == re.sub("<[^>]+>", "", layout(wide))
    assert all(piece.startswith("<math>") for piece in pieces)
    for short in ("a = b", "a + b" * 12, r"\sum_{i=1}^n"):
        assert "<wbr />" not in mathml.convert(short, display=False)
    assert "<wbr />" not in mathml.convert(wide, display=True)


def test_namespace_only_in_xml() -> None:
    assert 'xmlns="http://www.w3.org/1998/Math/MathML"' in mathml.convert(
        "x", display=True, xml=True
    )
    assert "xmlns" not in mathml.convert("x", display=True)


@pytest.mark.parametrize(("xml", "name"), [(False, "data-latex"), (True, "alttext")])
def test_source_stays_with_its_formula(xml: bool, name: str) -> None:
    tex = 'a < b \\& \n \\text{"</math><script>}'
    written = mathml.convert(tex, display=True, xml=xml)
    assert "<script>" not in written
    read = BeautifulSoup(written, "html.parser").math
    assert read is not None
    assert read[name] == tex


def test_a_row_around_everything_is_left_out() -> None:
    for tex in ("a + b", r"\sqrt{a + b}", r"\begin{matrix} {{a + b}} \end{matrix}"):
        assert "<mrow>" not in mathml.convert(tex, display=True)
    assert "<mrow>" in mathml.convert(r"\frac{a + b}{c}", display=True), "there it means something"


@pytest.mark.parametrize(
    "tex",
    [
        r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
        r"\begin{cases} a & b \\ c & d \end{cases}",
        r"a \! b",
    ],
)
def test_no_formula_is_styled_in_place(tex: str) -> None:
    written = mathml.convert(tex, display=True)
    assert " style=" not in written
    css = (STATIC / "book.css").read_text()
    for name in set(re.findall(r'class="([^"]*)"', written)) - {"notranslate"}:
        assert f"math .{name} {{" in css


def test_every_class_says_what_the_style_said() -> None:
    css = (STATIC / "book.css").read_text()
    for style, name in CLASSES.items():
        rule = re.search(rf"math \.{name} {{(.*?)}}", css)
        assert rule, name
        wanted, got = (
            {tuple(re.split(r":\s*", part.strip())) for part in text.split(";") if part.strip()}
            for text in (style, rule[1])
        )
        assert wanted == got


def test_a_style_without_a_class_is_refused() -> None:
    with pytest.raises(ValueError, match=r"styled in place.*color"):
        mathml.convert(r"\color{red} x", display=True)


@pytest.mark.parametrize(
    "tex",
    [r"\begin{cases} a \\ b \end{cases}", r"\dfrac{1}{2}", r"\begin{aligned} a &= b \end{aligned}"],
)
def test_xml_has_styles_where_mathml_3_allows_them(tex: str) -> None:
    for element in ET.fromstring(mathml.convert(tex, display=False, xml=True)).iter():
        if {"displaystyle", "scriptlevel"} & set(element.attrib):
            assert element.tag.endswith("}mstyle")
    assert re.search(r"<m(table|frac) [^>]*(displaystyle|scriptlevel)", layout(tex)), "else moot"


def test_warning_names_file_and_line(build: Build) -> None:
    html, warnings = build("Good $x$.\n\nThen\n\n$$\n\\oops{x}\n$$\n")
    assert re.search(r"index\.md:\d+: WARNING: math cannot be converted: .*oops", warnings)
    assert '<code class="math-error">' in html


def test_number_stands_beside_a_box_that_scrolls(build: Build) -> None:
    html, warnings = build("$$\nE = mc^2\n$$ (eq-energy)\n\nSee {eq}`eq-energy`.\n")
    assert not warnings
    box, number = html.index('class="math-scroll"'), html.index('class="eqno"')
    assert box < html.index("</math>") < number
    assert html.count('id="equation-eq-energy"') == 1, "Furo repeats the id on its wrapper"


def test_page_needs_no_script_for_mathematics(build: Build) -> None:
    html, _ = build("$x$")
    assert not re.search(r"<script[^>]*mathjax", html, re.IGNORECASE)
    assert '<math class="notranslate" data-latex="x">' in html


def test_the_font_comes_with_pages_that_have_formulas(build: Build) -> None:
    link = (
        f'<link rel="preload" href="_static/fonts/{mathml.FONT}" as="font" type="font/woff2"'
        " crossorigin>"
    )
    assert link in build("$x$")[0].split("</head>")[0]
    assert link not in build("x")[0]
    css = (STATIC / "book.css").read_text()
    assert f'url("fonts/{mathml.FONT}")' in css, "else it would be fetched twice"
    assert (FONT_CHARACTERS.parent / mathml.FONT).exists()


def test_wide_displays_are_tab_stops_and_small_ones_are_not(build: Build) -> None:
    wide = "+".join("abcdefghijklm")
    html, _ = build(f"$$\na\n$$\n\n$$\n{wide}\n$$ (eq-wide)\n\n$$\n\\frac{{a}}{{b}}\n$$\n")
    assert html.count('tabindex="0" role="group"') == 1
    assert 'aria-label="Equation 1"' in html


def test_width_is_that_of_the_widest_row() -> None:
    narrow, wide = "a" * WIDE, "a" * (WIDE + 1)
    assert not is_wide(layout(rf"\begin{{aligned}} {narrow} \\ {narrow} \end{{aligned}}"))
    assert is_wide(layout(rf"\begin{{aligned}} b \\ {wide} \end{{aligned}}"))
    assert not is_wide(mathml.convert(narrow, display=True)), "its source does not count"


def test_latex_gets_the_macros_after_what_the_book_sets() -> None:
    config = Config(overrides={"latex_elements": {"preamble": r"\usepackage{x}"}})
    config.add("latex_elements", {}, "", dict)
    mathml.add_preamble(None, config)
    assert config.latex_elements["preamble"].startswith("\\usepackage{x}\n\\providecommand{\\R}")


def test_text_that_touches_a_formula_stays_with_it(build: Build) -> None:
    html, warnings = build("An ($x$, $n$-gram) and $y$ — then $z$.")
    assert not warnings
    boxes = re.findall(r'<span class="together">(.*?</math>[^<]*)</span>', html)
    assert [re.sub("<[^>]+>", "", box) for box in boxes] == ["(x,", "n-gram)", "z."]


def test_two_paragraphs_become_two_rows(build: Build) -> None:
    html, warnings = build("```{math}\na = b\n\nc = d\n```\n")
    assert not warnings
    assert html.count("<mtr>") == 2
