"""Reliability of chains, by summing over everything that can happen."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.reliability import expected_tries, success_probability, verified_success

chances = st.floats(0, 1)


@pytest.mark.equation("eq-chain-success")
@given(chances, st.integers(0, 6))
def test_a_chain_succeeds_if_every_step_does(p: float, steps: int) -> None:
    outcomes = itertools.product([True, False], repeat=steps)
    weights = [math.prod(p if right else 1 - p for right in run) for run in outcomes]
    assert success_probability(p, steps=steps) == pytest.approx(weights[0], abs=1e-15)
    assert sum(weights) == pytest.approx(1)


@pytest.mark.equation("eq-verified-success")
@pytest.mark.equation("eq-expected-tries")
@given(chances, chances, chances, st.integers(1, 4))
def test_verified_steps_summed_over_all_attempts(p: float, m: float, f: float, tries: int) -> None:
    # Each attempt: is it right, and does it pass?
    weight = {
        (True, True): p * (1 - f),
        (True, False): p * f,
        (False, True): (1 - p) * m,
        (False, False): (1 - p) * (1 - m),
    }
    success = attempts = 0.0
    for run in itertools.product(weight, repeat=tries):
        mass = math.prod(weight[attempt] for attempt in run)
        passed = next((k for k, (_, passes) in enumerate(run) if passes), None)
        attempts += mass * (tries if passed is None else passed + 1)
        success += mass * (passed is not None and run[passed][0])
    rates: dict[str, Any] = {"miss": m, "false_alarm": f, "tries": tries}
    assert verified_success(p, **rates) == pytest.approx(success, abs=1e-12)
    assert expected_tries(p, **rates) == pytest.approx(attempts, abs=1e-12)


@pytest.mark.equation("eq-verified-limit")
@given(st.floats(0.05, 0.95), st.floats(0.01, 0.9), st.floats(0, 0.9))
def test_what_repetition_cannot_take_away_is_what_the_verifier_misses(
    p: float, miss: float, false_alarm: float
) -> None:
    limit = p * (1 - false_alarm) / (p * (1 - false_alarm) + (1 - p) * miss)
    rates = {"miss": miss, "false_alarm": false_alarm}
    assert verified_success(p, **rates, tries=2000) == pytest.approx(limit, rel=1e-6)
    gains = [verified_success(p, **rates, tries=tries) for tries in range(1, 9)]
    assert np.all(np.diff(gains) >= 0)


def test_a_verifier_that_sees_everything_makes_failure_vanish_geometrically() -> None:
    for tries in range(1, 6):
        got = verified_success(0.7, miss=0, false_alarm=0, tries=tries)
        assert 1 - got == pytest.approx(0.3**tries)
    # One that guesses changes nothing but the bill.
    assert verified_success(0.7, miss=0.5, false_alarm=0.5, tries=60) == pytest.approx(0.7)
    assert expected_tries(0.7, miss=0.5, false_alarm=0.5, tries=60) == pytest.approx(2)
