"""Optimizers: steps from weights and a gradient to new weights, over whole trees of arrays.

Every step is a pure function ``step(weights, gradient, state, *, rate, …)`` that returns new
weights and a new state; what it was given stays as it was. Before the first step the state is what
`zeros` makes of the weights (`momentum`) or `initial_moments` (`adam`, `adamw`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from primer_ref.checks import check_nonnegative_finite, check_positive
from primer_ref.trees import tree_leaves, tree_map

__all__ = [
    "Moments",
    "adam",
    "adamw",
    "clip_by_global_norm",
    "global_norm",
    "initial_moments",
    "momentum",
    "sgd",
    "zeros",
]

# A tree of arrays: an array, or tuples, lists, dictionaries and dataclasses of trees.
Tree = Any


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Moving averages of the gradient and of its square, entry by entry.

    Attributes
    ----------
    mean : tree of ndarray
        Average of the gradients, m.
    square : tree of ndarray
        Average of their squares, v.
    n_steps : int
        Number of steps taken, t.
    """

    mean: Tree
    square: Tree
    n_steps: int


def _checked(rate: float, name: str = "rate") -> float:
    """Return a rate as Python's number, which leaves float32 what it is, unlike a float64 array."""
    check_nonnegative_finite(rate, name)
    return float(rate)


def _average(beta: float, name: str) -> float:
    if not 0 <= beta < 1:
        raise ValueError(f"{name} must be in [0, 1); got {beta}")
    return float(beta)


def zeros(weights: Tree) -> Tree:
    """Make a tree of zeros like the weights: the velocity before the first step.

    Parameters
    ----------
    weights : tree of ndarray
        Weights.

    Returns
    -------
    tree of ndarray
        Zeros of the same shapes and precision.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.optim import zeros
    >>> zeros({"w": np.ones(2)})
    {'w': array([0., 0.])}
    """
    return tree_map(np.zeros_like, weights)


def initial_moments(weights: Tree) -> Moments:
    """Make the state of Adam before the first step.

    Parameters
    ----------
    weights : tree of ndarray
        Weights.

    Returns
    -------
    Moments
        Averages of 0 after 0 steps.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.optim import initial_moments
    >>> initial_moments(np.ones(2))
    Moments(mean=array([0., 0.]), square=array([0., 0.]), n_steps=0)
    """
    return Moments(zeros(weights), zeros(weights), 0)


def sgd(weights: Tree, gradient: Tree, state: Tree = None, *, rate: float) -> tuple[Tree, Tree]:
    r"""Step against the gradient, :math:`\theta \leftarrow \theta - \eta g`.

    Parameters
    ----------
    weights : tree of ndarray
        Weights θ.
    gradient : tree of ndarray
        Gradient g, of the loss or an estimate of it.
    state : None
        There is none; it is passed on as it is.
    rate : float
        Learning rate η.

    Returns
    -------
    tuple
        New weights, and the state.

    Raises
    ------
    ValueError
        If the rate is negative or not finite, or weights and gradient differ in structure.

    Notes
    -----
    On a quadratic loss with curvature λ along a direction, the distance to the minimum along it
    is multiplied by 1 − ηλ at every step.

    Implements :eq:`eq-sgd`.

    Examples
    --------
    >>> from primer_ref.optim import sgd
    >>> sgd({"w": 1.0}, {"w": 4.0}, rate=0.125)
    ({'w': 0.5}, None)
    """
    rate = _checked(rate)
    return tree_map(lambda w, g: w - rate * g, weights, gradient), state


