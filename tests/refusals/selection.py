"""What choosing among texts refuses."""

from primer_ref.selection import (
    beam_search,
    expected_utilities,
    majority_accuracy,
    majority_vote,
    minimum_bayes_risk,
    vote_bound,
)

BEAM = {"step": len, "width": 1, "end": 0, "limit": 1}


def same(x: object, y: object) -> float:
    return float(x == y)


ROWS = [
    (beam_search, BEAM | {"width": 0}, "width and limit must be at least 1; got 0 and 1"),
    (beam_search, BEAM | {"limit": 0}, "width and limit must be at least 1; got 1 and 0"),
    (expected_utilities, {"candidates": [], "utility": same}, "at least one candidate; got none"),
    (minimum_bayes_risk, {"candidates": [], "utility": same}, "at least one candidate; got none"),
    (majority_vote, {"answers": []}, "at least one answer; got none"),
    (majority_accuracy, {"p": 1.2, "n": 3}, r"p must be a probability in \[0, 1\]; got 1.2"),
    (majority_accuracy, {"p": 0.5, "n": 0}, "n must be at least 1; got 0"),
    (vote_bound, {"p": float("nan"), "n": 3}, r"in \[0, 1\]; got nan"),
]
