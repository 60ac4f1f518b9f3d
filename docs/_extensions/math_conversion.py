r"""Convert formulas from LaTeX to MathML, with `math_core`, and refuse what would look wrong.

A browser prints whatever MathML it gets. So a formula is refused that the converter is known to
misread without a word, and one with a character that the book's font does not hold.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

from math_core import LatexError, LatexToMathML

# What the converter takes without a word and prints wrong, and what to write instead.
SILENTLY_WRONG = {
    r"\\\\(\*|\s*\[\s*-?[\d.]+\s*[a-z]{2}\s*\])": r"nothing may follow \\: no star, no length",
    r"\\begin\{(aligned|gathered|cases)\}\s*\[": "an environment takes no position in brackets",
    r"\\begin\{(equation|align|gather|multline|alignat|flalign)\*?\}": (
        "the environment places or numbers itself: use aligned, and :label: for the number"
    ),
    r"\\eqref\b": "refer to equations in the text, with {eq}",
    r"\\(Big|bigg|Bigg)r?\s*(\\[a-zA-Z]+|\\?.)\s*[\^_]": (
        r"Chromium shrinks a sized fence that carries a script: use \left and \right"
    ),
    r"\\([bx]?cancel|boxed)\b": "browsers draw neither strokes nor boxes in MathML",
}
ENVIRONMENT = re.compile(r"\\begin\{(\w+\*?)\}(?:(?!\\begin\{).)*?\\end\{\1\}", re.DOTALL)

NAMED_ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;|#)\w+;")
FONT_CHARACTERS = Path(__file__).parents[1] / "_static" / "fonts" / "characters.txt"

# The parts of MathML that are taller than a line, and operators that are.
TALL = {"mfrac", "mroot", "msqrt", "mtable", "munder", "munderover"}
LARGE_OPERATORS = set("∑∏∐∫∬∭∮⋀⋁⋂⋃⨀⨁⨂")
BIG = "1.2em"  # what the converter makes of \big
# What the converter styles in place, which the site's security policy forbids: classes of book.css.
CLASSES = {
    "text-align: right;justify-items: end;padding-right: 0;": "to-right",
    "text-align: left;justify-items: start;padding-left: 0;": "to-left",
    "text-align: left;justify-items: start;padding-right: 0;": "case",
    "text-align: left;justify-items: start;padding-right: 0;padding-left:1em;": "condition",
    "padding-right:0.1667em;": "spaced",
    "margin-left:-0.16666667em;": "drawn-back",
}
# Letters of the font that lean out of their width, by a tenth of an em or by two: other classes.
LEANING = dict.fromkeys("FJMNPTUWfτ", "leans") | dict.fromkeys("VY", "leans-far")
# These lay out several children as a row of their own accord.
ROWS = {"math", "msqrt", "mtd"}
# Of two styles of script the font has one: the selectors between them say nothing.
SCRIPT_SELECTORS = dict.fromkeys(map(ord, "\ufe00\ufe01"))
WIDE = 24  # characters that fit beside an equation's number on a telephone
RELATIONS = set("=≠≔≡<>≤≥≪≫≈∼≃∝∈⊂⊆→↦⟶⇒⟹⇔⟺")


class Converter:
    """A converter that knows a table of macros."""

    def __init__(self, macros: Mapping[str, str]) -> None:
        self.latex = LatexToMathML(macros=dict(macros), annotation=False, fancy_error=False)

    def __call__(self, tex: str, *, display: bool, xml: bool = False) -> str:
        r"""Convert a formula to MathML, for HTML or, with a namespace, for XML.

        The LaTeX stays with it: in HTML as ``data-latex``, which tools that copy formulas know and
        screen readers leave alone; in XML as ``alttext``, for readers of books without MathML.

        Raises
        ------
        ValueError
            If the formula cannot be converted, would be printed wrong, or needs a character that
            the font does not hold.
        """
        if wrong := complaint(tex):
            raise ValueError(wrong)
        try:
            mathml = self.latex.convert_with_local_state(tex, displaystyle=display)
        except LatexError as error:
            raise ValueError(str(error)) from None
        # Named entities are HTML's own; the character itself is valid in XML too.
        mathml = NAMED_ENTITY.sub(lambda match: html.unescape(match[0]), mathml)
        math = ElementTree.fromstring(mathml.translate(SCRIPT_SELECTORS))
        if missing := sorted(printed(math) - font_characters()):
            listed = ", ".join(f"{character} (U+{ord(character):04X})" for character in missing)
            raise ValueError(f"the book's font has no {listed}: see docs/_static/fonts/README.md")
        relax_fences(math)
        drop_rows(math)
        if xml:
            use_mstyle(math)
            math.attrib.update(xmlns="http://www.w3.org/1998/Math/MathML", alttext=tex)
            return written(math)
        style_by_classes(math)
        whole = math
        if not display:
            make_room(math)
            whole = cut(math)
        whole.attrib |= {
            "class": f"{whole.get('class', '')} notranslate".strip(),
            "data-latex": tex,
        }
        return written(whole)


@cache
def font_characters() -> frozenset[str]:
    """Read which characters the book's mathematical font holds."""
    listed = re.sub("^#.*$", "", FONT_CHARACTERS.read_text("utf-8"), flags=re.MULTILINE)
    ranges = re.findall(r"U\+(\w+)(?:-(\w+))?", listed)
    return frozenset(
        chr(code) for a, b in ranges for code in range(int(a, 16), int(b or a, 16) + 1)
    )


