r"""Simulate training on up to 100,000 devices that fail and are late, and find when to save.

The failure rate is that of a published run: 419 unexpected interruptions in 54 days on 16,384 GPUs
(Dubey et al. 2024, The Llama 3 Herd of Models, section 3.3.4), taken for a rate of each device that
does not depend on how many there are. All other times are assumptions, chosen round. Runs are those
of `primer_ref.cluster.simulate_run`. Times are in seconds if no other unit is said. Means have
intervals of 95 % over ``seeds`` runs with seeds of their own: ``value``, ``low``, ``high``.

Result:

- ``published``: ``failures``, ``devices``, ``days``; ``device_mtbf_years``, mean time between
  failures of one device; ``relative``, by what factor that may be off: exp(±1.96 / √419).
- ``times``: ``step``, ``checkpoint``, ``detection``, ``restart``; ``jitter``, the mean time by
  which each device is late at each step.
- ``clocks``: what one clock stands for. Every device has a clock of its own and is replaced when it
  fails, for as many ``days``: lists by number of ``devices`` of ``failures`` with its interval,
  ``expected``, and ``rejected``, the share of seeds whose times between failures lie farther from
  exponential ones than in 5 % of true samples, by Kolmogorov's distance.
- ``intervals``: list by cluster, without jitter:

  - ``devices``, ``checkpoint``, ``mtbf`` of all; ``n_steps`` of each run;
  - ``interval``, time of work between checkpoints, in whole steps; lists along it: ``goodput``
    with its interval, ``expected`` by the closed form, ``failures``, mean number;
  - ``best`` interval: ``simulated``, the minimum of a + bT + c/T, fitted to the mean of 1/goodput
    where T is within a factor of 2 of Daly's, with an interval by the bootstrap over seeds;
    ``fitted``, the same of the closed form at the same places, which shows what the fit itself is
    off by; ``exact``, the maximum of the closed form; ``young``; ``daly``;
  - ``expected_at``: goodput by the closed form at ``exact``, ``young`` and ``daly``.

- ``sizes``: lists by number of ``devices``, with jitter: ``interval``, Daly's in whole steps;
  ``goodput`` with its interval; ``expected`` by the closed form, and ``expected_low`` and
  ``expected_high``, the same if the published rate is off by ``relative``, with the best interval
  for it; ``failures`` a day; ``shares`` of the time: useful, straggler, checkpoint, lost, down; and
  ``kept``, goodput with its interval if the interval that is best for the published number of
  devices is kept, with ``kept_expected``.
- ``stragglers``: lists by number of ``devices``: the mean, over ``draws`` steps, of the largest of
  so many times, in units of one device's mean (``exponential``) or deviation (``normal``), with
  intervals; ``exponential_expected``, ``normal_expected``; ``simulated``, what the runs of
  ``sizes`` waited a step, over the jitter.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.sampler_entropy import over
from primer_ref.checkpoint_interval import checkpointed_goodput, daly_interval, young_interval
from primer_ref.cluster import (
    Cluster,
    Run,
    expected_goodput,
    expected_maximum_exponential,
    expected_maximum_normal,
    mean_time_between_failures,
    simulate_run,
)
from primer_ref.intervals import bootstrap_interval, normal_quantile

NAME = "cluster_failures"
SEED = 9
DAY, YEAR = 86_400.0, 365 * 86_400.0
FAILURES, GPUS, DAYS = 419, 16_384, 54
PUBLISHED = Cluster(
    n_devices=GPUS,
    device_mtbf=mean_time_between_failures(FAILURES, n_devices=GPUS, duration=DAYS * DAY),
    step_time=10.0,
    jitter=0.02,
    checkpoint_time=30.0,
    detection_time=60.0,
    restart_time=240.0,
)
RELATIVE = math.exp(normal_quantile(0.95) / math.sqrt(FAILURES))
# Devices, time of a checkpoint, and steps of a run: more where there is less to gain.
CLUSTERS = ((GPUS, 30.0, 400_000), (100_000, 30.0, 100_000), (100_000, 300.0, 100_000))
FACTORS = tuple(2.0 ** (k / 4) for k in (-8, -6, *range(-4, 5), 6, 8))  # of Daly's interval
NEAR = 2.001  # factor within which the minimum is fitted
SIZES = (1024, 4096, GPUS, 32_768, 65_536, 100_000)
N_STEPS = 100_000  # 12 days of steps
N_SEEDS = 24
DRAWS = 400

Floats = NDArray[np.floating[Any]]


# --- One clock for all devices ---------------------------------------------------------------


def failure_times(cluster: Cluster, duration: float, rng: np.random.Generator) -> Floats:
    """Let every device's own clock run, and a new one after each failure."""
    due = rng.exponential(cluster.device_mtbf, cluster.n_devices)
    found = []
    while len(due := due[due < duration]):
        found.append(due)
        due = due + rng.exponential(cluster.device_mtbf, len(due))
    return np.sort(np.concatenate(found))


