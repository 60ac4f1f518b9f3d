"""Draw the book's figures as PDF, from the functions that drew them as SVG for the web."""

from __future__ import annotations

import importlib
import os
import warnings
from pathlib import Path

import matplotlib as mpl
from sphinx.transforms.post_transforms.images import ImageConverter

from figures import style


class DrawPDF(ImageConverter):
    """What Sphinx calls where a builder cannot show an SVG."""

    default_priority = 200
    conversion_rules = [  # noqa: RUF012 — so declared by Sphinx
        ("image/svg+xml", "application/pdf")
    ]

    def is_available(self) -> bool:
        """Say yes: nothing but Matplotlib is needed."""
        return True

    def convert(self, _from: str | os.PathLike[str], _to: str | os.PathLike[str]) -> bool:
        """Draw the figure whose file, as `pyfigures` names it, is ``<module>-<function>.svg``."""
        module, _, function = Path(_from).stem.partition("-")
        with warnings.catch_warnings(), mpl.rc_context(style.RC):
            warnings.simplefilter("error")
            figure = getattr(importlib.import_module(f"figures.{module}"), function)()
            figure.savefig(
                _to, format="pdf", metadata=dict.fromkeys(("CreationDate", "Creator", "Producer"))
            )
        return True
