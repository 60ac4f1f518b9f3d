"""Write one page of the book anew with what Sphinx uses for mathematics by default: MathJax.

Usage: ``python -m tests.site.mathjax_page DOCTREES OUTPUT PAGE``, with a copy of the doctrees that
the book was built from. The page differs from the book's in nothing but its formulas. MathJax is
served beside it, with its own font, as it would be on a site that asks nothing of other hosts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder

from _extensions.mathml import MACROS

ROOT = Path(__file__).parents[2]
MODULES = Path(__file__).parent / "mathjax" / "node_modules"
OPTIONS = {
    "loader": {"paths": {"fonts": "[mathjax]/../@mathjax"}},
    "tex": {"macros": {name: [body, count] for name, (count, body) in MACROS.items()}},
}


def write(doctrees: Path, out: Path, page: str) -> None:
    """Build the page."""
    settings = {"mathjax_path": "mathjax/tex-mml-chtml.js", "mathjax4_config": OPTIONS}
    docs = ROOT / "docs"
    app = Sphinx(docs, docs, out, doctrees, "html", confoverrides=settings, status=None)
    # Not as an option: Sphinx would read the whole book anew, and find the same.
    app.config.html_math_renderer = "mathjax"
    assert isinstance(app.builder, StandaloneHTMLBuilder)
    app.builder.search = False  # the index would need the pages that are not written
    app.build(filenames=[docs / page])
    for name in ("mathjax", "@mathjax"):
        (out / "_static" / name).symlink_to(os.path.relpath(MODULES / name, out / "_static"))


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
