"""Make sphinx-proof safe under parallel reading.

sphinx-proof says that it is, and it merges what it stores on the environment; but its domain
inherits Sphinx's ``merge_domaindata``, which raises `NotImplementedError`. The domain keeps no data
of its own, so there is nothing to merge.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sphinx_proof.domain import ProofDomain

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


class ParallelProofDomain(ProofDomain):  # type: ignore[misc]
    """sphinx-proof's domain, able to take in what another process read."""

    def merge_domaindata(self, docnames: Iterable[str], otherdata: dict[str, Any]) -> None:
        """Merge nothing: the list of proofs is merged by sphinx-proof's own event handler."""


def setup(app: Sphinx) -> ExtensionMetadata:
    """Put the safe domain in the place of the other."""
    app.setup_extension("sphinx_proof")
    app.add_domain(ParallelProofDomain, override=True)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
