"""How fast the real model loads, reads and writes here, beside what memory and PyTorch allow.

One token needs every weight once, so writing cannot be faster than reading the weights. That bound
is the fastest of several matrix-vector products over as many bytes, on all cores. What NumPy can
reach is told by the model's own products with nothing between them, those of attention included;
they and whole steps are timed in turn, and medians are compared. The same weights run in
transformers with PyTorch in float32, in the same process, after ours.
"""

from __future__ import annotations

import importlib
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.machine_roofline import durations, products
from primer_ref import llama
from primer_ref.trees import tree_leaves

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")

CONTEXTS = 16, 1000  # tokens that a step of decoding looks back at

PEAK = """
import numpy as np
from experiments.machine_roofline import durations, products
from primer_ref import llama
model = llama.load()
tokens = list(llama.generate(model, model.tokenizer.encode("The capital of France is"), np.argmax,
                             limit=20))
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def alternated(runs: Mapping[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Time several things in turn, so that all meet the same noise; the median of each."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(times):
        for name, run in runs.items():
            found[name] += durations(run, 1)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


def readers(size: int) -> dict[str, Callable[[], object]]:
    """Make matrix-vector products over so many bytes, of several shapes."""
    made: dict[str, Callable[[], object]] = {}
    for rows in (2048, 8192, 32768):
        matrix = np.ones((rows, size // 4 // rows), np.float32)
        for name, turned in ((f"{rows} rows", matrix), (f"{rows} columns", matrix.T)):
            made[name] = partial(np.matmul, turned, np.ones(turned.shape[1], np.float32))
    return made


def attending(model: llama.Model, context: int) -> Callable[[], object]:
    """Make all products of a step after so many tokens, with nothing between them."""
    config, weights = model.config, products(model)
    heads = config.n_kv_heads, config.n_heads // config.n_kv_heads  # K, G
    cache = llama.KVCache(config, context)
    queries = np.ones((*heads, 1, config.head_size), np.float32)  # (K, G, 1, D)
    shares = np.ones((*heads, 1, context), np.float32)  # (K, G, 1, S)

    def run() -> None:
        weights()
        for keys, values in zip(cache.keys, cache.values, strict=True):
            queries @ np.swapaxes(keys, -1, -2)[:, None]
            shares @ values[:, None]

    return run


def decoding(model: llama.Model, context: int, room: int = 200) -> Callable[[], object]:
    """Make a step after so many tokens."""
    rng = np.random.default_rng(0)
    cache = llama.KVCache(model.config, context + room)
    llama.forward(model, rng.integers(100, 49000, context), cache, last=True)
    return partial(llama.forward, model, [500], cache, last=True)


def batched(model: llama.Model, size: int, steps: int) -> float:
    """Return the median seconds of a step of so many sequences side by side."""
    cache = llama.KVCache(model.config, 2 * steps, (size,))
    tokens = np.full((size, 1), 500)
    return statistics.median(
        durations(lambda: llama.forward(model, tokens, cache, last=True), steps)
    )


def peak() -> int:
    """Return the largest memory of a process that loads and writes, in bytes (on Linux)."""
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path))
    done = subprocess.run(
        [sys.executable, "-c", PEAK], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout) * 1024


class Theirs:
    """The same file in transformers, in float32."""

    def __init__(self, path: Path) -> None:
        self.name = f"transformers {transformers.__version__}, torch {torch.__version__}"
        self.model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32
        )
        self.model.eval()

    def prefill(self, tokens: NDArray[np.integer[Any]]) -> Any:
        """Read tokens; return the cache."""
        with torch.inference_mode():
            batch = torch.tensor(tokens)[None]
            return self.model(batch, use_cache=True, logits_to_keep=1).past_key_values

    def decoding(self, context: int, steps: int) -> float:
        """Return the median seconds of a step after so many tokens."""
        rng = np.random.default_rng(0)
        cache = self.prefill(rng.integers(100, 49000, context))
        token = torch.tensor([[500]])

        def step() -> None:
            with torch.inference_mode():
                self.model(token, past_key_values=cache, use_cache=True)

        return statistics.median(durations(step, steps))


def main() -> None:
    """Measure and print."""
    path = llama.find_model()
    loading = min(durations(lambda: llama.load(path), 5))
    model = llama.load(path)
    size = sum(int(array.nbytes) for array in tree_leaves(model.weights))
    reading = readers(size)
    seconds = {name: min(durations(run, 5)) for name, run in reading.items()}
    fastest = reading[min(seconds, key=seconds.__getitem__)]
    ours = alternated(
        {
            "bound": fastest,
            **{f"products after {n}": attending(model, n) for n in CONTEXTS},
            **{f"decode after {n}": decoding(model, n) for n in CONTEXTS},
        },
        30,
    )
    del reading, fastest
    bound = ours.pop("bound")
    prompt = np.random.default_rng(0).integers(100, 49000, 512)
    memory = peak()
    rows = [
        ("load", f"{loading:.2f} s"),
        ("weights", f"{size / 1e6:.0f} MB in float32"),
        ("peak memory", f"{memory / 1e6:.0f} MB, {memory / size:.2f} of the weights"),
        ("reading", f"{size / bound / 1e9:.1f} GB/s: {1e3 * bound:.1f} ms for the weights"),
    ]
    for name, step in ours.items():
        told = f"{1e3 * step:.1f} ms, {1 / step:.1f} tokens/s, {bound / step:.2f} of the bound"
        rows.append((name, told))
    for n in (2, 4, 8):
        step = batched(model, n, 15)
        rows.append((f"{n} at a time", f"{1e3 * step:.1f} ms, {n / step:.1f} tokens/s"))
    prefill = min(durations(lambda: llama.forward(model, prompt, last=True), 3))
    rows.append(("prefill of 512", f"{prefill:.2f} s, {512 / prefill:.0f} tokens/s"))
    theirs = Theirs(path)
    rows.append(("beside", theirs.name))
    for n in CONTEXTS:
        other = theirs.decoding(n, 40)
        name = f"decode after {n}"
        rows.append((name, f"{1 / other:.1f} tokens/s; ours is {other / ours[name]:.2f} of it"))
    other = min(durations(lambda: theirs.prefill(prompt), 3))
    rows.append(
        ("prefill of 512", f"{512 / other:.0f} tokens/s; ours is {other / prefill:.2f} of it")
    )
    print(f"{platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}")
    for name, value in rows:
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
