"""What clusters refuse."""

import numpy as np

from primer_ref.cluster import (
    Cluster,
    expected_goodput,
    expected_maximum_exponential,
    expected_maximum_normal,
    mean_time_between_failures,
    simulate_run,
)

TIMES = {
    "n_devices": 10,
    "device_mtbf": 1e6,
    "step_time": 1.0,
    "jitter": 0.1,
    "checkpoint_time": 1.0,
    "detection_time": 1.0,
    "restart_time": 1.0,
}
CLUSTER = Cluster(**TIMES)  # type: ignore[arg-type]
FRAGILE = Cluster(**TIMES | {"device_mtbf": 10.0})  # type: ignore[arg-type]
RUN = {"cluster": CLUSTER, "n_steps": 10, "steps_per_checkpoint": 5}
RNG = np.random.default_rng(0)

ROWS = [
    (Cluster, TIMES | {"n_devices": 0}, "n_devices must be positive and finite; got 0"),
    (Cluster, TIMES | {"device_mtbf": np.nan}, "device_mtbf must be positive and finite; got nan"),
    (Cluster, TIMES | {"jitter": -1.0}, "jitter must be finite and not negative; got -1"),
    (Cluster, TIMES | {"restart_time": np.inf}, "restart_time must be finite.* got inf"),
    (
        mean_time_between_failures,
        {"n_failures": 0, "n_devices": 1, "duration": 1.0},
        "n_failures must be positive and finite; got 0",
    ),
    (
        expected_goodput,
        {"cluster": CLUSTER, "steps_per_checkpoint": 0},
        "steps_per_checkpoint must be positive and finite; got 0",
    ),
    (expected_maximum_exponential, {"n": 0}, "n must be positive and finite; got 0"),
    (expected_maximum_normal, {"n": 1}, "n must be at least 2; got 1"),
    (simulate_run, RUN | {"n_steps": 0, "rng": RNG}, "n_steps must be positive"),
    (simulate_run, RUN | {"steps_per_checkpoint": 0, "rng": RNG}, "steps_per_checkpoint must be"),
    (
        simulate_run,
        RUN | {"cluster": FRAGILE, "steps_per_checkpoint": 50, "rng": RNG},
        "within 9.2 mean times between failures",
    ),
]
