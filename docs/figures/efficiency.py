"""Figures of chapter 7: shares, rooflines, tiles, traffic, and what blocks do to a weight."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments import record
from figures import style
from primer_ref.accounting import attention_crossover
from primer_ref.flash_attention import (
    hbm_traffic_bound,
    hbm_traffic_dense,
    hbm_traffic_flash,
)
from primer_ref.parameters import MODELS
from primer_ref.roofline import DEVICES, Device, attainable, ridge_point
from primer_ref.serving import decode_intensity, prefill_intensity
from widgets.online_softmax import SCORES


def shares() -> Figure:
    """Draw the share of a layer's operations that pairs of tokens take, against the length."""
    fig, ax = style.one()
    length = np.geomspace(64, 2**20, 200)
    for name, label in (
        ("smollm2-135m", "SmolLM2 135M"),
        ("llama3-8b", "Llama 3 8B"),
        ("llama3-405b", "Llama 3 405B"),
    ):
        model = MODELS[name]
        crossover = attention_crossover(model.config, model.parameters)
        (line,) = ax.plot(length, length / (length + crossover), label=label)
        ax.plot(crossover, 0.5, "o", color=line.get_color())
    ax.axhline(0.5, color=style.INK, linewidth=1, linestyle=":")
    ax.set(xscale="log", xlabel="tokens, T", ylabel="share of pairs of tokens", ylim=(0, 1))
    ax.set_xticks([10**2, 10**3, 10**4, 10**5, 10**6])
    ax.legend(loc="upper left")
    return fig


def datasheet() -> Figure:
    """Draw an H100's roof with decoding and prefill of Llama 3 8B under it."""
    fig, axes = style.figure(height=3.7, columns=2)
    left, right = axes[0]
    device, model = DEVICES["h100-sxm"], MODELS["llama3-8b"]
    intensity = np.geomspace(0.5, 2**12, 200)
    left.plot(intensity, attainable(intensity, device) / 1e12, label="H100")
    a100 = DEVICES["a100-80gb"]
    left.plot(intensity, attainable(intensity, a100) / 1e12, label="A100")
    for tokens, marker in ((1, "o"), (64, "s")):
        at = decode_intensity(model.config, model.parameters, n_past=1024, batch=tokens)
        left.plot(at, attainable(at, device) / 1e12, marker, color=style.INK)
        left.annotate(
            f"writing, {tokens}",
            (at, float(attainable(at, device)) / 1e12),
            xytext=(8, -10),
            textcoords="offset points",
            fontsize=9,
        )
    at = prefill_intensity(model.config, model.parameters, n_tokens=1024)
    left.plot(at, attainable(at, device) / 1e12, "D", color=style.INK)
    left.annotate(
        "reading",
        (at, float(attainable(at, device)) / 1e12),
        xytext=(-14, -16),
        textcoords="offset points",
        fontsize=9,
    )
    left.set(
        xscale="log",
        yscale="log",
        xlabel="intensity (FLOP a byte)",
        ylabel="attainable TFLOP/s",
        ylim=(0.7, 2500),
    )
    left.legend(fontsize=9, loc="upper left")
    batch = 2 ** np.arange(0, 13)
    for past in (0, 256, 1024, 8192):
        values = [
            decode_intensity(model.config, model.parameters, n_past=past, batch=int(b))
            for b in batch
        ]
        right.plot(batch, values, label=f"past {past:,}")
    right.axhline(ridge_point(device), color=style.INK, linewidth=1.2, linestyle=":")
    right.annotate("H100's ridge", (1, ridge_point(device) * 1.15), fontsize=9)
    right.set(
        xscale="log",
        yscale="log",
        xlabel="sequences in a batch",
        ylabel="intensity (FLOP a byte)",
        ylim=(0.7, 6000),
    )
    right.legend(fontsize=9, loc="lower right")
    return fig


