"""Print stored measurements: a number in a sentence, a passage with its surprisal, an index.

A measurement is a file ``measurements/<name>.json``, see ``experiments/record.py``. What to print
of it is the path to a value in its result:

- ``{measured}`attention_heads:summary.sink.value:.2f` `` prints a value with a format
  specification and links to the measurement's entry in the index; a factor may follow, for another
  unit: ``:.1f:1e3`` prints seconds as milliseconds;
- ``{token-surprisal} passage_surprisal:passages[0]`` shows a passage, each token shaded by its
  surprisal, with a table of the same numbers;
- ``{measurement-index}`` lists every measurement with its provenance and its experiment.
"""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole

from _extensions.links import link
from _extensions.tables import table

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

STEP = re.compile(r"\.?(\w+)|\[(\d+)\]")
HOTTEST = 9  # the last shade, for this many nats and more


class token(nodes.inline):
    """A token of a passage; its title tells the numbers. Other writers than HTML's print it."""


class folded(nodes.container):
    """Something that the reader may unfold. Other writers than HTML's print it open."""


# --- Reading ---------------------------------------------------------------------------------


@cache
def _stored(path: Path, _changed_at: int) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def stored(env: BuildEnvironment, name: str) -> dict[str, Any]:
    """Read a measurement and have the page depend on it.

    Raises
    ------
    LookupError
        If there is no measurement of this name.
    """
    path = Path(env.srcdir, "measurements", f"{name}.json")
    if not re.fullmatch(r"\w+", name) or not path.is_file():
        raise LookupError(f"there is no measurement {name!r}")
    env.note_dependency(f"measurements/{name}.json")
    return _stored(path, path.stat().st_mtime_ns)


def find(env: BuildEnvironment, place: str) -> Any:
    """Find the value at a place, ``name:path``.

    Raises
    ------
    LookupError
        If the measurement, or the place in it, does not exist.
    """
    name, _, path = place.partition(":")
    value = stored(env, name)["result"]
    steps = list(STEP.finditer(path))
    if not path or "".join(step[0] for step in steps) != path:
        raise LookupError(f"{path!r} is no path: write keys and indices, as in rows[0].size")
    for step in steps:
        key, index = step.groups()
        try:
            value = value[int(index)] if index else value[key]
        except (LookupError, TypeError):
            raise LookupError(f"{name} has nothing at {path[: step.end()]!r}") from None
    return value


def label_of(name: str) -> str:
    """Return the label of a measurement's entry in the index."""
    return f"measurement-{name.replace('_', '-')}"


# --- A number --------------------------------------------------------------------------------


class Measured(SphinxRole):
    """``{measured}`name:path:spec:factor` ``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Print the value, as a link to its provenance."""
        name, _, rest = self.text.partition(":")
        path, _, rest = rest.partition(":")
        spec, _, factor = rest.partition(":")
        try:
            value = find(self.env, f"{name}:{path}")
            if not isinstance(value, (str, int, float)):
                raise ValueError(f"a value in a sentence must be a number or a text, no {path!r}")
            if factor:
                value = float(value) * float(factor)
            text = format(value, spec)
        except (LookupError, ValueError) as error:
            logger.warning(
                "%s: %s", self.text, error, location=self.get_location(), type="measurements"
            )
            return [nodes.inline("", "?")], []
        if not isinstance(value, str):
            text = text.replace("-", "−")
        number = link(self.env.docname, "ref", label_of(name), nodes.inline("", text))
        self.set_source_info(number)
        return [number], []


# --- A passage -------------------------------------------------------------------------------


class TokenSurprisal(SphinxDirective):
    """A passage whose tokens are shaded by their surprisal."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Lay out the passage, the scale and the table."""
        try:
            passage = find(self.env, self.arguments[0])
            columns = [passage[key] for key in ("tokens", "surprisal", "entropy", "rank")]
        except (LookupError, TypeError) as error:
            logger.warning(
                "%s: %s",
                self.arguments[0],
                error,
                location=self.get_location(),
                type="measurements",
            )
            return []
        rows = list(zip(*columns, strict=True))
        text = nodes.paragraph(classes=["tokens"])
        for string, surprisal, entropy, rank in rows:
            title = f"{surprisal:.2f} nats, rank {rank}; entropy before it {entropy:.2f} nats"
            text += shaded(string, surprisal, title)
        scale = nodes.paragraph("", "Surprisal in nats: ", classes=["tokens-scale"])
        for nats in range(HOTTEST + 1):
            label = f" {nats} " if nats < HOTTEST else f" {nats} and more "
            scale += shaded(label, nats, f"at least {nats} nats")
        numbers = folded(summary="The same as a table")
        cells = [("Token", "Surprisal (nats)", "Entropy before it (nats)", "Rank")]
        cells += [(f"“{word}”", f"{s:.2f}", f"{h:.2f}", f"{r:,}") for word, s, h, r in rows]
        numbers += table(cells, [max(map(len, column)) for column in zip(*cells, strict=True)])
        return [text, scale, numbers]


