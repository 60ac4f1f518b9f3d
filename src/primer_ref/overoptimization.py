r"""Over-optimization: what the true reward does while a policy is driven by a proxy of it.

The forms are empirical, fitted by Gao, Schulman and Hilton where a large reward model played the
truth. The distance d is the square root of the divergence from the reference, in nats.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_positive_finite
from primer_ref.functional import as_floats

__all__ = [
    "gold_optimum_best_of_n",
    "gold_optimum_rl",
    "gold_reward_best_of_n",
    "gold_reward_rl",
]

Floats = NDArray[np.floating[Any]]


def _check_form(alpha: float, beta: float) -> None:
    check_positive_finite(alpha, "alpha")
    check_positive_finite(beta, "beta")


def _distances(distance: ArrayLike) -> Floats:
    distance = as_floats(distance)
    if not np.all(distance >= 0):
        raise ValueError("distance must not be negative")
    return distance


def gold_reward_best_of_n(distance: ArrayLike, *, alpha: float, beta: float) -> Floats:
    r"""Follow the true reward as best-of-n follows a proxy, :math:`d(\alpha - \beta d)`.

    Parameters
    ----------
    distance : array_like, shape (...)
        Square root d of the divergence from the reference in nats.
    alpha : float
        Slope α at the start.
    beta : float
        Rate β at which the slope falls.

    Returns
    -------
    ndarray, shape (...)
        Gain in true reward over the reference.

    Raises
    ------
    ValueError
        If a distance is negative, or α or β is not positive and finite.

    Notes
    -----
    Implements :eq:`eq-gold-best-of-n`.

    References
    ----------
    L. Gao, J. Schulman and J. Hilton (2023), Scaling Laws for Reward Model Overoptimization.

    Examples
    --------
    >>> from primer_ref.overoptimization import gold_reward_best_of_n
    >>> print(gold_reward_best_of_n([0.0, 5.0, 10.0], alpha=1.0, beta=0.1))
    [0.  2.5 0. ]
    """
    _check_form(alpha, beta)
    d = _distances(distance)
    return d * (alpha - beta * d)


def gold_optimum_best_of_n(*, alpha: float, beta: float) -> float:
    r"""Distance at which `gold_reward_best_of_n` is largest, :math:`\alpha/(2\beta)`.

    Parameters
    ----------
    alpha : float
        Slope α at the start.
    beta : float
        Rate β at which the slope falls.

    Returns
    -------
    float
        Square root of a divergence in nats.

    Raises
    ------
    ValueError
        If α or β is not positive and finite.

    Notes
    -----
    Implements :eq:`eq-gold-optima`.

    Examples
    --------
    >>> from primer_ref.overoptimization import gold_optimum_best_of_n
    >>> gold_optimum_best_of_n(alpha=1.0, beta=0.1)
    5.0
    """
    _check_form(alpha, beta)
    return alpha / (2 * beta)


def gold_reward_rl(distance: ArrayLike, *, alpha: float, beta: float) -> Floats:
    r"""Follow the true reward as RL follows a proxy, :math:`d(\alpha - \beta \log d)`.

    Parameters
    ----------
    distance : array_like, shape (...)
        Square root d of the divergence from the reference in nats.
    alpha : float
        Mean slope α up to d = 1.
    beta : float
        Rate β at which the mean slope falls with log d.

    Returns
    -------
    ndarray, shape (...)
        Gain in true reward over the reference; 0 at 0.

    Raises
    ------
    ValueError
        If a distance is negative, or α or β is not positive and finite.

    Notes
    -----
    The slope is infinite at 0, so the form cannot hold for small distances.

    Implements :eq:`eq-gold-rl`.

    References
    ----------
    L. Gao, J. Schulman and J. Hilton (2023), Scaling Laws for Reward Model Overoptimization.

    Examples
    --------
    >>> from primer_ref.overoptimization import gold_reward_rl
    >>> print(gold_reward_rl([0.0, 1.0, 5.0], alpha=1.0, beta=0.1).round(4))
    [0.     1.     4.1953]
    """
    _check_form(alpha, beta)
    d = _distances(distance)
    value: Floats = d * (alpha - beta * np.log(np.where(d > 0, d, 1)))
    return value


def gold_optimum_rl(*, alpha: float, beta: float) -> float:
    r"""Distance at which `gold_reward_rl` is largest, :math:`e^{\alpha/\beta - 1}`.

    Parameters
    ----------
    alpha : float
        Mean slope α up to d = 1.
    beta : float
        Rate β at which the mean slope falls with log d.

    Returns
    -------
    float
        Square root of a divergence in nats.

    Raises
    ------
    ValueError
        If α or β is not positive and finite.

    Notes
    -----
    Implements :eq:`eq-gold-optima`.

    Examples
    --------
    >>> from primer_ref.overoptimization import gold_optimum_rl
    >>> print(f"{gold_optimum_rl(alpha=1.0, beta=0.1):.0f}")  # far beyond what was measured
    8103
    """
    _check_form(alpha, beta)
    return math.exp(alpha / beta - 1)
