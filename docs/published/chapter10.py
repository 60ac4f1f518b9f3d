"""Chapter 10: estimators of divergence, best of n, preference losses and clipping."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from primer_ref.alignment import dpo_gradient_weight, dpo_loss
from primer_ref.gibbs import (
    best_of_n_kl_bound,
    best_of_n_policy,
    gibbs_policy,
    optimal_value,
    regularized_objective,
)
from primer_ref.information import kl_divergence
from primer_ref.kl_estimators import kl_k1, kl_k2, kl_k3
from primer_ref.overoptimization import gold_optimum_best_of_n, gold_optimum_rl
from primer_ref.ppo import ppo_surrogate

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike


def estimators(mean: float) -> dict[str, ArrayLike]:
    """Bias and spread over the true divergence, integrated over draws from the standard normal."""
    x, weight = np.polynomial.hermite_e.hermegauss(120)
    weight = weight / weight.sum()
    log_q, log_p = -(x**2) / 2, -((x - mean) ** 2) / 2
    true = mean**2 / 2
    found: dict[str, ArrayLike] = {}
    for name, estimate in (("k1", kl_k1), ("k2", kl_k2), ("k3", kl_k3)):
        k = estimate(log_q, log_p)
        average = weight @ k
        spread = math.sqrt(weight @ (k - average) ** 2)
        found[name] = (average / true - 1, spread / true)
    return found


def best_of_four() -> dict[str, ArrayLike]:
    """Choose the best of four among 4,000 equally likely answers."""
    reference = np.full(4000, 1 / 4000)
    best = best_of_n_policy(reference, np.arange(4000.0), 4)
    return {"nats": kl_divergence(best, reference)}


def tilt() -> dict[str, ArrayLike]:
    """Compare the objective of the best policy with β log Z."""
    reference, rewards = [0.5, 0.3, 0.2], [0.0, 1.0, 2.0]
    best = gibbs_policy(reference, rewards, beta=0.5)
    value = regularized_objective(best, reference, rewards, beta=0.5)
    return {"difference": value - optimal_value(reference, rewards, beta=0.5)}


def untouched() -> dict[str, ArrayLike]:
    """Take the reference itself as the policy."""
    return {"loss": dpo_loss([-3.0], [-4.0], [-3.0], [-4.0], beta=0.1)}


def pulls() -> dict[str, ArrayLike]:
    """Slope of the loss of a pair whose margin is 0 and 2."""
    margins = np.array([0.0, 2.0])
    weight = dpo_gradient_weight(margins - 3, [-3.0, -3.0], [-3.0, -3.0], [-3.0, -3.0], beta=0.1)
    return {f"margin {margin:.0f}": -w for margin, w in zip(margins, weight, strict=True)}


def clipped() -> dict[str, ArrayLike]:
    """Two ratios with a good and a bad sample each."""
    cases = ((1.5, 1.0), (1.5, -1.0), (0.5, 1.0), (0.5, -1.0))
    ratio, advantage = np.array(cases).T
    value = ppo_surrogate(ratio, advantage, clip=0.2)
    return {f"{r}, {a:+.0f}": v for (r, a), v in zip(cases, value, strict=True)}


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch10-schulman-kl-small": lambda: estimators(0.1),
    "ch10-schulman-kl-large": lambda: estimators(1.0),
    "ch10-bon-kl": lambda: {f"n = {n}": best_of_n_kl_bound(n) for n in (2, 4, 16, 64, 1000)},
    "ch10-bon-kl-exact": best_of_four,
    "ch10-dpo-init": untouched,
    "ch10-dpo-grad": pulls,
    "ch10-gao-optimum": lambda: {
        "best of n": gold_optimum_best_of_n(alpha=1.0, beta=0.1),
        "reinforcement learning": gold_optimum_rl(alpha=1.0, beta=0.1),
    },
    "ch10-rlhf-tilt": tilt,
    "ch10-trl-jsd": lambda: {"nats": kl_divergence([0.1, 0.9], [0.9, 0.1])},
    "ch10-ppo-clip": clipped,
}
