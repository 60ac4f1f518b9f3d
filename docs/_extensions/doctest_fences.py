"""Let ``sphinx -b doctest`` run the pages' fences, and change nothing that a reader sees.

A ``python`` fence with ``>>>`` prompts is for Sphinx a highlighted literal block; its doctest
builder runs only what its own directives marked. Here every such block gets those marks: one group
a page, so that names persist down the page. Source that ``literalinclude`` quotes is passed over:
the examples in its docstrings run where they stand.
"""

from __future__ import annotations

import doctest
import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms import SphinxTransform

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata

PROMPT = re.compile(r"^\s*>>> ", re.MULTILINE)


def is_example(block: nodes.literal_block) -> bool:
    """Say whether a block is run: Python with prompts that is no quotation of a file."""
    quoted = "source" in block  # only literalinclude names the file
    return block.get("language") == "python" and not quoted and bool(PROMPT.search(block.astext()))


class MarkDoctestFences(SphinxTransform):
    """Mark literal blocks as the ``doctest`` directive would have."""

    default_priority = 500

    def apply(self, **_kwargs: Any) -> None:
        """Mark the page's blocks."""
        for block in self.document.findall(nodes.literal_block):
            if is_example(block):
                block.attributes |= {"testnodetype": "doctest", "groups": ["default"]}
                # The builder takes a block's line for its second; MyST gives that of the fence.
                if block.line is not None:
                    block.line += 1


def use_the_books_flags(_app: Sphinx, config: Config) -> None:
    """Compare outputs as pytest does; Sphinx's own default would accept any exception message."""
    config.doctest_default_flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the transform."""
    app.add_transform(MarkDoctestFences)
    app.connect("config-inited", use_the_books_flags)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
