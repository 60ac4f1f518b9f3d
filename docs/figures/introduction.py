"""Figures of the opening post: one sentence, the way of a formula, what the chapters need."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path as Curve

from _extensions.articles import Article, read_folder
from experiments import record
from figures import style

CHAPTERS = Path(__file__).parents[1] / "chapters"
# Of the passage written for this book, the sentence of the puzzle.
SENTENCE = slice(29, 54)


# --- What the chapters need ------------------------------------------------------------------


def chapters() -> list[Article]:
    """Read the front matter of the chapters, without the opening post.

    Returns
    -------
    list of Article
        In reading order.
    """
    return [article for article in read_folder(CHAPTERS) if article.number]


def needs() -> dict[int, tuple[int, ...]]:
    """Say what each chapter names as its needs.

    Returns
    -------
    dict
        Numbers of chapters, for each number.
    """
    return {article.number: article.needs for article in chapters()}


def everything_before(named: dict[int, tuple[int, ...]]) -> dict[int, set[int]]:
    """Follow the needs of needs to the end.

    Parameters
    ----------
    named : dict
        What each chapter names; only earlier numbers.

    Returns
    -------
    dict
        All chapters that come before it, for each number.
    """
    before: dict[int, set[int]] = {}
    for number in sorted(named):
        before[number] = set(named[number]).union(*(before[other] for other in named[number]))
    return before


def arrows(named: dict[int, tuple[int, ...]]) -> list[tuple[int, int]]:
    """Leave out every need that another one implies.

    Parameters
    ----------
    named : dict
        What each chapter names; only earlier numbers.

    Returns
    -------
    list of pairs
        The needed chapter and the one that needs it.
    """
    before = everything_before(named)
    return [
        (one, number)
        for number, others in named.items()
        for one in others
        if not any(one in before[other] for other in others)
    ]


def rows(named: dict[int, tuple[int, ...]]) -> dict[int, int]:
    """Count the steps from a chapter that needs nothing, the longest way.

    Parameters
    ----------
    named : dict
        What each chapter names; only earlier numbers.

    Returns
    -------
    dict
        Row of each chapter, from 0.
    """
    found: dict[int, int] = {}
    for number in sorted(named):
        found[number] = 1 + max((found[other] for other in named[number]), default=-1)
    return found


Stop = tuple[int, int, int]  # row and chapter twice, or row and arrow that passes the row


def _ways(named: dict[int, tuple[int, ...]]) -> list[list[Stop]]:
    """List, for each arrow, the stops that it touches from its start to its end."""
    row = rows(named)
    return [
        [(row[a], a, a), *((r, a, b) for r in range(row[a] + 1, row[b])), (row[b], b, b)]
        for a, b in arrows(named)
    ]


def _place(named: dict[int, tuple[int, ...]], *, box: float, lane: float) -> dict[Stop, float]:
    """Find a place from left to right for every stop, near the stops that it is joined to.

    Each stop moves to the mean of its neighbors in turn, from the bottom row up and back down;
    stops of one row keep their distance, a box's or, for a passing arrow, a lane's width.
    """
    joined: dict[Stop, list[Stop]] = {(row, n, n): [] for n, row in rows(named).items()}
    for way in _ways(named):
        for one, other in pairwise(way):
            joined.setdefault(one, []).append(other)
            joined.setdefault(other, []).append(one)
    levels = [[s for s in joined if s[0] == row] for row in range(1 + max(joined)[0])]
    x = {stop: float(index) for level in levels for index, stop in enumerate(level)}
    for turn in range(40):
        for level in levels if turn % 2 else reversed(levels):
            wish = {s: float(np.mean([x[o] for o in joined[s]] or [x[s]])) for s in level}
            level.sort(key=lambda stop: (wish[stop], stop))
            half = [box / 2 if a == b else lane / 2 for _, a, b in level]
            ends = np.cumsum([0.0, *(one + other for one, other in pairwise(half))])
            shift = float(np.mean([wish[s] - end for s, end in zip(level, ends, strict=True)]))
            x |= {stop: float(end) + shift for stop, end in zip(level, ends, strict=True)}
    return x


def _name(article: Article) -> str:
    """Call a chapter by its number and the name of its file."""
    return f"{article.number} {article.docname.partition('-')[2]}"


def prerequisites() -> Figure:
    """Draw the chapters from top to bottom, and an arrow to each from those it needs."""
    named = needs()
    row, x = rows(named), _place(named, box=2.0, lane=0.6)
    fig, ax = style.one(height=5.6)
    for way in _ways(named):
        points = [(x[stop], -float(stop[0])) for stop in way]
        (x0, y0), (x1, y1) = points[0], points[-1]
        _arrow(ax, [(x0, y0 - 0.2), *points[1:-1], (x1, y1 + 0.2)])
    box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": style.INK}
    for article in chapters():
        place = (row[article.number], article.number, article.number)
        ax.text(x[place], -place[0], _name(article), ha="center", va="center", bbox=box)
    ax.set(xlim=(min(x.values()) - 1, max(x.values()) + 1), ylim=(-max(x)[0] - 0.4, 0.4))
    ax.axis("off")
    return fig


def _arrow(ax: Axes, points: list[tuple[float, float]]) -> None:
    """Draw a smooth way through points, with an arrowhead at its end."""
    vertices, codes = [points[0]], [Curve.MOVETO]
    for (x0, y0), (x1, y1) in pairwise(points):
        half = (y0 + y1) / 2
        vertices += [(x0, half), (x1, half), (x1, y1)]
        codes += [Curve.CURVE4] * 3
    way = Curve(vertices, codes)
    ax.add_patch(
        FancyArrowPatch(path=way, arrowstyle="-|>", mutation_scale=11, color=style.INK, lw=1.2)
    )


def reading_lists() -> Figure:
    """Mark, for each chapter, those it names, and those that these need in turn."""
    named = needs()
    before = everything_before(named)
    fig, ax = style.one(height=4.8)
    hollow: dict[str, Any] = {"markerfacecolor": "none", "markersize": 9, "markeredgewidth": 1.6}
    for number, others in before.items():
        direct = sorted(named[number])
        implied = sorted(others - set(direct))
        ax.plot(direct, [number] * len(direct), "s", color=style.COLORS[0], markersize=11)
        ax.plot(implied, [number] * len(implied), "o", color=style.COLORS[1], **hollow)
        ax.text(number, number, str(number), ha="center", va="center", fontweight="bold")
    ax.plot([], [], "s", color=style.COLORS[0], label="named by the chapter")
    ax.plot([], [], "o", color=style.COLORS[1], label="needed by those", **hollow)
    ax.set_yticks(list(named), [_name(article) for article in chapters()])
    ax.set_xticks(list(named))
    ax.set(xlabel="chapter to read before it", xlim=(0.4, max(named) + 0.6))
    ax.set_ylim(max(named) + 0.6, 0.4)
    ax.tick_params(length=0)
    ax.legend(loc="upper right", **style.OPAQUE)
    return fig


# --- One sentence, and the way of a formula --------------------------------------------------


def sentence() -> Figure:
    """Draw the surprisal of each token of the puzzle's sentence, and the passage's mean."""
    passage = record.load("passage_surprisal")["passages"][1]
    tokens, nats = passage["tokens"][SENTENCE], passage["surprisal"][SENTENCE]
    fig, ax = style.one(height=5.8)
    ax.barh(range(len(nats)), nats, height=0.7, color=style.COLORS[0])
    mean = passage["mean_surprisal"]
    ax.axvline(mean, color=style.INK, linestyle="--", linewidth=1.2)
    ax.text(mean + 0.1, 0, "mean of the passage", va="center", fontsize=10)
    ax.set_yticks(range(len(tokens)), [token.strip() for token in tokens])
    ax.set(xlabel="surprisal, nats", ylim=(len(tokens) - 0.4, -0.6))
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    return fig


def circle() -> Figure:
    """Draw equation, function and test, and the line of source that leads to each."""
    fig, ax = style.one(height=3.9)
    places = {
        "the chapter": (0.0, 1.0, ":label: eq-perplexity"),
        "the package": (-1.05, -0.55, "def perplexity(…)"),
        "the tests": (1.05, -0.55, "def test_perplexity_…(…)"),
    }
    for name, (x, y, line) in places.items():
        box = {"boxstyle": "round,pad=0.5", "facecolor": "white", "edgecolor": style.INK}
        ax.text(x, y, f"{name}\n{line}", ha="center", va="center", bbox=box, linespacing=1.6)
    ways = [
        ((-0.35, 0.68), (-1.0, -0.2), "Implements :eq:`eq-perplexity`", (-0.78, 0.27), "right"),
        (
            (0.35, 0.68),
            (1.0, -0.2),
            '@pytest.mark.equation(\n"eq-perplexity")',
            (0.78, 0.27),
            "left",
        ),
        ((-0.42, -0.55), (0.28, -0.55), "calls", (-0.07, -0.45), "center"),
    ]
    for start, end, text, (x, y), side in ways:
        ax.add_patch(
            FancyArrowPatch(start, end, arrowstyle="<|-|>", mutation_scale=12, color=style.INK)
        )
        ax.text(x, y, text, ha=side, va="center", fontsize=10)
    ax.set(xlim=(-1.85, 1.85), ylim=(-0.95, 1.35))
    ax.axis("off")
    return fig
