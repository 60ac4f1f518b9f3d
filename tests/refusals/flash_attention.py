"""Which tiles are refused."""

import numpy as np

from primer_ref.flash_attention import (
    flash_attention,
    flash_attention_backward,
    hbm_traffic_bound,
    hbm_traffic_flash,
    tile_rows,
)

X = np.ones((2, 3))
ARRAYS = {"q": X, "k": X, "v": X, "block_q": 1, "block_k": 1}
BACKWARD = ARRAYS | {"d_out": X, "forward": (X, X[:, 0])}
WIDE = np.ones((2, 4))

ROWS = [
    (flash_attention, ARRAYS | {"block_q": 0}, "at least one row; got 0 and 1"),
    (flash_attention, ARRAYS | {"block_k": -1}, "at least one row; got 1 and -1"),
    (flash_attention, ARRAYS | {"k": WIDE}, "one size; got 3 and 4"),
    (flash_attention, ARRAYS | {"q": X * np.nan}, r"scores below \+∞; got nan"),
    (flash_attention_backward, BACKWARD | {"block_q": 0}, "at least one row; got 0 and 1"),
    (flash_attention_backward, BACKWARD | {"k": WIDE}, "one size; got 3 and 4"),
    (tile_rows, {"size": 64, "memory": 321}, "a query's 322 numbers; got 321"),
    (hbm_traffic_bound, {"n_tokens": 8, "size": 4, "memory": 15}, "d² = 16 numbers; got 15"),
    (hbm_traffic_flash, {"n_tokens": 8, "size": 1, "memory": 6}, "a query's 7 numbers; got 6"),
    (flash_attention, ARRAYS | {"v": 0.5}, "2 or more axes"),
]
