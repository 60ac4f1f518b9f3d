"""Build the book for XeLaTeX: its pages in one file, and what Sphinx's template asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.utils import new_document
from sphinx import addnodes
from sphinx.builders.latex import LaTeXBuilder
from sphinx.builders.latex.nodes import thebibliography
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import inline_all_toctrees
from sphinx_exercise.nodes import exercise_latex_number_reference

from _extensions.print_figures import DrawPDF
from _extensions.print_pages import NAME, PrintedPages, keep_printed
from _extensions.print_translator import BOXES, BookTranslator

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata

ELEMENTS = {
    "papersize": "a4paper",
    "pointsize": "11pt",
    "extraclassoptions": "oneside,openany",
    "fontpkg": r"\usepackage{bookfonts}",
    "fncychap": "",
    "sphinxsetup": (
        "hmargin={25mm,25mm},vmargin={25mm,28mm},verbatimwithframe=false,"
        "VerbatimColor={gray}{0.96},TitleColor={gray}{0},HeaderFamily=\\sffamily\\bfseries,"
        "InnerLinkColor={rgb}{0.05,0.25,0.5},OuterLinkColor={rgb}{0.05,0.25,0.5}"
    ),
    "fvset": r"\fvset{fontsize=\small}",
    "maketitle": r"\bookmaketitle",
    "makeindex": "",
    "printindex": "",
}


class BookLaTeX(PrintedPages, LaTeXBuilder):
    """Sphinx's builder, with the pages of the printed book only."""

    def assemble_doctree(
        self, indexfile: str, toctree_only: bool, appendices: list[str]
    ) -> nodes.document:
        """Put the pages one after the other: the front page shows the site and is left out."""
        self.docnames = {indexfile}
        tree, section = new_document("<book>"), nodes.section()
        section += [nodes.title("", self.config.project)]
        section += list(keep_printed(self.env.get_doctree(indexfile)))
        tree += section
        book = inline_all_toctrees(self, self.docnames, indexfile, tree, str, [indexfile])
        book["docname"] = indexfile
        self.env.resolve_references(book, indexfile, self)
        return book

    def finish(self) -> None:
        """Note beside the source which number belongs to which label, for those who check."""
        super().finish()
        numbers = {}
        for docname in sorted(self.docnames):
            for kind, ids in self.env.toc_fignumbers.get(docname, {}).items():
                for node_id, number in ids.items():
                    label = f"{docname}:{node_id}"
                    if kind == "displaymath":
                        label = f"equation:{docname}:{node_id.removeprefix('equation-')}"
                    numbers[label] = ".".join(map(str, number))
        Path(self.outdir, "numbers.json").write_text(json.dumps(numbers, indent=1), "utf-8")


class PlaceBibliography(SphinxPostTransform):
    """Put the bibliography into its own chapter, from the end of the book where Sphinx has it."""

    default_priority = 751  # right after Sphinx gathered it
    formats = ("latex",)

    def run(self, **_kwargs: Any) -> None:
        """Move it to the end of the chapter that asked for it."""
        files = {file["docname"]: file for file in self.document.findall(addnodes.start_of_file)}
        for works in list(self.document.findall(thebibliography)):
            chapter = files[next(works.findall(nodes.citation))["docname"]]
            works.parent.remove(works)
            chapter += works


def configure(_app: Sphinx, config: Config) -> None:
    """Set what Sphinx's template asks for."""
    config.latex_engine = "xelatex"
    config.latex_use_xindy = False
    config.latex_table_style = ["booktabs"]
    config.latex_domain_indices = False
    book = (config.root_doc, f"{NAME}.tex", config.project, config.author, "manual")
    config.latex_documents = [book]
    config.latex_additional_files = ["_latex/book.sty", "_latex/bookfonts.sty"]
    given = dict(config.latex_elements)
    facts = f"\\bookfacts{{{config.author}}}{{{config.release}}}{{{config.copyright}}}"
    given["preamble"] = f"\\usepackage{{book}}\n{facts}\n" + given.get("preamble", "")
    config.latex_elements = ELEMENTS | given


def setup(app: Sphinx) -> ExtensionMetadata:
    """Put the book's builder and translator in the place of Sphinx's."""
    app.add_builder(BookLaTeX, override=True)
    app.set_translator("latex", BookTranslator)
    for node in BOXES:
        box = (BookTranslator.visit_box, BookTranslator.depart_box)
        app.add_node(node, override=True, latex=box)
    number = (BookTranslator.visit_number_reference, None)
    app.add_node(exercise_latex_number_reference, override=True, latex=number)
    app.add_post_transform(DrawPDF)
    app.add_post_transform(PlaceBibliography)
    app.connect("config-inited", configure)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
