"""PDF and EPUB: the pages that are printed, their numbers, and what the checks find."""

from __future__ import annotations

import re
import sys
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from matplotlib.figure import Figure
from sphinx.testing.util import SphinxTestApp

import build_print
from _extensions import print_pages
from _extensions.print_figures import DrawPDF
from figures import style

# sphinx-exercise 1.2.1 still asks the environment for the application.
pytestmark = pytest.mark.filterwarnings("ignore::sphinx.deprecation.RemovedInSphinx11Warning")

DOCS = Path(__file__).parents[2] / "docs"
CONF = """\
project, author, copyright = "Toy", "The Authors", "2026, The Authors"
version = release = "1.0"
extensions = [
    "myst_parser", "sphinx_exercise", "_extensions.mathml", "_extensions.measurements",
    "_extensions.proofs", "_extensions.pyfigures", "_extensions.print_epub",
    "_extensions.print_latex", "_extensions.print_pages",
]
exclude_patterns = ["_*"]
myst_enable_extensions = ["amsmath", "dollarmath"]
html_math_renderer = "mathml"
html_theme = "furo"
numfig = math_numfig = True
numfig_secnum_depth = 1
"""
INDEX = """\
# Welcome to the site

```{toctree}
:hidden:
chapters/00-start
```
```{toctree}
:hidden:
:numbered: 1
chapters/01-one
chapters/02-two
```
```{toctree}
:hidden:
reference/index
```
```{toctree}
:hidden:
appendix/notes
```
"""
CHAPTER = """\
# Chapter {n}

$$
a = b
$$ (eq-{n}-a)

## A section

```{{prf:theorem}} A title
:label: thm-{n}
Of $x$:

$$
c = d
$$ (eq-{n}-b)
```

```{{prf:proof}}
It is so.
```

```{{pyfigure}} probe.line
:name: fig-{n}
:alt: a line

A caption.
```

```{{exercise}} Warm up
:label: ex-{n}
Do.
```

```{{solution}} ex-{n}
Done, by {{eq}}`eq-{n}-b`, {{prf:ref}}`thm-{n}`, {{numref}}`fig-{n}`, {{numref}}`ex-{n}`.
```

See {{doc}}`/reference/index`, {{ref}}`a-name`, and `a.long_name(of=code)`, measured as
{{ref}}`4.2 <measurement-toy>`, by <a href="feed.xml">hand</a>.
"""


