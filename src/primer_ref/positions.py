"""Rotary positions: frequencies, turns, both ways to pair coordinates, and the road between them.

The coordinates of a vector form pairs, and each pair is turned by an angle in proportion to the
position. Two pairings are in circulation: neighbors (2i, 2i + 1), called interleaved, and halves
(i, i + D/2). They are one construction seen through a permutation; weights made for one are wrong
with the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.autodiff_rules import reinterpret
from primer_ref.checks import check_positive
from primer_ref.functional import as_floats

__all__ = [
    "half_to_interleaved",
    "interleaved_to_half",
    "rotary",
    "rotary_frequencies",
    "rotary_half_split",
    "rotations",
    "turns_at",
]

Floats = NDArray[np.floating[Any]]
Complexes = NDArray[np.complexfloating[Any, Any]]


def rotary_frequencies(size: int, *, base: float = 10000.0) -> NDArray[np.float64]:
    r"""Angles by which the pairs of a vector turn from one position to the next.

    Pair i turns by :math:`\theta_i = b^{-2i/D}`.

    Parameters
    ----------
    size : int
        Head size D, even.
    base : float
        The base b: the slowest pair turns :math:`b^{1-2/D}` times more slowly than the fastest.

    Returns
    -------
    ndarray, shape (D / 2,)
        Radians a position, a geometric sequence that starts at 1.

    Raises
    ------
    ValueError
        If the head size is not a positive even number, or the base not positive.

    Notes
    -----
    Implements :eq:`eq-rotary-frequencies`.

    References
    ----------
    J. Su et al. (2021), RoFormer: Enhanced Transformer with Rotary Position Embedding.

    Examples
    --------
    >>> from primer_ref.positions import rotary_frequencies
    >>> print(rotary_frequencies(8, base=10000.0))
    [1.    0.1   0.01  0.001]
    """
    if size < 2 or size % 2:
        raise ValueError(f"size must be a positive even number, so that it has pairs; got {size}")
    check_positive(base, "base")
    return np.asarray(base ** (-np.arange(0, size, 2) / size))


def turns_at(positions: ArrayLike, frequencies: ArrayLike) -> NDArray[np.complex128]:
    r"""Find the unit complex numbers that turn the pairs of a vector, for any frequencies.

    Pair i of a vector at position t is turned by the angle :math:`t\,\theta_i`.

    Parameters
    ----------
    positions : array_like, shape (T,)
        Positions t; whole numbers in a language model.
    frequencies : array_like, shape (D / 2,)
        Radians a position, from `rotary_frequencies` or from a rule of
        `primer_ref.rope_scaling`.

    Returns
    -------
    ndarray of complex128, shape (T, D / 2)
        :math:`e^{\mathrm{i} t \theta_i}`.

    Notes
    -----
    Implements :eq:`eq-turns`.

    Angles are formed in float64 whatever the model computes in: at long positions float32 would
    spoil them, see `primer_ref.spectra.angle_error_bound`.

    Examples
    --------
    >>> from primer_ref.positions import turns_at
    >>> turns_at([0, 1], [1.0, 0.1]).round(3).tolist()
    [[(1+0j), (1+0j)], [(0.54+0.841j), (0.995+0.1j)]]
    """
    angles = np.multiply.outer(np.asarray(as_floats(positions), np.float64), as_floats(frequencies))
    return np.asarray(np.exp(1j * angles))  # (T, D / 2)


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
        The base b of the `rotary_frequencies`.

    Returns
    -------
    ndarray of complex128, shape (T, D / 2)
        :math:`e^{\mathrm{i} t b^{-2i/D}}`.

    Raises
    ------
    ValueError
        If the head size is not a positive even number, or the base not positive.

    Notes
    -----
    Implements :eq:`eq-turns`.

    For other frequencies use `turns_at`.

    Examples
    --------
    >>> from primer_ref.positions import rotations
    >>> rotations([0, 1], 4, base=100.0).round(3).tolist()
    [[(1+0j), (1+0j)], [(0.54+0.841j), (0.995+0.1j)]]
    """
    return turns_at(positions, rotary_frequencies(size, base=base))


