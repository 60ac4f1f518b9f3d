"""Positions: rotary embedding of queries and keys."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["rotary", "rotations"]

Floats = NDArray[np.floating[Any]]
Complexes = NDArray[np.complexfloating[Any, Any]]


def rotations(positions: ArrayLike, size: int, *, base: float = 10000.0) -> NDArray[np.complex128]:
    r"""Find the unit complex numbers that turn the pairs of a vector by its position.

    Pair i of a vector at position t is turned by the angle :math:`t\,b^{-2i/D}`.

    Parameters
    ----------
    positions : array_like, shape (T,)
        Positions; whole numbers in a language model.
    size : int
        Head size D, even.
    base : float
        The base b: the slowest pair turns about b times more slowly than the fastest.

    Returns
    -------
    ndarray of complex128, shape (T, D / 2)
        :math:`e^{\mathrm{i} t b^{-2i/D}}`.

    Raises
    ------
    ValueError
        If the head size is not a positive even number, or the base not positive.

    Examples
    --------
    >>> from primer_ref.positions import rotations
    >>> rotations([0, 1], 4, base=100.0).round(3).tolist()
    [[(1+0j), (1+0j)], [(0.54+0.841j), (0.995+0.1j)]]
    """
    if size < 2 or size % 2:
        raise ValueError(f"size must be a positive even number, so that it has pairs; got {size}")
    if not base > 0:
        raise ValueError(f"base must be positive; got {base}")
    frequencies = base ** (-np.arange(0, size, 2) / size)
    angles = np.multiply.outer(np.asarray(positions, dtype=np.float64), frequencies)
    return np.exp(1j * angles)  # (T, D / 2)


def rotary(x: ArrayLike, turns: Complexes) -> Floats:
    r"""Rotary position embedding of interleaved pairs.

    The coordinates :math:`(x_{2i}, x_{2i+1})` are one complex number
    :math:`x_{2i} + \mathrm{i}\,x_{2i+1}`, and a rotation of the plane is one complex product.

    Parameters
    ----------
    x : array_like, shape (..., T, D)
        Queries or keys.
    turns : ndarray of complex numbers, shape (T, D / 2)
        The turn of each pair, see :func:`rotations`.

    Returns
    -------
    ndarray, shape (..., T, D)
        The turned vectors, of the same norms; float32 where ``x`` is float32, else float64.

    Raises
    ------
    ValueError
        If the head size is odd or the turns do not fit.

    Notes
    -----
    The scalar product of a query at t and a key at s, both turned, depends on t and s only
    through t − s. Other models pair coordinate i with coordinate i + D/2 instead; weights made for
    one pairing are wrong with the other.

    References
    ----------
    J. Su et al. (2021), RoFormer: Enhanced Transformer with Rotary Position Embedding.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.positions import rotary, rotations
    >>> q, k = np.array([[1.0, 2.0]]), np.array([[3.0, -1.0]])
    >>> near = rotary(q, rotations([2], 2)) @ rotary(k, rotations([0], 2)).T
    >>> far = rotary(q, rotations([9], 2)) @ rotary(k, rotations([7], 2)).T
    >>> print(near.round(6), far.round(6))
    [[-6.781229]] [[-6.781229]]
    """
    x = np.asarray(x)
    x = np.ascontiguousarray(x, np.float32 if x.dtype == np.float32 else np.float64)
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ValueError(f"x must have rows of even length; got shape {x.shape}")
    if turns.shape != (x.shape[-2], x.shape[-1] // 2):
        raise ValueError(
            f"turns must have one row a position and one column a pair; "
            f"got shapes {turns.shape} and {x.shape}"
        )
    pairs = x.view(np.complex64 if x.dtype == np.float32 else np.complex128)
    return (pairs * turns.astype(pairs.dtype, copy=False)).view(x.dtype)
