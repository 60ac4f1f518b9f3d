"""How often two intervals for a share hold the truth, computed exactly."""

from __future__ import annotations

import math
from functools import partial

from primer_ref.intervals import Estimate, coverage, mean_interval, normal_quantile, wilson_interval
from widgets import Choice, Range

LEVELS = {"80 %": 0.8, "90 %": 0.9, "95 %": 0.95, "99 %": 0.99}
CONTROLS = (
    Range("share", "True share p", 0.5, 0.99, 0.9, step=0.01),
    Range("n", "Questions n", 5, 400, 20, step=1, log=True),
    Choice("level", "Nominal level", tuple(LEVELS), "95 %"),
)


def normal_interval(k: int, n: int, *, level: float = 0.95) -> Estimate:
    """Give the interval of the central limit theorem for k successes of n."""
    return mean_interval([1.0] * k + [0.0] * (n - k), level=level)


def data() -> dict[str, dict[str, float]]:
    """Give for each level how many standard errors it takes."""
    return {"quantiles": {name: normal_quantile(level) for name, level in LEVELS.items()}}


def compute(*, share: float, n: int, level: str) -> dict[str, object]:
    """Compute both coverages, and both intervals for the count nearest to what is expected."""
    kinds = (normal_interval, wilson_interval)
    normal, wilson = (partial(interval, level=LEVELS[level]) for interval in kinds)
    k = math.floor(n * share + 0.5)
    return {
        "coverage": [coverage(normal, n, share), coverage(wilson, n, share)],
        "right": k,
        "intervals": [[found.low, found.high] for found in (normal(k, n), wilson(k, n))],
    }
