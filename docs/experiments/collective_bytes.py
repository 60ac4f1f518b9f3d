r"""Count the bytes of collectives and of parallel steps, and compare the steps with one device's.

Everything runs on the simulated devices of `primer_ref.collectives`, which pass every chunk on and
count it. Inputs are random, from one seed. Result:

- ``collectives``: by name, lists with one entry for each number of ``devices`` p and each number of
  ``elements`` n, float32 numbers of 4 bytes of which every device has so many, or gets so many in
  the end: ``total``, bytes that all devices sent together; ``most``, bytes that one device sent at
  most; ``rounds``. Beside them the formulas: ``total_formula``; ``each_formula``, a p-th of it,
  what every device sends where p divides n (of ``broadcast``, what the first device sends);
  ``rounds_formula``.
- ``steps``: list of parallel steps, each in the precision ``numbers``: "float32", "float64", or
  "whole", small whole numbers in float64, whose sums are exact in any order. Lists with one entry
  for each number of ``devices``: ``total``, ``total_formula``, ``rounds`` and ``rounds_formula`` as
  above; ``difference`` from the step of one device, the largest one of any entry over the largest
  entry of the same array, and ``equal``, whether all bits are the same. By ``name``:

  - ``data``: the gradient of a small decoder's loss on ``windows`` windows of tokens; besides,
    ``unweighted``, the difference where devices' means are averaged without regard to how many
    windows each has;
  - ``tensor_mlp``: output and all gradients of a layer cut over devices, forward and backward, by
    formulas derived by hand, against reverse-mode differentiation on one device;
  - ``tensor_attention``: output of a layer whose heads are cut over devices;
  - ``ring_attention``: causal attention with the tokens cut over devices;
  - ``zero_2`` and ``zero_3``: weights after three steps of Adam with the state cut over devices
    (stages 1 and 2 of ZeRO), and the weights too (stage 3), against Adam with gradients added in
    the order of devices; ``state``, bytes of Adam's averages on the device with most,
    ``state_formula``, a p-th of all; ``equal_in_ring_order``, whether Adam on one device gives the
    same bits when it adds gradients in the order of the ring;
  - ``experts``: what tokens get from the experts of other devices; ``dropped``, share of tokens for
    which an expert had no room;
  - ``pipeline``: gradients of stages that are cut over devices, one forward, one backward.
    ``difference`` and ``equal`` are from one device that takes one micro-batch after another;
    ``whole_batch``, the difference from one device that takes all at once. Bytes are those of the
    messages that the run's tasks have to send, as it does not go through a collective; ``rounds``
    do not apply.

- ``bubbles``: list by ``schedule``, ``chunks`` of each device, ``devices`` and ``microbatches``,
  with a backward task twice as long as a forward one: ``idle``, share of all time, ``overhead``,
  idle over working time, ``stored``, most inputs kept at once on the first device; and
  ``idle_formula`` (null where there is none), ``overhead_formula``.
- ``order``: ``terms`` float32 arrays added up on ``devices`` devices, each of which first adds its
  own: ``changed``, share of the entries whose bits are not those of one device; ``error``, the
  largest over entries, over the sum of the sizes of its terms; ``bound`` of the same for sums of so
  many terms in any order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from primer_ref.activations import gelu, gelu_derivative, relu, relu_derivative
from primer_ref.attention import causal_mask, scaled_dot_product_attention
from primer_ref.autodiff import grad
from primer_ref.blocks import mlp
from primer_ref.collectives import (
    Transfer,
    add_costs,
    all_gather,
    all_reduce,
    all_to_all,
    broadcast,
    reduce_scatter,
    split,
)
from primer_ref.config import Config
from primer_ref.experts import dispatch, expert_capacity, expert_parallel
from primer_ref.heads import multi_head_attention
from primer_ref.numerics import FP32
from primer_ref.optim import Moments, adam, initial_moments
from primer_ref.parallel import (
    data_parallel_gradient,
    ring_attention,
    tensor_parallel_attention,
    tensor_parallel_mlp,
    tensor_parallel_mlp_backward,
)
from primer_ref.pipeline import pipeline_gradients, run_schedule
from primer_ref.pipeline_schedules import (
    Task,
    bubble_fraction,
    bubble_overhead,
    gpipe_schedule,
    interleaved_schedule,
    one_forward_one_backward_schedule,
)
from primer_ref.summation import naive_sum_bound
from primer_ref.training import loss
from primer_ref.transformer import initialize
from primer_ref.trees import tree_leaves, tree_map
from primer_ref.zero import fully_sharded_adam, sharded_adam

NAME = "collective_bytes"
SEED = 9
DEVICES = (1, 2, 3, 4, 8, 16, 32, 64)
ELEMENTS = (960, 1000, 100_000)  # 64 divides the first only; 3 does not divide the others
STEP_DEVICES = (1, 2, 3, 4, 6, 8, 12, 24)
WINDOWS = 26  # which most numbers of devices do not divide
MICROBATCHES = 12
TERMS = 64

CONFIG = Config(
    n_layers=1,
    width=24,
    n_heads=3,
    n_kv_heads=1,
    head_size=8,
    hidden=64,
    n_tokens=50,
    context=16,
)

Floats = NDArray[np.floating[Any]]
Draw = Callable[..., Floats]


# --- Collectives -----------------------------------------------------------------------------


def run_collectives(x: Floats, p: int) -> dict[str, tuple[Transfer, float, float, int]]:
    """Run every collective; with each, the formulas for all bytes, one device's, and rounds."""
    cuts, ring = split(x, p), (p - 1) * x.nbytes
    turns, doublings = p - 1, math.ceil(math.log2(p))
    return {
        "reduce_scatter": (reduce_scatter([x] * p), ring, ring / p, turns),
        "all_gather": (all_gather(cuts), ring, ring / p, turns),
        "all_reduce": (all_reduce([x] * p), 2 * ring, 2 * ring / p, 2 * turns),
        "all_to_all": (all_to_all([cuts] * p), ring, ring / p, turns),
        "broadcast": (broadcast(x, p), ring, doublings * x.nbytes, doublings),
    }


