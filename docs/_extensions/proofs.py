"""Mend the boxes of sphinx-proof and sphinx-exercise.

sphinx-proof claims to be safe under parallel reading, but its domain inherits Sphinx's
``merge_domaindata``, which raises `NotImplementedError`. Its ``proof`` writes "Proof." into the
source of the first line, which spoils a proof that begins with a formula, and counts the lines of
its warnings from zero. Both extensions put a section into every box, without a heading and always
with the same id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective
from sphinx_proof.domain import ProofDomain
from sphinx_proof.nodes import proof_node

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata, OptionSpec


class Proof(SphinxDirective):
    """A proof: a box without a title, whose text begins with "Proof."."""

    has_content = True
    option_spec: ClassVar[OptionSpec] = {"class": directives.class_option}

    def run(self) -> list[nodes.Node]:
        """Parse the proof and open it."""
        self.assert_has_content()
        box = nodes.admonition(classes=["proof", *self.options.get("class", [])])
        self.state.nested_parse(self.content, self.content_offset, box)
        opening = [nodes.emphasis("", "Proof."), nodes.Text(" ")]
        if isinstance(first := box[0], nodes.paragraph):
            first.insert(0, opening)
        else:
            box.insert(0, nodes.paragraph("", "", *opening))
        result = proof_node("", box)
        self.set_source_info(result)
        return [result]


class ParallelProofDomain(ProofDomain):  # type: ignore[misc]
    """sphinx-proof's domain, able to take in what another process read, with our ``proof``."""

    directives: ClassVar[dict[str, Any]] = {**ProofDomain.directives, "proof": Proof}

    def merge_domaindata(self, docnames: Iterable[str], otherdata: dict[str, Any]) -> None:
        """Merge nothing: the list of proofs is merged by sphinx-proof's own event handler."""


class PlainBoxes(SphinxPostTransform):
    """Make plain boxes of the sections inside boxes.

    They have no headings, and share the ids ``proof-content`` and ``exercise-content``.
    """

    default_priority = 501
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Replace the sections that stand in anything but a section or a page."""
        for section in list(self.document.findall(nodes.section)):
            if not isinstance(section.parent, nodes.section | nodes.document):
                content = nodes.container("", *section.children, classes=section["classes"])
                section.parent.replace(section, content)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Put the mended domain in the place of the other."""
    app.setup_extension("sphinx_proof")
    app.add_domain(ParallelProofDomain, override=True)
    app.add_post_transform(PlainBoxes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
