"""Chapter 11: calibration errors, intervals, tests and error bars."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from primer_ref.calibration import (
    Bins,
    brier_decomposition,
    calibration_error,
    equal_width_bins,
)
from primer_ref.evaluation import questions_needed, sign_test, variance_of_answers
from primer_ref.hallucination import semantic_entropy
from primer_ref.information import entropy
from primer_ref.intervals import clustered_standard_error, wilson_interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike


def errors_of(bins: Bins) -> dict[str, ArrayLike]:
    """Mean, root-mean-square and largest gap."""
    names = {"mean": 1, "root mean square": 2, "largest": math.inf}
    return {name: calibration_error(bins, order=order) for name, order in names.items()}


def two_outcomes() -> dict[str, ArrayLike]:
    """Probabilities of one outcome as confidences."""
    p, came = [0.25, 0.25, 0.55, 0.75, 0.75], [0, 0, 1, 1, 1]
    return errors_of(equal_width_bins(p, came, n_bins=2))


def three_outcomes() -> dict[str, ArrayLike]:
    """Take the largest probability as confidence, and whether it was right."""
    p = np.array([[0.25, 0.2, 0.55], [0.55, 0.05, 0.4], [0.1, 0.3, 0.6], [0.9, 0.05, 0.05]])
    right = np.argmax(p, axis=1) == [0, 1, 2, 0]
    return errors_of(equal_width_bins(np.max(p, axis=1), right, n_bins=3))


def wilson() -> dict[str, ArrayLike]:
    """Intervals of nominal 95 %."""
    cases = ((81, 263), (15, 148), (0, 20), (1, 29), (29, 29))
    found = {f"{k} of {n}": wilson_interval(k, n) for k, n in cases}
    return {name: (interval.low, interval.high) for name, interval in found.items()}


def resampled_answers() -> dict[str, ArrayLike]:
    """Difficulties spread evenly over [0, 1], by the midpoints of 2,000 cells."""
    p = (np.arange(2000) + 0.5) / 2000
    one = variance_of_answers(p, 1)
    return {f"{k} answers": 100 * (1 - variance_of_answers(p, k) / one) for k in (2, 3, 4, 5)}


def bernoulli_errors() -> dict[str, ArrayLike]:
    """Find the standard errors of shares of 5,000 questions, in percent."""
    shares = {"Galleon": 0.655, "Dreadnought": 0.630}
    return {name: 100 * math.sqrt(variance_of_answers([p], 1) / 5000) for name, p in shares.items()}


def passages() -> dict[str, ArrayLike]:
    """Five passages with three questions each."""
    right = np.array([1, 1, 1, 0, 0, 0, 1, 1, 0, 1, 0, 0, 1, 1, 1])
    return {
        "independent": clustered_standard_error(right, np.arange(15)),
        "clustered": clustered_standard_error(right, np.repeat(np.arange(5), 3)),
    }


def paris() -> dict[str, ArrayLike]:
    """Three answers with two meanings."""
    p = [0.5, 0.4, 0.1]
    return {"of answers": entropy(p), "of meanings": semantic_entropy(p, [0, 0, 1])}


def murphy() -> dict[str, ArrayLike]:
    """Thirty forecasts of three values."""
    p = np.repeat([0.1, 0.4, 0.8], 10)
    came = np.concatenate([np.arange(10) < k for k in (1, 5, 7)])
    parts = brier_decomposition(p, came)
    return {
        "reliability": parts.reliability,
        "resolution": parts.resolution,
        "uncertainty": parts.uncertainty,
        "score": np.mean((p - came) ** 2),
    }


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch11-ece-binary": two_outcomes,
    "ch11-ece-multiclass": three_outcomes,
    "ch11-wilson": wilson,
    "ch11-mcnemar-exact-mlxtend": lambda: {"p-value": sign_test(11, 1)},
    "ch11-miller-var": resampled_answers,
    "ch11-miller-se": bernoulli_errors,
    "ch11-miller-power": lambda: {"questions": questions_needed(0.03, variance=1 / 9)},
    "ch11-clustered-se": passages,
    "ch11-semantic-entropy": paris,
    "ch11-murphy": murphy,
}
