"""What experts refuse."""

import numpy as np

from primer_ref.experts import dispatch, expert_capacity, expert_parallel, load_balance_loss

ROW, TWO = np.ones((1, 2)), np.ones((2, 2))

ROWS = [
    (expert_capacity, {"n_tokens": 0, "n_experts": 1, "factor": 1.0}, "got 0, 1 and 1.0"),
    (expert_capacity, {"n_tokens": 1, "n_experts": 1, "factor": np.nan}, "got 1, 1 and nan"),
    (dispatch, {"choices": [0, 2], "n_experts": 2, "capacity": 1}, "from 0 to 1; got 2"),
    (dispatch, {"choices": [-1], "n_experts": 2, "capacity": 1}, "from 0 to 1; got -1"),
    (dispatch, {"choices": [0.0], "n_experts": 2, "capacity": 1}, "integers; got .* float64"),
    (dispatch, {"choices": [0], "n_experts": 2, "capacity": -1}, "capacity must not be negative"),
    (
        expert_parallel,
        {"rows": [ROW], "choices": [[0]], "gates": [[1.0]], "experts": [], "capacity": 1},
        "one expert a device; got 0 for 1",
    ),
    (
        expert_parallel,
        {"rows": [ROW], "choices": [[1]], "gates": [[1.0]], "experts": [abs], "capacity": 1},
        "from 0 to 0; got 1",
    ),
    (
        expert_parallel,
        {"rows": [ROW], "choices": [], "gates": [[1.0]], "experts": [abs], "capacity": 1},
        "choices and gates of each device; got 0 and 1 for 1",
    ),
    (
        expert_parallel,
        {"rows": [ROW], "choices": [[]], "gates": [[1.0]], "experts": [abs], "capacity": 1},
        r"one choice and one gate a token; got shapes \(0,\) and \(1,\) for 1 tokens",
    ),
    (
        expert_parallel,  # one gate would be that of all tokens
        {"rows": [TWO], "choices": [[0, 0]], "gates": [[1.0]], "experts": [abs], "capacity": 2},
        r"got shapes \(2,\) and \(1,\) for 2 tokens",
    ),
    (load_balance_loss, {"probabilities": ROW / 2, "choices": [0, 1]}, r"got shapes \(2,\)"),
    (load_balance_loss, {"probabilities": ROW / 2, "choices": [2]}, "from 0 to 1; got 2"),
]
