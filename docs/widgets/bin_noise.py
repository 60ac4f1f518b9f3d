"""A calibrated forecaster's reliability diagram, and the error that chance alone puts into it."""

from __future__ import annotations

import numpy as np

from primer_ref.calibration import (
    calibration_error,
    debiased_square_error,
    equal_width_bins,
    expected_error_if_calibrated,
)
from widgets import Range

# Uniform draws in ten-thousandths; their number is prime, so that samples begin everywhere.
DRAWS = np.random.default_rng(11).integers(10_000, size=997)
CONTROLS = (
    Range("n", "Forecasts n", 10, 900, 200, step=1, log=True),
    Range("bins", "Bins B", 1, 60, 15, step=1),
    Range("excess", "Excess of confidence", 0, 0.3, 0, step=0.01),
    Range("sample", "Sample number", 1, 50, 2, step=1),
)


def data() -> dict[str, list[int]]:
    """Give the draws that decide what comes true."""
    return {"draws": DRAWS.tolist()}


def compute(*, n: int, bins: int, excess: float, sample: int) -> dict[str, object]:
    """Draw outcomes for confidences even on [½, 1], gather them, and compute three errors."""
    places = np.arange(n)
    confidence = 0.5 + 0.5 * (places + 0.5) / n
    drawn = DRAWS[(places + 53 * sample) % len(DRAWS)] / 10_000
    found = equal_width_bins(confidence, drawn < confidence - excess, n_bins=bins)
    enough = found.counts.min() > 1
    return {
        "counts": found.counts.tolist(),
        "confidence": found.confidence.tolist(),
        "accuracy": found.accuracy.tolist(),
        "error": calibration_error(found),
        "expected": expected_error_if_calibrated(found),
        "debiased": debiased_square_error(found) if enough else None,
    }
