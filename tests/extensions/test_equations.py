"""Equation, function and test link to each other in a small book, and no link may be missing."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"

FILES = {
    "docs/conf.py": """
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_parser", "_extensions.equations"]
myst_enable_extensions = ["amsmath", "dollarmath"]
numfig = math_numfig = nitpicky = True
numfig_secnum_depth = 1
equations_package = "../src/toy"
html_theme = "basic"
""",
    "docs/index.md": """
# Toy

$$
\\text{A display outside the chapters needs no label.}
$$

```{toctree}
:numbered:

chapters/one
chapters/next
chapters/three
```

```{toctree}
reference/api
reference/equations
reference/tests/test_toy
```
""",
    "docs/chapters/one.md": """
# First things

## Doubling

```{math}
:label: eq-double
f(x) = 2x
```

$$
g(x) = x^2
$$ (eq-square)

## Nothing

```python
>>> 0 * 1
0
```

```{math}
:label: eq-zero
:kind: definition
0 = x - x
```

### Below

```python
>>> 1 - 1
0
```
""",
    "docs/chapters/next.md": """
# Second things

```{math}
:label: eq-sum
:kind: identity
f(x) = x + x
```

Compare {eq}`eq-double`.

```{math}
:label: eq-one
:kind: step
1 = 0 + 1
```

```python
>>> 0 + 1
1
```
""",
    "docs/chapters/three.md": """
# Third things

There is no equation here.

See {eq}`eq-square`.
""",
    "docs/reference/api.md": """
# Package

```{eval-rst}
.. automodule:: toy.numbers
   :members:
```
""",
    "docs/reference/equations.md": "# Equations\n\n```{equation-index}\n```\n",
    "docs/reference/tests/test_toy.md": """
# Tests

```{equation-tests} tests/test_toy.py
```
""",
    "src/toy/__init__.py": '"""A toy."""\n',
    "src/toy/numbers.py": '''
"""Numbers. Implements :eq:`eq-double`, but a module is no function: this only cites."""


def double(x: float) -> float:
    """Double a number.

    Notes
    -----
    Implements :eq:`eq-double`.
    """
    return 2 * x


class Square:
    """A square.

    Implements :eq:`eq-square` and
    :eq:`eq-sum`.
    """

    def area(self, side: float) -> float:
        """Return the area. Implements :eq:`eq-square`."""
        return side * side
''',
    "tests/test_toy.py": """
import pytest
from toy.numbers import Square, double


@pytest.mark.equation("eq-double")
@pytest.mark.equation("eq-sum")
def test_double():
    assert double(3) == 3 + 3


class TestSquare:
    @pytest.mark.equation("eq-square")
    def test_area(self):
        assert Square().area(3) == 9
""",
}


def write(root: Path) -> Path:
    for name, text in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip("\n"), encoding="utf-8")
    return root


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def build(root: Path, *options: str, out: str = "html") -> subprocess.CompletedProcess[str]:
    builder = [] if "-b" in options else ["-b", "html"]
    command = ["-m", "sphinx", "-q", "-W", "-n", *builder, *options]
    paths = ["-d", str(root / "doctrees" / out), str(root / "docs"), str(root / out)]
    return subprocess.run(
        [sys.executable, *command, *paths],
        env={**os.environ, "PYTHONPATH": str(DOCS), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def pages(root: Path, out: str = "html") -> dict[str, str]:
    """Return every page of a built book that comes from a source file."""
    found = {path.relative_to(root / "docs").with_suffix("") for path in root.glob("docs/**/*.md")}
    return {str(p): (root / out / p).with_suffix(".html").read_text("utf-8") for p in sorted(found)}


class Links(HTMLParser):
    """Collects ids and links, each link with its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[tuple[str, str]] = []
        self.open = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.ids |= {attributes.get("id", "")}
        if tag == "a" and "reference internal" in attributes.get("class", ""):
            self.links.append((attributes["href"], ""))
            self.open = True

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag != "a"

    def handle_data(self, data: str) -> None:
        if self.open:
            href, text = self.links[-1]
            self.links[-1] = (href, text + data)


def part(html: str, start: str, end: str) -> str:
    return html.split(start, 1)[1].split(end, 1)[0]


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).strip()


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write(tmp_path_factory.mktemp("book"))
    result = build(root)
    assert (result.returncode, result.stderr) == (0, "")
    return root


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """Return a book that is not built yet and may be changed."""
    return write(tmp_path)


