"""What policies that trade reward for divergence refuse."""

import numpy as np

from primer_ref.gibbs import (
    best_of_n_kl_bound,
    best_of_n_policy,
    gibbs_policy,
    optimal_value,
    regularized_objective,
    reward_kl_frontier,
)

WORLD = {"reference": [0.5, 0.5], "rewards": [0, 1]}

ROWS = [
    (gibbs_policy, WORLD | {"rewards": [0], "beta": 1}, r"got shapes \(1,\), \(2,\)"),
    (gibbs_policy, WORLD | {"rewards": [0, np.nan], "beta": 1}, "rewards must be finite"),
    (
        gibbs_policy,
        WORLD | {"reference": [0.5, 0.6], "beta": 1},
        "reference must sum to 1; got a sum of 1.1",
    ),
    (
        gibbs_policy,
        WORLD | {"reference": np.log([0.5, 0.5]), "beta": 1},
        "reference must be finite and nonneg.*got -0.69",
    ),
    (gibbs_policy, WORLD | {"beta": 0}, "beta must be positive and finite; got 0"),
    (gibbs_policy, {"reference": 1.0, "rewards": 0.0, "beta": 1}, r"got shapes \(\), \(\)"),
    (optimal_value, WORLD | {"beta": np.nan}, "beta must be positive and finite; got nan"),
    (
        regularized_objective,
        WORLD | {"policy": [0.5, 0.4], "beta": 1},
        "policy must sum to 1; got a sum of 0.9",
    ),
    (
        regularized_objective,
        WORLD | {"policy": [1.0], "beta": 1},
        r"got shapes \(2,\), \(1,\), \(2,\)",
    ),
    (
        regularized_objective,
        WORLD | {"policy": [0.5, 0.5], "beta": -1},
        "beta must be finite and not negative; got -1",
    ),
    (reward_kl_frontier, WORLD | {"betas": [1, -1]}, "beta must be positive and finite; got -1"),
    (best_of_n_policy, WORLD | {"n": 0}, "n must be at least 1, for one prompt; got 0"),
    (
        best_of_n_policy,
        {"reference": [[0.5, 0.5]], "rewards": [[0, 1]], "n": 2},
        "got 2 and 2 axes",
    ),
    (best_of_n_kl_bound, {"n": 0}, "n must be at least 1; got 0"),
]
