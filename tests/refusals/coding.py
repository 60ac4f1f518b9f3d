"""What entropy coding refuses."""

import numpy as np

from primer_ref.coding import quantize

ROWS = [
    (quantize, {"p": [0.5, 0.4], "total": 99}, "must be one distribution; got .* sum 0.9"),
    (quantize, {"p": [0.5, np.nan], "total": 99}, "must be one distribution; got .* sum nan"),
    (quantize, {"p": [0.5, 0.5], "total": 2}, "total must be above V = 2 .*; got 2"),
    (quantize, {"p": [0.5, 0.5 + 1j], "total": 99}, "must hold real numbers"),
    (
        quantize,
        {"p": np.ma.masked_array([0.5, 0.5], [False, True]), "total": 99},
        "got a masked one",
    ),
]
