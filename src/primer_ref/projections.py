"""Random projections: how few dimensions keep all distances, and the matrix that does it.

Vectors are rows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = ["jl_dimension", "random_projection"]

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

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.projections import random_projection
    >>> points = np.eye(3, 5000)
    >>> image = random_projection(points, 1000, rng=np.random.default_rng(0))
    >>> print(np.sum(image**2, axis=1).round(2))  # each 1 ± 0.04
    [0.96 1.05 0.97]
    """
    x = as_floats(x)
    if not width >= 1:
        raise ValueError(f"width must be at least 1; got {width}")
    directions = rng.normal(size=(x.shape[-1], width)).astype(x.dtype)
    value: Floats = np.matmul(x, directions) / math.sqrt(width)
    return value
