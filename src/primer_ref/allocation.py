r"""How to spend a budget of compute: the best size and data under a scaling law.

A training run takes :math:`C = 6 N D` operations, so a larger model sees fewer tokens. The law says
which is worth more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats, as_positive
from primer_ref.scaling import ScalingLaw, chinchilla_loss

__all__ = [
    "Allocation",
    "compute_for_loss",
    "compute_optimal",
    "compute_overhead",
    "isoflop_minimum",
    "optimal_parameters",
    "optimal_tokens",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Best use of a budget of compute.

    Attributes
    ----------
    n_parameters : ndarray
        Parameters, N.
    n_tokens : ndarray
        Tokens, D.
    loss : ndarray
        Loss that they give, nats a token.

    Examples
    --------
    >>> from primer_ref.allocation import compute_optimal
    >>> from primer_ref.scaling import BESIROGLU
    >>> best = compute_optimal(5.88e23, BESIROGLU)  # what Chinchilla was trained with
    >>> f"{best.n_tokens / best.n_parameters:.1f} tokens a parameter"
    '18.4 tokens a parameter'
    """

    n_parameters: Floats
    n_tokens: Floats
    loss: Floats


def compute_optimal(flops: ArrayLike, law: ScalingLaw) -> Allocation:
    r"""Split compute between size and data so that loss is least.

    A Lagrange multiplier for :math:`6ND = C` gives
    :math:`\alpha A N^{-\alpha} = \beta B D^{-\beta}`: another percent of size buys as much as
    another percent of data. So

    .. math:: N = G\,(C/6)^{\beta/(\alpha+\beta)}, \quad
        D = G^{-1}\,(C/6)^{\alpha/(\alpha+\beta)}, \quad
        G = \left(\frac{\alpha A}{\beta B}\right)^{1/(\alpha+\beta)}.

    Parameters
    ----------
    flops : array_like, shape (...)
        Operations of training, C.
    law : ScalingLaw
        Constants.

    Returns
    -------
    Allocation
        Size, data and loss.

    Raises
    ------
    ValueError
        If a budget is not positive.

    Notes
    -----
    Best for training alone: a smaller model trained for longer is cheaper to run, at a price that
    `compute_overhead` gives.

    Implements :eq:`eq-compute-optimal`.

    References
    ----------
    J. Hoffmann et al. (2022), Training Compute-Optimal Large Language Models, equation 4.

    Examples
    --------
    >>> from primer_ref.allocation import compute_optimal
    >>> from primer_ref.scaling import HOFFMANN_UNROUNDED
    >>> best = compute_optimal(5.76e23, HOFFMANN_UNROUNDED)  # Gopher's budget
    >>> f"{best.n_parameters / 1e9:.0f} B parameters, {best.n_tokens / 1e12:.1f} T tokens"
    '40 B parameters, 2.4 T tokens'
    """
    nd = as_positive(flops, "flops") / 6
    g = (law.alpha * law.a / (law.beta * law.b)) ** (1 / (law.alpha + law.beta))
    for_size, for_data = law.exponents
    n, d = g * nd**for_size, nd**for_data / g
    return Allocation(n, d, chinchilla_loss(n, d, law))


def optimal_tokens(n_parameters: ArrayLike, law: ScalingLaw) -> Floats:
    r"""Tokens for which a size is the best one, :math:`(\beta B N^\alpha / \alpha A)^{1/\beta}`.

    Parameters
    ----------
    n_parameters : array_like, shape (...)
        Parameters, N.
    law : ScalingLaw
        Constants.

    Returns
    -------
    ndarray, shape (...)
        Tokens.

    Raises
    ------
    ValueError
        If a size is not positive.

    Notes
    -----
    Implements :eq:`eq-optimal-tokens`.

    Examples
    --------
    >>> from primer_ref.allocation import optimal_tokens
    >>> from primer_ref.scaling import BESIROGLU
    >>> print((optimal_tokens([1e9, 70e9], BESIROGLU) / [1e9, 70e9]).round(1))  # a parameter
    [22.7 18.4]
    """
    n = as_positive(n_parameters, "n_parameters")
    value: Floats = (law.beta * law.b / (law.alpha * law.a) * n**law.alpha) ** (1 / law.beta)
    return value


def optimal_parameters(n_tokens: ArrayLike, law: ScalingLaw) -> Floats:
    r"""Size for which an amount of data is the best one: the inverse of `optimal_tokens`.

    Parameters
    ----------
    n_tokens : array_like, shape (...)
        Tokens, D.
    law : ScalingLaw
        Constants.

    Returns
    -------
    ndarray, shape (...)
        Parameters.

    Raises
    ------
    ValueError
        If an amount is not positive.

    Examples
    --------
    >>> from primer_ref.allocation import optimal_parameters
    >>> from primer_ref.scaling import BESIROGLU
    >>> f"{optimal_parameters(15e12, BESIROGLU) / 1e9:.0f} B"
    '925 B'
    """
    d = as_positive(n_tokens, "n_tokens")
    value: Floats = (law.alpha * law.a / (law.beta * law.b) * d**law.beta) ** (1 / law.alpha)
    return value


