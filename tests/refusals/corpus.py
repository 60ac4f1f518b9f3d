"""What the statistics of texts refuse."""

import numpy as np

from primer_ref.corpus import (
    burstiness,
    expected_vocabulary,
    heaps_exponent,
    heaps_least_squares,
    miller_madow_entropy,
    mutual_information_by_distance,
)

ROWS = [
    (heaps_exponent, {"zipf": 0}, "must be positive and finite; got 0"),
    (heaps_exponent, {"zipf": np.nan}, "must be positive and finite; got nan"),
    (expected_vocabulary, {"p": [1.5], "n": 1}, r"^p must hold probabilities in \[0, 1\]; got 1.5"),
    (expected_vocabulary, {"p": [0.5], "n": -1}, "^n must not be negative; got -1"),
    (heaps_least_squares, {"growth": [1]}, "at least 2 sizes and 2 points; got 1 and 50"),
    (heaps_least_squares, {"growth": [1, 2], "n_points": 1}, "got 2 and 1"),
    (burstiness, {"positions": [1, 2]}, "at least two gaps"),
    (burstiness, {"positions": [1, 2, 2]}, "must ascend"),
    (miller_madow_entropy, {"counts": [0, 0]}, "not all 0; got a sum of 0"),
    (miller_madow_entropy, {"counts": [2, -1]}, "must be at least 0"),
    (miller_madow_entropy, {"counts": [np.nan]}, "got a sum of nan"),
    (mutual_information_by_distance, {"symbols": [0, 1], "distances": [0]}, "and 1; got 0"),
    (mutual_information_by_distance, {"symbols": [0, 1], "distances": [1, 2]}, "and 1; got 2"),
    (
        expected_vocabulary,
        {"p": [0.5 + 1j], "n": 1},
        "real numbers; got entries of type complex128",
    ),
    (expected_vocabulary, {"p": [0.5], "n": [np.datetime64("2020-01-01")]}, "type datetime64"),
    (
        heaps_least_squares,
        {"growth": np.ma.masked_array([1, 2, 3], [False, True, False])},
        "got a masked one",
    ),
    (burstiness, {"positions": ["1", "2", "4", "9"]}, "must hold real numbers"),
    (miller_madow_entropy, {"counts": [2, 2j]}, "must hold real numbers"),
    (
        mutual_information_by_distance,
        {"symbols": [0, 1, 0], "distances": [1.5]},
        "must be integers",
    ),
]
