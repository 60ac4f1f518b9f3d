"""Build a small Sphinx project in this process."""

from __future__ import annotations

from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace


def build(
    source: Path, builder: str = "html", *, parallel: int = 1, **config: str
) -> tuple[Path, str, set[str]]:
    """Build beside the source; return the output, the warnings and the pages that were written."""
    out, log = source.parent / f"{builder}{parallel}", source.parent / "log"
    doctrees = source.parent / f"doctrees-{builder}{parallel}"
    written: set[str] = set()
    with docutils_namespace(), log.open("w") as stream:
        app = Sphinx(
            str(source), str(source), str(out), str(doctrees), builder,
            confoverrides=config, status=None, warning=stream, parallel=parallel,
        )  # fmt: skip
        app.connect("doctree-resolved", lambda _app, _tree, docname: written.add(docname))
        app.build()
    return out, log.read_text(), written
