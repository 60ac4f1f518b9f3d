"""Chapter 13: energy and carbon, error rates, noise that hides a person, and a watermark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from primer_ref.energy import energy_kwh, location_based_carbon, market_based_carbon
from primer_ref.fairness import confusion_rates
from primer_ref.privacy import gaussian_mechanism_sigma
from primer_ref.watermark import p_value, z_score

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
LLAMA2_HOURS = {"7B": 184_320, "13B": 368_640, "70B": 1_720_320}
LLAMA31_HOURS = {"8B": 1.46e6, "70B": 7.0e6, "405B": 30.84e6}
# True positives, false positives, false negatives, true negatives.
COMPAS = {"black": (1369, 805, 532, 990), "white": (505, 349, 461, 1139)}
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


def llama2() -> dict[str, ArrayLike]:
    """Carbon in t, and what the printed totals hold beyond the printed rows."""

    def tonnes(hours: float, watts: float) -> float:
        return value(location_based_carbon(energy_kwh(hours, watts, pue=1.1), 0.385))

    rest = 3_311_616 - sum(LLAMA2_HOURS.values())
    found: dict[str, ArrayLike] = {name: tonnes(h, 400.0) for name, h in LLAMA2_HOURS.items()}
    return found | {"hours beyond these": rest, "t beyond these": tonnes(rest, 350.0)}


def llama31() -> dict[str, ArrayLike]:
    """Carbon in t, as delivered and as bought."""
    kwh = {name: value(energy_kwh(h, 700.0, pue=1.0)) for name, h in LLAMA31_HOURS.items()}
    kwh["total"] = sum(kwh.values())
    found: dict[str, ArrayLike] = {
        name: value(location_based_carbon(energy, 0.414)) for name, energy in kwh.items()
    }
    bought = market_based_carbon(
        kwh["total"], contract_share=1.0, contract_intensity=0.0, residual_intensity=0.414
    )
    return found | {"as bought": value(bought)}


def compas() -> dict[str, ArrayLike]:
    """Prevalence, predictive value and, in percent, the two error rates of each group."""
    found: dict[str, ArrayLike] = {}
    for group, counts in COMPAS.items():
        labels = np.repeat([True, False, True, False], counts)
        decisions = np.repeat([True, True, False, False], counts)
        rates = confusion_rates(labels, decisions)
        found[group] = (rates.base_rate, rates.ppv, 100 * rates.fpr, 100 * rates.fnr)
    return found


def sixteen_green() -> dict[str, ArrayLike]:
    """Standardize 16 green tokens of 16 at a share of a half."""
    z = z_score(16, 16, fraction=0.5)
    return {"z": z, "p-value": p_value(z)}


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch13-patterson-energy": patterson_energy,
    "ch13-patterson-co2": patterson_carbon,
    "ch13-bloom": bloom,
    "ch13-llama1": llama,
    "ch13-llama2": llama2,
    "ch13-llama31": llama31,
    "ch13-compas": compas,
    "ch13-watermark-z": sixteen_green,
    "ch13-gaussian-mechanism": lambda: {"multiplier": gaussian_mechanism_sigma(1.0, 1e-5)},
}
