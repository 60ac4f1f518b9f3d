"""Figures of chapter 5: position terms, biases, spectra of heads, decay, rules, precision."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments import record
from figures import style
from primer_ref.numerics import BF16, FP16, FP32, round_to
from primer_ref.position_biases import alibi_slopes, t5_buckets_causal
from primer_ref.positions import rotary, rotary_frequencies, rotations
from primer_ref.rope_scaling import (
    by_parts,
    interpolate_positions,
    llama3_frequencies,
    ntk_aware,
    yarn_frequencies,
)
from primer_ref.sinusoidal import score_terms, sinusoidal
from primer_ref.spectra import (
    angle_error_bound,
    rotary_spectrum,
    score_by_offset,
    score_envelope,
    wavelengths,
)

Floats = NDArray[np.floating[Any]]
CONTEXT = 8192
# Each rule looks the same in every figure; blue is the model as trained.
RULES: dict[str, dict[str, Any]] = {
    "interpolation": {"label": "interpolation", "color": style.COLORS[1], "marker": "s"},
    "ntk": {"label": "change of base", "color": style.COLORS[2], "marker": "D"},
    "by_parts": {"label": "by parts (paper)", "color": style.COLORS[3], "marker": "^"},
    "yarn": {"label": "YaRN", "color": style.COLORS[4], "marker": "v"},
    "llama3": {"label": "Llama 3", "color": style.INK, "marker": "P"},
}


def _model_frequencies() -> Floats:
    """Frequencies of the real model."""
    return rotary_frequencies(64, base=100_000.0)


def _mark_context(ax: Axes) -> None:
    ax.axvline(CONTEXT, color=style.INK, linewidth=1.2, linestyle=":")


def terms() -> Figure:
    """Draw the term of positions for the identity and for a random form."""
    fig, axes = style.figure(height=3.5, columns=2, sharey=True)
    p = sinusoidal(np.arange(48), 32)
    form = np.random.default_rng(5).normal(size=(32, 32)) / 32
    for ax, weights, title in ((axes[0, 0], np.eye(32), "W = I"), (axes[0, 1], form, "random W")):
        style.heat_map(ax, score_terms(p, p, weights).position_position)
        ax.set(title=title, xlabel="key's position")
        ax.grid(visible=False)
    axes[0, 0].set_ylabel("query's position")
    return fig


def biases() -> Figure:
    """Draw the penalties of ALiBi and the buckets of T5 against distance."""
    fig, axes = style.figure(height=3.3, columns=2)
    left, right = axes[0]
    distance = np.arange(151)
    for head, place in ((2, (15, -3.2)), (4, (50, -2.8)), (6, (72, -0.9)), (8, (72, -0.15))):
        slope = alibi_slopes(8)[head - 1]
        left.plot(distance, -slope * distance)
        left.annotate(f"1/{round(1 / slope)}", place, fontsize=10)
    left.set(xlabel="distance (tokens)", ylabel="ALiBi's bias (nats)", ylim=(-5, 0.2))
    left.set_xlim(0, 100)
    right.step(distance, t5_buckets_causal(-distance), where="post")
    right.set(xlabel="distance (tokens)", ylabel="bucket of T5's decoder", ylim=(0, 33))
    right.set_xlim(0, 150)
    return fig


def spectrum() -> Figure:
    """Draw the share of each pair in the amplitude of heads, over all heads."""
    fig, ax = style.one(height=3.7)
    found = record.load("rotary_spectrum")
    waves, share = np.array(found["wavelengths"]), np.array(found["by_pair"]["share"])
    band: Any = {"color": style.COLORS[0], "linewidth": 0}
    ax.fill_between(waves, share[0], share[4], alpha=0.15, label="5 to 95 % of heads", **band)
    ax.fill_between(waves, share[1], share[3], alpha=0.35, label="25 to 75 %", **band)
    ax.plot(waves, share[2], "o-", markersize=4, label="median")
    ax.axhline(1 / len(waves), color=style.INK, linewidth=1.2, linestyle=":")
    ax.annotate("even share", (6.3, 1 / len(waves) * 1.15), fontsize=10)
    ax.axvline(CONTEXT, color=style.INK, linewidth=1.2, linestyle="--")
    ax.annotate("context", (CONTEXT * 0.93, 0.0012), fontsize=10, ha="right")
    ax.set(xscale="log", yscale="log", xlabel="wavelength (positions)", ylabel="share of amplitude")
    ax.set_ylim(1e-3, 1)
    ax.legend(loc="upper left", fontsize=10)
    return fig


def offsets() -> Figure:
    """Draw scores against distance for three heads, with what the mean vectors say."""
    fig, axes = style.figure(height=7.4, rows=3)
    found = record.load("rotary_spectrum")
    at = np.array(found["offsets"])
    dense = int(np.argmax(np.diff(at) > 1)) + 1  # from here on too few points for fast waves
    names = {
        "most_local": "shortest reach",
        "least_local": "farthest reach",
        "least_explained": "distance explains least",
    }
    for ax, (key, name) in zip(axes[:, 0], names.items(), strict=True):
        head = found["found"][key]
        shown = slice(dense if key == "most_local" else None)
        x, score, spread = (np.array(y)[shown] for y in (at, head["score"], head["spread"]))
        ax.fill_between(x, score - spread, score + spread, alpha=0.25, linewidth=0)
        ax.plot(x, score, "-", color=style.COLORS[0], label="mean score")
        waves = np.array(head["polynomial"])[shown]
        ax.plot(x, waves, "--", color=style.COLORS[1], label="polynomial of means")
        ax.set(title=f"{name}: layer {head['layer']}, head {head['head']}", ylabel="score (nats)")
    axes[2, 0].set_xlabel("distance (tokens)")
    axes[1, 0].legend(fontsize=10, loc="upper right", ncols=2)
    return fig


def decay() -> Figure:
    """Draw the score of ones below its envelope, and a score that peaks far away."""
    fig, axes = style.figure(columns=2)
    left, right = axes[0]
    theta, distance = rotary_frequencies(128), np.arange(1, 2001)
    ones = rotary_spectrum(np.ones(128), np.ones(128))
    left.plot(distance, score_by_offset(ones, theta, distance), "-", linewidth=1.2, label="score")
    few = np.unique(np.geomspace(1, 2000, 120).astype(int))  # more would be a blob
    envelope = score_envelope(ones, theta, few) / 10
    left.plot(few, envelope, "--", linewidth=1.2, label="envelope / 10")
    left.set(xscale="log", xlabel="distance (tokens)", ylabel="score of ones, not scaled")
    left.legend(fontsize=10)
    query = np.random.default_rng(5).normal(size=(1, 128))
    key = rotary(query, rotations([500], 128))
    scores = score_by_offset(rotary_spectrum(query[0], key[0]), theta, np.arange(1001))
    right.plot(scores, "-", linewidth=1.2)
    right.set(xlabel="distance (tokens)", ylabel="score, not scaled")
    return fig


def rules() -> Figure:
    """Draw the factor by which each rule slows each pair of the real model."""
    fig, ax = style.one(height=3.6)
    theta, factor = _model_frequencies(), 4.0
    waves = wavelengths(theta)
    slowed = {
        "interpolation": interpolate_positions(theta, factor=factor),
        "ntk": ntk_aware(theta, factor=factor),
        "by_parts": by_parts(theta, factor=factor, context=CONTEXT, fast=32, slow=1),
        "yarn": yarn_frequencies(theta, factor=factor, context=CONTEXT),
        "llama3": llama3_frequencies(theta, factor=factor, context=CONTEXT),
    }
    for dashes, (rule, frequencies) in zip(style.DASHES[1:], slowed.items(), strict=True):
        look = {"linestyle": dashes, **RULES[rule]}
        ax.plot(waves, theta / frequencies, markersize=4, linewidth=1.4, **look)
    _mark_context(ax)
    ax.set(xscale="log", xlabel="wavelength as trained (positions)", ylabel="slowed by the factor")
    ax.set_ylim(0.8, 4.3)
    ax.legend(fontsize=9, loc="center left", bbox_to_anchor=(0.02, 0.62))
    return fig


def moved() -> Figure:
    """Draw the loss of text whose positions were moved away, by rule."""
    fig, ax = style.one(height=3.9)
    found = record.load("long_context")["moved"]
    ends = [row["length"] for row in found["none"]]
    values, reach = style.intervals([row["loss"] for row in found["none"]])
    ax.errorbar(ends, values, yerr=reach, fmt="o-", capsize=3, label="as trained")
    near = found["none"][1]["loss"]["value"]
    ax.axhline(near, color=style.INK, linewidth=1, linestyle=":")
    for place, row in enumerate(found["scaled"]):
        change, reach = style.intervals([row["against_near"]])
        ax.errorbar(
            [ends[-1] * 1.22 * 1.16**place],
            near + change,
            yerr=reach,
            linestyle="none",
            capsize=3,
            **RULES[row["rule"]],
        )
    _mark_context(ax)
    ax.set(xscale="log", xlabel="position at which the text seems to end", ylabel="loss (nats)")
    ax.set_xticks(ends[:2] + ends[4:], [f"{end:,}" for end in ends[:2] + ends[4:]])
    ax.minorticks_off()
    ax.set_ylim(3, 7.4)
    ax.legend(fontsize=10, loc="upper left")
    return fig


def precision() -> Figure:
    """Draw the error of angles in three formats, computed and bounded."""
    fig, ax = style.one(height=3.7)
    theta = _model_frequencies()
    formats = (("float32", FP32, 20), ("float16", FP16, 15), ("bfloat16", BF16, 20))
    for place, (name, form, last) in enumerate(formats):
        ends = [2**power for power in range(4, last + 1)]
        bound = angle_error_bound(ends, theta, unit_roundoff=form.unit_roundoff).max(axis=1)
        errors = []
        for end in ends:
            positions = np.arange(max(end - 63, 1), end + 1).astype(np.float64)
            angles = np.multiply.outer(round_to(positions, form), round_to(theta, form))
            errors.append(np.max(np.abs(round_to(angles, form) - np.outer(positions, theta))))
        ax.plot(ends, bound, color=style.COLORS[place], linestyle=style.DASHES[place], label=name)
        ax.plot(ends, errors, style.MARKERS[place], color=style.COLORS[place])
    ax.axhline(math.pi, color=style.INK, linewidth=1.2, linestyle=":")
    ax.annotate("π", (16, math.pi * 1.4))
    ax.set(xscale="log", yscale="log", xlabel="position", ylabel="largest error (radians)")
    ax.legend(loc="lower right")
    return fig