def collectives(devices: Sequence[int], elements: Sequence[int]) -> dict[str, Any]:
    """Count the bytes of every collective."""
    tables: dict[str, Any] = {}
    for p in devices:
        for n in elements:
            for name, (done, total, each, rounds) in run_collectives(
                np.zeros(n, np.float32), p
            ).items():
                row = {
                    "devices": p,
                    "elements": n,
                    "total": sum(done.bytes_sent),
                    "total_formula": total,
                    "most": max(done.bytes_sent),
                    "each_formula": each,
                    "rounds": done.n_rounds,
                    "rounds_formula": rounds,
                }
                append(tables.setdefault(name, {}), row)
    return tables


def append(table: dict[str, list[Any]], row: dict[str, Any]) -> None:
    """Put a row at the end of a table of columns."""
    for key, value in row.items():
        table.setdefault(key, []).append(value)


# --- Steps -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """What a parallel step and a step on one device gave, and what the first one sent."""

    ours: Sequence[Floats]
    theirs: Sequence[Floats]
    total: int
    total_formula: float
    rounds: int | None
    rounds_formula: int | None
    extra: dict[str, Any] = field(default_factory=dict)


def difference(ours: Sequence[Floats], theirs: Sequence[Floats]) -> float:
    """Largest difference of arrays, over the largest entry of the same array."""
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.max(np.abs(a - b)) / np.max(np.abs(b))) for a, b in pairs)


def data_step(p: int, numbers: str) -> Step:
    """Cut the batch: the gradient of a decoder."""
    rng = np.random.default_rng(SEED)
    kind = np.float32 if numbers == "float32" else np.float64
    weights = tree_map(lambda w: w.astype(kind), initialize(CONFIG, rng=rng))
    tokens = rng.integers(CONFIG.n_tokens, size=(WINDOWS, CONFIG.context + 1))

    def gradient(rows: Any) -> Floats:
        leaves = tree_leaves(grad(loss)(weights, CONFIG, rows))
        return np.concatenate([np.ravel(leaf) for leaf in leaves])

    parts: Sequence[Any] = split(tokens, p)  # type: ignore[arg-type]
    gradients = [gradient(part) for part in parts]
    done = data_parallel_gradient(gradients, [part[:, 1:].size for part in parts])
    whole = gradient(tokens)
    plain = data_parallel_gradient(gradients, [1] * p)
    return Step(
        [done.values[0]],
        [whole],
        sum(done.bytes_sent),
        2 * (p - 1) * whole.nbytes,
        done.n_rounds,
        2 * (p - 1),
        {"unweighted": difference([plain.values[0]], [whole])},
    )


