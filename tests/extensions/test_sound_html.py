"""What Sphinx writes otherwise is valid: sections, fields, captions, works, listings."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

FILES = {
    "conf.py": 'extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode",'
    ' "sphinx.ext.napoleon", "_extensions.sound_html"]\nhtml_theme = "furo"\n',
    "index.md": "# Title\n\nText [Abc].\n\n## Part\n\n"
    "```{toctree}\n:caption: Pages\n\nother\nworks\n```\n",
    "other.md": "# Other\n\n```{eval-rst}\n.. automodule:: toy_returns\n   :members:\n```\n",
    "works.rst": "Works\n=====\n\nSee [Abc]_ and [Def]_.\n\n.. [Abc] A work.\n.. [Def] Another.\n",
    "toy_returns.py": '"""A module."""\n\n\nclass Thing:\n    """A class."""\n\n'
    '    def two(self):\n        """Return two things.\n\n        Returns\n        -------\n'
    "        first : float\n            One.\n        rest : float\n            Two.\n"
    '        """\n',
}
BLOCKS = {"div", "p", "ul", "dl", "section", "table", "h1", "h2"}


class Nesting(HTMLParser):
    """The blocks that stand inside a paragraph or a listing."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        if tag in BLOCKS and {"p", "pre"} & set(self.open):
            self.wrong.append(f"<{tag}> in {' '.join(self.open)}")
        if tag in BLOCKS | {"pre"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in BLOCKS | {"pre"}:
            assert self.open.pop() == tag


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    source = tmp_path_factory.mktemp("source")
    for name, text in FILES.items():
        (source / name).write_text(text)
    docs = Path(__file__).parents[2] / "docs"
    subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", str(source), str(source / "out")],
        check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(docs), str(source)])},
    )
    found = {path.relative_to(source / "out"): path for path in source.glob("out/**/*.html")}
    return {name.as_posix(): path.read_text() for name, path in found.items()}


@pytest.mark.parametrize("name", ["index.html", "other.html", "works.html"])
def test_the_title_stands_in_no_section(pages: dict[str, str], name: str) -> None:
    before, _ = pages[name].split("<h1>")
    assert before.count("<section") == before.count("</section>")


def test_parts_are_sections_still(pages: dict[str, str]) -> None:
    assert re.search(r'<section id="part">\s*<h2>Part', pages["index.html"])


def test_blocks_stand_in_no_paragraph_and_no_listing(pages: dict[str, str]) -> None:
    names = ["index.html", "other.html", "works.html", "_modules/toy_returns.html"]
    assert not [fault for name in names for fault in Nesting(pages[name]).wrong]
    assert re.search(
        r"<strong>first</strong>.*One.*<strong>rest</strong>", pages["other.html"], re.S
    )
    assert pages["_modules/toy_returns.html"].count('<span class="viewcode-block"') == 2


def test_roles_are_complete_and_current(pages: dict[str, str]) -> None:
    _, main = pages["index.html"].split('role="main"')
    assert main.count('role="heading"') == main.count('role="heading" aria-level="2"') == 1
    assert pages["works.html"].count('role="listitem"') == 2
    assert "doc-biblioentry" not in pages["works.html"]
