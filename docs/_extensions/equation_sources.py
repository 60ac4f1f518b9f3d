"""Which functions implement an equation and which tests check it, read from the source text.

Nothing is imported: a docstring says ``Implements :eq:`eq-x`.``, a test carries
``@pytest.mark.equation("eq-x")``, and `ast` finds both with their lines.
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

# One sentence may name several equations: "Implements :eq:`eq-a`, :eq:`eq-b` and :eq:`eq-c`".
IMPLEMENTS = re.compile(r"\bImplements\s+:eq:`[^`]+`(?:(?:\s*,|,?\s+and)\s+:eq:`[^`]+`)*")
LABEL = re.compile(r":eq:`([^`]+)`")

_Function = ast.FunctionDef | ast.AsyncFunctionDef
_Definition = _Function | ast.ClassDef
_MARKERS = {"pytest.mark.equation", "mark.equation"}


@dataclass(frozen=True, slots=True)
class Implementation:
    """A function, method or class whose docstring says that it implements an equation."""

    label: str
    name: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class MarkedTest:
    """A test that carries equation markers, each kept with its line."""

    module: str
    name: str
    markers: tuple[tuple[str, int], ...]
    path: str
    line: int
    source: str

    @property
    def id(self) -> str:
        """The name by which pytest selects the test."""
        return f"{self.module}::{self.name.replace('.', '::')}"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the equations the test checks, without repetition."""
        return tuple(dict.fromkeys(label for label, _ in self.markers))


@dataclass(frozen=True, slots=True)
class Sources:
    """All that the package and its tests say about equations."""

    implementations: tuple[Implementation, ...] = ()
    tests: tuple[MarkedTest, ...] = ()


def read_sources(package: Path, tests: Path) -> Sources:
    """Read a package and the folder of its tests."""
    return Sources(tuple(find_implementations(package)), tuple(find_tests(tests)))


def find_implementations(package: Path) -> Iterator[Implementation]:
    """Find the docstrings that name the equation they implement."""
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "Implements" in text:
            parts = path.relative_to(package.parent).with_suffix("").parts
            module = ".".join(part for part in parts if part != "__init__")
            yield from _implementations(ast.parse(text, str(path)), module, path)


def _implementations(
    tree: ast.Module | ast.ClassDef, scope: str, path: Path
) -> Iterator[Implementation]:
    for node in tree.body:
        if not isinstance(node, _Definition):
            continue
        name = f"{scope}.{node.name}"
        docstring = ast.get_docstring(node, clean=False) or ""
        for sentence in IMPLEMENTS.finditer(docstring):
            for match in LABEL.finditer(docstring, *sentence.span()):
                line = node.body[0].lineno + docstring.count("\n", 0, match.start())
                yield Implementation(match[1], name, str(path), line)
        if isinstance(node, ast.ClassDef):
            yield from _implementations(node, name, path)


def find_tests(folder: Path) -> Iterator[MarkedTest]:
    """Find the tests that pytest would collect and that carry equation markers.

    Those of folders further down, such as comparisons with other libraries, come last.
    """
    for path in sorted(folder.rglob("test_*.py"), key=lambda path: (len(path.parts), path)):
        text = path.read_text(encoding="utf-8")
        if "mark.equation" in text:
            module = path.relative_to(folder.parent).as_posix()
            yield from _marked_tests(ast.parse(text, str(path)), (), (), path, module, text)


def _marked_tests(
    tree: ast.Module | ast.ClassDef,
    scope: tuple[str, ...],
    inherited: tuple[tuple[str, int], ...],
    path: Path,
    module: str,
    text: str,
) -> Iterator[MarkedTest]:
    # Module and class marks reach every test below them, wherever the assignment stands.
    for node in tree.body:
        if isinstance(node, ast.Assign) and "pytestmark" in map(ast.unparse, node.targets):
            inherited += tuple(_markers(node.value))
    for node in tree.body:
        if not isinstance(node, _Definition):
            continue
        own = tuple(marker for expr in node.decorator_list for marker in _markers(expr))
        names = (*scope, node.name)
        if isinstance(node, ast.ClassDef):
            if node.name.startswith("Test"):
                yield from _marked_tests(node, names, inherited + own, path, module, text)
        elif node.name.startswith("test") and inherited + own:
            yield MarkedTest(
                module,
                ".".join(names),
                inherited + own,
                str(path),
                node.lineno,
                _source(node, text),
            )


def _markers(expression: ast.expr) -> Iterator[tuple[str, int]]:
    """Labels with their lines; an argument that is no literal is kept as it is written."""
    for node in ast.walk(expression):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in _MARKERS:
            for value in (*node.args, *(keyword.value for keyword in node.keywords)):
                literal = isinstance(value, ast.Constant) and isinstance(value.value, str)
                yield (
                    (str(ast.literal_eval(value)) if literal else ast.unparse(value)),
                    value.lineno,
                )


def support(path: Path, tests: Iterable[MarkedTest]) -> str:
    """Return the imports, constants and helpers of a module that some of its tests use."""
    text = path.read_text(encoding="utf-8")
    rest = ast.parse(text).body
    kept: list[ast.stmt] = []
    needed = {"pytestmark"}.union(*(_used(ast.parse(test.source)) for test in tests))
    while used := [node for node in rest if needed & _bound(node)]:
        kept += used
        rest = [node for node in rest if node not in used]
        needed.update(*map(_used, used))
    kept.sort(key=lambda node: node.lineno)
    source = "\n".join(_source(node, text) for node in kept[:1])
    for before, node in pairwise(kept):
        apart = isinstance(before, _Definition) or isinstance(node, _Definition)
        source += ("\n\n\n" if apart else "\n") + _source(node, text)
    return source


def _used(tree: ast.AST) -> set[str]:
    """Names that a piece of code mentions; pytest passes fixtures by the names of arguments."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} | {
        node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)
    }


def _bound(node: ast.stmt) -> set[str]:
    """Names that a statement at the top level defines."""
    match node:
        case ast.Import() | ast.ImportFrom():
            return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
    names = (each for each in ast.walk(node) if isinstance(each, ast.Name))
    return {name.id for name in names if isinstance(name.ctx, ast.Store)}


def _source(node: ast.stmt, text: str) -> str:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    return textwrap.dedent("\n".join(text.splitlines()[first - 1 : node.end_lineno]))
