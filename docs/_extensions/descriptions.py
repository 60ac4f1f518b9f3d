"""A sentence or two about each page, for those who see only a link to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from docutils import nodes

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

# Search engines show about as much; a shorter one says too little.
SHORTEST, LONGEST = 50, 160
API, TESTS, SOURCES = "reference/api/", "reference/tests/test_", "_modules/"
SENTENCE = re.compile(r"(?<=[.!?]) +(?=[A-Z])")
# Pages that Sphinx makes, and ours for an address that leads nowhere: title and description.
MADE = {
    "genindex": (
        "Index",
        "Every term, function, class and attribute of {project}, from A to Z, with its place.",
    ),
    "py-modindex": (
        "Module index",
        "The modules of the NumPy package that implements the equations of {project}, from A to Z.",
    ),
    "prf-prf": (
        "Index of theorems",
        "The numbered definitions, theorems and other statements of {project}, by their labels.",
    ),
    "search": ("Search", "Search the chapters, the glossary and the reference of {project}."),
    "_modules/index": (
        "Source code",
        "The modules whose source code {project} prints, as its examples and tests run it.",
    ),
    "404": (
        "Page not found",
        "There is no page at this address; the front page of {project} leads to all there are.",
    ),
}


def note_lead(app: Sphinx, doctree: nodes.document) -> None:
    """Keep the first paragraph of a page, if it comes before the first heading below the title."""
    section = next(iter(doctree.findall(nodes.section)), doctree)
    lead = next((part for part in section.children if isinstance(part, nodes.paragraph)), None)
    if lead is not None:
        text = " ".join(lead.astext().split())
        app.env.metadata[app.env.current_document.docname]["lead"] = text


def title_of(env: BuildEnvironment, page: str, given: str) -> str:
    """Return the title of a page as plain text; ``given`` is the title that a template got."""
    if page in MADE:
        return MADE[page][0]
    return env.titles[page].astext() if page in env.titles else given


def in_its_words(env: BuildEnvironment, page: str) -> str:
    """Return what a page itself says first, as far as it fits; nothing if it has no words."""
    meta = env.metadata.get(page, {})
    lead = str(meta.get("lead", ""))
    if page.startswith(API):
        return SENTENCE.split(lead)[0]
    return fitted(str(meta.get("description") or meta.get("summary") or lead))


def describe(env: BuildEnvironment, page: str) -> str:
    """Say what a page is about, in 50 to 160 characters."""
    project, title = env.config.project, title_of(env, page, page)
    if page in MADE:
        return MADE[page][1].format(project=project)
    if page.startswith(SOURCES):
        module = page.removeprefix(SOURCES).replace("/", ".")
        return f"The source code of {module}, a module behind the equations of {project}."
    if page.startswith(TESTS):
        return f"{title}, as they run, each with the equation of {project} that it checks."
    text = in_its_words(env, page) or f"{title}."
    if page.startswith(API):
        return fitted(f"{text} Module {title} of {project}.")
    return text if len(text) >= SHORTEST else f"{text} A page of {project}, on language models."


def fitted(text: str) -> str:
    """Keep as many sentences as fit, or else as many clauses, or else as many words."""
    text = " ".join(text.split())
    for end in (SENTENCE, re.compile("(?<=;) "), re.compile("(?<=,) "), re.compile(" ")):
        parts = end.split(text)
        while len(parts) > 1 and len(" ".join(parts)) > LONGEST:
            parts.pop()
        kept = " ".join(parts)
        if SHORTEST <= len(kept) <= LONGEST:
            whole = kept == text or end is SENTENCE
            return kept if whole else f"{kept.rstrip(' ;,')}{'.' if kept[-1] == ';' else ' …'}"
    return text
