"""What the measures of expressivity refuse."""

from fractions import Fraction
from math import inf, nan

import numpy as np

from primer_ref.expressivity import (
    arrangement_regions,
    attention_contraction,
    count_linear_regions_1d,
    montufar_lower_bound,
    pieces_upper_bound,
    relu_network,
    sawtooth,
    token_diameter,
)

TWO = [(np.ones((2, 1)), np.ones(1))]
EYE = np.eye(2)

ROWS = [
    (relu_network, {"x": [[1.0]], "layers": []}, "at least one layer; got none"),
    (
        relu_network,
        {"x": [[1.0]], "layers": [*sawtooth(1), (np.ones((3, 1)), np.ones(1))]},
        r"shapes must fit together; got \(3, 1\) and \(1,\) in layer 2",
    ),
    (sawtooth, {"depth": 0}, "depth must be at least 1; got 0"),
    (count_linear_regions_1d, {"layers": TWO, "low": 0, "high": 1}, "must take one number; got 2"),
    (count_linear_regions_1d, {"layers": sawtooth(1), "low": 1, "high": 0}, "got 1 to 0"),
    (count_linear_regions_1d, {"layers": sawtooth(1), "low": 0, "high": inf}, "got 0 to inf"),
    (count_linear_regions_1d, {"layers": sawtooth(1), "low": nan, "high": 1}, "got nan to 1"),
    (count_linear_regions_1d, {"layers": [], "low": 0, "high": 1}, "at least one layer"),
    (
        count_linear_regions_1d,
        {"layers": [([[inf]], [0.0])], "low": 0, "high": 1},
        "weights must be finite",
    ),
    (
        count_linear_regions_1d,
        {"layers": [([[Fraction(1, 5), inf]], [0, 0])], "low": 0, "high": 1},
        "weights must be finite",
    ),
    (
        count_linear_regions_1d,
        {"layers": [([[Fraction(1, 5)]], [nan])], "low": 0, "high": 1},
        "weights must be finite",
    ),
    (
        arrangement_regions,
        {"n_units": -1, "n_inputs": 1},
        "no fewer than 0 units; got -1 units and 1 inputs",
    ),
    (pieces_upper_bound, {"widths": [3, -1]}, r"widths must not be negative; got \[3, -1\]"),
    (montufar_lower_bound, {"widths": [4, 1], "n_inputs": 2}, r"got \[4, 1\] and 2"),
    (montufar_lower_bound, {"widths": [], "n_inputs": 2}, r"got \[\] and 2"),
    (
        montufar_lower_bound,
        {"widths": [6, 1], "n_inputs": 1},
        r"the last must be wider than the input; got \[6, 1\] and 1",
    ),
    (
        attention_contraction,
        {"diameter": -1.0, "w_q": EYE, "w_k": EYE, "w_v": EYE},
        "diameter must not be negative; got -1.0",
    ),
    (
        attention_contraction,
        {"diameter": 1.0, "w_q": EYE, "w_k": np.eye(3), "w_v": EYE},
        r"one size; got shapes \(2, 2\) and \(3, 3\)",
    ),
    (token_diameter, {"x": [0.5, 1.0]}, "2 or more axes"),
]
