"""Figures of chapter 12: a cut, samplers, loops, votes, colors, speculation, chains of steps."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments import record
from figures import style
from primer_ref.decoding import top_p
from primer_ref.reliability import success_probability, verified_success
from primer_ref.selection import majority_accuracy, vote_bound
from primer_ref.speculative import expected_tokens, speedup


def next_token() -> Figure:
    """Draw the law of the next token after one text, and what top-p leaves of it."""
    fig, ax = style.one(height=4.8)
    measured = record.load("next_token_laws")
    law = measured["laws"][0]
    p = np.repeat(law["p"], np.diff(measured["edges"]))
    p /= p.sum()
    q = top_p(p, mass=0.9)
    places = np.arange(len(law["words"]))
    ax.barh(places, q[: len(places)], 0.8, color=style.COLORS[0], alpha=0.75, label="top-p, 0.9")
    ax.barh(
        places,
        p[: len(places)],
        0.5,
        color="none",
        edgecolor=style.COLORS[1],
        linestyle="--",
        linewidth=1.5,
        label="the model's law",
    )
    ax.set_yticks(places, [f"“{word}”" for word in law["words"]])
    ax.set(xlabel="probability", ylim=(len(places) - 0.4, -0.6))
    ax.grid(visible=False, axis="y")
    ax.legend(loc="lower right")
    return fig


def samplers() -> Figure:
    """Draw how often the next token of a novel survives, against tokens kept and entropy."""
    fig, axes = style.figure(height=3.6, columns=2, sharey=True)
    measured = record.load("sampler_entropy")
    names = {"top_k": "top-k", "top_p": "top-p", "min_p": "min-p", "typical": "typical"}
    for marker, (kind, label) in zip(style.MARKERS, names.items(), strict=False):
        rows = [row for row in measured["maps"] if row["map"] == kind]
        share = [row["next_possible"] for row in rows]
        for ax, field in zip(axes[0], ("support", "entropy"), strict=True):
            values = [row[field]["value"] for row in rows]
            order = np.argsort(values)
            ax.plot(np.array(values)[order], np.array(share)[order], marker=marker, label=label)
    own = measured["plain"]["entropy"]["value"]
    axes[0, 1].axvline(own, color=style.INK, linewidth=1, linestyle=":")
    axes[0, 0].set(xscale="log", xlabel="tokens kept, mean", ylabel="next token kept, share")
    axes[0, 1].set(xlabel="entropy, nats", ylim=(0, 1))
    axes[0, 0].legend(loc="upper left")
    return fig


def loops() -> Figure:
    """Draw how the probability of leaving a loop falls with every copy."""
    fig, ax = style.one(height=3.2)
    found = [c for c in record.load("sampler_entropy")["continuations"] if c["leave"]]
    for marker, text in zip(style.MARKERS, found, strict=False):
        copies = np.arange(1, len(text["leave"]) + 1)
        ax.plot(copies, text["leave"], marker=marker, label=f"loop of {text['period']} tokens")
    ax.set(yscale="log", xlabel="copy of the loop", ylabel="leaving probability")
    ax.set_yticks([0.05, 0.1, 0.2, 0.5], ["0.05", "0.1", "0.2", "0.5"])
    ax.minorticks_off()
    ax.set_xticks([1, 2, 4, 6, 8, 10])
    ax.legend()
    return fig


def votes() -> Figure:
    """Draw how often majorities are right, above and below one half."""
    fig, ax = style.one(height=3.6)
    n = range(1, 102, 2)
    for p in (0.8, 0.6, 0.52, 0.48, 0.4):
        ax.plot(n, [majority_accuracy(p, n=k) for k in n], label=f"p = {p}")
    bounds = np.array([vote_bound(0.6, n=k) for k in n])
    for curve, y, text in ((bounds, 0.08, "bound, 0.6"), (1 - bounds, 0.88, "bound, 0.4")):
        ax.plot(n, curve, color=style.INK, linewidth=1, linestyle=":")
        ax.text(1, y, text, color=style.INK)
    ax.set(xscale="log", xlabel="votes, n", ylabel="majority right", ylim=(-0.02, 1.02))
    ax.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    ax.minorticks_off()
    fig.legend(loc="outside upper center", ncols=5, columnspacing=1, handlelength=1.6)
    return fig


def colors() -> Figure:
    """Draw the conditional and the masked law of five words for four questions."""
    fig, axes = style.figure(height=4.6, rows=2, columns=2, sharey=True)
    topics = ("clear sky", "fresh snow", "grass", "coal")
    rows = record.load("mask_conditioning")["colors"]
    panels: list[Axes] = [axes[0, 0], axes[0, 1], axes[1, 0], axes[1, 1]]
    for ax, topic, row in zip(panels, topics, rows, strict=True):
        places = np.arange(len(row["words"]))
        ax.bar(places - 0.2, row["conditional"], 0.4, color=style.COLORS[0], label="conditional")
        ax.bar(
            places + 0.2,
            row["masked"],
            0.4,
            color="none",
            edgecolor=style.COLORS[1],
            hatch="////",
            label="masked",
        )
        right = row["words"].index(row["expected"])
        top = max(row["conditional"][right], row["masked"][right])
        ax.plot(right, top + 0.06, "*", color=style.INK, markersize=11)
        ax.set_xticks(places, row["words"])
        ax.set_title(topic)
        ax.grid(visible=False, axis="x")
    axes[0, 0].set(ylabel="probability", ylim=(0, 0.72))
    axes[1, 0].set(ylabel="probability")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2)
    return fig


def speculation() -> Figure:
    """Draw tokens a step, measured and by formula, and the speed for three costs."""
    fig, axes = style.figure(height=3.8, columns=2)
    drafts = record.load("speculative_acceptance")["drafts"]
    shown = [d for d in drafts if d["layer"] in (None, 24, 28, 29)]
    gammas = np.arange(1, 9)
    for i, draft in enumerate(shown):
        name = "trigrams" if draft["layer"] is None else f"layer {draft['layer']}"
        alpha = draft["alpha"]["value"]
        line = [expected_tokens(alpha, gamma=int(g)) for g in gammas]
        (drawn,) = axes[0, 0].plot(gammas, line)
        axes[0, 0].plot(
            gammas,
            draft["tokens"],
            style.MARKERS[i],
            color=drawn.get_color(),
            label=name,
            markersize=5,
        )
    axes[0, 0].set(xlabel="drafted tokens, γ", ylabel="tokens a step", ylim=(1, 2.6))
    axes[0, 0].legend(loc="upper left", ncols=2, columnspacing=0.6, handletextpad=0.1)
    gammas = np.arange(25)
    for cost in (0.01, 0.05, 0.3):
        gains = [speedup(0.8, gamma=int(g), cost=cost) for g in gammas]
        axes[0, 1].plot(gammas, gains, label=f"c = {cost}")
    axes[0, 1].axhline(1, color=style.INK, linewidth=1, linestyle=":")
    axes[0, 1].set(xlabel="drafted tokens, γ", ylabel="speed, times", ylim=(0, 6))
    axes[0, 1].legend(loc="upper left")
    return fig


def chains() -> Figure:
    """Draw the success of chains of steps, bare and verified."""
    fig, ax = style.one()
    steps = np.unique(np.geomspace(1, 200, 80).astype(int))
    ax.plot(steps, [success_probability(0.9, steps=int(n)) for n in steps], label="bare")
    for miss in (0.3, 0.1, 0.01, 0.0):
        p = verified_success(0.9, miss=miss, false_alarm=0.05, tries=5)
        ax.plot(steps, [success_probability(p, steps=int(n)) for n in steps], label=f"m = {miss}")
    ax.set(xscale="log", xlabel="steps", ylabel="success", ylim=(-0.02, 1.02))
    ax.set_xticks([1, 3, 10, 30, 100], ["1", "3", "10", "30", "100"])
    ax.minorticks_off()
    ax.legend(loc="lower left")
    return fig
