"""Figures of chapter 2: parameters, operations, words, letters, tokens, gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments import record
from experiments.texts import NOVELS, austen
from figures import style
from primer_ref.accounting import causal_forward_flops, forward_flops
from primer_ref.corpus import word_counts
from primer_ref.parameters import MODELS

Floats = NDArray[np.floating[Any]]

NAMES = {
    "gpt2": "GPT-2",
    "smollm2-135m": "SmolLM2 135M",
    "gpt2-xl": "GPT-2 XL",
    "mistral-7b": "Mistral 7B",
    "llama3-8b": "Llama 3 8B",
    "gpt3-175b": "GPT-3 175B",
    "llama3-405b": "Llama 3 405B",
}


def parameters() -> Figure:
    """Draw what share of its parameters each model has in which part."""
    fig, ax = style.one(height=3.9)
    fills = [
        ("tables of tokens and positions, head", style.COLORS[1], "//"),
        ("attention", style.COLORS[5], ""),
        ("feed-forward", style.COLORS[0], "xx"),
    ]
    for row, model in enumerate(NAMES):
        count = MODELS[model].parameters
        ends = count.token_embedding + count.position_embedding + count.head
        start = 0.0
        for part, (label, color, hatch) in zip(
            (ends, count.attention, count.feed_forward), fills, strict=True
        ):
            share = part / count.total
            ax.barh(
                row,
                share,
                left=start,
                height=0.68,
                color=color,
                hatch=hatch,
                edgecolor="white",
                linewidth=0,
                label=label if row == 0 else None,
            )
            start += share
    ax.set_yticks(range(len(NAMES)), list(NAMES.values()))
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="share of all parameters", xlim=(0, 1), ylim=(len(NAMES) - 0.5, -0.6))
    ax.grid(visible=False, axis="y")
    fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=10)
    return fig


def six_nd() -> Figure:
    """Draw what the pairs of tokens add to six operations a parameter, by length."""
    fig, ax = style.one(height=3.8)
    lengths = np.unique(np.geomspace(256, 131072, 40).round().astype(int))
    for model, color, dash, mark in [
        ("smollm2-135m", style.COLORS[1], style.DASHES[1], "o"),
        ("llama3-8b", style.COLORS[2], style.DASHES[2], "s"),
        ("llama3-405b", style.COLORS[0], style.DASHES[0], "^"),
    ]:
        config, count = MODELS[model].config, MODELS[model].parameters
        for flops, whole in ((forward_flops, True), (causal_forward_flops, False)):
            shares = []
            for n in lengths.tolist():
                done = flops(config, count, n_tokens=n)
                pairs = done.scores + done.mixing
                shares.append(pairs / (done.total - pairs))
            ax.plot(
                lengths,
                shares,
                color=color,
                linestyle=dash,
                marker=mark,
                markevery=6,
                markersize=5,
                markerfacecolor=color if whole else "white",
                alpha=1.0 if whole else 0.75,
                label=NAMES[model] + (", all pairs" if whole else ", visible pairs"),
            )
    ax.axhline(1, color=style.INK, linewidth=1, linestyle=":")
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="length of a training sequence, tokens",
        ylabel="pairs over matrices, FLOP",
        ylim=(0.002, 300),
    )
    ax.legend(fontsize=9, loc="upper left", **style.OPAQUE)
    return fig


def zipf() -> Figure:
    """Draw counts by rank in six novels, and three fitted laws."""
    found = record.load("language_statistics")["texts"][-1]
    ranks, counts = np.array(found["ranks"]), np.array(found["counts"])
    all_ranks = np.arange(1, found["types"] + 1)

    def expected(exponent: float, shift: float = 0.0) -> Floats:
        weights = (all_ranks + shift) ** -exponent
        return np.asarray((found["words"] * weights / weights.sum())[ranks - 1])

    fig, ax = style.one(height=4.0)
    ax.plot(ranks, counts, "o", color=style.INK, markersize=5, label="words of six novels")
    fit, shifted = found["zipf"]["exponent"], found["mandelbrot"]
    slope = found["least_squares"]
    words = word_counts(" ".join(austen(name) for name in NOVELS))
    middle = np.log(all_ranks).mean(), np.log(list(words.values())).mean()
    line = np.exp(middle[1] - slope * (np.log(ranks) - middle[0]))
    ax.plot(ranks, line, "-", color=style.COLORS[1], linewidth=1, label="line of least squares")
    for law, label, color, dash in [
        (expected(fit), f"Zipf, likelihood: a = {fit:.2f}", style.COLORS[0], "-"),
        (expected(slope), f"Zipf, slope of the line: a = {slope:.2f}", style.COLORS[1], "--"),
        (
            expected(shifted["exponent"], shifted["shift"]),
            f"Mandelbrot: a = {shifted['exponent']:.2f}, q = {shifted['shift']:.1f}",
            style.COLORS[2],
            "-.",
        ),
    ]:
        ax.plot(ranks, law, color=color, linestyle=dash, label=label)
    ax.set(xscale="log", yscale="log", xlabel="rank", ylabel="count", ylim=(0.3, 4e5))
    ax.legend(loc="lower left", fontsize=10, **style.OPAQUE)
    return fig


def heaps() -> Figure:
    """Draw how the vocabulary grows, in order, shuffled, and under two laws."""
    found = record.load("language_statistics")["growth"]
    fig, ax = style.one(height=3.9)
    for key, label, mark in [
        ("text", "in the order of the text", "o"),
        ("shuffled", "words in random order", ""),
        ("mandelbrot", "independent words, Mandelbrot's law", ""),
        ("zipf", "independent words, Zipf's law", ""),
    ]:
        ax.plot(found["n"], found[key], marker=mark, markersize=4, label=label)
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(100, 1e6),
        ylim=(40, 3e4),
        xlabel="words read, n",
        ylabel="different words, V(n)",
    )
    ax.legend(loc="upper left", fontsize=10, **style.OPAQUE)
    return fig


def information() -> Figure:
    """Draw the mutual information of letters by distance, with its bias and two chains."""
    found = record.load("language_statistics")["letters"]
    noise = np.array(found["shuffled"])
    raw, less = "relative frequencies", "less shuffled text"
    banded, chained = "less shuffled text, mean of a band", "chain with the same pairs"
    fig, ax = style.one(height=4.2)
    distances = np.array(found["distances"])
    ax.plot(
        distances,
        found["plug_in"],
        marker="o",
        linestyle="none",
        markerfacecolor="white",
        color=style.COLORS[0],
        label=raw,
    )
    excess = np.array(found["plug_in"]) - noise.mean()
    ax.plot(distances, excess, "o", color=style.COLORS[0], label=less)
    bands = found["bands"]
    centers = np.array([math.sqrt(band["first"] * band["last"]) for band in bands])
    values = np.array([band["excess"] for band in bands])
    errors = np.array([1.96 * band["standard_error"] for band in bands])
    lower = np.maximum(values - errors, 1e-9)
    ax.errorbar(
        centers,
        values,
        yerr=[values - lower, errors],
        fmt="s",
        color=style.COLORS[1],
        label=banded,
    )
    chain = np.array(found["chain"])
    shown = chain > 1e-8
    ax.plot(
        distances[shown],
        chain[shown],
        "--",
        color=style.COLORS[2],
        label=chained,
    )
    ax.axhline(noise.mean(), color=style.INK, linestyle=":", linewidth=1.5)
    ax.text(5200, noise.mean() * 1.25, "shuffled text", ha="right", va="bottom", fontsize=10)
    ax.set(
        xscale="log",
        yscale="log",
        xlim=(0.9, 6000),
        ylim=(2e-7, 2),
        xlabel="distance d, symbols",
        ylabel="mutual information, nats",
    )
    keys, labels = ax.get_legend_handles_labels()
    order = [labels.index(label) for label in (raw, less, banded, chained)]
    ax.legend(
        [keys[i] for i in order],
        [labels[i] for i in order],
        loc="upper right",
        fontsize=9,
        **style.OPAQUE,
    )
    return fig


def languages() -> Figure:
    """Draw tokens and bytes of the same sentences, beside those in English."""
    texts = record.load("tokens_per_byte")["texts"]
    rows = sorted(
        (text for text in texts if text["kind"] == "language"),
        key=lambda text: text["ratio"]["value"],
    )
    fig, ax = style.one(height=4.8)
    y = np.arange(len(rows))
    values, reach = style.intervals([row["ratio"] for row in rows])
    ax.errorbar(
        values,
        y,
        xerr=reach,
        fmt="o",
        color=style.COLORS[0],
        label="tokens, with interval of 95 %",
    )
    ax.plot(
        [row["bytes_ratio"] for row in rows],
        y,
        "D",
        color=style.COLORS[1],
        markerfacecolor="white",
        linestyle="none",
        label="bytes",
    )
    ax.axvline(1, color=style.INK, linewidth=1, linestyle=":")
    ax.set_yticks(y, [row["name"] for row in rows])
    ax.tick_params(axis="y", length=0)
    ax.set(xlabel="as many as in English, for the same sentences", xlim=(0.5, 5.6))
    ax.legend(loc="lower right", fontsize=10, **style.OPAQUE)
    return fig


def _gradients(gain: float, steps: int, rng: np.random.Generator) -> tuple[Floats, float]:
    """Follow a gradient back through a recurrence, and bound a step by its singular value."""
    width = 64
    weights = gain * rng.normal(size=(width, width)) / math.sqrt(width)
    state, states = np.zeros(width), []
    for _ in range(steps):
        state = np.tanh(state @ weights + 0.1 * rng.normal(size=width))
        states.append(state)
    gradient = rng.normal(size=width)
    gradient /= np.linalg.norm(gradient)
    lengths = [1.0]
    for state in reversed(states):
        gradient = (gradient * (1 - state**2)) @ weights.T
        lengths.append(float(np.linalg.norm(gradient)))
    return np.array(lengths), float(np.linalg.svd(weights, compute_uv=False)[0])


def jacobians() -> Figure:
    """Draw the length of a gradient that a recurrence carries back, and its bound."""
    steps, rng = 100, np.random.default_rng(2)
    t = np.arange(steps + 1)
    fig, ax = style.one(height=4.0)
    for gain, color, dash, mark in [
        (0.45, style.COLORS[2], style.DASHES[2], "s"),
        (0.9, style.COLORS[0], style.DASHES[0], "o"),
        (1.5, style.COLORS[1], style.DASHES[1], "^"),
    ]:
        lengths, largest = _gradients(gain, steps, rng)
        label = rf"$\sigma_{{\max}}$ = {largest:.2f}"
        ax.plot(t, lengths, color=color, linestyle=dash, marker=mark, markevery=10, label=label)
        ax.plot(t, largest**t, color=color, linewidth=1, linestyle=":", alpha=0.8)
    ax.plot([], [], color=style.INK, linewidth=1, linestyle=":", label="bound of each")
    ax.plot(
        t[1:],
        1 / t[1:],
        color=style.INK,
        linewidth=1.5,
        marker="D",
        markersize=5,
        markerfacecolor="white",
        markevery=(4, 10),
        label="even attention, 1/T",
    )
    ax.set(
        yscale="log",
        xlabel="steps back, T",
        ylabel="length of the gradient",
        xlim=(0, steps),
        ylim=(1e-30, 1e12),
    )
    ax.legend(loc="lower left", fontsize=10, **style.OPAQUE)
    return fig
