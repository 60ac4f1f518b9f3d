r"""How often to save a training run that fails now and then, and what share of the time counts.

Failures come at random, the next one after an exponential time of mean M whatever has happened so
far. Every checkpoint takes the time C, in which nothing is learned; every failure loses the work
since the last one. Saving often costs the first, saving seldom the second.
"""

from __future__ import annotations

import math

from primer_ref.checks import check_nonnegative_finite, check_positive_finite

__all__ = [
    "checkpoint_overhead",
    "checkpointed_goodput",
    "daly_interval",
    "young_interval",
]


def checkpoint_overhead(interval: float, *, checkpoint_time: float, mtbf: float) -> float:
    r"""Share of the time lost to checkpoints and failures, to first order, :math:`C/T + T/(2M)`.

    Parameters
    ----------
    interval : float
        Time of work between checkpoints, T.
    checkpoint_time : float
        Time of a checkpoint, C.
    mtbf : float
        Mean time between failures of the cluster, M.

    Returns
    -------
    float
        Lost time over work, as long as C and T are far below M.

    Raises
    ------
    ValueError
        If the interval or M is not positive, or C is negative.

    Notes
    -----
    Implements :eq:`eq-checkpoint-overhead`.

    A failure comes every M and finds, on average, half an interval not yet saved. Both parts are
    equal at `young_interval`, where together they are :math:`\sqrt{2C/M}`.

    Examples
    --------
    >>> from primer_ref.checkpoint_interval import checkpoint_overhead
    >>> checkpoint_overhead(1200.0, checkpoint_time=60.0, mtbf=12_000.0)
    0.1
    """
    _check_times(interval, checkpoint_time, mtbf)
    return checkpoint_time / interval + interval / (2 * mtbf)


def young_interval(checkpoint_time: float, mtbf: float) -> float:
    r"""Find the time of work between checkpoints that loses least, :math:`\sqrt{2CM}`.

    Parameters
    ----------
    checkpoint_time : float
        Time of a checkpoint, C.
    mtbf : float
        Mean time between failures of the cluster, M.

    Returns
    -------
    float
        The minimum of `checkpoint_overhead`, in the unit of the arguments.

    Raises
    ------
    ValueError
        If a time is not positive.

    Notes
    -----
    Implements :eq:`eq-young`.

    References
    ----------
    J. W. Young (1974), A First Order Approximation to the Optimum Checkpoint Interval.

    Examples
    --------
    >>> from primer_ref.checkpoint_interval import young_interval
    >>> young_interval(60.0, 12_000.0)
    1200.0
    """
    check_positive_finite(checkpoint_time, "checkpoint_time")
    check_positive_finite(mtbf, "mtbf")
    return math.sqrt(2 * checkpoint_time * mtbf)


def daly_interval(checkpoint_time: float, mtbf: float) -> float:
    r"""Find the best time of work between checkpoints to higher order.

    .. math:: T = \sqrt{2CM} \left( 1 + \frac{1}{3} \sqrt{\frac{C}{2M}}
        + \frac{1}{9} \frac{C}{2M} \right) - C

    Parameters
    ----------
    checkpoint_time : float
        Time of a checkpoint, C.
    mtbf : float
        Mean time between failures of the cluster, M.

    Returns
    -------
    float
        Close to the maximum of `checkpointed_goodput`; M where :math:`C \ge 2M`.

    Raises
    ------
    ValueError
        If a time is not positive.

    Notes
    -----
    Implements :eq:`eq-daly`.

    At the maximum :math:`1 - T/M = e^{-(T+C)/M}`. The formula is the solution's series in
    :math:`\sqrt{C/M}`, right up to the term with :math:`(C/M)^{3/2}`.

    References
    ----------
    J. T. Daly (2006), A Higher Order Estimate of the Optimum Checkpoint Interval for Restart
    Dumps.

    Examples
    --------
    >>> from primer_ref.checkpoint_interval import daly_interval
    >>> print(f"{daly_interval(60.0, 12_000.0):.1f}")
    1160.3
    """
    first = young_interval(checkpoint_time, mtbf)
    ratio = checkpoint_time / (2 * mtbf)
    if ratio >= 1:
        return mtbf
    return first * (1 + math.sqrt(ratio) / 3 + ratio / 9) - checkpoint_time


def checkpointed_goodput(
    interval: float, *, checkpoint_time: float, mtbf: float, down_time: float = 0.0
) -> float:
    r"""Share of the time that counts in the long run, :math:`T e^{-R/M} / M(e^{(T+C)/M} - 1)`.

    Parameters
    ----------
    interval : float
        Time of work between checkpoints, T.
    checkpoint_time : float
        Time of a checkpoint, C; a failure during it loses the work too.
    mtbf : float
        Mean time between failures of the cluster, M.
    down_time : float
        Time from a failure to training on, R; a failure during it begins it anew.

    Returns
    -------
    float
        Work over expected time.

    Raises
    ------
    ValueError
        If the interval or M is not positive, or another time is negative.

    Notes
    -----
    Implements :eq:`eq-goodput`.

    Let E be the expected time to work for T and save for C, S = T + C. It ends in S without a
    failure with probability :math:`e^{-S/M}`; up to then or a failure, :math:`M(1 - e^{-S/M})`
    passes on average. After a failure, R has to pass without another, which by the same argument
    takes :math:`M(e^{R/M} - 1)`, and all begins again. Solving
    :math:`E = (1 - e^{-S/M})(M + M(e^{R/M} - 1) + E)` gives :math:`E = M e^{R/M} (e^{S/M} - 1)`.

    References
    ----------
    J. T. Daly (2006), A Higher Order Estimate of the Optimum Checkpoint Interval for Restart
    Dumps.

    Examples
    --------
    >>> from primer_ref.checkpoint_interval import checkpointed_goodput
    >>> share = checkpointed_goodput(1200.0, checkpoint_time=60.0, mtbf=12_000.0, down_time=300.0)
    >>> print(f"{share:.4f}")
    0.8810
    """
    _check_times(interval, checkpoint_time, mtbf)
    check_nonnegative_finite(down_time, "down_time")
    stretch = (interval + checkpoint_time) / mtbf
    # Over e^s: where failures are so frequent that e^s overflows, the share is 0 to all digits.
    return interval / mtbf * math.exp(-down_time / mtbf - stretch) / -math.expm1(-stretch)


def _check_times(interval: float, checkpoint_time: float, mtbf: float) -> None:
    check_positive_finite(interval, "interval")
    check_nonnegative_finite(checkpoint_time, "checkpoint_time")
    check_positive_finite(mtbf, "mtbf")
