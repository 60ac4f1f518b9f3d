"""What the measures of bias refuse."""

import numpy as np

from primer_ref.bias import (
    argmax_shares,
    association,
    sampled_shares,
    weat_effect_size,
    weat_p_value,
    weat_p_value_sampled,
)

ONE = np.ones((1, 2))
SETS = {"x": [[1.0, 0.0]], "y": [[0.0, 1.0]], "a": [[1.0, 0.0]], "b": [[0.0, 1.0]]}
MANY = np.random.default_rng(0).normal(size=(12, 2))

ROWS = [
    (
        association,
        {"words": [1.0, 0.0], "a": ONE, "b": ONE},
        "words must hold one row a word",
    ),
    (
        association,
        {"words": ONE, "a": np.zeros((0, 2)), "b": ONE},
        r"got shape \(0, 2\)",
    ),
    (association, {"words": ONE, "a": ONE, "b": [[0.0, 0.0]]}, "b must hold finite vectors other"),
    (association, {"words": [[np.nan, 1]], "a": ONE, "b": ONE}, "words must hold finite vectors"),
    (weat_effect_size, SETS | {"y": [[2.0, 0.0]]}, "the associations must differ"),
    (weat_effect_size, SETS | {"x": [[0.0, 0.0]]}, "words must hold finite vectors other than 0"),
    (weat_p_value, SETS | {"x": MANY, "y": MANY}, "at most 1000000 partitions; got 2704156"),
    (weat_p_value, SETS | {"a": [[np.inf, 0.0]]}, "a must hold finite vectors"),
    (
        weat_p_value_sampled,
        SETS | {"n_samples": 0, "rng": np.random.default_rng(0)},
        "n_samples must be at least 1; got 0",
    ),
    (
        sampled_shares,
        {"conditionals": [[0.5, 0.5]], "weights": [0.5, 0.5]},
        r"one weight a context; got shapes \(1, 2\) and \(2,\)",
    ),
    (sampled_shares, {"conditionals": [[0.5, 0.6]], "weights": [1]}, "conditionals must be nonneg"),
    (
        sampled_shares,
        {"conditionals": [[0.5, 0.5]], "weights": [1], "temperature": 0},
        "temperature must be positive and finite; got 0",
    ),
    (argmax_shares, {"conditionals": [[1.5, -0.5]], "weights": [1]}, "conditionals must be nonneg"),
    (argmax_shares, {"conditionals": [[0.5, 0.5]], "weights": [0.9]}, "weights must be nonnegat"),
    (argmax_shares, {"conditionals": [0.5, 0.5], "weights": 1}, r"got shapes \(2,\) and \(\)"),
]
