"""Figures of chapter 10: best-of-n, PPO's clip, estimators, DPO, two planes, over-optimization."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import record
from figures import style
from primer_ref.alignment import dpo_gradient_weight, dpo_loss
from primer_ref.overoptimization import gold_reward_best_of_n
from primer_ref.ppo import ppo_is_clipped, ppo_surrogate


def best_of_n() -> Figure:
    """Draw the divergence of best-of-n and the bound on it."""
    fig, ax = style.one()
    found = record.load("alignment_plane")["best_of_n"]
    n = found["n"]
    ax.plot(n, found["bound"], label="bound, log n − (n − 1)/n")
    ax.plot(n, found["divergence"], "o", color=style.COLORS[1], label="64 rewards, all different")
    ax.plot(n, found["two_levels"], "s", color=style.COLORS[2], label="two levels of reward")
    ax.set(xscale="log", xlabel="draws n", ylabel="divergence in nats", ylim=(-0.1, 3.4))
    ax.set_xticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
    ax.minorticks_off()
    ax.legend()
    return fig


def clip() -> Figure:
    """Draw PPO's surrogate for a good and a bad sample."""
    fig, axes = style.figure(height=3.0, columns=2)
    ratio = np.linspace(0, 2, 401)
    for ax, advantage in zip(axes[0], (1.0, -1.0), strict=True):
        given = np.full_like(ratio, advantage)
        value, silent = ppo_surrogate(ratio, given), ppo_is_clipped(ratio, given)
        ax.plot(ratio, ratio * advantage, ":", color=style.INK, linewidth=1)
        ax.plot(ratio, value, color=style.COLORS[0])
        flat = np.where(silent, value, np.nan)
        ax.plot(ratio, flat, "-", color=style.COLORS[1], linewidth=6, alpha=0.5)
        middle = ratio[silent].mean()
        at = (middle, value[silent][0])
        ax.annotate(
            "silent", at, xytext=(0, -16), textcoords="offset points", ha="center", va="center"
        )
        ax.set(xlabel="ratio ρ", title=f"advantage A = {advantage:+.0f}".replace("-", "−"))
    axes[0, 0].set(ylabel="surrogate S")
    return fig


def estimators() -> Figure:
    """Draw the noise of the three estimators between normal laws."""
    fig, ax = style.one()
    found = record.load("kl_gradients")["gaussian"]
    for name, label, marker in zip(("k1", "k2", "k3"), ("k₁", "k₂", "k₃"), "osD", strict=True):
        deviation = found["estimators"][name]["deviation"]
        ax.plot(found["divergences"], deviation, marker=marker, label=label)
    ax.set(xscale="log", yscale="log", xlabel="divergence in nats")
    ax.set(ylabel="standard deviation / divergence")
    ax.set_xticks([0.01, 0.1, 1], ["0.01", "0.1", "1"])
    ax.set_yticks([1, 10], ["1", "10"])
    ax.minorticks_off()
    ax.legend()
    return fig


def direct_preference() -> Figure:
    """Draw DPO's loss and pull against the margin for three prices."""
    fig, axes = style.figure(height=4.2, columns=2)
    margins = np.linspace(-8, 8, 161)
    for beta in (0.1, 0.5, 2.0):
        pairs = [([-1.0 + min(h, 0)], [-1.0 - max(h, 0)], [-1.0], [-1.0]) for h in margins]
        losses = [float(dpo_loss(*pair, beta=beta)) for pair in pairs]
        pulls = [float(dpo_gradient_weight(*pair, beta=beta)[0]) for pair in pairs]
        axes[0, 0].plot(margins, losses, label=f"β = {beta:g}")
        axes[0, 1].plot(margins, np.array(pulls) / beta)
    axes[0, 0].set(xlabel="margin h, nats", ylabel="loss of the pair", ylim=(0, 4))
    axes[0, 1].set(xlabel="margin h, nats", ylabel="pull / β", ylim=(0, 1.02))
    axes[0, 0].legend()
    return fig


