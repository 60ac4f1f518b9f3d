r"""Render mathematics as MathML while the book is built.

The reader's browser lays out MathML by itself: no script, no request, no shift of the page. One
table of macros serves this renderer and the LaTeX preamble. A formula that `math_conversion`
refuses is a located warning.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

from .math_conversion import Converter, is_wide
from .site import is_site

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata
    from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

FONT = "latinmodern-math-subset.woff2"

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

convert = Converter({name: body for name, (_, body) in MACROS.items()})


def latex_preamble() -> str:
    r"""Write the table of macros as ``\newcommand`` lines."""
    # \providecommand first: LaTeX has its own \H (an accent), \P (¶) and others.
    return "\n".join(
        rf"\providecommand{{\{name}}}{{}}\renewcommand{{\{name}}}"
        f"{f'[{count}]' if count else ''}{{{body}}}"
        for name, (count, body) in MACROS.items()
    )


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
    """Write a formula in the line, in an element of its own only if that carries something."""
    mathml = rendered(translator, node, node.astext(), display=False)
    if node["ids"] or node["classes"]:
        mathml = f"{translator.starttag(node, 'span', '')}{mathml}</span>"
    translator.body.append(mathml)
    raise nodes.SkipNode


def tex_of(node: nodes.math_block) -> str:
    """Return a display's source, as several rows if it has several paragraphs."""
    parts = [part.strip() for part in node.astext().split("\n\n") if part.strip()]
    rows = r" \\ ".join(parts)
    return rows if len(parts) == 1 else rf"\begin{{aligned}}{rows}\end{{aligned}}"


def visit_display(translator: HTML5Translator, node: nodes.math_block) -> None:
    """Write a displayed formula in a box that scrolls, and its number beside it."""
    number = get_node_equation_number(translator, node) if node["number"] else None
    mathml = rendered(translator, node, tex_of(node), display=True)
    # A box that scrolls must be reachable by keyboard; the others shall not stand in the way.
    name = f"Equation {number}" if number else "Formula"
    stop = f' tabindex="0" role="group" aria-label="{name}"' if is_wide(mathml) else ""
    body = translator.body
    body.append(translator.starttag(node, "div", CLASS="math math-block"))
    body.append(f'<div class="math-scroll"{stop}>{mathml}</div>')
    if number:
        body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, "Link to this equation")
        body.append("</span>")
    body.append("</div>\n")
    raise nodes.SkipNode


class DropWrappers(SphinxPostTransform):
    """Take back what Furo puts around formulas and tables: a box, or the ids that it copies there.

    A formula scrolls in a box of its own already.
    """

    default_priority = 501  # just after Furo's own transform
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Take out the formulas, and empty the ids and names of what is around tables."""
        for node in list(self.document.findall(nodes.container)):
            if "math-wrapper" in node["classes"]:
                node.parent.replace(node, node.children)
            elif "table-wrapper" in node["classes"]:
                node["ids"] = []
                node["names"] = []


class KeepTogether(SphinxPostTransform):
    """Keep a formula in the line with what touches it: a comma, a parenthesis, the gram of n-gram.

    To a browser a formula is an image, with a place for a line break before and after it.
    """

    default_priority = 501
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Put each formula into one box with the text that touches it."""
        for math in list(self.document.findall(nodes.math)):
            parent, at = math.parent, math.parent.index(math)
            before, after = text_at(parent, at - 1), text_at(parent, at + 1)
            opening, closing = re.split(r"\s", before)[-1], re.split(r"[\s—]", after)[0]
            if opening:
                parent[at - 1] = nodes.Text(before.removesuffix(opening))
            if closing:
                parent[at + 1] = nodes.Text(after.removeprefix(closing))
            if opening or closing:
                ends = nodes.Text(opening), math.deepcopy(), nodes.Text(closing)
                parent[at] = nodes.inline("", "", *ends, classes=["together"])


def text_at(parent: nodes.Element, index: int) -> str:
    """Return the text of a child, empty if there is no such child or it is no text."""
    child = parent[index] if 0 <= index < len(parent) else None
    return str(child) if isinstance(child, nodes.Text) else ""


def ask_for_font(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: nodes.document | None
) -> None:
    """Let the font come with the page's first bytes: formulas that it finds laid out would move."""
    if is_site(app.builder) and "<math" in context.get("body", ""):
        href = context["pathto"](f"_static/fonts/{FONT}", resource=True)
        context["metatags"] = context.get("metatags", "") + (
            f'<link rel="preload" href="{href}" as="font" type="font/woff2" crossorigin>\n'
        )


def add_preamble(_app: Sphinx | None, config: Config) -> None:
    """Give LaTeX the same macros."""
    elements = dict(config.latex_elements)
    elements["preamble"] = elements.get("preamble", "") + "\n" + latex_preamble()
    config.latex_elements = elements


def setup(app: Sphinx) -> ExtensionMetadata:
    """Offer the renderer under the name ``mathml``."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(visit_inline, None), block_renderers=(visit_display, None)
    )
    app.add_post_transform(DropWrappers)
    app.add_post_transform(KeepTogether)
    app.connect("config-inited", add_preamble)
    app.connect("html-page-context", ask_for_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