class TestLinks:
    def under(self, html: str, label: str) -> str:
        return part(html, f'id="equation-{label}"', "</p>").partition('class="equation-links')[2]

    def test_an_equation_leads_to_its_function_and_its_test(self, book: Path) -> None:
        line = self.under(pages(book)["chapters/one"], "eq-double")
        assert text(line.partition(">")[2]) == "Code: numbers.double · Test: test_double"
        assert Links(line).links == [
            ("../reference/api.html#toy.numbers.double", "numbers.double"),
            ("../reference/tests/test_toy.html#test_double", "test_double"),
        ]

    def test_dollar_signs_do_as_well(self, book: Path) -> None:
        line = self.under(pages(book)["chapters/one"], "eq-square")
        assert Links(line).links == [
            ("../reference/api.html#toy.numbers.Square", "numbers.Square"),
            ("../reference/api.html#toy.numbers.Square.area", "numbers.Square.area"),
            ("../reference/tests/test_toy.html#TestSquare.test_area", "TestSquare.test_area"),
        ]

    @pytest.mark.parametrize(
        ("page", "label", "line"),
        [
            ("chapters/one", "eq-zero", "Definition · checked by the example above"),
            ("chapters/next", "eq-one", "Step · checked by the example below"),
            ("chapters/next", "eq-sum", "Identity · Code: numbers.Square · Test: test_double"),
        ],
    )
    def test_a_kind_says_what_checks_it(self, book: Path, page: str, label: str, line: str) -> None:
        assert text(self.under(pages(book)[page], label).partition(">")[2]) == line

    def test_a_function_leads_to_its_equation_and_its_test(self, book: Path) -> None:
        entry = part(pages(book)["reference/api"], 'id="toy.numbers.double"', "</dl>")
        phrase = part(entry, "Notes</p>", "</p>")
        assert text(phrase) == (
            "Implements equation (1.1) of Chapter 1, First things; checked by test_double."
        )
        assert Links(phrase).links == [
            ("../chapters/one.html#equation-eq-double", "(1.1)"),
            ("../chapters/one.html", "First things"),
            ("tests/test_toy.html#test_double", "test_double"),
        ]

    def test_one_sentence_may_name_several_equations(self, book: Path) -> None:
        entry = part(pages(book)["reference/api"], 'id="toy.numbers.Square"', "</dl>")
        assert (
            "Implements equation (1.2) of Chapter 1, First things; checked by "
            "TestSquare.test_area. Implements equation (2.1) of Chapter 2, Second things; "
            "checked by test_double."
        ) in text(entry)

    def test_a_module_docstring_only_cites(self, book: Path) -> None:
        assert "Numbers. Implements (1.1), but a" in text(pages(book)["reference/api"])

    def test_a_test_leads_to_its_equations_and_functions(self, book: Path) -> None:
        section = part(pages(book)["reference/tests/test_toy"], 'id="test_double"', "</section>")
        assert text(part(section, "</h2>", "</p>")) == (
            "Checks equation (1.1) of Chapter 1, First things; implemented by numbers.double. "
            "Checks equation (2.1) of Chapter 2, Second things; implemented by numbers.Square."
        )
        hrefs = {href for href, _ in Links(section).links}
        assert "../api.html#toy.numbers.double" in hrefs
        assert "../../chapters/next.html#equation-eq-sum" in hrefs
        assert "def test_double():" in text(section)

    def test_the_index_lists_every_equation_in_reading_order(self, book: Path) -> None:
        html = pages(book)["reference/equations"]
        rows = [
            [text(cell) for cell in re.findall(r"<td>(.*?)</td>", row, re.DOTALL)]
            for row in re.findall(r"<tr[^>]*>(.*?)</tr>", html, re.DOTALL)
        ]
        assert [row for row in rows if row] == [
            ["(1.1)", r"\(\displaystyle f(x) = 2x\) Code: numbers.double · Test: test_double"],
            [
                "(1.2)",
                r"\(\displaystyle g(x) = x^2\) Code: numbers.Square, numbers.Square.area · "
                "Test: TestSquare.test_area",
            ],
            ["(1.3)", r"\(\displaystyle 0 = x - x\) Definition · checked by the example"],
            [
                "(2.1)",
                r"\(\displaystyle f(x) = x + x\) Identity · Code: numbers.Square · "
                "Test: test_double",
            ],
            ["(2.2)", r"\(\displaystyle 1 = 0 + 1\) Step · checked by the example"],
        ]

    def test_every_link_finds_its_place(self, book: Path) -> None:
        parsed = {name: Links(html) for name, html in pages(book).items()}
        checked = 0
        for name, page in parsed.items():
            for href, _ in page.links:
                path, _, anchor = href.partition("#")
                target = os.path.normpath(Path(name).parent / path) if path else name
                if anchor:
                    assert anchor in parsed[target.removesuffix(".html")].ids, (name, href)
                    checked += 1
        assert checked > 20

    @pytest.mark.parametrize("builder", ["text", "latex"])
    def test_other_builders_show_the_same_words(self, book: Path, builder: str) -> None:
        result = build(book, "-b", builder, out=builder)
        assert (result.returncode, result.stderr) == (0, "")
        name = "chapters/one.txt" if builder == "text" else "projectnamenotset.tex"
        written = (book / builder / name).read_text("utf-8")
        assert "checked by the" in written
        assert "test_double" in written.replace(r"\_", "_")