def plane() -> Figure:
    """Draw four roads on the plane of reward and divergence."""
    fig, ax = style.one(height=4.0)
    found = record.load("alignment_plane")
    frontier, best = found["frontier"], found["best_of_n"]
    ax.plot(frontier["divergence"], frontier["reward"], label="frontier (Gibbs)")
    ax.plot(
        best["divergence"], best["reward"], marker="^", linewidth=1, markersize=5, label="best of n"
    )
    for road, marker, size, label in (
        ("reward_model_ppo", "o", 11, "reward model, PPO"),
        ("dpo", "x", 7, "DPO"),
    ):
        points = [row[road] for row in found["roads"]]
        ax.plot(
            [point["divergence"] for point in points],
            [point["reward"] for point in points],
            marker,
            color=style.INK,
            markerfacecolor="none",
            markersize=size,
            markeredgewidth=1.5,
            label=label,
        )
    for row, price in zip(found["roads"], ("β = 2", "β = 1", "β = ½", "β = ¼"), strict=True):
        at = (row["gibbs"]["divergence"], row["gibbs"]["reward"])
        ax.annotate(price, at, xytext=(-8, 9), textcoords="offset points", ha="right")
    ax.set(xlim=(-0.45, 4), ylim=(-0.05, 2.4))
    ax.set(xlabel="divergence from the reference in nats", ylabel="mean reward")
    ax.legend(loc="lower right")
    return fig


def sums() -> Figure:
    """Draw what divergence buys the real model on sums: frontier, best-of-n, and its bound."""
    fig, ax = style.one()
    found = record.load("verified_sums")
    frontier, best = found["frontier"], found["best_of_n"]
    ax.plot(frontier["divergence"], frontier["reward"], label="frontier (Gibbs)")
    ax.plot(best["divergence"], best["reward"], "^", markersize=6, label="best of n")
    ax.plot(best["bound"], best["reward"], "o", color=style.INK, mfc="none", label="at its bound")
    for k in range(0, len(best["n"]), 2):
        at, label = (best["divergence"][k], best["reward"][k]), f"n = {best['n'][k]}"
        ax.annotate(label, at, xytext=(-8, 5), textcoords="offset points", ha="right")
    ax.set(xlim=(-0.6, 4.7), ylim=(0, 1.08))
    ax.set(xlabel="divergence from the model in nats", ylabel="share of right answers")
    ax.legend(loc="lower right")
    return fig


def _roads(ax: Axes, found: dict[str, Any], name: str, marker: str, color: str) -> None:
    """Draw one road of the transformer: filled at the lower rate, open at the higher one."""
    for suffix, filled in (("_slow", True), ("", False)):
        rows = found[name + suffix]
        middle, low, high = np.array([row["k1"] for row in rows]).T
        ax.errorbar(
            middle,
            [row["reward"][0] for row in rows],
            fmt=marker,
            color=color,
            markerfacecolor=color if filled else "none",
            markersize=8,
            xerr=[middle - low, high - middle],
            label=f"{name.upper()}, {'lower' if filled else 'higher'} rate",
        )


def transformer() -> Figure:
    """Draw the roads of a small transformer on the same plane."""
    fig, ax = style.one(height=4.2)
    found = record.load("alignment_transformer")["full"]
    frontier, best = found["frontier"], found["best_of_n"]
    ax.plot(
        [row["divergence"][0] for row in frontier],
        [row["reward"][0] for row in frontier],
        label="frontier, estimated",
    )
    ax.plot(
        [row["divergence"][0] for row in best],
        [row["reward"][0] for row in best],
        marker="^",
        linewidth=1,
        label="best of n",
    )
    _roads(ax, found, "ppo", "o", style.COLORS[2])
    _roads(ax, found, "dpo", "s", style.COLORS[3])
    ax.set(xlim=(-0.1, 5.6), ylim=(1.4, 6))
    ax.set(xlabel="divergence from the reference in nats", ylabel="letters e in 16 bytes")
    ax.legend(loc="lower right")
    return fig


def overoptimization() -> Figure:
    """Draw what proxies promise and what best-of-n by them delivers."""
    fig, ax = style.one(height=4.0)
    runs = record.load("alignment_plane")["overoptimized"]
    for run, marker, color in ((runs[0], "o", style.COLORS[0]), (runs[2], "s", style.COLORS[1])):
        found, pairs = run["best_of_n"], run["pairs"]
        d, gold = np.array(found["distance"]), np.array(found["gold"])
        form = found["form"]
        bars = [gold - found["gold_low"], np.array(found["gold_high"]) - gold]
        ax.plot(d, found["proxy"], "--", color=color, label=f"proxy, {pairs:,} comparisons")
        ax.errorbar(d, gold, yerr=bars, fmt=marker, color=color, label=f"true, {pairs:,}")
        along = np.linspace(0, d.max(), 60)
        fitted = gold_reward_best_of_n(along, alpha=form["alpha"], beta=form["beta"])
        ax.plot(along, fitted, "-", color=color, linewidth=1)
    ax.set(xlabel="root of the divergence, √nats", ylabel="gain in reward", ylim=(0, 2.8))
    ax.legend(loc="upper left")
    return fig
