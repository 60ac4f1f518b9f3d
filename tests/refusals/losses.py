"""What losses refuse."""

import numpy as np

from primer_ref.losses import (
    cross_entropy_gradient,
    cross_entropy_loss,
    label_smoothed_loss,
    token_losses,
    z_loss,
)

LOGITS = np.zeros((2, 3))

ROWS = [
    (token_losses, {"logits": LOGITS, "targets": [0, 3]}, "must be from 0 to 2; got 0 to 3"),
    (token_losses, {"logits": LOGITS, "targets": [-1, 0]}, "must be from 0 to 2; got -1 to 0"),
    (
        token_losses,
        {"logits": LOGITS, "targets": [0]},
        r"got shape \(1,\) of int64 for .* \(2, 3\)",
    ),
    (token_losses, {"logits": LOGITS, "targets": [0.0, 1.0]}, "must be integers.* of float64"),
    (token_losses, {"logits": LOGITS, "targets": [True, False]}, "must be integers.* of bool"),
    (token_losses, {"logits": 1.0, "targets": 0}, r"one for each row of logits; got shape \(\)"),
    (token_losses, {"logits": [[0, np.nan]], "targets": [0]}, "in every row; got nan"),
    (cross_entropy_loss, {"logits": LOGITS, "targets": [0, 3]}, "must be from 0 to 2"),
    (
        cross_entropy_loss,
        {"logits": LOGITS, "targets": [0, 1], "mask": [False, False]},
        "needs at least one token; got a mask that shows none",
    ),
    (
        cross_entropy_loss,
        {"logits": np.zeros((0, 3)), "targets": np.zeros(0, int)},
        "needs at least one token",
    ),
    (
        cross_entropy_loss,
        {"logits": LOGITS, "targets": [0, 1], "mask": [1, 0]},
        r"one truth value a token; got shape \(2,\) of int64 for \(2,\)",
    ),
    (
        cross_entropy_loss,
        {"logits": LOGITS, "targets": [0, 1], "mask": [[True], [True]]},
        r"one truth value a token; got shape \(2, 1\) of bool for \(2,\)",
    ),
    (cross_entropy_gradient, {"logits": LOGITS, "targets": [0, 3]}, "must be from 0 to 2"),
    (
        cross_entropy_gradient,
        {"logits": np.zeros((0, 3)), "targets": np.zeros(0, int)},
        "needs at least one token; got none",
    ),
    (
        label_smoothed_loss,
        {"logits": LOGITS, "targets": [0, 1], "smoothing": 1.5},
        "smoothing must be from 0 to 1; got 1.5",
    ),
    (
        label_smoothed_loss,
        {"logits": LOGITS, "targets": [0, 1], "smoothing": np.nan},
        "smoothing must be from 0 to 1; got nan",
    ),
    (z_loss, {"logits": LOGITS, "mask": [False, False]}, "needs at least one token"),
    (z_loss, {"logits": LOGITS, "mask": True}, r"one truth value a token; got shape \(\) of bool"),
]
