"""The files that a module needs: all that Python runs, and nothing beside them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from _extensions import imports
from _extensions.imports import imported_files

DOCS, SRC = imports.ROOTS

FILES = {
    "docs/drawings/__init__.py": "",
    "docs/drawings/one.py": "import toy.far\nfrom drawings import two\nimport json, numpy.linalg\n",
    "docs/drawings/two.py": "def draw():\n    from toy.near import f as g\n    return g\n",
    "docs/drawings/three.py": "from toy.lonely import h\n",
    "docs/drawings/wrong.py": "def draw(:\n",
    "src/toy/__init__.py": "",
    "src/toy/far.py": "from toy import near\n",
    "src/toy/near.py": "import toy.far\n",
    "src/toy/lonely.py": "",
}


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay out two packages whose modules import one another."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(imports, "ROOTS", (tmp_path / "docs", tmp_path / "src"))
    return tmp_path


def names(book: Path, start: str) -> set[str]:
    return {path.relative_to(book).as_posix() for path in imported_files(book / start)}


def test_what_is_imported_directly_and_by_others(book: Path) -> None:
    rest = FILES.keys() - {"docs/drawings/three.py", "docs/drawings/wrong.py", "src/toy/lonely.py"}
    assert names(book, "docs/drawings/one.py") == rest


@pytest.mark.parametrize("name", ["docs/drawings/wrong.py", "docs/drawings/gone.py", "docs/a.json"])
def test_a_file_that_cannot_be_read_as_python_stands_alone(book: Path, name: str) -> None:
    (book / "docs/a.json").write_text("[1]")
    assert names(book, name) == {name}


@pytest.mark.parametrize("folder", ["figures", "published", "widgets"])
def test_python_runs_no_other_file_of_the_book(folder: str) -> None:
    modules = [path.stem for path in sorted((DOCS / folder).glob("[a-z]*.py"))]
    code = f"import sys, {', '.join(f'{folder}.{module}' for module in modules)}\n"
    code += "for found in sys.modules.values(): print(getattr(found, '__file__', None))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{DOCS}:{SRC}"},
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {Path(line) for line in done.stdout.splitlines()}
    ours = {path for path in loaded if DOCS in path.parents or SRC in path.parents}
    assert {path.parent.name for path in ours} >= {folder, "primer_ref"}
    found = set[Path]().union(*(imported_files(DOCS / folder / f"{m}.py") for m in modules))
    assert ours - {DOCS / folder / "__init__.py"} <= found
