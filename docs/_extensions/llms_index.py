"""An index of the Markdown copies, ``llms.txt``, as llmstxt.org proposes it.

A single file with all copies in it would have megabytes, more than anything that reads it at once
can take: there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from _extensions.articles import articles
from _extensions.descriptions import describe, in_its_words
from _extensions.site import base_address, is_site

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

INDEX = "llms.txt"
# A page goes where most of its address matches. Readers short of room leave out the optional.
SECTIONS = {"Reference": "reference/", "Appendix": "appendix/", "Optional": "reference/tests/"}
NOTE = """\
Every page has a Markdown copy at its address, with `.md` in the place of `.html`. In the copies \
formulas are LaTeX between dollar signs; a numbered one ends with its number and its label, as in \
`\\tag{{4.2}} \\label{{eq-softmax}}`. Links lead from copy to copy. This is version {version}."""


def section_of(page: str) -> str | None:
    """Name the section of the index to which a page belongs."""
    fitting = [name for name, folder in SECTIONS.items() if page.startswith(folder)]
    return max(fitting, key=lambda name: len(SECTIONS[name]), default=None)


def make_index(env: BuildEnvironment) -> str:
    """List the articles in order, then the other pages, each with what it is about."""
    config = env.config
    base = base_address(config)
    lead = env.metadata[config.root_doc].get("lead", config.html_title)
    parts = [f"# {config.project}", f"> {lead}", NOTE.format(version=config.release)]
    listed = {"Series": [(f"{a.number}. {a.title}", a.docname, a.summary) for a in articles(env)]}
    for name in SECTIONS:
        pages = sorted(page for page in env.found_docs if section_of(page) == name)
        listed[name] = [
            (env.titles[page].astext(), page, in_its_words(env, page) or describe(env, page))
            for page in pages
        ]
    for name, entries in listed.items():
        lines = [f"- [{title}]({base}{page}.md): {about}" for title, page, about in entries]
        if lines:
            parts += [f"## {name}", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def write_index(app: Sphinx, exception: Exception | None) -> None:
    """Write the index beside the front page."""
    if not exception and is_site(app.builder):
        (Path(app.outdir) / INDEX).write_text(make_index(app.env), encoding="utf-8")
