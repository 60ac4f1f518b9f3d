r"""How long messages between devices take: a fixed time a round, and a time a byte.

The two numbers are the latency α of a round, however short its messages, and the time β of a byte,
the inverse of the bandwidth. All links are taken as equal and used both ways at once; links shared
by several devices, and a network of unequal parts, take longer.
"""

from __future__ import annotations

from primer_ref.collectives import Transfer

__all__ = [
    "ring_all_reduce_time",
    "transfer_time",
]


def transfer_time(transfer: Transfer, *, latency: float, bandwidth: float) -> float:
    r"""Estimate a collective's time, :math:`\alpha` a round and :math:`\beta` a byte.

    Parameters
    ----------
    transfer : Transfer
        What a collective took.
    latency : float
        Seconds a round takes however short its messages are, α.
    bandwidth : float
        Bytes a second that a device sends, 1/β.

    Returns
    -------
    float
        Seconds: rounds times α, and the bytes of the device that sends most times β.

    Raises
    ------
    ValueError
        If the latency is negative or the bandwidth not positive.

    Notes
    -----
    Implements :eq:`eq-link-time`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collectives import all_reduce
    >>> from primer_ref.network import transfer_time
    >>> done = all_reduce([np.zeros(1000)] * 4)
    >>> print(f"{transfer_time(done, latency=1e-6, bandwidth=1e9):.2e} s")
    1.80e-05 s
    """
    _check_link(latency, bandwidth)
    return transfer.n_rounds * latency + max(transfer.bytes_sent) / bandwidth


def ring_all_reduce_time(
    n_bytes: float, n_devices: int, *, latency: float, bandwidth: float
) -> float:
    r"""Estimate the time of a ring all-reduce, :math:`2(p-1)(\alpha + \beta n/p)`.

    Parameters
    ----------
    n_bytes : float
        Size of the array, n.
    n_devices : int
        Number of devices, p.
    latency : float
        Seconds a round takes however short its messages are, α.
    bandwidth : float
        Bytes a second that a device sends, 1/β.

    Returns
    -------
    float
        Seconds.

    Raises
    ------
    ValueError
        If the size or the latency is negative, the bandwidth not positive, or there is no device.

    Notes
    -----
    Implements :eq:`eq-ring-time`.

    Long arrays take about 2nβ, whatever the number of devices; short ones 2(p − 1)α, in proportion
    to it. Both parts are equal where an array holds pα/β bytes.

    Examples
    --------
    >>> from primer_ref.network import ring_all_reduce_time
    >>> seconds = ring_all_reduce_time(14e9, 64, latency=1e-5, bandwidth=5e10)
    >>> print(f"{seconds:.3f} s")
    0.553 s
    """
    _check_link(latency, bandwidth)
    if n_devices < 1 or not n_bytes >= 0:
        raise ValueError(
            f"n_devices must be at least 1 and n_bytes not negative; got {n_devices} and {n_bytes}"
        )
    return 2 * (n_devices - 1) * (latency + n_bytes / n_devices / bandwidth)


def _check_link(latency: float, bandwidth: float) -> None:
    if not (latency >= 0 and bandwidth > 0):
        raise ValueError(
            "latency must not be negative and bandwidth must be positive; "
            f"got {latency} and {bandwidth}"
        )
