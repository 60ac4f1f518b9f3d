"""What the formulas of a watermark's strength refuse."""

from primer_ref.watermark_power import (
    detection_power,
    expected_z,
    green_after_edits,
    green_floor,
    green_probability,
    tokens_needed,
)

POWER = {"n": 100, "green": 0.7, "fraction": 0.5, "threshold": 4}
LENGTH = {"green": 0.7, "fraction": 0.5, "threshold": 4, "power": 0.9}
HALF = [0.5, 0.5]

ROWS = [
    (green_probability, {"p": [0.5, 0.4], "green": [True, False], "bias": 1}, "p must sum to 1"),
    (green_probability, {"p": HALF, "green": [True, False], "bias": -1}, "negative; got -1"),
    (green_floor, {"p": HALF, "fraction": 0.5, "bias": float("nan")}, "negative; got nan"),
    (green_floor, {"p": HALF, "fraction": 1, "bias": 1}, "fraction must lie strictly"),
    (green_after_edits, {"green": 0.7, "fraction": 0.5, "edited": 1.5}, "edited must be a prob"),
    (green_after_edits, {"green": -1, "fraction": 0.5, "edited": 0.5}, "green must be a prob"),
    (green_after_edits, {"green": 0.7, "fraction": 0, "edited": 0.5}, "fraction must lie strictly"),
    (expected_z, {"n": 0, "green": 0.7, "fraction": 0.5}, "n must be at least 1; got 0"),
    (expected_z, {"n": 9, "green": 0.7, "fraction": 1}, "fraction must lie .*; got 1"),
    (detection_power, POWER | {"green": 1}, "green must lie strictly between 0 and 1; got 1"),
    (detection_power, POWER | {"n": 0}, "n must be at least 1; got 0"),
    (tokens_needed, LENGTH | {"green": 0.4}, "raise green above fraction.*got 0.4, 0.5"),
    (tokens_needed, LENGTH | {"power": 0.3}, r"power in \[0.5, 1\); got .* and 0.3"),
    (tokens_needed, LENGTH | {"threshold": 0}, "threshold be above 0.*0 and 0.9"),
]
