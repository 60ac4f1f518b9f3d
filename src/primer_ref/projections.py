"""Random projections, and how many directions fit: what many dimensions make possible.

Vectors are rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = ["jl_dimension", "packing_cosine", "random_projection", "welch_bound"]

Floats = NDArray[np.floating[Any]]


def jl_dimension(n_points: int, eps: float) -> float:
    r"""Compute how many dimensions keep all squared distances between n points.

    The bound is :math:`4 \log n / (\varepsilon^2/2 - \varepsilon^3/3)`.

    Parameters
    ----------
    n_points : int
        Number n of points.
    eps : float
        Relative error ε of squared distances, in (0, 1).

    Returns
    -------
    float
        The bound of Johnson and Lindenstrauss: any whole k from here on will do, whatever the
        dimension the points come from.

    Raises
    ------
    ValueError
        If there are not at least two points, or ``eps`` is not between 0 and 1.

    Notes
    -----
    Implements :eq:`eq-jl-dimension`.

    With so many dimensions a pair fails with probability at most :math:`2/n^2`, so by the union
    bound all pairs are kept with probability at least 1/n. scikit-learn cuts the fraction off, so
    that its number lies just below the bound; round up instead.

    References
    ----------
    S. Dasgupta and A. Gupta (2003), An Elementary Proof of a Theorem of Johnson and Lindenstrauss.

    Examples
    --------
    >>> from primer_ref.projections import jl_dimension
    >>> print(f"{jl_dimension(10**6, 0.1):.2f}")
    11841.87
    """
    if not (n_points >= 2 and 0 < eps < 1):
        raise ValueError(
            f"there must be at least two points and an eps in (0, 1); got {n_points} and {eps}"
        )
    return 4 * math.log(n_points) / (eps**2 / 2 - eps**3 / 3)


def packing_cosine(n_vectors: int, width: int) -> float:
    r"""Find a cosine below which n directions in d dimensions can all keep.

    The bound is :math:`2\sqrt{\log n / d}`.

    Parameters
    ----------
    n_vectors : int
        Number n of directions.
    width : int
        Number d of dimensions.

    Returns
    -------
    float
        There are n vectors of signs whose cosines all lie below this in absolute value. A number of
        1 or more says nothing.

    Raises
    ------
    ValueError
        If there are not at least two vectors, or no dimension.

    Notes
    -----
    Implements :eq:`eq-packing`.

    The cosine of two random rows of signs reaches ε with probability at most
    :math:`2e^{-d\varepsilon^2/2}`; summed over all pairs this is below 1 at the bound, so some draw
    succeeds. `welch_bound` says how much smaller the largest cosine could be.

    Examples
    --------
    >>> from primer_ref.projections import packing_cosine
    >>> print(f"{packing_cosine(1000, 576):.3f}")
    0.219
    """
    _check_sizes(n_vectors, width)
    return 2 * math.sqrt(math.log(n_vectors) / width)


def welch_bound(n_vectors: int, width: int) -> float:
    r"""Bound the largest cosine that n directions in d dimensions must have.

    The bound is :math:`\sqrt{(n - d) / (d(n - 1))}`.

    Parameters
    ----------
    n_vectors : int
        Number n of directions.
    width : int
        Number d of dimensions.

    Returns
    -------
    float
        No n unit vectors have a smaller root mean square of the cosines of pairs, and so none a
        smaller largest cosine in absolute value; 0 where n directions can be orthogonal.

    Raises
    ------
    ValueError
        If there are not at least two vectors, or no dimension.

    Notes
    -----
    Implements :eq:`eq-welch`.

    References
    ----------
    L. R. Welch (1974), Lower Bounds on the Maximum Cross Correlation of Signals.

    Examples
    --------
    >>> from primer_ref.projections import welch_bound
    >>> print(f"{welch_bound(1000, 576):.3f}")
    0.027
    """
    _check_sizes(n_vectors, width)
    return math.sqrt(max(0, n_vectors - width) / (width * (n_vectors - 1)))


def _check_sizes(n_vectors: int, width: int) -> None:
    if not (n_vectors >= 2 and width >= 1):
        raise ValueError(
            f"there must be at least two vectors and one dimension; got {n_vectors} and {width}"
        )


def random_projection(x: ArrayLike, width: int, *, rng: np.random.Generator) -> Floats:
    r"""Project rows on k random directions, :math:`x R / \sqrt{k}` with normal entries in R.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Vectors.
    width : int
        The number k of dimensions to project to.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (..., k)
        Vectors whose squared length is that of ``x`` on average, with relative standard deviation
        :math:`\sqrt{2/k}`.

    Raises
    ------
    ValueError
        If the width is not at least 1.

    Notes
    -----
    Implements :eq:`eq-random-projection`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.projections import random_projection
    >>> points = np.eye(3, 5000)
    >>> image = random_projection(points, 1000, rng=np.random.default_rng(0))
    >>> print(np.sum(image**2, axis=1).round(2))  # each 1 ± 0.04
    [0.96 1.05 0.97]
    """
    x = as_floats(x, axes=1)
    if not width >= 1:
        raise ValueError(f"width must be at least 1; got {width}")
    directions = rng.normal(size=(x.shape[-1], width)).astype(x.dtype)
    value: Floats = np.matmul(x, directions) / math.sqrt(width)
    return value
