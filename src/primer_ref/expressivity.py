r"""What depth can express, and what attention alone loses: linear pieces and rank collapse.

A network of rectified linear units is linear on each piece of its input space, so pieces measure
what it can express. Stacked attention with nothing between draws all tokens together, and faster at
every layer.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = [
    "arrangement_regions",
    "attention_contraction",
    "composite_norm",
    "count_linear_regions_1d",
    "montufar_lower_bound",
    "pieces_upper_bound",
    "rank_one_residual",
    "relu_network",
    "sawtooth",
    "token_diameter",
]

Floats = NDArray[np.floating[Any]]
Layers = Sequence[tuple[ArrayLike, ArrayLike]]


def _as_fractions(x: ArrayLike) -> NDArray[Any]:
    """Read an array of numbers as the rational numbers that they are."""
    x = np.asarray(x)
    x = x if x.dtype.kind in "Oiu" else as_floats(x)
    if not all(-math.inf < entry < math.inf for entry in x.flat):
        raise ValueError("weights must be finite")
    return np.array([Fraction(entry) for entry in x.ravel().tolist()], object).reshape(x.shape)


def _read_layers(
    layers: Layers, read_array: Callable[[ArrayLike], NDArray[Any]] = as_floats
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Read weights and biases, and see that each layer takes what the one before gives."""
    read = [(read_array(w), read_array(b)) for w, b in layers]
    if not read:
        raise ValueError("a network must have at least one layer; got none")
    for number, (w, b) in enumerate(read):
        before = read[number - 1][1] if number else None
        if w.ndim != 2 or b.shape != w.shape[1:] or (before is not None and len(before) != len(w)):
            raise ValueError(
                f"shapes must fit together; got {w.shape} and {b.shape} in layer {number}"
            )
    return read


def relu_network(x: ArrayLike, layers: Layers) -> Floats:
    r"""Evaluate a network, :math:`\max(xW_1 + b_1, 0)W_2 + b_2` and so on.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Inputs, one a row.
    layers : sequence of (array_like, array_like)
        Weights, shape (inputs, outputs), and biases, shape (outputs,). All but the last layer are
        rectified.

    Returns
    -------
    ndarray, shape (..., m)
        Outputs.

    Raises
    ------
    ValueError
        If there are no layers, or shapes do not fit together.

    Examples
    --------
    >>> from primer_ref.expressivity import relu_network
    >>> absolute = [([[1.0, -1.0]], [0.0, 0.0]), ([[1.0], [1.0]], [0.0])]
    >>> print(relu_network([[-2.0], [3.0]], absolute).ravel())
    [2. 3.]
    """
    read = _read_layers(layers)
    h = as_floats(x)
    for w, b in read[:-1]:
        h = np.maximum(h @ w + b, 0)
    w, b = read[-1]
    out: Floats = h @ w + b
    return out


def sawtooth(depth: int) -> list[tuple[Floats, Floats]]:
    r"""Build the tent map, composed with itself, as a network of two units a layer.

    The tent :math:`t(x) = 2\max(x, 0) - 4\max(x - \tfrac12, 0)` goes from 0 up to 1 and back over
    [0, 1]. Each composition folds the interval once more, so k of them have :math:`2^k` pieces.

    Parameters
    ----------
    depth : int
        Number of compositions, k, and of hidden layers.

    Returns
    -------
    list of (ndarray, ndarray)
        Weights and biases for `relu_network`.

    Raises
    ------
    ValueError
        If the depth is not positive.

    Notes
    -----
    Implements :eq:`eq-sawtooth`.

    One hidden layer has at most one piece more than it has units, so it needs :math:`2^k - 1` of
    them where depth needs 2k.

    References
    ----------
    M. Telgarsky (2016), Benefits of Depth in Neural Networks.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.expressivity import relu_network, sawtooth
    >>> x = np.linspace(0, 1, 5)[:, None]
    >>> print(relu_network(x, sawtooth(1)).ravel(), relu_network(x, sawtooth(2)).ravel())
    [0.  0.5 1.  0.5 0. ] [0. 1. 0. 1. 0.]
    """
    if depth < 1:
        raise ValueError(f"depth must be at least 1; got {depth}")
    tent, corners = np.array([[2.0], [-4.0]]), np.array([0.0, -0.5])
    first, between = (np.ones((1, 2)), corners), (tent @ np.ones((1, 2)), corners)
    return [first, *[between] * (depth - 1), (tent, np.zeros(1))]


