"""What ZeRO refuses."""

import numpy as np

from primer_ref.optim import initial_moments
from primer_ref.zero import fully_sharded_adam, sharded_adam, zero_bytes

TWO = np.eye(2)
STATES = [initial_moments(np.zeros((1, 2)))] * 2

ROWS = [
    (zero_bytes, {"n_parameters": 0, "n_devices": 1, "stage": 1}, "n_parameters must be .* got 0"),
    (zero_bytes, {"n_parameters": np.nan, "n_devices": 1, "stage": 1}, "positive; got nan"),
    (zero_bytes, {"n_parameters": 1, "n_devices": 0, "stage": 1}, "n_devices must be .*; got 0"),
    (zero_bytes, {"n_parameters": 1, "n_devices": 1, "stage": 4}, "stage must be 0.* got 4"),
    (
        sharded_adam,
        {"weights": TWO, "gradients": [TWO], "states": STATES, "rate": 0.1},
        "one state a device; got 2 for 1",
    ),
    (
        sharded_adam,
        {"weights": TWO, "gradients": [TWO, TWO[:1]], "states": STATES, "rate": 0.1},
        r"shape of the weights; got \(1, 2\) and \(2, 2\)",
    ),
    (
        sharded_adam,
        {"weights": TWO, "gradients": [TWO, TWO], "states": STATES, "rate": -1.0},
        "rate must be finite and not negative; got -1",
    ),
    (
        fully_sharded_adam,
        {
            "parts": [TWO[:1], TWO[1:]],
            "gradient_of": lambda _, weights: weights[:1],
            "states": STATES,
            "rate": 0.1,
        },
        r"shape of the weights; got \(1, 2\) and \(2, 2\)",
    ),
    (
        fully_sharded_adam,
        {"parts": [TWO], "gradient_of": None, "states": STATES, "rate": 0.1},
        "one state a device; got 2 for 1",
    ),
]
