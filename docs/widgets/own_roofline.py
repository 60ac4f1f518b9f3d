"""The roofline of the reader's own hardware, with a pass of a real model under it."""

from __future__ import annotations

from typing import Any

from experiments import record
from primer_ref.accounting import causal_forward_flops, prompt_flops
from primer_ref.memory import forward_bytes, kv_cache_bytes
from primer_ref.parameters import MODELS
from primer_ref.roofline import Device, arithmetic_intensity, attainable, ridge_point
from primer_ref.roofline import roofline_seconds as seconds_of
from primer_ref.serving import decode_crossover
from widgets import Choice, Number, Range

GIGA = 1e9
# Name, model, bytes of a number.
KINDS = {
    "SmolLM2 135M, 32 bits": ("smollm2-135m", 4),
    "SmolLM2 135M, 16 bits": ("smollm2-135m", 2),
    "Llama 3 8B, 16 bits": ("llama3-8b", 2),
    "Llama 3 8B, 8 bits": ("llama3-8b", 1),
}
MACHINE = record.load("machine_roofline")["machine"]
CONTROLS = (
    Number("peak", "Peak rate", 0.1, 1e8, round(MACHINE["peak"] / GIGA, 1), "GFLOP/s"),
    Number("bandwidth", "Memory", 0.1, 1e6, round(MACHINE["bandwidth"] / GIGA, 1), "GB/s"),
    Choice("model", "Model", tuple(KINDS), "SmolLM2 135M, 32 bits"),
    Choice("work", "Work", ("writing", "reading"), "writing"),
    Range("batch", "Sequences", 1, 1024, 1, step=1, log=True),
    Range("tokens", "Tokens before, or read", 1, 8192, 64, step=1, log=True),
)


def data() -> dict[str, Any]:
    """Give the letters of the chapter for each model, its numbers of b bytes."""
    sizes = {}
    for kind, (name, size) in KINDS.items():
        config, count = MODELS[name].config, MODELS[name].parameters
        sizes[kind] = {
            "L": config.n_layers,
            "H": config.n_heads,
            "K": config.n_kv_heads,
            "D": config.head_size,
            "N": count.non_embedding + count.scores,
            "Nlayers": count.attention + count.feed_forward,
            "Nscores": count.scores,
            "b": size,
        }
    return sizes


def compute(
    *, peak: float, bandwidth: float, model: str, work: str, batch: int, tokens: int
) -> dict[str, object]:
    """Compute intensity, ridge, the least time of a pass, and how many sequences reach the ridge.

    Reading makes the scores of the last token only, as everywhere in the chapter.
    """
    name, size = KINDS[model]
    config, count = MODELS[name].config, MODELS[name].parameters
    # Only rates matter here: how much memory there is and what it draws does not.
    device = Device(peak * GIGA, bandwidth * GIGA, 1, 1)
    new, past = (1, tokens) if work == "writing" else (tokens, 0)
    if work == "writing":
        flops = causal_forward_flops(config, count, n_tokens=new, n_past=past).total
    else:
        flops = prompt_flops(config, count, n_tokens=new)
    cache = kv_cache_bytes(config, n_tokens=past + new, bytes_per_number=size)
    moved = forward_bytes(
        config, count, n_tokens=new, n_past=past, batch=batch, bytes_per_number=size
    )
    intensity = arithmetic_intensity(batch * flops, moved)
    seconds = seconds_of(batch * flops, moved, device)
    crossover = decode_crossover(config, count, device, n_past=past, bytes_per_number=size)
    return {
        "intensity": intensity,
        "most": float(flops / cache),
        "ridge": ridge_point(device),
        "attainable": float(attainable(intensity, device)),
        "seconds": seconds,
        "rate": batch * new / seconds,
        "crossover": float(crossover) if work == "writing" else None,
    }
