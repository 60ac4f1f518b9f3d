"""Markdown copies of toy pages that hold every kind of element the book has."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from _extensions.markdown_rules import to_markdown
from _extensions.tex_macros import expand
from tests.extensions import toy

CONF = """\
project = "Toy"
copyright = "2026, Toy"
extensions = [
    "myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_proof", "sphinx_exercise",
    "_extensions.mathml", "_extensions.proofs", "_extensions.page_metadata",
    "_extensions.markdown_copies",
]
html_theme = "furo"
add_module_names = False
html_math_renderer = "mathml"
exclude_patterns = ["chapters"]
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "deflist"]
numfig = True
math_numfig = True
numfig_secnum_depth = 1
"""
FRONT = """\
# Front

A page of *many* parts, see {doc}`deep/other`, {eq}`eq-mean`, {ref}`the end <end>` and
[Sphinx](https://www.sphinx-doc.org/).

```{math}
:label: eq-mean

\\E[X] = \\sum_x x\\,\\P(x)
```

```{prf:theorem} Bound
:label: thm-bound

For $x\\in\\R$,

$$
\\norm{x} \\ge 0.
$$
```

| a | b |
|---|---|
| $\\abs{x}$ | `x \\| y` |
| 1. | two\\*three |

term
: Its meaning,
  and a list:

  - one
  - two

```python
>>> print("`a_b_c`", 2 * 3)
6
```

:::{note}
Costs $1 or \\$2, _not_ snake_case \\<b>, [x] and 2 * 3 * 4.
:::

```{figure} picture.png
:alt: A line that [rises].

It rises by $n_i$.
```

(end)=
## The end

Text.[^note]

[^note]: A *note*.

1985\\. A year.

```{toctree}
deep/other
```
"""
OTHER = """\
# Other

{doc}`/index` and {eq}`eq-mean`, {ref}`genindex`.

```{eval-rst}
.. automodule:: toy_module
   :members:
```
"""
MODULE = '''\
"""A module."""


class Point:
    """Two numbers."""

    def turn(self, angle: float, *, times: int = 1) -> None:
        """Turn it.

        Parameters
        ----------
        angle : float
            In radians.

        References
        ----------
        D. P. Kingma and J. Ba (2015), Adam.

        Examples
        --------
        >>> Point().turn(1.0)
        """
'''


# Of Furo, sphinx-proof and sphinx-exercise.
pytestmark = pytest.mark.filterwarnings("ignore::sphinx.deprecation.RemovedInSphinx11Warning")


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay out the toy book."""
    source = tmp_path / "docs"
    (source / "deep").mkdir(parents=True)
    (source / "conf.py").write_text(CONF)
    (source / "index.md").write_text(FRONT)
    (source / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (source / "deep" / "other.md").write_text(OTHER)
    (source / "toy_module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(source))
    return source


def build(source: Path, *, parallel: int = 1, builder: str = "html", **config: str) -> Path:
    """Build the toy without a warning."""
    out, said, _ = toy.build(source, builder, parallel=parallel, **config)
    assert said == ""
    return out


def convert(html: str) -> str:
    return to_markdown(html, lambda address: address)


def test_every_kind_of_element(book: Path) -> None:
    copy = (build(book) / "index.md").read_text()
    parts = [
        "# Front\n",
        "A page of *many* parts, see [Other](deep/other.md), [(1)](#equation-eq-mean), "
        "[the end](#end) and [Sphinx](https://www.sphinx-doc.org/).",
        "$$\n\\mathbb{E}[X] = \\sum_x x\\,\\mathbb{P}(x)\n\\tag{1} \\label{eq-mean}\n$$\n",
        "> **Theorem 1 (Bound)**\n>\n> For $x\\in\\mathbb{R}$,\n>\n> $$\n"
        "> \\left\\lVert x \\right\\rVert \\ge 0.\n> $$\n",
        "| a | b |\n| --- | --- |\n| $\\left\\lvert x \\right\\rvert$ | `x \\| y` |\n"
        "| 1\\. | two\\*three |\n",
        "* **term**\n\n  Its meaning, and a list:\n\n  - one\n  - two\n",
        '```python\n>>> print("`a_b_c`", 2 * 3)\n6\n```\n',
        "> **Note**\n>\n> Costs \\$1 or \\$2, *not* snake_case \\<b>, \\[x\\] and 2 \\* 3 \\* 4.\n",
        "![A line that \\[rises\\].](_images/picture.png)\n\nFig. 1 It rises by $n_i$.\n",
        "## The end\n\nText.[\\[1\\]](#note)\n\n1985\\. A year.\n",
        "- \\[[1](#id1)\\] A *note*.\n",
    ]
    at = 0
    for part in parts:
        assert part in copy[at:], part
        at = copy.index(part, at)
    assert not re.search(r"¶|\{[a-z:]+\}|:::", copy)


def test_the_reference_is_rendered(book: Path) -> None:
    copy = (build(book) / "deep" / "other.md").read_text()
    for part in (
        "[Front](../index.md) and [(1)](../index.md#equation-eq-mean), [Index](../genindex.html).",
        "* `class Point`\n\n  Two numbers.\n\n"
        "  * `turn(angle: float, *, times: int = 1) → None`\n\n    Turn it.\n",
        "    * **Parameters:**\n\n      **angle** (*float*) – In radians.\n",
        "    **References**\n",
        "    D. P. Kingma and J. Ba (2015), Adam.\n",
        "    ```python\n    >>> Point().turn(1.0)\n    ```\n",
    ):
        assert part in copy, part


def test_pages_name_their_copies(book: Path) -> None:
    out = build(book)
    tag = '<link rel="alternate" type="text/markdown" title="Markdown" href="{}">'
    assert tag.format("index.md") in (out / "index.html").read_text()
    assert tag.format("other.md") in (out / "deep" / "other.html").read_text()
    assert "text/markdown" not in (out / "search.html").read_text()
    assert sorted(path.relative_to(out).as_posix() for path in out.rglob("*.md")) == [
        "deep/other.md",
        "index.md",
    ]


def test_copies_follow_changes_and_do_not_depend_on_processes(book: Path) -> None:
    for number in range(8):
        (book / f"page{number}.md").write_text(f"---\norphan: true\n---\n\n# Page {number}\n")
    serial, parallel = build(book), build(book, parallel=2)
    copies = sorted(path.relative_to(serial) for path in serial.rglob("*.md"))
    assert len(copies) == 10
    for copy in copies:
        assert (serial / copy).read_bytes() == (parallel / copy).read_bytes(), copy
    (book / "page1.md").write_text("---\norphan: true\n---\n\n# Another\n")
    assert (build(book) / "page1.md").read_text() == "# Another\n"


def test_other_builders_write_no_copies(book: Path) -> None:
    assert not list(build(book, builder="epub", version="1").rglob("*.md"))


def test_index_for_programs(book: Path) -> None:
    folders = ("chapters", "appendix", "reference/tests")
    pages = {
        "chapters/00-start.md": "---\ntitle: Start\nnumber: 0\nneeds: []\ndate: 2026-03-01\n"
        "status: finished\nsummary: Where it begins.\n---\n\nText.\n",
        "reference/index.md": "# Reference\n\nEvery function of this toy, by module and name.\n",
        "appendix/notation.md": "# Notation\n\nOne letter, one meaning, wherever two could meet.\n",
        "reference/tests/test_a.md": "# Tests of a\n\n```python\n```\n",
    }
    for folder in folders:
        (book / folder).mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (book / name).write_text(text)
    names = "\n".join(name.removesuffix(".md") for name in pages)
    (book / "index.md").write_text(
        FRONT.replace("deep/other\n```\n", f"deep/other\n{names}\n```\n")
    )
    out = build(book, exclude_patterns="", myst_title_to_header="1", release="1.2")
    text = (out / "llms.txt").read_text()
    assert text.startswith("# Toy\n\n> A page of many parts")
    assert "This is version 1.2.\n" in text
    assert re.findall("^## (.*)", text, flags=re.M) == [
        "Series",
        "Reference",
        "Appendix",
        "Optional",
    ]
    entries = re.findall(r"^- \[(.*)\]\((.*)\): (.*)$", text, flags=re.M)
    assert [address for _, address, _ in entries] == list(pages)
    assert entries[0] == ("0. Start", "chapters/00-start.md", "Where it begins.")
    assert all((out / address).is_file() for _, address, _ in entries)
    out = build(book, exclude_patterns="", myst_title_to_header="1", html_baseurl="https://a.org/b")
    assert "](https://a.org/b/appendix/notation.md): One letter" in (out / "llms.txt").read_text()


def test_what_opens_on_demand() -> None:
    term = (
        '<p>By <span class="term" role="button">softmax</span><span class="meaning" hidden="">'
        'A map. <a href="04.html#soft">Chapter 4</a> <a href="g.html#term">Glossary</a></span>.</p>'
    )
    assert convert(term) == "By [softmax](g.html#term).\n"
    fold = "<details><summary>Proof</summary>\n<p>Clear.</p>\n<p>Done.</p></details>"
    assert convert(fold) == "> **Proof**\n>\n> Clear.\n>\n> Done.\n"


def test_a_list_in_a_paragraph() -> None:
    html = "<p><ul><li><p>one</p></li>\n<li><p>two</p></li></ul></p><p>Three.</p>"
    assert convert(html) == "- one\n- two\n\nThree.\n"


@pytest.mark.parametrize(
    "text",
    [
        "2 * 3 * 4 and *x*",
        "a_b _c_ __d__",
        "`code` ``two``",
        "[a](b) ![c](d) [e][f]",
        "<b> &amp; &lt; 1 < 2",
        "# no heading",
        "- no item",
        "+ no item",
        "> no quotation",
        "1. no item",
        "2) no item",
        "=== ---",
        "$5 and $6",
        "a\\*b \\( \\\\",
        "~~~",
        "| a | b |",
        "*",
    ],
)
def test_text_stays_text(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    markdown = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
    (_, inline, _) = markdown.parse(convert(f"<p>{escaped}</p>"))
    assert [child.type for child in inline.children or []] == ["text"]
    assert (inline.children or [])[0].content == text


@pytest.mark.parametrize(
    ("tex", "plain"),
    [
        (r"\two{a}{b}", r"<a|b>"),
        (r"\two a{b_{c}}", r"<a|b_{c}>"),
        (r"\two{\two12}\one", r"<<1|2>|\mathbf 1>"),
        (r"x^\one_\one", r"x^{\mathbf 1}_{\mathbf 1}"),
        (r"\bar x \\ \ones", r"\bar x \\ \ones"),
        (r"\stop x\stop3", r"\rVert x\rVert3"),
        (r"\{\two{\}}{b}", r"\{<\}|b>"),
    ],
)
def test_macros_are_written_out(tex: str, plain: str) -> None:
    macros = {"two": (2, "<#1|#2>"), "one": (0, r"\mathbf 1"), "stop": (0, r"\rVert")}
    assert expand(tex, macros) == plain
