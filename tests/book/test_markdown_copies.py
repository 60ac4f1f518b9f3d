"""The Markdown copies of the real book, read back by another parser and held against the pages."""

import re
from collections import Counter
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from _extensions.math_conversion import Converter

MARKDOWN = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
PLAIN = Converter({})  # knows no macros
HEADINGS = {f"h{level}" for level in range(1, 7)}
VOID = {"br", "col", "hr", "img", "input", "wbr"}
# What holds the parts of a formula together, more or fewer of them, and draws nothing.
ROWS = {"math", "mrow"}
# What a copy leaves out, by element, class or attribute: what serves readers of the web page only,
# and the numbers of formulas, which it writes in TeX.
LEFT_OUT = {
    "headerlink", "viewcode-back", "back-to-top", "content-icon-container", "eqno", "backrefs",
    "script", "button", "svg", "hidden",
}  # fmt: skip
# The letter of an item in a list, which HTML does not hold as text.
INITIAL = re.compile(r"\b[A-Z]+\.\s*")


class Page(HTMLParser):
    """The text of a page between the frame around it, its formulas, and how many parts it has."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.text: list[str] = []
        self.drawn: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        # The open elements, each with what becomes of the text in it.
        self._open: list[tuple[str, list[str]]] = [("", self.text)]
        self._ignored: list[str] = []
        self.feed(html[html.index("<article") : html.index("</article>")])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        classes, inside = given.get("class", "").split(), dict(self._open)
        kind = self._open[-1][1]
        self.ids.add(given.get("id", ""))
        if kind is self.text:
            self.counts["heading"] += tag in HEADINGS
            self.counts["display"] += given.get("display") == "block"
            self.counts.update({tag} & {"pre", "table", "img"})
            if LEFT_OUT.intersection({tag, *classes, *given}):
                kind = self._ignored
            elif tag == "math":
                kind = self.drawn
        elif kind is self.drawn and tag not in ROWS:
            kind.append(f"<{tag}>")
        if tag == "a" and kind is self.text and "pre" not in inside:
            # A signature is code, but one link leads from it to the source.
            linked = "sig" not in inside or "/_modules/" in given["href"]
            self.links += [given["href"]] if linked else []
        if "term" in classes:  # whose definition, hidden on the page, leads to the glossary
            self.links.append("glossary")
        if tag not in VOID:
            self._open.append(("sig" if "sig" in classes else tag, kind))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self._open[-1][1].append(data)


class Copy:
    """The same of its copy."""

    def __init__(self, markdown: str) -> None:
        self.counts: Counter[str] = Counter()
        self.text: list[str] = []
        self.prose: list[str] = []
        self.formulas: list[tuple[str, bool]] = []
        self.links: list[str] = []
        self.strange: list[str] = []
        for token in MARKDOWN.parse(markdown):
            self.read(token)

    def read(self, token: Token) -> None:
        """Note what a token says."""
        names = {"heading_open": "heading", "fence": "pre", "table_open": "table", "image": "img"}
        self.counts.update([names[token.type]] if token.type in names else [])
        self.counts["display"] += token.type == "math_block"
        if token.type.startswith("math_"):
            self.formulas.append((token.content, token.type == "math_block"))
        elif token.type in {"text", "code_inline", "fence", "softbreak"}:
            self.text.append(token.content or " ")
            self.prose += [token.content] if token.type == "text" else []
        elif token.type in {"html_inline", "html_block", "code_block"}:
            self.strange.append(token.content)
        elif token.type == "inline":
            for child in token.children or []:
                self.read(child)
        elif token.type == "link_open":
            self.links.append(str(token.attrs["href"]))


def squeezed(text: list[str]) -> str:
    """Join a text without what the two notations do differently."""
    return "".join(INITIAL.sub("", "".join(text)).split())


@pytest.fixture(scope="module")
def pairs(built_book: Path) -> dict[str, tuple[Page, Copy]]:
    """Read every page that has a copy, and the copy."""
    latest = built_book / "latest"
    return {
        path.relative_to(latest).with_suffix("").as_posix(): (
            Page(path.with_suffix(".html").read_text(encoding="utf-8")),
            Copy(path.read_text(encoding="utf-8")),
        )
        for path in sorted(latest.rglob("*.md"))
    }


def test_every_page_of_the_book_has_a_copy(pairs: dict[str, tuple[Page, Copy]]) -> None:
    docs = Path(__file__).parents[2] / "docs"
    sources = {p.relative_to(docs).with_suffix("").as_posix() for p in docs.glob("[!_]*/**/*.md")}
    chapters = {name for name in sources if name.startswith(("appendix", "chapters", "reference"))}
    assert len(chapters) > 180
    assert chapters | {"index", "_modules/primer_ref/attention"} <= pairs.keys()


def test_a_copy_says_what_its_page_says(pairs: dict[str, tuple[Page, Copy]]) -> None:
    for name, (page, copy) in pairs.items():
        assert squeezed(copy.text) == squeezed(page.text), name
        assert copy.counts == page.counts, name
        assert set(copy.strange) <= {"<sub>", "</sub>", "<sup>", "</sup>"}, name


@cache
def drawn(tex: str, *, display: bool) -> str:
    """Draw a formula without any macro, and read it as a page."""
    return "".join(Page(f"<article>{PLAIN(tex, display=display)}</article>").drawn)


def test_a_copy_has_the_formulas_of_its_page(pairs: dict[str, tuple[Page, Copy]]) -> None:
    """Where no macro of the book is known, a formula of the copy draws what the page shows."""
    labels = 0
    for name, (page, copy) in pairs.items():
        shown = "".join(page.drawn)
        for formula, display in copy.formulas:
            tex, found = re.subn(r"\s*\\tag\{[\d.]+\} \\label\{eq-[a-z0-9-]+\}", "", formula)
            labels += found
            ours = drawn(tex.strip(), display=display)
            assert shown.startswith(ours), (name, tex, ours, shown[: len(ours)])
            shown = shown.removeprefix(ours)
        assert not shown, name
    assert labels > 600


def test_nothing_is_left_of_the_notation_of_the_sources(
    pairs: dict[str, tuple[Page, Copy]],
) -> None:
    # A role of MyST or of reStructuredText before its argument, and what opens a directive.
    left = re.compile(r"\{[a-z]+(:[a-z]+)*\}(`|$)|:[a-z]+(:[a-z]+)*:(`|$)|:::|```|¶")
    for name, (_, copy) in pairs.items():
        assert not [text for text in copy.prose if left.search(text)], name


def test_links_of_copies_lead_to_copies(
    built_book: Path, pairs: dict[str, tuple[Page, Copy]]
) -> None:
    latest = built_book / "latest"
    for name, (page, copy) in pairs.items():
        assert len(copy.links) == len(page.links), name
        for link in copy.links:
            address, fragment = urldefrag(link)
            if urlsplit(address).scheme:
                continue
            target = (latest / name).parent / unquote(address) if address else latest / f"{name}.md"
            assert target.is_file(), (name, link)
            other = target.resolve().relative_to(latest.resolve()).with_suffix("").as_posix()
            if target.suffix == ".html":  # the indices, which have no copies
                assert other in {"genindex", "py-modindex", "prf-prf", "search"}, (name, link)
            elif fragment and target.suffix == ".md":
                assert unquote(fragment) in pairs[other][0].ids, (name, link)
