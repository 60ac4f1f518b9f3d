r"""Render mathematics as MathML while the book is built.

The reader's browser lays out MathML by itself: no script, no request, no shift of the page. One
table of macros serves this renderer and the LaTeX preamble. A formula that cannot be converted is a
located warning, and so is what the converter is known to print wrong without a word.
"""

from __future__ import annotations

import html
import re
from functools import cache
from typing import TYPE_CHECKING, Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

# Name: (number of arguments, body). Named by what is meant, so that a page can be read as source.
MACROS = {
    "R": (0, r"\mathbb{R}"),
    "N": (0, r"\mathbb{N}"),
    "E": (0, r"\mathbb{E}"),
    "P": (0, r"\mathbb{P}"),
    "T": (0, r"{\mathsf{T}}"),
    "Data": (0, r"\mathcal{D}"),
    "Normal": (0, r"\mathcal{N}"),
    "H": (0, r"\mathrm{H}"),
    "I": (0, r"\mathrm{I}"),
    "Var": (0, r"\operatorname{Var}"),
    "Cov": (0, r"\operatorname{Cov}"),
    "softmax": (0, r"\operatorname{softmax}"),
    "lse": (0, r"\operatorname{lse}"),
    "diag": (0, r"\operatorname{diag}"),
    "rank": (0, r"\operatorname{rank}"),
    "tr": (0, r"\operatorname{tr}"),
    "argmax": (0, r"\operatorname*{arg\,max}"),
    "argmin": (0, r"\operatorname*{arg\,min}"),
    "indicator": (0, r"\mathbf{1}"),
    "eos": (0, r"\mathtt{eos}"),
    "bos": (0, r"\mathtt{bos}"),
    "KL": (2, r"\mathrm{KL}(#1\,\Vert\,#2)"),
    "norm": (1, r"\left\lVert #1 \right\rVert"),
    "abs": (1, r"\left\lvert #1 \right\rvert"),
    "inner": (2, r"\left\langle #1, #2 \right\rangle"),
}

# What the converter accepts and prints wrong: the pattern, and what to write instead.
SILENTLY_WRONG = {
    re.compile(r"\\\\\s*\[\s*-?[\d.]+\s*(?:em|ex|pt|mm|cm)\s*\]"): "drop the length after \\\\",
}


def latex_preamble() -> str:
    r"""Write the table as ``\newcommand`` lines."""
    # \providecommand first: LaTeX has its own \H (an accent), \P (¶) and others.
    return "\n".join(
        rf"\providecommand{{\{name}}}{{}}\renewcommand{{\{name}}}"
        + (f"[{count}]" if count else "")
        + f"{{{body}}}"
        for name, (count, body) in MACROS.items()
    )


@cache
def converter(*, xml: bool) -> LatexToMathML:
    """Make a converter that knows the macros; XML (EPUB) needs namespaces."""
    macros = {name: body for name, (_, body) in MACROS.items()}
    return LatexToMathML(macros=macros, annotation=not xml, xml_namespace=xml, fancy_error=False)


def convert(tex: str, *, display: bool, xml: bool = False) -> str:
    r"""Convert a formula to MathML.

    Raises
    ------
    ValueError
        If the formula cannot be converted, or would be printed wrong.
    """
    for pattern, mend in SILENTLY_WRONG.items():
        if pattern.search(tex):
            raise ValueError(f"printed wrong by the converter: {mend}")
    try:
        mathml = converter(xml=xml).convert_with_local_state(tex, displaystyle=display)
    except LatexError as error:
        raise ValueError(str(error)) from None
    # Named entities are HTML's own; the character itself is valid everywhere.
    return re.sub(r"&(?!amp;|lt;|gt;|quot;|#)\w+;", lambda match: html.unescape(match[0]), mathml)


def rendered(translator: HTML5Translator, node: nodes.Element, tex: str, *, display: bool) -> str:
    """Convert a formula, or warn where it stands and show its source."""
    try:
        return convert(tex, display=display, xml=translator.builder.name == "epub")
    except ValueError as error:
        logger.warning(
            "math cannot be converted: %s in: %s",
            error,
            " ".join(tex.split())[:80],
            location=node,
            type="mathml",
        )
        return f'<code class="math-error">{html.escape(tex)}</code>'


def visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    """Write a formula in the line."""
    mathml = rendered(translator, node, node.astext(), display=False)
    translator.body.append(
        translator.starttag(node, "span", "", CLASS="math notranslate nohighlight")
        + mathml
        + "</span>"
    )
    raise nodes.SkipNode


def visit_display(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a displayed formula in a box that scrolls, and its number beside it."""
    parts = [part for part in node.astext().split("\n\n") if part.strip()]
    rows = r"\\".join(parts)
    tex = rows if len(parts) == 1 else rf"\begin{{gathered}}{rows}\end{{gathered}}"
    number = get_node_equation_number(translator, node) if node["number"] else None
    name = f"Equation {number}" if number else "Formula"
    body = translator.body
    body.append(translator.starttag(node, "div", CLASS="math math-block notranslate nohighlight"))
    # A box that scrolls must be reachable by keyboard, hence the tab stop and its name.
    body.append(f'<div class="math-scroll" role="group" tabindex="0" aria-label="{name}">')
    body.append(rendered(translator, node, tex, display=True) + "</div>")
    if number:
        body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        body.append("</span>")
    body.append("</div>\n")
    raise nodes.SkipNode


class DropWrapperIds(SphinxPostTransform):
    """Take back the ids that Furo copies onto the boxes it puts around formulas and tables."""

    default_priority = 501  # just after Furo's own transform
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Empty the wrappers' ids and names."""
        for node in self.document.findall(nodes.container):
            if {"math-wrapper", "table-wrapper"} & set(node["classes"]):
                node["ids"] = []
                node["names"] = []


def add_preamble(app: Sphinx, config: Config) -> None:
    """Give LaTeX the same macros."""
    elements = dict(config.latex_elements)
    elements["preamble"] = elements.get("preamble", "") + latex_preamble()
    config.latex_elements = elements


def setup(app: Sphinx) -> ExtensionMetadata:
    """Offer the renderer under the name ``mathml``."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(visit_inline, None), block_renderers=(visit_display, None)
    )
    app.add_post_transform(DropWrapperIds)
    app.connect("config-inited", add_preamble)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
