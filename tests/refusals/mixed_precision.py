"""What mixed precision refuses."""

import numpy as np

from primer_ref.mixed_precision import (
    LossScale,
    shifted_logsumexp,
    shifted_softmax,
    unshifted_logsumexp,
    unshifted_softmax,
    update_loss_scale,
    vanishing_update,
)
from primer_ref.numerics import BF16

EMPTY = {"x": np.zeros((2, 0)), "format": BF16}
UPDATE = {"state": LossScale(1.0), "gradients": [1.0]}

ROWS = [
    (LossScale, {"scale": 0.0}, "scale must be positive and finite; got 0"),
    (LossScale, {"scale": np.nan}, "scale must be positive and finite; got nan"),
    (LossScale, {"scale": 1.0, "clean_steps": -1}, "clean_steps must not be negative; got -1"),
    (update_loss_scale, UPDATE | {"growth": 1.0}, "growth must be above 1.* got 1.0 and 0.5"),
    (update_loss_scale, UPDATE | {"backoff": 1.0}, "backoff between 0 and 1; got 2.0 and 1.0"),
    (update_loss_scale, UPDATE | {"interval": 0}, "interval must be at least 1; got 0"),
    (vanishing_update, {"weight": 1.001, "format": BF16}, "of the format; got 1.001"),
    (unshifted_logsumexp, EMPTY, r"at least one score; got shape \(2, 0\)"),
    (shifted_logsumexp, EMPTY, r"at least one score; got shape \(2, 0\)"),
    (unshifted_softmax, EMPTY, r"at least one score; got shape \(2, 0\)"),
    (shifted_softmax, EMPTY, r"at least one score; got shape \(2, 0\)"),
]