def distance_from_exponential(gaps: Floats, mean: float) -> float:
    """Kolmogorov's: the largest distance of the distribution functions."""
    p = -np.expm1(-np.sort(gaps) / mean)
    n = len(gaps)
    return float(np.max(np.maximum(np.arange(1, n + 1) / n - p, p - np.arange(n) / n)))


def clocks(sizes: Sequence[int], n_seeds: int) -> dict[str, Any]:
    """Compare separate clocks with the one clock of the simulation."""
    table: dict[str, Any] = {key: [] for key in ("devices", "failures", "expected", "rejected")}
    for n in sizes:
        cluster = replace(PUBLISHED, n_devices=n)
        counts, far = [], []
        for seed in range(n_seeds):
            times = failure_times(cluster, DAYS * DAY, np.random.default_rng((SEED, seed, n)))
            counts.append(float(len(times)))
            # 1.358 / √n is passed by 5 % of large samples.
            distance = distance_from_exponential(np.diff(times, prepend=0.0), cluster.mtbf)
            far.append(distance > 1.358 / math.sqrt(len(times)))
        table["devices"].append(n)
        table["failures"].append(over(counts))
        table["expected"].append(DAYS * DAY / cluster.mtbf)
        table["rejected"].append(np.mean(far))
    return table


# --- The interval between checkpoints --------------------------------------------------------


def runs_of(cluster: Cluster, n_steps: int, steps: int, n_seeds: int, case: int) -> list[Run]:
    """Simulate the same run with other seeds."""
    return [
        simulate_run(
            cluster,
            n_steps=n_steps,
            steps_per_checkpoint=steps,
            rng=np.random.default_rng((SEED, case, seed)),
        )
        for seed in range(n_seeds)
    ]


def best_interval(intervals: Floats, goodputs: Floats) -> float:
    """Minimum of a + bT + c/T, fitted to 1/goodput by least squares."""
    unit = float(np.mean(intervals))
    t = intervals / unit
    _, b, c = np.linalg.lstsq(np.stack([np.ones_like(t), t, 1 / t], axis=-1), 1 / goodputs)[0]
    return unit * math.sqrt(c / b)


def steps_near(seconds: float, cluster: Cluster) -> int:
    """Whole steps that take about so long."""
    return max(1, round(seconds / cluster.mean_step_time))


def exact_interval(cluster: Cluster) -> float:
    """Maximum of the closed form, on a fine grid."""
    daly = daly_interval(cluster.checkpoint_time, cluster.mtbf)
    grid = np.geomspace(daly / 2, daly * 2, 20_001)
    return float(grid[np.argmax([closed_form(t, cluster) for t in grid])])


def closed_form(interval: float, cluster: Cluster) -> float:
    """Goodput without jitter, for any time of work between checkpoints."""
    return checkpointed_goodput(
        interval,
        checkpoint_time=cluster.checkpoint_time,
        mtbf=cluster.mtbf,
        down_time=cluster.down_time,
    )


def measure_intervals(
    devices: int, checkpoint: float, n_steps: int, n_seeds: int = N_SEEDS
) -> dict[str, Any]:
    """Goodput against the interval, and the best interval, of one cluster."""
    cluster = replace(PUBLISHED, n_devices=devices, checkpoint_time=checkpoint, jitter=0.0)
    young, daly = (rule(checkpoint, cluster.mtbf) for rule in (young_interval, daly_interval))
    steps = sorted({steps_near(factor * daly, cluster) for factor in FACTORS})
    runs = [runs_of(cluster, n_steps, each, n_seeds, each) for each in steps]
    intervals = np.array(steps) * cluster.step_time
    goodputs = np.array([[run.goodput for run in same] for same in runs])  # (intervals, seeds)
    expected = np.array([closed_form(t, cluster) for t in intervals])

    near = (intervals > daly / NEAR) & (intervals < daly * NEAR)

    def best(rows: Floats) -> float:
        return best_interval(intervals[near], 1 / np.mean(1 / rows[:, near], axis=0))

    rng = np.random.default_rng(SEED)
    places = {"exact": exact_interval(cluster), "young": young, "daly": daly}
    return {
        "devices": devices,
        "checkpoint": checkpoint,
        "mtbf": cluster.mtbf,
        "n_steps": n_steps,
        "interval": intervals,
        "goodput": [over(same) for same in goodputs],
        "expected": expected,
        "failures": [np.mean([run.n_failures for run in same]) for same in runs],
        "best": {
            "simulated": asdict(bootstrap_interval(goodputs.T, best, rng=rng)),
            "fitted": best_interval(intervals[near], expected[near]),
            **places,
        },
        "expected_at": {name: closed_form(t, cluster) for name, t in places.items()},
    }


