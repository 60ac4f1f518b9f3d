"""Figures of chapter 4: temperature, hulls, saturation, smoothers, random features, dispersion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from experiments import record
from figures import style
from primer_ref.attention import (
    attention_weights,
    scaled_dot_product_attention,
    weight_ceiling,
)
from primer_ref.functional import softmax
from primer_ref.information import entropy
from primer_ref.kernel_attention import (
    gaussian_kernel,
    nadaraya_watson,
    positive_features,
    positive_features_variance,
)
from widgets.attention_geometry import KEYS, VALUES

Floats = NDArray[np.floating[Any]]


def temperature() -> Figure:
    """Draw four weights, and their entropy, against temperature."""
    fig, axes = style.figure(height=3.3, columns=2)
    s, tau = np.array([2.0, 1.0, 0.5, -1.0]), np.geomspace(0.05, 50, 200)
    p = np.array([softmax(s, temperature=float(t)) for t in tau])
    left, right = axes[0]
    for j, score in enumerate(s):
        left.plot(tau, p[:, j], label=f"score {score:g}")
    left.axhline(1 / 4, color=style.INK, linewidth=1, linestyle=":")
    left.set(xscale="log", xlabel="temperature τ", ylabel="weight", ylim=(0, 1.02))
    left.legend(fontsize=10)
    right.plot(tau, entropy(p))
    right.axhline(math.log(4), color=style.INK, linewidth=1, linestyle=":")
    right.annotate("log 4", (0.06, math.log(4) - 0.11))
    right.set(xscale="log", xlabel="temperature τ", ylabel="entropy (nats)", ylim=(0, 1.5))
    return fig


def geometry() -> Figure:
    """Draw keys with the weights that a query gives them, and the outputs among the values."""
    fig, axes = style.figure(height=3.5, columns=2)
    keys, values = np.array(KEYS), np.array(VALUES)
    query = np.array([[1.1, 1.5]])
    weights = attention_weights(query, keys)[0]
    left, right = axes[0]
    x = np.linspace(-3, 3, 100)
    plane = np.stack(np.meshgrid(x, x), axis=-1) @ query[0] / math.sqrt(2)
    lines = left.contour(x, x, plane, levels=np.arange(-4, 5, 2), colors=style.INK, linewidths=0.7)
    left.clabel(lines, fontsize=9)
    left.annotate("", query[0], (0, 0), arrowprops={"arrowstyle": "->", "lw": 2})
    left.annotate("q", (0.2, 0.75))
    for j, (key, weight) in enumerate(zip(keys, weights, strict=True)):
        left.plot(
            *key, style.MARKERS[j], color=style.COLORS[j], markersize=4 + 18 * math.sqrt(weight)
        )
        left.annotate(
            f"{weight:.2f}", key, ha="center", xytext=(0, -24), textcoords="offset points"
        )
    left.set(title="keys, lines of equal score", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    right.add_patch(Polygon(values, closed=True, fill=False, color=style.INK, linestyle="--"))
    for j, value in enumerate(values):
        right.plot(*value, style.MARKERS[j], color=style.COLORS[j], markersize=8)
    path = np.array(
        [
            softmax(query[0] @ keys.T / math.sqrt(2), temperature=t)
            for t in np.geomspace(0.03, 90, 99)
        ]
    )
    right.plot(*(path @ values).T, "-", color=style.INK)
    right.plot(*(weights @ values), "k*", markersize=13)
    right.annotate("output", weights @ values, xytext=(6, 6), textcoords="offset points")
    right.annotate("mean", values.mean(axis=0), xytext=(-12, 6), textcoords="offset points")
    right.set(title="values and their hull", xlim=(-0.4, 4), ylim=(-0.4, 3.6), aspect="equal")
    for ax in (left, right):
        ax.set(xlabel="first coordinate", ylabel="second coordinate")
    return fig


def saturation() -> Figure:
    """Draw the trace of softmax's Jacobian against the head size, scaled and not."""
    fig, ax = style.one()
    rng, sizes, n = np.random.default_rng(4), 2 ** np.arange(11), 64
    means, medians = np.empty((2, 2, len(sizes)))
    for column, d in enumerate(sizes):
        q, k = rng.normal(size=(400, 1, d)), rng.normal(size=(400, n, d))
        dots = np.sum(q * k, axis=-1)
        for row, scale in enumerate((math.sqrt(d), 1.0)):
            traces = 1 - np.sum(softmax(dots / scale) ** 2, axis=-1)
            means[row, column], medians[row, column] = np.mean(traces), np.median(traces)
    ax.plot(sizes, means[0], marker="o", label=r"scores divided by $\sqrt{d_k}$, mean")
    ax.plot(sizes, means[1], marker="s", label="scores as they come, mean")
    ax.plot(sizes, medians[1], marker="D", label="scores as they come, median")
    ax.axvline(64, color=style.INK, linewidth=1, linestyle=":")
    ax.set_xscale("log", base=2)
    ax.set(xlabel="head size $d_k$", ylabel=r"trace, $1-\sum_j p_j^2$", ylim=(0, 1.02))
    ax.legend(loc="lower left")
    return fig


