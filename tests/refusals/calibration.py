"""What calibration refuses."""

import math

import numpy as np

from primer_ref.calibration import (
    Bins,
    brier_decomposition,
    brier_score,
    calibration_error,
    conformal_sets,
    conformal_threshold,
    debiased_square_error,
    equal_mass_bins,
    equal_width_bins,
    fit_temperature,
    log_score,
)

ONE = Bins(np.array([1]), np.array([0.5]), np.array([1.0]))

ROWS = [
    (log_score, {"p": [0.5, 0.5], "targets": [0]}, r"a row a case .* got shape \(2,\)"),
    (log_score, {"p": [[0.5, 0.4]], "targets": [0]}, "must sum to 1; got a sum of 0.9"),
    (log_score, {"p": [[1.5, -0.5]], "targets": [0]}, "must be finite and nonnegative; got -0.5"),
    (log_score, {"p": [[np.nan, 1]], "targets": [0]}, "must be finite and nonnegative; got nan"),
    (log_score, {"p": [[0.5, 0.5]], "targets": [2]}, "targets must be from 0 to 1; got 2"),
    (log_score, {"p": [[0.5, 0.5]], "targets": [-1]}, "targets must be from 0 to 1; got -1"),
    (brier_score, {"p": [[0.5, 0.5]], "targets": [0.5]}, "one whole number a row; .* float64"),
    (brier_score, {"p": [[0.5, 0.5]], "targets": [0, 1]}, r"got shape \(2,\) .* for 1 rows"),
    (brier_decomposition, {"confidence": [], "correct": []}, r"got \(0,\) and \(0,\)"),
    (brier_decomposition, {"confidence": [0.5], "correct": [1, 0]}, r"got \(1,\) and \(2,\)"),
    (
        equal_width_bins,
        {"confidence": [1.1], "correct": [1], "n_bins": 2},
        r"^confidence must hold probabilities in \[0, 1\]; got 1.1",
    ),
    (
        equal_width_bins,
        {"confidence": [0.5], "correct": [0.5], "n_bins": 2},
        "an outcome must be 0 or 1; got 0.5",
    ),
    (
        equal_width_bins,
        {"confidence": [0.5], "correct": [1], "n_bins": 0},
        "n_bins must be at least 1; got 0",
    ),
    (
        equal_mass_bins,
        {"confidence": [np.nan], "correct": [1], "n_bins": 2},
        r"^confidence must hold probabilities in \[0, 1\]; got nan",
    ),
    (calibration_error, {"bins": ONE, "order": 0.5}, "order must be at least 1; got 0.5"),
    (debiased_square_error, {"bins": ONE}, "at least two forecasts"),
    (fit_temperature, {"logits": [[0, np.inf]], "targets": [0]}, "logits must be finite"),
    (fit_temperature, {"logits": [[0, 1]], "targets": [7]}, "targets must be from 0 to 1; got 7"),
    (fit_temperature, {"logits": [[0, 1]], "targets": [1]}, "needs a mistake"),
    (fit_temperature, {"logits": [[0, 1]], "targets": [0]}, "better than chance"),
    (fit_temperature, {"logits": np.zeros((0, 2)), "targets": []}, "for 0 rows"),
    (conformal_threshold, {"scores": [], "level": 0.9}, "a row of numbers"),
    (conformal_threshold, {"scores": [np.nan], "level": 0.9}, "a row of numbers"),
    (conformal_threshold, {"scores": [1], "level": 0}, "level must lie strictly .*; got 0"),
    (conformal_threshold, {"scores": [1], "level": 1.0}, "level must lie strictly .*; got 1.0"),
    (conformal_sets, {"logits": [[0]], "threshold": math.nan}, "threshold must be a number"),
    (conformal_sets, {"logits": [[np.nan, 0]], "threshold": 1}, "finite largest score"),
]