def rotary(x: ArrayLike, turns: Complexes) -> Floats:
    r"""Rotary position embedding of interleaved pairs.

    The coordinates :math:`(x_{2i}, x_{2i+1})` are one complex number
    :math:`x_{2i} + \mathrm{i}\,x_{2i+1}`, and a rotation of the plane is one complex product.

    Parameters
    ----------
    x : array_like, shape (..., T, D)
        Queries or keys.
    turns : ndarray of complex numbers, shape (..., T, D / 2)
        The turn of each pair, see :func:`rotations`; leading axes are broadcast.

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
    Implements :eq:`eq-rotary`.

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
    x = as_floats(x)
    _check_turns(x, turns)
    pairs = reinterpret(x, np.complex64 if x.dtype == np.float32 else np.complex128)
    value: Floats = reinterpret(pairs * turns.astype(pairs.dtype, copy=False), x.dtype)
    return value


def _check_turns(x: Floats, turns: Complexes) -> None:
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ValueError(f"x must have rows of even length; got shape {x.shape}")
    ours, theirs = turns.shape[:-2], x.shape[:-2]
    fit = turns.shape[-2:] == (x.shape[-2], x.shape[-1] // 2)
    if not fit or (ours and np.broadcast_shapes(ours, theirs) != theirs):
        raise ValueError(
            "turns must have one row a position and one column a pair; "
            f"got shapes {turns.shape} and {x.shape}"
        )


def rotary_half_split(x: ArrayLike, turns: Complexes) -> Floats:
    r"""Rotary position embedding of half-split pairs.

    The coordinates :math:`(x_i, x_{i+D/2})` are turned together. Written without complex numbers,
    :math:`(a, b) \mapsto (a \cos\alpha - b \sin\alpha,\; a \sin\alpha + b \cos\alpha)`.

    Parameters
    ----------
    x : array_like, shape (..., T, D)
        Queries or keys.
    turns : ndarray of complex numbers, shape (..., T, D / 2)
        The turn of each pair, see `rotations`; leading axes are broadcast.

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
    Implements :eq:`eq-half-split`.

    Equal to `rotary` between the two permutations: turn ``half_to_interleaved(x)`` and bring the
    result back with `interleaved_to_half`.

    Examples
    --------
    >>> from primer_ref.positions import rotary_half_split, rotations
    >>> print(rotary_half_split([[1.0, 0.0, 0.0, 0.0]], rotations([1], 4)).round(3))
    [[0.54  0.    0.841 0.   ]]
    """
    x = as_floats(x)
    _check_turns(x, turns)
    half = x.shape[-1] // 2
    cos, sin = turns.real.astype(x.dtype), turns.imag.astype(x.dtype)
    first, second = x[..., :half], x[..., half:]
    return np.concatenate([first * cos - second * sin, first * sin + second * cos], axis=-1)


def _check_head_size(x: Floats, head_size: int) -> None:
    if head_size < 2 or head_size % 2 or x.ndim == 0 or x.shape[-1] % head_size:
        raise ValueError(
            "the last axis must hold whole heads of an even size; "
            f"got shape {x.shape} and head_size {head_size}"
        )


def interleaved_to_half(x: ArrayLike, *, head_size: int) -> Floats:
    r"""Reorder coordinates so that interleaved pairs become half-split pairs.

    Within each head, :math:`(x_0, x_1, x_2, x_3, \dots) \mapsto
    (x_0, x_2, \dots, x_1, x_3, \dots)`.

    Parameters
    ----------
    x : array_like, shape (..., H·D)
        Vectors, or weight matrices whose columns are the heads' coordinates; heads side by side.
    head_size : int
        Head size D, even.

    Returns
    -------
    ndarray, shape (..., H·D)
        The same numbers in the other order.

    Raises
    ------
    ValueError
        If the last axis does not hold whole heads of an even size.

    Notes
    -----
    Implements :eq:`eq-pairing`.

    Converts a model: with this done to the columns of its query and key weights and
    `rotary_half_split` in place of `rotary`, every score stays what it was, because queries and
    keys are permuted alike.

    Examples
    --------
    >>> from primer_ref.positions import interleaved_to_half
    >>> print(interleaved_to_half([0, 1, 2, 3, 10, 11, 12, 13], head_size=4))
    [ 0.  2.  1.  3. 10. 12. 11. 13.]
    """
    x = as_floats(x)
    _check_head_size(x, head_size)
    pairs = x.reshape(*x.shape[:-1], -1, head_size // 2, 2)  # (..., H, D / 2, 2)
    return np.swapaxes(pairs, -1, -2).reshape(x.shape)


def half_to_interleaved(x: ArrayLike, *, head_size: int) -> Floats:
    r"""Reorder coordinates so that half-split pairs become interleaved pairs.

    Within each head, :math:`(x_0, x_1, \dots, x_{D/2}, x_{D/2+1}, \dots) \mapsto
    (x_0, x_{D/2}, x_1, x_{D/2+1}, \dots)`: the inverse of `interleaved_to_half`.

    Parameters
    ----------
    x : array_like, shape (..., H·D)
        Vectors, or weight matrices whose columns are the heads' coordinates; heads side by side.
    head_size : int
        Head size D, even.

    Returns
    -------
    ndarray, shape (..., H·D)
        The same numbers in the other order.

    Raises
    ------
    ValueError
        If the last axis does not hold whole heads of an even size.

    Notes
    -----
    Implements :eq:`eq-pairing`.

    Examples
    --------
    >>> from primer_ref.positions import half_to_interleaved
    >>> print(half_to_interleaved([0, 1, 2, 3, 4, 5], head_size=6))
    [0. 3. 1. 4. 2. 5.]
    """
    x = as_floats(x)
    _check_head_size(x, head_size)
    halves = x.reshape(*x.shape[:-1], -1, 2, head_size // 2)  # (..., H, 2, D / 2)
    return np.swapaxes(halves, -1, -2).reshape(x.shape)
