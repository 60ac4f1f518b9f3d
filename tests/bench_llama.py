"""How fast the real model loads, reads and writes here, beside what memory and PyTorch allow.

One token needs every weight once, so writing cannot be faster than reading the weights. That bound
is measured as the fastest of several matrix-vector products over as many bytes, on all cores. The
same weights run in transformers with PyTorch in float32, in the same process, after ours.
"""

from __future__ import annotations

import importlib
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primer_ref import llama
from primer_ref.trees import tree_leaves

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")

PEAK = """
import numpy as np
from primer_ref import llama
model = llama.load()
tokens = list(llama.generate(model, model.tokenizer.encode("The capital of France is"), np.argmax,
                             limit=20))
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def durations(run: Callable[[], object], times: int) -> list[float]:
    """Time several runs, in seconds."""
    marks = [time.perf_counter()]
    for _ in range(times):
        run()
        marks.append(time.perf_counter())
    return [after - before for before, after in pairwise(marks)]


def reading(size: int) -> float:
    """Return the seconds that the fastest matrix-vector product over so many bytes takes."""
    found = []
    for rows, columns in ((2048, 16384), (16384, 2048), (8192, 8192)):
        matrix = np.ones((rows, columns), np.float32)
        for turned in (matrix, matrix.T):
            vector = np.ones(turned.shape[1], np.float32)
            seconds = min(durations(partial(np.matmul, turned, vector), 10))
            found.append(seconds * size / matrix.nbytes)
    return min(found)


def products(model: llama.Model) -> float:
    """Return the seconds that the matrix products of a step take, without anything between them."""
    rows = {n: np.ones((1, n), np.float32) for n in (model.config.width, model.config.hidden)}
    matrices = [model.weights.embedding.T]
    for layer in model.weights.layers:
        matrices += [layer.qkv, layer.output, layer.gate_up, layer.down]
    return statistics.median(
        durations(lambda: [rows[len(matrix)] @ matrix for matrix in matrices], 20)
    )


def decoding(model: llama.Model, context: int, steps: int) -> float:
    """Return the median seconds of a step after so many tokens."""
    rng = np.random.default_rng(0)
    cache = llama.KVCache(model.config, context + steps)
    llama.forward(model, rng.integers(100, 49000, context), cache, last=True)
    return statistics.median(
        durations(lambda: llama.forward(model, [500], cache, last=True), steps)
    )


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
    bound = reading(size)
    prompt = np.random.default_rng(0).integers(100, 49000, 512)
    memory = peak()
    rows = [
        ("load", f"{loading:.2f} s"),
        ("weights", f"{size / 1e6:.0f} MB in float32"),
        ("peak memory", f"{memory / 1e6:.0f} MB, {memory / size:.2f} of the weights"),
        ("reading", f"{size / bound / 1e9:.1f} GB/s: {1e3 * bound:.1f} ms for the weights"),
    ]
    alone = products(model)
    rows.append(("products alone", f"{1e3 * alone:.1f} ms, {bound / alone:.2f} of the bound"))
    ours = {context: decoding(model, context, 40) for context in (16, 1000)}
    for context, step in ours.items():
        rows.append(
            (
                f"decode after {context}",
                f"{1e3 * step:.1f} ms, {1 / step:.1f} tokens/s, {bound / step:.2f} of the bound",
            )
        )
    for n in (2, 4, 8):
        step = batched(model, n, 15)
        rows.append((f"{n} at a time", f"{1e3 * step:.1f} ms, {n / step:.1f} tokens/s"))
    prefill = min(durations(lambda: llama.forward(model, prompt, last=True), 3))
    rows.append(("prefill of 512", f"{prefill:.2f} s, {512 / prefill:.0f} tokens/s"))
    theirs = Theirs(path)
    rows.append(("beside", theirs.name))
    for context, step in ours.items():
        other = theirs.decoding(context, 40)
        rows.append(
            (
                f"decode after {context}",
                f"{1 / other:.1f} tokens/s; ours is {other / step:.2f} of it",
            )
        )
    other = min(durations(lambda: theirs.prefill(prompt), 3))
    rows.append(
        ("prefill of 512", f"{512 / other:.0f} tokens/s; ours is {other / prefill:.2f} of it")
    )
    print(f"{platform.machine()}, {os.cpu_count()} cores, NumPy {np.__version__}")
    for name, value in rows:
        print(f"{name:18} {value}")


if __name__ == "__main__":
    main()
