"""Schedules of a pipeline, played task by task, and the bubble in them."""

from __future__ import annotations

from primer_ref.pipeline import run_schedule
from primer_ref.pipeline_schedules import (
    gpipe_schedule,
    interleaved_schedule,
    one_forward_one_backward_schedule,
)
from widgets import Choice, Range

ORDERS = ("all forward first", "one and one", "interleaved")
CONTROLS = (
    Choice("order", "Schedule", ORDERS, ORDERS[1]),
    Range("devices", "Devices p", 2, 8, 4, step=1),
    Range("microbatches", "Micro-batches m", 1, 16, 8, step=1),
    Range("chunks", "Stages a device v", 2, 4, 2, step=1),
)


def data() -> dict[str, object]:
    """Give the names of the schedules."""
    return {"orders": ORDERS}


def compute(*, order: str, devices: int, microbatches: int, chunks: int) -> dict[str, object]:
    """Play a schedule; interleaving takes the next multiple of p micro-batches."""
    m, v = microbatches, 1
    match ORDERS.index(order):
        case 0:
            schedule = gpipe_schedule(devices, m)
        case 1:
            schedule = one_forward_one_backward_schedule(devices, m)
        case _:
            m, v = -(-m // devices) * devices, chunks
            schedule = interleaved_schedule(devices, m, n_chunks=v)
    run = run_schedule(schedule, forward=1 / v, backward=2 / v)
    return {
        "tasks": [
            [[task.microbatch, task.is_backward, start, end] for task, start, end in row]
            for row in run.tasks
        ],
        "microbatches": m,
        "span": run.span,
        "idle": run.idle_fraction,
        "overhead": run.overhead,
        "stored": run.peak_stored[0],
    }