ONE, TWO, THREE = (f"docs/chapters/{name}.md" for name in ("one", "next", "three"))
CODE, TESTS = "src/toy/numbers.py", "tests/test_toy.py"
PRINTED = "reference/tests/test_toy"
EXAMPLE = "```python\n>>> 3 - 3\n0\n```\n\n"
QUOTED = "```{literalinclude} one.md\n:language: python\n```\n"
PLAIN = "\n```{math}\ny = x\n```\n"


NO_EQUATION = "There is no equation here.\n"
ORPHANS = {
    "unimplemented": (
        (CODE, "Implements :eq:`eq-double`.", "Doubles."),
        f"{ONE}:5: WARNING: equation eq-double: no docstring of toy says "
        "'Implements :eq:`eq-double`.', and it has no :kind: [equations.unimplemented]",
    ),
    "unchecked": (
        (TWO, "```python\n>>> 0 + 1\n1\n```\n", ""),
        f"{TWO}:11: WARNING: equation eq-one: the step has neither a test nor an executed example "
        "in its section [equations.unchecked]",
    ),
    "unchecked by an example that is only quoted": (
        (TWO, "```python\n>>> 0 + 1\n1\n```\n", QUOTED),
        f"{TWO}:11: WARNING: equation eq-one: the step has neither a test nor an executed example "
        "in its section [equations.unchecked]",
    ),
    "untested": (
        (TESTS, '@pytest.mark.equation("eq-square")', ""),
        f"{CODE}:17: WARNING: toy.numbers.Square: no test carries "
        '@pytest.mark.equation("eq-square") [equations.untested]',
    ),
    "unknown to the docstring": (
        (CODE, "`eq-double`.", "`eq-double` and :eq:`eq-lost`."),
        f"{CODE}:9: WARNING: toy.numbers.double implements an equation that no page has: eq-lost "
        "[equations.unknown]",
    ),
    "unknown to the test": (
        (TESTS, '("eq-sum")', '("eq-sum", "eq-lost")'),
        f"{TESTS}:6: WARNING: test_double checks an equation that no page has: eq-lost "
        "[equations.unknown]",
    ),
    "duplicate": (
        (THREE, NO_EQUATION, "$$\ny\n$$ (eq-sum)"),
        f"{THREE}:3: WARNING: duplicate equation eq-sum; the first is in chapters/next:3 "
        "[equations.duplicate]",
    ),
    "without a label": (
        (THREE, NO_EQUATION, PLAIN),
        f"{THREE}:4: WARNING: a display outside proofs, exercises and solutions needs a label "
        "eq-<topic> [equations.label]",
    ),
    "with a label of another kind": (
        (THREE, NO_EQUATION, "$$\ny = x\n$$ (topic)"),
        f"{THREE}:3: WARNING: a display outside proofs, exercises and solutions needs a label "
        "eq-<topic>; got topic [equations.label]",
    ),
    "with MyST's own label": (
        (THREE, NO_EQUATION, "\\begin{equation}\ny\n\\end{equation}"),
        f"{THREE}:3: WARNING: a display outside proofs, exercises and solutions needs a label "
        "eq-<topic> [equations.label]",
    ),
    "of a wrong kind": (
        (TWO, "kind: step", "kind: guess"),
        f"{TWO}:13: WARNING: 'math': Invalid option value for 'kind': guess: \"guess\" unknown; "
        'choose from "definition", "step", or "identity" [myst.directive_option]',
    ),
    "test without a page": (
        (f"docs/{PRINTED}.md", "```{equation-tests} tests/test_toy.py\n```", "-"),
        "WARNING: no page prints the equation tests of tests/test_toy.py: write reference/tests/"
        "test_toy.md with a title and the directive {equation-tests} tests/test_toy.py "
        "[equations.page]",
    ),
    "page without a test": (
        (f"docs/{PRINTED}.md", "tests/test_toy.py", "tests/test_other.py"),
        f"docs/{PRINTED}.md:3: ERROR: no test in tests/test_other.py carries "
        "@pytest.mark.equation [docutils]",
    ),
}


@pytest.mark.parametrize(("change", "warning"), ORPHANS.values(), ids=ORPHANS)
def test_an_orphan_fails_the_build(draft: Path, change: tuple[str, str, str], warning: str) -> None:
    edit(draft, *change)
    result = build(draft)
    assert result.returncode == 1
    assert warning in result.stderr.replace(f"{draft}/", "").splitlines()


