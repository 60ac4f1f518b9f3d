"""A server under load: how many answers are written at a time, and what a user waits for."""

from __future__ import annotations

import math

from primer_ref.accounting import causal_forward_flops
from primer_ref.memory import forward_bytes, kv_cache_bytes
from primer_ref.parameters import MODELS
from primer_ref.roofline import DEVICES
from primer_ref.serving import cost_per_million_tokens, largest_batch, request_seconds
from widgets import Choice, Range

H100 = DEVICES["h100-sxm"]
SERVED = {"Llama 3 8B": MODELS["llama3-8b"], "Llama 2 7B": MODELS["llama2-7b"]}
BYTES = {"16 bits": 2.0, "8 bits": 1.0, "4 bits": 0.5}
CONTROLS = (
    Range("rate", "Requests λ", 0.5, 60, 8, log=True, unit="a second"),
    Range("prompt", "Prompt P", 50, 8000, 2000, step=1, log=True, unit="tokens"),
    Range("answer", "Answer m", 10, 2000, 300, step=1, log=True, unit="tokens"),
    Choice("model", "Model", tuple(SERVED), "Llama 3 8B"),
    Choice("numbers", "Weights and caches", tuple(BYTES), "16 bits"),
)


def data() -> dict[str, object]:
    """Give what the script multiplies: counts of each model, and the device's datasheet."""
    models = {}
    for name, model in SERVED.items():
        sizes = (model.config, model.parameters)
        cache = kv_cache_bytes(model.config, n_tokens=1, bytes_per_number=1)
        flops = causal_forward_flops(*sizes, n_tokens=1)
        pair = flops.scores + flops.mixing
        models[name] = {
            "stored": model.parameters.total,
            "moved": forward_bytes(*sizes, n_tokens=1, bytes_per_number=1) - cache,
            "cache": cache,
            # Operations: in all layers for a token, for a pair of tokens, and for a token's scores.
            "token": flops.total - pair - flops.logits,
            "pair": pair,
            "head": flops.logits,
        }
    device = {"flops": H100.flops, "bandwidth": H100.bandwidth, "memory": H100.memory}
    return {"models": models, "bytes": BYTES, "device": device}


def compute(
    *, rate: float, prompt: int, answer: int, model: str, numbers: str
) -> dict[str, float | int]:
    """Compute the balance of a device that reads prompts and writes answers side by side."""
    served, size = SERVED[model], BYTES[numbers]
    config, sizes = served.config, (served.config, served.parameters)
    read, _ = request_seconds(*sizes, H100, n_prompt=prompt, n_new=1, bytes_per_number=size)
    one = kv_cache_bytes(config, n_tokens=1, bytes_per_number=size)
    moved = forward_bytes(*sizes, n_tokens=1, bytes_per_number=size) - one
    weights, cache = moved / H100.bandwidth, one * (prompt + answer / 2) / H100.bandwidth
    limit = 1 / (read + answer * cache)
    batch = rate * answer * weights / (1 - rate / limit) if rate < limit else math.inf
    return {
        "read": read,
        "weights": weights,
        "cache": cache,
        "limit": limit,
        "batch": batch,
        "memory": largest_batch(*sizes, H100, n_tokens=prompt + answer, bytes_per_number=size),
        "seconds": batch / rate,
        "price": cost_per_million_tokens(2.0, rate * answer),
    }
