"""Which variants of attention are refused."""

import numpy as np

from primer_ref.attention_variants import (
    gated_attention,
    linformer_attention,
    pool_heads,
    receptive_field,
    sliding_window_mask,
)

X = np.ones((3, 4))

ROWS = [
    (sliding_window_mask, {"n_queries": 3, "window": 0}, "at least the token itself; got 0"),
    (sliding_window_mask, {"n_queries": 3, "window": 1, "n_keys": 2}, "got 2 and 3"),
    (receptive_field, {"n_layers": 2, "window": 0}, "at least the token itself; got 0"),
    (receptive_field, {"n_layers": -1, "window": 2}, "n_layers must not be negative; got -1"),
    (
        linformer_attention,
        {"q": X, "k": X, "v": X, "mix_keys": np.ones((2, 3)), "mix_values": np.ones((2, 4))},
        r"one column a key; got shapes \(2, 3\) and \(2, 4\) for 3 keys",
    ),
    (pool_heads, {"w": X, "n_heads": 3, "n_kv_heads": 1}, "multiple of n_heads; got 4 and 3"),
    (pool_heads, {"w": X, "n_heads": 4, "n_kv_heads": 3}, "of n_kv_heads; got 4 and 3"),
    (pool_heads, {"w": X, "n_heads": 4, "n_kv_heads": 0}, "of n_kv_heads; got 4 and 0"),
    (gated_attention, {"q": X, "k": X[:, :2], "v": X, "gate": X}, "one size; got 4 and 2"),
    (
        linformer_attention,
        {
            "q": np.eye(2),
            "k": np.ones(2),
            "v": np.eye(2),
            "mix_keys": np.eye(2),
            "mix_values": np.eye(2),
        },
        r"2 or more axes here; got shape \(2,\)",
    ),
    (pool_heads, {"w": 0.5, "n_heads": 1, "n_kv_heads": 1}, "2 or more axes"),
]