def smoother() -> Figure:
    """Draw a Gaussian smoother and attention through the same points."""
    fig, axes = style.figure(height=3.3, columns=2, sharey=True)
    x = np.linspace(-3, 3, 25)[:, None]
    y = np.sin(1.5 * x) + 0.1 * np.random.default_rng(4).normal(size=x.shape)
    grid = np.linspace(-3, 3, 200)[:, None]
    circle, grid_circle = (np.hstack([np.cos(a / 2), np.sin(a / 2)]) for a in (x, grid))

    def kernel(q: Floats, k: Floats) -> Floats:
        return gaussian_kernel(q, k, bandwidth=0.4)

    left, right = axes[0]
    for ax in (left, right):
        ax.plot(x, y, "o", color=style.INK, markersize=4, label="keys and values")
        ax.set(xlabel="query, x")
    left.plot(grid, nadaraya_watson(grid, x, y, kernel=kernel), "-", label="Gaussian")
    left.plot(grid, scaled_dot_product_attention(grid / 0.16, x, y), "--", label="dot product")
    left.set(title="keys on a line", ylabel="value", ylim=(-1.6, 1.6))
    # On a circle of radius 5 keys have one length, and attention is a Gaussian smoother again.
    sharp = scaled_dot_product_attention(5 * grid_circle, 5 * circle, y)
    right.plot(grid, sharp, "--", color=style.COLORS[1], label="dot product")
    right.set(title="keys on a circle")
    handles, labels = left.get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside upper center", ncols=3, fontsize=10)
    return fig


def features() -> Figure:
    """Draw the relative error of positive features against their number."""
    fig, ax = style.one(height=3.6)
    rng, counts = np.random.default_rng(4), [4**j for j in range(1, 8)]
    for j, length in enumerate((0.5, 1.0, 2.0)):
        # Query and key alike, with |q + k| as given.
        x = np.array([length / 2, 0.0])
        exact = math.exp(x @ x)
        theory = [math.sqrt(positive_features_variance(x, x, n_features=m)) / exact for m in counts]
        errors = []
        for m in counts:
            phi = positive_features(x, rng.normal(size=(200, m, 2)).reshape(-1, 2)) ** 2
            estimates = phi.reshape(200, m).sum(axis=1) * 200
            errors.append(math.sqrt(np.mean((estimates / exact - 1) ** 2)))
        ax.plot(counts, theory, color=style.COLORS[j], label=f"|q + k| = {length:g}")
        ax.plot(counts, errors, style.MARKERS[j], color=style.COLORS[j])
    ax.set(xscale="log", yscale="log", xlabel="random features, m", ylabel="relative error")
    ax.legend()
    return fig