def _clear_denominators(
    read: list[tuple[NDArray[Any], NDArray[Any]]],
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Scale each layer by a positive number, so that all its entries are integers."""
    scale, cleared = 1, []
    for w, b in read:
        factor = math.lcm(*(entry.denominator for part in (w, b) for entry in part.flat))
        scale *= factor  # of what comes in, and so of what a bias is added to
        whole = np.frompyfunc(int, 1, 1)
        cleared.append((whole(w * factor), whole(b * scale)))
    return cleared


def count_linear_regions_1d(
    layers: Layers, *, low: float | Fraction, high: float | Fraction
) -> int:
    r"""Count the pieces on which a network of one input is linear, on an interval.

    Parameters
    ----------
    layers : sequence of (array_like, array_like)
        Weights and biases, as in `relu_network`; the first layer takes one number. Besides floats,
        entries may be integers of any size and fractions.
    low, high : float or Fraction
        Ends of the interval.

    Returns
    -------
    int
        One more than the places inside where the slope of an output changes.

    Raises
    ------
    ValueError
        If the interval is empty or not finite, a weight is not finite, the network does not take
        one number, there are no layers, or shapes do not fit together.

    Notes
    -----
    Exact, layer by layer, in rational numbers: on each piece a unit is a line, and where it crosses
    zero the piece is cut. Floats are rational numbers, and the count is that of the network with
    just these. Where kinks shall meet at 1/5, the float 0.2 misses by some :math:`10^{-17}`, which
    can make a piece of that width: give ``Fraction(1, 5)``.

    Multiplying a layer by a positive number multiplies what comes out, so all denominators can be
    cleared beforehand, and slopes are compared as integers.

    Examples
    --------
    >>> from primer_ref.expressivity import count_linear_regions_1d, sawtooth
    >>> [count_linear_regions_1d(sawtooth(k), low=0, high=1) for k in range(1, 6)]
    [2, 4, 8, 16, 32]
    """
    read = _read_layers(layers, _as_fractions)
    if len(read[0][0]) != 1:
        raise ValueError(f"the network must take one number; got {len(read[0][0])} inputs")
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"the interval must be finite and not empty; got {low} to {high}")
    *hidden, (w, _) = _clear_denominators(read)
    edges = [Fraction(low), Fraction(high)]
    slope, level = np.array([[1]], object), np.array([[0]], object)  # of each unit on each piece

    def at_edges() -> tuple[NDArray[Any], NDArray[Any]]:
        """Values of every unit at both ends of each piece, times the end's denominator."""
        over = np.array([[edge.numerator] for edge in edges], object)
        under = np.array([[edge.denominator] for edge in edges], object)
        left, right = slice(None, -1), slice(1, None)
        return (
            slope * over[left] + level * under[left],
            slope * over[right] + level * under[right],
        )

    for weights, biases in hidden:
        slope, level = slope @ weights, level @ weights + biases  # (pieces, units)
        left, right = at_edges()
        cut = ((left < 0) & (right > 0)) | ((left > 0) & (right < 0))
        roots = {
            Fraction(-level[where], slope[where]) for where in zip(*np.nonzero(cut), strict=True)
        }
        finer = sorted({*edges, *roots})
        piece = [bisect_right(edges, edge) - 1 for edge in finer[:-1]]
        edges, slope, level = finer, slope[piece], level[piece]
        left, right = at_edges()
        on = (left > 0) | (right > 0)  # no unit changes its sign inside a piece any more
        slope, level = np.where(on, slope, 0), np.where(on, level, 0)
    return 1 + int(np.sum(np.any(np.diff(slope @ w, axis=0) != 0, axis=1)))


def pieces_upper_bound(widths: Sequence[int]) -> int:
    r"""Largest number of pieces of a network of one input, :math:`\prod_i (n_i + 1)`.

    Parameters
    ----------
    widths : sequence of int
        Widths of the hidden layers.

    Returns
    -------
    int
        No network of these widths with rectified units has more pieces on the line.

    Raises
    ------
    ValueError
        If a width is negative.

    Notes
    -----
    Implements :eq:`eq-pieces-bound`.

    On each piece of what comes in, a unit is linear before it is rectified, so that it adds at most
    one breakpoint there.

    References
    ----------
    M. Telgarsky (2016), Benefits of Depth in Neural Networks.

    Examples
    --------
    >>> from primer_ref.expressivity import pieces_upper_bound
    >>> pieces_upper_bound([2, 2, 2]), pieces_upper_bound([6])
    (27, 7)
    """
    if min(widths, default=0) < 0:
        raise ValueError(f"widths must not be negative; got {list(widths)}")
    return math.prod(width + 1 for width in widths)


def arrangement_regions(n_units: int, n_inputs: int) -> int:
    r"""Largest number of regions of one layer, :math:`\sum_{j=0}^{n_0} \binom{n}{j}`.

    Parameters
    ----------
    n_units : int
        Units, n: each cuts the space of inputs with a hyperplane.
    n_inputs : int
        Size of an input, n₀.

    Returns
    -------
    int
        Regions of n hyperplanes in general position.

    Raises
    ------
    ValueError
        If there are fewer than no units, or no inputs.

    Notes
    -----
    Implements :eq:`eq-arrangement-regions`.

    References
    ----------
    T. Zaslavsky (1975), Facing up to Arrangements: Face-Count Formulas for Partitions of Space by
    Hyperplanes.

    Examples
    --------
    >>> from primer_ref.expressivity import arrangement_regions
    >>> arrangement_regions(6, 2), arrangement_regions(12, 2)
    (22, 79)
    """
    if n_units < 0 or n_inputs < 1:
        raise ValueError(
            "there must be an input and no fewer than 0 units; "
            f"got {n_units} units and {n_inputs} inputs"
        )
    return sum(math.comb(n_units, j) for j in range(n_inputs + 1))


def montufar_lower_bound(widths: Sequence[int], n_inputs: int) -> int:
    r"""Regions that some network of these widths reaches.

    .. math:: \prod_{i=1}^{L-1} \left\lfloor \frac{n_i}{n_0} \right\rfloor^{n_0} \cdot
        \sum_{j=0}^{n_0} \binom{n_L}{j}

    Parameters
    ----------
    widths : sequence of int
        Widths of the hidden layers, none below the number of inputs and, of several, the last above
        it.
    n_inputs : int
        Size of an input, n₀.

    Returns
    -------
    int
        A lower bound of the largest number of regions.

    Raises
    ------
    ValueError
        If there are no layers or no inputs, a layer is narrower than the input, or of several
        layers the last is not wider than it.

    Notes
    -----
    Implements :eq:`eq-montufar`.

    Regions are those where the function is linear. A last layer after others that is only as wide
    as the input can fall short of the formula: widths 6 and 1 on a line make at most 11 pieces.

    References
    ----------
    G. Montúfar, R. Pascanu, K. Cho and Y. Bengio (2014), On the Number of Linear Regions of Deep
    Neural Networks, theorem 4.

    Examples
    --------
    >>> from primer_ref.expressivity import montufar_lower_bound
    >>> montufar_lower_bound([4, 4, 4], 2)  # with as many units, one layer has at most 79
    176
    """
    if n_inputs < 1 or min(widths, default=0) < n_inputs:
        raise ValueError(
            f"layers must be at least as wide as the input; got {list(widths)} and {n_inputs}"
        )
    if len(widths) > 1 and widths[-1] == n_inputs:
        raise ValueError(
            "of several layers the last must be wider than the input; "
            f"got {list(widths)} and {n_inputs}"
        )
    folds: int = math.prod((width // n_inputs) ** n_inputs for width in widths[:-1])
    return folds * arrangement_regions(widths[-1], n_inputs)


def rank_one_residual(x: ArrayLike) -> Floats:
    r"""Take from every token the mean of all, :math:`X - 1 \bar{x}^\T`.

    Parameters
    ----------
    x : array_like, shape (..., T, C)
        Tokens, one a row.

    Returns
    -------
    ndarray, shape (..., T, C)
        What is left; zero if all tokens are alike.

    Notes
    -----
    Implements :eq:`eq-rank-residual`.

    Of all matrices with equal rows, that of the mean is nearest in the Frobenius norm.

    References
    ----------
    Y. Dong, J.-B. Cordonnier and A. Loukas (2021), Attention Is Not All You Need: Pure Attention
    Loses Rank Doubly Exponentially with Depth.

    Examples
    --------
    >>> from primer_ref.expressivity import rank_one_residual
    >>> print(rank_one_residual([[1.0, 0.0], [3.0, 0.0]]))
    [[-1.  0.]
     [ 1.  0.]]
    """
    x = as_floats(x)
    value: Floats = x - np.mean(x, axis=-2, keepdims=True)
    return value


def composite_norm(x: ArrayLike) -> Floats:
    r"""Size of a matrix as Dong and others take it, :math:`\sqrt{\norm{X}_1 \norm{X}_\infty}`.

    It is the geometric mean of the largest column sum and the largest row sum of absolute values.

    Parameters
    ----------
    x : array_like, shape (..., T, C)
        Matrices.

    Returns
    -------
    ndarray, shape (...)
        Sizes. Not a norm, as it breaks the triangle inequality.

    Notes
    -----
    Implements :eq:`eq-composite-norm`.

    References
    ----------
    Y. Dong, J.-B. Cordonnier and A. Loukas (2021), Attention Is Not All You Need: Pure Attention
    Loses Rank Doubly Exponentially with Depth.

    Examples
    --------
    >>> from primer_ref.expressivity import composite_norm
    >>> float(composite_norm([[4.0, 0.0], [-5.0, 0.0]]).round(3))  # columns up to 9, rows up to 5
    6.708
    """
    size = np.abs(as_floats(x))
    columns = np.max(np.sum(size, axis=-2), axis=-1)
    rows = np.max(np.sum(size, axis=-1), axis=-1)
    value: Floats = np.sqrt(columns * rows)
    return value


def token_diameter(x: ArrayLike) -> Floats:
    r"""Largest distance between two tokens, :math:`\max_{i,j} \norm{x_i - x_j}`.

    Parameters
    ----------
    x : array_like, shape (..., T, C)
        Tokens, one a row.

    Returns
    -------
    ndarray, shape (...)
        Diameters; 0 if all tokens are alike.

    Notes
    -----
    Implements :eq:`eq-token-diameter`.

    Examples
    --------
    >>> from primer_ref.expressivity import token_diameter
    >>> float(token_diameter([[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]]))
    5.0
    """
    x = as_floats(x, axes=2)
    apart = np.linalg.norm(x[..., :, None, :] - x[..., None, :, :], axis=-1)  # (..., T, T)
    value: Floats = np.max(apart, axis=(-2, -1))
    return value


def attention_contraction(
    diameter: ArrayLike, w_q: ArrayLike, w_k: ArrayLike, w_v: ArrayLike
) -> Floats:
    r"""Bound the diameter of the tokens after one head of attention that stands alone.

    .. math:: \delta' \le \delta\, \norm{W_V}_2
        \tanh\!\left(\frac{\norm{W_Q W_K^\T}_2\, \delta^2}{4\sqrt{d_k}}\right)
        \le \frac{\norm{W_Q W_K^\T}_2 \norm{W_V}_2}{4\sqrt{d_k}}\, \delta^3

    Parameters
    ----------
    diameter : array_like, shape (...)
        Diameter of the tokens before, δ, as `token_diameter` gives it.
    w_q, w_k : array_like, shape (C, D)
        Query and key weights.
    w_v : array_like, shape (C, E)
        Value weights, with output weights multiplied in.

    Returns
    -------
    ndarray, shape (...)
        Bound of the diameter after the layer.

    Raises
    ------
    ValueError
        If a diameter is negative, or queries and keys differ in size.

    Notes
    -----
    Implements :eq:`eq-attention-contraction`.

    Assumes no mask, no residual connection and no feed-forward part. Two queries' scores differ,
    up to a constant, by at most :math:`\norm{W_Q W_K^\T} \delta^2 / \sqrt{d_k}` from key to key.
    Weights whose log-ratio varies by ε differ by at most :math:`\tanh(\varepsilon/4)` in total
    variation, and two means of one set of points lie apart by at most that times its diameter. The
    cube makes diameters below :math:`\kappa^{-1/2}`, κ being the constant, shrink as
    :math:`\kappa^{(3^L - 1)/2}\, \delta^{3^L}`: doubly exponentially in depth, as in the theorem of
    Dong and others, which is for another norm.

    References
    ----------
    Y. Dong, J.-B. Cordonnier and A. Loukas (2021), Attention Is Not All You Need: Pure Attention
    Loses Rank Doubly Exponentially with Depth.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.expressivity import attention_contraction
    >>> bound = 1.0
    >>> for _ in range(3):
    ...     bound = attention_contraction(bound, np.eye(4), np.eye(4), np.eye(4))
    ...     print(f"{bound:.1e}")
    1.2e-01
    2.4e-04
    1.7e-12
    """
    w_q, w_k, w_v = as_floats(w_q), as_floats(w_k), as_floats(w_v)
    if w_q.ndim != 2 or w_q.shape != w_k.shape:
        raise ValueError(
            f"queries and keys must have one size; got shapes {w_q.shape} and {w_k.shape}"
        )
    diameter = as_floats(diameter)
    bad = ~(diameter >= 0)
    if np.any(bad):
        raise ValueError(f"diameter must not be negative; got {diameter[bad][0]}")
    reach = np.linalg.norm(w_q @ w_k.T, 2) / math.sqrt(w_q.shape[1])
    value: Floats = diameter * np.linalg.norm(w_v, 2) * np.tanh(reach * diameter**2 / 4)
    return value
