"""Figures of chapter 14: stays and presence, load and price, a leak, limits for a daily mean."""

from __future__ import annotations

import heapq
import math
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from figures import style
from primer_ref.autodiff import value_and_grad
from primer_ref.config import Config
from primer_ref.intervals import normal_quantile
from primer_ref.losses import cross_entropy_loss
from primer_ref.optim import adamw
from primer_ref.parameters import MODELS
from primer_ref.roofline import DEVICES
from primer_ref.serving import cost_per_million_tokens, decode_seconds
from primer_ref.training import Recipe, start
from primer_ref.transformer import forward
from widgets import serving_load as widget

Floats = NDArray[np.floating[Any]]

LLAMA, H100 = MODELS["llama3-8b"], DEVICES["h100-sxm"]
PROMPT, ANSWER = 2000, 300


def little() -> Figure:
    """Draw the stays of eight requests and how many are present."""
    fig, axes = style.figure(height=4.2, rows=2, sharex=True)
    above, below = axes[:, 0]
    arrive = np.array([1.0, 2.0, 3.5, 7.0, 8.0, 9.5, 10.5, 15.0])
    stay = np.array([4.0, 1.5, 6.0, 3.0, 7.0, 2.0, 2.5, 3.0])
    above.barh(
        range(1, 9), stay, left=arrive, height=0.6, color=style.COLORS[0], edgecolor=style.INK
    )
    above.set(ylabel="request", yticks=range(1, 9), ylim=(0.4, 8.6))
    times = np.sort(np.concatenate([[0.0, 20.0], arrive, arrive + stay]))
    present = [np.sum((arrive <= t) & (t < arrive + stay)) for t in times]
    below.step(times, present, where="post", color=style.INK)
    below.fill_between(times, present, step="post", color=style.COLORS[5], alpha=0.4)
    mean = stay.sum() / 20
    below.axhline(mean, color=style.COLORS[1], linestyle="--", label=f"mean {mean:.2f}")
    below.set(xlabel="seconds", ylabel="present", xlim=(0, 20), ylim=(0, 5.2), yticks=range(5))
    below.legend(loc="upper left")
    return fig


def _serve(rate: float, work: tuple[float, float, float], seconds: float) -> float:
    """Simulate a server for so many seconds; return how many answers it writes at once, on average.

    ``work`` is the time to read a prompt and, in a step, the weights and one cache.
    """
    read, weights, cache = work
    rng = np.random.default_rng(14)
    now, step, area, waiting = 0.0, 0, 0.0, 0
    ends: list[int] = []
    coming = rng.exponential(1 / rate)
    while now < seconds:
        if not ends and coming > now:
            now = coming
        begin, n_before = now, len(ends)
        while coming <= now:
            waiting, coming = waiting + 1, coming + rng.exponential(1 / rate)
        for _ in range(waiting):
            now += read
            heapq.heappush(ends, step + int(rng.geometric(1 / ANSWER)))
        waiting = 0
        writing = weights + cache * len(ends)
        area += n_before * (now - begin) + len(ends) * writing
        now += writing
        step += 1
        while ends and ends[0] <= step:
            heapq.heappop(ends)
    return area / now


