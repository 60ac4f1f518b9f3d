"""Find the numerals of a page's prose, and what stands behind each of them.

A page may print a number for one of four reasons: an example executes it, a published source is
recomputed, a measurement is stored, or it is a premise, chosen by us or by the sentence. For every
numeral, :func:`unexplained` looks for the same value, rounded as it is printed,

- among the numbers of the examples in its section (in the whole page, if it has three digits);
- among the published numbers of its chapter that are recomputed (if it has less than three digits,
  only in a paragraph that cites a work or links to one of them);
- for what is said of a figure, among the numbers that the figure draws or its function sets;
- in a formula, among those of its sides that :mod:`tests.book.arithmetic` computes;
- outside formulas, among the numbers of its section's formulas, which have checks of their own.

``numerals.toml`` explains the rest. Numbers printed by the role ``{measured}`` are no numerals of
the source, and neither are names (Llama 3), places (chapter 3), years, patterns of bits, and whole
numbers up to twelve, which count what is in view. In a formula inside a line, only decimal
fractions and what stands after an approximation count.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import warnings
from collections.abc import Iterator, Set
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, PathCollection, QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from tests.book import arithmetic

DOCS = Path(__file__).parents[2] / "docs"
EXTENSIONS = {"attrs_block", "attrs_inline", "colon_fence", "deflist", "dollarmath"}

# A numeral: not a part of a name, of a range's middle, of a longer number.
NUMERAL = re.compile(
    r"(?<![\w.,/^{-])(?P<digits>\d{1,3}(?:,\d{3})+|\d+)(?P<fraction>\.\d+)?(?![\w/]|-[A-Za-z]|\.\d)"
    r"(?P<unit>\s?%| (?:percent|thousand|million|billion|trillion)\b)?"
)
UNITS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12, "percent": -2, "%": -2}
VALUE = re.compile(r"(?:\d+(?:\.\d+)?|(?<![\w.])\.\d+)(?:[eE][-+]?\d+)?")
PLACE = re.compile(
    r"(?i)\b(?:chapters?|sections?|tables?|figures?|equations?|exercises?|theorems?|lemmas?"
    r"|propositions?|corollary|examples?|appendix|algorithms?|pages?|problems?|version|footnotes?"
    r"|parts?|lines?|layers?|heads?|IEEE|Python|NumPy|Llama|GPT|Qwen|Figure|Claude|Gemma|PaLM|DeepSeek)"
    r"(?:[ -]\(?\d+(?:\.\d+)*[a-z]?\)?)(?:(?:,| and| to| or|–) ?\d+(?:\.\d+)*)*"
)
# Roles whose text is a reference, or a number that the build looks up.
LOOKED_UP = {"measured", "eq", "numref", "func", "class", "meth", "mod", "label", "series"}
SOURCE = "§"  # stands for a citation, and behind a link to a published number
PROSE = ("{prf:", "{exercise}", "{solution", "{admonition}", "{note}", "{tip}", "{dropdown}")
POINTS = 40  # a drawn line with more is a curve
IN_FORMULA = re.compile(
    r"(?P<approximate>\\approx\s*-?\s*)?"
    r"(?P<number>\d+(?:(?:,|\{,\}|\\,)\d{3}(?!\d))*(?P<fraction>\.\d+)?)"
    r"(?:\s*\\(?:cdot|times)\s*10\^\{?(?P<power>-?\d+))?"
)


@dataclass(frozen=True)
class Numeral:
    """A number in the prose, with its place."""

    line: int
    start: int  # where it stands in the paragraph
    text: str
    paragraph: str
    value: Decimal
    power: int  # of ten, which follows as percent, million, or itself
    formula: str  # the formula that it is part of, if any
    figure: str  # the figure whose words it is part of, if any

    def __str__(self) -> str:
        """Give the place and the words around it."""
        begin = max(0, self.start - 40)
        around = self.paragraph[begin : self.start + len(self.text) + 30].replace("\n", " ")
        return f"line {self.line}: {self.text} in “{around}”"


@dataclass
class Section:
    """A part of a page down to the next heading of the second level."""

    prose: list[tuple[int, str, str]] = field(default_factory=list)  # line, text, figure
    examples: list[str] = field(default_factory=list)
    formulas: list[str] = field(default_factory=list)


@cache
def parser() -> Any:
    """Make the parser that the pages are read with."""
    return create_md_parser(MdParserConfig(enable_extensions=EXTENSIONS), RendererHTML)


def sections(path: Path) -> list[Section]:
    """Cut a page at its headings of the second level."""
    found = [Section()]
    collect(parser().parse(path.read_text(encoding="utf-8")), 0, "", found)
    return found


def collect(tokens: list[Token], first: int, figure: str, found: list[Section]) -> None:
    """Sort what the tokens hold into prose, examples and formulas of the sections."""
    row = False
    for token in tokens:
        line = first + (token.map[0] if token.map else 0) + 1
        if token.type in ("tr_open", "tr_close"):
            row = token.type == "tr_open"
            found[-1].prose += [(line, "", figure)] * row
        elif token.type == "heading_open" and token.tag == "h2" and first == 0:
            found.append(Section())
        elif token.type == "inline":
            text = "".join(plain(child, found[-1]) for child in token.children or ())
            if row:  # a row of a table is one paragraph
                text = f"{found[-1].prose.pop()[1]}{text} | "
            found[-1].prose.append((line, text, figure))
        elif token.type in ("fence", "colon_fence"):
            collect_fence(token, line, found)
        elif token.type in ("math_block", "math_block_label", "amsmath"):
            found[-1].formulas.append(token.content)


def collect_fence(token: Token, line: int, found: list[Section]) -> None:
    """Sort what a fence holds: an example, a formula, a figure, or more prose."""
    kind, _, argument = token.info.strip().partition(" ")
    if kind in ("python", "text", "console", ""):
        found[-1].examples.append(token.content)
    elif kind == "{literalinclude}":
        found[-1].examples += included(DOCS / "chapters" / argument, token.content)
    elif kind == "{math}":
        found[-1].formulas.append(token.content)
    elif kind in ("{pyfigure}", "{widget}") or kind.startswith(PROSE):
        options = dict(re.findall(r"^:([\w-]+):\s*(.*)$", token.content, flags=re.MULTILINE))
        figure = ""
        if kind in ("{pyfigure}", "{widget}"):
            figure = options.get("figure", argument)
            found[-1].prose.append((line, options.get("alt", ""), figure))
        else:
            found[-1].prose.append((line, argument, ""))
        body = re.sub(r"^:[\w-]+:.*$", "", token.content, flags=re.MULTILINE)
        collect(parser().parse(body), line, figure, found)


def included(path: Path, options: str) -> Iterator[str]:
    """Give the source of the functions that a fence takes from a file."""
    names = re.findall(r"^:pyobject: (\w+)$", options, flags=re.MULTILINE)
    source = path.read_text(encoding="utf-8")
    for node in ast.parse(source).body if names else ():
        if isinstance(node, ast.FunctionDef) and node.name in names:
            yield ast.get_source_segment(source, node) or ""


def plain(token: Token, section: Section) -> str:
    """Give the words of an inline token; a formula keeps its dollars."""
    if token.type in ("text", "softbreak"):
        return token.content or " "
    if token.type == "math_inline":
        section.formulas.append(token.content)
        return f"${token.content}$"
    if token.type == "myst_role":
        name = token.meta["name"]
        if name in LOOKED_UP:
            return "¶"
        words = "" if name.startswith("cite") else re.sub(r"\s*<[^>]*>$", "", token.content)
        return words + SOURCE * bool(not words or re.search(r"(^|<)ch\d\d-", token.content))
    return ""


def numerals(section: Section) -> Iterator[Numeral]:
    """Find what counts as a numeral in a section's prose."""
    for line, text, figure in section.prose:
        cleaned = PLACE.sub(lambda found: "¶" * len(found[0]), text)
        end = 0
        for formula in [*re.finditer(r"\$([^$]*)\$", cleaned), None]:
            words = cleaned[end : formula.start() if formula else len(cleaned)]
            for match in NUMERAL.finditer(words):
                value = Decimal(match["digits"].replace(",", "") + (match["fraction"] or ""))
                whole = not match["fraction"] and not match["unit"]
                year = "," not in match["digits"] and 1600 <= value <= 2040
                bits = re.fullmatch("[01]{7,}", match["digits"])
                if not (whole and (value <= 12 or year or bits)):
                    power = UNITS.get((match["unit"] or "").strip(), 0)
                    place = end + match.start()
                    yield Numeral(line, place, match[0], text, value, power, "", figure)
            if formula:
                end = formula.end()
                for match in IN_FORMULA.finditer(formula[1]):
                    number = match["number"]
                    value = Decimal(re.sub(r"[^\d.]", "", number))
                    if match["fraction"] or (match["approximate"] and value > 12):
                        place = formula.start(1) + match.start("number")
                        power = int(match["power"] or 0)
                        yield Numeral(line, place, number, text, value, power, formula[1], figure)


