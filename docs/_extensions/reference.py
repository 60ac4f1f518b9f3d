"""The reference page of a module: a table of its public names, then each in source order."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from sphinx.pycode import ModuleAnalyzer

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def public_names(module: str) -> list[str]:
    """Names in ``__all__`` that have an entry on the page, in the order of the source."""
    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.analyze()
    listed = import_module(module).__all__
    return sorted(analyzer.tagorder.keys() & listed, key=analyzer.tagorder.__getitem__)


def add_table(
    _app: Sphinx, what: str, name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """Close a module's docstring with the table of its names."""
    if what == "module":
        table = [f"   {public}" for public in public_names(name)]
        lines += [".. autosummary::", "   :nosignatures:", "", *table, ""]


def adopt(_app: Sphinx, doctree: nodes.document) -> None:
    """Make every node one of the page's own document.

    The nodes of an ``{eval-rst}`` block keep hold of the document that they were parsed in, and
    with it of the whole environment: megabytes, written and read again with every page.
    """
    for node in doctree.findall():
        node.document = doctree


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the table, and what keeps pages small."""
    app.connect("autodoc-process-docstring", add_table)
    app.connect("doctree-read", adopt)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
