"""Chapter 2: parameters and operations of published models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from primer_ref.accounting import forward_flops, palm_flops_per_token, training_flops
from primer_ref.config import Config
from primer_ref.heads import attention_parameters
from primer_ref.parameters import MODELS, gpt_parameters, llama_parameters
from published import DATA

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

PETAFLOP_DAY = 1e15 * 86_400
# Pythia's names are rounded totals; what is counted is the model without both ends.
PYTHIA = {
    "70M": (6, 512),
    "160M": (12, 768),
    "410M": (24, 1024),
    "1.0B": (16, 2048),
    "1.4B": (24, 2048),
    "2.8B": (32, 2560),
    "6.9B": (32, 4096),
    "12B": (36, 5120),
}
GPT3 = {
    "Small": (12, 768),
    "Medium": (24, 1024),
    "Large": (24, 1536),
    "XL": (24, 2048),
    "2.7B": (32, 2560),
    "6.7B": (32, 4096),
    "175B": (96, 12288),
}
SMOLLM2 = {
    "135M": (30, 576, 9, 3, 1536),
    "360M": (32, 960, 15, 5, 2560),
    "1.7B": (24, 2048, 32, 32, 8192),
}
# Layers, width and heads of the rows of table A4.
CHINCHILLA = (
    (10, 640, 10),
    (20, 1024, 16),
    (24, 1280, 10),
    (26, 1792, 14),
    (28, 2048, 16),
    (40, 3584, 28),
)


def gpt(n_layers: int, width: int, *, n_heads: int = 8, n_tokens: int = 50_257) -> Config:
    """Fill in what a count of a GPT does not depend on, or what all of them share."""
    return Config(
        n_layers=n_layers,
        width=width,
        n_heads=n_heads,
        n_kv_heads=n_heads,
        head_size=width // n_heads,
        hidden=4 * width,
        n_tokens=n_tokens,
        context=2048,
    )


def gpt2() -> dict[str, ArrayLike]:
    """Count tables, matrices, biases and norms; the head is the table of tokens."""
    names = ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl")
    return {name: MODELS[name].parameters.total for name in names}


def gpt2_as_printed() -> dict[str, ArrayLike]:
    """Count the same in millions."""
    return {name: int(count) / 1e6 for name, count in gpt2().items()}  # type: ignore[arg-type]


def nanogpt() -> dict[str, ArrayLike]:
    """Count GPT-2 without biases, and the operations of a step on 1,024 tokens."""
    model = MODELS["gpt2"]
    forward = forward_flops(model.config, model.parameters, n_tokens=1024).total
    n_parameters = model.parameters.total - model.parameters.biases
    counted = n_parameters - model.parameters.position_embedding
    return {
        "parameters": n_parameters,
        "forward": forward,
        "forward and backward": 3 * forward,
        "by the rule of PaLM": 1024 * palm_flops_per_token(model.config, counted, n_tokens=1024),
    }


def without_positions() -> dict[str, ArrayLike]:
    """Leave the table of positions out of GPT-2."""
    count = MODELS["gpt2"].parameters
    return {"parameters": count.total - count.position_embedding}


def llama3() -> dict[str, ArrayLike]:
    """Count Llamas with a head of their own."""
    return {name: MODELS[f"llama3-{name}"].parameters.total for name in ("8b", "70b", "405b")}


def llama2_and_mistral() -> dict[str, ArrayLike]:
    """Count more Llamas with a head of their own."""
    names = ("llama2-7b", "llama2-13b", "llama2-70b", "mistral-7b")
    return {name: MODELS[name].parameters.total for name in names}


def smollm2() -> dict[str, ArrayLike]:
    """Count Llamas whose head is the table of tokens."""
    found: dict[str, ArrayLike] = {}
    for name, (n_layers, width, n_heads, n_kv_heads, hidden) in SMOLLM2.items():
        config = Config(
            n_layers=n_layers,
            width=width,
            n_heads=n_heads,
            n_kv_heads=n_kv_heads,
            head_size=64,
            hidden=hidden,
            n_tokens=49_152,
            context=8192,
        )
        found[name] = llama_parameters(config, tied=True).total
    return found


def pythia() -> dict[str, ArrayLike]:
    """Count what lies between both ends."""
    return {name: gpt_parameters(gpt(*shape)).non_embedding for name, shape in PYTHIA.items()}


def gpt3() -> dict[str, ArrayLike]:
    """Count GPT-2's parts at the sizes of GPT-3, in millions."""
    return {name: gpt_parameters(gpt(*shape)).total / 1e6 for name, shape in GPT3.items()}


