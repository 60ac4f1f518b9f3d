"""What the optimizers refuse."""

import numpy as np

from primer_ref.optim import adam, adamw, clip_by_global_norm, initial_moments, momentum, sgd

W = np.ones(2)
PLAIN = {"weights": W, "gradient": W}
ADAM = {**PLAIN, "state": initial_moments(W)}

ROWS = [
    (sgd, {**PLAIN, "rate": -1}, "rate must be finite and not negative; got -1"),
    (sgd, {**PLAIN, "rate": np.nan}, "rate must be finite and not negative; got nan"),
    (sgd, {"weights": [W], "gradient": [W, W], "rate": 1}, "trees must have one structure"),
    (momentum, {**PLAIN, "state": W, "rate": np.inf}, "rate must be finite .*; got inf"),
    (momentum, {**PLAIN, "state": W, "rate": 1, "beta": 1}, r"beta must be in \[0, 1\); got 1"),
    (momentum, {**PLAIN, "state": [W], "rate": 1}, "trees must have one structure"),
    (adam, {**ADAM, "rate": -1}, "rate must be finite and not negative; got -1"),
    (adam, {**ADAM, "rate": 1, "beta1": -0.1}, r"beta1 must be in \[0, 1\); got -0.1"),
    (adam, {**ADAM, "rate": 1, "beta2": np.nan}, r"beta2 must be in \[0, 1\); got nan"),
    (adam, {**ADAM, "rate": 1, "eps": -1}, "eps must be finite and not negative; got -1"),
    (adam, {**ADAM, "gradient": [W], "rate": 1}, "trees must have one structure"),
    (adamw, {**ADAM, "rate": np.nan}, "rate must be finite and not negative; got nan"),
    (adamw, {**ADAM, "rate": 1, "decay": -1}, "decay must be finite and not negative; got -1"),
    (adamw, {**ADAM, "rate": 1, "beta1": 1}, r"beta1 must be in \[0, 1\); got 1"),
    (clip_by_global_norm, {"gradient": W, "limit": 0}, "limit must be positive; got 0"),
    (clip_by_global_norm, {"gradient": W * np.nan, "limit": 1}, "must be finite; got .* norm nan"),
    (clip_by_global_norm, {"gradient": W * np.inf, "limit": 1}, "must be finite; got .* norm inf"),
]
