r"""A training step on many simulated devices, equal to the step on one.

Data parallel cuts the batch, tensor parallel the matrices, sequence parallel the tokens. Each is an
identity of sums: what a device computes by itself are terms of a sum that one device would compute
whole, and a collective adds them. Results differ from those of one device by the order of additions
at most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.collectives import Transfer, add_costs, all_reduce, shift, split
from primer_ref.functional import as_floats, as_mask
from primer_ref.heads import multi_head_attention
from primer_ref.online_softmax import finish, merge, partial_attention

__all__ = [
    "data_parallel_gradient",
    "ring_attention",
    "tensor_parallel_attention",
    "tensor_parallel_mlp",
    "tensor_parallel_mlp_backward",
]

Floats = NDArray[np.floating[Any]]
Part = Callable[[Floats], Floats]


def data_parallel_gradient(gradients: Sequence[Floats], n_tokens: Sequence[int]) -> Transfer:
    r"""Average the gradients of parts of a batch over all its tokens, with one all-reduce.

    .. math:: g = \sum_i \frac{n_i}{n}\, g_i, \qquad n = \sum_i n_i.

    Parameters
    ----------
    gradients : sequence of ndarray, shape (...)
        Of each device: gradient of the mean loss over its own tokens.
    n_tokens : sequence of int
        Of each device: how many tokens that mean is over.

    Returns
    -------
    Transfer
        Every device holds the gradient of the mean loss over the whole batch.

    Raises
    ------
    ValueError
        If there is not one positive number of tokens a device, or gradients differ in shape.

    Notes
    -----
    Implements :eq:`eq-token-weighted`.

    The devices have to know n; it is a number more in an all-reduce before. Adding up gradients
    with equal weights is right only where all devices hold as many tokens.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.parallel import data_parallel_gradient
    >>> done = data_parallel_gradient([np.array([4.0]), np.array([0.0])], [30, 10])
    >>> print(done.values)
    [array([3.]), array([3.])]
    """
    if len(n_tokens) != len(gradients) or not all(count > 0 for count in n_tokens):
        raise ValueError(
            f"n_tokens must hold a positive number for each of {len(gradients)} devices; "
            f"got {list(n_tokens)}"
        )
    total = sum(n_tokens)
    return all_reduce([n / total * g for n, g in zip(n_tokens, gradients, strict=True)])


def tensor_parallel_mlp(
    x: ArrayLike, w_in: ArrayLike, w_out: ArrayLike, activation: Part, *, n_devices: int
) -> Transfer:
    r"""Cut the hidden layer over devices and add up what its parts contribute.

    .. math:: \varphi(X W_{\mathrm{in}}) W_{\mathrm{out}}
        = \sum_i \varphi(X W_{\mathrm{in}}^{(i)}) W_{\mathrm{out}}^{(i)}

    with columns of the first matrix and the same rows of the second on device i.

    Parameters
    ----------
    x : array_like, shape (..., C)
        Rows, which every device holds.
    w_in : array_like, shape (C, F)
        First matrix.
    w_out : array_like, shape (F, C)
        Second matrix.
    activation : callable
        The function φ of each hidden coordinate by itself.
    n_devices : int
        Number of devices.

    Returns
    -------
    Transfer
        Every device holds the output, shape (..., C), after one all-reduce.

    Raises
    ------
    ValueError
        If there is no device.

    Notes
    -----
    Implements :eq:`eq-tensor-mlp`.

    This order needs nothing between the matrices, because φ sees each column by itself. Rows first
    would need the sum before φ, and so two collectives.

    References
    ----------
    M. Shoeybi et al. (2019), Megatron-LM: Training Multi-Billion Parameter Language Models Using
    Model Parallelism.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.parallel import tensor_parallel_mlp
    >>> x, w_in, w_out = [[1.0, -1.0]], np.eye(2), [[2.0], [3.0]]
    >>> done = tensor_parallel_mlp(x, w_in, w_out, lambda h: np.maximum(h, 0), n_devices=2)
    >>> print(done.values)
    [array([[2.]]), array([[2.]])]
    """
    x = as_floats(x)
    columns = split(as_floats(w_in), n_devices, axis=1)
    rows = split(as_floats(w_out), n_devices, axis=0)
    return all_reduce([activation(x @ a) @ b for a, b in zip(columns, rows, strict=True)])


def tensor_parallel_mlp_backward(
    x: ArrayLike,
    w_in: ArrayLike,
    w_out: ArrayLike,
    d_out: ArrayLike,
    *,
    activation: Part,
    slope: Part,
    n_devices: int,
) -> tuple[Transfer, list[Floats], list[Floats]]:
    r"""Differentiate `tensor_parallel_mlp`: gradients of the parts stay where the parts are.

    With :math:`H_i = X W_{\mathrm{in}}^{(i)}` and
    :math:`\mathrm{d}H_i = \mathrm{d}Y\, W_{\mathrm{out}}^{(i)\T} \odot \varphi'(H_i)`:

    .. math::
        \mathrm{d}W_{\mathrm{out}}^{(i)} = \varphi(H_i)^\T \mathrm{d}Y, \qquad
        \mathrm{d}W_{\mathrm{in}}^{(i)} = X^\T \mathrm{d}H_i, \qquad
        \mathrm{d}X = \sum_i \mathrm{d}H_i W_{\mathrm{in}}^{(i)\T}.

    Parameters
    ----------
    x : array_like, shape (T, C)
        Rows.
    w_in : array_like, shape (C, F)
        First matrix.
    w_out : array_like, shape (F, C)
        Second matrix.
    d_out : array_like, shape (T, C)
        Gradient of a loss at the output, which every device holds.
    activation : callable
        The function φ.
    slope : callable
        Its derivative φ'.
    n_devices : int
        Number of devices.

    Returns
    -------
    tuple
        Gradient at the rows, on every device after one all-reduce; of each device, the gradients
        at its columns of the first matrix and at its rows of the second.

    Raises
    ------
    ValueError
        If there is no device.

    Notes
    -----
    Implements :eq:`eq-tensor-mlp-backward`.

    Forward, every device is given the rows and the outputs are added; backward, every device is
    given the gradient of the outputs and the gradients of the rows are added. Copying and adding
    are each other's transpose.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.parallel import tensor_parallel_mlp_backward
    >>> x, w_in, w_out, d_out = [[1.0, -1.0]], np.eye(2), [[2.0], [3.0]], [[1.0]]
    >>> dx, _, _ = tensor_parallel_mlp_backward(
    ...     x, w_in, w_out, d_out, activation=np.square, slope=lambda h: 2 * h, n_devices=2
    ... )
    >>> print(dx.values[0])
    [[ 4. -6.]]
    """
    x, d_out = as_floats(x), as_floats(d_out)
    d_x: list[Floats] = []
    d_columns: list[Floats] = []
    d_rows: list[Floats] = []
    columns = split(as_floats(w_in), n_devices, axis=1)
    rows = split(as_floats(w_out), n_devices, axis=0)
    for a, b in zip(columns, rows, strict=True):
        h = x @ a
        d_h = d_out @ b.T * slope(h)
        d_rows.append(activation(h).T @ d_out)
        d_columns.append(x.T @ d_h)
        d_x.append(d_h @ a.T)
    return all_reduce(d_x), d_columns, d_rows


def tensor_parallel_attention(
    x: ArrayLike,
    w_q: ArrayLike,
    w_k: ArrayLike,
    w_v: ArrayLike,
    w_o: ArrayLike,
    *,
    n_heads: int,
    n_devices: int,
    mask: ArrayLike | None = None,
) -> Transfer:
    r"""Give each device some of the heads and add up what they contribute.

    Parameters
    ----------
    x : array_like, shape (..., T, C)
        Token vectors, which every device holds.
    w_q, w_k, w_v : array_like, shape (C, H·D)
        Weights of queries, keys and values, heads side by side; cut by columns.
    w_o : array_like, shape (H·D, C)
        Output weights, heads on top of one another; cut by rows.
    n_heads : int
        Number of heads, H.
    n_devices : int
        Number of devices; it divides H.
    mask : array_like, shape (..., T, T), optional
        Added to every head's scores: 0 shows, −∞ hides.

    Returns
    -------
    Transfer
        Every device holds the layer's output, shape (..., T, C), after one all-reduce.

    Raises
    ------
    ValueError
        If the number of heads is not a multiple of the number of devices.
    TypeError
        If the mask holds truth values.

    Notes
    -----
    Implements :eq:`eq-tensor-attention`.

    The layer is a sum over heads already, and a device computes its own terms whole.

    References
    ----------
    M. Shoeybi et al. (2019), Megatron-LM: Training Multi-Billion Parameter Language Models Using
    Model Parallelism.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.parallel import tensor_parallel_attention
    >>> x, eye = np.array([[1.0, 2.0]]), np.eye(2)
    >>> done = tensor_parallel_attention(x, eye, eye, eye, eye, n_heads=2, n_devices=2)
    >>> print(done.values)
    [array([[1., 2.]]), array([[1., 2.]])]
    """
    if n_devices < 1 or n_heads % n_devices:
        raise ValueError(f"n_heads must be a multiple of n_devices; got {n_heads} and {n_devices}")
    columns = [split(as_floats(w), n_devices, axis=1) for w in (w_q, w_k, w_v)]
    rows = split(as_floats(w_o), n_devices, axis=0)
    own = n_heads // n_devices
    return all_reduce(
        [
            multi_head_attention(x, q, k, v, o, n_heads=own, mask=mask)
            for q, k, v, o in zip(*columns, rows, strict=True)
        ]
    )


def ring_attention(
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    *,
    n_devices: int,
    mask: ArrayLike | None = None,
) -> Transfer:
    r"""Cut the tokens over devices, and let keys and values go around the ring.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries; each device has some of the rows and keeps them.
    k : array_like, shape (..., S, D)
        Keys.
    v : array_like, shape (..., S, E)
        Values.
    n_devices : int
        Number of devices, p.
    mask : array_like, shape (T, S), optional
        Added to the scores: 0 shows, −∞ hides.

    Returns
    -------
    Transfer
        The output of each device's own rows. Each device has passed on :math:`(p-1)/p` of all keys
        and values, where p parts are equal, in p − 1 rounds for each.

    Raises
    ------
    ValueError
        If there are not at least as many queries and keys as devices, queries and keys differ in
        size, or a score is NaN or +∞.
    TypeError
        If the mask holds truth values.

    Notes
    -----
    Implements :eq:`eq-ring-attention`.

    What a device finds among the keys of one block is merged into what it found before, as
    `primer_ref.flash_attention.flash_attention` does with the blocks of one device; no device ever
    holds more than one block besides its own. Under a causal mask most blocks are of no use to the
    first devices and of use to the last: cut in order, the work is uneven.

    References
    ----------
    H. Liu, M. Zaharia and P. Abbeel (2023), Ring Attention with Blockwise Transformers for
    Near-Infinite Context.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.parallel import ring_attention
    >>> x = np.eye(2)
    >>> done = ring_attention(10 * x, 10 * x, x, n_devices=2)
    >>> print(done.values[1].round(4), done.bytes_sent)
    [[0. 1.]] (32, 32)
    """
    q, k, v = (as_floats(x, axes=2) for x in (q, k, v))
    if not 1 <= n_devices <= min(q.shape[-2], k.shape[-2]):
        raise ValueError(
            "n_devices must be at least 1 and at most the number of queries and of keys; "
            f"got {n_devices} for {q.shape[-2]} and {k.shape[-2]}"
        )
    mask = np.zeros((q.shape[-2], k.shape[-2])) if mask is None else as_mask(mask)
    masks = [split(rows, n_devices, axis=1) for rows in split(mask, n_devices)]
    queries, keys, values = (split(x, n_devices, axis=-2) for x in (q, k, v))
    found = [
        partial_attention(*own, masks[device][device])
        for device, own in enumerate(zip(queries, keys, values, strict=True))
    ]
    costs = [Transfer([], (0,) * n_devices, 0)]
    for turn in range(1, n_devices):
        moved_keys, moved_values = shift(keys), shift(values)
        keys, values = moved_keys.values, moved_values.values
        costs += [moved_keys, moved_values]
        for device, query in enumerate(queries):
            shown = masks[device][(device - turn) % n_devices]
            block = partial_attention(query, keys[device], values[device], shown)
            found[device] = merge(found[device], block)
    return Transfer([finish(part)[0] for part in found], *add_costs(costs))
