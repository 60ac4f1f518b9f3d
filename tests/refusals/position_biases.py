"""Which biases are refused."""

import numpy as np

from primer_ref.position_biases import (
    alibi_bias,
    alibi_slopes,
    offsets,
    relative_bias,
    shaw_bias,
    t5_buckets,
    t5_buckets_causal,
)

ROWS = [
    (offsets, {"n_queries": 3, "n_keys": 2}, "n_keys must be at least n_queries; got 2 and 3"),
    (alibi_slopes, {"n_heads": 0}, "n_heads must be positive; got 0"),
    (alibi_bias, {"slopes": [1.0], "n_queries": 2, "n_keys": 1}, "got 1 and 2"),
    (relative_bias, {"table": [1.0, 2.0], "n_queries": 2}, "an odd number; got 2"),
    (relative_bias, {"table": [1.0], "n_queries": 2, "n_keys": 0}, "got 0 and 2"),
    (shaw_bias, {"q": np.ones((2, 3)), "table": np.ones((4, 3))}, "an odd number; got 4"),
    (shaw_bias, {"q": np.ones((2, 3)), "table": np.ones((3, 3)), "n_keys": 1}, "got 1 and 2"),
    (t5_buckets, {"offset": [0.5]}, "offsets must be integers; got float64"),
    (t5_buckets, {"offset": [0], "n_buckets": 2}, "there must be one; got 128 and 0"),
    (t5_buckets, {"offset": [0], "max_distance": 8}, "must lie beyond .* got 8 and 8"),
    (t5_buckets_causal, {"offset": [True]}, "offsets must be integers; got bool"),
    (t5_buckets_causal, {"offset": [0], "max_distance": 8}, "got 8 and 16"),
    (alibi_bias, {"slopes": 0.5, "n_queries": 2}, "1 or more axes"),
    (relative_bias, {"table": 0.5, "n_queries": 2}, "1 or more axes"),
]
