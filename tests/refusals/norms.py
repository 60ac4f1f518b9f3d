"""What norms refuse."""

import numpy as np

from primer_ref.norms import layer_norm, layer_norm_jacobian, rms_norm, rms_norm_jacobian

ROWS = [
    (
        rms_norm,
        {"x": [1, 2], "weight": [1]},
        r"one gain a coordinate; got shapes \(1,\) and \(2,\)",
    ),
    (rms_norm, {"x": np.ones((2, 3)), "weight": 1.0}, r"got shapes \(\) and \(2, 3\)"),
    (rms_norm, {"x": [1], "weight": [1], "eps": -1}, "eps must not be negative; got -1"),
    (rms_norm, {"x": [1], "weight": [1], "eps": np.nan}, "eps must not be negative; got nan"),
    (rms_norm_jacobian, {"x": [1, 2], "weight": [1]}, "one gain a coordinate"),
    (rms_norm_jacobian, {"x": [1], "weight": [1], "eps": -1}, "eps must not be negative"),
    (
        layer_norm,
        {"x": [1, 2], "weight": [1, 1], "bias": [0]},
        r"one shift a coordinate; got shapes \(1,\) and \(2,\)",
    ),
    (layer_norm, {"x": [1, 2], "weight": [1], "bias": [0, 0]}, "one gain a coordinate"),
    (layer_norm, {"x": [1], "weight": [1], "bias": [0], "eps": -1}, "eps must not be negative"),
    (layer_norm_jacobian, {"x": [1, 2], "weight": [1]}, "one gain a coordinate"),
    (layer_norm_jacobian, {"x": [1], "weight": [1], "eps": -1}, "eps must not be negative"),
]
