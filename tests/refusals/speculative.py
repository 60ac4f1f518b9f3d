"""What speculative decoding refuses."""

import numpy as np

from primer_ref.speculative import (
    acceptance_rate,
    best_gamma,
    expected_tokens,
    operations_factor,
    residual,
    speculative_step,
    speedup,
)

HALF = [0.5, 0.5]
STEP = {"p": [HALF, HALF], "q": [HALF], "drafted": [0], "rng": np.random.default_rng(0)}

ROWS = [
    (
        acceptance_rate,
        {"p": HALF, "q": [1, 0, 0]},
        "the same tokens; got 2 and 3",
    ),
    (acceptance_rate, {"p": HALF, "q": [0.5, 0.6]}, "q must sum to 1"),
    (residual, {"p": HALF, "q": HALF}, "p and q must differ"),
    (residual, {"p": [0.5, np.nan], "q": HALF}, "finite and nonnegative; got nan"),
    (
        speculative_step,
        STEP | {"drafted": [0, 1]},
        r"2 tokens and shapes \(1, 2\) and \(2, 2\)",
    ),
    (speculative_step, STEP | {"p": [HALF]}, r"got 1 tokens and shapes \(1, 2\) and \(1, 2\)"),
    (speculative_step, STEP | {"drafted": [2]}, "possible under q; got 2"),
    (speculative_step, STEP | {"q": [[0, 1]]}, "possible under q; got 0"),
    (expected_tokens, {"alpha": 1.5, "gamma": 2}, r"alpha must be a probability in \[0, 1\]"),
    (expected_tokens, {"alpha": 0.5, "gamma": -1}, "gamma must not be negative; got -1"),
    (speedup, {"alpha": 0.5, "gamma": 1, "cost": -0.1}, "cost must be finite and not negative"),
    (speedup, {"alpha": 0.5, "gamma": 1, "cost": np.inf}, "not negative; got inf"),
    (operations_factor, {"alpha": 0.5, "gamma": 1, "cost": np.nan}, "not negative; got nan"),
    (best_gamma, {"alpha": 1, "cost": 0.1}, "alpha must be below 1 and cost above 0; got 1 and"),
    (best_gamma, {"alpha": 0.5, "cost": 0}, "alpha must be below 1 and cost above 0; got 0.5 and"),
]
