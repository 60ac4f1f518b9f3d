"""What the fits of Zipf's law refuse."""

import numpy as np

from primer_ref.zipf import zipf_exponent, zipf_least_squares, zipf_mandelbrot

ROWS = [
    (zipf_exponent, {"counts": [3, -1]}, "finite numbers of at least 0; got -1"),
    (zipf_exponent, {"counts": [3, np.nan]}, "finite numbers of at least 0; got nan"),
    (zipf_exponent, {"counts": [[3, 1]]}, r"got shape \(1, 2\)"),
    (zipf_exponent, {"counts": [3, 0]}, "not all be of the first rank"),
    (zipf_exponent, {"counts": [0, 3]}, "nor all of the last"),
    (zipf_exponent, {"counts": []}, "not all be of the first rank"),
    (zipf_least_squares, {"counts": [3]}, "not all be of the first rank"),
    (zipf_least_squares, {"counts": [0, 5, 0]}, "positive at two ranks or more"),
    (zipf_mandelbrot, {"counts": [3, 0, 0]}, "not all be of the first rank"),
    (zipf_mandelbrot, {"counts": [5, 3]}, "3 ranks or more .* got 2 from 3 to 5"),
    (zipf_mandelbrot, {"counts": [1] * 7}, "not all equal, .* got 7 from 1 to 1"),
    (zipf_mandelbrot, {"counts": [6, 3, 3]}, "must have a best shift.* at -1"),
    (zipf_mandelbrot, {"counts": [3, 0, 3]}, "must have a best shift.* at -1"),
    (zipf_mandelbrot, {"counts": 1e5 * np.exp(-np.arange(99) / 9)}, "must have a best shift"),
    (zipf_exponent, {"counts": [3, 1j]}, "must hold real numbers; got entries of type complex128"),
    (
        zipf_least_squares,
        {"counts": np.ma.masked_array([3, 2, 1], [False, True, False])},
        "got a masked one",
    ),
    (
        zipf_mandelbrot,
        {"counts": ["3", "2", "1"]},
        "must hold real numbers; got entries of type <U1",
    ),
]
