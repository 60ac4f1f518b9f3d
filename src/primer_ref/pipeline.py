r"""Pipeline parallelism: when the tasks of a schedule happen, and a run that gives gradients.

A schedule of `primer_ref.pipeline_schedules` says in which order each device does its tasks. Each
starts as soon as the device is free and its input has come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primer_ref.pipeline_schedules import Task

__all__ = [
    "Timeline",
    "pipeline_gradients",
    "run_schedule",
]

Floats = NDArray[np.floating[Any]]
Part = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Timeline:
    """When each task of a schedule ran.

    Attributes
    ----------
    tasks : list of list of tuple
        Of each device, in order: task, start and end.
    """

    tasks: list[list[tuple[Task, float, float]]]

    @property
    def span(self) -> float:
        """Time from the start to the end of the last task."""
        return max(end for row in self.tasks for _, _, end in row)

    @property
    def idle_fraction(self) -> float:
        """Share of all devices' time that is idle, the bubble as a share of the time."""
        return 1 - self._work() / (len(self.tasks) * self.span)

    @property
    def overhead(self) -> float:
        """Idle time over working time, the bubble as a share of the ideal time."""
        return len(self.tasks) * self.span / self._work() - 1

    @property
    def peak_stored(self) -> list[int]:
        """Of each device, the most inputs that it keeps at once for their backward passes."""
        peaks = []
        for row in self.tasks:
            changes = np.cumsum([-1 if task.is_backward else 1 for task, _, _ in row])
            peaks.append(int(changes.max()))
        return peaks

    def _work(self) -> float:
        return sum(end - start for row in self.tasks for _, start, end in row)


def run_schedule(
    schedule: Sequence[Sequence[Task]], *, forward: float, backward: float
) -> Timeline:
    """Let every device do its tasks in order, each as soon as its input is there.

    Parameters
    ----------
    schedule : sequence of sequences of Task
        Of each device, its tasks in order.
    forward : float
        Time of a forward task.
    backward : float
        Time of a backward task.

    Returns
    -------
    Timeline
        When each task ran. Messages take no time.

    Raises
    ------
    ValueError
        If a time is not positive, or devices wait for one another for ever.

    Examples
    --------
    >>> from primer_ref.pipeline import run_schedule
    >>> from primer_ref.pipeline_schedules import gpipe_schedule
    >>> timeline = run_schedule(gpipe_schedule(2, 1), forward=1.0, backward=2.0)
    >>> for row in timeline.tasks:
    ...     print([(start, end) for _, start, end in row])
    [(0.0, 1.0), (4.0, 6.0)]
    [(1.0, 2.0), (2.0, 4.0)]
    """
    if not (forward > 0 and backward > 0):
        raise ValueError(f"times must be positive; got {forward} and {backward}")
    last = max(task.stage for order in schedule for task in order)
    ends: dict[Task, float] = {}
    rows: list[list[tuple[Task, float, float]]] = [[] for _ in schedule]
    waiting = [list(order) for order in schedule]
    while any(waiting):
        moved = False
        for row, queue in zip(rows, waiting, strict=True):
            while queue and (needed := _needed(queue[0], last)) <= ends.keys():
                task = queue.pop(0)
                start = max([0.0, *(end for _, _, end in row[-1:]), *(ends[t] for t in needed)])
                ends[task] = start + (backward if task.is_backward else forward)
                row.append((task, start, ends[task]))
                moved = True
        if not moved:
            stuck = [queue[0] for queue in waiting if queue]
            raise ValueError(f"devices wait for one another; next tasks would be {stuck}")
    return Timeline(rows)


def pipeline_gradients(
    timeline: Timeline,
    weights: Sequence[Floats],
    microbatches: Sequence[Floats],
    d_loss: Callable[[int, Floats], Floats],
    *,
    activation: Part,
    slope: Part,
) -> list[Floats]:
    r"""Run the tasks of a timeline on real stages, each a layer :math:`\varphi(X W_s)`.

    Parameters
    ----------
    timeline : Timeline
        When each task runs.
    weights : sequence of ndarray, shape (C, C)
        The matrix of each stage.
    microbatches : sequence of ndarray, shape (n, C)
        Inputs.
    d_loss : callable
        Given a micro-batch's number and the output of the last stage, the gradient of the batch's
        loss at that output.
    activation : callable
        The function φ.
    slope : callable
        Its derivative φ'.

    Returns
    -------
    list of ndarray, shape (C, C)
        The gradient at the matrix of each stage, summed over micro-batches.

    Notes
    -----
    A stage keeps the input of a micro-batch from its forward to its backward pass and nothing
    else: the product is computed again.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.pipeline import pipeline_gradients, run_schedule
    >>> from primer_ref.pipeline_schedules import gpipe_schedule
    >>> timeline = run_schedule(gpipe_schedule(2, 2), forward=1.0, backward=2.0)
    >>> eye, batch = np.eye(1), [np.array([[1.0]]), np.array([[2.0]])]
    >>> pipeline_gradients(
    ...     timeline, [3 * eye, 5 * eye], batch, lambda _, y: np.ones_like(y),
    ...     activation=lambda h: h, slope=np.ones_like,
    ... )
    [array([[15.]]), array([[9.]])]
    """
    last = len(weights) - 1
    arrived = {(0, i): x for i, x in enumerate(microbatches)}  # inputs of (stage, micro-batch)
    returned: dict[tuple[int, int], Floats] = {}  # gradients at the outputs of the same
    gradients = [np.zeros_like(w) for w in weights]
    everything = (entry for row in timeline.tasks for entry in row)
    for task, _, _ in sorted(everything, key=lambda entry: entry[2]):
        stage, i = task.stage, task.microbatch
        w = weights[stage]
        if not task.is_backward:
            y = activation(arrived[stage, i] @ w)
            if stage == last:
                returned[stage, i] = d_loss(i, y)
            else:
                arrived[stage + 1, i] = y
        else:
            x = arrived.pop((stage, i))
            d_h = returned.pop((stage, i)) * slope(x @ w)
            gradients[stage] = gradients[stage] + x.T @ d_h
            returned[stage - 1, i] = d_h @ w.T
    return gradients


def _needed(task: Task, last: int) -> set[Task]:
    """Tasks that must have ended before a task can start."""
    if not task.is_backward:
        return {Task(task.stage - 1, task.microbatch)} if task.stage else set()
    own = {Task(task.stage, task.microbatch)}
    return own if task.stage == last else own | {Task(task.stage + 1, task.microbatch, True)}
