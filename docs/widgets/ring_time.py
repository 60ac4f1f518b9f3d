"""The time of a ring all-reduce: what latency takes, what bytes take."""

from __future__ import annotations

from primer_ref.network import ring_all_reduce_time
from widgets import Range

CONTROLS = (
    Range("size", "Array b", 1e3, 1e12, 1.4e10, log=True, unit="bytes"),
    Range("devices", "Devices p", 2, 4096, 64, step=1, log=True),
    Range("bandwidth", "Bandwidth 1/β′", 1e9, 1e12, 5e10, log=True, unit="bytes/s"),
    Range("latency", "Latency α of a round", 1e-7, 1e-3, 1e-5, log=True, unit="s"),
)


def data() -> None:
    """Give nothing: the figure has numbers of the reader's alone."""


def compute(*, size: float, devices: int, bandwidth: float, latency: float) -> dict[str, float]:
    """Compute the time, its two parts, and the array for which these are equal."""
    seconds = ring_all_reduce_time(size, devices, latency=latency, bandwidth=bandwidth)
    waiting = ring_all_reduce_time(0, devices, latency=latency, bandwidth=bandwidth)
    sending = ring_all_reduce_time(size, devices, latency=0, bandwidth=bandwidth)
    return {
        "seconds": seconds,
        "waiting": waiting,
        "sending": sending,
        "equal": size * waiting / sending,
    }
