"""Chapter 7: caches, attention's traffic, adapters, and four-bit levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from primer_ref.accounting import model_flops_utilization
from primer_ref.lora import lora_parameters
from primer_ref.memory import kv_cache_bytes
from primer_ref.parameters import MODELS
from primer_ref.quantization import nf4_levels

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

CACHES = ("llama2-7b", "llama2-70b", "llama3-8b", "llama3-405b", "gpt3-175b")


def palm_utilization() -> dict[str, ArrayLike]:
    """Six operations a parameter, and twelve a pair of tokens for all layers' heads, in percent."""
    matrices, pairs = 6 * 540.35e9, 12 * 118 * 48 * 256 * 2048
    return {
        name: 100 * model_flops_utilization(flops, 238.3e3, 6144 * 275e12)
        for name, flops in (("without attention", matrices), ("with attention", matrices + pairs))
    }


def adapted_gpt3() -> dict[str, ArrayLike]:
    """Adapt queries and values of every layer, in millions."""
    config = MODELS["gpt3-175b"].config
    return {
        f"rank {rank}": 2
        * config.n_layers
        * lora_parameters(config.width, config.width, rank=rank)
        / 1e6
        for rank in (1, 8)
    }


def adapter_layers() -> dict[str, ArrayLike]:
    """Two adapters in each of 96 layers: two matrices and their biases, in millions."""
    width, adapters = 12_288, 192
    return {
        f"rank {rank}": adapters * (lora_parameters(width, width, rank=rank) + rank + width) / 1e6
        for rank in (1, 8)
    }


def adapted_gpt2() -> dict[str, ArrayLike]:
    """Adapt queries and values of every layer at rank 4, in millions."""
    found: dict[str, ArrayLike] = {}
    for name in ("gpt2-medium", "gpt2-large"):
        config = MODELS[name].config
        adapter = lora_parameters(config.width, config.width, rank=4)
        found[name] = 2 * config.n_layers * adapter / 1e6
    return found


def attention_products() -> dict[str, ArrayLike]:
    """Two products forward and four backward, of 16 heads and 64 texts, in 10⁹ operations."""
    n, size, heads, batch = 1024, 64, 16, 64
    return {"GFLOP": 6 * 2 * n * n * size * heads * batch / 1e9}


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch07-kv-sizes": lambda: {
        name: kv_cache_bytes(MODELS[name].config, n_tokens=1) for name in CACHES
    },
    "ch07-flash-ratios": lambda: {
        "operations": 75.2 / 66.6,
        "traffic": 40.3 / 4.4,
        "time": 41.7 / 7.3,
    },
    "ch07-flash-gflops": attention_products,
    "ch07-palm-mfu": palm_utilization,
    "ch07-lora-gpt3": adapted_gpt3,
    "ch07-lora-adapterH": adapter_layers,
    "ch07-lora-gpt2": adapted_gpt2,
    "ch07-nf4-table": lambda: {"levels": nf4_levels()},
}