def compute_for_loss(loss: ArrayLike, law: ScalingLaw) -> Floats:
    r"""Compute that the best allocation needs for a loss.

    Above its floor the best loss is a power law,
    :math:`L - E = k\, C^{-\alpha\beta/(\alpha+\beta)}`.

    Parameters
    ----------
    loss : array_like, shape (...)
        Nats a token, above the floor E.
    law : ScalingLaw
        Constants.

    Returns
    -------
    ndarray, shape (...)
        FLOP.

    Raises
    ------
    ValueError
        If a loss is not above the floor: no compute reaches it.

    Notes
    -----
    Implements :eq:`eq-compute-frontier`.

    Examples
    --------
    Half of what is above the floor costs some fifty times the compute:

    >>> from primer_ref.allocation import compute_for_loss
    >>> from primer_ref.scaling import BESIROGLU
    >>> far, near = compute_for_loss([BESIROGLU.e + 0.2, BESIROGLU.e + 0.1], BESIROGLU)
    >>> f"{near / far:.0f}"
    '49'
    """
    loss = as_floats(loss)
    bad = ~(loss > law.e)
    if np.any(bad):
        raise ValueError(f"loss must be above the floor of {law.e}; got {loss[bad][0]}")
    k = compute_optimal(1.0, law).loss - law.e  # the law at C = 1: from there on it only scales
    power = law.alpha * law.beta / (law.alpha + law.beta)
    value: Floats = (k / (loss - law.e)) ** (1 / power)
    return value


def compute_overhead(size_factor: ArrayLike, law: ScalingLaw) -> Floats:
    r"""Extra compute for the best loss at another size than the best.

    With :math:`k` times the best size, data have to grow by
    :math:`[1 - (k^{-\alpha} - 1)\beta/\alpha]^{-1/\beta}`: at the optimum what size and what data
    cost stand as β to α. The budget enters nowhere.

    Parameters
    ----------
    size_factor : array_like, shape (...)
        Size over the best size, k.
    law : ScalingLaw
        Constants.

    Returns
    -------
    ndarray, shape (...)
        Extra compute as a share of the best: 0 at k = 1. Infinite below the size that no amount of
        data brings to that loss.

    Raises
    ------
    ValueError
        If a factor is not positive.

    Notes
    -----
    Implements :eq:`eq-compute-overhead`.

    References
    ----------
    H. de Vries (2023), Go smol or go home.

    Examples
    --------
    >>> from primer_ref.allocation import compute_overhead
    >>> from primer_ref.scaling import BESIROGLU
    >>> print(compute_overhead([2.0, 1.0, 0.5, 0.25, 0.1], BESIROGLU).round(3))
    [0.148 0.    0.259 3.465   inf]
    """
    k = as_positive(size_factor, "size_factor")
    left = 1 - (k**-law.alpha - 1) * law.beta / law.alpha
    with np.errstate(divide="ignore"):
        data_factor = np.maximum(left, 0) ** (-1 / law.beta)
    value: Floats = k * data_factor - 1
    return value


def isoflop_minimum(n_parameters: ArrayLike, losses: ArrayLike) -> tuple[float, float]:
    r"""Find the best size from runs that all took the same compute.

    Fits a parabola to the loss as a function of :math:`\log N` and takes its lowest point.

    Parameters
    ----------
    n_parameters : array_like, shape (n,)
        Sizes, at least three different ones.
    losses : array_like, shape (n,)
        Losses, nats a token.

    Returns
    -------
    n_parameters, loss : float
        Size and loss at the lowest point.

    Raises
    ------
    ValueError
        If there are not three different sizes with a loss each, or the parabola has no lowest
        point.

    Notes
    -----
    A parabola is symmetric in log N; the valley of the law is steeper on the side of small models.
    So the estimate is biased, the more the wider the sizes are spread.

    References
    ----------
    J. Hoffmann et al. (2022), Training Compute-Optimal Large Language Models, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.allocation import compute_optimal, isoflop_minimum
    >>> from primer_ref.scaling import BESIROGLU, chinchilla_loss
    >>> n = np.geomspace(0.5e9, 8e9, 9)
    >>> found, _ = isoflop_minimum(n, chinchilla_loss(n, 1e21 / (6 * n), BESIROGLU))
    >>> f"{found / compute_optimal(1e21, BESIROGLU).n_parameters:.2f}"
    '1.00'
    """
    n, losses = as_positive(n_parameters, "n_parameters"), as_floats(losses)
    if n.ndim != 1 or n.shape != losses.shape or len(np.unique(n)) < 3:
        raise ValueError(
            "there must be three different sizes and a loss for each; "
            f"got shapes {n.shape} and {losses.shape} with {len(np.unique(n))} different sizes"
        )
    x = np.log(n)
    center = float(np.mean(x))
    curvature, slope, level = np.polyfit(x - center, losses, 2)
    if not curvature > 0:
        raise ValueError(f"the parabola must open upward; got a curvature of {curvature}")
    at = -slope / (2 * curvature)
    return float(np.exp(center + at)), float(level + slope * at / 2)
