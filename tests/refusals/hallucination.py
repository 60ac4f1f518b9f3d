"""What the measures of hallucination refuse."""

import math

from primer_ref.hallucination import (
    answer_confidence,
    answer_value,
    area_under_risk_coverage,
    auroc,
    good_turing_mass,
    good_turing_radius,
    missing_mass,
    risk_coverage,
    semantic_entropy,
    singleton_bound,
    validity_bound,
)

ROWS = [
    (semantic_entropy, {"p": [0.5, 0.5], "meanings": [0]}, r"one meaning; got \(2,\) and \(1,\)"),
    (semantic_entropy, {"p": [0.5, 0.4], "meanings": [0, 1]}, "must sum to 1; got a sum of 0.9"),
    (missing_mass, {"p": [0.5, 0.4], "counts": [0, 1]}, "must sum to 1"),
    (missing_mass, {"p": [0.5, 0.5], "counts": [1]}, r"needs a count; got \(2,\) and \(1,\)"),
    (good_turing_mass, {"counts": [0.5]}, "counts must be whole numbers"),
    (good_turing_mass, {"counts": [-1, 2]}, "at least 0"),
    (good_turing_mass, {"counts": [0, 0]}, "at least one observation; got none"),
    (good_turing_radius, {"n": 0, "delta": 0.1}, "n must be at least 1 .* got 0 and 0.1"),
    (good_turing_radius, {"n": 1, "delta": 1}, r"delta in \(0, 1\); got 1 and 1"),
    (
        validity_bound,
        {"classification_error": -0.1, "valid": 1, "errors": 2, "miscalibration": 0},
        "classification_error must not be negative; got -0.1",
    ),
    (
        validity_bound,
        {"classification_error": 0.1, "valid": -1, "errors": 2, "miscalibration": 0},
        "^valid must not be negative; got -1",
    ),
    (
        validity_bound,
        {"classification_error": 0.1, "valid": 1, "errors": 0, "miscalibration": 0},
        "errors must be at least 1; got 0",
    ),
    (
        singleton_bound,
        {"counts": [1], "errors": 2, "miscalibration": math.nan},
        "miscalibration must not be negative; got nan",
    ),
    (
        singleton_bound,
        {"counts": [1], "errors": 0, "miscalibration": 0},
        "errors must be at least 1; got 0",
    ),
    (answer_confidence, {"penalty": -1}, "penalty must be finite and not negative; got -1"),
    (answer_value, {"confidence": 1.5, "penalty": 1}, r"^confidence must .* \[0, 1\]; got 1.5"),
    (answer_value, {"confidence": 0.5, "penalty": math.inf}, "penalty must be finite"),
    (risk_coverage, {"scores": [0.5], "correct": [1, 0]}, r"got shapes \(1,\) and \(2,\)"),
    (risk_coverage, {"scores": [math.nan], "correct": [1]}, "scores must not be NaN"),
    (risk_coverage, {"scores": [0.5], "correct": [2]}, "an outcome must be 0 or 1; got 2.0"),
    (area_under_risk_coverage, {"scores": [], "correct": []}, r"got shapes \(0,\) and \(0,\)"),
    (auroc, {"scores": [0.1, 0.2], "correct": [1, 1]}, "right and wrong; got one kind only"),
]
