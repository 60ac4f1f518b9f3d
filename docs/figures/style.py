"""What every figure of the book has in common: size, type, lines that differ in more than color."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

# Okabe and Ito's colors, told apart by most readers; each line has its own dashes as well.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B8860B", "#56B4E9")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))
MARKERS = "osD^vP"
INK = "#333333"

# A legend that neither the grid nor the data may cross.
OPAQUE: Any = {"frameon": True, "framealpha": 1, "edgecolor": "white"}

# For heat maps: nothing is paper, much is ink, also when dark mode inverts the picture.
HEAT = mpl.colors.LinearSegmentedColormap.from_list("book-heat", ["#FFFFFF", "#56B4E9", "#08306B"])

RC: Any = {
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=COLORS) + cycler(linestyle=DASHES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "figure.constrained_layout.use": True,
    "font.family": "DejaVu Sans",  # ships with Matplotlib: the same shapes on every machine
    "font.size": 11,
    "grid.alpha": 0.25,
    "grid.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "mathtext.fontset": "dejavusans",
    "savefig.transparent": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "llm-primer",
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def figure(
    *, width: float = 6.4, height: float = 3.4, rows: int = 1, columns: int = 1, **options: Any
) -> tuple[Figure, NDArray[np.object_]]:
    """Make a figure of this size in inches, and its axes as an array (rows, columns).

    Further options go to `matplotlib.figure.Figure.subplots`.
    """
    with mpl.rc_context(RC):
        fig = Figure(figsize=(width, height))
        axes = fig.subplots(rows, columns, squeeze=False, **options)
    return fig, axes


def one(*, width: float = 6.4, height: float = 3.4) -> tuple[Figure, Axes]:
    """Make a figure with a single pair of axes."""
    fig, axes = figure(width=width, height=height)
    return fig, axes[0, 0]


def intervals(found: Sequence[Mapping[str, float]]) -> tuple[Floats, Floats]:
    """Return values, and how far their intervals reach below and above, as ``errorbar`` asks."""
    value, low, high = (np.array([one[key] for one in found]) for key in ("value", "low", "high"))
    return value, np.stack([value - low, high - value])


def heat_map(ax: Axes, values: Floats) -> None:
    """Draw a matrix as squares, its rows downward from zero.

    The squares are the pixels of an image, which stays sharp when it is enlarged: as shapes, each
    of them weighs as much as a letter.
    """
    rows, columns = values.shape
    ax.imshow(values, cmap=HEAT, interpolation="none", extent=(0, columns, rows, 0))
