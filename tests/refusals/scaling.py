"""What scaling laws refuse."""

from math import nan

from primer_ref.scaling import (
    HOFFMANN,
    ScalingLaw,
    chinchilla_loss,
    exact_match,
    kaplan_loss,
    power_law,
)

LAW = {"e": 1, "a": 1, "b": 1, "alpha": 1, "beta": 1}

ROWS = [
    (ScalingLaw, LAW | {"alpha": 0}, "alpha must be positive; got 0"),
    (ScalingLaw, LAW | {"b": nan}, "b must be positive; got nan"),
    (ScalingLaw, LAW | {"e": -1}, "e must not be negative; got -1"),
    (power_law, {"x": [1, 0], "scale": 1, "exponent": 1}, "x must be positive; got 0"),
    (kaplan_loss, {"n_parameters": nan, "n_tokens": 1}, "n_parameters must be pos.* got nan"),
    (kaplan_loss, {"n_parameters": 1, "n_tokens": -1}, "n_tokens must be positive; got -1"),
    (chinchilla_loss, {"n_parameters": 0, "n_tokens": 1, "law": HOFFMANN}, "n_parameters must be"),
    (chinchilla_loss, {"n_parameters": 1, "n_tokens": 0, "law": HOFFMANN}, "n_tokens must be"),
    (
        exact_match,
        {"token_accuracy": 1.1, "n_tokens": 1},
        r"^token_accuracy must .* \[0, 1\]; got 1.1",
    ),
    (
        exact_match,
        {"token_accuracy": nan, "n_tokens": 1},
        r"^token_accuracy must .* \[0, 1\]; got nan",
    ),
    (exact_match, {"token_accuracy": 0.5, "n_tokens": 0}, "n_tokens must be positive; got 0"),
]
