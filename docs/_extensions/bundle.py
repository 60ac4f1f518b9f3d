"""One stylesheet and one script for what every page loads.

Sphinx, the theme and the extensions bring some twenty stylesheets and scripts, and the theme a
style element too. Here they become ``_static/bundle.css`` and ``_static/bundle.js``, in the order
in which they would have been loaded. What is added to single pages, or carries attributes such as
``defer``, stays a file of its own.

The files are made when the first page is written: by then Sphinx has put all static files into
their place, and it has not started the processes that write the other pages.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from furo import get_pygments_stylesheet

from _extensions.site import is_site

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sphinx.application import Sphinx

STATIC = "_static/"
VARIABLES = "partials/_head_css_variables.html"
PYGMENTS = "_static/pygments.css"
# sphinx-proof and sphinx-exercise copy these when all pages are written; book.css draws the boxes.
NEEDLESS = {"_static/proof.css", "_static/exercise.css"}
SOURCE_MAP = re.compile(r"^/[/*]# sourceMappingURL=.*$", re.MULTILINE)
RELATIVE_URL = re.compile(r"""\burl\((["']?)(?!data:|https?:|[/#])([^"')]+)\1\)""")


@dataclass(frozen=True, slots=True)
class Bundle:
    """What every page loads: addresses below the site's root, with fingerprints of the contents."""

    style: str
    script: str
    theme: str


def note(app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: Any) -> None:
    """Before other extensions add to one page: remember what all pages load."""
    if is_site(app.builder):
        context["shared"] = {*context["css_files"], *context["script_files"]}


def use(app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: Any) -> None:
    """After them: put the bundle in the place of what can be bundled, and leave the rest."""
    if not is_site(app.builder):
        return
    shared = context.pop("shared")
    files = {}
    for kind in ("css_files", "script_files"):
        wanted = [asset for asset in context[kind] if str(asset.filename) not in NEEDLESS]
        wanted.sort(key=lambda asset: asset.priority)
        files[kind] = [asset for asset in wanted if asset in shared and is_plain(asset)]
        context[kind] = [asset for asset in wanted if asset not in files[kind]]
    if not hasattr(app.builder, "bundle"):
        variables = app.builder.templates.render(VARIABLES, context)
        app.builder.bundle = make(  # type: ignore[attr-defined]
            Path(app.outdir),
            [asset.filename for asset in files["css_files"]],
            [asset.filename for asset in files["script_files"]],
            re.sub(r"</?style>", "", variables),
        )
    context["bundle"] = app.builder.bundle  # type: ignore[attr-defined]


def is_plain(asset: Any) -> bool:
    """Say whether a stylesheet or script is a file of the site, loaded without conditions."""
    usual = {"rel": "stylesheet", "type": "text/css"}
    return str(asset.filename).startswith(STATIC) and asset.attributes in ({}, usual)


def make(out: Path, styles: Iterable[str], scripts: Iterable[str], variables: str) -> Bundle:
    """Write the two files, and drop the maps of sources that are not shipped."""
    for leftover in (out / STATIC).rglob("*.map"):
        leftover.unlink()
    sheets = [style(out, name) for name in styles]
    # Names are shared between scripts, and a script may lack its last semicolon.
    parts = [f"{source(out, name)}\n;\n" for name in scripts]
    return Bundle(
        write(out, "_static/bundle.css", "\n".join([*sheets, variables])),
        write(out, "_static/bundle.js", "".join(parts)),
        fingerprinted("_static/theme.js", (out / "_static/theme.js").read_bytes()),
    )


def source(out: Path, name: str) -> str:
    """Read a file as it was copied, without the name of its map."""
    return SOURCE_MAP.sub("", (out / name).read_text(encoding="utf-8"))


def style(out: Path, name: str) -> str:
    """Read a stylesheet, with its addresses as they are seen from the bundle's folder."""
    # Furo writes this file anew, with the colors of the dark theme, when all pages are written.
    css = get_pygments_stylesheet() if name == PYGMENTS else source(out, name)
    folder = PurePosixPath(name).parent.relative_to(STATIC)
    return RELATIVE_URL.sub(lambda match: f'url("{folder / match[2]}")', css)


def write(out: Path, name: str, text: str) -> str:
    """Write a file and return its address."""
    content = text.encode()
    (out / name).write_bytes(content)
    return fingerprinted(name, content)


def fingerprinted(name: str, content: bytes) -> str:
    """Mark an address with the content, as Sphinx does, so that a browser may keep the file."""
    return f"{name}?v={zlib.crc32(content):08x}"
