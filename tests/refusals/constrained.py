"""What constrained decoding refuses."""

import numpy as np

from primer_ref.automata import compile_pattern
from primer_ref.constrained import TokenAutomaton, constrained_choice, json_pattern

LANGUAGE = compile_pattern("ab")
TOKENS = TokenAutomaton(LANGUAGE, [b"a", b"b", b""], end=2)
MADE = {"automaton": LANGUAGE, "vocabulary": [b"a", b"b", b""], "end": 2}


def first_step(budget: float) -> int:
    return constrained_choice(TOKENS, len, budget=budget)(np.zeros(3))


ROWS = [
    (TokenAutomaton, MADE | {"end": 3}, "end must be one of 3 tokens; got 3"),
    (TokenAutomaton, MADE | {"vocabulary": [b"a", b"ab", b""]}, "token of its own; 0x62 is not"),
    (TokenAutomaton, MADE | {"vocabulary": [b"a", b"c", b""]}, "able to spell a text"),
    (TOKENS.allowed, {"state": 0, "budget": 1}, "at least the 2 tokens to an end; got 1"),
    (TOKENS.advance, {"state": 0, "token": 1}, "continue an accepted text; got 1 in 0"),
    (TOKENS.advance, {"state": 0, "token": 2}, "continue an accepted text; got 2 in 0"),
    (first_step, {"budget": 1}, "at least the 2 tokens to an end; got 1"),
    (json_pattern, {"depth": -1}, "depth must be at least 0; got -1"),
    (json_pattern, {"depth": float("nan")}, "whole and at most 8.*; got nan"),
    (json_pattern, {"depth": 1.5}, "whole and at most 8.*; got 1.5"),
    (json_pattern, {"depth": 2**70}, "whole and at most 8.*; got 1180591620717411303424"),
]