def mlp_step(p: int, numbers: str) -> Step:
    """Cut the matrices: a layer forward and backward."""
    draw = drawer(numbers)
    x, w_in, w_out, d = draw(16, 24), draw(24, 96), draw(96, 24), draw(16, 24)
    # Whole numbers stay whole under relu.
    f, slope = (relu, relu_derivative) if numbers == "whole" else (gelu, gelu_derivative)
    done = tensor_parallel_mlp(x, w_in, w_out, f, n_devices=p)
    dx, columns, rows = tensor_parallel_mlp_backward(
        x, w_in, w_out, d, activation=f, slope=slope, n_devices=p
    )
    ours = [done.values[0], dx.values[0], np.concatenate(columns, axis=1), np.concatenate(rows)]
    gradients = grad(lambda a: np.sum(mlp(a[0], a[1], a[2], f) * d))((x, w_in, w_out))
    sent, rounds = add_costs([done, dx])
    formula = 2 * 2 * (p - 1) * x.nbytes
    theirs = [mlp(x, w_in, w_out, f), *gradients]
    return Step(ours, theirs, sum(sent), formula, rounds, 2 * 2 * (p - 1))


def attention_step(p: int, numbers: str) -> Step:
    """Cut the heads: an attention layer, forward."""
    draw = drawer(numbers)
    x, w_q, w_k, w_v = draw(16, 24), draw(24, 96), draw(24, 96), draw(24, 96)
    back, mask = draw(96, 24), causal_mask(16)
    done = tensor_parallel_attention(x, w_q, w_k, w_v, back, n_heads=24, n_devices=p, mask=mask)
    one = multi_head_attention(x, w_q, w_k, w_v, back, n_heads=24, mask=mask)
    formula = 2 * (p - 1) * x.nbytes
    return Step([done.values[0]], [one], sum(done.bytes_sent), formula, done.n_rounds, 2 * (p - 1))


def ring_step(p: int, numbers: str) -> Step:
    """Cut the tokens: causal attention."""
    draw = drawer(numbers)
    q, k, v = (draw(96, 16) for _ in range(3))
    mask = causal_mask(96)
    done = ring_attention(q, k, v, n_devices=p, mask=mask)
    one = scaled_dot_product_attention(q, k, v, mask)
    formula = (p - 1) * (k.nbytes + v.nbytes)
    ours = [np.concatenate(done.values)]
    return Step(ours, [one], sum(done.bytes_sent), formula, done.n_rounds, 2 * (p - 1))


def zero_step(p: int, numbers: str, *, stage: int) -> Step:
    """Cut what Adam keeps: three of its steps."""
    draw = drawer(numbers)
    weights = draw(48, 20)
    shares = [[draw(48, 20) for _ in range(p)] for _ in range(3)]
    states = [initial_moments(part) for part in split(weights, p)]
    parts, costs = split(weights, p), []
    plain, in_ring = (weights, initial_moments(weights)), (weights, initial_moments(weights))
    for step in shares:
        if stage == 3:
            done, states = fully_sharded_adam(parts, share_of(step), states, rate=0.01)
            parts = done.values
        else:
            done, states = sharded_adam(np.concatenate(parts), step, states, rate=0.01)
            parts = split(done.values[0], p)
        costs.append(done)
        plain = adam(plain[0], sum(step), plain[1], rate=0.01)
        ring_total = np.concatenate(reduce_scatter(step).values)
        in_ring = adam(in_ring[0], ring_total, in_ring[1], rate=0.01)
    sent, rounds = add_costs(costs)
    exchanges = 3 if stage == 3 else 2
    whole = np.concatenate(parts)
    return Step(
        [whole],
        [plain[0]],
        sum(sent),
        3 * exchanges * (p - 1) * weights.nbytes,
        rounds,
        3 * exchanges * (p - 1),
        {
            "state": max(state_bytes(state) for state in states),
            "state_formula": 2 * weights.nbytes / p,
            "equal_in_ring_order": np.array_equal(whole, in_ring[0]),
        },
    )


