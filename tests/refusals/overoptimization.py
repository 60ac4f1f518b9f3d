"""What the over-optimization forms refuse."""

import numpy as np

from primer_ref.overoptimization import (
    gold_optimum_best_of_n,
    gold_optimum_rl,
    gold_reward_best_of_n,
    gold_reward_rl,
)

FORM = {"alpha": 1, "beta": 1}

ROWS = [
    (gold_reward_best_of_n, FORM | {"distance": -1}, "distance must not be negative"),
    (
        gold_reward_best_of_n,
        FORM | {"distance": 1, "beta": 0},
        "beta must be positive and finite; got 0",
    ),
    (gold_reward_rl, FORM | {"distance": [1, np.nan]}, "distance must not be negative"),
    (
        gold_reward_rl,
        FORM | {"distance": 1, "alpha": np.inf},
        "alpha must be positive and finite; got inf",
    ),
    (gold_optimum_best_of_n, FORM | {"alpha": 0}, "alpha must be positive and finite; got 0"),
    (gold_optimum_rl, FORM | {"beta": np.nan}, "beta must be positive and finite; got nan"),
]
