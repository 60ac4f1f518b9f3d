"""Figures of chapter 11: reliability, bins and noise, coverage of intervals, a quiz, risk."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import record
from figures import style
from primer_ref.intervals import coverage, exact_interval, wilson_interval
from widgets import bin_noise as widget
from widgets.share_coverage import normal_interval


def _diagonal(ax: Axes, found: dict[str, Any]) -> None:
    """Draw bins of equally many with their bars over the diagonal."""
    confidence, accuracy = np.array(found["confidence"]), np.array(found["accuracy"])
    below, above = accuracy - np.array(found["low"]), np.array(found["high"]) - accuracy
    ax.plot([0, 1], [0, 1], color=style.INK, linewidth=1, linestyle=":")
    ax.errorbar(
        confidence,
        accuracy,
        yerr=np.stack([below, above]),
        fmt="o",
        color=style.COLORS[0],
        markersize=5,
        elinewidth=1.5,
        capsize=3,
    )
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", aspect="equal")


def reliability() -> Figure:
    """Draw the real model's reliability before and after one temperature."""
    measured = record.load("reliability_diagram")
    fig, axes = style.figure(height=3.5, columns=2, sharey=True)
    left, right = axes[0]
    _diagonal(left, measured["plain"]["mass"])
    _diagonal(right, measured["scaled"]["mass"])
    left.set(ylabel="share that is right", title="as it is")
    right.set(title=f"logits divided by {measured['temperature']['fitted']:.2f}")
    return fig


def bin_noise() -> Figure:
    """Draw a calibrated forecaster's diagram, and its mean error against the number of cases."""
    fig, axes = style.figure(height=3.8, columns=2)
    found = widget.compute(n=200, bins=15, excess=0.0, sample=2)
    sure, right = np.array(found["confidence"]), np.array(found["accuracy"])
    axes[0, 0].plot([0.5, 1], [0.5, 1], ":", color=style.INK, linewidth=1)
    axes[0, 0].vlines(sure, sure, right, color=style.COLORS[0])
    axes[0, 0].plot(sure, right, "o", color=style.COLORS[0])
    axes[0, 0].set(xlabel="confidence", ylabel="share that came true", ylim=(0, 1.02))
    cases = [20, 50, 100, 200, 500, 900]
    for n_bins in (5, 15, 60):
        mean = [widget.compute(n=n, bins=n_bins, excess=0.0, sample=2)["expected"] for n in cases]
        axes[0, 1].plot(cases, mean, label=f"{n_bins} bins")
    axes[0, 1].set(xscale="log", xlabel="forecasts n", ylabel="error if calibrated", ylim=(0, None))
    axes[0, 1].set_xticks(cases, [str(n) for n in cases])
    axes[0, 1].minorticks_off()
    axes[0, 1].legend()
    return fig


def bins() -> Figure:
    """Draw what the number of bins does to three estimates of the calibration error."""
    rows = record.load("reliability_diagram")["by_bins"]
    number = [row["n_bins"] for row in rows]
    fig, ax = style.one()
    ax.plot(number, [row["error"] for row in rows], marker="o", label="error")
    ax.plot(number, [math.sqrt(row["debiased"]) for row in rows], marker="s", label="debiased")
    ax.plot(number, [row["simulated"] for row in rows], marker="^", label="if calibrated")
    ax.set(xscale="log", yscale="log", ylim=(0.01, 0.1))
    ax.set(xlabel="number of bins", ylabel="calibration error")
    ax.set_xticks(number, [str(n) for n in number])
    ax.set_yticks([0.01, 0.02, 0.05, 0.1], ["0.01", "0.02", "0.05", "0.1"])
    ax.minorticks_off()
    fig.legend(loc="outside upper center", ncols=3)
    return fig


def interval_coverage() -> Figure:
    """Draw the true coverage of three intervals of 72 questions."""
    fig, ax = style.one(height=3.6)
    shares = np.linspace(0.5, 0.9996, 1250)  # fine enough for the teeth near 1
    for interval, label in (
        (normal_interval, "central limit"),
        (wilson_interval, "Wilson"),
        (exact_interval, "exact"),
    ):
        remembered = functools.cache(interval)  # the intervals do not depend on the true share
        kept = [coverage(remembered, 72, p) for p in shares]
        ax.plot(shares, kept, label=label, linewidth=1.2)
    ax.axhline(0.95, color=style.INK, linewidth=1, linestyle=":")
    ax.set(xlabel="true share", ylabel="coverage", ylim=(0.6, 1.01), xlim=(0.5, 1))
    fig.legend(loc="outside upper center", ncols=3)
    return fig


def bars() -> Figure:
    """Draw every grading of the quiz with three kinds of bar."""
    quiz = record.load("multiple_choice")
    names = {
        "sum": "sum",
        "per_byte": "per byte",
        "letter": "letter",
        "letter_centered": "letter, centered",
        "without_question": "no question",
    }
    fig, ax = style.one(height=3.8)
    for offset, kind, marker in (
        (-0.22, "wilson", "o"),
        (0, "exact", "s"),
        (0.22, "clustered", "^"),
    ):
        found = [quiz["scorings"][name][kind] for name in names]
        value, reach = style.intervals(found)
        ax.errorbar(
            100 * value,
            np.arange(len(names)) + offset,
            xerr=100 * reach,
            fmt=marker,
            markersize=5,
            elinewidth=1.5,
            capsize=3,
            label="Wilson" if kind == "wilson" else kind,
        )
    ax.axvline(100 * quiz["chance"], color=style.INK, linewidth=1, linestyle=":")
    ax.set_yticks(range(len(names)), list(names.values()))
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(xlabel="right answers, %", xlim=(0, 100))
    fig.legend(loc="outside upper center", ncols=3)
    return fig


def risk() -> Figure:
    """Draw risk against coverage for two kinds of doubt."""
    asked = record.load("semantic_entropy")
    fig, ax = style.one()
    for name, label in (("semantic", "semantic entropy"), ("predictive", "mean surprisal")):
        curve = asked["curves"][name]
        ax.plot(100 * np.array(curve["coverage"]), curve["risk"], label=label)
    ax.axhline(asked["errors"]["value"], color=style.INK, linewidth=1, linestyle=":")
    ax.set(xlabel="questions answered, %", ylabel="share that is wrong", ylim=(0, 0.7))
    ax.set(xlim=(0, 100))
    fig.legend(loc="outside upper center", ncols=2)
    return fig
