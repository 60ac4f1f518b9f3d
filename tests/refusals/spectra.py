"""Which spectra are refused."""

import numpy as np

from primer_ref.spectra import angle_error_bound, rotary_spectrum, wavelengths

ROWS = [
    (rotary_spectrum, {"q": [1.0, 2.0], "k": [1.0] * 4}, "one even size; got 2 and 4"),
    (rotary_spectrum, {"q": [1.0] * 3, "k": [1.0] * 3}, "one even size; got 3 and 3"),
    (wavelengths, {"frequencies": [1.0, 0.0]}, "frequencies must be positive; got 0.0"),
    (wavelengths, {"frequencies": [np.nan]}, "frequencies must be positive; got nan"),
    (
        angle_error_bound,
        {"positions": [1], "frequencies": [1.0], "unit_roundoff": 0},
        "must lie strictly between 0 and 1; got 0",
    ),
    (
        angle_error_bound,
        {"positions": [1], "frequencies": [1.0], "unit_roundoff": 1},
        "must lie strictly between 0 and 1; got 1",
    ),
    (rotary_spectrum, {"q": 0.5, "k": [1.0, 2.0]}, "1 or more axes"),
]
