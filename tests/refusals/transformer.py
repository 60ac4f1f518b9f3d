"""What the decoder refuses."""

import numpy as np

from primer_ref.config import Config
from primer_ref.transformer import embed, forward, initialize

CONFIG = Config(
    n_layers=1,
    width=4,
    n_heads=2,
    n_kv_heads=1,
    head_size=2,
    hidden=6,
    n_tokens=5,
    context=8,
)
MODEL = {"config": CONFIG, "weights": initialize(CONFIG, rng=np.random.default_rng(0))}

ROWS = [
    (embed, {**MODEL, "tokens": []}, r"at least one integer; got shape \(0,\) of float64"),
    (embed, {**MODEL, "tokens": 3}, r"at least one integer; got shape \(\) of int64"),
    (embed, {**MODEL, "tokens": [1.0]}, "at least one integer; got .* of float64"),
    (embed, {**MODEL, "tokens": [np.nan]}, "at least one integer; got .* of float64"),
    (embed, {**MODEL, "tokens": [True]}, "at least one integer; got .* of bool"),
    (forward, {**MODEL, "tokens": [[0, 5]]}, "from 0 to 4; got 5"),
    (forward, {**MODEL, "tokens": [[0, -1]]}, "from 0 to 4; got -1"),
]
