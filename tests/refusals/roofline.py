"""What the roofline refuses."""

from math import nan

from primer_ref.roofline import (
    DEVICES,
    Device,
    arithmetic_intensity,
    attainable,
    roofline_seconds,
    training_seconds,
)

H100 = DEVICES["h100-sxm"]
RATES = {"flops": 1, "bandwidth": 1, "memory": 1, "watts": 1}

ROWS = [
    (Device, RATES | {"bandwidth": 0}, "bandwidth must be positive; got 0"),
    (arithmetic_intensity, {"flops": 0, "moved_bytes": 1}, "flops must be positive; got 0"),
    (arithmetic_intensity, {"flops": 1, "moved_bytes": nan}, "moved_bytes must be pos.* got nan"),
    (attainable, {"intensity": [1, -1], "device": H100}, "intensity must not be neg.* got -1.0"),
    (attainable, {"intensity": nan, "device": H100}, "intensity must not be negative; got nan"),
    (roofline_seconds, {"flops": 1, "moved_bytes": 0, "device": H100}, "moved_bytes must be pos"),
    (
        roofline_seconds,
        {"flops": 0, "moved_bytes": 1, "device": H100},
        "^flops must be positive",
    ),
    (
        training_seconds,
        {"flops": nan, "device": H100, "n_devices": 1, "utilization": 0.5},
        "^flops must be positive; got nan",
    ),
    (
        training_seconds,
        {"flops": 1, "device": H100, "n_devices": 1, "utilization": 1.5},
        "utilization must be a share of the peak; got 1.5",
    ),
    (
        training_seconds,
        {"flops": 1, "device": H100, "n_devices": 0, "utilization": 0.5},
        "n_devices must be positive; got 0",
    ),
]
