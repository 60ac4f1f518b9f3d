"""What a training step keeps and how fast it runs on a GPU, and when its sums repeat exactly.

A layer of GPT with dropout, in float16, keeps for its backward pass what
`primer_ref.training_memory` counts; here the allocator is asked. Then a stack of such layers, in
bfloat16 and without tables, does forward and backward passes in four ways: ``dense``, all kept;
``selective``, dense, but what lies between the products of attention is computed again;
``fused``, one kernel for attention; ``full``, fused, and each layer computed again from its input.
Last, one row is multiplied by one matrix in batches of several sizes, and many numbers are summed
into one place in whatever order the device comes to them. Needs an NVIDIA GPU: ``nox -s gpu``.
Result:

- ``layer``: ``batch``, ``width``, ``heads`` and ``lengths``; ``counted``: bytes for ``dense`` and
  ``fused``, in the order of the lengths.
- ``stack``: ``layers``, ``batch``, ``length``, ``width``, ``heads``; ``flops`` of a forward pass,
  all pairs counted.
- ``matrices``, ``batches``, ``summands`` and ``sums``: sizes of the last part.
- ``machine``: ``kept``: bytes that the allocator holds more after the forward pass of one layer;
  ``steps``: for every way ``forward`` and ``both`` in seconds, ``peak`` bytes above weights and
  gradients, and ``flops_per_second`` of both, with three forward passes counted, whatever is
  computed again; ``longer``: the time of ``selective`` over ``dense``, and of ``full`` over
  ``fused``; ``repeats``: for every matrix, whether the product of most rows gave the same bits
  again; ``changed``: for every matrix and batch, the share of a row's results that differ from
  those of the row alone; ``furthest``: for every matrix, the largest such difference over the
  largest result; ``distinct``: how many different results the sums had.
"""

from __future__ import annotations

from typing import Any

from experiments import gpu, gpu_attention, record
from experiments.gpu import torch
from primer_ref.training_memory import STORED, activation_bytes

NAME = "gpu_training"
DROPOUT = 0.1
LAYER = {"batch": 4, "width": 2048, "heads": 16}
LENGTHS = (512, 1024, 2048, 4096)
STACK = {"layers": 12, "batch": 8, "length": 2048, "width": 2048, "heads": 16}
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
MATRICES = ((2048, 2048), (4096, 4096), (14336, 4096))
SUMMANDS, SUMS = 2**20, 20


def drop(x: Any) -> Any:
    """Put some numbers to zero."""
    return torch.nn.functional.dropout(x, DROPOUT)


def attend_dense(q: Any, k: Any, v: Any, hidden: Any) -> Any:
    """Attend step by step, with dropout of the weights."""
    return drop(gpu_attention.weights(q, k, hidden)) @ v


def attend(q: Any, k: Any, v: Any, way: str) -> Any:
    """Attend in one of the ways."""
    if way in ("fused", "full"):
        return gpu_attention.fused(q, k, v, causal=True, dropout=DROPOUT)
    hidden = gpu_attention.later(q)
    if way == "selective":
        again = torch.utils.checkpoint.checkpoint
        return again(attend_dense, q, k, v, hidden, use_reentrant=False)
    return attend_dense(q, k, v, hidden)


def draw(width: int, kind: Any) -> list[Any]:
    """Draw a layer's four matrices."""
    sizes = ((width, 3 * width), (width, width), (width, 4 * width), (4 * width, width))
    matrices = [gpu.normal(n, m, kind=kind, scale=0.5 * n**-0.5) for n, m in sizes]
    return [matrix.requires_grad_() for matrix in matrices]


def layer(x: Any, weights: list[Any], heads: int, way: str) -> Any:
    """Run a layer with norms in front, on (B, T, C)."""
    qkv, output, up, down = weights
    batch, length, width = x.shape
    norm = torch.nn.functional.layer_norm
    mixed = (norm(x, (width,)) @ qkv).view(batch, length, 3, heads, -1)
    q, k, v = mixed.permute(2, 0, 3, 1, 4)  # (B, H, T, D) each
    read = attend(q, k, v, way).transpose(1, 2).reshape(batch, length, width)
    x = x + drop(read @ output)
    return x + drop(torch.nn.functional.gelu(norm(x, (width,)) @ up) @ down)


