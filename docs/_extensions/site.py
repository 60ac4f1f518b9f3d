"""What several extensions ask of the site that is being built."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.builders import Builder
    from sphinx.config import Config


def is_site(builder: Builder) -> bool:
    """Say whether pages are built for the web, rather than for a file such as an EPUB."""
    return builder.format == "html" and not getattr(builder, "embedded", False)


def base_address(config: Config) -> str:
    """Return the address under which the site is published, with its slash; empty if unknown."""
    base: str = config.html_baseurl
    # Without its slash the last part would be taken for a page and dropped.
    return f"{base.rstrip('/')}/" if base else ""
