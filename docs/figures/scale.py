"""Figures of chapter 9: banding, rings, pipelines, formats, sums, half precision, goodput."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments import record
from figures import style
from primer_ref.checkpoint_interval import checkpointed_goodput
from primer_ref.dedup import band_curve, draw_hashes, lsh_bands, minhash_signature
from primer_ref.network import ring_all_reduce_time
from primer_ref.numerics import BF16, E4M3, E5M2, FP16, neighbors, round_to
from primer_ref.pipeline import Timeline, run_schedule
from primer_ref.pipeline_schedules import gpipe_schedule, one_forward_one_backward_schedule
from primer_ref.summation import (
    compensated_sum,
    kahan_sum,
    naive_sum,
    naive_sum_bound,
    pairwise_sum,
    pairwise_sum_bound,
)


def band_curves() -> Figure:
    """Draw the chance of becoming candidates against similarity, with simulated pairs."""
    fig, ax = style.one()
    s = np.linspace(0, 1, 400)
    for bands, rows in ((50, 2), (20, 5), (10, 10), (5, 20)):
        ax.plot(s, band_curve(s, bands=bands, rows=rows), label=f"{bands} bands of {rows}")
    rng = np.random.default_rng(9)
    similarities, shares = [], []
    for common in (10, 20, 26, 30, 34, 40, 50):
        a, b = range(60), range(60 - common, 120 - common)
        found = 0
        for _ in range(100):
            hashes = draw_hashes(100, rng=rng)
            found += len(lsh_bands([minhash_signature(x, hashes) for x in (a, b)], 20))
        similarities.append(common / (120 - common))
        shares.append(found / 100)
    ax.plot(similarities, shares, "s", color=style.COLORS[1], label="simulated, 20 bands")
    ax.set(xlabel="Jaccard similarity", ylabel="probability of candidates", ylim=(-0.03, 1.05))
    fig.legend(loc="outside lower center", ncols=2)
    return fig


def ring_time() -> Figure:
    """Draw the time of a ring all-reduce against the array, and its two parts."""
    fig, ax = style.one(height=3.6)
    sizes = np.geomspace(1e3, 1e12, 91)
    for label, shown, latency in (
        ("ring all-reduce", sizes, 1e-5),
        ("latency alone", 0 * sizes, 1e-5),
        ("bytes alone", sizes, 0.0),
    ):
        times = [ring_all_reduce_time(n, 64, latency=latency, bandwidth=5e10) for n in shown]
        ax.plot(sizes, times, label=label)
    ax.set(xscale="log", yscale="log", xlabel="array, bytes", ylabel="time, s", ylim=(1e-5, 1e2))
    ax.legend()
    return fig


def pipelines() -> Figure:
    """Draw when the tasks of two schedules run."""
    fig, axes = style.figure(height=4.4, rows=2, sharex=True)
    schedules = {
        "all forward passes first": gpipe_schedule(4, 8),
        "one forward, one backward": one_forward_one_backward_schedule(4, 8),
    }
    for ax, (name, schedule) in zip(axes[:, 0], schedules.items(), strict=True):
        draw_tasks(ax, run_schedule(schedule, forward=1.0, backward=2.0))
        ax.set(ylabel="stage", yticks=range(4), ylim=(3.6, -0.6), xlim=(0, 33))
        ax.set_title(name, loc="left")
        ax.grid(visible=False)
    axes[1, 0].set(xlabel="time, in forward tasks")
    return fig


def draw_tasks(ax: Any, timeline: Timeline) -> None:
    """Draw each task as a bar with the number of its micro-batch."""
    for row in timeline.tasks:
        for task, start, end in row:
            ax.barh(
                task.stage,
                end - start,
                left=start,
                height=0.8,
                color="#F3C99B" if task.is_backward else "#A9D3EE",
                edgecolor=style.INK,
                linewidth=0.8,
                hatch="///" if task.is_backward else None,
            )
            box = {"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85}
            ax.text(
                (start + end) / 2,
                task.stage,
                task.microbatch + 1,
                ha="center",
                va="center",
                size=9,
                bbox=box if task.is_backward else None,
            )


def formats() -> Figure:
    """Draw the relative gap between numbers of four formats."""
    fig, ax = style.one(height=3.6)
    named = {"fp16": FP16, "bfloat16": BF16, "E5M2": E5M2, "E4M3": E4M3}
    x = np.geomspace(1e-10, 1e6, 4000)
    for name, form in named.items():
        held = round_to(x[(x >= form.smallest_subnormal) & (x < form.max)], form)
        _, above = neighbors(held, form)
        shown = np.isfinite(above)
        ax.plot(held[shown], (above[shown] - held[shown]) / held[shown], label=name, linewidth=1.5)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="number",
        ylabel="relative gap",
        ylim=(3e-4, 3),
        xticks=10.0 ** np.arange(-10, 7, 4),
    )
    fig.legend(loc="outside lower center", ncols=4)
    return fig


def sums() -> Figure:
    """Draw the relative error of four sums in bfloat16 against the number of terms."""
    fig, ax = style.one(height=3.8)
    rng = np.random.default_rng(9)
    sizes = 2 ** np.arange(1, 12)
    adds = {
        "naive": naive_sum,
        "pairwise": pairwise_sum,
        "compensated": compensated_sum,
        "Kahan's": kahan_sum,
    }
    errors: dict[str, list[float]] = {name: [] for name in adds}
    bounds: list[list[float]] = [[], []]
    for n in sizes:
        x = round_to(rng.uniform(size=(40, n)), BF16)
        exact = np.sum(x, axis=-1)
        for name, add in adds.items():
            errors[name].append(float(np.sqrt(np.mean((add(x, BF16) / exact - 1) ** 2))))
        for found, bound in zip(bounds, (naive_sum_bound, pairwise_sum_bound), strict=True):
            found.append(float(np.mean(bound(x, BF16) / exact)))
    for i, (name, found) in enumerate(errors.items()):
        ax.plot(sizes, found, label=name, marker=style.MARKERS[i], markersize=5)
    for i, found in enumerate(bounds):
        shown = np.isfinite(found)
        ax.plot(sizes[shown], np.array(found)[shown], "-", color=style.COLORS[i], linewidth=0.8)
    ax.annotate("bound, naive", (30, 0.2), ha="right", size=10)
    ax.annotate("bound, pairwise", (24, 0.038), ha="left", size=10)
    ax.set(xscale="log", yscale="log", xlabel="terms", ylabel="relative error", ylim=(6e-4, 2))
    fig.legend(loc="outside lower center", ncols=4, columnspacing=1.0)
    return fig


def low_precision() -> Figure:
    """Draw the training loss of runs in half precision, and where some of them ended."""
    fig, ax = style.one(height=3.8)
    found = record.load("low_precision_training")
    every = found["every"]
    shown = {
        "float32": "float32",
        "float16, dynamic scale": "dynamic scale",
        "float16, scale 2^-16": "scale $2^{-16}$",
        "float16, scale 2^-20": "scale $2^{-20}$",
        "float16, averages too": "averages too",
        "float16, scale 2^18": "scale $2^{18}$",
    }
    runs = {run["scheme"]["name"]: run for run in found["runs"] if run["trial"] == "scratch"}
    for i, (name, label) in enumerate(shown.items()):
        run = runs[name]
        curve = run["curve"]
        steps = every * np.arange(len(curve)) + every / 2
        (line,) = ax.plot(steps, curve, label=label, marker=style.MARKERS[i], markersize=3.5)
        if run["stopped_at"][0]:
            ax.plot(run["stopped_at"][0], curve[-1], "x", color=line.get_color(), markersize=12)
    ax.set(xlabel="step", ylabel="training loss, nats a byte", xlim=(0, 162))
    fig.legend(loc="outside lower center", ncols=3)
    return fig


def checkpoints() -> Figure:
    """Draw goodput against the interval between checkpoints, with Young's and Daly's."""
    fig, ax = style.one(height=3.8)
    found = record.load("cluster_failures")
    times = found["times"]
    for i, case in enumerate(found["intervals"]):
        t = np.geomspace(case["interval"][0], case["interval"][-1], 200)

        def share(interval: float, case: dict[str, Any] = case) -> float:
            return checkpointed_goodput(
                interval,
                checkpoint_time=case["checkpoint"],
                mtbf=case["mtbf"],
                down_time=times["detection"] + times["restart"],
            )

        label = f"{case['devices']:,} devices, {case['checkpoint']:.0f} s"
        color = style.COLORS[i]
        shares = [share(interval) for interval in t]
        ax.plot(t, shares, label=label, color=color, linestyle=style.DASHES[i])
        ax.plot(
            case["interval"],
            [row["value"] for row in case["goodput"]],
            "o",
            color=color,
            markersize=4,
        )
        for rule, marker in (("young", "v"), ("daly", "s")):
            at = case["best"][rule]
            ax.plot(
                at,
                share(at) + 0.035,
                marker,
                markersize=7,
                markerfacecolor="white",
                markeredgecolor=color,
            )
    ax.set(
        xscale="log",
        xlabel="work between checkpoints, seconds",
        ylabel="goodput",
        ylim=(0, 1),
        xticks=[100, 200, 500, 1000, 2000],
        xticklabels=["100", "200", "500", "1000", "2000"],
    )
    ax.minorticks_off()
    fig.legend(loc="outside lower center", ncols=1)
    return fig


def goodput() -> Figure:
    """Draw where the time goes, for clusters of several sizes."""
    fig, ax = style.one(height=3.8)
    sizes = record.load("cluster_failures")["sizes"]
    names = {
        "useful": ("useful work", None),
        "straggler": ("waiting", "..."),
        "checkpoint": ("checkpoints", "///"),
        "lost": ("lost work", "xxx"),
        "down": ("restarts", "\\\\\\"),
    }
    below = np.zeros(len(sizes["devices"]))
    places = np.arange(len(below))
    fills = ("#A9D3EE", "#FFFFFF", "#F3C99B", "#A8DCC8", "#E9C7DB")
    for (key, (label, hatch)), fill in zip(names.items(), fills, strict=True):
        heights = np.array([row[key] for row in sizes["shares"]])
        ax.bar(
            places,
            heights,
            bottom=below,
            label=label,
            hatch=hatch,
            color=fill,
            edgecolor=style.INK,
            linewidth=0.8,
        )
        below = below + heights
    ax.set(
        xlabel="devices",
        ylabel="share of the time",
        ylim=(0.5, 1),
        xticks=places,
        xticklabels=[f"{n:,}" for n in sizes["devices"]],
    )
    ax.tick_params(axis="x", labelsize=9.5)
    ax.grid(visible=False)
    fig.legend(loc="outside lower center", ncols=3)
    return fig