def gpt3_training() -> dict[str, ArrayLike]:
    """Six operations a parameter and token, on 300 billion tokens."""
    millions = {"Small": 125, "XL": 1320, "6.7B": 6660, "13B": 12_850, "175B": 174_600}
    flops = {name: training_flops(n * 1e6, 300e9) for name, n in millions.items()}
    return {name: (count, count / PETAFLOP_DAY) for name, count in flops.items()}


def vaswani() -> dict[str, ArrayLike]:
    """Count six encoder and six decoder layers with biases, and one shared table, in millions."""
    found: dict[str, ArrayLike] = {}
    for name, width, hidden in (("base", 512, 2048), ("big", 1024, 4096)):
        attention = attention_parameters(width, 8, width // 8) + 4 * width
        feed_forward = 2 * width * hidden + hidden + width
        encoder = attention + feed_forward + 2 * 2 * width
        decoder = 2 * attention + feed_forward + 3 * 2 * width
        found[name] = (37_000 * width + 6 * (encoder + decoder)) / 1e6
    return found


def chinchilla() -> dict[str, ArrayLike]:
    """Divide counted operations by 6 N D, both without the ends' tables where the paper does so.

    A softmax costs three operations a score; N has a fifth attention matrix and three more vectors
    a layer, for relative positions.
    """
    found: dict[str, ArrayLike] = {}
    for n_layers, width, n_heads in CHINCHILLA:
        config = gpt(n_layers, width, n_heads=n_heads, n_tokens=32_000)
        count = gpt_parameters(config)
        flops = forward_flops(config, count, n_tokens=2048)
        softmax = 3 * n_layers * n_heads * 2048**2
        positions = n_layers * (width**2 + 2 * width) + config.n_tokens * width
        estimate = training_flops(count.non_embedding + positions, 2048)
        found[f"{n_layers} layers"] = 3 * (flops.total - flops.logits + softmax) / estimate
    return found


def chinchilla_sizes() -> dict[str, ArrayLike]:
    """Count the models of table A9 and compare, in whole millions.

    Beside the matrices, a layer has biases of the feed-forward part, norms and two vectors for
    relative positions: 5 C, 4 C and 2 C.
    """
    table = json.loads((DATA / "chinchilla_a9.json").read_text(encoding="utf-8"))
    differences = []
    for printed, n_layers, width, n_heads, head_size, hidden in table["rows"]:
        positions = width * n_heads * head_size
        attention = attention_parameters(width, n_heads, head_size) + positions
        layer = attention + 2 * width * hidden + 11 * width
        differences.append(round((n_layers * layer + 32_000 * width) / 1e6) - printed)
    return {
        "rows that agree": differences.count(0),
        "largest difference": max(map(abs, differences)),
    }


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch02-gpt2-params": gpt2,
    "ch02-gpt2-117M": gpt2_as_printed,
    "ch02-gpt2m-lora-354.92": lambda: {
        "millions": MODELS["gpt2-medium"].parameters.total / 1e6,
    },
    "ch02-nanogpt-sizing": nanogpt,
    "ch02-nanogpt-scalinglaws-123.65": without_positions,
    "ch02-llama3-params": llama3,
    "ch02-llama2-mistral-params": llama2_and_mistral,
    "ch02-smollm2-params": smollm2,
    "ch02-pythia-nonemb": pythia,
    "ch02-gpt3-params": gpt3,
    "ch02-gpt3-flops": gpt3_training,
    "ch02-vaswani-params": vaswani,
    "ch02-chinchilla-A4": chinchilla,
    "ch02-chinchilla-A9": chinchilla_sizes,
    "ch02-palm-flops": lambda: {"FLOP": training_flops(540.35e9, 780e9)},
    "ch02-llama3-flops": lambda: {"FLOP": training_flops(405e9, 15.6e12)},
}