def machine() -> Figure:
    """Draw a measured roof with the real model's measured steps and readings under it."""
    fig, ax = style.one(height=3.9)
    found = record.load("machine_roofline")
    measured = found["machine"]
    device = Device(measured["peak"], measured["bandwidth"], 1.0, 1.0)
    intensity = np.geomspace(0.3, 500, 200)
    ax.plot(intensity, attainable(intensity, device) / 1e9, color=style.INK, label="roof")
    for part, key, marker, label in (
        ("decode", "batch", "o", "writing, sequences"),
        ("prefill", "tokens", "s", "reading, tokens"),
    ):
        at = np.array([work["intensity"] for work in found[part]])
        rate = np.array([step["flops_per_second"] for step in measured[part]]) / 1e9
        ax.plot(at, rate, marker, markersize=7, linestyle="none", label=label)
        for work, x, y in zip(found[part], at, rate, strict=True):
            # Long readings run in passes of one length, and their squares lie close together.
            side = "left" if work is found[part][-1] else "right"
            ax.annotate(
                str(work[key]),
                (x, y),
                xytext=(5, 12) if marker == "o" else (7 if side == "left" else -7, 0),
                textcoords="offset points",
                ha="center" if marker == "o" else side,
                va="center",
                fontsize=9,
            )
    ax.axvline(measured["ridge"], color=style.INK, linewidth=1, linestyle=":")
    lowest, highest = measured["decode"][0]["flops_per_second"] / 2e9, measured["peak"] / 1e9
    ax.annotate("ridge", (measured["ridge"] * 1.06, lowest * 1.3), fontsize=9)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="intensity (FLOP a byte)",
        ylabel="GFLOP/s",
        ylim=(lowest, 2 * highest),
    )
    ax.legend(loc="upper left", fontsize=9)
    return fig


def gpu() -> Figure:
    """Draw products on a GPU under its measured roofs, and the tokens that it writes."""
    fig, axes = style.figure(height=4.0, columns=2)
    left, right = axes[0]
    found = record.load("gpu_roofline")
    measured = found["machine"]
    intensity = np.geomspace(0.4, 4000, 200)
    for marker, (kind, label) in zip(
        style.MARKERS,
        (("bfloat16", "bfloat16"), ("tf32", "TF32"), ("float32", "float32")),
        strict=False,
    ):
        device = Device(measured["peak"][kind], measured["bandwidth"], 1.0, 1.0)
        at = [work["intensity"] for work in found["products"][kind]]
        rates = np.array(measured["products"][kind]["flops_per_second"]) / 1e12
        (line,) = left.plot(at, rates, marker, markersize=6, linestyle="none", label=label)
        roof = attainable(intensity, device) / 1e12
        left.plot(intensity, roof, color=line.get_color(), linewidth=1, linestyle="-")
    left.set(
        xscale="log",
        yscale="log",
        xlabel="intensity (FLOP a byte)",
        ylabel="TFLOP/s",
        ylim=(1, 3000),
    )
    left.legend(loc="upper left", fontsize=9)
    for j in (1, 2):
        work, step = found["decode"][j], measured["decode"][j]
        options = {"marker": style.MARKERS[j - 1], "linestyle": "-", "markersize": 5}
        (line,) = right.plot(
            work["batches"], step["tokens_per_second"], label=f"past {work['past']:,}", **options
        )
        allowed = step["allowed"]
        right.plot(work["batches"], allowed, "--", color=line.get_color(), linewidth=1.2)
    right.annotate("allowed", (90, 42_000), fontsize=9, ha="right")
    right.set(
        xscale="log",
        yscale="log",
        xlabel="sequences in a batch",
        ylabel="tokens a second",
        ylim=(100, 200_000),
    )
    right.legend(loc="lower right", fontsize=9)
    return fig


