"""Fold proofs and solutions into elements that open without a script."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def setup(app: Sphinx) -> ExtensionMetadata:
    """Offer it."""
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