def momentum(
    weights: Tree, gradient: Tree, state: Tree, *, rate: float, beta: float = 0.9
) -> tuple[Tree, Tree]:
    r"""Step with a velocity: the heavy ball.

    .. math:: u \leftarrow \beta u + g, \qquad \theta \leftarrow \theta - \eta u.

    Parameters
    ----------
    weights : tree of ndarray
        Weights θ.
    gradient : tree of ndarray
        Gradient g.
    state : tree of ndarray
        Velocity u, at first `zeros`.
    rate : float
        Learning rate η.
    beta : float
        Share β of the velocity that stays.

    Returns
    -------
    tuple
        New weights and new velocity.

    Raises
    ------
    ValueError
        If the rate is negative or not finite, β not in [0, 1), or the trees differ in structure.

    Notes
    -----
    Other texts write the velocity with (1 − β)g: the same steps at a rate larger by 1/(1 − β).
    A constant gradient is amplified by 1/(1 − β).

    Implements :eq:`eq-heavy-ball`.

    References
    ----------
    B. T. Polyak (1964), Some Methods of Speeding up the Convergence of Iteration Methods.

    Examples
    --------
    >>> from primer_ref.optim import momentum
    >>> weights, velocity = momentum(1.0, 1.0, 0.0, rate=0.25, beta=0.5)
    >>> momentum(weights, 1.0, velocity, rate=0.25, beta=0.5)
    (0.375, 1.5)
    """
    rate = _checked(rate)
    beta = _average(beta, "beta")
    velocity = tree_map(lambda u, g: beta * u + g, state, gradient)
    return tree_map(lambda w, u: w - rate * u, weights, velocity), velocity


def _adam_directions(
    gradient: Tree, state: Moments, beta1: float, beta2: float, eps: float
) -> tuple[Tree, Moments]:
    """Average anew, and divide the corrected mean by the root of the corrected mean square."""
    beta1, beta2 = _average(beta1, "beta1"), _average(beta2, "beta2")
    eps = _checked(eps, "eps")
    t = state.n_steps + 1
    mean = tree_map(lambda m, g: beta1 * m + (1 - beta1) * g, state.mean, gradient)
    square = tree_map(lambda v, g: beta2 * v + (1 - beta2) * (g * g), state.square, gradient)
    at_mean, at_square = 1 - beta1**t, 1 - beta2**t  # averages that began at 0 are too small
    directions = tree_map(lambda m, v: (m / at_mean) / (np.sqrt(v / at_square) + eps), mean, square)
    return directions, Moments(mean, square, t)


def adam(
    weights: Tree,
    gradient: Tree,
    state: Moments,
    *,
    rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
) -> tuple[Tree, Moments]:
    r"""Step by the mean gradient over the root of the mean squared gradient, entry by entry.

    .. math::
        \begin{aligned}
        m &\leftarrow \beta_1 m + (1 - \beta_1) g, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \\
        \theta &\leftarrow \theta
        - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}.
        \end{aligned}

    Parameters
    ----------
    weights : tree of ndarray
        Weights θ.
    gradient : tree of ndarray
        Gradient g.
    state : Moments
        Averages m and v and the number of steps, at first `initial_moments`.
    rate : float
        Learning rate η: about the change of an entry in a step while its gradient stays about the
        same. A gradient that comes after many zeros makes a step of
        :math:`(1 - \beta_1)/\sqrt{1 - \beta_2}` rates, 3.2 by default.
    beta1, beta2 : float
        Shares of the averages that stay.
    eps : float
        Keeps the root off 0; with 0, an entry that has had no gradient yet becomes NaN.

    Returns
    -------
    tuple
        New weights and new averages.

    Raises
    ------
    ValueError
        If the rate or ε is negative or not finite, an average's share not in [0, 1), or the trees
        differ in structure.

    Notes
    -----
    Both averages begin at 0; after t steps they hold the shares :math:`1 - \beta^t` of a constant
    input, by which they are divided. The first step is so :math:`\eta\, g / (|g| + \varepsilon)`.

    Implements :eq:`eq-adam`.

    References
    ----------
    D. P. Kingma and J. Ba (2015), Adam: A Method for Stochastic Optimization.

    S. J. Reddi, S. Kale and S. Kumar (2018), On the Convergence of Adam and Beyond: problems with
    convex losses on which these steps move away from the minimum.

    Examples
    --------
    The size of the gradient does not matter:

    >>> import numpy as np
    >>> from primer_ref.optim import adam, initial_moments
    >>> weights = np.zeros(2)
    >>> step, _ = adam(weights, np.array([5.0, -1e-3]), initial_moments(weights), rate=0.1)
    >>> print(step.round(4))
    [-0.1  0.1]
    """
    rate = _checked(rate)
    directions, state = _adam_directions(gradient, state, beta1, beta2, eps)
    return tree_map(lambda w, d: w - rate * d, weights, directions), state


