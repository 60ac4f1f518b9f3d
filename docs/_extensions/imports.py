"""The files that a page depends on when the build runs Python for it.

Sphinx reads a page again when a file that it depends on has changed. A figure, the numbers of a
widget and the published numbers come from a module of ``docs/`` and, through what it imports, from
the package. A page depends on these files and on no others: to draw all figures again takes a
minute, and a change of one module seldom concerns more than a few pages.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOTS = (Path(__file__).parents[1], Path(__file__).parents[2] / "src")


def imported_files(path: Path) -> set[Path]:
    """List a file with all files of the book and its package that come with its imports."""
    found, left = set[Path](), [path]
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += direct_imports(file)
    return found


@cache
def direct_imports(path: Path) -> list[Path]:
    """List the files of the book and its package that a file imports itself."""
    if path.suffix != ".py":
        return []
    try:
        tree = ast.parse(path.read_text("utf-8"))
    except (OSError, SyntaxError):
        return []  # reported where the module is imported
    names = set[str]()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(module), names=aliases):
                # What is imported from a package may be one of its modules.
                names |= {module, *(f"{module}.{alias.name}" for alias in aliases)}
    names |= {name.partition(".")[0] for name in names}  # whose file is run first
    places = [root.joinpath(*name.split(".")) for root in ROOTS for name in sorted(names)]
    files = (file for at in places for file in (at.with_suffix(".py"), at / "__init__.py"))
    return [file for file in files if file.is_file()]
