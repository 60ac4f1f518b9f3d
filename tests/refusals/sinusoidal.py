"""Which encodings are refused."""

from primer_ref.sinusoidal import sinusoidal, sinusoidal_shift

ROWS = [
    (sinusoidal, {"positions": [0], "width": 5}, "positive even number, .*; got 5"),
    (sinusoidal, {"positions": [0], "width": 4, "base": -1.0}, "base must be positive; got -1.0"),
    (sinusoidal_shift, {"shift": 1, "width": 0}, "positive even number, .*; got 0"),
    (sinusoidal, {"positions": [1j], "width": 4}, "must hold real numbers; got .* complex128"),
]
