"""What random projections refuse."""

import numpy as np

from primer_ref.projections import jl_dimension, random_projection

ROWS = [
    (jl_dimension, {"n_points": 1, "eps": 0.1}, "got 1 and 0.1"),
    (jl_dimension, {"n_points": 9, "eps": 1}, "got 9 and 1"),
    (jl_dimension, {"n_points": 9, "eps": np.nan}, "got 9 and nan"),
    (
        random_projection,
        {"x": [1.0], "width": 0, "rng": np.random.default_rng(0)},
        "width must be at least 1; got 0",
    ),
]