def load() -> Figure:
    """Draw the batch against the load, and the price against the time of a step."""
    fig, axes = style.figure(columns=2)
    left, right = axes[0]
    sizes = (LLAMA.config, LLAMA.parameters)
    given: Any = {"prompt": PROMPT, "answer": ANSWER, "model": "Llama 3 8B", "numbers": "16 bits"}
    found = widget.compute(rate=1.0, **given)
    work, most = (found["read"], found["weights"], found["cache"]), found["limit"]
    rates = np.linspace(0.1, 0.93 * most, 200)
    left.plot(rates, [widget.compute(rate=r, **given)["batch"] for r in rates], label="balance")
    tried = [2.0, 5.0, 8.0, 11.0, 13.0, 15.0]
    left.plot(
        tried,
        [_serve(r, work, 400.0) for r in tried],
        "s",
        linestyle="none",
        label="simulated",
    )
    left.axvline(most, color=style.INK, linestyle=":", linewidth=1)
    left.annotate("limit", (most + 0.3, 8))
    full = found["memory"]
    left.axhline(full, color=style.INK, linestyle="--", linewidth=1)
    left.annotate("memory", (0.5, full), xytext=(0, -13), textcoords="offset points")
    left.set(xlabel="requests a second", ylabel="sequences being written", xlim=(0, 22))
    left.legend(loc="upper left")
    batches = np.array([1, 2, 4, 8, 16, 32, 64, 128, 200])
    steps = np.array(
        [decode_seconds(*sizes, H100, n_past=PROMPT + ANSWER // 2, batch=int(b)) for b in batches]
    )
    prices = [cost_per_million_tokens(2.0, b / t) for b, t in zip(batches, steps, strict=True)]
    right.plot(1e3 * steps, prices, marker="o")
    for i in (0, 2, 4, 6, 8):
        right.annotate(
            str(batches[i]), (1e3 * steps[i], prices[i]), xytext=(5, 5), textcoords="offset points"
        )
    right.set(
        xlabel="ms between tokens",
        ylabel="dollars a million tokens",
        yscale="log",
        xlim=(3, 24),
        ylim=(0.04, 4.5),
        yticks=[0.1, 0.3, 1, 3],
        yticklabels=["0.1", "0.3", "1", "3"],
    )
    right.minorticks_off()
    return fig


def leak() -> Figure:
    """Draw the loss on tokens that nothing can predict, with and without a leak."""
    fig, ax = style.one(height=3.2)
    config = Config(
        n_layers=1, width=24, n_heads=3, n_kv_heads=1, head_size=8, hidden=32, n_tokens=11,
        context=16,
    )  # fmt: skip
    n_steps, length = 150, 8
    kinds: dict[str, tuple[Floats | None, int]] = {
        "causal": (None, 1),
        "no mask": (np.zeros((length, length)), 1),
        "targets not shifted": (None, 0),
    }
    for name, (mask, shift) in kinds.items():
        recipe = Recipe(n_steps=n_steps, batch=8, length=length, peak=0.01, warmup=0)
        run = start(config, recipe, rng=np.random.default_rng(0))
        rng, losses = np.random.default_rng(1), []
        for _ in range(n_steps):
            x = rng.integers(11, size=(8, length + 1))

            def lost(w: Any, x: Any = x, mask: Any = mask, shift: int = shift) -> Any:
                logits = forward(config, w, x[:, :length], mask)
                return cross_entropy_loss(logits, x[:, shift : length + shift])

            value, gradient = value_and_grad(lost)(run.weights)
            weights, moments = adamw(run.weights, gradient, run.moments, rate=0.01)
            run = replace(run, weights=weights, moments=moments)
            losses.append(float(value))
        ax.plot(np.arange(1, n_steps + 1), losses, label=name)
    ax.axhline(math.log(11), color=style.INK, linestyle="--", linewidth=1)
    ax.set(xlabel="step", ylabel="loss (nats)", ylim=(0, 3.3))
    ax.legend(loc="center right", bbox_to_anchor=(1, 0.3))
    return fig


def drift() -> Figure:
    """Draw daily means with narrow and wide limits around a shift."""
    fig, ax = style.one()
    n_days, change, n, mean, spread = 90, 60, 400, 3.0, 1.5 * math.sqrt(2)
    rng = np.random.default_rng(4)
    error = spread / math.sqrt(n)
    days = np.arange(1, n_days + 1)
    means = rng.gamma(2.0, 1.5, size=(n_days, n)).mean(axis=1) + 2 * error * (days > change)
    ax.plot(days, means, ".", color=style.INK, linestyle="none")
    for z, dash in ((1.96, "--"), (normal_quantile(1 - 0.05 / n_days), "-")):
        for side in (-1, 1):
            ax.axhline(
                mean + side * z * error,
                color=style.COLORS[0 if dash == "-" else 1],
                linestyle=dash,
                linewidth=1.5,
                label=f"{z:.2f} standard errors" if side == 1 else None,
            )
    ax.axvline(change + 0.5, color=style.INK, linestyle=":", linewidth=1)
    ax.set(xlabel="day", ylabel="mean surprisal (nats)", ylim=(2.5, 3.75), xlim=(0, 91))
    ax.legend(loc="upper left")
    return fig
