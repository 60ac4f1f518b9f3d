"""Which weights and codes are refused."""

import numpy as np

from primer_ref.quantization import (
    absmax_quantize,
    nf4_dequantize,
    nf4_quantize,
    zero_point_quantize,
)

ROWS = [
    (absmax_quantize, {"x": [1.0], "bits": 1}, "bits must be from 2 to 32; got 1"),
    (absmax_quantize, {"x": []}, r"at least one; got shape \(0,\)"),
    (absmax_quantize, {"x": [np.nan]}, "finite numbers"),
    (zero_point_quantize, {"x": [1.0], "bits": 33}, "bits must be from 2 to 32; got 33"),
    (zero_point_quantize, {"x": [np.inf]}, "finite numbers"),
    (zero_point_quantize, {"x": [1e308, -1e308]}, "a finite range; got -1e[+]308 to 1e[+]308"),
    (nf4_quantize, {"x": [1.0, 2.0, 3.0], "block": 2}, r"got shape \(3,\) and block 2"),
    (nf4_quantize, {"x": [1.0], "block": 0}, r"got shape \(1,\) and block 0"),
    (nf4_quantize, {"x": [np.nan], "block": 1}, "weights must be finite"),
    (nf4_dequantize, {"codes": [16], "scales": [1.0]}, "codes must lie from 0 to 15"),
    (nf4_dequantize, {"codes": [], "scales": [1.0]}, "codes must lie from 0 to 15"),
    (nf4_dequantize, {"codes": [1, 2, 3], "scales": [1.0, 1.0]}, r"shapes \(3,\) and \(2,\)"),
    (nf4_dequantize, {"codes": [1.5], "scales": [1.0]}, "codes must be integers; got .* float64"),
    (nf4_dequantize, {"codes": [1], "scales": [1j]}, "must hold real numbers; got .* complex128"),
    (nf4_dequantize, {"codes": [0], "scales": 1.0}, "1 or more axes"),
]
