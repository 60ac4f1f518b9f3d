"""Fewer elements: what is left out of listings, references, hover texts and lists of pages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from pybtex.database import Entry, Person
from pybtex.plugin import find_plugin
from pygments.styles import get_style_by_name
from pygments.token import STANDARD_TYPES
from sphinx.highlighting import PygmentsBridge
from sphinx.testing.util import SphinxTestApp

from _extensions.slim import ShortEntry, SlimHighlighter, shared_classes

STYLES: list[Any] = [get_style_by_name("a11y-light"), get_style_by_name("native")]
CODE = '''
def f(x: int) -> str:  # a comment
    """Docs."""
    return f"{x + 1:.2f} of {len([1.5, 2])}" + 'a\\n'  # more

>>> f(1)
'1'
'''

CONF = """
import sys
sys.path.insert(0, {docs!r})
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_codeautolink", "_extensions.codelinks",
              "_extensions.mathml", "_extensions.navigation", "_extensions.slim"]
myst_enable_extensions = ["dollarmath"]
html_math_renderer = "mathml"
html_theme = "furo"
codeautolink_concat_default = True
"""
PAGES = {
    "index.md": "# Title\n\n```{toctree}\na\nb\n```\n",
    "a.md": (
        "# A\n\n(here)=\n## Here\n\n{ref}`there`, {py:func}`textwrap.dedent`, $x^2$.\n\n"
        "$$\ny^2\n$$\n\n```python\n>>> import textwrap\n"
        ">>> print(textwrap.dedent('a'), textwrap.dedent('b'))\na b\n```\n"
    ),
    "b.md": "# B\n\n```{toctree}\nc\n```\n\n(there)=\n## There\n\n{ref}`here`\n",
    "c.md": "# C\n\n```{eval-rst}\n.. autofunction:: textwrap.dedent\n```\n",
}


def highlighters() -> tuple[PygmentsBridge, SlimHighlighter]:
    plain = PygmentsBridge("html", "a11y-light")
    return plain, SlimHighlighter(plain, STYLES)


def looks(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """Give each character with ink its color and font in every style."""
    by_class = {name: token for token, name in STANDARD_TYPES.items()}
    found = []
    for text in BeautifulSoup(html, "html.parser").find_all(string=True):
        parent = text.parent
        assert parent is not None
        name = str(parent.get_attribute_list("class")[0] or "") if parent.name == "span" else ""
        look = []
        for style in STYLES:
            plain = style.style_for_token(by_class[""])
            one = style.style_for_token(by_class[name])
            look.append(repr(one | {"color": one["color"] or plain["color"]}))
        found += [(letter, tuple(look)) for letter in text if not letter.isspace()]
    return found


@pytest.mark.parametrize("language", ["python", "pycon", "console", "json", "c"])
def test_listings_look_the_same_in_both_styles(language: str) -> None:
    before, after = (one.highlight_block(CODE, language, force=True) for one in highlighters())
    assert looks(before) == looks(after)
    assert BeautifulSoup(before, "html.parser").text == BeautifulSoup(after, "html.parser").text
    assert after.count("<span") < before.count("<span")


def test_no_element_is_wasted() -> None:
    html = highlighters()[1].highlight_block("x = (y + 1) * z", "python")
    assert "<span></span>" not in html
    assert not re.search(r'<span class="(\w+)">[^<]*</span>\s*<span class="\1">', html)
    assert not re.search(r'<span class="\w+">\s*</span>', html)


def test_an_empty_first_line_is_kept() -> None:
    html = highlighters()[1].highlight_block("\n\nx", "none")
    assert re.search(r"<pre><span></span>\n", html)


def test_only_classes_that_look_the_same_are_joined() -> None:
    shared = shared_classes(STYLES)
    assert shared["n"] == shared["p"] == ""
    assert shared["mi"] == shared["mf"] != ""
    assert shared["gp"] not in {"", shared["go"]}
    assert shared_classes(STYLES[:1])["nn"] == ""
    assert shared["nn"] != "", "colored in the dark style alone"


def entry(**fields: str) -> Entry:
    authors = [Person(name) for name in fields.pop("author").split(" and ")]
    return Entry("misc", fields=fields, persons={"author": authors})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"author": "Ada Lovelace", "title": "Notes", "year": "1843"}, "Lovelace, Notes, 1843"),
        ({"author": "A. van Dam and B. C", "title": "{GPU}s"}, "van Dam and C, GPUs"),
        ({"author": "A B and C D and E F", "title": "T", "year": "1"}, "B et al., T, 1"),
    ],
)
def test_hovering_over_a_citation_tells_who_what_when(fields: dict[str, str], text: str) -> None:
    formatted = ShortEntry().format_entry("label", entry(**fields))
    assert formatted.text.render(find_plugin("pybtex.backends", "plaintext")()) == text


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = tmp_path_factory.mktemp("source")
    docs = str(Path(__file__).parents[2] / "docs")
    (source / "conf.py").write_text(CONF.format(docs=docs))
    for name, text in PAGES.items():
        (source / name).write_text(text)
    return source


def build(source: Path, only: str | None = None) -> tuple[Path, str]:
    app = SphinxTestApp("html", srcdir=source, builddir=source / "_build")
    try:
        app.build(filenames=[source / only] if only else [])
        return Path(app.outdir), app.warning.getvalue()
    finally:
        app.cleanup()


def test_references_and_lists_of_pages_are_slim(site: Path) -> None:
    out, warnings = build(site)
    assert not warnings
    page = BeautifulSoup((out / "a.html").read_text(), "html.parser")
    (there,) = page.select('article a[href="b.html#there"]')
    assert str(there) == '<a class="reference internal" href="b.html#there">There</a>'
    (function,) = page.select('article p a[href="c.html#textwrap.dedent"]')
    assert "title" not in function.attrs
    tree = page.select(".sidebar-tree")[0]
    assert [a["href"] for a in tree.find_all("a")] == ["#", "b.html"]
    inner = BeautifulSoup((out / "c.html").read_text(), "html.parser").select(".sidebar-tree")[0]
    assert [a["href"] for a in inner.find_all("a")] == ["a.html", "b.html", "#"]


def test_latex_stays_with_displays(site: Path) -> None:
    out, _ = build(site)
    assert re.findall('data-latex="([^"]*)"', (out / "a.html").read_text()) == ["y^2"]


def test_code_links_to_the_reference_also_when_only_written_anew(site: Path) -> None:
    link = 'class="sphinx-codeautolink-a" href="c.html#textwrap.dedent"'
    out, _ = build(site)
    first = (out / "a.html").read_text()
    assert first.count(link) == 2
    (out / "a.html").unlink()
    _, warnings = build(site, "a.md")
    assert not warnings
    assert (out / "a.html").read_text() == first
