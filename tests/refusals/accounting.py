"""What the accounts of a decoder refuse."""

from math import nan

from primer_ref.accounting import (
    causal_forward_flops,
    forward_flops,
    model_flops_utilization,
    palm_flops_per_token,
    training_flops,
)
from primer_ref.parameters import MODELS

CONFIG, PARAMETERS = MODELS["gpt2"].config, MODELS["gpt2"].parameters
BOTH = {"config": CONFIG, "parameters": PARAMETERS}

ROWS = [
    (forward_flops, BOTH | {"n_tokens": 0}, "n_tokens must be positive; got 0"),
    (forward_flops, BOTH | {"n_tokens": 1, "n_past": -1}, "n_past must not be negative; got -1"),
    (causal_forward_flops, BOTH | {"n_tokens": 0}, "n_tokens must be positive; got 0"),
    (causal_forward_flops, BOTH | {"n_tokens": 1, "n_past": -2}, "not be negative; got -2"),
    (training_flops, {"n_parameters": 0, "n_tokens": 1}, "n_parameters must be positive; got 0"),
    (training_flops, {"n_parameters": 1, "n_tokens": nan}, "n_tokens must be positive; got nan"),
    (
        palm_flops_per_token,
        {"config": CONFIG, "n_parameters": -1, "n_tokens": 1},
        "n_parameters must be positive; got -1",
    ),
    (
        palm_flops_per_token,
        {"config": CONFIG, "n_parameters": 1, "n_tokens": 0},
        "n_tokens must be positive; got 0",
    ),
    (
        model_flops_utilization,
        {"flops_per_token": 0, "tokens_per_second": 1, "peak_flops": 1},
        "flops_per_token must be positive; got 0",
    ),
    (
        model_flops_utilization,
        {"flops_per_token": 1, "tokens_per_second": nan, "peak_flops": 1},
        "tokens_per_second must be positive; got nan",
    ),
    (
        model_flops_utilization,
        {"flops_per_token": 1, "tokens_per_second": 1, "peak_flops": 0},
        "peak_flops must be positive; got 0",
    ),
]
