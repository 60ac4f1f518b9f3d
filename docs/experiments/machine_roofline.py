"""How fast the real model writes and reads on one machine, under that machine's own roofline.

The roof is measured, not looked up: ``bandwidth`` is the fastest of several matrix-vector products
in float32 (bytes of the matrix a second) and ``peak`` the fastest product of two large matrices,
with all cores. Below it lie decoding steps of several sequences side by side, each after ``past``
tokens, and readings of prompts as `primer_ref.llama.forward` does them where only the last scores
are wanted. Operations (on visible pairs) and bytes (4 a number) of both are those of chapter 7, and
those of a reading are counted pass by pass. Result:

- ``past``: tokens of each sequence before the step.
- ``decode``: for every ``batch``: ``flops`` of a step and its ``intensity`` in FLOP a byte.
- ``prefill``: for every number of ``tokens`` of a prompt the same, of the whole reading, with the
  scores of one token.
- ``machine``: ``cores``; ``bandwidth`` in bytes and ``peak`` in FLOP a second; ``ridge``, the
  intensity at which the two roofs meet; ``decode`` and ``prefill``: in the order above the median
  ``seconds`` of a step or reading, ``tokens_per_second``, ``flops_per_second``; ``allowed``, the
  tokens a second that the roof allows at this intensity, and ``share``, what is reached of them;
  ``of_peak``, the operations over those of the peak; ``products``: seconds of the matrix products
  of one step alone, one sequence, without anything between them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from experiments import record
from primer_ref import llama
from primer_ref.accounting import causal_forward_flops, prompt_flops
from primer_ref.config import Config
from primer_ref.memory import forward_bytes
from primer_ref.parameters import ParameterCount, llama_parameters
from primer_ref.roofline import Device, arithmetic_intensity, attainable, ridge_point
from primer_ref.serving import decode_intensity

NAME = "machine_roofline"
PAST = 64
BATCHES = (1, 2, 4, 8, 16, 32)
PROMPTS = (32, 128, 512)
SHAPES = ((2048, 16384), (16384, 2048), (8192, 8192))


def durations(run: Callable[[], object], times: int) -> list[float]:
    """Time several runs, in seconds."""
    marks = [time.perf_counter()]
    for _ in range(times):
        run()
        marks.append(time.perf_counter())
    return [after - before for before, after in pairwise(marks)]


def measure_device(times: int, side: int) -> Device:
    """Measure both roofs; memory and power are not."""
    rates = []
    for rows, columns in SHAPES:
        matrix = np.ones((rows, columns), np.float32)
        for turned in (matrix, matrix.T):
            vector = np.ones(turned.shape[1], np.float32)
            product = partial(np.matmul, turned, vector)
            rates.append(matrix.nbytes / min(durations(product, times)))
    square = np.ones((side, side), np.float32)
    peak = 2 * side**3 / min(durations(lambda: square @ square, times))
    return Device(flops=peak, bandwidth=max(rates), memory=1.0, watts=1.0)


def decoding(model: llama.Model, batch: int, past: int, steps: int) -> float:
    """Return the median seconds of a step of so many sequences."""
    cache = llama.KVCache(model.config, past + steps, (batch,))
    cache.length[...] = past  # what they hold does not change how long a step takes
    tokens = np.full((batch, 1), 500)
    run = partial(llama.forward, model, tokens, cache, last=True)
    return statistics.median(durations(run, steps))


def reading(config: Config, count: ParameterCount, n: int) -> dict[str, float]:
    """Count a reading of n tokens in passes of so many as are taken at once, the last one scored.

    Every pass moves the weights of the layers and the cache so far; the matrix of scores is moved
    once, for one token.
    """
    passes = [(start, min(llama.PIECE, n - start)) for start in range(0, n, llama.PIECE)]
    moved = sum(
        forward_bytes(config, count, n_tokens=new, n_past=past, bytes_per_number=4)
        for past, new in passes
    )
    flops = prompt_flops(config, count, n_tokens=n)
    unscored = 4 * count.scores * (len(passes) - 1)
    return {"flops": flops, "intensity": arithmetic_intensity(flops, moved - unscored)}


def products(model: llama.Model) -> Callable[[], object]:
    """Make the matrix products of a step of one sequence, without anything between them."""
    rows = {n: np.ones((1, n), np.float32) for n in (model.config.width, model.config.hidden)}
    matrices = [model.weights.embedding.T]
    for layer in model.weights.layers:
        matrices += [layer.qkv, layer.output, layer.gate_up, layer.down]
    return lambda: [rows[len(matrix)] @ matrix for matrix in matrices]


def rate(device: Device, seconds: float, tokens: int, work: dict[str, float]) -> dict[str, float]:
    """Say how fast something was, beside what the roof allows."""
    achieved, roof = work["flops"] / seconds, float(attainable(work["intensity"], device))
    return {
        "seconds": seconds,
        "tokens_per_second": tokens / seconds,
        "flops_per_second": achieved,
        "allowed": tokens * roof / work["flops"],
        "share": achieved / roof,
        "of_peak": achieved / device.flops,
    }


def measure(
    model: llama.Model | None = None,
    *,
    batches: tuple[int, ...] = BATCHES,
    prompts: tuple[int, ...] = PROMPTS,
    past: int = PAST,
    steps: int = 15,
    side: int = 2048,
) -> dict[str, Any]:
    """Measure the roofs, then what lies below them."""
    model = llama.load() if model is None else model
    config, count = model.config, llama_parameters(model.config, tied=True)
    device = measure_device(steps, side)
    decode, prefill, step_rates, prompt_rates = [], [], [], []
    for batch in record.progress(batches, f"{NAME}, writing"):
        work: dict[str, float] = {
            "flops": batch * causal_forward_flops(config, count, n_tokens=1, n_past=past).total,
            "intensity": decode_intensity(
                config, count, n_past=past, batch=batch, bytes_per_number=4
            ),
        }
        decode.append({"batch": batch, **work})
        seconds = decoding(model, batch, past, steps)
        step_rates.append(rate(device, seconds, batch, work))
    for n in record.progress(prompts, f"{NAME}, reading"):
        work = reading(config, count, n)
        prefill.append({"tokens": n, **work})
        run = partial(llama.forward, model, np.full(n, 500), last=True)
        prompt_rates.append(rate(device, statistics.median(durations(run, 3)), n, work))
    return {
        "past": past,
        "decode": decode,
        "prefill": prefill,
        "machine": {
            "cores": record.cores(),
            "bandwidth": device.bandwidth,
            "peak": device.flops,
            "ridge": ridge_point(device),
            "products": statistics.median(durations(products(model), steps)),
            "decode": step_rates,
            "prefill": prompt_rates,
        },
    }


def main() -> None:
    """Measure and store."""
    command = f"python -m experiments.{NAME}"
    record.save(NAME, measure(), command=command, seed=None, model=llama.find_model())


if __name__ == "__main__":
    main()
