"""Chapter 9: memory, schedules and interruptions of training on many devices."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from primer_ref.accounting import model_flops_utilization
from primer_ref.collectives import all_reduce
from primer_ref.config import Config
from primer_ref.parameters import gpt_parameters
from primer_ref.pipeline import run_schedule
from primer_ref.pipeline_schedules import gpipe_schedule, interleaved_schedule
from primer_ref.roofline import DEVICES, Device, training_seconds
from primer_ref.schedules import critical_batch_tokens, gradient_noise_scale
from primer_ref.training_memory import score_share, selective_recomputation_overhead
from primer_ref.zero import zero_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

STAGES = {"state cut": 1, "gradients too": 2, "weights too": 3}
DEGREES = (1, 4, 16, 64, 256, 1024)
# Width, layers and heads of the ten sizes.
MEGATRON = (
    (2304, 24, 24),
    (3072, 30, 32),
    (4096, 36, 32),
    (6144, 40, 48),
    (8192, 48, 64),
    (10_240, 60, 80),
    (12_288, 80, 96),
    (16_384, 96, 128),
    (20_480, 105, 128),
    (25_600, 128, 160),
)
# Name, heads, length and width.
LARGE = {"GPT-3": (96, 2048, 12_288), "MT-NLG": (128, 2048, 20_480)}
# Tensor, context, pipeline and data parallel, length, sequences a data parallel group.
LLAMA3 = ((8, 1, 16, 64, 8192, 32), (8, 1, 16, 128, 8192, 16), (8, 16, 16, 8, 131_072, 16))
INTERRUPTIONS = {
    "HBM3 memory": 72,
    "software bug": 54,
    "network": 35,
    "host maintenance": 32,
    "GPU SRAM": 19,
    "GPU system processor": 17,
}


def zero_figure() -> dict[str, ArrayLike]:
    """Bytes a device of 64, in 10⁹, for 7.5 billion parameters."""
    return {f"stage {stage}": zero_bytes(7.5e9, 64, stage=stage) / 1e9 for stage in range(4)}


def zero_table() -> dict[str, ArrayLike]:
    """Bytes a device, in 10⁹, as devices grow."""
    return {
        name: [zero_bytes(7.5e9, n, stage=stage) / 1e9 for n in DEGREES]
        for name, stage in STAGES.items()
    }


def megatron() -> dict[str, ArrayLike]:
    """Count GPT-2's parts at ten sizes, in 10⁹."""
    found: dict[str, ArrayLike] = {}
    for width, n_layers, n_heads in MEGATRON:
        config = Config(
            n_layers=n_layers,
            width=width,
            n_heads=n_heads,
            n_kv_heads=n_heads,
            head_size=width // n_heads,
            hidden=4 * width,
            n_tokens=51_200,
            context=2048,
        )
        # The paper's formula leaves out the norm after the last layer.
        found[f"width {width}"] = (gpt_parameters(config).total - 2 * width) / 1e9
    return found


def megatron_days() -> dict[str, ArrayLike]:
    """Eight operations a parameter and token, since every forward pass is done twice."""
    runs = {"GPT-3": (175e9, 300e9, 1024, 140e12), "a trillion": (1.008e12, 450e9, 3072, 163e12)}
    return {
        name: training_seconds(
            8 * n_parameters * n_tokens,
            Device(flops=rate, bandwidth=1.0, memory=1.0, watts=1.0),
            n_devices=n_devices,
            utilization=1.0,
        )
        / 86_400
        for name, (n_parameters, n_tokens, n_devices, rate) in runs.items()
    }


def stored_scores() -> dict[str, ArrayLike]:
    """Bytes a token and coordinate that grow with length, and their share in percent."""
    found: dict[str, ArrayLike] = {}
    for name, (n_heads, n_tokens, width) in LARGE.items():
        share = score_share(n_tokens=n_tokens, width=width, n_heads=n_heads)
        found[name] = (34 * share / (1 - share), 100 * share)
    return found


def recomputation() -> dict[str, ArrayLike]:
    """Operations of computing scores and weighted values again, in percent of a step."""
    return {
        name: 100 * selective_recomputation_overhead(n_tokens=n_tokens, width=width)
        for name, (_, n_tokens, width) in LARGE.items()
    }


def bubbles() -> dict[str, ArrayLike]:
    """Play eight stages and 32 micro-batches, forward as long as backward."""
    plain = run_schedule(gpipe_schedule(8, 32), forward=1.0, backward=1.0)
    cut = run_schedule(interleaved_schedule(8, 32, n_chunks=2), forward=1.0, backward=1.0)
    return {
        "of the ideal time": plain.overhead,
        "of the time": plain.idle_fraction,
        "two stages a device": cut.overhead,
    }


def ring() -> dict[str, ArrayLike]:
    """Count the bytes that each device sends, over those of the array."""
    found: dict[str, ArrayLike] = {}
    for n_devices in (8, 64):
        arrays = [np.ones(64) for _ in range(n_devices)]
        found[f"{n_devices} devices"] = max(all_reduce(arrays).bytes_sent) / arrays[0].nbytes
    return found


def llama3() -> dict[str, ArrayLike]:
    """Devices, tokens of a batch, and utilization in percent."""
    peak = DEVICES["h100-sxm"].flops
    rates = (430e12, 400e12, 380e12)
    return {
        "devices": [math.prod(row[:4]) for row in LLAMA3],
        "tokens": [data * length * size for *_, data, length, size in LLAMA3],
        "utilization": [100 * model_flops_utilization(1.0, rate, peak) for rate in rates],
    }


def interruptions() -> dict[str, ArrayLike]:
    """Shares of 419, in percent."""
    return {name: 100 * count / 419 for name, count in INTERRUPTIONS.items()}


def noise_scale() -> dict[str, ArrayLike]:
    """Draw gradients whose signal and noise are known, and estimate from two batch sizes."""
    rng = np.random.default_rng(0)
    signal, spread = np.full(50, 0.2), np.linspace(0.5, 1.5, 50)
    norms = [
        np.sum((signal + spread * rng.standard_normal((200_000, 50)) / math.sqrt(n)) ** 2, axis=1)
        for n in (8, 64)
    ]
    return {"examples": gradient_noise_scale(*norms, n_small=8, n_large=64).batch}


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch09-zero-fig1": zero_figure,
    "ch09-zero-table1": zero_table,
    "ch09-megatron-table1": megatron,
    "ch09-megatron-days": megatron_days,
    "ch09-activation-5ash": stored_scores,
    "ch09-recomputation-overhead": recomputation,
    "ch09-pipeline-bubble": bubbles,
    "ch09-ring-allreduce": ring,
    "ch09-llama3-table4": llama3,
    "ch09-llama3-table4-v1-erratum": lambda: {"devices": math.prod((8, 16, 16, 4))},
    "ch09-llama3-interruptions": interruptions,
    "ch09-llama3-faulty-gpu": lambda: {"percent": 100 * 148 / 419},
    "ch09-noise-scale": noise_scale,
    "ch09-kaplan-bcrit": lambda: {
        f"loss {loss}": critical_batch_tokens(loss) for loss in (3.0, 2.0)
    },
}
