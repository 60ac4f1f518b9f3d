r"""ZeRO: what data parallel devices all hold is cut over them, and the step stays the same.

Training in mixed precision with Adam keeps, of each parameter, a weight and a gradient in 16 bits
and k bytes of state: a master copy and two averages, 12 bytes. Adam works entry by entry, so each
device can do its part of the entries by itself; only the sum of the gradients and the new weights
have to be exchanged, and an all-reduce is made of just these two exchanges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primer_ref.checks import check_positive
from primer_ref.collectives import Transfer, add_costs, all_gather, reduce_scatter, split
from primer_ref.optim import Moments, adam

__all__ = [
    "fully_sharded_adam",
    "sharded_adam",
    "zero_bytes",
]

Floats = NDArray[np.floating[Any]]


def zero_bytes(
    n_parameters: float, n_devices: int, *, stage: int, state_bytes: float = 12
) -> float:
    r"""Size of weights, gradients and state on each device, in the stages of ZeRO.

    .. math:: (4 + k)N, \quad 4N + \frac{kN}{p}, \quad 2N + \frac{(2 + k)N}{p}, \quad
        \frac{(4 + k)N}{p}

    in the stages 0 to 3, for N parameters on p devices.

    Parameters
    ----------
    n_parameters : float
        Number of parameters, N.
    n_devices : int
        Data parallel devices, p.
    stage : int
        0: every device holds all. 1: the state is cut. 2: gradients too. 3: weights too.
    state_bytes : float
        Bytes of state a parameter, k: 12 for Adam with a master copy, all in 32 bits.

    Returns
    -------
    float
        Bytes; activations and buffers come on top.

    Raises
    ------
    ValueError
        If a number is not positive, or the stage is not 0, 1, 2 or 3.

    Notes
    -----
    Implements :eq:`eq-zero-bytes`.

    References
    ----------
    S. Rajbhandari et al. (2020), ZeRO: Memory Optimizations Toward Training Trillion Parameter
    Models.

    Examples
    --------
    >>> from primer_ref.zero import zero_bytes
    >>> [round(zero_bytes(7.5e9, 64, stage=stage) / 1e9, 1) for stage in range(4)]
    [120.0, 31.4, 16.6, 1.9]
    """
    check_positive(n_parameters, "n_parameters")
    check_positive(n_devices, "n_devices")
    check_positive(state_bytes, "state_bytes")
    if stage not in (0, 1, 2, 3):
        raise ValueError(f"stage must be 0, 1, 2 or 3; got {stage}")
    # A stage cuts one kind more: first the state, then the gradients, then the weights.
    kinds = zip((state_bytes, 2, 2), (1, 2, 3), strict=True)
    return sum(size * n_parameters / (n_devices if stage >= first else 1) for size, first in kinds)


def sharded_adam(
    weights: Floats, gradients: Sequence[Floats], states: Sequence[Moments], *, rate: float
) -> tuple[Transfer, list[Moments]]:
    r"""Take a step of Adam with its state cut over devices: the first two stages of ZeRO.

    Each device gets its part of the summed gradient, steps with its part of the state, and gives
    the new part of the weights to all.

    Parameters
    ----------
    weights : ndarray, shape (n, ...)
        Weights, which every device holds; cut along the first axis.
    gradients : sequence of ndarray, shape (n, ...)
        Of each device: its share of the gradient; they add up to that of the whole batch.
    states : sequence of Moments
        Of each device: the averages of its part of the weights.
    rate : float
        Learning rate η.

    Returns
    -------
    tuple
        New weights on every device, and the new states.

    Raises
    ------
    ValueError
        If there is not one state a device, gradients and weights differ in shape, or the rate is
        negative or not finite.

    Notes
    -----
    A reduce-scatter and an all-gather: as many bytes as the all-reduce of plain data parallel. The
    first stage keeps the whole gradient on each device, the second frees what is not its part; the
    step is the same.

    References
    ----------
    S. Rajbhandari et al. (2020), ZeRO: Memory Optimizations Toward Training Trillion Parameter
    Models.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.optim import initial_moments
    >>> from primer_ref.zero import sharded_adam
    >>> states = [initial_moments(np.zeros(1)), initial_moments(np.zeros(1))]
    >>> done, states = sharded_adam(np.zeros(2), [np.ones(2), -np.eye(2)[0]], states, rate=0.1)
    >>> print(done.values[0].round(4), done.bytes_sent)
    [ 0.  -0.1] (16, 16)
    """
    _check_states(states, len(gradients))
    _check_gradients(gradients, weights)
    scattered = reduce_scatter(gradients)
    parts = split(weights, len(gradients))
    own = zip(parts, scattered.values, states, strict=True)
    stepped = [adam(part, gradient, state, rate=rate) for part, gradient, state in own]
    gathered = all_gather([part for part, _ in stepped])
    done = Transfer(gathered.values, *add_costs([scattered, gathered]))
    return done, [state for _, state in stepped]


def fully_sharded_adam(
    parts: Sequence[Floats],
    gradient_of: Callable[[int, Floats], Floats],
    states: Sequence[Moments],
    *,
    rate: float,
) -> tuple[Transfer, list[Moments]]:
    r"""Take a step of Adam with the weights cut over devices too: the third stage of ZeRO.

    Parameters
    ----------
    parts : sequence of ndarray, shape (n_i, ...)
        Of each device: its part of the weights, cut as `primer_ref.collectives.split` cuts.
    gradient_of : callable
        Given a device's number and the whole weights, that device's share of the gradient.
    states : sequence of Moments
        Of each device: the averages of its part.
    rate : float
        Learning rate η.

    Returns
    -------
    tuple
        New part of the weights on each device, and the new states.

    Raises
    ------
    ValueError
        If there is not one state a device, gradients and weights differ in shape, or the rate is
        negative or not finite.

    Notes
    -----
    The weights are gathered before the forward pass, let go, and gathered again before the
    backward pass; with the gradient's reduce-scatter :math:`3(p-1)/p` of an array is sent, half as
    much again as in plain data parallel. In practice this is done layer by layer, so that no
    device ever holds the whole.

    References
    ----------
    S. Rajbhandari et al. (2020), ZeRO: Memory Optimizations Toward Training Trillion Parameter
    Models.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.optim import initial_moments
    >>> from primer_ref.zero import fully_sharded_adam
    >>> parts = [np.array([1.0]), np.array([-1.0])]
    >>> states = [initial_moments(part) for part in parts]
    >>> done, states = fully_sharded_adam(parts, lambda _, weights: weights, states, rate=0.1)
    >>> print(done.values, done.bytes_sent)
    [array([0.9]), array([-0.9])] (24, 24)
    """
    _check_states(states, len(parts))
    forward = all_gather(parts)
    backward = all_gather(parts)
    gradients = [gradient_of(device, whole) for device, whole in enumerate(backward.values)]
    _check_gradients(gradients, backward.values[0])
    scattered = reduce_scatter(gradients)
    own = zip(parts, scattered.values, states, strict=True)
    stepped = [adam(part, gradient, state, rate=rate) for part, gradient, state in own]
    costs = add_costs([forward, backward, scattered])
    return Transfer([part for part, _ in stepped], *costs), [state for _, state in stepped]


def _check_states(states: Sequence[Moments], n_devices: int) -> None:
    if len(states) != n_devices:
        raise ValueError(f"there must be one state a device; got {len(states)} for {n_devices}")


def _check_gradients(gradients: Sequence[Floats], weights: Floats) -> None:
    for gradient in gradients:
        if gradient.shape != weights.shape:
            raise ValueError(
                f"gradients must have the shape of the weights; got {gradient.shape} "
                f"and {weights.shape}"
            )
