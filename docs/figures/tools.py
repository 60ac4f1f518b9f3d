"""Figures of chapter 3: error bars, spectra, cosines, and the rank of a language model's output."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from experiments import record
from figures import style
from primer_ref.embeddings import truncated_svd
from primer_ref.functional import softmax
from primer_ref.information import kl_divergence
from primer_ref.intervals import coverage, wilson_interval
from primer_ref.optim import adam, initial_moments
from widgets.share_coverage import normal_interval

Floats = NDArray[np.floating[Any]]


def coverage_of_intervals() -> Figure:
    """Draw how means become normal, and how often intervals for a share hold the truth."""
    fig, axes = style.figure(height=3.5, columns=2)
    left, right = axes[0]
    x = np.array(record.load("passage_surprisal")["passages"][0]["surprisal"])
    rng = np.random.default_rng(3)
    bins = np.arange(-3.25, 3.5, 0.5)
    middles = (bins[1:] + bins[:-1]) / 2
    for n, marker in zip((1, 4, 32), style.MARKERS, strict=False):
        means = np.mean(rng.choice(x, size=(100_000, n)), axis=1)
        standard = (means - x.mean()) / (x.std() / math.sqrt(n))
        density = np.histogram(standard, bins)[0] / (len(means) * 0.5)
        left.plot(middles, density, marker=marker, markersize=4, label=f"n = {n}")
    z = np.linspace(-3.2, 3.2, 200)
    left.plot(
        z, np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi), "-", color=style.INK, lw=1, label="normal"
    )
    left.set(xlabel="standardized mean", ylabel="density", ylim=(0, 0.68))
    left.legend(fontsize=9, loc="upper right", handlelength=1.6)
    sizes = [*range(5, 60, 1), *range(60, 401, 5)]
    for interval, label in ((normal_interval, "x̄ ± z·se"), (wilson_interval, "Wilson")):
        right.plot(sizes, [coverage(interval, n, 0.9) for n in sizes], lw=1.5, label=label)
    right.axhline(0.95, color=style.INK, linewidth=1, linestyle=":")
    right.set(
        xscale="log", xlabel="questions, n", ylabel="share that holds the truth", ylim=(0.35, 1.01)
    )
    right.set_xticks([5, 20, 100, 400], ["5", "20", "100", "400"])
    right.minorticks_off()
    right.legend(loc="lower right")
    return fig


def spectra() -> Figure:
    """Draw singular values of counts of words, and of the real model's table."""
    fig, axes = style.figure(height=3.6, columns=2)
    left, right = axes[0]
    words = record.load("word_vectors")["spectrum"]
    left.plot(words["places"], words["text"], label="text")
    left.plot(words["places"], words["shuffled"], label="shuffled words")
    left.set(xscale="log", yscale="log", xlabel="place", ylabel="singular value", ylim=(3, 600))
    left.set(title="PPMI of six novels")
    left.legend(fontsize=9, loc="lower left")
    table = record.load("token_embedding")
    for name, label in (
        ("model", "table"),
        ("centered", "centered"),
        ("shuffled", "centered, shuffled"),
        ("gaussian", "Gaussian"),
    ):
        right.plot(table["places"], table["singular_values"][name], label=label)
    right.set(xscale="log", yscale="log", xlabel="place", ylim=(3, 900), title="token table")
    right.legend(fontsize=9, loc="upper right")
    return fig


def cosines() -> Figure:
    """Draw the cosines of random pairs of rows of three tables."""
    fig, ax = style.one(height=3.2)
    tables = record.load("token_embedding")["tables"]
    edges = np.linspace(-1, 1, len(tables["model"]["histogram"]) + 1)
    width = edges[1] - edges[0]
    for name, label in (("model", "table"), ("centered", "centered"), ("gaussian", "Gaussian")):
        density = np.array(tables[name]["histogram"]) / width
        ax.plot((edges[1:] + edges[:-1]) / 2, density, label=label)
    ax.set(xlabel="cosine of two random rows", ylabel="density", xlim=(-0.5, 0.9), ylim=(0, 10))
    ax.legend()
    return fig


def fit(laws: Floats, width: int, *, steps: int = 1500, rate: float = 0.1) -> float:
    """Fit a softmax of some width to laws, one a row; return the mean divergence in nats."""
    logs = np.log(laws)
    start = truncated_svd(logs - logs.mean(axis=1, keepdims=True), width)
    hidden, table = start.words, start.contexts
    state = initial_moments((hidden, table))
    for step in range(1, steps + 1):
        slope = (softmax(hidden @ table.T) - laws) / len(laws)
        (hidden, table), state = adam(
            (hidden, table),
            (slope @ table, slope.T @ hidden),
            state,
            rate=rate * (1 - step / steps),
            beta2=0.99,
        )
    return float(np.mean(kl_divergence(laws, softmax(hidden @ table.T))))


def languages() -> dict[str, Floats]:
    """Make a language of dense laws, and one of laws that two tokens share."""
    dense = softmax(1.5 * np.random.default_rng(3).normal(size=(12, 12)))
    sparse, rng = np.full((12, 12), 0.002 / 10), np.random.default_rng(3)
    for row in sparse:
        row[rng.permutation(12)[:2]] = 0.998 * np.array([0.7, 0.3])
    return {"dense": dense, "two tokens": sparse}


def bottleneck() -> Figure:
    """Draw rows that can and cannot win, and what a narrow output costs two languages."""
    fig, axes = style.figure(height=3.5, columns=2)
    left, right = axes[0]
    angles = 2 * np.pi * np.arange(8) / 8 + 0.2
    lengths = np.array([1.0, 0.9, 1.1, 0.95, 1.0, 1.1, 0.9, 1.05])
    rows = lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    left.add_patch(Polygon(rows, closed=True, fill=False, color=style.INK, linestyle="--"))
    left.plot(*rows.T, "o", color=style.COLORS[0], markersize=8)
    left.plot([0.3], [0.2], "X", color=style.COLORS[1], markersize=10)
    left.annotate("never first", (0.3, 0.2), xytext=(-30, -20), textcoords="offset points")
    left.annotate("", 0.72 * rows[2], (0, 0), arrowprops={"arrowstyle": "->", "lw": 2})
    left.annotate("h", 0.4 * rows[2] + [-0.2, 0])
    left.set(xlabel="first coordinate", ylabel="second coordinate", aspect="equal")
    left.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3))
    widths = list(range(1, 10))
    for (name, laws), marker in zip(languages().items(), style.MARKERS, strict=False):
        right.plot(widths, [fit(laws, width) for width in widths], marker=marker, label=name)
    right.set(yscale="log", xlabel="width d", ylabel="divergence (nats)", ylim=(1e-4, 3))
    right.set_xticks([2, 4, 6, 8])
    right.legend()
    return fig
