"""The picture that goes with a link to the book, where the address of the site is known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from _extensions.site import base_address, is_site
from figures.style import COLORS, DASHES, INK, RC
from primer_ref.functional import softmax

if TYPE_CHECKING:
    from sphinx.application import Sphinx

CARD = "_static/card.png"
SIZE = 1200, 630  # pixels, as the programs that show it ask for
ALT = "LLM Primer II: the softmax of four scores, as its temperature grows."


def social_card() -> Figure:
    """Draw the title of the book over the first thing that its chapter on attention derives."""
    with mpl.rc_context({**RC, "mathtext.fontset": "cm", "figure.constrained_layout.use": False}):
        figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, facecolor="white")
        figure.text(0.07, 0.80, "LLM Primer II", fontsize=52, weight="bold", color=INK)
        figure.text(0.07, 0.68, "Language Models Through Mathematics", fontsize=27, color=INK)
        formula = r"$p_j = \frac{e^{s_j/\tau}}{\sum_i\, e^{s_i/\tau}}$"
        figure.text(0.07, 0.34, formula, fontsize=52, color=INK)
        axes = figure.add_axes((0.50, 0.19, 0.43, 0.40))
        temperature = np.geomspace(0.05, 20, 200)
        scores = np.array([2.0, 1.0, 0.5, -1.0])
        weights = np.array([softmax(scores, temperature=float(t)) for t in temperature])
        for line, color, dashes in zip(weights.T, COLORS, DASHES, strict=False):
            axes.semilogx(temperature, line, color=color, linestyle=dashes, linewidth=4)
        axes.set_xlabel(r"$\tau$", fontsize=24)
        axes.tick_params(labelsize=15)
    return figure


def write_card(app: Sphinx, exception: Exception | None) -> None:
    """Write the picture beside the styles of the pages that name it."""
    if not exception and is_site(app.builder) and base_address(app.config):
        # Matplotlib would name its version in the file.
        social_card().savefig(Path(app.outdir) / CARD, metadata={"Software": None})
