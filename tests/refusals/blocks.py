"""What the parts of a layer refuse."""

from primer_ref.blocks import gated_width

ROWS = [
    (gated_width, {"width": 0, "multiple_of": 64}, "sizes must be positive; got 0 and 64"),
    (gated_width, {"width": 64, "multiple_of": 0}, "sizes must be positive; got 64 and 0"),
]