def dispersion() -> Figure:
    """Draw the ceiling of a weight against the number of keys, and what the real model does."""
    fig, axes = style.figure(height=3.5, columns=2)
    left, right = axes[0]
    n = 2 ** np.arange(1, 18)
    for score_range in (2, 5, 10):
        ceiling = [weight_ceiling(int(m), score_range) for m in n]
        left.plot(n, ceiling, label=f"range {score_range} nats")
    left.plot(n, 1 / n, color=style.INK, linewidth=1, linestyle=":", label="uniform, 1/n")
    left.set(xscale="log", yscale="log", xlabel="keys, n", ylabel="largest weight possible")
    left.legend(loc="lower left", fontsize=9)
    found = record.load("attention_heads")["dispersion"]
    for field, marker, label in (
        ("largest", "o", "largest weight"),
        ("normalized_entropy", "s", "entropy / log n"),
        ("largest_not_first", "D", "largest but for the first"),
    ):
        right.plot(found["contexts"], found[field], marker=marker, label=label)
    right.set(xscale="log", xlabel="keys, n", ylabel="mean over heads", ylim=(0, 1))
    right.legend(loc="upper right", fontsize=9)
    right.minorticks_off()
    right.set_xticks(found["contexts"][::2], [str(m) for m in found["contexts"][::2]])
    return fig


def score_std() -> Figure:
    """Draw the standard deviation of scaled scores within a query, layer by layer."""
    fig, ax = style.one()
    deviations = np.array(record.load("attention_heads")["row_std"])
    layers = np.repeat(np.arange(len(deviations)), deviations.shape[1])
    ax.plot(layers, deviations.ravel(), "o", markersize=5, alpha=0.6)
    ax.axhline(1, color=style.INK, linewidth=1.2, linestyle=":")
    ax.set(xlabel="layer", ylabel="standard deviation of scores", ylim=(0, None))
    return fig


def _map(ax: Axes, found: dict[str, Any], *, title: str) -> None:
    """Draw a matrix of weights, queries downward, with the keys' tokens on the left."""
    weights = np.array(found["weights"])
    ax.pcolormesh(weights, cmap=style.HEAT, vmin=0, vmax=1, edgecolors="#CCCCCC", linewidth=0.2)
    names = [token.strip() or "␣" for token in found["tokens"]]
    ax.set_yticks(np.arange(len(names)) + 0.5, names, fontsize=9)
    ax.set(title=title, xlabel="key, position", aspect="equal")
    ax.set_xticks(np.arange(0, len(names), 4) + 0.5, [str(j) for j in range(0, len(names), 4)])
    ax.tick_params(length=0)
    ax.set_ylim(len(names), 0)
    ax.grid(visible=False)


def heads() -> Figure:
    """Draw the weights of the best previous-token head and of the strongest sink."""
    fig, axes = style.figure(height=4.0, columns=2, sharey=True)
    maps = record.load("attention_heads")["maps"]
    for ax, kind, name in zip(
        axes[0], ("previous", "sink"), ("previous token", "sink"), strict=True
    ):
        found = maps[kind]
        _map(ax, found, title=f"{name}: layer {found['layer']}, head {found['head']}")
    return fig


def induction() -> Figure:
    """Draw the weights of the best induction head on random tokens, given twice."""
    fig, ax = style.one(height=5.2)
    found = record.load("attention_heads")["maps"]["induction"]
    _map(ax, found, title=f"layer {found['layer']}, head {found['head']}")
    return fig


def entropies() -> Figure:
    """Draw normalized entropy and the weight on the first token, for every head."""
    fig, axes = style.figure(height=5.2, rows=2, sharex=True)
    found = record.load("attention_heads")
    for ax, field, title in zip(
        axes[:, 0],
        ("normalized_entropy", "sink"),
        ("entropy / log n", "weight on the first token"),
        strict=True,
    ):
        matrix = np.array(found[field])
        layers, n_heads = np.arange(matrix.shape[0]), matrix.shape[1]
        mesh = ax.pcolormesh(layers, np.arange(n_heads), matrix.T, cmap=style.HEAT, vmin=0, vmax=1)
        fig.colorbar(mesh, ax=ax, shrink=0.9)
        ax.set(title=title, ylabel="head")
        ax.set_yticks(range(0, n_heads, 2))
        ax.grid(visible=False)
    axes[1, 0].set(xlabel="layer")
    return fig
