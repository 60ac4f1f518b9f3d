"""Which extensions of the context are refused."""

import numpy as np

from primer_ref.positions import rotary_frequencies
from primer_ref.rope_scaling import (
    by_parts,
    dynamic_ntk,
    interpolate_positions,
    llama3_frequencies,
    ntk_aware,
    ntk_base,
    yarn_attention_scale,
    yarn_frequencies,
)

THETA = rotary_frequencies(8)
PARTS = {"frequencies": THETA, "factor": 2, "context": 100, "fast": 4, "slow": 1}
DYNAMIC = {"frequencies": THETA, "factor": 2, "context": 100, "length": 200}

ROWS = [
    (interpolate_positions, {"frequencies": THETA, "factor": 0.5}, "at least 1 .* got 0.5"),
    (interpolate_positions, {"frequencies": [1.0], "factor": 2}, r"two positive .* got \[1.0\]"),
    (interpolate_positions, {"frequencies": [1.0, np.nan], "factor": 2}, "two positive numbers"),
    (ntk_aware, {"frequencies": THETA, "factor": np.nan}, "at least 1 and finite; got nan"),
    (ntk_aware, {"frequencies": [1.0, 0.0], "factor": 2}, "two positive numbers"),
    (ntk_base, {"base": 1e4, "factor": np.inf, "size": 8}, "finite; got inf"),
    (ntk_base, {"base": 1e4, "factor": 2, "size": 2}, "size must be at least 4.* got 2"),
    (dynamic_ntk, DYNAMIC | {"factor": 0}, "at least 1 .* got 0"),
    (dynamic_ntk, DYNAMIC | {"context": 0}, "context must be positive; got 0"),
    (dynamic_ntk, DYNAMIC | {"length": np.nan}, "length must be a number; got nan"),
    (by_parts, PARTS | {"factor": 0}, "at least 1 .* got 0"),
    (by_parts, PARTS | {"context": -1}, "context must be positive; got -1"),
    (by_parts, PARTS | {"slow": 4}, "fast must be above slow.* got 4 and 4"),
    (by_parts, PARTS | {"slow": 0}, "slow positive; got 4 and 0"),
    (by_parts, PARTS | {"frequencies": []}, "two positive numbers"),
    (llama3_frequencies, {"frequencies": THETA, "fast": np.nan}, "fast must be above slow"),
    (yarn_frequencies, PARTS | {"context": 0}, "^context must be positive; got 0"),
    (yarn_frequencies, PARTS | {"fast": 1}, "fast must be above slow"),
    (yarn_frequencies, PARTS | {"frequencies": [1.0, 0.5, 0.3]}, "geometric sequence from 1"),
    (yarn_frequencies, PARTS | {"frequencies": [2.0, 1.0, 0.5]}, "geometric sequence from 1"),
    (yarn_frequencies, PARTS | {"frequencies": [1.0, 1.0]}, "falling geometric sequence"),
    (yarn_attention_scale, {"factor": 0.9}, "at least 1 .* got 0.9"),
]