def test_orphans_are_reported_again_when_nothing_has_changed(draft: Path) -> None:
    edit(draft, TWO, ":kind: step\n", "")
    edit(draft, THREE, NO_EQUATION, PLAIN)
    edit(draft, TESTS, "eq-square", "eq-lost")
    first, second = build(draft), build(draft)
    assert (second.returncode, second.stderr) == (first.returncode, first.stderr)
    kinds = re.findall(r"\[equations\.(\w+)\]", second.stderr)
    assert (second.returncode, kinds) == (
        1,
        ["label", "unimplemented", "untested", "untested", "unknown"],
    )


def test_proofs_exercises_and_solutions_may_display_without_a_label(draft: Path) -> None:
    edit(draft, "docs/conf.py", "myst_parser", 'myst_parser", "sphinx_exercise", "sphinx_proof')
    inner = PLAIN.replace("```", "~~~")
    for opening in ("{prf:proof}", "{exercise}\n:label: ex", "{solution} ex\n:class: dropdown"):
        edit(draft, THREE, "# Third", f"```{opening}\n\nThen\n{inner}```\n\n# Third")
    edit(draft, THREE, "# Third", f"```{{prf:theorem}}\n:label: thm\n\nIf\n{inner}```\n\n# Third")
    assert build(draft).stderr.count("[equations.label]") == 1  # the theorem's


def test_a_parallel_build_gives_the_same_bytes(book: Path) -> None:
    result = build(book, "-j", "4", out="parallel")
    assert (result.returncode, result.stderr) == (0, "")
    serial, parallel = book / "html", book / "parallel"
    names = {path.relative_to(serial) for path in serial.rglob("*") if path.is_file()}
    names -= {Path(".buildinfo")}
    assert names == {p.relative_to(parallel) for p in parallel.rglob("*") if p.is_file()} - {
        Path(".buildinfo")
    }
    assert [n for n in names if (serial / n).read_bytes() != (parallel / n).read_bytes()] == []


def body(html: str) -> str:
    """Return what a page says; Sphinx does not refresh the neighbors' titles around it."""
    return part(html, '<div class="body"', '<div class="sphinxsidebar"')


def test_an_incremental_build_writes_exactly_the_pages_that_show_a_change(draft: Path) -> None:
    def stamps() -> dict[str, int]:
        paths = {name: (draft / "html" / name).with_suffix(".html") for name in pages(draft)}
        return {name: path.stat().st_mtime_ns for name, path in paths.items()}

    everywhere = {"chapters/one", "chapters/next", "reference/equations", "reference/api", PRINTED}
    build(draft)
    for name, old, new, written in [
        ("src/toy/__init__.py", "A toy.", "A small toy.", set()),
        (TESTS, "double(3) == 3 + 3", "double(4) == 4 + 4", {PRINTED}),
        (CODE, "A square.", "A square, no more.", {"reference/api"}),
        (TESTS, "def test_double(", "def test_twice(", everywhere),
        (TESTS, "def test_area(", "def test_surface(", everywhere - {"chapters/next"}),
        (CODE, "def double(", "def twice(", everywhere - {"chapters/next"}),
        (CODE, "Return the area.", "Implements :eq:`eq-sum`.", everywhere - {"chapters/one"}),
        # The numbers move, also where they are only mentioned.
        (
            ONE,
            "## Doubling",
            f"```{{math}}\n:label: eq-new\n:kind: step\nx - x = 0\n```\n\n{EXAMPLE}## Doubling",
            everywhere | {"chapters/three"},
        ),
        (ONE, "x - x = 0", "x = x", {"chapters/one", "reference/equations"}),
        (TWO, "# Second", "# Other", everywhere - {"chapters/one"}),
    ]:
        before = stamps()
        edit(draft, name, old, new)
        result = build(draft)
        assert (result.returncode, result.stderr) == (0, ""), new
        after = stamps()
        # Sphinx writes the page with the table of contents whenever it writes one listed there.
        assert {name for name in before if before[name] != after[name]} - {"index"} == written, new
    build(draft, out="fresh")
    fresh = pages(draft, "fresh")
    assert {n: body(html) for n, html in pages(draft).items()} == {
        n: body(html) for n, html in fresh.items()
    }


def test_a_removed_chapter_takes_its_equations_along(draft: Path) -> None:
    build(draft)
    (draft / TWO).unlink()
    edit(draft, "docs/index.md", "chapters/next\n", "")
    edit(draft, TESTS, '@pytest.mark.equation("eq-sum")\n', "")
    edit(draft, CODE, " and\n    :eq:`eq-sum`", "")
    result = build(draft)
    assert (result.returncode, result.stderr) == (0, "")
    assert "(2.1)" not in pages(draft)["reference/equations"]
