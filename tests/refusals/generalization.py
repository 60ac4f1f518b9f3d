"""What the experiments on generalization refuse."""

from math import inf, nan

from primer_ref.generalization import (
    descent_limit,
    least_squares_descent,
    logistic_descent,
    max_margin_solution,
    min_norm_solution,
    ridge_risk,
    ridgeless_risk,
    ridgeless_risk_gaussian,
    ridgeless_risk_given,
    uniform_gap,
)

DATA = {"x": [[1.0, 0.0], [0.0, 1.0]], "y": [1.0, 2.0]}
CASES = {"x": [[1.0, 0.0], [0.0, 1.0]], "labels": [1, -1]}
DESCENT = DATA | {"start": [0.0, 0.0], "step": 0.1, "n_steps": 1}
SIZES = {"n_cases": 2, "n_features": 3, "noise": 1, "signal": 1}
LOGISTIC = CASES | {"step": 0.1, "times": [1]}

ROWS = [
    (min_norm_solution, DATA | {"y": [1.0]}, r"a target for each row; got shapes \(2, 2\) and"),
    (min_norm_solution, {"x": [], "y": []}, r"got shapes \(0,\) and \(0,\)"),
    (min_norm_solution, DATA | {"y": [1.0, inf]}, "data must be finite; got NaN or an infinity"),
    (least_squares_descent, DESCENT | {"step": 0}, "step must be positive; got 0"),
    (least_squares_descent, DESCENT | {"n_steps": -1}, "n_steps must not be negative; got -1"),
    (
        least_squares_descent,
        DESCENT | {"start": [0.0]},
        "start must have a weight for each",
    ),
    (least_squares_descent, DESCENT | {"x": [[nan, 0.0], [0.0, 1.0]]}, "data must be finite"),
    (least_squares_descent, DESCENT | {"start": [nan, 0.0]}, "start must be finite; got NaN or"),
    (descent_limit, DATA | {"start": [0.0, inf]}, "start must be finite; got NaN or an infinity"),
    (descent_limit, DATA | {"start": 0.0}, r"got shapes \(\) and \(2, 2\)"),
    (descent_limit, DATA | {"start": [0.0, 0.0], "y": [1.0]}, "a target for each row"),
    (ridgeless_risk, {"gamma": [1, 0], "noise": 1, "signal": 1}, "gamma must be positive; got 0"),
    (ridgeless_risk, {"gamma": nan, "noise": 1, "signal": 1}, "gamma must be positive; got nan"),
    (ridgeless_risk, {"gamma": 1, "noise": -1, "signal": 1}, "noise must not be negative; got -1"),
    (ridgeless_risk, {"gamma": 1, "noise": 1, "signal": nan}, "signal must not be negative"),
    (ridge_risk, {"gamma": 1, "noise": 1, "signal": 1, "penalty": -1}, "penalty must not be neg"),
    (ridge_risk, {"gamma": 1, "noise": 1, "signal": 1, "penalty": nan}, "penalty must not be neg"),
    (ridgeless_risk_gaussian, SIZES | {"n_cases": 0}, "sizes must be positive; got 0 cases and 3"),
    (ridgeless_risk_gaussian, SIZES | {"n_features": -1}, "got 2 cases and -1 features"),
    (ridgeless_risk_gaussian, SIZES | {"noise": -1}, "noise must not be negative; got -1"),
    (ridgeless_risk_gaussian, SIZES | {"signal": nan}, "signal must not be negative; got nan"),
    (ridgeless_risk_given, {"x": [[1.0]], "weights": [1, 2], "noise": 1}, "a weight for each"),
    (ridgeless_risk_given, {"x": [[1.0]], "weights": [1], "noise": nan}, "noise must not be neg"),
    (uniform_gap, {"log_size": -1, "n_cases": 2, "delta": 0.1}, "log_size must not be negative"),
    (uniform_gap, {"log_size": nan, "n_cases": 2, "delta": 0.1}, "log_size must not be negative"),
    (uniform_gap, {"log_size": 1, "n_cases": 0, "delta": 0.1}, "n_cases must be positive; got 0"),
    (uniform_gap, {"log_size": 1, "n_cases": 2, "delta": 0}, r"delta must be in \(0, 1\]; got 0"),
    (uniform_gap, {"log_size": 1, "n_cases": 2, "delta": 1.1}, "delta must be in"),
    (max_margin_solution, CASES | {"labels": [0, 1]}, "labels must be −1 or 1; got 0"),
    (max_margin_solution, CASES | {"labels": [1]}, "a target for each row"),
    (max_margin_solution, {"x": [[1.0], [1.0]], "labels": [1, -1]}, "got none that does"),
    (max_margin_solution, {"x": [[0.0], [1.0]], "labels": [1, 1]}, "got none that does"),
    (
        max_margin_solution,  # separable, by a margin of 5e-7
        {"x": [[1.0, 0.0], [-1.0, 1e-6]], "labels": [1, 1]},
        "by more than 1e-5 of the longest; got none that does",
    ),
    (max_margin_solution, {"x": [[0.0]], "labels": [1]}, "got cases that are all zero"),
    (logistic_descent, LOGISTIC | {"step": nan}, "step must be positive; got nan"),
    (logistic_descent, LOGISTIC | {"times": [2, 1]}, r"times must not fall; got \[2, 1\]"),
    (logistic_descent, LOGISTIC | {"times": [-1]}, "times must not be negative; got -1"),
    (logistic_descent, LOGISTIC | {"labels": [2, 1]}, "labels must be −1 or 1; got 2"),
]
