"""A budget of training split between size and data, by three sets of constants."""

from __future__ import annotations

from dataclasses import asdict

from primer_ref.allocation import compute_optimal, compute_overhead
from primer_ref.scaling import BESIROGLU, HOFFMANN, HOFFMANN_UNROUNDED, chinchilla_loss
from widgets import Choice, Range

LAWS = {"as printed": HOFFMANN, "unrounded": HOFFMANN_UNROUNDED, "refitted": BESIROGLU}
CONTROLS = (
    Range("budget", "Budget", 1e18, 1e26, 5.76e23, log=True, unit="FLOP"),
    Choice("constants", "Constants", tuple(LAWS), "refitted"),
    Range("factor", "Size, over the best c", 0.05, 20, 0.5, log=True),
)


def data() -> dict[str, dict[str, float]]:
    """Give the three sets of constants."""
    return {name: asdict(law) for name, law in LAWS.items()}


def compute(*, budget: float, constants: str, factor: float) -> dict[str, object]:
    """Compute the best split by each law; for one of them, what another size loses."""
    best = [compute_optimal(budget, law) for law in LAWS.values()]
    law = LAWS[constants]
    size = factor * float(compute_optimal(budget, law).n_parameters)
    return {
        "parameters": [float(one.n_parameters) for one in best],
        "tokens": [float(one.n_tokens) for one in best],
        "losses": [float(one.loss) for one in best],
        "size": size,
        "loss": float(chinchilla_loss(size, budget / 6 / size, law)),
        "overhead": float(compute_overhead(factor, law)),
    }
