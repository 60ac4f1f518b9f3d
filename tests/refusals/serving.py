"""What the arithmetic of serving refuses."""

from math import nan

from primer_ref.parameters import MODELS
from primer_ref.roofline import DEVICES
from primer_ref.serving import (
    cost_per_million_tokens,
    decode_crossover,
    decode_intensity,
    decode_seconds,
    largest_batch,
    littles_law,
    prefill_intensity,
    request_seconds,
)

MODEL = {"config": MODELS["gpt2"].config, "parameters": MODELS["gpt2"].parameters}
ON = MODEL | {"device": DEVICES["h100-sxm"]}

ROWS = [
    (prefill_intensity, MODEL | {"n_tokens": 0}, "n_tokens must be positive; got 0"),
    (decode_intensity, MODEL | {"n_past": -1}, "n_past must not be negative; got -1"),
    (decode_intensity, MODEL | {"n_past": 0, "batch": 0}, "batch must be positive; got 0"),
    (decode_seconds, ON | {"n_past": -1}, "n_past must not be negative; got -1"),
    (decode_crossover, ON | {"n_past": -1}, "n_past must not be negative; got -1"),
    (largest_batch, ON | {"n_tokens": 0}, "n_tokens must be positive; got 0"),
    (request_seconds, ON | {"n_prompt": 0, "n_new": 1}, "n_tokens must be positive; got 0"),
    (request_seconds, ON | {"n_prompt": 1, "n_new": 0}, "n_new must be positive; got 0"),
    (littles_law, {"arrivals_per_second": -1, "seconds": 1}, "arrivals_per_second must be pos"),
    (littles_law, {"arrivals_per_second": 1, "seconds": nan}, "seconds must be pos.* got nan"),
    (
        cost_per_million_tokens,
        {"dollars_per_hour": nan, "tokens_per_second": 1},
        "^dollars_per_hour must be positive; got nan",
    ),
    (
        cost_per_million_tokens,
        {"dollars_per_hour": 1, "tokens_per_second": 0},
        "tokens_per_second must be positive; got 0",
    ),
]
