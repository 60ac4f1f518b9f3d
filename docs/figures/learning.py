"""Figures of chapter 8: Adam's trap, double descent, margins, laziness, budgets, a forecast."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments import record
from figures import style
from primer_ref.allocation import compute_optimal
from primer_ref.generalization import (
    max_margin_solution,
    ridgeless_risk,
    ridgeless_risk_given,
)
from primer_ref.optim import adam, initial_moments, sgd
from primer_ref.scaling import ScalingLaw, chinchilla_loss
from primer_ref.tangent_kernel import (
    TwoLayerWeights,
    draw_two_layer,
    empirical_tangent_kernel,
    tangent_features,
    tangent_kernel,
    two_layer,
)
from widgets.compute_budget import LAWS

Floats = NDArray[np.floating[Any]]


def adam_trap() -> Figure:
    """Draw where Adam and gradient descent go on losses whose rare large slope is the right one."""
    fig, ax = style.one(height=3.2)
    large, steps = 3.0, np.arange(1, 3001)
    paths: dict[str, list[float]] = {"Adam": [], "gradient descent": []}
    for name, path in paths.items():
        x, state = 0.0, initial_moments(0.0)
        for t in steps:
            slope, rate = (large if t % 3 == 1 else -1.0), 0.3 / math.sqrt(t)
            if name == "Adam":
                options = {"beta1": 0.0, "beta2": 1 / (1 + large**2), "eps": 0.0}
                x, state = adam(x, slope, state, rate=rate, **options)
            else:
                x, _ = sgd(x, slope, rate=rate)
            x = float(np.clip(x, -1, 1))
            path.append(x)
        ax.plot(steps, path, label=name)
    for height, text, place in ((1, "worst point", (1, 0.84)), (-1, "best point", (250, -0.76))):
        ax.axhline(height, color=style.INK, linewidth=1, linestyle=":")
        ax.annotate(text, place, va="center")
    ax.set(xscale="log", xlabel="step", ylabel="position x", ylim=(-1.12, 1.12))
    ax.legend(loc="center right")
    return fig


def double_descent() -> Figure:
    """Draw the risk of the least-norm fit against features per case, with simulations."""
    fig, ax = style.one(height=3.8)
    noise, n = 0.25, 100
    below, above = np.geomspace(0.1, 0.985, 120), np.geomspace(1.015, 10, 120)
    gamma = np.concatenate([below, [1.0], above])
    risk = ridgeless_risk(gamma, noise=noise, signal=1.0)
    for values, label in ((risk.total, "risk"), (risk.bias, "bias"), (risk.variance, "variance")):
        ax.plot(gamma, np.where(np.isfinite(values) & (values > 0), values, np.nan), label=label)
    rng = np.random.default_rng(8)
    for marker, coins in (("o", False), ("s", True)):
        sizes = [10, 20, 40, 70, 85, 120, 150, 200, 400, 1000]
        means = []
        for p in sizes:
            weights = np.full(p, 1 / math.sqrt(p))
            totals = [
                ridgeless_risk_given(
                    rng.choice([-1.0, 1.0], (n, p)) if coins else rng.normal(size=(n, p)),
                    weights,
                    noise=noise,
                ).total
                for _ in range(20)
            ]
            means.append(np.mean(totals))
        ax.plot(
            np.array(sizes) / n,
            means,
            marker,
            color=style.COLORS[3 if coins else 0],
            markerfacecolor="none" if coins else style.COLORS[0],
            markersize=9 if coins else 5,
            label="drawn, coin flips" if coins else "drawn, normal",
        )
    ax.axhline(1, color=style.INK, linewidth=1, linestyle=":")
    ax.annotate("predicting 0", (0.1, 1.1))
    ax.set(xscale="log", yscale="log", ylim=(0.02, 30))
    ax.set(xlabel="features per case, γ = p/n", ylabel="squared error beyond the noise")
    ax.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    ax.set_yticks([0.1, 1, 10], ["0.1", "1", "10"])
    fig.legend(loc="outside upper center", ncols=3, fontsize=10)
    return fig


def _separable(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw eight cases in the plane and put each on its side of a line, at a distance."""
    direction = rng.normal(size=2)
    direction /= np.linalg.norm(direction)
    x, labels = rng.normal(size=(8, 2)), rng.choice([-1.0, 1.0], 8)
    across = x @ direction
    return x + np.outer(labels * (0.5 + np.abs(across)) - across, direction), labels


def _flow(z: Floats, ends: Floats) -> Floats:
    """Follow gradient flow on the logistic loss from zero to some values of log(1 + t)."""

    def slope(s: float, w: Floats) -> Floats:
        return np.asarray(z.T @ np.exp(s - np.logaddexp(0, z @ w)))

    w, s, seen = np.zeros(z.shape[1]), 0.0, []
    for end in ends:
        n_steps = max(1, math.ceil((end - s) * 40))
        h = (end - s) / n_steps
        for _ in range(n_steps):  # Runge and Kutta
            k1 = slope(s, w)
            k2 = slope(s + h / 2, w + h / 2 * k1)
            k3 = slope(s + h / 2, w + h / 2 * k2)
            k4 = slope(s + h, w + h * k3)
            s, w = s + h, w + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        seen.append(w)
    return np.array(seen)


