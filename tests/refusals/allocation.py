"""What the split of a budget refuses."""

from math import nan

from primer_ref.allocation import (
    compute_for_loss,
    compute_optimal,
    compute_overhead,
    isoflop_minimum,
    optimal_parameters,
    optimal_tokens,
)
from primer_ref.scaling import HOFFMANN

ROWS = [
    (compute_optimal, {"flops": [1, 0], "law": HOFFMANN}, "flops must be positive; got 0"),
    (compute_optimal, {"flops": nan, "law": HOFFMANN}, "flops must be positive; got nan"),
    (optimal_tokens, {"n_parameters": -1, "law": HOFFMANN}, "n_parameters must be pos.* got -1"),
    (optimal_parameters, {"n_tokens": nan, "law": HOFFMANN}, "n_tokens must be pos.* got nan"),
    (compute_for_loss, {"loss": 1.69, "law": HOFFMANN}, "above the floor of 1.69; got 1.69"),
    (compute_for_loss, {"loss": [2, nan], "law": HOFFMANN}, "above the floor of 1.69; got nan"),
    (compute_overhead, {"size_factor": 0, "law": HOFFMANN}, "size_factor must be pos.* got 0"),
    (isoflop_minimum, {"n_parameters": [1, 1, 2], "losses": [1, 1, 2]}, "with 2 different sizes"),
    (isoflop_minimum, {"n_parameters": [1, 2, 4], "losses": [1, 1]}, "a loss for each; got shapes"),
    (isoflop_minimum, {"n_parameters": [0, 1, 2], "losses": [1, 1, 2]}, "must be positive; got 0"),
    (isoflop_minimum, {"n_parameters": [1, 2, 4], "losses": [1, 2, 1]}, "must open upward"),
    (isoflop_minimum, {"n_parameters": [1, 2, 4], "losses": [1, nan, 1]}, "must open upward"),
]
