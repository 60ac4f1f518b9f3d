"""What a page tells programs that pass it on: its description, and how to show a link to it.

The tags are those of the Open Graph protocol and of the cards of Twitter. What needs the page's own
address is written only where the address of the site is known.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from _extensions.articles import FOLDER, articles
from _extensions.descriptions import describe, note_lead, title_of
from _extensions.site import base_address, is_site
from _extensions.sitemap import write_sitemap
from _extensions.social_card import ALT, CARD, SIZE, write_card

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata


def add_tags(app: Sphinx, page: str, _template: str, context: dict[str, Any], _doc: Any) -> None:
    """Add the tags to a page's head."""
    if not is_site(app.builder):
        return
    given = html.unescape(re.sub("<[^>]+>", "", context.get("title", "")))
    about = describe(app.env, page)
    tags = [
        ("name", "description", about),
        ("property", "og:title", title_of(app.env, page, given)),
        ("property", "og:description", about),
        ("property", "og:site_name", app.config.project),
        ("property", "og:locale", "en_US"),
    ]
    found = articles(app.env) if page.startswith(FOLDER) else []
    article = next((article for article in found if article.docname == page), None)
    tags.append(("property", "og:type", "article" if article else "website"))
    if article:
        tags.append(("property", "article:published_time", article.date.isoformat()))
    if page == "404":
        context.pop("pageurl", None)
        tags.append(("name", "robots", "noindex"))
    elif base := base_address(app.config):
        width, height = SIZE
        tags += [
            ("property", "og:url", context["pageurl"]),
            ("property", "og:image", base + CARD),
            ("property", "og:image:width", str(width)),
            ("property", "og:image:height", str(height)),
            ("property", "og:image:alt", ALT),
        ]
    card = "summary_large_image" if base_address(app.config) else "summary"
    tags.append(("name", "twitter:card", card))
    context["metatags"] = context.get("metatags", "") + "".join(
        f'<meta {kind}="{name}" content="{html.escape(content)}">\n' for kind, name, content in tags
    )


def setup(app: Sphinx) -> ExtensionMetadata:
    """Note what pages are about, add their tags, and write the site map and the picture."""
    app.connect("doctree-read", note_lead)
    app.connect("html-page-context", add_tags)
    app.connect("build-finished", write_sitemap)
    app.connect("build-finished", write_card)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
