"""What low-rank adaptation refuses."""

import numpy as np

from primer_ref.config import Config
from primer_ref.lora import adapt_attention, best_adapter, lora_parameters, start_adapter
from primer_ref.transformer import initialize

CONFIG = Config(
    n_layers=2,
    width=4,
    n_heads=2,
    n_kv_heads=1,
    head_size=2,
    hidden=6,
    n_tokens=5,
    context=8,
)
RNG = np.random.default_rng(0)
ONE = [start_adapter(4, 8, rank=1, rng=RNG)]

ROWS = [
    (start_adapter, {"n": 4, "m": 3, "rank": 0, "rng": RNG}, "rank must be from 1 to 3; got 0"),
    (lora_parameters, {"n": 4, "m": 3, "rank": 4}, "rank must be from 1 to 3; got 4"),
    (best_adapter, {"delta": np.ones((2, 5)), "rank": 3}, "rank must be from 1 to 2; got 3"),
    (best_adapter, {"delta": [[1.0, np.inf]], "rank": 1}, "must be a finite table"),
    (
        adapt_attention,
        {"weights": initialize(CONFIG, rng=RNG), "adapters": ONE, "alpha": 1.0},
        "one adapter a layer; got 1 for 2",
    ),
]
