"""What formats and rounding refuse."""

import numpy as np

from primer_ref.numerics import (
    BF16,
    E4M3,
    FP16,
    FP64,
    FloatFormat,
    decode,
    encode,
    neighbors,
    round_to,
)

ROWS = [
    (FloatFormat, {"exponent_bits": 1, "mantissa_bits": 3}, "2 to 11 exponent bits.* got 1 and 3"),
    (FloatFormat, {"exponent_bits": 8, "mantissa_bits": 53}, "mantissa bits; got 8 and 53"),
    (
        FloatFormat,
        {"exponent_bits": 11, "mantissa_bits": 52, "has_infinity": False},
        "2 to 10 exponent bits.* got 11 and 52",
    ),
    (round_to, {"x": ["one"], "format": FP16}, "must hold real numbers"),
    (neighbors, {"x": [1.0, 1 + 2**-9], "format": BF16}, "numbers of the format; got 1.00195"),
    (neighbors, {"x": np.inf, "format": BF16}, "finite numbers of the format; got inf"),
    (neighbors, {"x": np.nan, "format": BF16}, "finite numbers of the format; got nan"),
    (encode, {"x": 1.0, "format": FP64}, "up to 63 bits; got 64"),
    (decode, {"bits": [0], "format": FP64}, "up to 63 bits; got 64"),
    (decode, {"bits": [1.0], "format": E4M3}, "must be integers; got entries of type float64"),
    (decode, {"bits": [3, 256], "format": E4M3}, "at most 8 bits; got 256"),
    (decode, {"bits": [-1], "format": E4M3}, "at most 8 bits; got -1"),
]
