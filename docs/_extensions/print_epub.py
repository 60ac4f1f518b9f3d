"""Build the book as EPUB 3, with MathML, without scripts, the same to the byte each time."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from docutils import nodes
from sphinx.builders._epub_base import MEDIA_TYPES
from sphinx.builders.epub3 import Epub3Builder
from sphinx.transforms.post_transforms import SphinxPostTransform

from _extensions.print_pages import NAME, PrintedPages, build_time, is_printed, keep_printed

if TYPE_CHECKING:
    from collections.abc import Set

    from sphinx.application import Sphinx
    from sphinx.builders._epub_base import NavPoint
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata

OPF = "http://www.idpf.org/2007/opf"
DC = "http://purl.org/dc/elements/1.1/"
STYLE = "book-epub.css"
DESCRIPTION = (
    "An opening post and fourteen chapters on the mathematics of language models. Equations have "
    "functions and tests, results can be computed again, and one real model is measured "
    "throughout."
)
# https://www.w3.org/TR/epub-a11y/
ACCESS = {
    "accessMode": ["textual", "visual"],
    "accessModeSufficient": ["textual"],
    "accessibilityFeature": [
        "MathML", "alternativeText", "displayTransformability", "readingOrder",
        "structuralNavigation", "tableOfContents",
    ],
    "accessibilityHazard": ["none"],
    "accessibilitySummary": [
        "Formulas are MathML; figures have text alternatives, and captions that say what they show."
    ],
}  # fmt: skip


class BookEpub(PrintedPages, Epub3Builder):
    """Sphinx's builder, with the book's pages and styles and nothing else."""

    media_types = {**MEDIA_TYPES, ".woff2": "font/woff2"}  # noqa: RUF012 — so declared by Sphinx

    def add_css_file(self, filename: str, **kwargs: Any) -> None:
        """Take the book's styles, and none that extensions bring for the web."""
        if filename in {"pygments.css", STYLE}:
            super().add_css_file(filename, **kwargs)

    def add_js_file(self, filename: str, **kwargs: Any) -> None:
        """Take no script."""

    def prepare_writing(self, docnames: Set[str]) -> None:
        """Leave the indices of the reference out."""
        super().prepare_writing(docnames)
        self.domain_indices = []

    def write_documents(self, docnames: Set[str]) -> None:
        """Write the pages of the printed book."""
        super().write_documents(set(filter(is_printed, docnames)))

    def copy_static_files(self) -> None:
        """Copy the styles and the mathematical font."""
        static = Path(self.outdir, "_static")
        static.mkdir(parents=True, exist_ok=True)
        self.create_pygments_style_file()
        fonts = Path(self.confdir, "_static", "fonts").glob("*.woff2")
        for file in (Path(self.confdir, "_epub", STYLE), *fonts):
            shutil.copyfile(file, static / file.name)

    def build_content(self) -> None:
        """Tell reading systems which pages hold MathML, and what the book gives to whom."""
        super().build_content()
        path = Path(self.outdir, "content.opf")
        for prefix, space in {"": OPF, "dc": DC}.items():
            ET.register_namespace(prefix, space)
        package = ET.parse(path)
        for item in package.iter(f"{{{OPF}}}item"):
            page = Path(self.outdir, item.attrib["href"])
            plain = "properties" not in item.attrib and page.suffix == self.out_suffix
            if plain and "<math" in page.read_text("utf-8"):
                item.set("properties", "mathml")
        metadata = package.find(f"{{{OPF}}}metadata")
        assert metadata is not None
        for element in list(metadata):  # Apple's own, and what would repeat the author's name
            if "ibooks:" in element.get("property", "") or element.tag == f"{{{DC}}}contributor":
                metadata.remove(element)
        for name, values in ACCESS.items():
            for value in values:
                meta = ET.SubElement(metadata, f"{{{OPF}}}meta", property=f"schema:{name}")
                meta.text = value
        ET.indent(package)
        package.write(path, encoding="utf-8", xml_declaration=True)

    def toc_metadata(self, level: int, navpoints: list[NavPoint]) -> dict[str, Any]:
        """Name the book in the old table of contents as in the package."""
        return super().toc_metadata(level, navpoints) | {"uid": self.config.epub_identifier}

    def build_epub(self) -> None:
        """Pack the files in a fixed order, all with the time of the build."""
        first = ["mimetype", "META-INF/container.xml", "content.opf", "toc.ncx"]
        time = build_time().timetuple()[:6]
        with ZipFile(Path(self.outdir, f"{self.config.epub_basename}.epub"), "w") as epub:
            for name in dict.fromkeys([*first, *self.files]):
                info = ZipInfo(name, time)
                info.compress_type = ZIP_STORED if name == "mimetype" else ZIP_DEFLATED
                epub.writestr(info, Path(self.outdir, name).read_bytes())


class TitlePage(SphinxPostTransform):
    """Make of the front page, which shows the site to newcomers, a title page."""

    default_priority = 2  # before anything on the page is resolved
    builders = ("epub",)

    def run(self, **_kwargs: Any) -> None:
        """Keep the title and the lists of pages."""
        if self.env.docname != self.config.root_doc:
            return
        toctrees = list(keep_printed(self.document))
        section = next(iter(self.document.findall(nodes.section)))
        lines = (self.config.author, f"Version {self.config.release}", self.config.copyright)
        section[:] = [section[0], *(nodes.paragraph("", line) for line in lines), *toctrees]
        section["classes"].append("title-page")


def plain_head(
    app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: Any
) -> None:
    """Take from the head what is meant for the web."""
    if app.builder.name == "epub":
        context["metatags"] = ""


def configure(_app: Sphinx, config: Config) -> None:
    """Say what the book is, who made it, and under which terms."""
    config.epub_basename = NAME
    config.epub_title = f"{config.project}: Language Models Through Mathematics"
    config.epub_description = DESCRIPTION
    config.epub_identifier = uuid.uuid5(uuid.NAMESPACE_URL, config.epub_title).urn
    config.epub_uid = "book-id"
    config.epub_css_files = [(STYLE, {})]
    config.epub_show_urls = "no"
    config.epub_tocdepth = 2
    config.epub_tocdup = False
    config.epub_tocscope = "includehidden"
    config.epub_use_index = False


def setup(app: Sphinx) -> ExtensionMetadata:
    """Put the book's builder in the place of Sphinx's."""
    app.add_builder(BookEpub, override=True)
    app.add_post_transform(TitlePage)
    app.connect("config-inited", configure)
    app.connect("html-page-context", plain_head, priority=900)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
