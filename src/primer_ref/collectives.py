r"""Collectives on simulated devices: every chunk is really passed on, and every byte counted.

A list holds one entry a device. Devices stand in a ring; in a round each sends one message and
receives one. A device's work between messages is its own business: what a collective promises is
what every device holds at the end, and what had to be sent for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Transfer",
    "add_costs",
    "all_gather",
    "all_reduce",
    "all_to_all",
    "broadcast",
    "reduce_scatter",
    "shift",
    "split",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Transfer:
    """What a collective leaves on every device, and what it took.

    Attributes
    ----------
    values : list
        What each device holds at the end.
    bytes_sent : tuple of int
        Bytes that each device sent.
    n_rounds : int
        Rounds, each of one message a device.
    """

    values: list[Any]
    bytes_sent: tuple[int, ...]
    n_rounds: int


def _n_bytes(x: Floats) -> int:
    return math.prod(x.shape) * x.dtype.itemsize


def _check_devices(values: Sequence[Any]) -> int:
    if not values:
        raise ValueError("a collective needs at least one device; got an empty list")
    return len(values)


def _check_shapes(values: Sequence[Floats]) -> int:
    shapes = [value.shape for value in values]
    if len(set(shapes)) > 1:
        raise ValueError(f"arrays must have one shape; got {shapes}")
    return _check_devices(values)


def split(x: Floats, n: int, *, axis: int = 0) -> list[Floats]:
    """Cut an array into parts of sizes as equal as they can be.

    Parameters
    ----------
    x : ndarray
        Array.
    n : int
        Number of parts, at least 1.
    axis : int
        The axis that is cut.

    Returns
    -------
    list of ndarray
        Parts in order; some are empty where the axis is shorter than ``n``.

    Raises
    ------
    ValueError
        If the number of parts is not positive, or there is no such axis.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collectives import split
    >>> split(np.arange(5.0), 2)
    [array([0., 1.]), array([2., 3., 4.])]
    """
    if n < 1:
        raise ValueError(f"n must be at least 1; got {n}")
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis must be one of the array's; got {axis} and shape {x.shape}")
    return np.split(x, [part * x.shape[axis] // n for part in range(1, n)], axis=axis)


def shift(values: Sequence[Floats]) -> Transfer:
    """Let every device pass what it holds to the next in the ring.

    Parameters
    ----------
    values : sequence of ndarray
        One array a device; shapes may differ.

    Returns
    -------
    Transfer
        Device i holds what device i − 1 held, after one round.

    Raises
    ------
    ValueError
        If there is no device.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collectives import shift
    >>> done = shift([np.array([1.0]), np.array([2.0, 3.0])])
    >>> print(done.values, done.bytes_sent)
    [array([2., 3.]), array([1.])] (8, 16)
    """
    _check_devices(values)
    sent = tuple(_n_bytes(value) for value in values)
    return Transfer([values[-1], *values[:-1]], sent, 1)


def reduce_scatter(values: Sequence[Floats]) -> Transfer:
    r"""Sum arrays over devices and leave a different part of the sum on each.

    Parameters
    ----------
    values : sequence of ndarray, shape (n, ...)
        One array a device, all of one shape; cut along the first axis.

    Returns
    -------
    Transfer
        Device i holds part i of the sum. It has sent :math:`(p-1)/p` of an array, where p parts
        are equal, in p − 1 rounds.

    Raises
    ------
    ValueError
        If there is no device, or arrays differ in shape.

    Notes
    -----
    Part i starts at device i + 1 and goes once around the ring, growing by each device's share.
    Its terms are so added in an order of its own, the same at every repetition: the result is
    reproducible for a given number of devices, and differs in its last bits for another.

    References
    ----------
    P. Patarasuk and X. Yuan (2009), Bandwidth Optimal All-Reduce Algorithms for Clusters of
    Workstations.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collectives import reduce_scatter
    >>> done = reduce_scatter([np.array([1.0, 2.0]), np.array([10.0, 20.0])])
    >>> print(done.values, done.bytes_sent)
    [array([11.]), array([22.])] (8, 8)
    """
    p = _check_shapes(values)
    held = [split(value, p) for value in values]  # held[device][part]
    sent = [0] * p
    for turn in range(p - 1):
        messages = [held[device][(device - 1 - turn) % p] for device in range(p)]
        for device, message in enumerate(messages):
            after, part = (device + 1) % p, (device - 1 - turn) % p
            held[after][part] = held[after][part] + message
            sent[device] += _n_bytes(message)
    return Transfer([held[device][device] for device in range(p)], tuple(sent), p - 1)


def all_gather(parts: Sequence[Floats]) -> Transfer:
    r"""Give every device the parts of all, joined in order.

    Parameters
    ----------
    parts : sequence of ndarray, shape (n_i, ...)
        One part a device; they are joined along the first axis.

    Returns
    -------
    Transfer
        Every device holds the whole, and has sent :math:`(p-1)/p` of it, where p parts are equal,
        in p − 1 rounds.

    Raises
    ------
    ValueError
        If there is no device.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collectives import all_gather
    >>> done = all_gather([np.array([1.0]), np.array([2.0])])
    >>> print(done.values, done.bytes_sent)
    [array([1., 2.]), array([1., 2.])] (8, 8)
    """
    p = _check_devices(parts)
    held = [{device: part} for device, part in enumerate(parts)]  # held[device][part]
    sent = [0] * p
    for turn in range(p - 1):
        for device in range(p):
            part = (device - turn) % p  # what came in the round before
            held[(device + 1) % p][part] = held[device][part]
            sent[device] += _n_bytes(held[device][part])
    wholes = [np.concatenate([have[part] for part in range(p)]) for have in held]
    return Transfer(wholes, tuple(sent), p - 1)


def all_reduce(values: Sequence[Floats]) -> Transfer:
    r"""Give every device the sum over devices: `reduce_scatter`, then `all_gather`.

    Parameters
    ----------
    values : sequence of ndarray
        One array a device, all of one shape; cut into parts without regard to it.

    Returns
    -------
    Transfer
        Every device holds the same sum, to the last bit, and has sent :math:`2(p-1)/p` of an
        array, where p parts are equal, in 2(p − 1) rounds.

    Raises
    ------
    ValueError
        If there is no device, or arrays differ in shape.

    Notes
    -----
    Implements :eq:`eq-ring-bytes`.

    Less than twice the array is sent, however many devices there are. No scheme sends less in all
    if each message goes to one device and each number in it is of one entry.

    References
    ----------
    P. Patarasuk and X. Yuan (2009), Bandwidth Optimal All-Reduce Algorithms for Clusters of
    Workstations.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collectives import all_reduce
    >>> done = all_reduce([np.full(4, device) for device in (1.0, 2.0, 3.0, 4.0)])
    >>> print(done.values[0], done.bytes_sent, done.n_rounds)
    [10. 10. 10. 10.] (48, 48, 48, 48) 6
    """
    _check_shapes(values)
    scattered = reduce_scatter([value.reshape(-1) for value in values])
    gathered = all_gather(scattered.values)
    sums = [whole.reshape(values[0].shape) for whole in gathered.values]
    return Transfer(sums, *add_costs([scattered, gathered]))


def add_costs(transfers: Sequence[Transfer]) -> tuple[tuple[int, ...], int]:
    """Add up what transfers took that follow one another.

    Parameters
    ----------
    transfers : sequence of Transfer
        Transfers among the same devices.

    Returns
    -------
    tuple
        Bytes that each device sent, and the number of rounds.

    Raises
    ------
    ValueError
        If transfers are among different numbers of devices.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collectives import add_costs, all_reduce, broadcast
    >>> add_costs([broadcast(np.zeros(2), 2), all_reduce([np.zeros(2)] * 2)])
    ((32, 16), 3)
    """
    counts = {len(transfer.bytes_sent) for transfer in transfers}
    if len(counts) != 1:
        raise ValueError(f"transfers must be among the same devices; got numbers {sorted(counts)}")
    sent = zip(*(transfer.bytes_sent for transfer in transfers), strict=True)
    return tuple(map(sum, sent)), sum(transfer.n_rounds for transfer in transfers)


def broadcast(value: Floats, n_devices: int) -> Transfer:
    r"""Give every device what the first one holds, in rounds that double who has it.

    Parameters
    ----------
    value : ndarray
        What device 0 holds.
    n_devices : int
        Number of devices, p.

    Returns
    -------
    Transfer
        Every device holds the array; :math:`\lceil \log_2 p \rceil` rounds, in each of which
        device 0 sends all of it.

    Raises
    ------
    ValueError
        If there is no device.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collectives import broadcast
    >>> done = broadcast(np.array([7.0]), 5)
    >>> print(len(done.values), done.bytes_sent, done.n_rounds)
    5 (24, 8, 0, 0, 0) 3
    """
    if n_devices < 1:
        raise ValueError(f"n_devices must be at least 1; got {n_devices}")
    held, sent, rounds = [value], [0] * n_devices, 0
    while len(held) < n_devices:
        senders = min(len(held), n_devices - len(held))
        for device in range(senders):
            sent[device] += _n_bytes(value)
        held += held[:senders]
        rounds += 1
    return Transfer(held, tuple(sent), rounds)


def all_to_all(blocks: Sequence[Sequence[Floats]]) -> Transfer:
    r"""Send block j of device i to device i's block of device j: a transpose over devices.

    Parameters
    ----------
    blocks : sequence of sequences of ndarray
        ``blocks[i][j]`` is what device i has for device j; sizes may differ.

    Returns
    -------
    Transfer
        Device j holds the list of what was for it, in the order of senders. Where blocks are
        equal it has sent :math:`(p-1)/p` of its own, in p − 1 rounds.

    Raises
    ------
    ValueError
        If there is no device, or a device does not have one block for each.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.collectives import all_to_all
    >>> one, two = np.array([1.0]), np.array([2.0])
    >>> print(all_to_all([[one, two], [two, two]]).values)
    [[array([1.]), array([2.])], [array([2.]), array([2.])]]
    """
    p = _check_devices(blocks)
    if any(len(own) != p for own in blocks):
        raise ValueError(f"every device must have {p} blocks; got {[len(own) for own in blocks]}")
    received = [[own[device] for own in blocks] for device in range(p)]
    sent = tuple(
        sum(_n_bytes(block) for other, block in enumerate(own) if other != device)
        for device, own in enumerate(blocks)
    )
    return Transfer(received, sent, p - 1)
