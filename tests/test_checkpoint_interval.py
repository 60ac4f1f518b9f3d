"""Checkpoint intervals: minima, Lambert's function as oracle, and orders of approximation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, special

from primer_ref.checkpoint_interval import (
    checkpoint_overhead,
    checkpointed_goodput,
    daly_interval,
    young_interval,
)


@pytest.mark.equation("eq-checkpoint-overhead")
@pytest.mark.equation("eq-young")
@given(st.floats(1, 1000), st.floats(1e4, 1e6))
def test_youngs_interval_makes_both_losses_equal_and_their_sum_least(c: float, m: float) -> None:
    best = young_interval(c, m)
    np.testing.assert_allclose(c / best, best / (2 * m))
    least = checkpoint_overhead(best, checkpoint_time=c, mtbf=m)
    np.testing.assert_allclose(least, math.sqrt(2 * c / m))
    for factor in (0.9, 1.1):
        assert checkpoint_overhead(factor * best, checkpoint_time=c, mtbf=m) > least


def exact_interval(c: float) -> float:
    """Solution of 1 − x = e^(−x−c) by Lambert's function: the best interval for M = 1."""
    return float(1 + special.lambertw(-np.exp(-1 - c)).real)


@pytest.mark.equation("eq-best-interval")
def test_the_best_interval_solves_its_equation() -> None:
    for c in (0.001, 0.05, 0.5, 3.0):
        found = optimize.minimize_scalar(
            lambda t, c=c: -checkpointed_goodput(t, checkpoint_time=c, mtbf=1.0, down_time=0.3),
            bounds=(1e-4, 2.0),
            method="bounded",
            options={"xatol": 1e-9},
        ).x
        np.testing.assert_allclose(found, exact_interval(c), rtol=1e-5)
    assert daly_interval(3.0, 1.0) == 1.0  # the exact one tends to M as C grows
    np.testing.assert_allclose(exact_interval(9.0), 1.0, atol=1e-4)


@pytest.mark.equation("eq-daly")
@pytest.mark.equation("eq-young")
def test_young_is_right_to_first_order_and_daly_to_third() -> None:
    sizes = np.array([1e-4, 1e-3, 1e-2])
    exact = np.array([exact_interval(c) for c in sizes])
    young = np.array([young_interval(c, 1.0) for c in sizes]) - exact
    daly = np.array([daly_interval(c, 1.0) for c in sizes]) - exact
    np.testing.assert_allclose(young / sizes, 2 / 3, rtol=0.02)
    # What Daly leaves is of the order C².
    slope = np.polyfit(np.log(sizes), np.log(np.abs(daly)), 1)[0]
    np.testing.assert_allclose(slope, 2, atol=0.02)


@pytest.mark.equation("eq-goodput")
@pytest.mark.equation("eq-checkpoint-overhead")
def test_first_order_and_closed_form_meet_where_failures_are_rare() -> None:
    gaps = []
    for m in (1e4, 1e5, 1e6):
        interval = young_interval(10.0, m)
        goodput = checkpointed_goodput(interval, checkpoint_time=10.0, mtbf=m)
        first = checkpoint_overhead(interval, checkpoint_time=10.0, mtbf=m)
        gaps.append(abs(1 / goodput - 1 - first))
    np.testing.assert_allclose(np.array(gaps[:-1]) / gaps[1:], 10, rtol=0.1)


@pytest.mark.equation("eq-goodput")
def test_a_run_that_never_gets_through_has_no_goodput() -> None:
    few = checkpointed_goodput(700.0, checkpoint_time=0.0, mtbf=1.0, down_time=1.0)
    np.testing.assert_allclose(few, 700 * math.exp(-701), rtol=1e-12)
    assert checkpointed_goodput(54 * 86_400, checkpoint_time=30.0, mtbf=1824.0) == 0
    rare = checkpointed_goodput(1.0, checkpoint_time=1.0, mtbf=1e20)
    np.testing.assert_allclose(rare, 0.5, rtol=1e-15)
