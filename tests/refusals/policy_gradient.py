"""What policy gradients refuse."""

import numpy as np

from primer_ref.policy_gradient import (
    advantages,
    optimal_baseline,
    policy_gradient,
    policy_gradient_variance,
)

ROWS = [
    (policy_gradient, {"logits": [0, 0], "rewards": [1]}, r"got shapes \(1,\) and \(2,\)"),
    (policy_gradient, {"logits": [0, 0], "rewards": [1, np.nan]}, "one finite reward an action"),
    (policy_gradient, {"logits": [[0, 0]], "rewards": [[1, 0]]}, r"got shapes \(1, 2\)"),
    (policy_gradient_variance, {"logits": [0], "rewards": [np.inf]}, "one finite reward"),
    (optimal_baseline, {"logits": [0, 0], "rewards": 1.0}, r"got shapes \(\) and \(2,\)"),
    (advantages, {"rewards": [1], "values": [1]}, r"one value more.*got shapes \(1,\) and \(1,\)"),
    (advantages, {"rewards": 1.0, "values": [1]}, r"got shapes \(1,\) and \(\)"),
    (advantages, {"rewards": [1], "values": [1, 0], "discount": 2}, "got 2 and 0.95"),
    (advantages, {"rewards": [1], "values": [1, 0], "decay": np.nan}, "got 1.0 and nan"),
]
