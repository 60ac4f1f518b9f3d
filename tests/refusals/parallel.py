"""What parallel steps refuse."""

import numpy as np

from primer_ref.activations import relu, relu_derivative
from primer_ref.parallel import (
    data_parallel_gradient,
    ring_attention,
    tensor_parallel_attention,
    tensor_parallel_mlp,
    tensor_parallel_mlp_backward,
)

TWO = np.eye(2)
MLP = {"x": TWO, "w_in": TWO, "w_out": TWO, "activation": relu, "n_devices": 0}
HEADS = {"x": TWO, "w_q": TWO, "w_k": TWO, "w_v": TWO, "w_o": TWO, "n_heads": 2}

ROWS = [
    (
        data_parallel_gradient,
        {"gradients": [TWO, TWO], "n_tokens": [1, 0]},
        r"a positive number for each of 2 devices; got \[1, 0\]",
    ),
    (data_parallel_gradient, {"gradients": [TWO], "n_tokens": [1, 1]}, "each of 1 devices"),
    (data_parallel_gradient, {"gradients": [], "n_tokens": []}, "at least one device"),
    (data_parallel_gradient, {"gradients": [TWO, TWO[0]], "n_tokens": [1, 1]}, "one shape; got"),
    (tensor_parallel_mlp, MLP, "n must be at least 1; got 0"),
    (tensor_parallel_mlp_backward, MLP | {"d_out": TWO, "slope": relu_derivative}, "got 0"),
    (tensor_parallel_attention, HEADS | {"n_devices": 3}, "multiple of n_devices; got 2 and 3"),
    (tensor_parallel_attention, HEADS | {"n_devices": 0}, "multiple of n_devices; got 2 and 0"),
    (ring_attention, {"q": TWO, "k": TWO, "v": TWO, "n_devices": 3}, "got 3 for 2 and 2"),
    (ring_attention, {"q": TWO, "k": TWO, "v": TWO, "n_devices": 0}, "got 0 for 2 and 2"),
    (ring_attention, {"q": TWO, "k": np.eye(3), "v": TWO, "n_devices": 2}, "one size; got 2 and 3"),
    (
        ring_attention,
        {"q": TWO, "k": TWO, "v": TWO, "n_devices": 2, "mask": TWO == 1},
        "0 to show and −∞ to hide; got truth values",
    ),
    (ring_attention, {"q": TWO, "k": 0.5, "v": TWO, "n_devices": 1}, "2 or more axes"),
]
