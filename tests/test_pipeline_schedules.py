"""Schedules of pipelines: bubbles, memory and order, against closed forms."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.pipeline import run_schedule
from primer_ref.pipeline_schedules import (
    Task,
    bubble_fraction,
    bubble_overhead,
    gpipe_schedule,
    interleaved_schedule,
    one_forward_one_backward_schedule,
)

F = NDArray[np.floating[Any]]

sizes = st.integers(1, 7)
times = st.floats(0.5, 3)
SCHEDULES = {"gpipe": gpipe_schedule, "1f1b": one_forward_one_backward_schedule}
schedules = st.sampled_from(sorted(SCHEDULES))


@pytest.mark.equation("eq-bubble-fraction")
@pytest.mark.equation("eq-bubble-overhead")
@given(schedules, sizes, sizes, times, times)
def test_the_bubble_is_that_of_the_formulas_whatever_the_times(
    name: str, p: int, m: int, forward: float, backward: float
) -> None:
    timeline = run_schedule(SCHEDULES[name](p, m), forward=forward, backward=backward)
    np.testing.assert_allclose(timeline.span, (m + p - 1) * (forward + backward))
    np.testing.assert_allclose(timeline.idle_fraction, bubble_fraction(p, m), atol=1e-12)
    np.testing.assert_allclose(timeline.overhead, bubble_overhead(p, m), atol=1e-12)


def test_the_published_bubbles() -> None:
    # ch09-pipeline-bubble: p = 8, m = 32, v = 2.
    assert bubble_overhead(8, 32) == 0.21875
    np.testing.assert_allclose(bubble_fraction(8, 32), 0.1794871794871795, rtol=1e-14)
    assert bubble_overhead(8, 32, n_chunks=2) == 0.109375
    timeline = run_schedule(gpipe_schedule(8, 32), forward=1.0, backward=2.0)
    assert timeline.overhead == 0.21875


@pytest.mark.equation("eq-bubble-overhead")
@given(sizes, st.integers(1, 3), st.integers(1, 4), times, times)
def test_interleaving_divides_the_bubble_by_the_number_of_chunks(
    p: int, groups: int, v: int, forward: float, backward: float
) -> None:
    m = groups * p
    schedule = interleaved_schedule(p, m, n_chunks=v)
    timeline = run_schedule(schedule, forward=forward / v, backward=backward / v)
    np.testing.assert_allclose(timeline.overhead, bubble_overhead(p, m, n_chunks=v), atol=1e-9)
    if v == 1:
        plain = run_schedule(
            one_forward_one_backward_schedule(p, m), forward=forward, backward=backward
        )
        assert timeline.span == pytest.approx(plain.span)


@given(sizes, sizes)
def test_all_forward_first_keeps_all_inputs_and_alternating_keeps_one_a_stage_behind(
    p: int, m: int
) -> None:
    for name, expected in [
        ("gpipe", [m] * p),
        ("1f1b", [min(p - stage, m) for stage in range(p)]),
    ]:
        timeline = run_schedule(SCHEDULES[name](p, m), forward=1.0, backward=2.0)
        assert timeline.peak_stored == expected


@given(st.integers(2, 6), st.integers(2, 3), st.integers(2, 4))
def test_interleaving_keeps_more(p: int, groups: int, v: int) -> None:
    # Korthikanti et al. 2023, section 4.2.3: 1 + (p − 1)/(pv) of what alternating keeps.
    schedule = interleaved_schedule(p, groups * p, n_chunks=v)
    first = run_schedule(schedule, forward=1.0, backward=2.0).peak_stored[0]
    np.testing.assert_allclose(first / v, p * (1 + (p - 1) / (p * v)))


@given(sizes, st.integers(1, 3), st.integers(1, 3))
def test_every_schedule_does_every_task_once_in_an_order_that_can_be_done(
    p: int, groups: int, v: int
) -> None:
    m = groups * p
    everything = {Task(s, i, b) for s in range(p * v) for i in range(m) for b in (False, True)}
    timeline = run_schedule(interleaved_schedule(p, m, n_chunks=v), forward=1.0, backward=2.0)
    rows = [(task, start, end) for row in timeline.tasks for task, start, end in row]
    assert len(rows) == len(everything)
    assert {task for task, _, _ in rows} == everything
    starts = {task: start for task, start, _ in rows}
    ends = {task: end for task, _, end in rows}
    for task in everything:
        if task.is_backward:
            assert starts[task] >= ends[Task(task.stage, task.microbatch)]
            after = Task(task.stage + 1, task.microbatch, True)
            assert starts[task] >= ends.get(after, 0)
        elif task.stage:
            assert starts[task] >= ends[Task(task.stage - 1, task.microbatch)]
    for device, row in enumerate(timeline.tasks):
        assert {task.stage % p for task, _, _ in row} == {device}
        assert all(b[1] >= a[2] for a, b in pairwise(row))