def share_of(shares: Sequence[Floats]) -> Callable[[int, Floats], Floats]:
    """Make a function that gives a device its share of a gradient, whatever the weights."""
    return lambda device, _: shares[device]


def state_bytes(state: Moments) -> int:
    """Bytes of Adam's averages."""
    return int(state.mean.nbytes + state.square.nbytes)


def expert_step(p: int, numbers: str) -> Step:
    """Give each device one expert."""
    draw = drawer(numbers)
    rng = np.random.default_rng(SEED)
    matrices, rows = [draw(24, 24) for _ in range(p)], [draw(48, 24) for _ in range(p)]
    choices, gates = rng.integers(p, size=(p, 48)), rng.integers(1, 4, size=(p, 48))
    gates = gates.astype(rows[0].dtype)
    capacity = expert_capacity(48, p, factor=1.25)
    experts = [lambda x, w=w: x @ w for w in matrices]
    done = expert_parallel(rows, list(choices), list(gates), experts, capacity=capacity)
    one, dropped = [], 0
    for x, chosen, gate in zip(rows, choices, gates, strict=True):
        y = np.zeros_like(x)
        for expert, places in enumerate(dispatch(chosen, n_experts=p, capacity=capacity)):
            y[places] = gate[places, None] * (x[places] @ matrices[expert])
            dropped -= len(places)
        dropped += len(x)
        one.append(y)
    formula = p * 2 * (p - 1) * capacity * rows[0][0].nbytes
    extra = {"dropped": dropped / choices.size}
    ours = [np.concatenate(done.values)]
    sent = sum(done.bytes_sent)
    theirs = [np.concatenate(one)]
    return Step(ours, theirs, sent, formula, done.n_rounds, 2 * (p - 1), extra)


def pipeline_step(p: int, numbers: str) -> Step:
    """Cut the depth: one layer a device."""
    draw = drawer(numbers)
    # The factor keeps activations and gradients of one size through many layers.
    scale = np.float32(12**-0.5) if numbers == "float32" else 12**-0.5
    weights = [scale * draw(12, 12) for _ in range(p)]
    batch, targets = draw(MICROBATCHES, 8, 12), draw(MICROBATCHES, 8, 12)
    schedule = one_forward_one_backward_schedule(p, MICROBATCHES)
    timeline = run_schedule(schedule, forward=1.0, backward=2.0)
    one = run_schedule([in_turn(p, MICROBATCHES)], forward=1.0, backward=2.0)
    ours, theirs = (
        pipeline_gradients(
            each,
            weights,
            list(batch),
            lambda i, y: y - targets[i],
            activation=np.tanh,
            slope=lambda h: 1 - np.tanh(h) ** 2,
        )
        for each in (timeline, one)
    )

    def whole_loss(matrices: list[Floats]) -> Any:
        y = batch
        for w in matrices:
            y = np.tanh(y @ w)
        return np.sum((y - targets) ** 2) / 2

    messages = sum(sends(task, p - 1) for row in timeline.tasks for task, _, _ in row)
    formula = 2 * MICROBATCHES * (p - 1) * batch[0].nbytes
    extra = {"whole_batch": difference(ours, grad(whole_loss)(weights))}
    return Step(ours, theirs, messages * batch[0].nbytes, formula, None, None, extra)


def in_turn(n_stages: int, n_microbatches: int) -> list[Task]:
    """Order tasks for one device: a micro-batch forward and backward, then the next."""
    tasks = []
    for i in range(n_microbatches):
        tasks += [Task(stage, i) for stage in range(n_stages)]
        tasks += [Task(stage, i, True) for stage in reversed(range(n_stages))]
    return tasks


def sends(task: Task, last: int) -> bool:
    """Whether a task has a result that another stage waits for."""
    return task.stage > 0 if task.is_backward else task.stage < last


