"""Put a link to the book's other versions into the sidebar, where there are other versions.

``build_versions.py`` builds each version of the book with ``-D versions_current=<name>`` into a
folder of its own, and writes beside those folders ``versions.html``, a plain list, and
``versions.js``, which makes of the link a list that stays on the page (see ``versions.js`` in this
folder). Both lie outside of every version, so that an old release knows of newer ones.

A build by hand has no such neighbors, and Read the Docs has a menu of its own: there is no link.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata

# Furo's own, without the slots for Read the Docs' advertisement and version menu.
SIDEBAR = ["brand", "search", "scroll-start", "navigation", "scroll-end"]


def choose_sidebar(_app: Sphinx, config: Config) -> None:
    """List the sidebar's templates, with ours at the end where it is wanted."""
    parts = list(SIDEBAR)
    if config.versions_current and os.environ.get("READTHEDOCS") != "True":
        parts.append("versions")
    config.html_sidebars = {"**": [f"sidebar/{part}.html" for part in parts]}
    config.html_context["versions_current"] = config.versions_current


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the setting that names the version being built."""
    app.add_config_value("versions_current", "", "html", str)
    app.connect("config-inited", choose_sidebar)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
