"""How fast a GPU multiplies and moves, and how fast it writes tokens, under its own roofline.

Products of a few or many rows with one large matrix pass from the slope of the roof to its flat
part. Under it lie steps of writing, for models of the sizes of SmolLM2 135M and Llama 3 8B with
random weights in bfloat16 (neither operations nor bytes depend on the values). A step is timed as
Python calls it, and as a graph that is recorded once and replayed. Operations and bytes are counted
by `primer_ref`. Needs an NVIDIA GPU: ``nox -s gpu``. Result:

- ``sizes``: the matrix, rows and columns.
- ``products``: for each kind of number (``tf32`` are float32 numbers that the multipliers round to
  a mantissa of ten bits), for every number of ``rows``, the ``flops``, the ``bytes`` if each matrix
  is moved once, and the ``intensity``.
- ``decode``: for every model and past, the numbers of ``batches``, and in the same order the
  ``flops`` of a step and its ``intensity``.
- ``machine``: ``products``: ``seconds`` and ``flops_per_second`` in the same order; ``copy``: bytes
  a second, read and written, of a copy; ``bandwidth``, the faster of that and of the product in
  bfloat16 with one row; ``peak``, the fastest product for each kind; ``ridge`` in FLOP a byte, for
  bfloat16; ``decode``: for every model and past ``called`` and ``replayed``, seconds of a step;
  ``products`` and ``attention``, seconds of its matrix products and of its attention alone,
  replayed; ``allowed``, the tokens a second that the measured roof allows; and of a replayed step
  ``tokens_per_second``, the ``share`` of what is allowed and ``of_peak``, operations over the peak.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from experiments import gpu, machine_roofline, record
from experiments.gpu import torch
from primer_ref.accounting import causal_forward_flops
from primer_ref.config import Config
from primer_ref.parameters import MODELS
from primer_ref.roofline import Device, arithmetic_intensity, ridge_point
from primer_ref.serving import decode_intensity

NAME = "gpu_roofline"
SIZES = (8192, 16384)
ROWS = tuple(2**k for k in range(14))
KINDS = ("bfloat16", "tf32", "float32")
RUNS = (("smollm2-135m", 64, 12), ("llama3-8b", 256, 10), ("llama3-8b", 1024, 8))


# --- Products --------------------------------------------------------------------------------


def count(rows: int, n: int, m: int, width: int) -> dict[str, float]:
    """Count a product of (rows, n) with (n, m), of numbers of so many bytes."""
    flops, moved = 2 * rows * n * m, width * (rows * n + n * m + rows * m)
    return {
        "rows": rows,
        "flops": flops,
        "bytes": moved,
        "intensity": arithmetic_intensity(flops, moved),
    }


def product_seconds(kind: str, rows: tuple[int, ...], n: int, m: int) -> list[float]:
    """Time the products of one kind of number."""
    torch.backends.cuda.matmul.allow_tf32 = kind == "tf32"
    dtype = torch.bfloat16 if kind == "bfloat16" else torch.float32
    matrix = gpu.normal(n, m, kind=dtype)
    found = []
    for length in record.progress(rows, f"{NAME}, {kind}"):
        x = gpu.normal(length, n, kind=dtype)
        out = torch.empty(length, m, device=gpu.DEVICE, dtype=dtype)
        found.append(gpu.seconds(partial(torch.matmul, x, matrix, out=out)))
    return found


def copy_rate(size: int) -> float:
    """Bytes a second of a copy, counting both directions."""
    source = gpu.normal(size, kind=torch.float32)
    target = torch.empty_like(source)
    return 2 * 4 * size / gpu.seconds(lambda: target.copy_(source))


# --- Writing ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Layer:
    """Matrices of a layer, and the scales of its two norms."""

    qkv: Any
    output: Any
    gate_up: Any
    down: Any
    norms: Any


@dataclass(frozen=True, slots=True)
class Weights:
    """What a step reads."""

    embedding: Any
    head: Any
    layers: list[Layer]


def draw(config: Config, *, tied: bool) -> Weights:
    """Draw weights of the right sizes."""

    def matrix(n: int, m: int) -> Any:
        return gpu.normal(n, m, kind=torch.bfloat16, scale=n**-0.5)

    c, f, d = config.width, config.hidden, config.head_size
    heads, kv = config.n_heads * d, config.n_kv_heads * d
    embedding = matrix(config.n_tokens, c)
    layers = [
        Layer(
            qkv=matrix(c, heads + 2 * kv),
            output=matrix(heads, c),
            gate_up=matrix(c, 2 * f),
            down=matrix(f, c),
            norms=gpu.normal(2, c, kind=torch.bfloat16),
        )
        for _ in range(config.n_layers)
    ]
    return Weights(embedding, embedding if tied else matrix(config.n_tokens, c), layers)


def step(config: Config, weights: Weights, tokens: Any, caches: Any, turn: Any) -> Any:
    """Give the logits after one more token of each sequence; the caches' last place is its own."""
    batch, k, d = len(tokens), config.n_kv_heads, config.head_size
    group, norm = config.n_heads // k, torch.nn.functional.rms_norm
    cos, sin = turn
    x = weights.embedding[tokens]  # (B, C)
    for layer, key, value in zip(weights.layers, *caches, strict=True):
        mixed = norm(x, (config.width,), layer.norms[0]) @ layer.qkv
        heads = mixed.view(batch, -1, d)  # (B, H + 2K, D)
        turned = heads[:, : config.n_heads + k]
        turned = turned * cos + turned.roll(d // 2, -1) * sin
        key[:, :, -1] = turned[:, config.n_heads :]
        value[:, :, -1] = heads[:, config.n_heads + k :]
        # The G queries of a key head stand where positions would: the cache is read once.
        queries = turned[:, : config.n_heads].reshape(batch, k, group, d)
        read = torch.nn.functional.scaled_dot_product_attention(queries, key, value)
        x = x + read.reshape(batch, -1) @ layer.output
        gate, up = (norm(x, (config.width,), layer.norms[1]) @ layer.gate_up).chunk(2, -1)
        x = x + (torch.nn.functional.silu(gate) * up) @ layer.down
    return norm(x, (config.width,)) @ weights.head.T


def products(rows: dict[int, Any], weights: Weights) -> list[Any]:
    """Do the matrix products of a step, and nothing between them."""
    matrices = [weights.head.T]
    for layer in weights.layers:
        matrices += [layer.qkv, layer.output, layer.gate_up, layer.down]
    return [rows[len(matrix)] @ matrix for matrix in matrices]


def attention(queries: Any, caches: Any) -> list[Any]:
    """Do the attention of a step, and nothing else."""
    attend = torch.nn.functional.scaled_dot_product_attention
    return [attend(queries, key, value) for key, value in zip(*caches, strict=True)]


def replay(run: Callable[[], object]) -> Callable[[], object]:
    """Record what a function does on the device, and return what does it again."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    again: Callable[[], object] = graph.replay
    return again


def decode_seconds(
    config: Config, past: int, batches: tuple[int, ...], *, tied: bool, times: int = 10
) -> dict[str, list[float]]:
    """Time a step of so many sequences, each after ``past`` tokens, called and replayed."""
    weights, d = draw(config, tied=tied), config.head_size
    angle = past * config.rope_base ** (-torch.arange(d // 2, device=gpu.DEVICE) * 2 / d)
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = [torch.cat(parts).to(torch.bfloat16) for parts in ((cos, cos), (-sin, sin))]
    parts = ("called", "replayed", "products", "attention")
    found: dict[str, list[float]] = {part: [] for part in parts}
    lengths = {config.width, config.n_heads * d, config.hidden}
    for batch in record.progress(batches, f"{NAME}, writing"):
        tokens = torch.randint(config.n_tokens, (batch,), device=gpu.DEVICE)
        rows = {n: gpu.normal(batch, n, kind=torch.bfloat16) for n in lengths}
        heads = batch, config.n_kv_heads
        queries = gpu.normal(*heads, config.n_heads // config.n_kv_heads, d, kind=torch.bfloat16)
        caches = gpu.normal(2, config.n_layers, *heads, past + 1, d, kind=torch.bfloat16)
        run = partial(step, config, weights, tokens, caches, turn)
        for part, timed in (
            ("called", run),
            ("replayed", replay(run)),
            ("products", replay(partial(products, rows, weights))),
            ("attention", replay(partial(attention, queries, caches))),
        ):
            found[part].append(gpu.seconds(timed, times=times))
        del caches, run, timed
        torch.cuda.empty_cache()
    return found


def beside_roof(work: dict[str, Any], times: list[float], device: Device) -> dict[str, list[float]]:
    """Say how fast steps were, beside what the roof allows."""
    rows = zip(work["batches"], work["flops"], work["intensity"], times, strict=True)
    rates = [
        machine_roofline.rate(device, t, batch, {"flops": flops, "intensity": intensity})
        for batch, flops, intensity, t in rows
    ]
    return {
        key: [r[key] for r in rates] for key in ("allowed", "tokens_per_second", "share", "of_peak")
    }


# --- All of it -------------------------------------------------------------------------------


def measure(
    *,
    sizes: tuple[int, int] = SIZES,
    rows: tuple[int, ...] = ROWS,
    runs: tuple[tuple[str, int, int], ...] = RUNS,
    copied: int = 2**29,
) -> dict[str, Any]:
    """Measure the roof, then writing under it."""
    torch.manual_seed(0)
    counted = {
        kind: [count(n, *sizes, 2 if kind == "bfloat16" else 4) for n in rows] for kind in KINDS
    }
    timed, copy = {}, copy_rate(copied)
    for kind in KINDS:
        times = product_seconds(kind, rows, *sizes)
        rates = [work["flops"] / t for work, t in zip(counted[kind], times, strict=True)]
        timed[kind] = {"seconds": times, "flops_per_second": rates}
    single = counted["bfloat16"][0]["bytes"] / timed["bfloat16"]["seconds"][0]
    bandwidth, peak = max(copy, single), {k: max(v["flops_per_second"]) for k, v in timed.items()}
    device = Device(flops=peak["bfloat16"], bandwidth=bandwidth, memory=1.0, watts=1.0)
    decode, steps = [], []
    with torch.inference_mode():
        for name, past, doublings in runs:
            model = MODELS[name]
            batches = tuple(2**k for k in range(doublings + 1))
            flops = causal_forward_flops(model.config, model.parameters, n_tokens=1, n_past=past)
            decode.append(
                {
                    "model": name,
                    "past": past,
                    "batches": batches,
                    "flops": [batch * flops.total for batch in batches],
                    "intensity": [
                        decode_intensity(model.config, model.parameters, n_past=past, batch=batch)
                        for batch in batches
                    ],
                }
            )
            tied = name.startswith("smollm2")
            found = decode_seconds(model.config, past, batches, tied=tied)
            steps.append(found | beside_roof(decode[-1], found["replayed"], device))
    return {
        "sizes": sizes,
        "products": counted,
        "decode": decode,
        "machine": {
            "products": timed,
            "copy": copy,
            "bandwidth": bandwidth,
            "peak": peak,
            "ridge": ridge_point(device),
            "decode": steps,
        },
    }


if __name__ == "__main__":
    gpu.save(NAME, measure())
