"""Energy and carbon of a run, or of a million answers, with three factors roughly known."""

from __future__ import annotations

from primer_ref.energy import Interval, energy_kwh, location_based_carbon
from primer_ref.roofline import DEVICES, roofline_seconds
from widgets import Choice, Range

GPU = DEVICES["h100-sxm"]
ANSWERS = 1_000_000 * 500  # tokens, by a model of 8 billion parameters in 16 bits, 16 at a time
ANSWER_HOURS = ANSWERS / 16 * roofline_seconds(2 * 8e9 * 16, 2 * 8e9, GPU) / 3600
#: Hours of devices and mean watts, as the chapter has them; Llama's watts are rated ones.
RUNS = {
    "GPT-3": (24 * 10_000 * 14.8, 330.0),
    "T5": (24 * 512 * 20.0, 310.0),
    "Meena": (24 * 1024 * 30.0, 289.0),
    "Llama 3.1, all sizes": (39.3e6, 700.0),
    "a million answers": (ANSWER_HOURS, GPU.watts),
}
CONTROLS = (
    Choice("run", "Work", tuple(RUNS), "GPT-3"),
    Range("power", "Power, known to ±", 0, 50, 10, step=1, unit="%"),
    Range("overhead", "Overhead u, one end", 1, 2, 1, step=0.01),
    Range("overhead2", "Overhead u, other end", 1, 2, 1.21, step=0.01),
    Range("grid", "Grid g, one end", 0.01, 1, 0.386, step=0.002, unit="kg/kWh"),
    Range("grid2", "Grid g, other end", 0.01, 1, 0.472, step=0.002, unit="kg/kWh"),
)


def data() -> dict[str, object]:
    """Give hours and watts of each run."""
    return {"runs": RUNS}


def compute(
    *, run: str, power: float, overhead: float, overhead2: float, grid: float, grid2: float
) -> dict[str, object]:
    """Multiply intervals: all at once, and one at a time with the others at their middle."""
    hours, mean = RUNS[run]
    watts = Interval(mean * (1 - power / 100), mean * (1 + power / 100))
    pue = Interval(min(overhead, overhead2), max(overhead, overhead2))
    intensity = Interval(min(grid, grid2), max(grid, grid2))
    cases = (
        (watts, middle(pue), middle(intensity)),
        (middle(watts), pue, middle(intensity)),
        (middle(watts), middle(pue), intensity),
        (watts, pue, intensity),
    )
    return {
        "energy": ends(1e-3 * energy_kwh(hours, watts, pue=pue)),
        "tonnes": [
            ends(location_based_carbon(energy_kwh(hours, w, pue=u), g)) for w, u, g in cases
        ],
    }


def ends(amount: float | Interval) -> list[float]:
    """List the ends of an interval, or a number twice."""
    return [amount.low, amount.high] if isinstance(amount, Interval) else [amount, amount]


def middle(interval: Interval) -> Interval:
    """Shrink an interval to its middle."""
    mean = (interval.low + interval.high) / 2
    return Interval(mean, mean)
