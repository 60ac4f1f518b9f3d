"""What the accounts of bytes refuse."""

from math import nan

from primer_ref.memory import forward_bytes, kv_cache_bytes, paged_tokens, weight_bytes
from primer_ref.parameters import MODELS

CONFIG, PARAMETERS = MODELS["gpt2"].config, MODELS["gpt2"].parameters
BOTH = {"config": CONFIG, "parameters": PARAMETERS}

ROWS = [
    (weight_bytes, {"parameters": PARAMETERS, "bits": 0}, "bits must be positive; got 0"),
    (kv_cache_bytes, {"config": CONFIG, "n_tokens": 0}, "n_tokens must be positive; got 0"),
    (
        kv_cache_bytes,
        {"config": CONFIG, "n_tokens": 1, "bytes_per_number": nan},
        "bytes_per_number must be positive; got nan",
    ),
    (paged_tokens, {"lengths": [1], "block": 0}, "block must be positive; got 0"),
    (paged_tokens, {"lengths": [3, -1], "block": 4}, "lengths must not be negative; got -1"),
    (paged_tokens, {"lengths": [1.5], "block": 4}, "whole numbers; got entries of type float64"),
    (forward_bytes, BOTH | {"n_tokens": 1, "batch": 0}, "batch must be positive; got 0"),
    (forward_bytes, BOTH | {"n_tokens": 0}, "n_tokens must be positive; got 0"),
    (forward_bytes, BOTH | {"n_tokens": 1, "n_past": nan}, "n_past must not be negative; got nan"),
]
