"""What softmax and its relatives refuse."""

import numpy as np

from primer_ref.functional import (
    as_floats,
    as_mask,
    as_positive,
    entropy_slope,
    log_softmax,
    softmax,
    softmax_jacobian,
    softmax_vjp,
)

ROWS = [
    (as_floats, {"x": ["one"]}, "must hold real numbers; got entries of type <U3"),
    (as_floats, {"x": [1j]}, "must hold real numbers; got entries of type complex128"),
    (as_floats, {"x": [None]}, "must hold real numbers; got entries of type object"),
    (as_mask, {"mask": [True, False]}, "0 to show and −∞ to hide; got truth values$"),
    (as_positive, {"x": [1, 0], "name": "sizes"}, "^sizes must be positive; got 0.0$"),
    (as_positive, {"x": np.nan, "name": "sizes"}, "^sizes must be positive; got nan$"),
    (softmax, {"s": []}, r"at least one score; got shape \(0,\)"),
    (softmax, {"s": 1.0}, r"at least one score; got shape \(\)"),
    (softmax, {"s": [0, np.nan]}, "finite largest score in every row; got nan"),
    (softmax, {"s": [[0, 1], [-np.inf, -np.inf]]}, "finite largest score in every row; got -inf"),
    (softmax, {"s": [0, 1], "temperature": 0}, "temperature must be positive and finite; got 0"),
    (log_softmax, {"s": [0, np.inf]}, "finite largest score in every row; got inf"),
    (entropy_slope, {"s": [0, np.nan]}, "finite largest score in every row; got nan"),
    (softmax_jacobian, {"p": [1], "temperature": np.nan}, "temperature must be positive"),
    (softmax_vjp, {"p": [1], "dp": [1], "temperature": -1}, "temperature must be positive"),
    (as_floats, {"x": np.ma.masked_array([1.0, 9.0], [False, True])}, "got a masked one"),
    (as_floats, {"x": np.datetime64("2020-01-01")}, "got entries of type datetime64"),
    (softmax, {"s": np.ma.masked_array([0.0, 9.0], [False, True])}, "must show all its numbers"),
    (softmax_jacobian, {"p": 0.5}, r"1 or more axes here; got shape \(\)"),
]
