"""Figures of chapter 6: activations, units, gradients, collapse, the logit lens, folded lines."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments import record
from figures import style
from primer_ref.activations import (
    gelu,
    gelu_derivative,
    gelu_tanh,
    relu,
    relu_derivative,
    silu,
    silu_derivative,
)
from primer_ref.autodiff import grad
from primer_ref.blocks import post_norm, post_norm_gradient, pre_norm, pre_norm_gradient, swiglu
from primer_ref.expressivity import count_linear_regions_1d, relu_network, sawtooth
from primer_ref.norms import rms_norm
from widgets import gradient_depth as widget

Floats = NDArray[np.floating[Any]]


def activations() -> Figure:
    """Draw three activations and their derivatives."""
    fig, axes = style.figure(columns=2)
    left, right = axes[0]
    x = np.linspace(-4, 4, 401)
    for name, f, derivative in (
        ("ReLU", relu, relu_derivative),
        ("GELU", gelu, gelu_derivative),
        ("SiLU", silu, silu_derivative),
    ):
        left.plot(x, f(x), label=name)
        right.plot(x, derivative(x), label=name)
    left.set(title="activation", xlabel="z", ylim=(-0.6, 3))
    right.set(title="derivative", xlabel="z", ylim=(-0.2, 1.2))
    left.legend(loc="upper left")
    return fig


def gelu_gap() -> Figure:
    """Draw the difference between GELU by the tangent and by the error function."""
    fig, ax = style.one(height=2.6)
    x = np.linspace(-5, 5, 1001)
    ax.plot(x, 1e4 * (gelu_tanh(x) - gelu(x)))
    ax.axhline(0, color=style.INK, linewidth=1, linestyle=":")
    ax.set(xlabel="z", ylabel=r"tanh form − erf form ($10^{-4}$)")
    return fig


def units() -> Figure:
    """Draw the share of negative gates, and how many units share the work, by layer."""
    fig, axes = style.figure(height=3.3, columns=2)
    left, right = axes[0]
    found = record.load("inactive_neurons")
    for kind, marker, label in (("trained", "o", "trained"), ("random", "s", "fresh weights")):
        layers = np.arange(len(found[kind]["negative"]))
        left.plot(layers, found[kind]["negative"], marker=marker, markersize=4, label=label)
        effective = found[kind]["effective"]["value"]
        right.plot(layers, effective, marker=marker, markersize=4, label=label)
    left.set(xlabel="layer", ylabel="share of negative gates", ylim=(0, 1))
    right.set(xlabel="layer", ylabel="effective units of 1,536", ylim=(0, None))
    handles, labels = left.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=2)
    return fig


def _gradient(
    place: Any, n_parts: int, rng: np.random.Generator, *, width: int = 48, hidden: int = 96
) -> float:
    """Mean square gradient at the first stream over that at the last, in one random network."""
    one, g = np.ones(width), rng.normal(size=width)
    parts = [
        (
            rng.normal(scale=1 / math.sqrt(width), size=(width, 2 * hidden)),
            rng.normal(scale=1 / math.sqrt(hidden), size=(hidden, width)),
        )
        for _ in range(n_parts)
    ]

    def norm(x: Floats) -> Floats:
        return rms_norm(x, one, eps=0.0)

    def loss(x: Floats) -> Any:
        for gate_up, down in parts:
            x = place(x, lambda h, up=gate_up, down=down: swiglu(h, up, down), norm)
        return np.sum(x * g)

    return float(np.sum(grad(loss)(norm(rng.normal(size=width))) ** 2) / np.sum(g**2))


def gradients() -> Figure:
    """Draw the growth of gradients with depth for two places of the norm, stated and simulated."""
    fig, ax = style.one(height=3.6)
    forward, slope = widget.data()["SiLU"]
    backward = forward + slope
    rng = np.random.default_rng(6)
    depths = [1, 2, 4, 8, 16, 32]
    for j, (name, place, stated) in enumerate(
        (("post-norm", post_norm, post_norm_gradient), ("pre-norm", pre_norm, pre_norm_gradient))
    ):
        line = [stated(n, forward=forward, backward=backward) for n in range(1, 41)]
        ax.plot(range(1, 41), line, color=style.COLORS[j], label=f"{name}, formula")
        found = np.array([[_gradient(place, n, rng) for _ in range(32)] for n in depths])
        ax.errorbar(
            np.array(depths) + 0.3 * j,
            found.mean(axis=1),
            found.std(axis=1, ddof=1) / math.sqrt(found.shape[1]),
            fmt=style.MARKERS[j],
            color=style.COLORS[j],
            capsize=3,
            label=f"{name}, 32 random networks",
        )
    ax.set(
        xlabel="number of gated parts n",
        ylabel="mean square gradient,\nfirst over last",
        yscale="log",
    )
    ax.legend(fontsize=10)
    return fig


NAMES = {
    "whole": "whole model",
    "no_attention": "without attention",
    "no_feed_forward": "without feed-forward",
    "no_residual": "without residual",
    "attention_only": "attention alone",
    "attention_bare": "that, no mask, no positions",
}
UPPER = ("whole", "no_attention", "no_feed_forward")


def collapse() -> Figure:
    """Draw how alike the tokens are, layer by layer, with parts of the model taken away."""
    fig, axes = style.figure(
        height=6.2, rows=2, columns=2, sharex=True, sharey="row", height_ratios=(2, 3)
    )
    found = record.load("rank_residual")
    for column, kind, title in ((0, "trained", "trained"), (1, "random", "fresh weights")):
        even, decades = axes[0, column], axes[1, column]
        for j, (variant, label) in enumerate(NAMES.items()):
            residual = found[kind][variant]["relative"]["value"]
            for ax in (even, decades) if variant in UPPER else (decades,):
                ax.plot(
                    range(len(residual)),
                    residual,
                    color=style.COLORS[j],
                    linestyle=style.DASHES[j],
                    marker=style.MARKERS[j],
                    markevery=(j % 3, 5),
                    markersize=5,
                    label=label,
                )
        even.set(title=title, ylim=(0, 1.05))
        decades.set(xlabel="layer", yscale="log", ylim=(1e-16, 3))
    axes[0, 0].set(ylabel="share left")
    axes[1, 0].set(ylabel="share left")
    handles, labels = axes[1, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=10)
    return fig


def lens() -> Figure:
    """Draw when the answer appears under the logit lens, and how far its law is from the last."""
    fig, axes = style.figure(height=3.3, columns=2)
    left, right = axes[0]
    found = record.load("logit_lens")
    agree, kl = found["by_layer"]["agree"], found["by_layer"]["kl"]
    layers = np.arange(len(agree["value"]))
    settled = np.cumsum(found["settle"]["counts"]) / found["positions"]
    left.plot(layers, agree["value"], marker="o", markersize=4, label="shown")
    left.plot(layers, settled, marker="s", markersize=4, label="settled")
    left.set(xlabel="layer", ylabel="share of positions", ylim=(0, 1.03))
    left.legend(loc="upper left")
    right.plot(layers[1:], kl["value"][1:], marker="o", markersize=4)
    right.set(xlabel="layer", ylabel="divergence from the output (nats)", ylim=(0, None))
    return fig


def folded() -> Figure:
    """Draw the tent map folded once, twice and four times, and count pieces against depth."""
    fig, axes = style.figure(height=3.5, columns=2)
    left, right = axes[0]
    x = np.linspace(0, 1, 1025)
    for k in (1, 2, 4):
        left.plot(x, relu_network(x[:, None], sawtooth(k))[:, 0], linewidth=1.6, label=f"k = {k}")
    left.set(xlabel="x", ylabel="output", xticks=(0, 0.5, 1))
    left.legend(loc="upper center", ncols=3, fontsize=9, bbox_to_anchor=(0.5, 1.16))
    depths, rng = np.arange(1, 9), np.random.default_rng(6)
    folds = [count_linear_regions_1d(sawtooth(int(k)), low=0, high=1) for k in depths]
    right.plot(depths, folds, marker="o", label="folded, 2 a layer")
    mean = []
    for depth in depths:
        counts = []
        for _ in range(30):
            widths = [1, *[8] * int(depth), 1]
            layers = [
                (rng.normal(scale=math.sqrt(2 / m), size=(m, n)), rng.normal(size=n))
                for m, n in itertools.pairwise(widths)
            ]
            counts.append(count_linear_regions_1d(layers, low=-10, high=10))
        mean.append(np.mean(counts))
    right.plot(depths, mean, marker="s", label="random, 8 a layer")
    right.plot(depths, 8 * depths + 1, marker="D", label="the latter in\none layer")
    right.set(xlabel="hidden layers", ylabel="linear pieces")
    right.set_yscale("log", base=2)
    right.legend(fontsize=9, loc="upper left")
    return fig