def kept(length: int, way: str) -> int:
    """Bytes that a layer keeps: what is held after the forward pass, its result for its input."""
    weights = draw(LAYER["width"], torch.float16)
    x = gpu.normal(LAYER["batch"], length, LAYER["width"], kind=torch.float16).requires_grad_()
    before = torch.cuda.memory_allocated()
    y = layer(x, weights, LAYER["heads"], way)
    held = int(torch.cuda.memory_allocated() - before)
    del y
    return held


def stack_costs(way: str) -> dict[str, float]:
    """Time a forward pass, and forward and backward, of several layers; and their peak."""
    layers = [draw(STACK["width"], torch.bfloat16) for _ in range(STACK["layers"])]
    for matrix in (matrix for weights in layers for matrix in weights):
        matrix.grad = torch.zeros_like(matrix)
    shape = STACK["batch"], STACK["length"], STACK["width"]
    x = gpu.normal(*shape, kind=torch.bfloat16)

    def forward() -> Any:
        y = x
        for weights in layers:
            if way == "full":
                again = torch.utils.checkpoint.checkpoint
                y = again(layer, y, weights, STACK["heads"], way, use_reentrant=False)
            else:
                y = layer(y, weights, STACK["heads"], way)
        return y

    def both() -> None:
        forward().backward(x)

    def alone() -> None:
        with torch.no_grad():
            forward()

    return {
        "peak": gpu.peak_bytes(both),
        "both": gpu.seconds(both, times=8),
        "forward": gpu.seconds(alone, times=8),
    }


def repetition() -> dict[str, Any]:
    """Ask which sums come out the same again."""
    repeats, changed, furthest = [], [], []
    for n, m in MATRICES:
        x = gpu.normal(BATCHES[-1], n, kind=torch.bfloat16)
        matrix = gpu.normal(n, m, kind=torch.bfloat16)
        alone = x[:1] @ matrix
        rows = [(x[:batch] @ matrix)[:1] for batch in BATCHES]
        repeats.append(all(torch.equal(x @ matrix, x @ matrix) for _ in range(10)))
        changed.append([float((row != alone).float().mean()) for row in rows])
        far = max(float((row - alone).abs().max()) for row in rows)
        furthest.append(far / float(alone.abs().max()))
    summands = gpu.normal(SUMMANDS, kind=torch.float32)
    place = torch.zeros(SUMMANDS, dtype=torch.long, device=gpu.DEVICE)
    sums = [
        float(torch.zeros(1, device=gpu.DEVICE).index_add_(0, place, summands)[0])
        for _ in range(SUMS)
    ]
    return {
        "repeats": repeats,
        "changed": changed,
        "furthest": furthest,
        "distinct": len(set(sums)),
    }


def measure() -> dict[str, Any]:
    """Measure what is kept, the steps, and the sums."""
    torch.manual_seed(0)
    sizes = {"batch": LAYER["batch"], "width": LAYER["width"], "n_heads": LAYER["heads"]}
    without_scores = [tensor for tensor in STORED if not tensor.is_score]
    counted = {
        way: [activation_bytes(stored, n_tokens=length, **sizes) for length in LENGTHS]
        for way, stored in (("dense", STORED), ("fused", without_scores))
    }
    kept(LENGTHS[0], "dense")  # the first product of all takes memory for itself
    held = {way: [kept(length, way) for length in LENGTHS] for way in counted}
    tokens, length, width = STACK["batch"] * STACK["length"], STACK["length"], STACK["width"]
    flops = STACK["layers"] * tokens * (24 * width**2 + 4 * length * width)
    ways = ("dense", "selective", "fused", "full")
    steps = {way: stack_costs(way) for way in record.progress(ways, NAME)}
    for costs in steps.values():
        costs["flops_per_second"] = 3 * flops / costs["both"]
    return {
        "layer": {**LAYER, "lengths": LENGTHS, "counted": counted},
        "stack": {**STACK, "flops": flops},
        "matrices": MATRICES,
        "batches": BATCHES,
        "summands": SUMMANDS,
        "sums": SUMS,
        "machine": {
            "kept": held,
            "steps": steps,
            "longer": {
                "selective": steps["selective"]["both"] / steps["dense"]["both"],
                "full": steps["full"]["both"] / steps["fused"]["both"],
            },
            **repetition(),
        },
    }


if __name__ == "__main__":
    gpu.save(NAME, measure())
