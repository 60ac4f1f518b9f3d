"""Keep sphinx-codeautolink from stumbling over sections whose title is not a plain title.

It keeps a stack of titles, pushed by ``visit_title`` and popped by ``depart_section``. The sections
that sphinx-proof and sphinx-exercise make inside their boxes push nothing, so that the pop finds an
empty stack and the build ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from docutils import nodes
from sphinx_codeautolink.extension import block

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class Analyser(block.CodeBlockAnalyser):  # type: ignore[misc]
    """The analyser, with a pop that may find nothing."""

    def depart_section(self, node: nodes.section) -> None:
        """Leave a section."""
        if self.title_stack:
            super().depart_section(node)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Put the careful analyser in the place of the other."""
    from sphinx_codeautolink import extension  # noqa: PLC0415 — the name to replace lives there

    app.setup_extension("sphinx_codeautolink")
    extension.CodeBlockAnalyser = Analyser
    return {"parallel_read_safe": True, "parallel_write_safe": True}