def values(text: str) -> set[Decimal]:
    """Collect the numbers of an example, a formula, or a file."""
    text = re.sub(r"(?<=\d)(?:,|\{,\}|_|\\,)(?=\d{3})", "", text)
    return {Decimal(number) for number in VALUE.findall(text)}


def stands_for(numeral: Numeral, known: Set[Decimal]) -> bool:
    """Say whether some known value, rounded as the numeral is printed, is the numeral."""
    exponent = numeral.value.as_tuple().exponent
    step = Decimal(1).scaleb(int(exponent))
    return any(
        scaled.quantize(step, rule) == numeral.value
        for value in known
        for scaled in {value, value.scaleb(-numeral.power)}
        if abs(scaled - numeral.value) <= step
        for rule in (ROUND_HALF_EVEN, ROUND_HALF_UP)
    )


def published(chapter: int) -> set[Decimal]:
    """Collect the numbers of the chapter's published results, and of what is said of them."""
    path = DOCS / "data" / "published_numbers" / f"chapter{chapter:02}.json"
    entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    said = [entry.get(key, "") for entry in entries for key in ("statement", "expected", "note")]
    return values(json.dumps(said, ensure_ascii=False))


@cache
def drawn(dotted: str) -> frozenset[Decimal]:
    """Collect the numbers that a figure draws or writes, and those that its function sets.

    Of a line through many points, its ends and extremes: near the others lies any number.
    """
    module, _, name = dotted.rpartition(".")
    function = getattr(importlib.import_module(f"figures.{module}"), name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure: Figure = function()
        figure.draw_without_rendering()  # this is what makes the labels of the axes
    arrays: list[Any] = []
    for axes in figure.axes:
        arrays += [axes.get_xlim(), axes.get_ylim()]
        for line in axes.lines:
            points = np.asarray(line.get_xydata(), dtype=float)
            if len(points) > POINTS:
                points = np.array([*points[[0, -1]], points.min(axis=0), points.max(axis=0)])
            arrays.append(points)
        for patch in axes.patches:
            if isinstance(patch, Rectangle):
                arrays += [patch.get_bbox().bounds, patch.get_bbox().extents]
            else:
                arrays.append(patch.get_path().vertices)
        for collection in axes.collections:
            if isinstance(collection, PathCollection):
                arrays.append(collection.get_offsets())
            elif isinstance(collection, LineCollection):
                arrays += collection.get_segments()
            elif isinstance(collection, QuadMesh):
                arrays.append(collection.get_array())
        for image in axes.images:
            arrays += [image.get_size(), image.get_array()]
    plt.close(figure)
    numbers = np.concatenate([np.ravel(np.asarray(array, dtype=float)) for array in arrays])
    texts = [inspect.getsource(function), *(text.get_text() for text in figure.findobj(Text))]
    finite = {Decimal(str(number)) for number in abs(numbers[np.isfinite(numbers)])}
    return frozenset(finite | values("\n".join(texts)))


def significant(value: Decimal) -> int:
    """Count the significant digits, zeros at the end left out."""
    return len(value.normalize().as_tuple().digits)


def unexplained(path: Path, chapter: int) -> Iterator[Numeral]:
    """Name the numerals of a page that nothing stands behind."""
    parts = sections(path)
    recomputed = published(chapter)
    page = values("\n".join(example for part in parts for example in part.examples))
    for part in parts:
        executed = values("\n".join(part.examples))
        premises = values("\n".join(part.formulas))
        for numeral in numerals(part):
            known = executed | values(" ".join(arithmetic.checked(numeral.formula)))
            if significant(numeral.value) >= 3:
                known |= page
            if significant(numeral.value) >= 3 or SOURCE in numeral.paragraph:
                known |= recomputed
            if not numeral.formula:
                known |= premises
            if stands_for(numeral, known):
                continue
            if numeral.figure and stands_for(numeral, drawn(numeral.figure)):
                continue
            yield numeral