def online() -> Figure:
    """Draw scores with their running maximum, and the terms before and after it rises."""
    fig, axes = style.figure(height=4.6, rows=2)
    (above,), (below,) = axes
    key, scores = np.arange(1, len(SCORES) + 1), np.array(SCORES)
    peaks = np.maximum.accumulate(scores)
    above.bar(key, scores + 2, bottom=-2, width=0.7, color=style.COLORS[0], alpha=0.75)
    above.stairs(
        peaks, np.arange(len(key) + 1) + 0.5, color=style.COLORS[1], label="m", lw=2, baseline=None
    )
    above.set(ylabel="score (nats)", ylim=(-2, 7))
    above.legend(loc="upper left")
    old, new = np.exp(scores[:5] - peaks[4]), np.exp(scores[:6] - peaks[5])
    outline = {"facecolor": "none", "edgecolor": style.INK, "linestyle": ":"}
    below.bar(key[:5], old, width=0.7, label="after 5 keys", **outline)
    below.bar(key[:6], new, width=0.7, color=style.COLORS[0], alpha=0.75, label="after 6 keys")
    below.set(xlabel="key", ylabel=r"$e^{s_j-m}$", xlim=above.get_xlim(), ylim=(0, 1.3))
    below.legend(loc="upper right")
    for ax in (above, below):
        ax.set_xticks(key)
        ax.grid(visible=False, axis="x")
    return fig


def tiles() -> Figure:
    """Draw which tiles of the scores a causal pass visits, and what it holds at one of them."""
    fig, ax = style.one(height=3.8)
    n = 6
    for row in range(n):
        for column in range(n):
            visited = column <= row
            ax.add_patch(
                Rectangle(
                    (column, row),
                    1,
                    1,
                    facecolor="#FFFFFF",
                    edgecolor=style.INK,
                    hatch="" if visited else "////",
                    linewidth=0.8,
                )
            )
            if visited:
                text = str(row * (row + 1) // 2 + column + 1)
                ax.annotate(text, (column + 0.5, row + 0.55), ha="center", va="center")
    ax.add_patch(Rectangle((2, 4), 1, 1, fill=False, edgecolor=style.COLORS[1], linewidth=3))
    ax.annotate("block of keys and values", (2.5, 6.6), ha="center", va="top")
    ax.annotate("", (2.5, 6.02), (2.5, 6.52), arrowprops={"arrowstyle": "->"})
    ax.annotate("block of\nqueries, and\nits m, ℓ, o", (-1.5, 4.5), ha="center", va="center")
    ax.annotate("", (-0.05, 4.5), (-0.45, 4.5), arrowprops={"arrowstyle": "->"})
    ax.set(xlim=(-2.6, 6.2), ylim=(7.1, -0.1), aspect="equal")
    ax.axis("off")
    return fig


def time_and_memory(
    costs: dict[str, tuple[list[float], list[float]]],
    sizes: list[int],
    seconds_label: str,
    **options: Any,
) -> Figure:
    """Draw seconds, and peak bytes, of several ways to attend against the length."""
    fig, axes = style.figure(height=3.7, columns=2)
    left, right = axes[0]
    for marker, (label, (seconds, peak)) in zip(style.MARKERS, costs.items(), strict=False):
        lengths = sizes[: len(seconds)]
        left.plot(lengths, np.array(seconds) * 1e3, marker=marker, label=label, **options)
        right.plot(lengths, np.array(peak) / 1e6, marker=marker, label=label, **options)
    for ax, label in ((left, seconds_label), (right, "peak memory (MB)")):
        ax.set(xscale="log", yscale="log", xlabel="tokens, N", ylabel=label)
        ax.minorticks_off()
    handles, labels = left.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2, fontsize=9)
    return fig


