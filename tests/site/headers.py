"""The headers that the book ships for static hosts, in the file ``_headers``."""

from __future__ import annotations

from pathlib import Path

POLICY = "default-src 'self'; img-src 'self' data:"


def shipped(book: Path) -> dict[str, str]:
    """Read the headers for the book's pages from the file in its folder, or in the one around it.

    A line that begins with a slash says which addresses the lines below it hold for.
    """
    found: dict[str, str] = {}
    file = next(filter(Path.is_file, (folder / "_headers" for folder in (book, book.parent))), None)
    concerned = False
    for line in file.read_text(encoding="utf-8").splitlines() if file else []:
        if line.startswith("/"):
            concerned = line.strip() in {"/*", f"/{book.name}/*"}
        elif concerned and ":" in line and not line.lstrip().startswith("#"):
            name, value = line.split(":", 1)
            found[name.strip()] = value.strip()
    return found
