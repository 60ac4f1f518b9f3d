"""What the parts of a layer refuse."""

from primer_ref.blocks import gated_width, post_norm_gradient, pre_norm_gradient

ROWS = [
    (gated_width, {"width": 0, "multiple_of": 64}, "width must be positive; got 0"),
    (gated_width, {"width": 64, "multiple_of": 0}, "multiple_of must be positive; got 0"),
    (
        pre_norm_gradient,
        {"n_parts": -1, "forward": 1.0, "backward": 1.0},
        "must not be negative; got -1 parts",
    ),
    (
        pre_norm_gradient,
        {"n_parts": 1, "forward": -1.0, "backward": 1.0},
        "gains -1.0 and 1.0",
    ),
    (
        post_norm_gradient,
        {"n_parts": 1, "forward": 1.0, "backward": float("nan")},
        "gains 1.0 and nan",
    ),
]
