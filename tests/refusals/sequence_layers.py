"""What the costs of layers over a sequence refuse."""

import numpy as np

from primer_ref.sequence_layers import (
    attention_cost,
    convolution_cost,
    jacobian_product_bounds,
    recurrence_cost,
)

ROWS = [
    (recurrence_cost, {"n_tokens": 0, "width": 1}, "n_tokens must be at least 1; got 0"),
    (attention_cost, {"n_tokens": 1, "width": 0}, "width must be at least 1; got 0"),
    (convolution_cost, {"n_tokens": 0, "width": 1, "kernel": 2}, "n_tokens must be at least 1"),
    (convolution_cost, {"n_tokens": 1, "width": 1, "kernel": 1}, "kernel must be at least 2"),
    (jacobian_product_bounds, {"jacobians": [np.ones((2, 3))]}, r"square.* got shape \(2, 3\)"),
    (jacobian_product_bounds, {"jacobians": [np.eye(2), np.eye(3)]}, r"got shape \(3, 3\)"),
]
