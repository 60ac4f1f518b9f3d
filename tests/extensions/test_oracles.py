"""The table of comparisons with other libraries, from the stored differences."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sphinx.testing.util import SphinxTestApp

Build = Callable[[str], tuple[str, str]]


def row(name: str, call: str, difference: float, limit: float = 1e-14) -> dict[str, object]:
    function = f"primer_ref.{name}"
    version = "torch 2.13.0+cpu"
    return {
        "function": function,
        "call": call,
        "version": version,
        "difference": difference,
        "limit": limit,
    }


ROWS = [
    row("activations.gelu", "torch.nn.functional.gelu", 4.4e-16),
    row("activations.relu", "torch.relu", 0.0, 0.0),
    *(row("autodiff.vjp", f"torch.op{i}", i * 1e-13, 1e-12) for i in range(6)),
    *(row("heads.attend", f"torch.op{i}", i * 1e-7, 10.0 ** (-9 + i)) for i in (3, 2, 1, 0)),
    row("norms.rms_norm", "torch.rms_norm", 1e-16),
]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Build one page of a book that has the comparisons; return its text and the warnings."""

    def run(text: str) -> tuple[str, str]:
        source = tmp_path / "docs"
        (source / "data").mkdir(parents=True)
        (source / "data" / "oracles.json").write_text(json.dumps(ROWS))
        (source / "conf.py").write_text('extensions = ["myst_parser", "_extensions.oracles"]\n')
        (source / "index.md").write_text(f"# Title\n\n{text}\n")
        package = tmp_path / "src" / "primer_ref"
        package.mkdir(parents=True)
        (package / "activations.py").write_text(
            'def gelu():\n    """GELU.\n\n    Implements :eq:`eq-gelu`.\n    """\n'
        )
        app = SphinxTestApp("html", srcdir=source, builddir=tmp_path / "build")
        try:
            app.build()
            page = (Path(app.outdir) / "index.html").read_text()
            return page, app.warning.getvalue()
        finally:
            app.cleanup()

    return run


def cells(page: str) -> list[list[str]]:
    lines = re.findall(r"<tr[^>]*>(.*?)</tr>", page, re.DOTALL)
    found = [re.findall(r"<td[^>]*>(.*?)</td>", line, re.DOTALL) for line in lines]
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in row] for row in found if row]


def test_rows_of_the_modules_with_their_largest_difference(build: Build) -> None:
    page, _ = build("```{oracle-table} activations autodiff heads\n```")
    gelu, relu, vjp, attend = cells(page)
    assert gelu == [
        "activations.gelu, eq-gelu",
        "torch.nn.functional.gelu, torch 2.13.0",
        "4e−16, 1e−14",
    ]
    assert relu[2] == "0, 0"
    assert vjp[1] == "torch.op0, torch.op1, torch.op2, and 3 more, torch 2.13.0"
    assert vjp[2] == "5e−13, 1e−12"
    assert attend[1] == "torch.op3, torch.op2, torch.op1, torch.op0, torch 2.13.0"
    assert attend[2] == "3e−7, 1e−6"


def test_warns_of_a_module_without_a_comparison(build: Build) -> None:
    page, warnings = build("First.\n\n```{oracle-table} norms budget\n```")
    assert len(cells(page)) == 1
    assert "index.md:5: WARNING: no function of budget was compared" in warnings
