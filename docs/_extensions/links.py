"""Cross-references that the extensions write themselves, as a role of a page would."""

from __future__ import annotations

from docutils import nodes
from sphinx import addnodes


def link(
    here: str,
    role: str,
    target: str,
    content: nodes.Element,
    *,
    domain: str = "std",
    explicit: bool = True,
) -> addnodes.pending_xref:
    """Refer from the page ``here`` to the target of a role; warn if it is missing.

    The role is one of Sphinx's own, or of another ``domain``. ``content`` is what the reader sees,
    or, if it is not ``explicit``, what Sphinx replaces by the title or number of the target.
    """
    return addnodes.pending_xref(
        "",
        content,
        refdoc=here,
        refdomain=domain,
        reftype=role,
        reftarget=target,
        refexplicit=explicit,
        refwarn=True,
    )