def adamw(
    weights: Tree,
    gradient: Tree,
    state: Moments,
    *,
    rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    decay: float = 0.01,
) -> tuple[Tree, Moments]:
    r"""Step of Adam, and a decay of the weights that the averages do not see.

    .. math:: \theta \leftarrow (1 - \eta\lambda)\,\theta
        - \eta\, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \varepsilon}.

    Parameters
    ----------
    weights : tree of ndarray
        Weights θ.
    gradient : tree of ndarray
        Gradient g of the loss without the decay.
    state : Moments
        Averages m and v and the number of steps, at first `initial_moments`.
    rate : float
        Learning rate η.
    beta1, beta2 : float
        Shares of the averages that stay.
    eps : float
        Keeps the root off 0; with 0, an entry that has had no gradient yet becomes NaN.
    decay : float
        Decay λ of every entry.

    Returns
    -------
    tuple
        New weights and new averages.

    Raises
    ------
    ValueError
        If the rate, ε or the decay is negative or not finite, an average's share not in [0, 1), or
        the trees differ in structure.

    Notes
    -----
    Were λθ part of the gradient, Adam would divide it by the root of v: entries with large
    gradients would hardly decay. The paper multiplies λ by the schedule alone; here, as in common
    libraries, by the whole of η.

    Implements :eq:`eq-adamw`.

    References
    ----------
    I. Loshchilov and F. Hutter (2019), Decoupled Weight Decay Regularization.

    Examples
    --------
    >>> from primer_ref.optim import adamw, initial_moments
    >>> step, _ = adamw(2.0, 0.0, initial_moments(2.0), rate=0.1, decay=0.5)
    >>> print(step)
    1.9
    """
    rate = _checked(rate)
    shrink = 1 - rate * _checked(decay, "decay")
    directions, state = _adam_directions(gradient, state, beta1, beta2, eps)
    return tree_map(lambda w, d: shrink * w - rate * d, weights, directions), state


def global_norm(tree: Tree) -> float:
    r"""Length of all entries of a tree as one vector, :math:`\norm{g} = \sqrt{\sum_i g_i^2}`.

    Parameters
    ----------
    tree : tree of ndarray
        A gradient, say.

    Returns
    -------
    float
        The norm, summed in float64.

    Examples
    --------
    >>> from primer_ref.optim import global_norm
    >>> global_norm({"w": [3.0], "b": 4.0})
    5.0
    """
    return math.sqrt(sum(float(np.sum(np.square(a, dtype=np.float64))) for a in tree_leaves(tree)))


def clip_by_global_norm(gradient: Tree, *, limit: float) -> tuple[Tree, float]:
    r"""Shorten a gradient that is longer than a limit, :math:`g \min(1, \ell / \norm{g})`.

    Parameters
    ----------
    gradient : tree of ndarray
        Gradient g.
    limit : float
        Largest length ℓ.

    Returns
    -------
    tuple
        The gradient, of the same direction, and its norm before.

    Raises
    ------
    ValueError
        If the limit is not positive, or the norm is not finite: because the gradient holds NaN or
        infinity, which no factor would turn into a step, or because its squares overflow.

    Notes
    -----
    The mean of clipped gradients is not the clipped mean: clipping biases the step where large
    gradients point elsewhere than the rest.

    Implements :eq:`eq-clip`.

    References
    ----------
    R. Pascanu, T. Mikolov and Y. Bengio (2013), On the Difficulty of Training Recurrent Neural
    Networks.

    Examples
    --------
    >>> from primer_ref.optim import clip_by_global_norm
    >>> clip_by_global_norm([3.0, 4.0], limit=1.0)
    ([0.6000000000000001, 0.8], 5.0)
    """
    check_positive(limit, "limit")
    norm = global_norm(gradient)
    if not math.isfinite(norm):
        raise ValueError(f"a gradient must be finite; got one of norm {norm}")
    factor = min(1.0, float(limit) / norm) if norm else 1.0
    return tree_map(lambda g: factor * g, gradient), norm
