"""Chapter 13: energy and carbon of training runs, and noise that hides a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from primer_ref.energy import energy_kwh, location_based_carbon
from primer_ref.privacy import gaussian_mechanism_sigma

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from primer_ref.energy import Amount

# Chips, days, watts and overhead; printed MWh; net and gross carbon, kg a kWh.
PATTERSON = {
    "Evolved Transformer": (200, 6.8, 208, 1.10, 7.5, 0.431, 0.431),
    "T5": (512, 20, 310, 1.12, 85.7, 0.545, 0.545),
    "Meena": (1024, 30, 289, 1.09, 232, 0.415, 0.415),
    "GShard-600B": (1024, 3.1, 288, 1.09, 24.1, 0.177, 0.201),
    "Switch Transformer": (1024, 27, 245, 1.10, 179, 0.330, 0.403),
    "GPT-3": (10_000, 14.8, 330, 1.10, 1287, 0.429, 0.429),
}
LLAMA_HOURS = {"7B": 82_432, "13B": 135_168, "33B": 530_432, "65B": 1_022_362}


def value(amount: Amount) -> float:
    """Take a quantity that is exact."""
    assert isinstance(amount, float)
    return amount


def patterson_energy() -> dict[str, ArrayLike]:
    """Energy in MWh, from chips, days, watts and overhead."""
    return {
        name: value(energy_kwh(24.0 * chips * days, watts, pue=pue)) / 1000
        for name, (chips, days, watts, pue, *_) in PATTERSON.items()
    }


def patterson_carbon() -> dict[str, ArrayLike]:
    """Carbon in t, from the printed energy, as bought and as delivered."""
    return {
        name: [value(location_based_carbon(1000.0 * mwh, grid)) for grid in (net, gross)]
        for name, (*_, mwh, net, gross) in PATTERSON.items()
    }


def bloom() -> dict[str, ArrayLike]:
    """Energy of the chips at their rated power; carbon with idle machines and their making."""
    kwh = value(energy_kwh(1_082_990.0, 400.0, pue=1.0))
    running, idle = (value(location_based_carbon(e, 0.057)) for e in (kwh, 256_646.0))
    return {"kWh": kwh, "running, t": running, "idle, t": idle, "total, t": running + idle + 11.2}


def llama() -> dict[str, ArrayLike]:
    """Energy in MWh and carbon in t."""
    found: dict[str, ArrayLike] = {}
    for name, hours in LLAMA_HOURS.items():
        kwh = value(energy_kwh(float(hours), 400.0, pue=1.1))
        found[name] = (kwh / 1000, value(location_based_carbon(kwh, 0.385)))
    return found


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch13-patterson-energy": patterson_energy,
    "ch13-patterson-co2": patterson_carbon,
    "ch13-bloom": bloom,
    "ch13-llama1": llama,
    "ch13-gaussian-mechanism": lambda: {"multiplier": gaussian_mechanism_sigma(1.0, 1e-5)},
}
