"""What the rules of differentiation refuse."""

import numpy as np

from primer_ref.autodiff_rules import reinterpret

ROWS = [
    (reinterpret, {"x": np.ones(2, ">f8"), "dtype": np.complex128}, "own precision; got >f8 as"),
    (reinterpret, {"x": np.ones(2, np.float32), "dtype": np.complex128}, "got float32 as complex"),
    (reinterpret, {"x": np.ones(2, np.int64), "dtype": np.complex128}, "got int64 as complex128"),
    (reinterpret, {"x": np.ones(3), "dtype": np.complex128}, "last axis"),
]
