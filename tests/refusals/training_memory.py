"""What training memory refuses."""

from primer_ref.training_memory import (
    STORED,
    activation_bytes,
    score_share,
    selective_recomputation_overhead,
)

SIZES = {"stored": STORED, "n_tokens": 1, "batch": 1, "width": 1, "n_heads": 1}

ROWS = [
    (activation_bytes, SIZES | {"batch": 0}, r"sizes must be positive; got \(1, 0, 1, 1, 1\)"),
    (activation_bytes, SIZES | {"n_devices": -1}, r"sizes must be positive; got .* -1\)"),
    (score_share, {"n_tokens": 1, "width": 0, "n_heads": 1}, "sizes must be positive"),
    (selective_recomputation_overhead, {"n_tokens": 0, "width": 1}, r"got \(0, 1\)"),
]
