"""Chapter 8: scaling laws, their optima and their misprints; rates of learning."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from experiments import record
from primer_ref.accounting import training_flops
from primer_ref.allocation import compute_optimal, compute_overhead, optimal_tokens
from primer_ref.repeated_data import effective_tokens
from primer_ref.scaling import BESIROGLU, HOFFMANN, HOFFMANN_UNROUNDED, ScalingLaw, power_law
from primer_ref.selection import vote_bound

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

# Table A3: sizes, and tokens by the second and by the third approach.
SIZES = (400e6, 1e9, 10e9, 67e9, 175e9, 280e9, 520e9, 1e12, 10e12)
SECOND = (7.7e9, 20.0e9, 219.5e9, 1.7e12, 4.3e12, 7.1e12, 13.4e12, 26.5e12, 292.0e12)
THIRD = (9.2e9, 27.1e9, 410.1e9, 4.1e12, 12e12, 20.1e12, 43.5e12, 94.1e12, 1425.5e12)
DE_VRIES = ScalingLaw(e=1.69, a=406.4, b=410.7, alpha=0.336, beta=0.283)


def kaplan_size() -> dict[str, ArrayLike]:
    """Loss of four sizes with data in plenty."""
    sizes = (8.5e7, 1e8, 1.5e9, 1.746e11)
    return {f"{n:.3g}": power_law(n, scale=8.8e13, exponent=0.076) for n in sizes}


def kaplan_data() -> dict[str, ArrayLike]:
    """Exponent of the data that a size needs and, with two digits of it, data for eight sizes."""
    return {"exponent": 0.076 / 0.103, "eight times the size": 8**0.74}


def six_n_d() -> dict[str, ArrayLike]:
    """Multiply sizes by tokens."""
    return {f"{n:.3g}": training_flops(n, tokens) for n, tokens in zip(SIZES, THIRD, strict=True)}


def tokens_for(law: ScalingLaw, *sizes: float) -> dict[str, ArrayLike]:
    """Tokens for which each size is the best one."""
    return {f"{n:.3g}": optimal_tokens(n, law) for n in sizes}


def exponents(law: ScalingLaw) -> dict[str, ArrayLike]:
    """Find how the best size and data grow with compute, from two budgets."""
    low, high = (compute_optimal(flops, law) for flops in (1e20, 1e24))
    steps = {
        "size": (low.n_parameters, high.n_parameters),
        "tokens": (low.n_tokens, high.n_tokens),
    }
    return {name: math.log(b / a) / math.log(1e4) for name, (a, b) in steps.items()}


def second_approach() -> dict[str, ArrayLike]:
    """Fit a line to the table's logarithms, and read it at the size of GPT-2."""
    slope, start = np.polyfit(np.log10(SIZES), np.log10(SECOND), 1)
    return {"slope": slope, "intercept": start, "tokens": 10 ** (slope * np.log10(124e6) + start)}


def refit() -> dict[str, ArrayLike]:
    """Exponent of the best size, and tokens a parameter at Chinchilla's budget."""
    best = compute_optimal(5.88e23, BESIROGLU)
    return {
        "exponent": exponents(BESIROGLU)["size"],
        "tokens a parameter": best.n_tokens / best.n_parameters,
    }


def objectives() -> dict[str, ArrayLike]:
    """Read how well four sets of constants fit the runs; the runs are not part of the book."""
    measured: dict[str, ArrayLike] = record.load("chinchilla_refit")["objective"]
    return measured


def overheads() -> dict[str, ArrayLike]:
    """Extra compute at three quarters, a half and a quarter of the best size, in percent."""
    shares = (0.75, 0.5, 0.25)
    return {f"{share} of the size": 100 * compute_overhead(share, DE_VRIES) for share in shares}


def repeated() -> dict[str, ArrayLike]:
    """Fresh tokens that so many epochs are worth, over the unique ones."""
    epochs = (4, 16, 44, 10**9)
    return {f"{n} epochs": effective_tokens(1.0, float(n)) for n in epochs}


def descent() -> dict[str, ArrayLike]:
    """Follow the flow of exp(−w) to time 10,000, in steps of Runge and Kutta in log(1 + t)."""
    w, n_steps = 0.0, 2000
    step = math.log1p(1e4) / n_steps
    for i in range(n_steps):
        s = i * step
        k1 = math.exp(s - w)
        k2 = math.exp(s + step / 2 - w - step * k1 / 2)
        k3 = math.exp(s + step / 2 - w - step * k2 / 2)
        k4 = math.exp(s + step - w - step * k3)
        w += step * (k1 + 2 * k2 + 2 * k3 + k4) / 6
    return {"w": w}


def hoeffding() -> dict[str, ArrayLike]:
    """Search for the least number of draws at which both tails have at most 5 %."""

    def least(eps: float) -> int:
        counts = range(1, 10**6)
        place = bisect_left(counts, -0.05, key=lambda n: -2 * vote_bound(0.5 + eps, n=n))
        return counts[place]

    return {f"to {eps}": least(eps) for eps in (0.1, 0.01)}


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch08-kaplan-L85M": kaplan_size,
    "ch08-kaplan-overfit": kaplan_data,
    "ch08-kaplan-alphaC": lambda: {"exponent": 1 / (1 / 0.76 + 1 / 0.21 + 1 / 0.077)},
    "ch08-chinchilla-A3-6nd": six_n_d,
    "ch08-chinchilla-A3-rounded": lambda: tokens_for(HOFFMANN, 400e6, 1e9, 67e9),
    "ch08-chinchilla-A3-devries": lambda: tokens_for(DE_VRIES, 400e6, 1e9, 10e9, 67e9),
    "ch08-chinchilla-exponents": lambda: exponents(HOFFMANN_UNROUNDED),
    "ch08-chinchilla-40B": lambda: {
        "parameters": compute_optimal(5.76e23, HOFFMANN_UNROUNDED).n_parameters
    },
    "ch08-nanogpt-approach2": second_approach,
    "ch08-epoch-optimal-ratio": refit,
    "ch08-epoch-huber-losses": objectives,
    "ch08-devries-overhead": overheads,
    "ch08-llama3-scaling-printed": lambda: {"tokens": 0.29 * 3.8e25**0.53},
    "ch08-llama3-scaling-figure": lambda: {"tokens": 0.299 * 3.8e25**0.537},
    "ch08-muennighoff": repeated,
    "ch08-logistic-rate": descent,
    "ch08-hoeffding-n": hoeffding,
}
