r"""Expert parallel: each device has an expert, and tokens travel to the experts they are routed to.

Buffers have a fixed size, so that all devices exchange and compute equally much; a token for which
there is no room is dropped: it passes the layer by the residual connection alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative
from primer_ref.collectives import Transfer, add_costs, all_to_all
from primer_ref.functional import as_floats

__all__ = ["dispatch", "expert_capacity", "expert_parallel", "load_balance_loss"]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Part = Callable[[Floats], Floats]


def expert_capacity(n_tokens: int, n_experts: int, *, factor: float) -> int:
    r"""Room for tokens at each expert, :math:`\lceil \text{factor} \cdot T/E \rceil`.

    Parameters
    ----------
    n_tokens : int
        Tokens that are routed together, T.
    n_experts : int
        Number of experts, E.
    factor : float
        Capacity factor: 1 is just enough where tokens are spread evenly.

    Returns
    -------
    int
        Tokens that an expert takes at most.

    Raises
    ------
    ValueError
        If a number or the factor is not positive.

    Notes
    -----
    Implements :eq:`eq-expert-capacity`.

    The factor is taken for the decimal number that it is written as: 1.1 for 11/10, not for its
    nearest neighbor in binary, which is larger, so that 1.1 times 100 tokens for 10 experts is 11.

    References
    ----------
    W. Fedus, B. Zoph and N. Shazeer (2022), Switch Transformers: Scaling to Trillion Parameter
    Models with Simple and Efficient Sparsity.

    Examples
    --------
    >>> from primer_ref.experts import expert_capacity
    >>> expert_capacity(1024, 8, factor=1.25)
    160
    """
    if not (n_tokens > 0 and n_experts > 0 and 0 < factor < math.inf):
        raise ValueError(
            "numbers of tokens and experts and the factor must be positive; "
            f"got {n_tokens}, {n_experts} and {factor}"
        )
    return math.ceil(Fraction(str(factor)) * n_tokens / n_experts)


def dispatch(choices: ArrayLike, *, n_experts: int, capacity: int) -> list[Ints]:
    """Give each expert the first tokens that chose it, as many as it has room for.

    Parameters
    ----------
    choices : array_like of int, shape (T,)
        The expert that each token is routed to.
    n_experts : int
        Number of experts, E.
    capacity : int
        Tokens that an expert takes at most.

    Returns
    -------
    list of ndarray of int64
        Of each expert, the places of its tokens, ascending. A token that is in no list is dropped.

    Raises
    ------
    ValueError
        If a choice is not one of the experts, or the capacity is negative.
    TypeError
        If choices are not integers.

    Notes
    -----
    Which tokens are dropped depends on the other tokens of the batch: a model with a capacity is
    not a function of the sequence alone.

    Examples
    --------
    >>> from primer_ref.experts import dispatch
    >>> dispatch([0, 1, 0, 0], n_experts=2, capacity=2)
    [array([0, 2]), array([1])]
    """
    choices = np.asarray(choices)
    check_nonnegative(capacity, "capacity")
    if choices.dtype.kind not in "iu":
        raise TypeError(f"choices must be integers; got entries of type {choices.dtype}")
    wrong = (choices < 0) | (choices >= n_experts)
    if np.any(wrong):
        raise ValueError(f"choices must be from 0 to {n_experts - 1}; got {choices[wrong][0]}")
    return [np.flatnonzero(choices == expert)[:capacity] for expert in range(n_experts)]


def expert_parallel(
    rows: Sequence[Floats],
    choices: Sequence[ArrayLike],
    gates: Sequence[ArrayLike],
    experts: Sequence[Part],
    *,
    capacity: int,
) -> Transfer:
    r"""Send tokens to their experts' devices, compute there, and send the results back.

    .. math:: y_t = g_t\, E_{e(t)}(x_t) \text{ if there was room for token } t, \text{ else } 0

    Parameters
    ----------
    rows : sequence of ndarray, shape (T_i, C)
        Of each device: its tokens.
    choices : sequence of array_like of int, shape (T_i,)
        Of each device: the expert that each token is routed to.
    gates : sequence of array_like, shape (T_i,)
        Of each device: the weight g of that expert's output.
    experts : sequence of callable
        Of each device: its expert, a function of rows, each by itself.
    capacity : int
        Tokens that a device sends to an expert at most.

    Returns
    -------
    Transfer
        Of each device, what its tokens get. With p devices each has sent
        :math:`2(p-1) \cdot \text{capacity}` rows, in two exchanges of all with all.

    Raises
    ------
    ValueError
        If there are not as many experts, choices and gates as devices, there is not one choice
        and one gate a token, or a choice is not one of the experts.

    Notes
    -----
    Implements :eq:`eq-expert-output`.

    Buffers are filled up with zeros, which are sent and computed on for nothing: a large capacity
    costs time, a small one drops tokens.

    References
    ----------
    D. Lepikhin et al. (2021), GShard: Scaling Giant Models with Conditional Computation and
    Automatic Sharding.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.experts import expert_parallel
    >>> rows = [np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]])]
    >>> experts = [lambda x: 10 * x, lambda x: -x]
    >>> done = expert_parallel(rows, [[0, 1], [0, 0]], [[1, 1], [1, 1]], experts, capacity=1)
    >>> print([y.ravel() for y in done.values], done.bytes_sent)
    [array([10., -2.]), array([30.,  0.])] (16, 16)
    """
    n = len(rows)
    if len(experts) != n:
        raise ValueError(f"there must be one expert a device; got {len(experts)} for {n}")
    if not len(choices) == len(gates) == n:
        raise ValueError(
            "there must be choices and gates of each device; "
            f"got {len(choices)} and {len(gates)} for {n}"
        )
    for x, chosen, gate in zip(rows, choices, gates, strict=True):
        if not np.shape(chosen) == np.shape(gate) == (len(x),):
            raise ValueError(
                "there must be one choice and one gate a token; "
                f"got shapes {np.shape(chosen)} and {np.shape(gate)} for {len(x)} tokens"
            )
    places = [dispatch(chosen, n_experts=n, capacity=capacity) for chosen in choices]
    buffers = [
        [_and_zeros(x)[_filled(place, capacity, len(x))] for place in own]
        for x, own in zip(rows, places, strict=True)
    ]
    there = all_to_all(buffers)
    computed = [
        [expert(buffer) for buffer in received]
        for expert, received in zip(experts, there.values, strict=True)
    ]
    back = all_to_all(computed)
    outputs = []
    for x, gate, own, returned in zip(rows, gates, places, back.values, strict=True):
        slots = np.full(len(x), n * capacity)  # a row of zeros, for who was dropped
        for expert, place in enumerate(own):
            slots[place] = expert * capacity + np.arange(len(place))
        y = _and_zeros(np.concatenate(returned))[slots]
        outputs.append(as_floats(gate)[:, None] * y)
    return Transfer(outputs, *add_costs([there, back]))


def _and_zeros(x: Floats) -> Floats:
    return np.concatenate([x, np.zeros((1, *x.shape[1:]), x.dtype)])


def _filled(place: Ints, capacity: int, zeros: int) -> Ints:
    """Fill places up with that of the row of zeros."""
    return np.concatenate([place, np.full(capacity - len(place), zeros)])


def load_balance_loss(probabilities: ArrayLike, choices: ArrayLike) -> Floats:
    r"""Penalize routing that sends many tokens where the router is also confident.

    .. math:: E \sum_{e=1}^{E} f_e P_e

    with f the share of tokens routed to expert e and P the mean of its probabilities.

    Parameters
    ----------
    probabilities : array_like, shape (T, E)
        The router's distribution over experts, for each token.
    choices : array_like of int, shape (T,)
        The expert that each token is routed to.

    Returns
    -------
    ndarray, shape ()
        1 where either the shares or the mean probabilities are all alike, E where all tokens go
        surely to one expert. It is differentiable by the probabilities; the shares are constants.

    Raises
    ------
    ValueError
        If there is not one choice a token, or a choice is not one of the experts.

    Notes
    -----
    Implements :eq:`eq-balance-loss`.

    Balance is not the minimum: where many tokens favor one expert a little and few tokens another
    one surely, the value is below 1. The gradient still moves probability away from the experts
    with more than their share of tokens.

    References
    ----------
    W. Fedus, B. Zoph and N. Shazeer (2022), Switch Transformers: Scaling to Trillion Parameter
    Models with Simple and Efficient Sparsity.

    Examples
    --------
    >>> from primer_ref.experts import load_balance_loss
    >>> print(f"{load_balance_loss([[0.9, 0.1], [0.8, 0.2]], [0, 0]):.2f}")
    1.70
    """
    probabilities = as_floats(probabilities)
    n_tokens, n_experts = probabilities.shape
    tokens = dispatch(choices, n_experts=n_experts, capacity=n_tokens)
    if np.shape(choices) != (n_tokens,):
        raise ValueError(
            f"there must be one choice a token; got shapes {np.shape(choices)} "
            f"and {probabilities.shape}"
        )
    shares = np.array([len(own) for own in tokens]) / n_tokens
    value: Floats = n_experts * np.sum(shares * np.mean(probabilities, axis=0))
    return value
