"""What paired comparisons refuse."""

import numpy as np

from primer_ref.preferences import (
    BradleyTerryFit,
    bradley_terry_gradient,
    bradley_terry_information,
    bradley_terry_loss,
    elo_update,
    fit_bradley_terry,
    strength_intervals,
)

FIT = BradleyTerryFit(np.zeros(2), np.eye(2))
APART = np.kron(np.eye(2), [[0, 1], [1, 0]])

ROWS = [
    (
        bradley_terry_loss,
        {"chosen": [1, 2], "rejected": [1]},
        r"one rejected a chosen; got shapes \(2,\) and \(1,\)",
    ),
    (bradley_terry_loss, {"chosen": [], "rejected": []}, r"got shapes \(0,\) and \(0,\)"),
    (bradley_terry_loss, {"chosen": [np.nan], "rejected": [0]}, "rewards must be finite"),
    (bradley_terry_gradient, {"chosen": [1], "rejected": [np.inf]}, "rewards must be finite"),
    (
        bradley_terry_information,
        {"strengths": [0, 0, 0], "games": [[0, 1], [1, 0]]},
        r"got shapes \(2, 2\) and \(3,\)",
    ),
    (fit_bradley_terry, {"wins": [1, 2]}, r"square matrix of 2 items or more; got shape \(2,\)"),
    (fit_bradley_terry, {"wins": [[0]]}, r"2 items or more; got shape \(1, 1\)"),
    (fit_bradley_terry, {"wins": [[1, 1], [1, 0]]}, "at least 0, and 0 on the diagonal"),
    (fit_bradley_terry, {"wins": [[0, -1], [1, 0]]}, "wins must be finite, at least 0"),
    (fit_bradley_terry, {"wins": [[0, np.nan], [1, 0]]}, "wins must be finite, at least 0"),
    (fit_bradley_terry, {"wins": APART}, "no comparisons link item 0 to item 2: they share no sc"),
    (
        fit_bradley_terry,
        {"wins": [[0, 2, 1], [0, 0, 1], [0, 1, 0]]},
        "no chain of wins leads from item 1 to item 0: the likelihood has no maximum",
    ),
    (strength_intervals, {"fit": FIT, "confidence": 1}, "strictly between 0 and 1; got 1"),
    (elo_update, {"rating": 0, "opponent": 0, "score": 2}, r"score must be in \[0, 1\]; got 2"),
    (elo_update, {"rating": 0, "opponent": 0, "score": 1, "k": 0}, "k must be positive.*got 0"),
]
