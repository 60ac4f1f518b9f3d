"""What schedules refuse."""

from primer_ref.pipeline_schedules import (
    bubble_fraction,
    bubble_overhead,
    gpipe_schedule,
    interleaved_schedule,
    one_forward_one_backward_schedule,
)

ROWS = [
    (bubble_fraction, {"n_stages": 0, "n_microbatches": 1}, r"must be positive; got \(0, 1\)"),
    (
        bubble_overhead,
        {"n_devices": 1, "n_microbatches": 1, "n_chunks": 0},
        r"must be positive; got \(1, 1, 0\)",
    ),
    (gpipe_schedule, {"n_stages": 1, "n_microbatches": 0}, r"must be positive; got \(1, 0\)"),
    (
        one_forward_one_backward_schedule,
        {"n_stages": -1, "n_microbatches": 2},
        r"must be positive; got \(-1, 2\)",
    ),
    (
        interleaved_schedule,
        {"n_devices": 4, "n_microbatches": 6, "n_chunks": 2},
        "n_microbatches must be a multiple of n_devices; got 6 and 4",
    ),
    (
        interleaved_schedule,
        {"n_devices": 4, "n_microbatches": 8, "n_chunks": 0},
        r"must be positive; got \(4, 8, 0\)",
    ),
]
