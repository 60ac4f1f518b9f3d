"""How fast work can run on a device: the roofline.

A device does operations and moves bytes, each at a peak rate. Work takes at least as long as the
slower of the two would alone, so every time below is a lower bound and every rate an upper one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_positive
from primer_ref.functional import as_floats

__all__ = [
    "DEVICES",
    "Device",
    "arithmetic_intensity",
    "attainable",
    "ridge_point",
    "roofline_seconds",
    "training_seconds",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Device:
    """Peak rates of a device, as its datasheet has them.

    Attributes
    ----------
    flops : float
        Operations a second on 16-bit numbers, without sparsity.
    bandwidth : float
        Bytes a second between memory and processor.
    memory : float
        Bytes of memory.
    watts : float
        Power that it may draw.

    Raises
    ------
    ValueError
        If a value is not positive.

    Examples
    --------
    >>> from primer_ref.roofline import DEVICES
    >>> DEVICES["h100-sxm"].watts
    700.0
    """

    flops: float
    bandwidth: float
    memory: float
    watts: float

    def __post_init__(self) -> None:
        for name in ("flops", "bandwidth", "memory", "watts"):
            check_positive(getattr(self, name), name)


#: NVIDIA's datasheets, bfloat16 on tensor cores. They print the peak of the H100 and the H200 with
#: sparsity, which is twice what is given here.
DEVICES: Mapping[str, Device] = MappingProxyType(
    {
        "a100-40gb": Device(312e12, 1.555e12, 40e9, 400.0),
        "a100-80gb": Device(312e12, 2.039e12, 80e9, 400.0),
        "h100-pcie": Device(756e12, 2.0e12, 80e9, 350.0),
        "h100-sxm": Device(989e12, 3.35e12, 80e9, 700.0),
        "h200-sxm": Device(989e12, 4.8e12, 141e9, 700.0),
    }
)


def arithmetic_intensity(flops: float, moved_bytes: float) -> float:
    """Operations for each byte that is moved.

    Parameters
    ----------
    flops : float
        Operations.
    moved_bytes : float
        Bytes between memory and processor.

    Returns
    -------
    float
        FLOP a byte.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-arithmetic-intensity`.

    References
    ----------
    S. Williams, A. Waterman and D. Patterson (2009), Roofline: An Insightful Visual Performance
    Model for Multicore Architectures.

    Examples
    --------
    A product of two square matrices of 16-bit numbers, each read once and the result written once:

    >>> from primer_ref.roofline import arithmetic_intensity
    >>> n = 4096
    >>> f"{arithmetic_intensity(2 * n**3, 3 * 2 * n**2):.0f}"  # n / 3
    '1365'
    """
    check_positive(flops, "flops")
    check_positive(moved_bytes, "moved_bytes")
    return flops / moved_bytes


def ridge_point(device: Device) -> float:
    r"""Find the intensity at which a device's two limits meet, :math:`\pi/\beta`.

    Parameters
    ----------
    device : Device
        Peak rates: π operations and β bytes a second.

    Returns
    -------
    float
        FLOP a byte. Work of lower intensity waits for memory, work of higher intensity for the
        processor.

    Notes
    -----
    Implements :eq:`eq-ridge`.

    Examples
    --------
    >>> from primer_ref.roofline import DEVICES, ridge_point
    >>> [round(ridge_point(DEVICES[name])) for name in ("a100-80gb", "h100-sxm")]
    [153, 295]
    """
    return device.flops / device.bandwidth


def attainable(intensity: ArrayLike, device: Device) -> Floats:
    r"""Bound the rate at which work of an intensity can run, :math:`\min(\pi, \beta I)`.

    Parameters
    ----------
    intensity : array_like, shape (...)
        FLOP a byte, I.
    device : Device
        Peak rates.

    Returns
    -------
    ndarray, shape (...)
        FLOP/s: the roof over a plot of rate against intensity.

    Raises
    ------
    ValueError
        If an intensity is negative or not a number.

    Notes
    -----
    Implements :eq:`eq-roofline`.

    References
    ----------
    S. Williams, A. Waterman and D. Patterson (2009), Roofline: An Insightful Visual Performance
    Model for Multicore Architectures.

    Examples
    --------
    >>> from primer_ref.roofline import DEVICES, attainable
    >>> print(attainable([1, 100, 1000], DEVICES["h100-sxm"]) / 1e12)
    [  3.35 335.   989.  ]
    """
    intensity = as_floats(intensity)
    bad = ~(intensity >= 0)
    if np.any(bad):
        raise ValueError(f"intensity must not be negative; got {intensity[bad][0]}")
    rate: Floats = np.minimum(device.flops, device.bandwidth * intensity)
    return rate


def roofline_seconds(flops: float, moved_bytes: float, device: Device) -> float:
    r"""Bound the time of a piece of work from below, :math:`\max(F/\pi, M/\beta)`.

    Parameters
    ----------
    flops : float
        Operations, F.
    moved_bytes : float
        Bytes between memory and processor, M.
    device : Device
        Peak rates.

    Returns
    -------
    float
        Seconds, if computing and moving overlap in full.

    Raises
    ------
    ValueError
        If a number is not positive.

    Notes
    -----
    Implements :eq:`eq-roofline-time`.

    Examples
    --------
    >>> from primer_ref.roofline import DEVICES, roofline_seconds
    >>> f"{roofline_seconds(2 * 8e9, 2 * 8e9, DEVICES['h100-sxm']) * 1e3:.2f} ms"
    '4.78 ms'
    """
    check_positive(flops, "flops")
    check_positive(moved_bytes, "moved_bytes")
    return max(flops / device.flops, moved_bytes / device.bandwidth)


def training_seconds(flops: float, device: Device, *, n_devices: int, utilization: float) -> float:
    r"""Time of a training run, :math:`F / (n\,u\,\pi)`.

    Parameters
    ----------
    flops : float
        Operations of the run, F.
    device : Device
        Peak rates.
    n_devices : int
        Devices, n.
    utilization : float
        Share of the peak that is kept up, u.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    ValueError
        If a number is not positive, or the utilization is above 1.

    Examples
    --------
    >>> from primer_ref.accounting import training_flops
    >>> from primer_ref.roofline import DEVICES, training_seconds
    >>> flops = training_flops(405e9, 15.6e12)  # Llama 3 405B
    >>> seconds = training_seconds(flops, DEVICES["h100-sxm"], n_devices=16384, utilization=0.4)
    >>> f"{seconds / 86400:.0f} days"
    '68 days'
    """
    check_positive(flops, "flops")
    check_positive(n_devices, "n_devices")
    check_positive(utilization, "utilization")
    if utilization > 1:
        raise ValueError(f"utilization must be a share of the peak; got {utilization}")
    return flops / (n_devices * utilization * device.flops)