def margin() -> Figure:
    """Draw how slowly logistic descent turns to the widest margin."""
    fig, axes = style.figure(columns=2)
    left, right = axes[0]
    rng, log_t = np.random.default_rng(8), np.linspace(1, 92, 46)
    for _ in range(6):
        x, labels = _separable(rng)
        best = max_margin_solution(x, labels)
        path = _flow(x * labels[:, None], log_t)
        units = path / np.linalg.norm(path, axis=1, keepdims=True)
        off = np.linalg.norm(units - best / np.linalg.norm(best), axis=1)
        decades = log_t / math.log(10)
        left.plot(decades, off, linewidth=1.5)
        right.plot(decades, off * log_t, linewidth=1.5)
    left.set(yscale="log", ylabel="distance of directions")
    right.set(ylabel="the same times log t", ylim=(0, None))
    for ax in (left, right):
        ax.set(xlabel="time t", xlim=(0, 40))
        ax.set_xticks(
            [0, 10, 20, 30, 40], ["1", "$10^{10}$", "$10^{20}$", "$10^{30}$", "$10^{40}$"]
        )
    return fig


def lazy() -> Figure:
    """Draw how a wider network comes nearer to its kernel and to its first order."""
    fig, ax = style.one()
    rng, widths = np.random.default_rng(8), 4 ** np.arange(3, 8)
    x = rng.normal(size=(6, 4))
    targets = np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    limit = tangent_kernel(x, x)
    kernels, errors = [], []
    for width in widths:
        far, wrong = [], []
        for _ in range(20):
            weights = draw_two_layer(4, int(width), rng=rng)
            kernel = empirical_tangent_kernel(x, x, weights)
            far.append(np.linalg.norm(kernel - limit) / np.linalg.norm(limit))
            features = tangent_features(x, weights)
            change = np.linalg.lstsq(features, targets - two_layer(x, weights), rcond=None)[0]
            moved = TwoLayerWeights(
                weights.inner + change[: 4 * width].reshape(width, 4),
                weights.outer + change[4 * width :],
            )
            wrong.append(np.linalg.norm(two_layer(x, moved) - targets) / math.sqrt(6))
        kernels.append(np.mean(far))
        errors.append(np.mean(wrong))
    ax.plot(widths, kernels, marker="o", label="kernel's distance from its limit")
    ax.plot(widths, errors, marker="s", label="error after the first-order fit")
    for values in (errors, kernels):
        guide = values[-1] * np.sqrt(widths[-1] / widths)
        ax.plot(widths, guide, ":", color=style.INK, linewidth=1)
    ax.set(xscale="log", yscale="log", xlabel="width m")
    ax.set(ylabel="relative distance")
    ax.legend()
    return fig


def compute_budget() -> Figure:
    """Draw loss against size at one budget, for three sets of constants."""
    fig, ax = style.one(height=3.8)
    sizes, budget = np.geomspace(1.5e9, 1.5e12, 121), 5.76e23
    looks = zip(style.COLORS, style.MARKERS, LAWS.items(), strict=False)
    for color, marker, (label, law) in looks:
        ax.plot(sizes, chinchilla_loss(sizes, budget / 6 / sizes, law), label=label)
        best = compute_optimal(budget, law)
        ax.plot(best.n_parameters, best.loss, marker, color=color)
    ax.set(xscale="log", xlabel="parameters N", ylabel="loss, nats a token", ylim=(1.9, 2.15))
    ax.legend()
    return fig


def optimum() -> Figure:
    """Draw tokens per parameter at the optimum for three sets of constants."""
    fig, ax = style.one()
    flops = np.geomspace(1e18, 1e26, 60)
    for label, law in LAWS.items():
        best = compute_optimal(flops, law)
        ax.plot(flops, best.n_tokens / best.n_parameters, label=label)
    ax.axvline(5.76e23, color=style.INK, linewidth=1, linestyle=":")
    ax.set(xscale="log", yscale="log", xlabel="operations of training")
    ax.set(ylabel="tokens per parameter", ylim=(10, 300))
    ax.set_yticks([10, 20, 50, 100, 200], ["10", "20", "50", "100", "200"])
    ax.minorticks_off()
    ax.legend()
    return fig


def family() -> Figure:
    """Draw the runs of the family, the law fitted to them, and the forecast with what came."""
    fig, ax = style.one(height=4.0)
    found = record.load("scaling_family")
    law = ScalingLaw(**found["fits"]["non_embedding"]["law"])
    largest, forecast = found["largest"], found["forecast"]
    tokens = np.geomspace(8e4, 1.8e6, 50)
    for j, width in enumerate((16, 32, 64)):
        runs = [run for run in found["runs"] if run["width"] == width]
        size = runs[0]["non_embedding"]
        ax.plot(tokens, chinchilla_loss(size, tokens, law), color=style.COLORS[j])
        ax.plot(
            [run["tokens"] for run in runs],
            [run["loss"] for run in runs],
            style.MARKERS[j],
            color=style.COLORS[j],
            label=f"width {width}: {size:,} parameters",
        )
    low, high = forecast["of_run"]
    bars = [[forecast["loss"] - low], [high - forecast["loss"]]]
    ax.errorbar(
        largest["tokens"],
        forecast["loss"],
        bars,
        fmt="o",
        color=style.INK,
        capsize=5,
        markerfacecolor="white",
        label=f"forecast, width 112: {largest['non_embedding']:,}",
    )
    ax.plot(largest["tokens"], largest["loss"], "k*", markersize=13, label="measured")
    ax.set(xscale="log", yscale="log", xlabel="tokens (bytes)", ylabel="loss (nats a byte)")
    ax.set_xticks([1e5, 3e5, 1e6], ["100,000", "300,000", "1,000,000"])
    ax.set_yticks([1.4, 1.7, 2, 2.5, 3], ["1.4", "1.7", "2", "2.5", "3"])
    ax.minorticks_off()
    ax.legend(fontsize=9, loc="lower left")
    return fig
