"""Proofs and solutions fold on the web, and stay plain elsewhere."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory, build_toy: Callable[..., str]) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    build_toy(folder)
    return folder


def folds(toy: Path) -> list[tuple[str, str, str]]:
    """Attributes, title and content of each fold."""
    html = (toy / "html" / "chapters" / "01-one.html").read_text()
    pattern = r"<details ([^>]*)>\s*<summary>(.*?)</summary>\s*(.*?)\s*</details>"
    return re.findall(pattern, html, re.DOTALL)


def test_proofs_begin_open_and_say_so_in_their_title(toy: Path) -> None:
    proofs = [fold for fold in folds(toy) if fold[1] == "Proof"]
    assert ["open" in attributes for attributes, *_ in proofs] == [True, True]
    assert proofs[0][2] == "<p>It is <em>so</em>.</p>"
    assert proofs[1][2].startswith('<div class="math math-block')


def test_solutions_begin_closed_with_the_number_of_the_exercise(toy: Path) -> None:
    attributes, title, content = folds(toy)[2]
    assert title == "Solution 1.1"
    assert 'id="sol-one"' in attributes
    assert "open" not in attributes
    assert content.startswith("<p>Done,")


def test_any_admonition_can_be_folded(toy: Path) -> None:
    attributes, title, content = folds(toy)[3]
    assert "open" not in attributes
    assert (title, content) == ("More of <em>it</em>", "<p>Hidden.</p>")


def test_an_epub_has_no_folds(tmp_path: Path, build_toy: Callable[..., str]) -> None:
    build_toy(tmp_path, builder="epub")
    (book,) = (tmp_path / "epub").glob("*.epub")
    with zipfile.ZipFile(book) as archive:
        page = archive.read("chapters/01-one.xhtml").decode()
    assert "<details" not in page
    assert "<em>Proof.</em> It is" in page
    assert "popover" not in page


def test_latex_has_no_folds(tmp_path: Path, build_toy: Callable[..., str]) -> None:
    build_toy(tmp_path, builder="latex")
    (book,) = (tmp_path / "latex").glob("toy.tex")
    assert re.search(r"\\sphinxstyleemphasis\{Proof\.\} It is", book.read_text())
