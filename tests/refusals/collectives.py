"""What collectives refuse."""

import numpy as np

from primer_ref.collectives import (
    add_costs,
    all_gather,
    all_reduce,
    all_to_all,
    broadcast,
    reduce_scatter,
    shift,
    split,
)

ONE, TWO = np.zeros(1), np.zeros(2)

ROWS = [
    (split, {"x": ONE, "n": 0}, "n must be at least 1; got 0"),
    (shift, {"values": []}, "at least one device; got an empty list"),
    (reduce_scatter, {"values": []}, "at least one device; got an empty list"),
    (reduce_scatter, {"values": [ONE, TWO]}, r"one shape; got \[\(1,\), \(2,\)\]"),
    (all_reduce, {"values": []}, "at least one device; got an empty list"),
    (all_reduce, {"values": [TWO[:, None], TWO]}, r"one shape; got \[\(2, 1\), \(2,\)\]"),
    (all_gather, {"parts": []}, "at least one device; got an empty list"),
    (all_to_all, {"blocks": []}, "at least one device; got an empty list"),
    (all_to_all, {"blocks": [[ONE, TWO], [ONE]]}, r"must have 2 blocks; got \[2, 1\]"),
    (add_costs, {"transfers": []}, r"the same devices; got numbers \[\]"),
    (add_costs, {"transfers": [broadcast(ONE, 1), broadcast(ONE, 2)]}, r"got numbers \[1, 2\]"),
    (broadcast, {"value": ONE, "n_devices": 0}, "n_devices must be at least 1; got 0"),
    (
        split,
        {"x": np.ones(3), "n": 2, "axis": 1},
        r"axis must be one of the array's; got 1 and shape \(3,\)",
    ),
]
