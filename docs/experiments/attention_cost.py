"""Time and memory of attention with all scores at once, and tile by tile, as the text grows.

One head of size ``size``, standard normal queries, keys, values and output gradient in float32;
tiles of ``block`` queries and as many keys. Six kinds are measured: ``dense`` and ``tiled``, the
forward pass of ``primer_ref.attention`` and of ``primer_ref.flash_attention`` without a mask;
``dense_causal`` and ``tiled_causal``, the same with one (the dense kind makes and adds a matrix,
the tiled one skips the tiles that it hides); ``dense_backward`` and ``tiled_backward``, the
gradients at queries, keys and values. The package's dense backward pass computes the weights again,
as the tiled one does; the tiled one is given the output and the log-sum-exp of the forward pass.
Run with one thread (OMP_NUM_THREADS=1); NumPy's own overhead for each tile is part of all times.
Result, one number a size in all lists::

    sizes, size, block, sweeps, fit_from, level     numbers of tokens N; D; rows of a tile; how
                    often all was timed; smallest N in the fits; of intervals
    operations      by kind: multiplications and additions of the matrix products without a mask,
                    4 N^2 D forward, 10 N^2 D backward
    bytes           by kind without a mask, what the arrays alive at the peak hold, by reading the
                    code: dense 3 N^2 numbers forward, 4 N^2 backward; tiled 2 N (D + 1) forward,
                    once in pieces and once joined, or N (D + 1) and three tiles if that is more;
                    3 N D + 2 N and five tiles backward
    errors          largest absolute difference from the dense result in float64 over the largest
                    absolute value of that: of each kind
    machine         what depends on the machine
        cores       threads that NumPy was given
        seconds     by kind: median and least over sweeps, in processor seconds
        peak        by kind: most bytes allocated at a time, as tracemalloc counts NumPy's arrays,
                    without inputs
        time_exponent       by kind: slope of log seconds (median) on log N; value, low, high by
                    resampling sweeps, each of which timed all kinds and sizes once
        memory_exponent     by kind: the same of the peak, which comes out alike every time
        ratio       median seconds of dense over tiled: forward, causal, backward
        blocks      tiled forward at length tokens with tiles of rows: median seconds and
                    peak bytes
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments import record
from primer_ref.attention import attention_backward, causal_mask, scaled_dot_product_attention
from primer_ref.flash_attention import causal, flash_attention, flash_attention_backward
from primer_ref.intervals import bootstrap_interval

NAME = "attention_cost"
SEED = 9
SIZES = (256, 512, 1024, 2048, 4096)
SIZE = 64
BLOCK = 128
FIT_FROM = 512
LEVEL = 0.95
BLOCKS = (16, 32, 64, 128, 256, 512, 1024, 2048)
BLOCKS_LENGTH = 2048
KINDS = (
    "dense",
    "tiled",
    "dense_causal",
    "tiled_causal",
    "dense_backward",
    "tiled_backward",
)

Floats = NDArray[np.floating[Any]]
Call = Callable[[], Any]


def draw(n: int) -> Floats:
    """Draw queries, keys, values and the gradient at the output, shape (4, N, D)."""
    return np.random.default_rng([SEED, n]).normal(size=(4, n, SIZE)).astype(np.float32)


def calls(inputs: Floats, block: int = BLOCK) -> dict[str, Call]:
    """Prepare a call of each kind."""
    q, k, v, d_out = inputs
    forward = flash_attention(q, k, v, block_q=block, block_k=block)

    def dense_causal() -> Floats:
        return scaled_dot_product_attention(q, k, v, causal_mask(len(q)))

    return {
        "dense": partial(scaled_dot_product_attention, q, k, v),
        "tiled": partial(flash_attention, q, k, v, block_q=block, block_k=block),
        "dense_causal": dense_causal,
        "tiled_causal": partial(
            flash_attention, q, k, v, block_q=block, block_k=block, rule=causal
        ),
        "dense_backward": partial(attention_backward, q, k, v, d_out),
        "tiled_backward": partial(
            flash_attention_backward, q, k, v, d_out, forward, block_q=block, block_k=block
        ),
    }


def seconds(call: Call) -> float:
    """Processor time of a call."""
    start = time.process_time()
    call()
    return time.process_time() - start


def peak(call: Call) -> int:
    """Most bytes that a call has allocated at a time."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def results(kind: str, call: Call) -> list[Floats]:
    """Call, and list the outputs or gradients without the log-sum-exp."""
    found = call()
    if kind.endswith("_backward"):
        return list(found)
    return [found[0] if kind.startswith("tiled") else found]


def errors(n: int) -> dict[str, float]:
    """Error of each kind against the dense kinds in float64."""
    inputs = draw(n)
    precise = calls(inputs.astype(np.float64))
    found = {}
    for kind, call in calls(inputs).items():
        reference = kind.replace("tiled", "dense")
        pairs = zip(results(kind, call), results(reference, precise[reference]), strict=True)
        found[kind] = max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)
    return found


