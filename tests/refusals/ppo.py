"""What PPO and GRPO refuse."""

import numpy as np

from primer_ref.ppo import (
    grpo_advantages,
    grpo_loss,
    ppo_is_clipped,
    ppo_loss,
    ppo_surrogate,
    rloo_advantages,
)

TOKENS = {
    "log_probs": [[-1.0, -1.0]],
    "old_log_probs": [[-1.0, -1.0]],
    "advantages": [1.0],
    "mask": [[True, False]],
}

ROWS = [
    (ppo_surrogate, {"ratio": [1, 1], "advantages": [1]}, r"got shapes \(1,\) and \(2,\)"),
    (ppo_surrogate, {"ratio": [-1], "advantages": [1]}, "ratios of probabilities must not be neg"),
    (ppo_surrogate, {"ratio": [np.nan], "advantages": [1]}, "ratios of probabilities must not be"),
    (
        ppo_surrogate,
        {"ratio": [1], "advantages": [1], "clip": 1},
        "clip must lie .*; got 1",
    ),
    (ppo_is_clipped, {"ratio": [], "advantages": []}, r"got shapes \(0,\) and \(0,\)"),
    (
        ppo_is_clipped,
        {"ratio": [1], "advantages": [1], "clip": 0},
        "clip must lie .*; got 0",
    ),
    (
        ppo_loss,
        {"log_probs": [0.5], "old_log_probs": [0.4], "advantages": [1]},
        "got 0.5: is it a probability?",
    ),
    (
        ppo_loss,
        {"log_probs": [-1], "old_log_probs": [-1, -2], "advantages": [1]},
        r"got shapes \(1,\) and \(2,\)",
    ),
    (grpo_advantages, {"rewards": [1.0]}, r"at least 2 answers.*got shape \(1,\)"),
    (grpo_advantages, {"rewards": [1.0, np.inf]}, "with finite rewards"),
    (rloo_advantages, {"rewards": 1.0}, r"at least 2 answers.*got shape \(\)"),
    (grpo_loss, TOKENS | {"advantages": [1.0, 1.0]}, r"\(1, 2\), \(1, 2\) and \(2,\)"),
    (grpo_loss, TOKENS | {"mask": [[False, False]]}, "every answer a token"),
    (grpo_loss, TOKENS | {"mask": [[1, 0]]}, "mask must hold truth values"),
    (grpo_loss, TOKENS | {"old_log_probs": [[0.1, -1.0]]}, "got 0.1: is it a probability?"),
    (
        grpo_loss,
        {"log_probs": [-1.0], "old_log_probs": [-1.0], "advantages": [1.0], "mask": [True]},
        r"\(1,\), \(1,\) and \(1,\)",
    ),
    (grpo_loss, TOKENS | {"clip": np.nan}, "between 0 and 1; got nan"),
]
