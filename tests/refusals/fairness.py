"""What the fairness identities refuse."""

import numpy as np

from primer_ref.fairness import (
    calibration_residuals,
    chouldechova_fpr,
    confusion_rates,
    score_balance,
)

ROWS = [
    (
        confusion_rates,
        {"labels": [True, False], "decisions": [True]},
        r"one decision a label; got shapes \(1,\) and \(2,\)",
    ),
    (confusion_rates, {"labels": [1, 2], "decisions": [1, 0]}, "labels must be True or False"),
    (confusion_rates, {"labels": [1, 0], "decisions": [0.5, 0]}, "decisions must be True or False"),
    (confusion_rates, {"labels": [1, 1], "decisions": [1, 0]}, "got 2, 0 and 1"),
    (confusion_rates, {"labels": [1, 0], "decisions": [0, 0]}, "got 1, 1 and 0"),
    (chouldechova_fpr, {"base_rate": 1, "ppv": 0.5, "fnr": 0}, "^base_rate must lie .* got 1"),
    (chouldechova_fpr, {"base_rate": 0.5, "ppv": 0, "fnr": 0}, r"ppv must be in \(0, 1\].*got 0 "),
    (chouldechova_fpr, {"base_rate": 0.5, "ppv": 1, "fnr": np.nan}, "got 1 and nan"),
    (
        calibration_residuals,
        {"scores": [0.5], "labels": [True, False]},
        r"one score a label; got shapes \(1,\) and \(2,\)",
    ),
    (calibration_residuals, {"scores": [1.5], "labels": [True]}, r"in \[0, 1\]; got 1.5"),
    (calibration_residuals, {"scores": [], "labels": []}, r"got shapes \(0,\) and \(0,\)"),
    (score_balance, {"scores": [np.nan, 1], "labels": [True, False]}, r"in \[0, 1\]; got nan"),
    (score_balance, {"scores": [0.5, 1], "labels": [True, True]}, "a negative; got 2 positives"),
    (score_balance, {"scores": [0.5, 1], "labels": [0, 0]}, "a negative; got 0 positives"),
]