def exponent(sizes: ArrayLike, costs: ArrayLike) -> float:
    """Slope of log costs on log sizes, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def operations(kind: str, n: int) -> int:
    """Count multiplications and additions of the matrix products."""
    return (10 if kind.endswith("_backward") else 4) * n**2 * SIZE


def counted_bytes(kind: str, n: int) -> int:
    """Count the bytes of the arrays that are alive at the peak, small ones left out."""
    tile = min(BLOCK, n) ** 2
    numbers = {
        "dense": 3 * n**2,
        "tiled": n * (SIZE + 1) + max(n * (SIZE + 1), 3 * tile),
        "dense_backward": 4 * n**2,
        "tiled_backward": 3 * n * SIZE + 2 * n + 5 * tile,
    }
    return 4 * numbers[kind]


def time_exponent(sizes: ArrayLike, times: Floats) -> dict[str, float]:
    """Exponent of the median of times (sweeps, sizes), with its interval."""

    def statistic(sample: Floats) -> float:
        return exponent(sizes, np.median(sample, axis=0))

    rng = np.random.default_rng(SEED)
    found = bootstrap_interval(times, statistic, rng=rng, n_resamples=1000, level=LEVEL)
    return asdict(found)


def measure_blocks(length: int, rows: tuple[int, ...], sweeps: int) -> dict[str, Any]:
    """Measure the tiled forward pass with tiles of several sizes."""
    q, k, v, _ = draw(length)
    tiled = [partial(flash_attention, q, k, v, block_q=n, block_k=n) for n in rows]
    times = [[seconds(call) for call in tiled] for _ in range(sweeps)]
    return {
        "length": length,
        "rows": rows,
        "seconds": np.median(times, axis=0),
        "peak": [peak(call) for call in tiled],
    }


def measure(
    *,
    sizes: tuple[int, ...] = SIZES,
    sweeps: int = 9,
    fit_from: int = FIT_FROM,
    blocks_length: int = BLOCKS_LENGTH,
) -> dict[str, Any]:
    """Measure all kinds at all sizes.

    Parameters
    ----------
    sizes : tuple of int
        Numbers of tokens, growing.
    sweeps : int
        How often everything is timed.
    fit_from : int
        Smallest number of tokens that the exponents are fitted to; at least two are that large.
    blocks_length : int
        Number of tokens when tiles vary.

    Returns
    -------
    dict
        The fields described above.
    """
    prepared = [calls(draw(n)) for n in sizes]
    for by_kind in prepared:  # what is done once only, such as loading code, is not timed
        by_kind["dense"]()
    sweep_times = [
        [[seconds(by_kind[kind]) for by_kind in prepared] for kind in KINDS]
        for _ in record.progress(range(sweeps), NAME)
    ]
    times = dict(zip(KINDS, np.array(sweep_times).swapaxes(0, 1), strict=True))
    peaks = {kind: [peak(by_kind[kind]) for by_kind in prepared] for kind in KINDS}
    medians = {kind: np.median(values, axis=0) for kind, values in times.items()}
    first = next(place for place, n in enumerate(sizes) if n >= fit_from)
    fitted = sizes[first:]
    found_errors = [errors(n) for n in sizes]
    unmasked = [kind for kind in KINDS if not kind.endswith("_causal")]
    return {
        "sizes": sizes,
        "size": SIZE,
        "block": BLOCK,
        "sweeps": sweeps,
        "fit_from": fit_from,
        "level": LEVEL,
        "operations": {kind: [operations(kind, n) for n in sizes] for kind in unmasked},
        "bytes": {kind: [counted_bytes(kind, n) for n in sizes] for kind in unmasked},
        "errors": {kind: [error[kind] for error in found_errors] for kind in KINDS},
        "machine": {
            "cores": record.cores(),
            "seconds": {
                kind: {"median": medians[kind], "least": times[kind].min(0)} for kind in KINDS
            },
            "peak": peaks,
            "time_exponent": {
                kind: time_exponent(fitted, values[:, first:]) for kind, values in times.items()
            },
            "memory_exponent": {
                kind: exponent(fitted, values[first:]) for kind, values in peaks.items()
            },
            "ratio": {
                "forward": medians["dense"] / medians["tiled"],
                "causal": medians["dense_causal"] / medians["tiled_causal"],
                "backward": medians["dense_backward"] / medians["tiled_backward"],
            },
            "blocks": measure_blocks(blocks_length, BLOCKS, sweeps),
        },
    }


def main() -> None:
    """Measure and store."""
    record.save(NAME, measure(), command="python -m experiments.attention_cost", seed=SEED)


if __name__ == "__main__":
    main()
