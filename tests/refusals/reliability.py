"""What the formulas of reliability refuse."""

from primer_ref.reliability import expected_tries, success_probability, verified_success

RATES = {"p": 0.9, "miss": 0.1, "false_alarm": 0.1, "tries": 2}

ROWS = [
    (success_probability, {"p": 1.1, "steps": 2}, r"p must be a probability in \[0, 1\]; got 1.1"),
    (success_probability, {"p": 0.9, "steps": -1}, "steps must not be negative; got -1"),
    (verified_success, RATES | {"miss": -0.1}, "miss must be a probability"),
    (verified_success, RATES | {"tries": 0}, "tries must be at least 1; got 0"),
    (expected_tries, RATES | {"false_alarm": float("nan")}, "false_alarm must be a probability"),
    (expected_tries, RATES | {"p": 2}, "p must be a probability"),
]
