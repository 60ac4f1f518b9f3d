"""What the search finds: for each key term the section that explains it, and no page of tests.

A term's entry stands under the heading of that section, in the directive ``{index} ! entropy``; the
exclamation mark makes it a main entry. `search.js` says how queries are held against these.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.index_entries import split_index_msg

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.environment import BuildEnvironment
    from sphinx.util.typing import ExtensionMetadata

EXPLAINING = "chapters/"
LEFT_OUT = "reference/tests/"
logger = logging.getLogger(__name__)


class IndexSections(SphinxTransform):
    """Let an index entry lead to its section, instead of to an anchor of its own."""

    default_priority = 200  # before docutils moves the anchor to what follows (260)

    def apply(self, **_kwargs: Any) -> None:
        """Set the targets of the entries that the ``index`` directive made."""
        for index in list(self.document.findall(addnodes.index)):
            section, target = index.parent, index.next_node(siblings=True, descend=False)
            if (
                isinstance(section, nodes.section)
                and isinstance(target, nodes.target)
                and re.fullmatch(r"index-\d+", "".join(target["ids"]))
            ):
                anchor = section["ids"][0]
                index["entries"] = [
                    (kind, value, anchor, main, key)
                    for kind, value, _, main, key in index["entries"]
                ]
                section.remove(target)


class DropOtherEntries(SphinxPostTransform):
    """Keep functions, which are found as objects, from standing in the search's index twice."""

    default_priority = 500
    formats = ("html",)

    def run(self, **_kwargs: Any) -> None:
        """Keep main entries only; the general index has been made from all of them before."""
        for index in self.document.findall(addnodes.index):
            index["entries"] = [entry for entry in index["entries"] if entry[3]]


def add_script(_app: Sphinx, config: Config) -> None:
    """Name the script, which Sphinx would look for in the folder that it is started in."""
    config.html_search_scorer = str(Path(__file__).with_suffix(".js"))


def leave_out(_app: Sphinx, doctree: nodes.document) -> None:
    """Keep the listings of tests out of the search."""
    env = doctree.settings.env
    if env.docname.startswith(LEFT_OUT):
        env.metadata[env.docname]["no-search"] = "yes"


def explanations(env: BuildEnvironment) -> dict[str, tuple[str, str]]:
    """Return the page and the section that explain each term."""
    return {
        value.lower(): (docname, anchor)
        for docname, entries in env.domains.index_domain.entries.items()
        if docname.startswith(EXPLAINING)
        for _, value, anchor, main, _ in entries
        if main
    }


def restore_entries(_app: Sphinx, env: BuildEnvironment) -> None:
    """Tell the search of all main entries: Sphinx forgets those of pages it does not write again.

    It reads the titles and the words of such pages from the last build's index, not the entries.
    """
    kept = env._search_index_index_entries
    for docname, entries in env.domains.index_domain.entries.items():
        kept[docname] = sorted(
            {
                (name, anchor, main)
                for kind, value, anchor, main, _ in entries
                if main
                for name in split_index_msg(kind, value)
            }
        )


def check_terms(_app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of a term of the glossary that no section explains."""
    explained = explanations(env)
    for (kind, name), (docname, _) in env.domains.standard_domain.objects.items():
        if kind == "term" and name.lower() not in explained:
            logger.warning(
                "no section has a main index entry for %r; write {index} ! %s under the heading",
                name,
                name,
                location=docname,
                type="search",
                subtype="term",
            )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Prepare the index."""
    app.add_transform(IndexSections)
    app.add_post_transform(DropOtherEntries)
    app.connect("config-inited", add_script)
    app.connect("doctree-read", leave_out)
    # env-check-consistency would be skipped when nothing changed, and the warning with it.
    app.connect("env-updated", check_terms)
    app.connect("env-updated", restore_entries)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
