r"""Pipeline parallelism: the order in which devices do their tasks, and how long they are idle.

Layers are cut into stages, a batch into micro-batches. A task is the forward or the backward pass
of one micro-batch through one stage. A device can do one task at a time, and a stage must wait for
the stage before it, or, on the way back, behind it: while the pipeline fills and empties, devices
are idle. When the tasks happen follows from their order: see `primer_ref.pipeline.run_schedule`.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Task",
    "bubble_fraction",
    "bubble_overhead",
    "gpipe_schedule",
    "interleaved_schedule",
    "one_forward_one_backward_schedule",
]


@dataclass(frozen=True, slots=True)
class Task:
    """The pass of one micro-batch through one stage.

    Attributes
    ----------
    stage : int
        The stage, from 0.
    microbatch : int
        The micro-batch, from 0.
    is_backward : bool
        Whether it is the backward pass.
    """

    stage: int
    microbatch: int
    is_backward: bool = False


def bubble_fraction(n_stages: int, n_microbatches: int) -> float:
    r"""Share of the time that devices idle in a pipeline, :math:`(p-1)/(m+p-1)`.

    Parameters
    ----------
    n_stages : int
        Stages, each on a device of its own, p.
    n_microbatches : int
        Micro-batches, m.

    Returns
    -------
    float
        Idle time over all time.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-bubble-fraction`.

    References
    ----------
    Y. Huang et al. (2019), GPipe: Efficient Training of Giant Neural Networks Using Pipeline
    Parallelism.

    Examples
    --------
    >>> from primer_ref.pipeline_schedules import bubble_fraction
    >>> print(f"{bubble_fraction(8, 32):.4f}")
    0.1795
    """
    _check_counts(n_stages, n_microbatches)
    return (n_stages - 1) / (n_microbatches + n_stages - 1)


def bubble_overhead(n_devices: int, n_microbatches: int, *, n_chunks: int = 1) -> float:
    r"""Idle time over the time of the work itself, :math:`(p-1)/(vm)`.

    Parameters
    ----------
    n_devices : int
        Devices, p.
    n_microbatches : int
        Micro-batches, m.
    n_chunks : int
        Stages on each device, v.

    Returns
    -------
    float
        How much longer a batch takes than on ideal devices, as a share of the ideal.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-bubble-overhead`.

    Of the ideal time, where `bubble_fraction` is of the whole; one is quoted for the other.

    References
    ----------
    D. Narayanan et al. (2021), Efficient Large-Scale Language Model Training on GPU Clusters Using
    Megatron-LM.

    Examples
    --------
    >>> from primer_ref.pipeline_schedules import bubble_overhead
    >>> bubble_overhead(8, 32), bubble_overhead(8, 32, n_chunks=2)
    (0.21875, 0.109375)
    """
    _check_counts(n_devices, n_microbatches, n_chunks)
    return (n_devices - 1) / (n_chunks * n_microbatches)


def gpipe_schedule(n_stages: int, n_microbatches: int) -> list[list[Task]]:
    """Do all forward passes, then all backward passes.

    Parameters
    ----------
    n_stages : int
        Stages, each on a device of its own, p.
    n_microbatches : int
        Micro-batches, m.

    Returns
    -------
    list of list of Task
        Of each device, its tasks in order. The inputs of all m micro-batches are kept at once.

    Raises
    ------
    ValueError
        If a number is not positive.

    References
    ----------
    Y. Huang et al. (2019), GPipe: Efficient Training of Giant Neural Networks Using Pipeline
    Parallelism.

    Examples
    --------
    >>> from primer_ref.pipeline import run_schedule
    >>> from primer_ref.pipeline_schedules import gpipe_schedule
    >>> timeline = run_schedule(gpipe_schedule(4, 8), forward=1.0, backward=2.0)
    >>> timeline.span, timeline.peak_stored
    (33.0, [8, 8, 8, 8])
    """
    _check_counts(n_stages, n_microbatches)
    microbatches = range(n_microbatches)
    return [
        [Task(stage, i) for i in microbatches] + [Task(stage, i, True) for i in microbatches]
        for stage in range(n_stages)
    ]


def one_forward_one_backward_schedule(n_stages: int, n_microbatches: int) -> list[list[Task]]:
    """Fill the pipeline, then alternate: each forward pass is followed by a backward pass.

    Parameters
    ----------
    n_stages : int
        Stages, each on a device of its own, p.
    n_microbatches : int
        Micro-batches, m.

    Returns
    -------
    list of list of Task
        Of each device, its tasks in order. Stage s, from 0, keeps the inputs of at most p − s
        micro-batches, however many there are.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    The bubble is that of `gpipe_schedule`; only the memory differs.

    References
    ----------
    D. Narayanan et al. (2021), Efficient Large-Scale Language Model Training on GPU Clusters Using
    Megatron-LM.

    Examples
    --------
    >>> from primer_ref.pipeline import run_schedule
    >>> from primer_ref.pipeline_schedules import one_forward_one_backward_schedule
    >>> timeline = run_schedule(
    ...     one_forward_one_backward_schedule(4, 8), forward=1.0, backward=2.0
    ... )
    >>> timeline.span, timeline.peak_stored
    (33.0, [4, 3, 2, 1])
    """
    _check_counts(n_stages, n_microbatches)
    microbatches = range(n_microbatches)
    return [
        _alternate(
            [Task(stage, i) for i in microbatches],
            [Task(stage, i, True) for i in microbatches],
            n_stages - 1 - stage,
        )
        for stage in range(n_stages)
    ]


def interleaved_schedule(n_devices: int, n_microbatches: int, *, n_chunks: int) -> list[list[Task]]:
    """Give each device several stages far apart, so that the pipeline fills sooner.

    Parameters
    ----------
    n_devices : int
        Devices, p.
    n_microbatches : int
        Micro-batches, m, a multiple of p.
    n_chunks : int
        Stages on each device, v: device d has the stages d, d + p, d + 2p, ….

    Returns
    -------
    list of list of Task
        Of each device, its tasks in order.

    Raises
    ------
    ValueError
        If a number is not positive, or there are micro-batches left over.

    Notes
    -----
    A task is 1/v as long as without chunks, and so is the bubble. In exchange v times as many
    messages pass between devices, and more inputs are kept.

    References
    ----------
    D. Narayanan et al. (2021), Efficient Large-Scale Language Model Training on GPU Clusters Using
    Megatron-LM.

    Examples
    --------
    >>> from primer_ref.pipeline import run_schedule
    >>> from primer_ref.pipeline_schedules import interleaved_schedule
    >>> schedule = interleaved_schedule(4, 8, n_chunks=2)
    >>> run_schedule(schedule, forward=0.5, backward=1.0).span
    28.5
    """
    _check_counts(n_devices, n_microbatches, n_chunks)
    if n_microbatches % n_devices:
        raise ValueError(
            f"n_microbatches must be a multiple of n_devices; got {n_microbatches} and {n_devices}"
        )
    # Groups of p micro-batches go through the chunks in turn.
    units = [
        (chunk, group + i)
        for group in range(0, n_microbatches, n_devices)
        for chunk in range(n_chunks)
        for i in range(n_devices)
    ]
    schedule = []
    for device in range(n_devices):
        forward = [Task(chunk * n_devices + device, i) for chunk, i in units]
        backward = [
            Task((n_chunks - 1 - chunk) * n_devices + device, i, True) for chunk, i in units
        ]
        warm_up = 2 * (n_devices - 1 - device) + (n_chunks - 1) * n_devices
        schedule.append(_alternate(forward, backward, warm_up))
    return schedule


def _alternate(forward: list[Task], backward: list[Task], warm_up: int) -> list[Task]:
    """Put first some forward tasks, then one of each in turn, then what is left."""
    warm_up = min(warm_up, len(forward))
    pairs = zip(forward[warm_up:], backward, strict=False)
    steady = [task for pair in pairs for task in pair]
    return [*forward[:warm_up], *steady, *backward[len(forward) - warm_up :]]


def _check_counts(*counts: int) -> None:
    if not min(counts) > 0:
        raise ValueError(
            f"numbers of devices, micro-batches and chunks must be positive; got {counts}"
        )