def line() -> Figure:
    fig, axes = style.one()
    axes.plot([0, 1], [0, 1])
    return fig


Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Build a small book with a builder, fail on warnings, return the folder."""
    module = types.ModuleType("figures.probe")
    module.__file__ = __file__
    vars(module).update(line=line)
    monkeypatch.setitem(sys.modules, "figures.probe", module)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1790000000")
    source = tmp_path / "docs"
    pages = {
        "index": INDEX,
        "chapters/00-start": CHAPTER.format(n=0),
        "chapters/01-one": CHAPTER.format(n=1),
        "chapters/02-two": CHAPTER.format(n=2),
        "appendix/notes": CHAPTER.format(n=9),
        "reference/index": "# The reference\n\n(measurement-toy)=\n(a-name)=\n## A name\n\nText.\n",
    }
    for name, text in pages.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / f"{name}.md").write_text(text)
    (source / "conf.py").write_text(CONF)
    for folder in ("_latex", "_epub", "_static"):
        (source / folder).symlink_to(DOCS / folder)

    def run(builder: str, folder: str = "", **settings: str) -> Path:
        app = SphinxTestApp(
            builder,
            srcdir=source,
            builddir=tmp_path / (folder or f"build-{builder}"),
            confoverrides=settings,
        )
        try:
            app.build(force_all=True)
            assert not app.warning.getvalue()
            return Path(app.outdir)
        finally:
            app.cleanup()

    return run


def numbers_on_the_web(html: Path) -> dict[str, str]:
    """Read the numbers of equations off the pages."""
    found = {}
    for page in html.rglob("*.html"):
        docname = page.relative_to(html).with_suffix("").as_posix()
        number = re.compile(r'id="equation-(eq-[\w-]+)".*?class="eqno">\(([\d.]+)\)', re.DOTALL)
        for label, printed in number.findall(page.read_text()):
            found[f"equation:{docname}:{label}"] = printed
    return found


def test_paper_has_the_numbers_of_the_web(build: Build) -> None:
    html, tex = build("html"), (build("latex") / build_print.TEX).read_text()
    on_paper = re.findall(r"\\bookequation\{([\d.]+)\}\{(equation:[^}]+)\}", tex)
    web = numbers_on_the_web(html)
    assert len(web) == 8
    assert {label: number for number, label in on_paper} == web
    chapters = re.findall(r"\\bookchapter\{(\d*)\}\{(.*)\}", tex)
    assert chapters == [
        ("", "Chapter 0"),
        ("1", "Chapter 1"),
        ("2", "Chapter 2"),
        ("", "Chapter 9"),
    ]
    for printed in ("Theorem 2.1 (A title)", "Exercise 2.1 (Warm up)", r"\booknumber{figure}{2.1}"):
        assert printed in tex
    for kind, name in (("thm", "Theorem 2.1"), ("fig", "Fig. 2.1"), ("ex", "Exercise 2.1")):
        reference = rf"\hyperref[\detokenize{{chapters/02-two:{kind}-2}}]{{{name}"
        assert reference in tex.replace(r"\sphinxcrossref{", "")


def test_the_front_page_and_the_reference_are_not_printed(build: Build) -> None:
    tex = (build("latex") / build_print.TEX).read_text()
    assert "Welcome" not in tex
    assert r"\bookchapter{}{The reference}" not in tex
    plain = re.sub(r"\\(DUrole|sphinxcode|sphinxupquote)(\{[\w-]+\})?", "", tex).translate(
        {0x7B: None, 0x7D: None}
    )
    assert "See The reference, A name, and" in plain


def test_links_leave_the_book_where_its_address_is_known(build: Build) -> None:
    base = "https://book.example/en/"
    tex = (build("latex", html_baseurl=base) / build_print.TEX).read_text()
    assert rf"\sphinxhref{{{base}reference/index.html\#a-name}}" in tex


def test_measured_numbers_are_marked(build: Build) -> None:
    tex = (build("latex") / build_print.TEX).read_text()
    assert re.search(r"measured as\s+\\DUrole\{measured\}\{[^4]*4\.2\}+, by hand\.", tex)


def test_long_names_may_break(build: Build) -> None:
    tex = (build("latex") / build_print.TEX).read_text()
    assert r"a.\bookbreak{}long\_\bookbreak{}name(\bookbreak{}of=\bookbreak{}code)" in tex


def test_figures_are_drawn_as_pdf_and_always_the_same(tmp_path: Path, build: Build) -> None:
    assert (build("latex") / "probe-line.pdf").read_bytes().startswith(b"%PDF")
    first, second = tmp_path / "first.pdf", tmp_path / "second.pdf"
    for path in (first, second):
        assert DrawPDF.convert(None, "probe-line.svg", path)  # type: ignore[arg-type]
    assert first.read_bytes() == second.read_bytes()
    assert b"CreationDate" not in first.read_bytes()


def test_epub_holds_the_printed_pages_and_says_so(build: Build) -> None:
    with zipfile.ZipFile(build("epub") / f"{print_pages.NAME}.epub") as epub:
        names = epub.namelist()
        package = ET.fromstring(epub.read("content.opf"))
        pages = {name: epub.read(name).decode() for name in names if name.endswith(".xhtml")}
    assert names[0] == "mimetype"
    assert not [name for name in names if name.startswith("reference") or name.endswith(".js")]
    assert any(name.endswith(".svg") for name in names)
    space = {"opf": "http://www.idpf.org/2007/opf"}
    marked = package.findall("opf:manifest/opf:item[@properties='mathml']", space)
    with_math = {name for name, text in pages.items() if "<math" in text}
    assert {item.attrib["href"] for item in marked} == with_math
    order = [ref.attrib["idref"] for ref in package.findall("opf:spine/opf:itemref", space)]
    hrefs = {
        item.attrib["id"]: item.attrib["href"]
        for item in package.iter()
        if "href" in item.attrib and "id" in item.attrib
    }
    assert [hrefs[name] for name in order] == [
        "index.xhtml", "chapters/00-start.xhtml", "chapters/01-one.xhtml",
        "chapters/02-two.xhtml", "appendix/notes.xhtml",
    ]  # fmt: skip
    for text in pages.values():
        assert "<script" not in text
        assert "outside:" not in text
        assert "feed.xml" not in text
    assert "The Authors" in pages["index.xhtml"]


def test_epub_is_the_same_to_the_byte(build: Build) -> None:
    first, second = (build("epub", folder) / f"{print_pages.NAME}.epub" for folder in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_log_of_latex_is_read() -> None:
    log = "\n".join(
        [
            "LaTeX Warning: Hyper reference `a:b' on page 3 undefined on input line 9.",
            r"Overfull \hbox (9.9pt too wide) in paragraph at lines 1--2",
            r"Overfull \hbox (10.1pt too wide) in paragraph at lines 3--4",
            "Missing character: There is no 日 in font x!",
            "Formula on page 7 scaled from 100.0pt to 80.0pt",
            "Formula on page 8 scaled from 100.0pt to 60.0pt",
        ]
    )
    found = build_print.problems(log)
    assert [re.findall(r"a:b|10\.1|日|page \d", line) for line in found] == [
        ["a:b"], ["10.1"], ["日"], ["page 8"],
    ]  # fmt: skip
    assert build_print.problems("This is XeTeX\n") == []


def test_numbers_are_compared() -> None:
    labels = {"equation:a:eq-x": "4.3", "equation:a:eq-y": "4.5"}
    aux = "\n".join(f"\\newlabel{{{name}}}{{{{{n}}}{{2}}{{T}}}}" for name, n in labels.items())
    assert build_print.differences({"equation:a:eq-x": "4.3"}, aux) == []
    wrong = {"equation:a:eq-y": "4.4", "equation:a:eq-z": "4.6"}
    assert build_print.differences(wrong, aux) == [
        "equation:a:eq-y is 4.4 on the web and 4.5 on paper",
        "equation:a:eq-z is 4.6 on the web and missing on paper",
    ]
