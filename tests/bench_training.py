"""How fast the package trains on this machine, beside the same steps in PyTorch.

The model, first weights, batch and optimizer are those of the experiment ``train_austen`` in both;
the two losses are printed, so that it can be seen that they do the same.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.train_austen import CONFIG, RECIPE
from primer_ref.positions import rotations
from primer_ref.training import start, train_step
from primer_ref.trees import tree_leaves

N_STEPS = 8


def our_step(windows: NDArray[np.int64]) -> Callable[[], float]:
    """Make a function that takes a step and returns the loss before it."""
    run = start(CONFIG, RECIPE, rng=np.random.default_rng(0))

    def step() -> float:
        nonlocal run
        run, value, _, _ = train_step(run, windows)
        return value

    return step


def torch_step(windows: NDArray[np.int64]) -> Callable[[], float]:
    """Make the same function in PyTorch, with its fused attention, norm and optimizer."""
    torch: Any = importlib.import_module("torch")
    functional = torch.nn.functional
    weights = start(CONFIG, RECIPE, rng=np.random.default_rng(0)).weights
    leaves = [torch.tensor(leaf, requires_grad=True) for leaf in tree_leaves(weights)]
    optimizer = torch.optim.AdamW(
        leaves, lr=0.0, betas=(0.9, RECIPE.beta2), weight_decay=RECIPE.decay
    )
    inputs, targets = torch.tensor(windows[:, :-1]), torch.tensor(windows[:, 1:])
    n, size = RECIPE.length, CONFIG.head_size
    turns = torch.tensor(rotations(np.arange(n), size, base=CONFIG.rope_base)).to(torch.complex64)
    heads = [CONFIG.n_heads, CONFIG.n_kv_heads, CONFIG.n_kv_heads]

    def norm(x: Any, gains: Any) -> Any:
        return functional.rms_norm(x, (CONFIG.width,), gains, CONFIG.eps)

    def forward() -> Any:
        embedding, *layers, last = leaves
        x = embedding[inputs]
        for at in range(0, len(layers), 6):
            attention_norm, qkv, output, hidden_norm, gate_up, down = layers[at : at + 6]
            parts = (norm(x, attention_norm) @ qkv).unflatten(-1, (-1, size)).transpose(1, 2)
            q, k, v = parts.split(heads, dim=1)
            q, k = (
                torch.view_as_real(
                    torch.view_as_complex(part.unflatten(-1, (-1, 2)).contiguous()) * turns
                ).flatten(-2)
                for part in (q, k)
            )
            found = functional.scaled_dot_product_attention(
                q, k, v, is_causal=True, enable_gqa=True
            )
            x = x + found.transpose(1, 2).flatten(-2) @ output
            gate, up = (norm(x, hidden_norm) @ gate_up).chunk(2, dim=-1)
            x = x + (functional.silu(gate) * up) @ down
        return norm(x, last) @ embedding.T

    taken = 0

    def step() -> float:
        nonlocal taken
        taken += 1
        logits = forward()
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(leaves, RECIPE.limit)
        optimizer.param_groups[0]["lr"] = RECIPE.peak * taken / RECIPE.warmup
        optimizer.step()
        return float(loss.item())

    return step


def main() -> None:
    """Measure and print."""
    rng = np.random.default_rng(1)
    windows = rng.integers(CONFIG.n_tokens, size=(RECIPE.batch, RECIPE.length + 1))
    steps = {"primer_ref": our_step(windows)}
    if importlib.util.find_spec("torch"):
        steps["PyTorch"] = torch_step(windows)
    times: dict[str, list[float]] = {name: [] for name in steps}
    losses = dict.fromkeys(steps, 0.0)
    for _ in range(N_STEPS):
        for name, step in steps.items():  # in turn, so that both meet the same machine
            begin = time.perf_counter()
            losses[name] = step()
            times[name].append(time.perf_counter() - begin)
    speeds = {}
    for name, seconds in times.items():
        median = float(np.median(seconds[1:]))  # the first step warms up
        speeds[name] = RECIPE.batch * RECIPE.length / median
        print(
            f"{name:10} {1e3 * median:.0f} ms a step, {speeds[name]:.0f} tokens/s, "
            f"loss {losses[name]:.4f} before step {N_STEPS}"
        )
    if "PyTorch" in speeds:
        print(f"ratio      {speeds['primer_ref'] / speeds['PyTorch']:.2f} of PyTorch's speed")
    else:
        print(
            "PyTorch    not installed; for the comparison, run `pip install torch` and this again"
        )


if __name__ == "__main__":
    main()
