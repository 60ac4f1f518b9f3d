"""What the tangent kernel refuses."""

from math import nan

import numpy as np

from primer_ref.tangent_kernel import (
    TwoLayerWeights,
    arc_cosine_kernel_0,
    arc_cosine_kernel_1,
    draw_two_layer,
    linearized_two_layer,
    tangent_kernel,
)

WEIGHTS = TwoLayerWeights(np.ones((3, 2)), np.ones(3))

ROWS = [
    (arc_cosine_kernel_0, {"x": [[1.0, 2.0]], "y": [[1.0]]}, r"got shapes \(1, 2\) and \(1, 1\)"),
    (arc_cosine_kernel_0, {"x": [1.0], "y": [[1.0]]}, r"got shapes \(1,\) and \(1, 1\)"),
    (arc_cosine_kernel_1, {"x": [[0.0]], "y": [[1.0]]}, "rows must not be zero"),
    (tangent_kernel, {"x": [[1.0]], "y": [[nan]]}, "rows must not be zero"),
    (
        draw_two_layer,
        {"n_inputs": 2, "width": 0, "rng": np.random.default_rng(0)},
        "sizes must be positive; got 2 inputs and 0 units",
    ),
    (
        linearized_two_layer,
        {"x": [[1.0, 2.0]], "weights": WEIGHTS, "change": TwoLayerWeights(np.ones(2), np.ones(3))},
        r"shapes of the weights; got \(2,\) and \(3, 2\)",
    ),
]