def cost() -> Figure:
    """Draw measured time and peak memory of dense and tiled attention against the length."""
    found = record.load("attention_cost")
    sizes, seconds, peak = found["sizes"], found["machine"]["seconds"], found["machine"]["peak"]
    kinds = ("dense", "tiled", "dense_causal", "tiled_causal")
    costs = {kind.replace("_", ", "): (seconds[kind]["median"], peak[kind]) for kind in kinds}
    fig = time_and_memory(costs, sizes, "processor time (ms)")
    for ax in fig.axes:
        ax.set_xticks(sizes, [str(n) for n in sizes], fontsize=9)
    return fig


def gpu_attention() -> Figure:
    """Draw time and peak memory of dense and fused attention on a GPU."""
    found = record.load("gpu_attention")
    sizes = found["sizes"]
    kinds = ("dense", "fused", "dense_causal", "fused_causal")
    forward = {kind: found["machine"][kind]["forward"] for kind in kinds}
    costs = {k.replace("_", ", "): (cost["seconds"], cost["peak"]) for k, cost in forward.items()}
    fig = time_and_memory(costs, sizes, "time (ms)", markersize=5)
    for ax in fig.axes:
        ax.set_xticks(sizes[::2], [f"{n:,}" for n in sizes[::2]], fontsize=9)
    return fig


def traffic() -> Figure:
    """Draw what must move and what does move, against the size of the fast memory."""
    fig, ax = style.one(height=3.7)
    n, size = 2**14, 64
    memory = np.unique(np.geomspace(5 * size + 2, n * size, 160).astype(int))
    tiled = [hbm_traffic_flash(n, size, int(m)) for m in memory]
    ax.plot(memory, np.full(len(memory), hbm_traffic_dense(n, size)), label="all scores stored")
    ax.plot(memory, tiled, label="in tiles")
    large = memory[memory >= size**2]
    ax.plot(large, [hbm_traffic_bound(n, size, int(m)) for m in large], label="lower bound")
    ax.axvline(size**2, color=style.INK, linewidth=1, linestyle=":")
    ax.annotate("M = d²", (size**2 * 1.08, 2.2e6), fontsize=9)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="fast memory M (numbers)",
        ylabel="numbers moved",
        ylim=(1.5e6, 2e10),
    )
    ax.legend(loc="upper right", fontsize=9)
    return fig


def segments() -> Figure:
    """Draw where the products of a pair are formed and joined, inside a segment and across it."""
    fig, ax = style.one(height=3.3)
    ax.add_patch(Rectangle((2, -0.6), 2, 4.1, facecolor="#DDDDDD", edgecolor="none"))
    for edge in range(0, 7, 2):
        ax.axvline(edge, color=style.INK, linewidth=1, linestyle=":")
    for row, (name, here, other, joined) in enumerate(
        (
            ("inner", 2.5, 3.1, 3.7),
            ("crossing, case 1", 2.7, 0.9, 3.5),
            ("crossing, case 2", 2.9, 0.7, 5.1),
            ("crossing, case 3", 2.9, 4.7, 5.4),
        )
    ):
        y = 3 - row
        ax.annotate(name, (-0.15, y), ha="right", va="center", fontsize=9)
        ax.plot([min(here, other), joined], [y, y], "-", color=style.INK, linewidth=1)
        ax.plot(here, y, "o", color=style.COLORS[0], markersize=8)
        ax.plot(other, y, "s", color=style.COLORS[1], markersize=8)
        ax.plot(joined, y, "D", color=style.INK, markersize=7)
        for x, text in ((here, "μ"), (other, "μ′"), (joined, "+")):
            ax.annotate(text, (x, y + 0.22), ha="center", va="bottom", fontsize=10)
    ax.annotate("this segment", (3, -0.5), ha="center", va="bottom", fontsize=9)
    ax.annotate("earlier", (1, -0.5), ha="center", va="bottom", fontsize=9)
    ax.annotate("later", (5, -0.5), ha="center", va="bottom", fontsize=9)
    ax.set(xlim=(-2.1, 6.05), ylim=(-0.6, 3.7))
    ax.axis("off")
    return fig