def shaded(text: str, nats: float, title: str) -> token:
    """Make a token with one shade a nat."""
    shade = min(int(nats), HOTTEST)
    return token("", text, classes=["tok", f"tok-{shade}"], title=title)


# --- The index -------------------------------------------------------------------------------


class MeasurementIndex(SphinxDirective):
    """Every measurement: what, how, when, with what."""

    def run(self) -> list[nodes.Node]:
        """Make one section a measurement, in alphabetical order."""
        folder = Path(self.env.srcdir, "measurements")
        self.env.note_dependency("measurements")  # no file: to be read again by every build
        return [self.entry(path) for path in sorted(folder.glob("*.json"))]

    def entry(self, path: Path) -> nodes.section:
        """Make the section of one measurement."""
        name = path.stem
        label = label_of(name)
        section = nodes.section("", nodes.title("", "", nodes.literal("", name)), names=[label])
        self.state.document.note_explicit_target(section, section)
        script = Path(self.env.srcdir, "experiments", f"{name}.py")
        facts = stored(self.env, name)["provenance"] | {
            "file": f"docs/measurements/{name}.json, {path.stat().st_size:,} bytes"
        }
        fields = ""
        if script.is_file():
            self.env.note_dependency(f"experiments/{name}.py")
            words = ast.get_docstring(ast.parse(script.read_text("utf-8"))) or ""
            summary, _, fields = words.partition("\n\n")
            section += nodes.paragraph("", " ".join(summary.split()))
        section += field_list(facts)
        if fields:
            told = nodes.literal_block(fields, fields, language="text")
            section += folded("", told, summary="What was measured, and what the file holds")
        if script.is_file():
            code = addnodes.download_reference(
                "",
                "",
                nodes.literal("", f"docs/experiments/{name}.py"),
                reftarget=f"/experiments/{name}.py",
                refdoc=self.env.docname,
            )
            section += nodes.paragraph("", "The experiment: ", code, nodes.Text("."))
        return section


def field_list(facts: dict[str, Any]) -> nodes.field_list:
    """List what is known, each fact under its name."""
    fields = nodes.field_list()
    for key, value in facts.items():
        if value is None:
            continue
        parts = value.items() if isinstance(value, dict) else [("", value)]
        words = ", ".join(f"{name} {part}".strip() for name, part in parts)
        text = nodes.literal("", words) if key == "command" else nodes.Text(words)
        fields += nodes.field(
            "",
            nodes.field_name("", key.replace("_", " ").capitalize()),
            nodes.field_body("", nodes.paragraph("", "", text)),
        )
    return fields


# --- HTML ------------------------------------------------------------------------------------


def visit_token(self: HTML5Translator, node: token) -> None:
    """Open a token."""
    self.body.append(self.starttag(node, "span", "", title=node["title"]))


def depart_token(self: HTML5Translator, _: token) -> None:
    """Close a token."""
    self.body.append("</span>")


def visit_folded(self: HTML5Translator, node: folded) -> None:
    """Open a fold with its summary."""
    summary = self.encode(node["summary"])
    self.body.append(self.starttag(node, "details") + f"<summary>{summary}</summary>\n")


def depart_folded(self: HTML5Translator, _: folded) -> None:
    """Close a fold."""
    self.body.append("</details>\n")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Offer the role and the directives."""
    app.add_node(token, html=(visit_token, depart_token))
    app.add_node(folded, html=(visit_folded, depart_folded))
    app.add_role("measured", Measured())
    app.add_directive("token-surprisal", TokenSurprisal)
    app.add_directive("measurement-index", MeasurementIndex)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
