"""Figures of chapter 1: leaking mass, entropy, passages, divergence, n-gram order, codes."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from experiments import record
from figures import style
from primer_ref.information import entropy, kl_divergence, surviving_mass
from widgets.passage_surprisal import NAMES

Floats = NDArray[np.float64]


def leak() -> Figure:
    """Draw the probability of not having ended, for three ways to end."""
    fig, ax = style.one()
    t = np.arange(1, 1001)
    for e, label in [
        (np.full(t.shape, 0.1), r"$e_t = 1/10$"),
        (1 / (t + 1), r"$e_t = 1/(t+1)$"),
        (1 / (t + 1) ** 2, r"$e_t = 1/(t+1)^2$"),
    ]:
        ax.plot(t, surviving_mass(e), label=label)
    ax.set(xscale="log", xlabel="symbols drawn, n", ylabel="still drawing, $S_n$", ylim=(0, 1))
    ax.legend()
    return fig


def coin() -> Figure:
    """Draw the entropy of a coin and its two parts."""
    fig, ax = style.one()
    p = np.linspace(0, 1, 401)
    both = np.stack([p, 1 - p], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.nan_to_num(-both * np.log2(both))
    ax.plot(p, entropy(both, base=2), label="entropy")
    ax.plot(p, parts[:, 0], label="part of heads")
    ax.plot(p, parts[:, 1], label="part of tails")
    ax.set(xlabel="probability of heads, p", ylabel="bits", ylim=(0, 1.05))
    ax.legend(loc="lower center")
    return fig


def _hump(center: float, width: float) -> Floats:
    """Make a bell-shaped law on 0, …, 39."""
    x = np.arange(40)
    weights = np.exp(-((x - center) ** 2) / (2 * width**2))
    return np.asarray(weights / weights.sum())


def passages() -> Figure:
    """Draw the mean surprisal of the tokens read so far, along four passages."""
    fig, ax = style.one(height=5.0)
    for passage in record.load("passage_surprisal")["passages"]:
        n = np.arange(1, len(passage["surprisal"]) + 1)
        ax.plot(n, np.cumsum(passage["surprisal"]) / n, label=NAMES[passage["name"]])
    ax.set(xlabel="tokens read", ylabel="mean surprisal so far, nats", ylim=(0, None))
    ax.legend(loc="upper right")
    return fig


def asymmetry() -> Figure:
    """Fit one hump to two, in either direction of the divergence."""
    p = 0.4 * _hump(12, 2.5) + 0.6 * _hump(28, 2.5)
    humps = [_hump(c, w) for c in np.arange(5, 35, 0.5) for w in np.arange(1.5, 14, 0.5)]
    cover = min(humps, key=lambda q: float(kl_divergence(p, q)))
    choose = min(humps, key=lambda q: float(kl_divergence(q, p)))
    fig, ax = style.one()
    ax.bar(np.arange(40), p, color=style.INK, alpha=0.25, label="p")
    ax.plot(cover, label="q that minimizes KL(p ‖ q)")
    ax.plot(choose, label="q that minimizes KL(q ‖ p)")
    ax.set(xlabel="outcome", ylabel="probability")
    ax.legend(loc="upper left")
    return fig


def ngram_order() -> Figure:
    """Draw the loss of three n-gram models against their order."""
    rows = record.load("ngram_order")["orders"]
    fig, ax = style.one(height=3.8)
    for key, label, marker in [
        ("train", "relative frequencies, on their own text", "o"),
        ("add_one", "add one, held out", "s"),
        ("mixed", "each order the prior of the next, held out", "^"),
    ]:
        orders, losses = [row["order"] for row in rows], [row[key] for row in rows]
        ax.plot(orders, losses, marker=marker, label=label)
    ax.set(xlabel="symbols the model looks back at", ylabel="bits per symbol", ylim=(0, None))
    ax.legend(loc="lower left", fontsize=10)
    return fig


def compression() -> Figure:
    """Draw bits per byte of one chapter under seven compressors."""
    compressors = record.load("compression")["compressors"]
    fig, ax = style.one(height=3.6)
    names = {
        "gzip": "gzip",
        "xz": "xz",
        "bzip2": "bzip2",
        "adaptive": "counting while it reads",
        "xz_after_novels": "xz, after five novels",
        "ngram": "6 bytes back, after five novels",
        "model": "SmolLM2-135M-Instruct",
    }
    for row, key in enumerate(names):
        bits = compressors[key]["bits_per_byte"]
        ours = "ideal_bits" in compressors[key]
        ax.barh(
            row,
            bits,
            height=0.7,
            color=style.COLORS[0 if ours else 4],
            hatch=None if ours else "//",
            edgecolor="white",
        )
        ax.text(bits + 0.05, row, f"{bits:.2f}", va="center")
    ax.set_yticks(range(len(names)), list(names.values()))
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="bits per byte", xlim=(0, 3.9), ylim=(6.6, -0.6))
    ax.grid(visible=False, axis="y")
    return fig


def _bar(ax: Axes, y: float, shares: list[float], names: str, chosen: int) -> tuple[float, float]:
    """Draw a divided unit interval, and return the ends of the chosen part."""
    ends = np.concatenate([[0], np.cumsum(shares)])
    for i, name in enumerate(names):
        fill = style.COLORS[5] if i == chosen else "none"
        ax.add_patch(Rectangle((ends[i], y), shares[i], 0.5, facecolor=fill, edgecolor=style.INK))
        ax.text((ends[i] + ends[i + 1]) / 2, y + 0.25, name, ha="center", va="center")
    return float(ends[chosen]), float(ends[chosen + 1])


def arithmetic() -> Figure:
    """Draw how an arithmetic coder narrows its interval for the message b, a, end."""
    laws = [[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.125, 0.125, 0.75]]
    fig, ax = style.one(height=3.8)
    low, width = 0.0, 1.0
    for step, (law, chosen) in enumerate(zip(laws, [1, 0, 2], strict=True)):
        y = 3.0 - step
        start, stop = _bar(ax, y, law, "ab■", chosen)
        ax.text(0, y + 0.56, f"{low:.4g}", ha="left", va="bottom", fontsize=9)
        ax.text(1, y + 0.56, f"{low + width:.4g}", ha="right", va="bottom", fontsize=9)
        for here, below in [(start, 0), (stop, 1)]:
            ax.plot([here, below], [y, y - 0.5], color=style.INK, linestyle=":", linewidth=1)
        low, width = low + width * start, width * (stop - start)
    ax.add_patch(Rectangle((0, 0), 1, 0.5, facecolor="none", edgecolor=style.INK))
    m = int(np.ceil(-np.log2(width))) + 1
    point = np.ceil(low * 2**m) / 2**m
    left, part = (point - low) / width, 2.0**-m / width
    ax.add_patch(
        Rectangle((left, 0), part, 0.5, facecolor=style.COLORS[1], alpha=0.6, edgecolor=style.INK)
    )
    code = format(int(point * 2**m), f"0{m}b")
    ax.text(left + part / 2, 0.25, f"0.{code}…", ha="center", va="center", fontsize=9)
    ax.text(0, -0.06, f"{low:.5g}", ha="left", va="top", fontsize=9)
    ax.text(1, -0.06, f"{low + width:.5g}", ha="right", va="top", fontsize=9)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.35, 3.85))
    ax.axis("off")
    return fig
