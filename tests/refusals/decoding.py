"""What decoding refuses."""

import numpy as np

from primer_ref.decoding import (
    escape_length,
    greedy,
    gumbel_max,
    min_p,
    no_repeat_ngram,
    repetition_penalty,
    restrict,
    sample,
    top_k,
    top_p,
    typical,
)

RNG = np.random.default_rng(0)

ROWS = [
    (restrict, {"p": [0.5, 0.5, 0], "keep": [False, False, True]}, "probability above 0; got 0"),
    (restrict, {"p": [0.5, 0.6], "keep": [True, True]}, "p must sum to 1"),
    (greedy, {"p": [0.5, np.nan]}, "finite and nonnegative; got nan"),
    (top_k, {"p": [0.5, 0.5], "k": 0}, "k must be from 1 to V = 2; got 0"),
    (top_k, {"p": [0.5, 0.5], "k": 3}, "k must be from 1 to V = 2; got 3"),
    (top_k, {"p": [], "k": 1}, "at least one outcome"),
    (top_p, {"p": [0.5, 0.5], "mass": 0}, r"mass must be in \(0, 1\]; got 0"),
    (top_p, {"p": [0.5, 0.5], "mass": np.nan}, r"mass must be in \(0, 1\]; got nan"),
    (min_p, {"p": [0.5, 0.5], "ratio": 1.5}, r"ratio must be in \[0, 1\]; got 1.5"),
    (typical, {"p": [0.5, 0.5], "mass": 1.1}, r"mass must be in \(0, 1\]; got 1.1"),
    (
        repetition_penalty,
        {"logits": [0, 1], "tokens": [2], "penalty": 1.2},
        "symbols must be whole numbers from 0 to 1; got 2",
    ),
    (repetition_penalty, {"logits": [0, 1], "tokens": [1], "penalty": 0}, "positive and finite"),
    (
        repetition_penalty,
        {"logits": [0, 1], "tokens": [0.9], "penalty": 2},
        "symbols must be whole numbers from 0 to 1; got 0.9",
    ),
    (no_repeat_ngram, {"tokens": [0], "n": 0, "n_tokens": 2}, "n must be at least 1; got 0"),
    (no_repeat_ngram, {"tokens": [-1], "n": 1, "n_tokens": 2}, "from 0 to 1; got -1"),
    (sample, {"p": [0.5, 0.4], "rng": RNG}, "p must sum to 1"),
    (gumbel_max, {"logits": [-np.inf, -np.inf], "rng": RNG}, "finite largest score"),
    (escape_length, {"leave": [0.5, 1.5]}, r"^leave must hold probab.* in \[0, 1\]; got 1.5"),
    (escape_length, {"leave": []}, "at least one place; got none"),
    (repetition_penalty, {"logits": 0.5, "tokens": [], "penalty": 1.2}, "1 or more axes"),
]
