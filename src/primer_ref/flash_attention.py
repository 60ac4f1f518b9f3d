"""Attention in tiles, forward and backward, without the T × S matrix; and what that saves to move.

Keys are read block by block, and what the queries find in each is merged into what they found
before. No matrix of all scores ever exists; the gradient computes each tile of it again. In NumPy
this saves memory; where a small fast memory stands before a large slow one, as on a GPU, it saves
the time to move the matrix between them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.attention import masked_scores
from primer_ref.autodiff import unbroadcast
from primer_ref.functional import as_floats
from primer_ref.online_softmax import finish, merge, nothing_seen, partial_attention

__all__ = [
    "causal",
    "flash_attention",
    "flash_attention_backward",
    "hbm_traffic_bound",
    "hbm_traffic_dense",
    "hbm_traffic_flash",
    "tile_rows",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Rule = Callable[[Ints, Ints], NDArray[np.bool_]]


def _check_tiles(block_q: int, block_k: int) -> None:
    if block_q < 1 or block_k < 1:
        raise ValueError(f"blocks must have at least one row; got {block_q} and {block_k}")


def causal(query: Ints, key: Ints) -> NDArray[np.bool_]:
    """Let a query look at its own key and at earlier ones: a rule for `flash_attention`.

    Parameters
    ----------
    query : ndarray of int64, shape (T, 1)
        Positions of queries.
    key : ndarray of int64, shape (S,)
        Positions of keys.

    Returns
    -------
    ndarray of bool, shape (T, S)
        Where the query may look.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.flash_attention import causal
    >>> causal(np.array([[0], [1]]), np.array([0, 1])).tolist()
    [[True, False], [True, True]]
    """
    return key <= query


def _slices(n: int, block: int) -> Iterator[slice]:
    for start in range(0, n, block):
        yield slice(start, min(start + block, n))


def _key_tiles(
    rows: slice, block_k: int, sizes: tuple[int, int], rule: Rule | None
) -> Iterator[tuple[slice, Floats | None]]:
    """Blocks of keys that some query of the rows may look at, each with its mask."""
    n_queries, n_keys = sizes
    # Queries are the last of the tokens, as in a causal mask.
    query = np.arange(rows.start, rows.stop)[:, None] + n_keys - n_queries
    for columns in _slices(n_keys, block_k):
        if rule is None:
            yield columns, None
            continue
        shown = rule(query, np.arange(columns.start, columns.stop))
        if np.any(shown):
            yield columns, np.where(shown, 0.0, -np.inf)


def flash_attention(
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    *,
    block_q: int,
    block_k: int,
    rule: Rule | None = None,
) -> tuple[Floats, Floats]:
    r"""Attention tile by tile: exact, in memory that grows with T and not with T·S.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries: of the last T of the S tokens, where the rule asks for positions.
    k : array_like, shape (..., S, D)
        Keys.
    v : array_like, shape (..., S, E)
        Values.
    block_q : int
        Queries a tile.
    block_k : int
        Keys a tile.
    rule : callable, optional
        Takes positions of queries, shape (t, 1), and of keys, shape (s,), to where a query may
        look, such as `causal`. Everywhere, if not given. Tiles it hides altogether are skipped.

    Returns
    -------
    tuple of ndarray, shapes (..., T, E) and (..., T)
        The output of `primer_ref.attention.scaled_dot_product_attention`, and the log-sum-exp of
        each query's scores, which the backward pass needs. 0 and −∞ for a query that may look at
        nothing.

    Raises
    ------
    ValueError
        If queries and keys differ in size, a block has no row, or a score is NaN or +∞.

    Notes
    -----
    Implements :eq:`eq-tiled-attention`.

    For each block of queries, the keys pass by once: the order of loops of FlashAttention-2. The
    first version had them the other way round, and so had to load and store unfinished outputs.

    References
    ----------
    T. Dao, D. Y. Fu, S. Ermon, A. Rudra and C. Ré (2022), FlashAttention: Fast and Memory-Efficient
    Exact Attention with IO-Awareness. T. Dao (2023), FlashAttention-2: Faster Attention with Better
    Parallelism and Work Partitioning.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.attention import causal_mask, scaled_dot_product_attention
    >>> from primer_ref.flash_attention import causal, flash_attention
    >>> q, k, v = np.random.default_rng(0).normal(size=(3, 100, 8))
    >>> output, _ = flash_attention(q, k, v, block_q=32, block_k=16, rule=causal)
    >>> dense = scaled_dot_product_attention(q, k, v, causal_mask(100))
    >>> bool(np.max(np.abs(output - dense)) < 1e-14)
    True
    """
    q, k, v = (as_floats(x, axes=2) for x in (q, k, v))
    _check_tiles(block_q, block_k)
    sizes = q.shape[-2], k.shape[-2]
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    finished = []
    for rows in [*_slices(sizes[0], block_q)] or [slice(0, 0)]:  # without queries, an empty output
        found = nothing_seen((*lead, rows.stop - rows.start), v.shape[-1], dtype=q.dtype)
        for columns, mask in _key_tiles(rows, block_k, sizes, rule):
            tile = q[..., rows, :], k[..., columns, :], v[..., columns, :]
            found = merge(found, partial_attention(*tile, mask))
        finished.append(finish(found))
    outputs, log_sums = zip(*finished, strict=True)
    return np.concatenate(outputs, axis=-2), np.concatenate(log_sums, axis=-1)


def flash_attention_backward(
    q: ArrayLike,
    k: ArrayLike,
    v: ArrayLike,
    d_out: ArrayLike,
    forward: tuple[Floats, Floats],
    *,
    block_q: int,
    block_k: int,
    rule: Rule | None = None,
) -> tuple[Floats, Floats, Floats]:
    r"""Gradients at queries, keys and values, each tile of weights computed again.

    With the log-sum-exp L of a query known, its weights are :math:`e^{s_j - L}` at once, tile by
    tile. And the mean that softmax's gradient subtracts needs no row of weights:
    :math:`\sum_j p_j\,\mathrm{d}p_j = \mathrm{d}o \cdot o`.

    Parameters
    ----------
    q : array_like, shape (..., T, D)
        Queries.
    k : array_like, shape (..., S, D)
        Keys.
    v : array_like, shape (..., S, E)
        Values.
    d_out : array_like, shape (..., T, E)
        Gradient of a loss with respect to the output.
    forward : tuple of ndarray, shapes (..., T, E) and (..., T)
        What `flash_attention` returned: output and log-sum-exp.
    block_q : int
        Queries a tile.
    block_k : int
        Keys a tile.
    rule : callable, optional
        The rule of the forward pass.

    Returns
    -------
    tuple of ndarray
        Gradients with the shapes of ``q``, ``k`` and ``v``: those of
        `primer_ref.attention.attention_backward`. Keys and values that several heads share get the
        sum over these.

    Raises
    ------
    ValueError
        If queries and keys differ in size, or a block has no row.

    Notes
    -----
    Implements :eq:`eq-tiled-backward`.

    Five matrix products a tile, against four where the weights are kept: more operations, in less
    time where moving the weights would have taken longer than computing them.

    References
    ----------
    T. Dao, D. Y. Fu, S. Ermon, A. Rudra and C. Ré (2022), FlashAttention: Fast and Memory-Efficient
    Exact Attention with IO-Awareness.

    Examples
    --------
    >>> from primer_ref.flash_attention import flash_attention, flash_attention_backward
    >>> q, k, v, d_out = [[1.0]], [[1.0], [-1.0]], [[1.0], [0.0]], [[1.0]]
    >>> forward = flash_attention(q, k, v, block_q=1, block_k=1)
    >>> dq, dk, dv = flash_attention_backward(q, k, v, d_out, forward, block_q=1, block_k=1)
    >>> print(f"{dq[0, 0]:.4f}", dk.ravel().round(4), dv.ravel().round(4))
    0.2100 [ 0.105 -0.105] [0.8808 0.1192]
    """
    q, k, v, d_out = (as_floats(x, axes=2) for x in (q, k, v, d_out))
    _check_tiles(block_q, block_k)
    output, log_sums = forward
    # A query that may look at nothing has weights e^(−∞), whatever is subtracted.
    shift = np.where(log_sums == -np.inf, 0, log_sums)[..., None]  # (..., T, 1)
    mean = np.sum(d_out * output, axis=-1, keepdims=True)  # (..., T, 1)
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    dq, dk, dv = (np.zeros((*lead, *x.shape[-2:]), x.dtype) for x in (q, k, v))
    sizes = q.shape[-2], k.shape[-2]
    for rows in _slices(sizes[0], block_q):
        q_rows, d_rows = q[..., rows, :], d_out[..., rows, :]
        for columns, mask in _key_tiles(rows, block_k, sizes, rule):
            k_columns, v_columns = k[..., columns, :], v[..., columns, :]
            p = np.exp(masked_scores(q_rows, k_columns, mask) - shift[..., rows, :])
            dp = d_rows @ np.swapaxes(v_columns, -1, -2)
            dz = p * (dp - mean[..., rows, :]) / math.sqrt(q.shape[-1])
            dv[..., columns, :] += np.swapaxes(p, -1, -2) @ d_rows
            dk[..., columns, :] += np.swapaxes(dz, -1, -2) @ q_rows
            dq[..., rows, :] += dz @ k_columns
    return unbroadcast(dq, q.shape), unbroadcast(dk, k.shape), unbroadcast(dv, v.shape)


# --- What moves between the two memories -----------------------------------------------------


def hbm_traffic_dense(n_tokens: int, size: int) -> int:
    r"""Count the numbers that attention moves when the weights are stored, :math:`4N^2 + 4Nd`.

    Parameters
    ----------
    n_tokens : int
        Number of queries and of keys, N.
    size : int
        Size of queries, keys and values, d.

    Returns
    -------
    int
        Numbers read from or written to the large memory; times 2 for bytes in half precision.

    Notes
    -----
    Implements :eq:`eq-traffic-dense`.

    Three steps, each from memory to memory: scores (read Q and K, write N²), softmax (read N²,
    write N²), output (read N² and V, write O). Each factor of a product is counted once, as if the
    fast memory were large; a small one must read it several times.

    References
    ----------
    T. Dao, D. Y. Fu, S. Ermon, A. Rudra and C. Ré (2022), FlashAttention: Fast and Memory-Efficient
    Exact Attention with IO-Awareness, algorithm 0.

    Examples
    --------
    >>> from primer_ref.flash_attention import hbm_traffic_dense
    >>> hbm_traffic_dense(1024, 64)
    4456448
    """
    return 4 * n_tokens**2 + 4 * n_tokens * size


def tile_rows(size: int, memory: int) -> int:
    r"""Find how many queries fit into the fast memory at a time, :math:`\lfloor M/(5d + 2)\rfloor`.

    Parameters
    ----------
    size : int
        Size of queries, keys and values, d.
    memory : int
        Numbers that the fast memory holds, M.

    Returns
    -------
    int
        Rows B of a block of queries. At most min(B, d) keys go with them: Q and o take 2Bd numbers,
        K and V at most 2Bd, the scores at most Bd, m and ℓ 2B.

    Raises
    ------
    ValueError
        If the memory does not hold one query.

    Notes
    -----
    Implements :eq:`eq-tile-rows`.

    Examples
    --------
    >>> from primer_ref.flash_attention import tile_rows
    >>> tile_rows(64, 100_000)
    310
    """
    if memory < 5 * size + 2:
        raise ValueError(f"memory must hold a query's {5 * size + 2} numbers; got {memory}")
    return memory // (5 * size + 2)


def hbm_traffic_flash(n_tokens: int, size: int, memory: int) -> int:
    r"""Count the numbers that tiled attention moves, :math:`2Nd\lceil N/B\rceil + 2Nd + N`.

    Parameters
    ----------
    n_tokens : int
        Number of queries and of keys, N.
    size : int
        Size of queries, keys and values, d.
    memory : int
        Numbers that the fast memory holds, M; B is `tile_rows` of it.

    Returns
    -------
    int
        Numbers read from or written to the large memory: K and V once for each block of queries; Q
        read, output and log-sum-exp written, once each.

    Raises
    ------
    ValueError
        If the memory does not hold one query.

    Notes
    -----
    Implements :eq:`eq-traffic-tiled`.

    With B of the order of M/d this is :math:`\Theta(N^2d^2/M)` for 5d + 2 ≤ M ≤ Nd, of lower order
    than the dense :math:`4N^2 + 4Nd` if d² is far below M. How long the blocks of keys are does not
    matter.

    References
    ----------
    T. Dao, D. Y. Fu, S. Ermon, A. Rudra and C. Ré (2022), FlashAttention: Fast and Memory-Efficient
    Exact Attention with IO-Awareness, theorem 2.

    Examples
    --------
    >>> from primer_ref.flash_attention import hbm_traffic_flash
    >>> hbm_traffic_flash(1024, 64, 100_000)
    656384
    """
    passes = -(-n_tokens // tile_rows(size, memory))
    return 2 * n_tokens * size * passes + 2 * n_tokens * size + n_tokens


def hbm_traffic_bound(n_tokens: int, size: int, memory: int) -> float:
    r"""Bound from below what exact attention moves, :math:`\max(4Nd,\, N^2d^2/(4M) - M)`.

    Parameters
    ----------
    n_tokens : int
        Number of queries and of keys, N.
    size : int
        Size of queries, keys and values, d.
    memory : int
        Numbers that the fast memory holds, M, at least d².

    Returns
    -------
    float
        Numbers that must be read from or written to the large memory, for all algorithms that start
        with an empty fast memory and add up each score from its d products.

    Raises
    ------
    ValueError
        If the fast memory is smaller than d², where the argument fails and tiles are not optimal.

    Notes
    -----
    Implements :eq:`eq-traffic-bound`.

    References
    ----------
    B. Saha and C. Ye (2024), I/O Complexity of Attention, or How Optimal is FlashAttention?, who
    prove a bound of this order without the restriction to such algorithms.

    Examples
    --------
    >>> from primer_ref.flash_attention import hbm_traffic_bound, hbm_traffic_flash
    >>> n, size, memory = 2**20, 64, 2**15
    >>> f"{hbm_traffic_flash(n, size, memory) / hbm_traffic_bound(n, size, memory):.1f}"
    '40.6'
    """
    if memory < size**2:
        raise ValueError(f"memory must hold d² = {size**2} numbers; got {memory}")
    return max(4 * n_tokens * size, (n_tokens * size) ** 2 / (4 * memory) - memory)
