r"""Training on many devices that fail and wait for one another: goodput, stragglers, simulation.

Devices fail independently, each after an exponential time of mean m: no wear, no weak devices.
The first of n such times is exponential too, of mean m/n, since
:math:`\P(\min_i X_i > t) = \prod_i e^{-t/m} = e^{-nt/m}`; and because an exponential time has no
memory, the failures of a cluster in which failed devices are replaced form a Poisson process of
rate n/m. One clock therefore stands for all devices, however many there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from primer_ref.checkpoint_interval import checkpointed_goodput
from primer_ref.checks import check_nonnegative_finite, check_positive_finite

__all__ = [
    "Cluster",
    "Run",
    "expected_goodput",
    "expected_maximum_exponential",
    "expected_maximum_normal",
    "mean_time_between_failures",
    "simulate_run",
]


@dataclass(frozen=True, slots=True)
class Cluster:
    """Devices that train together, in synchronous steps.

    Attributes
    ----------
    n_devices : int
        Number of devices, n.
    device_mtbf : float
        Mean time between failures of one device, in seconds.
    step_time : float
        Time of a step on devices that are never late, in seconds.
    jitter : float
        Mean of the exponential time by which each device is late at each step, in seconds.
    checkpoint_time : float
        Time for which training stands still to save its state, in seconds.
    detection_time : float
        Time until a failure is noticed, in seconds.
    restart_time : float
        Time from then until training goes on, in seconds.

    Raises
    ------
    ValueError
        If there is no device, a mean time between failures or a step's time is not positive, or
        another time is negative.

    Examples
    --------
    >>> from primer_ref.cluster import Cluster
    >>> cluster = Cluster(
    ...     n_devices=16_384, device_mtbf=5.8 * 365 * 86_400, step_time=10.0, jitter=0.01,
    ...     checkpoint_time=30.0, detection_time=60.0, restart_time=300.0,
    ... )
    >>> print(f"{cluster.mtbf / 3600:.1f} h {cluster.mean_step_time:.2f} s")
    3.1 h 10.10 s
    """

    n_devices: int
    device_mtbf: float
    step_time: float
    jitter: float
    checkpoint_time: float
    detection_time: float
    restart_time: float

    def __post_init__(self) -> None:
        for name in ("n_devices", "device_mtbf", "step_time"):
            check_positive_finite(getattr(self, name), name)
        for name in ("jitter", "checkpoint_time", "detection_time", "restart_time"):
            check_nonnegative_finite(getattr(self, name), name)

    @property
    def mtbf(self) -> float:
        """Mean time between failures of the whole cluster, in seconds.

        Notes
        -----
        Implements :eq:`eq-cluster-mtbf`.
        """
        return self.device_mtbf / self.n_devices

    @property
    def mean_step_time(self) -> float:
        """Mean time of a step that waits for the last device, in seconds."""
        return self.step_time + self.jitter * expected_maximum_exponential(self.n_devices)

    @property
    def down_time(self) -> float:
        """Time from a failure to training on, if nothing else fails, in seconds."""
        return self.detection_time + self.restart_time


@dataclass(frozen=True, slots=True)
class Run:
    """Where the time of a training run went, in seconds.

    Attributes
    ----------
    useful_time : float
        Steps that counted, at the speed of devices that are never late.
    straggler_time : float
        Waiting for late devices in steps that counted.
    checkpoint_time : float
        Saving states.
    lost_time : float
        Time from the last checkpoint or restart to each failure.
    down_time : float
        Not noticing failures, and restarting.
    n_failures : int
        Failures, those during restarts included.
    """

    useful_time: float
    straggler_time: float
    checkpoint_time: float
    lost_time: float
    down_time: float
    n_failures: int

    @property
    def wall_time(self) -> float:
        """Time in all, in seconds."""
        working = self.useful_time + self.straggler_time + self.checkpoint_time
        return working + self.lost_time + self.down_time

    @property
    def goodput(self) -> float:
        """Useful time over all time."""
        return self.useful_time / self.wall_time


def mean_time_between_failures(n_failures: int, *, n_devices: int, duration: float) -> float:
    r"""Estimate a device's mean time between failures, :math:`n t / k`, from k failures.

    Parameters
    ----------
    n_failures : int
        Failures observed, k.
    n_devices : int
        Devices in use, n.
    duration : float
        Time of observation, t.

    Returns
    -------
    float
        Mean time between failures of one device, in the unit of ``duration``: the maximum
        likelihood estimate. Its relative standard error is about :math:`1/\sqrt{k}`.

    Raises
    ------
    ValueError
        If a number or the time is not positive.

    Notes
    -----
    Implements :eq:`eq-mtbf-estimate`.

    What interrupts a run is not the devices alone: hosts, network and software count here as if
    they failed with a device.

    References
    ----------
    A. Dubey et al. (2024), The Llama 3 Herd of Models, section 3.3.4: 419 unexpected interruptions
    in 54 days on 16,384 GPUs.

    Examples
    --------
    >>> from primer_ref.cluster import mean_time_between_failures
    >>> days = mean_time_between_failures(419, n_devices=16_384, duration=54)
    >>> print(f"{days / 365:.1f} years a GPU, {days * 24 / 16_384:.1f} hours for all")
    5.8 years a GPU, 3.1 hours for all
    """
    check_positive_finite(n_failures, "n_failures")
    check_positive_finite(n_devices, "n_devices")
    check_positive_finite(duration, "duration")
    return n_devices * duration / n_failures


def expected_goodput(cluster: Cluster, *, steps_per_checkpoint: int) -> float:
    r"""Predict the goodput of a cluster, stragglers included, in closed form.

    Parameters
    ----------
    cluster : Cluster
        Devices and times.
    steps_per_checkpoint : int
        Steps between checkpoints.

    Returns
    -------
    float
        Useful time over all time in the long run:
        `primer_ref.checkpoint_interval.checkpointed_goodput` times the share of a step that is not
        waiting. The time of a step enters by its mean.

    Raises
    ------
    ValueError
        If the number of steps is not positive.

    Notes
    -----
    Implements :eq:`eq-cluster-goodput`.

    Examples
    --------
    >>> from primer_ref.cluster import Cluster, expected_goodput
    >>> cluster = Cluster(
    ...     n_devices=16_384, device_mtbf=5.8 * 365 * 86_400, step_time=10.0, jitter=0.01,
    ...     checkpoint_time=30.0, detection_time=60.0, restart_time=300.0,
    ... )
    >>> print(f"{expected_goodput(cluster, steps_per_checkpoint=80):.3f}")
    0.890
    """
    check_positive_finite(steps_per_checkpoint, "steps_per_checkpoint")
    worked = checkpointed_goodput(
        steps_per_checkpoint * cluster.mean_step_time,
        checkpoint_time=cluster.checkpoint_time,
        mtbf=cluster.mtbf,
        down_time=cluster.down_time,
    )
    return worked * cluster.step_time / cluster.mean_step_time


def expected_maximum_exponential(n: int) -> float:
    r"""Mean of the largest of n exponential times of mean 1, :math:`\sum_{i=1}^n 1/i`.

    Parameters
    ----------
    n : int
        Number of times.

    Returns
    -------
    float
        The harmonic number of n, near :math:`\log n + 0.5772`.

    Raises
    ------
    ValueError
        If there is no time.

    Notes
    -----
    Implements :eq:`eq-harmonic-maximum`.

    The first of n ends after 1/n on average; from then on, without memory, n − 1 are left.

    Examples
    --------
    >>> from primer_ref.cluster import expected_maximum_exponential
    >>> print(f"{expected_maximum_exponential(16_384):.3f}")
    10.281
    """
    check_positive_finite(n, "n")
    return float(np.sum(1 / np.arange(1, n + 1)))


def expected_maximum_normal(n: int) -> float:
    r"""Estimate the mean of the largest of n standard normal numbers, by extreme-value theory.

    .. math:: a + \frac{\gamma}{n \varphi(a)}, \qquad \Phi(a) = 1 - \frac{1}{n}

    with :math:`\gamma = 0.5772` of Euler, φ the density and Φ the distribution function.

    Parameters
    ----------
    n : int
        How many numbers, at least 2.

    Returns
    -------
    float
        In standard deviations. The estimate tends to the mean, slowly: it is too large by 0.07 at
        n = 10 and by 0.009 at n = 100,000.

    Raises
    ------
    ValueError
        If there are fewer than two numbers.

    Notes
    -----
    Implements :eq:`eq-normal-maximum`.

    Above a, where on average one of the n lies, the tail is nearly exponential with slope
    :math:`n \varphi(a)`; the largest then follows Gumbel's law, whose mean is γ. A synchronous
    step on n devices whose times vary by σ so takes about :math:`\sigma\sqrt{2 \log n}` longer
    than one device takes on average.

    References
    ----------
    R. A. Fisher and L. H. C. Tippett (1928), Limiting Forms of the Frequency Distribution of the
    Largest or Smallest Member of a Sample.

    Examples
    --------
    >>> from primer_ref.cluster import expected_maximum_normal
    >>> print(f"{expected_maximum_normal(16_384):.2f}")
    3.98
    """
    if n < 2:
        raise ValueError(f"n must be at least 2; got {n}")
    normal = NormalDist()
    a = -normal.inv_cdf(1 / n)  # accurate in the tail, where 1 − 1/n would lose digits
    return a + np.euler_gamma / (n * normal.pdf(a))


def simulate_run(
    cluster: Cluster, *, n_steps: int, steps_per_checkpoint: int, rng: np.random.Generator
) -> Run:
    r"""Play through a training run from failure to failure and checkpoint to checkpoint.

    Parameters
    ----------
    cluster : Cluster
        Devices and times.
    n_steps : int
        Steps to train for.
    steps_per_checkpoint : int
        Steps between checkpoints; the last one is saved too.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Run
        Where the time went.

    Raises
    ------
    ValueError
        If a number of steps is not positive, or failures are so frequent that a stretch between
        checkpoints, or a restart, would take more than 10,000 attempts on average.

    Notes
    -----
    The time to the next failure is drawn anew at every checkpoint and after every failure; as
    exponential times have no memory, that is as good as letting the old clock run on. A step waits
    for the last of n devices, each late by an exponential time; the largest of n such times is
    drawn at once, as the u-quantile of :math:`(1 - e^{-t})^n` for a uniform u. So the cost depends
    on the number of steps, not on the number of devices.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.cluster import Cluster, simulate_run
    >>> cluster = Cluster(
    ...     n_devices=16_384, device_mtbf=5.8 * 365 * 86_400, step_time=10.0, jitter=0.01,
    ...     checkpoint_time=30.0, detection_time=60.0, restart_time=300.0,
    ... )
    >>> rng = np.random.default_rng(0)
    >>> run = simulate_run(cluster, n_steps=400_000, steps_per_checkpoint=80, rng=rng)
    >>> print(f"{run.goodput:.3f} in {run.wall_time / 86_400:.1f} days, {run.n_failures} failures")
    0.888 in 52.2 days, 415 failures
    """
    check_positive_finite(n_steps, "n_steps")
    check_positive_finite(steps_per_checkpoint, "steps_per_checkpoint")
    stretch = steps_per_checkpoint * cluster.mean_step_time + cluster.checkpoint_time
    if max(stretch, cluster.down_time) > cluster.mtbf * math.log(10_000):
        raise ValueError(
            "the time between checkpoints and that of a restart must be within 9.2 mean times "
            f"between failures; got {stretch:.4g} s and {cluster.down_time:.4g} s "
            f"for {cluster.mtbf:.4g} s"
        )
    straggler = saving = lost = down = 0.0
    done = n_failures = 0
    while done < n_steps:
        steps = min(steps_per_checkpoint, n_steps - done)
        waiting = cluster.jitter * float(np.sum(_latest(cluster.n_devices, steps, rng)))
        stretch = steps * cluster.step_time + waiting + cluster.checkpoint_time
        failure = rng.exponential(cluster.mtbf)
        if failure >= stretch:
            done += steps
            straggler += waiting
            saving += cluster.checkpoint_time
            continue
        lost += failure
        n_failures += 1
        while (failure := rng.exponential(cluster.mtbf)) < cluster.down_time:
            down += failure
            n_failures += 1
        down += cluster.down_time
    return Run(n_steps * cluster.step_time, straggler, saving, lost, down, n_failures)


def _latest(n_devices: int, n_steps: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the largest of n exponential times of mean 1, for each of several steps."""
    with np.errstate(divide="ignore"):  # u = 0 gives the time 0
        log_u = np.log(rng.random(n_steps))
    return -np.log(-np.expm1(log_u / n_devices))  # 1 − u^(1/n) is small: expm1 keeps its digits
