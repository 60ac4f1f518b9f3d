"""How fast the real model loads and writes on this machine, beside what its memory allows.

One token needs every weight once, so writing cannot be faster than reading the weights. The bound
is measured as the fastest matrix-vector product over as many bytes.
"""

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from primer_ref import llama
from primer_ref.trees import tree_leaves


def fastest(run: Callable[[], object], times: int) -> float:
    """Return the shortest of several durations, in seconds."""
    marks = [time.perf_counter()]
    for _ in range(times):
        run()
        marks.append(time.perf_counter())
    return min(after - before for before, after in pairwise(marks))


def weights(model: llama.Model) -> int:
    """Count the bytes that one token needs."""
    return sum(int(array.nbytes) for array in tree_leaves(model.weights))


def reading(size: int) -> float:
    """Return the seconds that a matrix-vector product over so many bytes takes."""
    matrix = np.ones((size // 4 // 4096, 4096), np.float32)
    vector = np.ones(4096, np.float32)
    return size / matrix.nbytes * fastest(lambda: matrix @ vector, 10)


def main() -> None:
    """Measure and print."""
    loading = fastest(llama.load, 3)
    model = llama.load()
    bound = reading(weights(model))
    prompt = model.tokenizer.encode("It is a truth universally acknowledged, that")
    tokens = llama.generate(model, prompt, np.argmax, limit=65)
    # The first token stands for the whole prompt; every other for itself.
    marks = [time.perf_counter() for _ in tokens]
    step = float(np.median(np.diff(marks)))
    print(f"load     {loading:.2f} s")
    print(f"weights  {weights(model) / 1e6:.0f} MB in float32, read in {1e3 * bound:.1f} ms")
    print(f"decode   {1e3 * step:.1f} ms a token, {1 / step:.1f} tokens/s")
    print(f"ratio    {bound / step:.2f} of what reading the weights allows")


if __name__ == "__main__":
    main()