STEPS: tuple[tuple[str, Callable[[int, str], Step], Sequence[str]], ...] = (
    ("data", data_step, ("float32", "float64")),
    ("tensor_mlp", mlp_step, ("float32", "float64", "whole")),
    ("tensor_attention", attention_step, ("float32", "float64")),
    ("ring_attention", ring_step, ("float32", "float64")),
    ("zero_2", partial(zero_step, stage=2), ("float32", "float64", "whole")),
    ("zero_3", partial(zero_step, stage=3), ("float32", "float64", "whole")),
    ("experts", expert_step, ("float32", "float64", "whole")),
    ("pipeline", pipeline_step, ("float32", "float64")),
)


def drawer(numbers: str) -> Draw:
    """Make a source of arrays of a precision."""
    rng = np.random.default_rng(SEED)
    if numbers == "whole":
        return lambda *shape: rng.integers(-4, 5, shape).astype(np.float64)
    kind = np.float32 if numbers == "float32" else np.float64
    return lambda *shape: rng.normal(size=shape).astype(kind)


def steps(devices: Sequence[int]) -> list[dict[str, Any]]:
    """Run every parallel step on every number of devices."""
    tables = []
    cases = [(name, run, numbers) for name, run, kinds in STEPS for numbers in kinds]
    for name, run, numbers in record.progress(cases, NAME):
        table: dict[str, Any] = {}
        for p in devices:
            step = run(p, numbers)
            pairs = zip(step.ours, step.theirs, strict=True)
            row = {
                "devices": p,
                "total": step.total,
                "total_formula": step.total_formula,
                "rounds": step.rounds,
                "rounds_formula": step.rounds_formula,
                "difference": difference(step.ours, step.theirs),
                "equal": all(np.array_equal(a, b) for a, b in pairs),
            }
            append(table, row | step.extra)
        tables.append({"name": name, "numbers": numbers} | table)
    return tables


# --- Bubbles and the order of sums -----------------------------------------------------------


def bubbles(devices: Sequence[int], microbatches: Sequence[int]) -> list[dict[str, Any]]:
    """Run schedules and measure how long devices are idle."""
    rows = []
    for p in devices:
        for m in microbatches:
            for name, v, schedule in (
                ("gpipe", 1, gpipe_schedule(p, m)),
                ("1f1b", 1, one_forward_one_backward_schedule(p, m)),
                ("interleaved", 2, interleaved_schedule(p, m, n_chunks=2)),
            ):
                timeline = run_schedule(schedule, forward=1.0 / v, backward=2.0 / v)
                rows.append(
                    {
                        "schedule": name,
                        "chunks": v,
                        "devices": p,
                        "microbatches": m,
                        "idle": timeline.idle_fraction,
                        "idle_formula": bubble_fraction(p, m) if v == 1 else None,
                        "overhead": timeline.overhead,
                        "overhead_formula": bubble_overhead(p, m, n_chunks=v),
                        "stored": timeline.peak_stored[0],
                    }
                )
    return rows


def order(devices: Sequence[int], n: int = 4096) -> dict[str, Any]:
    """Add the same arrays on different numbers of devices."""
    terms = np.random.default_rng(SEED).normal(size=(TERMS, n)).astype(np.float32)
    exact, sizes = (np.sum(x, axis=0, dtype=np.float64) for x in (terms, np.abs(terms)))
    bound = np.max(naive_sum_bound(terms.T, FP32) / sizes)
    table: dict[str, Any] = {}
    one = np.sum(terms, axis=0)
    for p in devices:
        own = [np.sum(part, axis=0) for part in split(terms, p)]
        total = all_reduce(own).values[0]
        row = {
            "devices": p,
            "changed": np.mean(total != one),
            "error": np.max(np.abs(total - exact) / sizes),
            "bound": bound,
        }
        append(table, row)
    return {"terms": TERMS, **table}


def measure(
    devices: Sequence[int] = DEVICES,
    elements: Sequence[int] = ELEMENTS,
    step_devices: Sequence[int] = STEP_DEVICES,
) -> dict[str, Any]:
    """Everything described above."""
    return {
        "collectives": collectives(devices, elements),
        "windows": WINDOWS,
        "steps": steps(step_devices),
        "bubbles": bubbles((2, 4, 8), (8, 16, 64)),
        "order": order(devices),
    }


def main() -> None:
    """Measure and store."""
    record.save(NAME, measure(), command="python -m experiments.collective_bytes", seed=SEED)


if __name__ == "__main__":
    main()
