"""Time and memory of attention on a GPU, with scores stored and in one fused kernel.

*Dense* attention is three steps of PyTorch, with all scores in memory between them; *fused* is the
FlashAttention kernel that PyTorch calls for ``scaled_dot_product_attention``. Both in bfloat16, for
one sequence and several heads, with and without a causal mask, forward alone and with the backward
pass. Needs an NVIDIA GPU: ``nox -s gpu``. Result:

- ``heads`` and ``head_size``; ``sizes``: numbers of tokens; dense attention is measured up to
  ``dense_until``, since its scores do not fit above.
- ``flops``: operations of the two products, forward, all pairs, in the order of ``sizes``.
- ``error_at``: tokens of the comparison below.
- ``machine``: for each of ``dense``, ``fused``, ``dense_causal``, ``fused_causal``: ``forward`` and
  ``both`` (forward and backward), each with ``seconds`` and ``peak``, the bytes by which the memory
  in use rose at most, results included, and forward also ``flops_per_second``, all pairs counted;
  ``ratio``: dense over fused, of ``seconds`` and ``peak`` forward, where both are measured, plain
  and ``causal``; ``errors``: the largest error of each kind's results against float64.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from experiments import gpu, record
from experiments.gpu import torch

NAME = "gpu_attention"
HEADS, HEAD_SIZE = 16, 64
SIZES = tuple(2**k for k in range(9, 17))
DENSE_UNTIL = 2**14
ERROR_AT = 2**11


def later(q: Any) -> Any:
    """Say which keys come after each query."""
    return torch.ones(2 * [q.shape[-2]], dtype=torch.bool, device=q.device).triu_(1)


def weights(q: Any, k: Any, hidden: Any | None) -> Any:
    """Weigh the keys, those that are hidden with 0."""
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)  # (H, N, N)
    if hidden is not None:
        scores = scores.masked_fill_(hidden, float("-inf"))
    return torch.softmax(scores, -1)


def dense(q: Any, k: Any, v: Any, *, causal: bool) -> Any:
    """Attend step by step."""
    return weights(q, k, later(q) if causal else None) @ v


def fused(q: Any, k: Any, v: Any, *, causal: bool, dropout: float = 0.0) -> Any:
    """Attend in one kernel."""
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.FLASH_ATTENTION):
        return torch.nn.functional.scaled_dot_product_attention(
            q, k, v, is_causal=causal, dropout_p=dropout
        )


WAYS: dict[str, Callable[..., Any]] = {"dense": dense, "fused": fused}


def inputs(n: int) -> list[Any]:
    """Draw queries, keys and values, and the gradient of the result."""
    return [gpu.normal(1, HEADS, n, HEAD_SIZE, kind=torch.bfloat16) for _ in range(4)]


def cost(way: str, n: int, *, causal: bool) -> dict[str, dict[str, float]]:
    """Time one kind at one length, forward alone and with the backward pass."""
    *qkv, slope = inputs(n)
    times = 30 if n < 2**13 else 10

    def forward() -> Any:
        return WAYS[way](*qkv, causal=causal)

    def both() -> Any:
        return torch.autograd.grad(forward(), qkv, slope)

    found = {}
    for name, run in (("forward", forward), ("both", both)):
        for x in qkv:
            x.requires_grad_(name == "both")
        found[name] = {"peak": gpu.peak_bytes(run), "seconds": gpu.seconds(run, times=times)}
    return found


def errors(n: int) -> dict[str, float]:
    """Compare each kind with float64."""
    q, k, v, _ = inputs(n)
    found = {}
    for causal in (False, True):
        exact = dense(q.double(), k.double(), v.double(), causal=causal)
        for way, attend in WAYS.items():
            name = f"{way}_causal" if causal else way
            found[name] = float((attend(q, k, v, causal=causal).double() - exact).abs().max())
    return found


def measure(
    *, sizes: tuple[int, ...] = SIZES, dense_until: int = DENSE_UNTIL, error_at: int = ERROR_AT
) -> dict[str, Any]:
    """Measure all kinds at all lengths."""
    torch.manual_seed(0)
    for way in WAYS:  # the first call of all prepares the device
        cost(way, sizes[-1] // 8, causal=False)
    found: dict[str, Any] = {}
    for way in WAYS:
        for causal in (False, True):
            name = f"{way}_causal" if causal else way
            reached = [n for n in sizes if way == "fused" or n <= dense_until]
            costs = [
                cost(way, n, causal=causal) for n in record.progress(reached, f"{NAME}, {name}")
            ]
            found[name] = {
                part: {key: [c[part][key] for c in costs] for key in ("seconds", "peak")}
                for part in ("forward", "both")
            }
    work = [4 * HEADS * HEAD_SIZE * n**2 for n in sizes]
    for costs in found.values():
        times = costs["forward"]["seconds"]
        costs["forward"]["flops_per_second"] = [w / t for w, t in zip(work, times, strict=False)]
    ratio = {
        name: {
            key: [
                one / other
                for one, other in zip(
                    found[f"dense{suffix}"]["forward"][key],
                    found[f"fused{suffix}"]["forward"][key],
                    strict=False,  # fused goes on where dense ends
                )
            ]
            for key in ("seconds", "peak")
        }
        for name, suffix in (("plain", ""), ("causal", "_causal"))
    }
    return {
        "heads": HEADS,
        "head_size": HEAD_SIZE,
        "sizes": sizes,
        "dense_until": dense_until,
        "flops": work,
        "error_at": error_at,
        "machine": found | {"ratio": ratio, "errors": errors(error_at)},
    }


if __name__ == "__main__":
    gpu.save(NAME, measure())
