"""The page for an address that leads nowhere.

A host serves it at any depth, so its addresses must not depend on the place: all of them get the
path of the site in front, which is that of ``html_baseurl`` or, where this is unknown, the name of
the version, as ``build_versions.py`` lays them out under the root of a host.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from _extensions.site import base_address, is_site

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sphinx.application import Sphinx
    from sphinx.builders import Builder
    from sphinx.util.typing import ExtensionMetadata

PAGE = "404"
ADDRESS = re.compile(
    r'\b(href|src|action|data-content_root|data-root)="(?![a-z][a-z0-9+.-]*:|#|/)([^"]*)"'
)


def site_path(app: Sphinx) -> str:
    """Return the path of this version on its host, between slashes."""
    if base := base_address(app.config):
        return urlsplit(base).path or "/"
    version: str = getattr(app.config, "versions_current", "")
    return f"/{version}/" if version else "/"


def make_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Write the page as if it stood beside the front page."""
    if not is_site(app.builder):
        return
    builder: Builder = app.builder
    front = html.escape(app.config.project)
    places = [(app.config.root_doc, front), ("search", "Search"), ("genindex", "Index")]
    links = [f'<a href="{builder.get_target_uri(page)}">{name}</a>' for page, name in places]
    items = "".join(f"<li><p>{link}</p></li>\n" for link in links)
    body = (
        "<div>\n<h1>Page not found</h1>\n"
        "<p>There is no page at this address. It may have moved, or another version has it.</p>\n"
        f'<ul class="simple">\n{items}</ul>\n</div>\n'
    )
    yield PAGE, {"title": "Page not found", "body": body}, "page.html"


def fix_addresses(app: Sphinx, exception: Exception | None) -> None:
    """Put the site's path in front of every address of the page."""
    if exception or not is_site(app.builder):
        return
    page, path = Path(app.outdir) / f"{PAGE}.html", site_path(app)

    def absolute(found: re.Match[str]) -> str:
        return f'{found[1]}="{html.escape(urljoin(path, html.unescape(found[2])))}"'

    page.write_text(ADDRESS.sub(absolute, page.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the page to each build."""
    app.connect("html-collect-pages", make_page)
    app.connect("build-finished", fix_addresses)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
