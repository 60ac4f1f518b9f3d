"""Which positions and pairs are refused."""

import numpy as np

from primer_ref.positions import (
    half_to_interleaved,
    interleaved_to_half,
    rotary,
    rotary_frequencies,
    rotary_half_split,
    rotations,
    turns_at,
)

TURNS = rotations([0, 1], 2)

ROWS = [
    (rotary_frequencies, {"size": 0}, "positive even number, .*; got 0"),
    (rotary_frequencies, {"size": -2}, "positive even number, .*; got -2"),
    (rotary_frequencies, {"size": 3}, "positive even number, .*; got 3"),
    (rotary_frequencies, {"size": 2, "base": 0.0}, "base must be positive; got 0.0"),
    (rotations, {"positions": [0], "size": 2, "base": np.nan}, "base must be positive; got nan"),
    (rotary, {"x": np.ones((2, 3)), "turns": TURNS}, r"rows of even length; got shape \(2, 3\)"),
    (
        rotary,
        {"x": np.ones((3, 2)), "turns": TURNS},
        r"one row a position .* \(2, 1\) and \(3, 2\)",
    ),
    (rotary_half_split, {"x": np.ones(4), "turns": TURNS}, r"even length; got shape \(4,\)"),
    (rotary_half_split, {"x": np.ones((2, 4)), "turns": TURNS}, "one column a pair"),
    (interleaved_to_half, {"x": np.ones(6), "head_size": 3}, "even size; .* and head_size 3"),
    (interleaved_to_half, {"x": 1.0, "head_size": 2}, r"whole heads .* got shape \(\)"),
    (half_to_interleaved, {"x": np.ones(6), "head_size": 4}, r"got shape \(6,\) and head_size 4"),
    (half_to_interleaved, {"x": np.ones(6), "head_size": 0}, "head_size 0"),
    (rotations, {"positions": None, "size": 2}, "must hold real numbers; got .* object"),
    (
        turns_at,
        {"positions": [1j], "frequencies": [1.0]},
        "must hold real numbers; got .* complex128",
    ),
    (turns_at, {"positions": [1.0], "frequencies": ["1"]}, "must hold real numbers; got .* <U1"),
]
