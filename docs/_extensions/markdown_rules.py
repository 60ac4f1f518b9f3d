r"""How the elements of a page are written in Markdown.

What comes out is CommonMark with pipe tables and formulas between dollars: ``$…$`` in a line,
``$$…$$`` for a display, whose number and label stand as ``\tag`` and ``\label``. Boxes (theorems,
proofs, exercises) are quotations, definitions are items of lists, and links between pages lead from
copy to copy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bs4 import BeautifulSoup, Tag
from markdownify import ATX, MarkdownConverter
from roman_numerals import RomanNumeral

from _extensions.mathml import MACROS
from _extensions.tex_macros import expand

if TYPE_CHECKING:
    from collections.abc import Callable

# A formula carries its LaTeX, written for HTML; one that was cut up does so around its pieces.
MATH = re.compile(r'<(math|span)\b([^>]*) data-latex="([^"]*)"([^>]*)>.*?</\1>', re.DOTALL)
CODE = re.compile(r"<pre\b[^>]*>(.*?)</pre>", re.DOTALL)
BACK_LINK = re.compile(r'<a class="viewcode-back".*?</a>\n?', re.DOTALL)
# What a program that reads Markdown could take for a sign, wherever it stands or at a line's begin.
SIGNS = re.compile(r"([\\`*$\[\]<]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;))")
LINE_SIGNS = re.compile(r"^(\s*)([-+#>~=](?=\s|$)|[#=~-]{2,}|\d{1,9}(?=[.)](?:\s|$)))")
LANGUAGES = {"default": "python", "none": "text"}
# What serves a reader of the web page only.
DROPPED = {"headerlink", "backrefs", "eqno"}


def to_markdown(body: str, address: Callable[[str], str]) -> str:
    """Write the body of a page in Markdown; ``address`` says where a link of the page leads."""
    # Most elements of a page stand in formulas and in colored code, where only their text counts.
    body = CODE.sub(lambda found: f"<pre>\n{plain_code(found[1])}</pre>", body)
    body = MATH.sub(r"<math\2\4>\3</math>", body)
    text: str = PageConverter(address).convert_soup(BeautifulSoup(body, "html.parser"))
    return text.strip() + "\n"


def plain_code(code: str) -> str:
    """Take the colors out of code, still written for HTML."""
    return re.sub(r"<[^>]+>", "", BACK_LINK.sub("", code)).strip("\n") + "\n"


class PageConverter(MarkdownConverter):  # type: ignore[misc]
    """The rules, each named after the element it is for; what stands in it is Markdown already."""

    def __init__(self, address: Callable[[str], str]) -> None:
        super().__init__(
            heading_style=ATX, bullets="-", autolinks=False, sub_symbol="<sub>", sup_symbol="<sup>"
        )
        self.address = address

    def process_tag(self, node: Tag, parent_tags: set[str] | None = None) -> str:
        """Leave out what is no part of the text, and what shows only when it is asked for."""
        if DROPPED.intersection(node.get_attribute_list("class")) or node.has_attr("hidden"):
            return ""
        return str(super().process_tag(node, parent_tags))

    def escape(self, text: str, parent_tags: set[str]) -> str:
        """Take from characters the meaning that they would have in Markdown."""
        return SIGNS.sub(r"\\\1", text)

    def convert_p(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write a paragraph; the titles of boxes and of unnumbered parts are bold."""
        if el.find(["ul", "ol"]):  # Sphinx writes several returned values so
            return f"\n\n{text.strip()}\n\n"
        text = LINE_SIGNS.sub(escape_line, " ".join(text.split()))
        if {"admonition-title", "rubric"}.intersection(el.get_attribute_list("class")):
            text = f"**{text}**"
        return str(super().convert_p(el, text, parent_tags))

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Lead from copy to copy."""
        href = el.get("href")
        inner = text.strip()
        if not inner or not isinstance(href, str) or "_noformat" in parent_tags:
            return text
        href = self.address(href)
        target = f"<{href}>" if re.search(r"[\s()]", href) else href
        return text.replace(inner, f"[{inner}]({target})")

    def convert_span(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Lead from a term to the glossary, which is where its hidden definition leads at last."""
        definition = el.find_next_sibling(class_="meaning")
        if "term" not in el.get_attribute_list("class") or definition is None:
            return text
        return f"[{text}]({self.address(str(definition.find_all('a')[-1]['href']))})"

    def convert_math(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write a formula as the page's author did, without the book's macros."""
        tex = expand(el.get_text().strip(), MACROS)
        if not tex:
            return ""
        if el.get("display") != "block" or "_inline" in parent_tags:
            return f"${' '.join(tex.split())}$"
        box = el.find_parent(id=re.compile("^equation-"))
        number = box.find(class_="eqno") if box else None
        if box and number:
            label = str(box["id"]).removeprefix("equation-")
            digits = re.search(r"\((.*?)\)", number.get_text())
            tex += f"\n\\tag{{{digits[1] if digits else ''}}} \\label{{{label}}}"
        tex = re.sub(r"\n\s*\n", "\n", tex)
        return f"\n\n$$\n{tex}\n$$\n\n"

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Fence code and name its language."""
        code = el.get_text().strip("\n")
        block = el.find_parent(class_=re.compile("^highlight-"))
        names = block.get_attribute_list("class") if block else []
        named = next((name for name in names if "highlight-" in name), "highlight-python")
        language = named.removeprefix("highlight-")
        ticks = max((len(run) for run in re.findall("`{3,}", code)), default=2) + 1
        fence = "`" * ticks
        return f"\n\n{fence}{LANGUAGES.get(language, language)}\n{code}\n{fence}\n\n"

    def convert_div(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Quote what stands in a box; a cited work or a footnote is an item of a list."""
        classes = el.get_attribute_list("class")
        if {"citation", "footnote"}.intersection(classes):
            return f"\n- {indent(' '.join(text.split()), '  ').lstrip()}\n"
        text = str(super().convert_div(el, text, parent_tags))
        return quote(text) if "admonition" in classes else text

    convert_aside = convert_div

    def convert_details(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Quote what can be folded away."""
        return quote(text)

    def convert_summary(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Write the line that stays when the rest is folded."""
        return f"\n\n**{text.strip()}**\n\n"

    def convert_figure(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Let a figure stand by itself, its caption below."""
        return "\n\n" + re.sub(r"\n{3,}", "\n\n", text.strip()) + "\n\n"

    def convert_img(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Show a picture with what it says in words."""
        words = self.escape(" ".join(str(el.get("alt", "")).split()), parent_tags)
        return f"![{words}]({el.get('src', '')})"

    def convert_cite(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Print names as the page does."""
        return str(self.convert_em(el, text, parent_tags))

    def convert_dt(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Begin an item with a term, or with the signature of a function and its source."""
        if "sig" not in el.get_attribute_list("class"):
            return f"\n\n* **{text.strip()}**\n\n"
        source = el.find(class_="viewcode-link")
        link = source.find_parent("a") if source else None
        if link:
            link.extract()
        for mark in el.find_all(class_="headerlink"):
            mark.extract()
        signature = f"`{' '.join(el.get_text().split())}`"
        place = f" [\\[source\\]]({self.address(str(link['href']))})" if link else ""
        return f"\n\n* {signature}{place}\n\n"

    def convert_dd(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Put what is said of a term into its item."""
        return f"\n\n{indent(text.strip(), '  ')}\n\n"

    def convert_li(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Keep the letter or the Roman number of an item, as a rule somebody's initials."""
        classes = el.parent.get_attribute_list("class") if el.parent else []
        if el.parent is None or not {"upperalpha", "upperroman"}.intersection(classes):
            return str(super().convert_li(el, text, parent_tags))
        number = int(str(el.parent.get("start", "1"))) + len(el.find_previous_siblings("li"))
        roman = "upperroman" in classes
        letter = RomanNumeral(number).to_uppercase() if roman else chr(ord("A") + number - 1)
        return f"\n\n{letter}. {text.strip()}\n\n"

    def convert_td(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        """Keep a cell in its line."""
        return str(super().convert_td(el, text.replace("|", r"\|"), parent_tags))

    convert_th = convert_td

    def _nothing(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        return ""

    convert_button = convert_input = convert_svg = convert_template = _nothing


def quote(text: str) -> str:
    """Quote Markdown."""
    lines = text.strip().splitlines()
    return "\n\n" + "\n".join(f"> {line}".rstrip() for line in lines) + "\n\n"


def indent(text: str, by: str) -> str:
    """Move Markdown to the right."""
    return re.sub(r"^(?=.)", by, text, flags=re.MULTILINE)


def escape_line(found: re.Match[str]) -> str:
    """Take the meaning from what opens a line: a sign, or the point behind a number."""
    lead, sign = found.groups()
    return f"{lead}{sign}\\" if sign.isdigit() else f"{lead}\\{sign}"
