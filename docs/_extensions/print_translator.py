"""Write the book's pages in LaTeX, with the numbers that they have on the web.

LaTeX would count chapters, figures and equations itself, and differently: the opening post and the
appendix have no number here. So every number is written out. What the commands look like is told in
``_latex/book.sty``.
"""

from __future__ import annotations

import re

from docutils import nodes
from sphinx.writers.latex import LaTeXTranslator
from sphinx_exercise.nodes import exercise_enumerable_node, solution_node
from sphinx_proof.nodes import NODE_TYPES

from _extensions.mathml import tex_of

# A theorem and its like, an exercise, a solution; a proof holds an admonition.
BOXES = (*NODE_TYPES.values(), exercise_enumerable_node, solution_node, nodes.admonition)
LONG = 8  # rows of a table that stay on one page
# A name in the type of code may be broken after these.
BREAKS = re.compile(r"(?<=[._/,(=])(?=\w)")


class BookTranslator(LaTeXTranslator):
    """Sphinx's translator, with numbers written out and long names that may be broken."""

    @property
    def docname(self) -> str:
        """The page that is being written."""
        return self.curfilestack[-1]

    def number(self, kind: str, node_id: str) -> str:
        """Return the number that a figure, an equation or a theorem has on the web."""
        numbers = self.builder.env.toc_fignumbers.get(self.docname, {}).get(kind, {})
        return ".".join(map(str, numbers.get(node_id, ())))

    def visit_title(self, node: nodes.Element) -> None:
        """Begin a chapter with its number, or without one; name a box."""
        parent = node.parent
        if isinstance(parent, BOXES):
            self.body.append(rf"\booktitle{{{self.name(parent)}")
            self.context.append("}\n")
        elif self.sectionlevel == 1 and not self.this_is_the_title:
            number = self.builder.env.toc_secnumbers.get(self.docname, {}).get("", ())
            self.body.append(rf"\bookchapter{{{'.'.join(map(str, number))}}}{{")
            self.context.append("}\n" + self.hypertarget_to(parent))
            self.in_title = 1
        else:
            super().visit_title(node)

    def name(self, box: nodes.Element) -> str:
        """Name a theorem; sphinx-exercise has written what an exercise is called."""
        kind = box.get("realtype", "")
        number = self.number(box["countertype"], box["ids"][0]) if kind else ""
        return f"{kind.title()} {number}".strip()

    def visit_box(self, node: nodes.Element) -> None:
        """Open a theorem, a proof, an exercise, a solution or a remark; its title follows."""
        kind = node.get("realtype") or node.get("type")
        kind = kind or ("proof" if "proof" in node["classes"] else "note")
        self.body.append(f"\n\\begin{{bookbox}}{{{kind}}}\n")
        for node_id in node["ids"]:
            number = self.number(node.get("countertype", kind), node_id)
            label = self.idescape(f"{self.docname}:{node_id}")
            self.body.append(rf"\booklabel{{{number}}}{{{label}}}")
        self.no_latex_floats += 1

    def depart_box(self, _node: nodes.Element) -> None:
        """Close it; a blank line would keep the end of a proof from its last line."""
        self.body.append(
            "\\end{bookbox}\n" if self.body[-1].endswith("\n") else "\n\\end{bookbox}\n"
        )
        self.no_latex_floats -= 1

    def visit_table(self, node: nodes.Element) -> None:
        """Let long tables break over pages, and give every column what its words need."""
        if len(list(node.findall(nodes.row))) > LONG:
            node["classes"].append("longtable")
        if "colwidths-given" not in node["classes"]:
            node["classes"].append("colwidths-given")
            for column, width in zip(node.findall(nodes.colspec), widths(node), strict=True):
                column["colwidth"] = width
        super().visit_table(node)

    def visit_literal(self, node: nodes.Element) -> None:
        """Let a long name break after its dots and underscores."""
        if self.in_title or "code" in node["classes"]:
            super().visit_literal(node)
            return
        code = r"\bookbreak{}".join(map(self.encode, BREAKS.split(node.astext())))
        self.body.append(rf"\sphinxcode{{\sphinxupquote{{{code}}}}}")
        raise nodes.SkipNode

    def visit_caption(self, node: nodes.Element) -> None:
        """Set a figure's number before its caption."""
        figure = node.parent
        if isinstance(figure, nodes.figure) and figure["ids"]:
            self.body.append(rf"\booknumber{{figure}}{{{self.number('figure', figure['ids'][0])}}}")
        super().visit_caption(node)

    def visit_number_reference(self, node: nodes.Element) -> None:
        """Refer by number, in the words of the web page."""
        uri = node.get("refuri", "")
        label = uri[1:].replace("#", ":") if uri else f"{self.docname}:{node['refid']}"
        self.body.append(rf"\hyperref[{self.idescape(label)}]{{{self.encode(node.astext())}}}")
        raise nodes.SkipNode

    def visit_math_block(self, node: nodes.math_block) -> None:
        """Write a display, with its number if it has one."""
        tex = tex_of(node)
        if label := node.get("label"):
            number = self.number("displaymath", nodes.make_id(f"equation-{label}"))
            name = f"equation:{node['docname']}:{label}"
            self.body.append(f"\\bookequation{{{number}}}{{{name}}}{{%\n{tex}}}\n")
        else:
            self.body.append(f"\\bookdisplay{{%\n{tex}}}\n")
        raise nodes.SkipNode


def widths(table: nodes.Element) -> list[int]:
    """Share a line among a table's columns: by their text, and no less than their longest word."""
    rows = [[entry.astext() for entry in row] for row in table.findall(nodes.row)]
    shares = []
    for column in zip(*rows, strict=True):
        words = [word for cell in column for word in BREAKS.sub(" ", cell).split()]
        text = max(map(len, column)) ** 0.5
        shares.append(max(1, *map(len, words), round(4 * text)))
    return shares
