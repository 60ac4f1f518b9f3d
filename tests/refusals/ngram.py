"""What smoothed counts refuse."""

import numpy as np

from primer_ref.ngram import additive_smoothing, interpolate

ROWS = [
    (additive_smoothing, {"counts": [1, -1], "alpha": 1}, "counts must be finite .*; got -1"),
    (additive_smoothing, {"counts": [1, 1j], "alpha": 1}, "must hold real numbers"),
    (additive_smoothing, {"counts": ["1"], "alpha": 1}, "must hold real numbers; got .* <U1"),
    (
        interpolate,
        {"counts": [2**70], "totals": 1, "prior": [1.0], "strength": 1},
        "must hold real numbers; got entries of type object",
    ),
    (
        interpolate,
        {"counts": np.ma.masked_array([1], [True]), "totals": 1, "prior": [1.0], "strength": 1},
        "got a masked one",
    ),
]
