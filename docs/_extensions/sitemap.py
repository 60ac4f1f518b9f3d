"""A list of all pages for search engines (sitemaps.org), where the address of the site is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from _extensions.site import base_address, is_site

if TYPE_CHECKING:
    from sphinx.application import Sphinx

SITEMAP = "sitemap.xml"


def write_sitemap(app: Sphinx, exception: Exception | None) -> None:
    """List every page that somebody wrote or whose documentation was generated, no index."""
    base, path = base_address(app.config), Path(app.outdir) / SITEMAP
    if exception or not is_site(app.builder):
        return
    if not base:
        path.unlink(missing_ok=True)  # of an earlier build
        return
    root = ET.Element("urlset", xmlns="http://www.sitemaps.org/schemas/sitemap/0.9")
    for page in sorted(app.env.found_docs):
        entry = ET.SubElement(root, "url")
        ET.SubElement(entry, "loc").text = base + app.builder.get_target_uri(page)
    ET.indent(root)
    text = f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, "unicode")}\n'
    path.write_text(text, encoding="utf-8")
