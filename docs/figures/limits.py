"""Figures of chapter 13: carbon, associations, fairness, accounting, collapse, watermarks."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments import record
from figures import style
from primer_ref.collapse import accumulated_variance, expected_variance
from primer_ref.privacy import (
    advanced_composition,
    basic_composition,
    gaussian_delta,
    gaussian_rho,
    zcdp_epsilon,
)
from primer_ref.watermark_power import detection_power
from widgets import run_carbon as widget


def run_carbon() -> Figure:
    """Draw the carbon of a run as an interval, for each roughly known factor and for all."""
    fig, ax = style.one()
    first: dict[str, Any] = {control.name: control.value for control in widget.CONTROLS}
    rows: Any = widget.compute(**first)["tonnes"]
    for row, (low, high) in enumerate(rows):
        color = style.COLORS[1] if row == 3 else style.COLORS[0]
        ax.barh(row, high - low, 0.3, left=low, color=color)
        ax.text((low + high) / 2, row - 0.25, f"{low:.0f} to {high:.0f}", ha="center")
    ax.set_yticks(range(4), ["power", "overhead", "grid", "all three"])
    ax.set(xlabel="tonnes CO₂e", xlim=(0, 780), ylim=(3.5, -0.8))
    ax.set_ylabel("what is roughly known")
    ax.grid(visible=False, axis="y")
    return fig


def weat() -> Figure:
    """Draw the effect sizes of five association tests in three versions of the table."""
    tests = record.load("weat")["tests"]
    fig, ax = style.one(height=4.0)
    versions = ("plain", "centered", "stripped")
    for v, (version, marker) in enumerate(zip(versions, style.MARKERS, strict=False)):
        for row, test in enumerate(tests):
            height = -row + 0.24 * (1 - v)
            effect, ceiling = test[version]["effect"], test[version]["null_high"]
            color = style.COLORS[v]
            ax.plot([effect["low"], effect["high"]], [height, height], "-", color=color)
            label = version if row == 0 else None
            ax.plot(effect["value"], height, marker, color=color, label=label)
            ax.plot(ceiling, height, "|", color=style.INK, markersize=10)
    names = [t["name"].replace(" and ", " /\n") for t in tests]
    ax.axvline(0, color=style.INK, linewidth=1, linestyle=":")
    ax.set_yticks([-row for row in range(len(tests))], names)
    ax.set(xlabel="effect size, standard deviations", xlim=(-1.3, 2.1))
    fig.legend(loc="outside upper center", ncols=3)
    return fig


def fairness() -> Figure:
    """Draw the lines on which calibrated groups lie."""
    fig, ax = style.one()
    x = np.linspace(0, 1, 50)
    for base in (0.2, 0.4, 0.6):
        ax.plot(x, base / (1 - base) * (1 - x), label=f"base rate {base}")
    ax.plot(x, x, color=style.INK, linewidth=1, linestyle=":")
    ax.plot(1, 0, "o", color=style.INK, markersize=8, clip_on=False, zorder=5)
    ax.annotate(
        "perfect prediction",
        (0.98, 0.03),
        xytext=(0.97, 0.5),
        ha="right",
        arrowprops={"arrowstyle": "-", "color": style.INK},
    )
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.set(xlabel="mean score of the positives", ylabel="mean score of the negatives")
    fig.legend(loc="outside upper center", ncols=3, fontsize=10)
    return fig


def _least(sigma: float, delta: float) -> float:
    """Find the ε at which Gaussian noise has a given δ, by halving."""
    low, high = 0.0, 1.0
    while gaussian_delta(high, sigma=sigma) > delta:
        high *= 2
    for _ in range(50):
        middle = (low + high) / 2
        private = gaussian_delta(middle, sigma=sigma) <= delta
        low, high = (low, middle) if private else (middle, high)
    return high


def accounting() -> Figure:
    """Draw what four accountants say about many steps of Gaussian noise."""
    fig, ax = style.one(height=3.6)
    sigma, delta = 40.0, 1e-5
    steps = np.unique(np.geomspace(1, 10_000, 25).round().astype(int))
    found: dict[str, list[float]] = {
        name: [] for name in ("basic", "advanced", "concentrated", "exact")
    }
    for k in steps.tolist():
        one = _least(sigma, delta / (2 * k))
        each = _least(sigma, delta / k)
        found["basic"].append(basic_composition([each] * k, [delta / k] * k)[0])
        found["advanced"].append(
            advanced_composition(one, delta / (2 * k), n_steps=k, slack=delta / 2)[0]
        )
        found["concentrated"].append(zcdp_epsilon(k * gaussian_rho(sigma), delta))
        found["exact"].append(_least(sigma / k**0.5, delta))
    for name, values in found.items():
        ax.plot(steps, values, label=name)
    ax.set(xscale="log", yscale="log", xlabel="steps, k", ylabel="ε")
    ax.legend(loc="upper left")
    return fig


def collapse() -> Figure:
    """Draw the variance of refitted Gaussians, and how many words survive refits."""
    result = record.load("model_collapse")
    fig, ((left, right),) = style.figure(columns=2, height=3.9)
    generations = np.arange(101)
    for i, row in enumerate(result["gaussian"][:3]):
        k, color = row["n_real"], style.COLORS[i]
        exact = [expected_variance(int(n), sample_size=100, n_real=k) for n in generations]
        label = "no real draw" if k == 0 else f"{k} real draw" + "s" * (k > 1)
        left.plot(generations, exact, color=color, linestyle=style.DASHES[i], label=label)
        seen = [interval["value"] for interval in row["variance"]]
        left.plot(row["generations"], seen, style.MARKERS[i], color=color, markersize=5)
    kept = [accumulated_variance([100] * int(n)) for n in generations]
    left.plot(generations, kept, color=style.COLORS[3], linestyle=style.DASHES[4], label="all kept")
    row = result["gaussian"][0]
    left.plot(row["generations"], row["median"], ":", color=style.INK, label="no real, median")
    left.set(xlabel="generation", ylabel="variance", ylim=(0, 1.05))
    words = result["words"]
    n = np.array(words["generations"][1:])
    seen = [interval["value"] for interval in words["support"][1:]]
    right.plot(n, words["support_expected"][1:], color=style.COLORS[0], label="exact")
    right.plot(n, seen, "o", color=style.COLORS[1], label="simulated")
    right.axhline(words["vocabulary"], color=style.INK, linewidth=1, linestyle=":")
    right.annotate("at first", (1.1, 0.8 * words["vocabulary"]), va="top")
    right.set(xscale="log", yscale="log", xlabel="generation", ylabel="words left", ylim=(40, 1e4))
    right.set_xticks([1, 10, 50], ["1", "10", "50"])
    right.set_yticks([100, 1000, 10_000], ["100", "1,000", "10,000"])
    right.legend(loc="lower left")
    fig.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=10)
    return fig


def watermark() -> Figure:
    """Draw the power of the watermark against length, measured and by the formula."""
    result = record.load("watermark_power")
    fig, ax = style.one()
    lengths = np.array(result["lengths"])
    smooth = np.arange(6, 110)
    for i, row in enumerate(result["biases"][1:]):
        color, shift = style.COLORS[i], 1 + 0.03 * (i - 1)
        power = [
            detection_power(
                int(n),
                green=row["green"]["value"],
                fraction=result["fraction"],
                threshold=result["threshold"],
            )
            for n in smooth
        ]
        ax.plot(smooth, power, color=color, linestyle=style.DASHES[i])
        value, reach = style.intervals(row["power"])
        ax.errorbar(
            lengths * shift,
            value,
            yerr=reach,
            fmt=style.MARKERS[i],
            color=color,
            label=f"δ = {row['bias']:g}",
        )
    ax.set(xscale="log", xlabel="pairs of tokens", ylabel="share found", xlim=(10, 110))
    ax.set_xticks(lengths, [str(n) for n in lengths])
    ax.minorticks_off()
    ax.legend(loc="lower right")
    return fig
