r"""The neural tangent kernel: training to first order, for a network of two layers.

The network is :math:`f(x) = \sqrt{2/m} \sum_{j=1}^m a_j \max(w_j \cdot x, 0)` with independent
standard normal weights. To first order in a change of its weights it is a linear model, whose
kernel is the product of gradients. As the width m grows the kernel tends to a fixed one, and the
change that fits the data becomes too small for the second order to matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = [
    "TwoLayerWeights",
    "arc_cosine_kernel_0",
    "arc_cosine_kernel_1",
    "draw_two_layer",
    "empirical_tangent_kernel",
    "linearized_two_layer",
    "tangent_features",
    "tangent_kernel",
    "two_layer",
]

Floats = NDArray[np.floating[Any]]


def _norms_and_angles(x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
    """Products of the norms of all pairs of rows, and the angles between them."""
    x, y = as_floats(x), as_floats(y)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        raise ValueError(f"rows must have one size; got shapes {x.shape} and {y.shape}")
    norms = np.linalg.norm(x, axis=1)[:, None] * np.linalg.norm(y, axis=1)
    if not np.all(norms > 0):
        raise ValueError("rows must not be zero: zero has no angle to others")
    # Rounding may take the cosine of parallel rows beyond 1.
    return norms, np.arccos(np.clip(x @ y.T / norms, -1, 1))


def arc_cosine_kernel_0(x: ArrayLike, y: ArrayLike) -> Floats:
    r"""Twice the chance that a random unit is on for both, :math:`(\pi - \theta)/\pi`.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Inputs, one a row.
    y : array_like, shape (k, p)
        Inputs.

    Returns
    -------
    ndarray, shape (n, k)
        :math:`2 \E_w\, \indicator[w \cdot x > 0]\, \indicator[w \cdot y > 0]` for standard normal
        w, θ being the angle between x and y.

    Raises
    ------
    ValueError
        If rows differ in size, or one is zero or not a number.

    Notes
    -----
    Implements :eq:`eq-arc-cosine-0`.

    References
    ----------
    Y. Cho and L. K. Saul (2009), Kernel Methods for Deep Learning.

    Examples
    --------
    >>> from primer_ref.tangent_kernel import arc_cosine_kernel_0
    >>> print(arc_cosine_kernel_0([[1.0, 0.0]], [[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    [[1.  0.5 0. ]]
    """
    _, angle = _norms_and_angles(x, y)
    return 1 - angle / np.pi


def arc_cosine_kernel_1(x: ArrayLike, y: ArrayLike) -> Floats:
    r"""Twice the mean product of a random rectified unit.

    It is :math:`\norm{x}\norm{y}\,(\sin\theta + (\pi - \theta)\cos\theta)/\pi`.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Inputs, one a row.
    y : array_like, shape (k, p)
        Inputs.

    Returns
    -------
    ndarray, shape (n, k)
        :math:`2 \E_w \max(w \cdot x, 0) \max(w \cdot y, 0)` for standard normal w.

    Raises
    ------
    ValueError
        If rows differ in size, or one is zero or not a number.

    Notes
    -----
    Implements :eq:`eq-arc-cosine-1`.

    References
    ----------
    Y. Cho and L. K. Saul (2009), Kernel Methods for Deep Learning.

    Examples
    --------
    >>> from primer_ref.tangent_kernel import arc_cosine_kernel_1
    >>> print(arc_cosine_kernel_1([[1.0, 0.0]], [[2.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]).round(4))
    [[2.     0.3183 0.    ]]
    """
    norms, angle = _norms_and_angles(x, y)
    value: Floats = norms * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi
    return value


def tangent_kernel(x: ArrayLike, y: ArrayLike) -> Floats:
    r"""Kernel of an endlessly wide network, :math:`(x \cdot y)\,\kappa_0 + \kappa_1`.

    The first term is that of the input weights, the second that of the output weights.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Inputs, one a row.
    y : array_like, shape (k, p)
        Inputs.

    Returns
    -------
    ndarray, shape (n, k)
        Products of gradients.

    Raises
    ------
    ValueError
        If rows differ in size, or one is zero or not a number.

    Notes
    -----
    Implements :eq:`eq-tangent-kernel`.

    References
    ----------
    A. Jacot, F. Gabriel and C. Hongler (2018), Neural Tangent Kernel: Convergence and
    Generalization in Neural Networks.

    Examples
    --------
    >>> from primer_ref.tangent_kernel import tangent_kernel
    >>> print(tangent_kernel([[1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]).round(4))
    [[2.     0.3183]]
    """
    first = arc_cosine_kernel_0(x, y)
    return as_floats(x) @ as_floats(y).T * first + arc_cosine_kernel_1(x, y)


@dataclass(frozen=True, slots=True, eq=False)
class TwoLayerWeights:
    """Weights of the network, or a change of them.

    Attributes
    ----------
    inner : ndarray, shape (m, p)
        Input weights, one unit a row.
    outer : ndarray, shape (m,)
        Output weights.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.tangent_kernel import draw_two_layer
    >>> draw_two_layer(3, 100, rng=np.random.default_rng(0)).inner.shape
    (100, 3)
    """

    inner: Floats
    outer: Floats


def draw_two_layer(n_inputs: int, width: int, *, rng: np.random.Generator) -> TwoLayerWeights:
    """Draw all weights from the standard normal distribution.

    Parameters
    ----------
    n_inputs : int
        Size of an input, p.
    width : int
        Units, m.
    rng : numpy.random.Generator
        Source of the draws.

    Returns
    -------
    TwoLayerWeights
        Weights.

    Raises
    ------
    ValueError
        If a size is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.tangent_kernel import draw_two_layer, two_layer
    >>> x = np.array([[3.0, 4.0]])
    >>> rng = np.random.default_rng(0)
    >>> outputs = [two_layer(x, draw_two_layer(2, 100, rng=rng))[0] for _ in range(2000)]
    >>> bool(abs(np.std(outputs) / 5 - 1) < 0.05)  # of the size of the input, at every width
    True
    """
    if n_inputs < 1 or width < 1:
        raise ValueError(f"sizes must be positive; got {n_inputs} inputs and {width} units")
    return TwoLayerWeights(rng.normal(size=(width, n_inputs)), rng.normal(size=width))


def two_layer(x: ArrayLike, weights: TwoLayerWeights) -> Floats:
    r"""Evaluate the network, :math:`\sqrt{2/m} \sum_j a_j \max(w_j \cdot x, 0)`.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Inputs, one a row.
    weights : TwoLayerWeights
        Weights.

    Returns
    -------
    ndarray, shape (n,)
        Outputs.

    Notes
    -----
    Implements :eq:`eq-two-layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.tangent_kernel import TwoLayerWeights, two_layer
    >>> weights = TwoLayerWeights(np.array([[1.0], [-1.0]]), np.array([1.0, 3.0]))
    >>> print(two_layer([[2.0], [-2.0]], weights))
    [2. 6.]
    """
    hidden = np.maximum(as_floats(x) @ weights.inner.T, 0)  # (n, m)
    value: Floats = (2 / len(weights.outer)) ** 0.5 * (hidden @ weights.outer)
    return value


def tangent_features(x: ArrayLike, weights: TwoLayerWeights) -> Floats:
    r"""Gradients of the outputs at the weights, input weights first.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Inputs, one a row.
    weights : TwoLayerWeights
        Weights.

    Returns
    -------
    ndarray, shape (n, m·p + m)
        One gradient a row. A unit at exactly 0 counts as off.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.tangent_kernel import TwoLayerWeights, tangent_features
    >>> weights = TwoLayerWeights(np.array([[1.0], [-1.0]]), np.array([1.0, 3.0]))
    >>> print(tangent_features([[2.0]], weights))
    [[2. 0. 2. 0.]]
    """
    x = as_floats(x)
    pre = x @ weights.inner.T  # (n, m)
    inner = ((pre > 0) * weights.outer)[:, :, None] * x[:, None, :]  # (n, m, p)
    both = np.concatenate([inner.reshape(len(x), -1), np.maximum(pre, 0)], axis=1)
    value: Floats = (2 / len(weights.outer)) ** 0.5 * both
    return value


def empirical_tangent_kernel(x: ArrayLike, y: ArrayLike, weights: TwoLayerWeights) -> Floats:
    r"""Products of the gradients of a network of finite width, :math:`J(x) J(y)^\T`.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Inputs, one a row.
    y : array_like, shape (k, p)
        Inputs.
    weights : TwoLayerWeights
        Weights.

    Returns
    -------
    ndarray, shape (n, k)
        Its mean over random weights is `tangent_kernel`, at every width; its deviation is of the
        order of :math:`1/\sqrt{m}`.

    Notes
    -----
    Implements :eq:`eq-tangent-products`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.tangent_kernel import draw_two_layer, empirical_tangent_kernel
    >>> weights = draw_two_layer(2, 10_000, rng=np.random.default_rng(0))
    >>> print(empirical_tangent_kernel([[1.0, 0.0]], [[0.0, 1.0]], weights).round(2))
    [[0.31]]
    """
    return tangent_features(x, weights) @ tangent_features(y, weights).T


def linearized_two_layer(x: ArrayLike, weights: TwoLayerWeights, change: TwoLayerWeights) -> Floats:
    r"""Evaluate the first-order network, :math:`f_{\theta}(x) + J(x)\, \Delta\theta`.

    Parameters
    ----------
    x : array_like, shape (n, p)
        Inputs, one a row.
    weights : TwoLayerWeights
        Weights θ at which it is linearized.
    change : TwoLayerWeights
        Change of the weights, Δθ.

    Returns
    -------
    ndarray, shape (n,)
        Outputs.

    Raises
    ------
    ValueError
        If the change has not the shapes of the weights.

    Notes
    -----
    For a change of fixed norm the true network differs by the order of :math:`1/\sqrt{m}`. In this
    limit the hidden units hardly move: a network that learns features is not near it.

    Implements :eq:`eq-linearized`.

    References
    ----------
    A. Jacot, F. Gabriel and C. Hongler (2018), Neural Tangent Kernel: Convergence and
    Generalization in Neural Networks.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.tangent_kernel import (
    ...     TwoLayerWeights, linearized_two_layer, two_layer,
    ... )
    >>> weights = TwoLayerWeights(np.array([[1.0], [-1.0]]), np.array([1.0, 3.0]))
    >>> change = TwoLayerWeights(np.array([[0.1], [0.0]]), np.array([0.1, 0.0]))
    >>> moved = TwoLayerWeights(weights.inner + change.inner, weights.outer + change.outer)
    >>> print(linearized_two_layer([[2.0]], weights, change), two_layer([[2.0]], moved))
    [2.4] [2.42]
    """
    if change.inner.shape != weights.inner.shape or change.outer.shape != weights.outer.shape:
        raise ValueError(
            "the change must have the shapes of the weights; "
            f"got {change.inner.shape} and {weights.inner.shape}"
        )
    step = np.concatenate([change.inner.reshape(-1), change.outer])
    value: Floats = two_layer(x, weights) + tangent_features(x, weights) @ step
    return value