def complaint(tex: str) -> str | None:
    """Say what in a formula would be printed wrong without a word."""
    for pattern, mend in SILENTLY_WRONG.items():
        if re.search(pattern, tex):
            return mend
    outside, found = tex, 1
    while found:  # from the innermost environment to the outermost
        outside, found = ENVIRONMENT.subn("", outside)
    return r"\\ outside an environment: use aligned or gathered" if r"\\" in outside else None


def printed(math: ElementTree.Element) -> set[str]:
    """Collect the characters that a formula prints."""
    return set("".join("".join(math.itertext()).split()))


def relax_fences(math: ElementTree.Element) -> None:
    r"""Let no fence grow (\left, \big) that need not: Chromium sets it apart from what it encloses.

    It gives a fence that may grow the width of the largest one there is, whatever it draws.
    """
    for row in math.iter("mrow"):
        if len(row) > 1 and row[0].tag == row[-1].tag == "mo" and not any(map(is_tall, row.iter())):
            for fence in (row[0], row[-1], *row.findall("mo[@stretchy]")):
                if "minsize" not in fence.attrib:
                    fence.set("stretchy", "false")
    for fence in math.iter("mo"):
        if fence.get("minsize") == fence.get("maxsize") == BIG:
            del fence.attrib["minsize"], fence.attrib["maxsize"]
            fence.attrib.update(stretchy="false", mathsize=BIG)


def is_tall(element: ElementTree.Element) -> bool:
    """Say whether an element makes its row taller than a line."""
    large_operator = element.tag == "mo" and element.text in LARGE_OPERATORS
    stacked = element.tag == "mover" and element.get("accent") is None
    return element.tag in TALL or large_operator or stacked


def drop_rows(math: ElementTree.Element) -> None:
    """Drop rows around all that an element holds, if it lays it out as a row anyway."""
    for element in math.iter():
        while element.tag in ROWS and len(element) == 1 and is_plain_row(element[0]):
            element[:] = element[0]


def is_plain_row(element: ElementTree.Element) -> bool:
    """Say whether an element is a row and nothing more."""
    return element.tag == "mrow" and not element.attrib


def style_by_classes(math: ElementTree.Element) -> None:
    """Say by a class what the converter says by a style."""
    for element in math.iter():
        if style := element.attrib.pop("style", ""):
            if style not in CLASSES:
                raise ValueError(f"styled in place, which no page may be: {style}")
            element.set("class", CLASSES[style])


def make_room(math: ElementTree.Element) -> None:
    """Give a letter at a formula's end the room it leans into, as TeX does and browsers do not."""
    last = math
    while last.tag in {"math", "mrow"} and len(last):
        last = last[-1]
    if last.tag == "mi" and not last.attrib and last.text in LEANING:
        last.set("class", LEANING[last.text])


def use_mstyle(math: ElementTree.Element) -> None:
    """Give the styles of an element to an ``mstyle`` around it: EPUB has MathML 3's rules."""
    for parent in list(math.iter()):
        for place, child in enumerate(parent):
            names = {"displaystyle", "scriptlevel"}.intersection(child.keys())
            if names and child.tag != "mstyle":
                styles = {name: child.attrib.pop(name) for name in sorted(names)}
                parent[place] = ElementTree.Element("mstyle", styles)
                parent[place].append(child)


def cut(math: ElementTree.Element) -> ElementTree.Element:
    """Cut a wide formula after its relations: browsers never break a line inside a formula."""
    pieces: list[list[ElementTree.Element]] = [[]]
    for child in math:
        pieces[-1].append(child)
        if child.tag == "mo" and child.text in RELATIONS:
            pieces.append([])
    if pieces[-1] == []:
        pieces.pop()
    if len(pieces) == 1 or not is_wide(written(math)):
        return math
    whole = ElementTree.Element("span", {"class": "math"})
    for piece in pieces:
        if len(whole):
            ElementTree.SubElement(whole, "wbr")
        ElementTree.SubElement(whole, "math", math.attrib).extend(piece)
    return whole


def written(element: ElementTree.Element) -> str:
    """Write an element; HTML and XML both take a line break in an attribute as it is."""
    return ElementTree.tostring(element, encoding="unicode").replace("&#10;", "\n")


def is_wide(mathml: str) -> bool:
    """Estimate whether a formula is too wide for a telephone."""
    rows = mathml.split("</mtr>")
    return any(len(html.unescape(re.sub(r"<[^>]+>", "", row))) > WIDE for row in rows)
