"""What the preference losses refuse."""

import numpy as np

from primer_ref.alignment import (
    dpo_gradient_weight,
    dpo_loss,
    implicit_reward,
    ipo_loss,
    kto_loss,
    preference_margin,
    simpo_loss,
)

FOUR = {
    "chosen": [-1.0],
    "rejected": [-2.0],
    "reference_chosen": [-1.0],
    "reference_rejected": [-2.0],
}
KTO = {
    "log_policy": [-1.0],
    "log_reference": [-1.0],
    "desirable": [True],
    "beta": 0.1,
    "reference_point": 0.0,
}
SIMPO = {
    "chosen": [-1.0],
    "rejected": [-2.0],
    "chosen_lengths": [3],
    "rejected_lengths": [3],
    "beta": 2.0,
    "margin": 0.5,
}

ROWS = [
    (
        implicit_reward,
        {"log_policy": [0.5], "log_reference": [-1.0], "beta": 0.1},
        "got 0.5: is it a probability?",
    ),
    (
        implicit_reward,
        {"log_policy": [-1.0], "log_reference": [-1.0, -1.0], "beta": 0.1},
        r"got shapes \(1,\) and \(2,\)",
    ),
    (
        implicit_reward,
        {"log_policy": [-1.0], "log_reference": [-1.0], "beta": 0},
        "beta must be positive and finite; got 0",
    ),
    (
        preference_margin,
        FOUR | {"rejected": [-1.0] * 2, "reference_rejected": [-1.0] * 2},
        r"one rejected a chosen; got shapes \(1,\) and \(2,\)",
    ),
    (preference_margin, FOUR | {"chosen": [-np.inf]}, "finite and at most 0; got -inf"),
    (dpo_loss, FOUR | {"reference_rejected": [0.2], "beta": 0.1}, "is it a probability?"),
    (dpo_loss, FOUR | {"beta": -1}, "beta must be positive and finite; got -1"),
    (
        dpo_loss,
        FOUR | {"rejected": [-1.0] * 2, "reference_rejected": [-1.0] * 2, "beta": 0.1},
        r"one rejected a chosen; got shapes \(1,\) and \(2,\)",
    ),
    (dpo_gradient_weight, FOUR | {"rejected": [0.9], "beta": 0.1}, "is it a probability?"),
    (dpo_gradient_weight, FOUR | {"beta": np.nan}, "beta must be positive and finite; got nan"),
    (ipo_loss, FOUR | {"beta": np.inf}, "beta must be positive and finite; got inf"),
    (ipo_loss, FOUR | {"chosen": [0.1], "beta": 1}, "got 0.1: is it a probability?"),
    (kto_loss, KTO | {"desirable": [1]}, r"one truth value an answer; got shape \(1,\) of int64"),
    (kto_loss, KTO | {"desirable": [True, True]}, r"got shape \(2,\) of bool"),
    (kto_loss, KTO | {"reference_point": -0.1}, "reference_point must be finite, not negative"),
    (kto_loss, KTO | {"reference_point": np.inf}, "reference_point must be finite"),
    (kto_loss, KTO | {"log_policy": [0.5]}, "got 0.5: is it a probability?"),
    (kto_loss, KTO | {"beta": 0}, "beta must be positive"),
    (simpo_loss, SIMPO | {"chosen_lengths": [0]}, r"one length an answer, at least 1; got \[0\]"),
    (simpo_loss, SIMPO | {"rejected_lengths": 3}, "one length an answer, at least 1; got 3"),
    (simpo_loss, SIMPO | {"rejected": [0.5]}, "is it a probability?"),
    (simpo_loss, SIMPO | {"beta": 0}, "beta must be positive"),
    (simpo_loss, SIMPO | {"margin": np.nan}, "rewards must be finite"),
]
