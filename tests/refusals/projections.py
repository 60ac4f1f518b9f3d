"""What random projections refuse."""

import numpy as np

from primer_ref.projections import (
    jl_dimension,
    packing_cosine,
    random_projection,
    welch_bound,
)

ROWS = [
    (jl_dimension, {"n_points": 1, "eps": 0.1}, "got 1 and 0.1"),
    (jl_dimension, {"n_points": 9, "eps": 1}, "got 9 and 1"),
    (jl_dimension, {"n_points": 9, "eps": np.nan}, "got 9 and nan"),
    (packing_cosine, {"n_vectors": 1, "width": 3}, "got 1 and 3"),
    (packing_cosine, {"n_vectors": 3, "width": 0}, "got 3 and 0"),
    (welch_bound, {"n_vectors": 1, "width": 3}, "got 1 and 3"),
    (welch_bound, {"n_vectors": 3, "width": 0}, "got 3 and 0"),
    (
        random_projection,
        {"x": [1.0], "width": 0, "rng": np.random.default_rng(0)},
        "width must be at least 1; got 0",
    ),
    (
        random_projection,
        {"x": 1.0, "width": 2, "rng": np.random.default_rng(0)},
        r"1 or more axes here; got shape \(\)",
    ),
]