# --- The number of devices -------------------------------------------------------------------


def best_steps(cluster: Cluster) -> int:
    """Daly's interval in whole steps."""
    return steps_near(daly_interval(cluster.checkpoint_time, cluster.mtbf), cluster)


def expected_best(cluster: Cluster) -> float:
    """Goodput by the closed form at Daly's interval."""
    return expected_goodput(cluster, steps_per_checkpoint=best_steps(cluster))


def shares(runs: Sequence[Run]) -> dict[str, float]:
    """Where the time of runs went."""
    total = sum(run.wall_time for run in runs)
    names = ("useful", "straggler", "checkpoint", "lost", "down")
    return {name: sum(getattr(run, f"{name}_time") for run in runs) / total for name in names}


def measure_size(n: int, n_steps: int = N_STEPS, n_seeds: int = N_SEEDS) -> dict[str, Any]:
    """Goodput of one number of devices, at its own and at the published number's interval."""
    cluster = replace(PUBLISHED, n_devices=n)
    steps, kept = best_steps(cluster), best_steps(PUBLISHED)
    runs, others = (runs_of(cluster, n_steps, each, n_seeds, each) for each in (steps, kept))
    days = sum(run.wall_time for run in runs) / DAY
    low, high = (
        expected_best(replace(cluster, device_mtbf=cluster.device_mtbf * factor))
        for factor in (1 / RELATIVE, RELATIVE)
    )
    waited = sum(run.straggler_time for run in runs) / (n_steps * len(runs))
    return {
        "devices": n,
        "interval": steps * cluster.mean_step_time,
        "goodput": over([run.goodput for run in runs]),
        "expected": expected_best(cluster),
        "expected_low": low,
        "expected_high": high,
        "failures": sum(run.n_failures for run in runs) / days,
        "shares": shares(runs),
        "kept": over([run.goodput for run in others]),
        "kept_expected": expected_goodput(cluster, steps_per_checkpoint=kept),
        "waited": waited / cluster.jitter,
    }


def mean_largest(draw: Callable[..., Floats], n: int, draws: int) -> dict[str, float]:
    """Mean of the largest of n times, by drawing them all."""
    return over([float(np.max(draw(size=n))) for _ in range(draws)])


def stragglers(sizes: Sequence[int], draws: int = DRAWS) -> dict[str, Any]:
    """Compare the latest of all devices with what extreme-value theory says."""
    rng = np.random.default_rng(SEED)
    return {
        "devices": list(sizes),
        "draws": draws,
        "exponential": [mean_largest(rng.standard_exponential, n, draws) for n in sizes],
        "exponential_expected": [expected_maximum_exponential(n) for n in sizes],
        "normal": [mean_largest(rng.standard_normal, n, draws) for n in sizes],
        "normal_expected": [expected_maximum_normal(n) for n in sizes],
    }


def measure(
    intervals: Sequence[dict[str, Any]], sizes: Sequence[dict[str, Any]], n_seeds: int = N_SEEDS
) -> dict[str, Any]:
    """Everything described above, from the parts that take long."""
    columns = {key: [size[key] for size in sizes] for key in sizes[0]}
    waited = columns.pop("waited")
    return {
        "seeds": n_seeds,
        "published": {
            "failures": FAILURES,
            "devices": GPUS,
            "days": DAYS,
            "device_mtbf_years": PUBLISHED.device_mtbf / YEAR,
            "relative": RELATIVE,
        },
        "times": {
            "step": PUBLISHED.step_time,
            "checkpoint": PUBLISHED.checkpoint_time,
            "detection": PUBLISHED.detection_time,
            "restart": PUBLISHED.restart_time,
            "jitter": PUBLISHED.jitter,
        },
        "clocks": clocks((1024, GPUS, 100_000), n_seeds),
        "intervals": list(intervals),
        "sizes": columns,
        "stragglers": {**stragglers(columns["devices"]), "simulated": waited},
    }


def main() -> None:
    """Measure and store."""
    intervals = record.parts(f"{NAME}-intervals", CLUSTERS, lambda item: measure_intervals(*item))
    sizes = record.parts(f"{NAME}-sizes", SIZES, measure_size)
    record.save(
        NAME, measure(intervals, sizes), command="python -m experiments.cluster_failures", seed=SEED
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
