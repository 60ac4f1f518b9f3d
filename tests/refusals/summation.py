"""What the sums refuse."""

import numpy as np

from primer_ref.numerics import BF16
from primer_ref.summation import (
    compensated_sum,
    compensated_sum_bound,
    kahan_sum,
    naive_sum,
    naive_sum_bound,
    pairwise_sum,
    pairwise_sum_bound,
)

FUNCTIONS = [
    compensated_sum,
    compensated_sum_bound,
    kahan_sum,
    naive_sum,
    naive_sum_bound,
    pairwise_sum,
    pairwise_sum_bound,
]

ROWS = [
    *[
        (function, {"x": np.zeros((2, 0)), "format": BF16}, r"one term; got shape \(2, 0\)")
        for function in FUNCTIONS
    ],
    *[
        (function, {"x": [1.0, 1.001], "format": BF16}, "numbers of the format; got 1.001")
        for function in FUNCTIONS
    ],
]
