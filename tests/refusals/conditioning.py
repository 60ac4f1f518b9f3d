"""What conditioning refuses."""

import numpy as np

from primer_ref.automata import compile_pattern
from primer_ref.conditioning import (
    Chain,
    conditional_distribution,
    future_validity,
    masked_distribution,
    sample_valid,
)
from primer_ref.constrained import TokenAutomaton

TOKENS = TokenAutomaton(compile_pattern("ab"), [b"a", b"b", b""], end=2)
COIN = Chain(np.array([[0.5, 0.0, 0.5]]), np.zeros((1, 3), np.int64))  # never b
FOUR = Chain(np.full((1, 4), 0.25), np.zeros((1, 4), np.int64))
NEVER = {"chain": COIN, "tokens": TOKENS, "future": future_validity(COIN, TOKENS, length=3)}

ROWS = [
    (future_validity, {"chain": FOUR, "tokens": TOKENS, "length": 1}, "same tokens; got 4 and 3"),
    (future_validity, {"chain": COIN, "tokens": TOKENS, "length": -1}, "at least 0; got -1"),
    (
        masked_distribution,
        {"chain": COIN, "tokens": TOKENS, "context": 0, "state": TOKENS.advance(0, 0)},
        "probability above 0; got 0",
    ),
    (
        conditional_distribution,
        NEVER | {"context": 0, "state": 0, "left": 3},
        "valid and possible; got none",
    ),
    (sample_valid, NEVER | {"rng": np.random.default_rng(0)}, "valid and possible; got none"),
]
