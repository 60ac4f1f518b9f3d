"""Which weights are no blocks."""

import numpy as np

from primer_ref.block_quantization import (
    q4_0_error_bound,
    q4_1_error_bound,
    q8_0_error_bound,
    quantize_q4_0,
    quantize_q4_1,
    quantize_q8_0,
)

ROWS = [
    (function, {"x": x}, message)
    for function in (
        quantize_q8_0,
        quantize_q4_0,
        quantize_q4_1,
        q8_0_error_bound,
        q4_0_error_bound,
        q4_1_error_bound,
    )
    for x, message in (
        (np.ones(31), r"a multiple of 32 long; got shape \(31,\)"),
        (np.ones((0, 32)), r"a multiple of 32 long; got shape \(0, 32\)"),
        (1.0, r"a multiple of 32 long; got shape \(\)"),
        (np.full(32, np.nan), "finite and below 2\\^15, for half precision; got nan"),
        (np.full(32, -1e5), "below 2\\^15, for half precision; got 100000.0"),
    )
]
