r"""Policies that trade reward for divergence from a reference: the Gibbs policy and best-of-n.

A policy is a distribution over the answers to one prompt, all of them listed. The objective
:math:`\E_\pi r - \beta \KL{\pi}{\pi_0}` has one best policy in closed form, and the best policies
of all β are the frontier of what reward each divergence can buy. Drawing n answers and keeping the
best is another policy, whose law can be listed too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative_finite, check_positive_finite
from primer_ref.functional import as_floats, logsumexp, softmax
from primer_ref.information import distribution, kl_divergence

__all__ = [
    "best_of_n_kl_bound",
    "best_of_n_policy",
    "gibbs_policy",
    "optimal_value",
    "regularized_objective",
    "reward_kl_frontier",
]

Floats = NDArray[np.floating[Any]]


def _policies(rewards: ArrayLike, policies: dict[str, ArrayLike]) -> list[Floats]:
    """Read rewards and distributions over the same answers."""
    read = [as_floats(rewards), *(as_floats(policy) for policy in policies.values())]
    if read[0].ndim == 0 or any(p.shape != read[0].shape for p in read):
        raise ValueError(
            "there must be one reward and one probability an answer; "
            f"got shapes {', '.join(str(p.shape) for p in read)}"
        )
    if not np.all(np.isfinite(read[0])):
        raise ValueError("rewards must be finite")
    for name, p in zip(policies, read[1:], strict=True):
        distribution(p, name)
    return read


def _tilted(reference: ArrayLike, rewards: ArrayLike, beta: float) -> Floats:
    """Logarithms of the Gibbs policy before it is normalized, log π₀ + r/β."""
    check_positive_finite(beta, "beta")
    rewards, reference = _policies(rewards, {"reference": reference})
    with np.errstate(divide="ignore"):  # what the reference rules out stays ruled out
        tilted: Floats = np.log(reference) + rewards / beta
    return tilted


def gibbs_policy(reference: ArrayLike, rewards: ArrayLike, *, beta: float) -> Floats:
    r"""Best policy when divergence has a price, :math:`\pi^* = \pi_0\, e^{r/\beta} / Z`.

    Parameters
    ----------
    reference : array_like, shape (..., A)
        Reference policy π₀: probabilities of the A answers to each prompt.
    rewards : array_like, shape (..., A)
        Reward r of each answer.
    beta : float
        Price β > 0 of a nat of divergence.

    Returns
    -------
    ndarray, shape (..., A)
        Probabilities: the reference's for large β, and for small β those of the best answers among
        those that it does not rule out.

    Raises
    ------
    ValueError
        If the shapes differ, a reward is not finite, the reference is no distribution, or β is not
        positive and finite.

    Notes
    -----
    For every policy, objective and `optimal_value` differ by :math:`\beta \KL{\pi}{\pi^*}`, which
    Gibbs' inequality says is least, and 0, at π* alone. A constant added to the rewards of one
    prompt changes nothing.

    Implements :eq:`eq-gibbs-policy`.

    References
    ----------
    T. Korbak, E. Perez and C. L. Buckley (2022), RL with KL Penalties is Better Viewed as Bayesian
    Inference.

    Examples
    --------
    >>> from primer_ref.gibbs import gibbs_policy
    >>> print(gibbs_policy([0.5, 0.3, 0.2], [0.0, 1.0, 2.0], beta=0.5).round(4))
    [0.0367 0.1626 0.8008]
    """
    return softmax(_tilted(reference, rewards, beta))


def optimal_value(reference: ArrayLike, rewards: ArrayLike, *, beta: float) -> Floats:
    r"""Largest value of the objective, :math:`\beta \log Z = \beta \log \E_{\pi_0} e^{r/\beta}`.

    Parameters
    ----------
    reference : array_like, shape (..., A)
        Reference policy π₀.
    rewards : array_like, shape (..., A)
        Reward of each answer.
    beta : float
        Price β > 0 of a nat of divergence.

    Returns
    -------
    ndarray, shape (...)
        Between the reference's mean reward and the largest reward.

    Raises
    ------
    ValueError
        As for `gibbs_policy`.

    Notes
    -----
    Implements :eq:`eq-optimal-value`.

    Examples
    --------
    >>> from primer_ref.gibbs import optimal_value
    >>> print(f"{optimal_value([0.5, 0.3, 0.2], [0.0, 1.0, 2.0], beta=0.5):.4f}")
    1.3064
    """
    return beta * logsumexp(_tilted(reference, rewards, beta))


def regularized_objective(
    policy: ArrayLike, reference: ArrayLike, rewards: ArrayLike, *, beta: float
) -> Floats:
    r"""Mean reward less the price of the divergence, :math:`\E_\pi r - \beta \KL{\pi}{\pi_0}`.

    Parameters
    ----------
    policy : array_like, shape (..., A)
        Policy π: probabilities of the A answers to each prompt.
    reference : array_like, shape (..., A)
        Reference policy π₀.
    rewards : array_like, shape (..., A)
        Reward of each answer.
    beta : float
        Price β of a nat of divergence, at least 0.

    Returns
    -------
    ndarray, shape (...)
        In units of reward; for β > 0, −∞ if the policy gives what the reference rules out.

    Raises
    ------
    ValueError
        If the shapes differ, a reward is not finite, a policy is no distribution, or β is negative.

    Notes
    -----
    Implements :eq:`eq-regularized-objective`.

    Examples
    --------
    >>> from primer_ref.gibbs import regularized_objective
    >>> reference, rewards = [0.5, 0.3, 0.2], [0.0, 1.0, 2.0]
    >>> print(f"{regularized_objective([0.2, 0.3, 0.5], reference, rewards, beta=0.5):.4f}")
    1.1626
    """
    check_nonnegative_finite(beta, "beta")
    rewards, policy, reference = _policies(rewards, {"policy": policy, "reference": reference})
    given = policy > 0
    with np.errstate(divide="ignore"):
        log_ratio = np.log(np.where(given, policy, 1)) - np.log(np.where(given, reference, 1))
    priced = rewards - beta * log_ratio if beta > 0 else rewards  # 0 · ∞ would be NaN
    value: Floats = np.sum(policy * priced, axis=-1)
    return value


def reward_kl_frontier(
    reference: ArrayLike, rewards: ArrayLike, betas: ArrayLike
) -> tuple[Floats, Floats]:
    r"""Trace the greatest mean reward at each divergence, by the Gibbs policies of many β.

    Parameters
    ----------
    reference : array_like, shape (A,)
        Reference policy.
    rewards : array_like, shape (A,)
        Reward of each answer.
    betas : array_like, shape (n,)
        Prices of divergence, all positive.

    Returns
    -------
    rewards, divergences : ndarray, shape (n,)
        Mean reward of each policy, and its divergence from the reference in nats.

    Raises
    ------
    ValueError
        As for `gibbs_policy`.

    Notes
    -----
    The frontier is concave, and β is its slope: what one more nat buys. No policy lies above it.

    Implements :eq:`eq-reward-kl-frontier`.

    Examples
    --------
    >>> from primer_ref.gibbs import reward_kl_frontier
    >>> reward, divergence = reward_kl_frontier([0.5, 0.3, 0.2], [0.0, 1.0, 2.0], [10.0, 1.0, 0.1])
    >>> print(reward.round(3), divergence.round(3))
    [0.762 1.35  2.   ] [0.003 0.323 1.609]
    """
    rewards, reference = _policies(rewards, {"reference": reference})
    best = [gibbs_policy(reference, rewards, beta=float(beta)) for beta in as_floats(betas)]
    return np.array([p @ rewards for p in best]), np.array(
        [kl_divergence(p, reference) for p in best]
    )


def best_of_n_policy(reference: ArrayLike, rewards: ArrayLike, n: int) -> Floats:
    r"""Law of the best of n draws, :math:`\pi_0(y)\,\frac{F(r)^n - F(r^-)^n}{F(r) - F(r^-)}`.

    F is the distribution function of the reward of one draw, :math:`r = r(y)`, and
    :math:`F(r^-)` its value just below r.

    Parameters
    ----------
    reference : array_like, shape (A,)
        Law of one draw.
    rewards : array_like, shape (A,)
        Reward of each answer.
    n : int
        Number of draws.

    Returns
    -------
    ndarray, shape (A,)
        Probabilities. Among answers of equal reward the one that is kept follows the reference, as
        when ties go to the first draw or to a random one.

    Raises
    ------
    ValueError
        If the shapes differ, a reward is not finite, the reference is no distribution, or n is
        below 1.

    Notes
    -----
    Implements :eq:`eq-best-of-n`.

    Examples
    --------
    >>> from primer_ref.gibbs import best_of_n_policy
    >>> print(best_of_n_policy([0.5, 0.25, 0.25], [0.0, 1.0, 1.0], 2))
    [0.25  0.375 0.375]
    """
    rewards, reference = _policies(rewards, {"reference": reference})
    if n < 1 or rewards.ndim != 1:
        raise ValueError(f"n must be at least 1, for one prompt; got {n} and {rewards.ndim} axes")
    _, level = np.unique(rewards, return_inverse=True)
    mass = np.bincount(level, weights=reference)
    upto = np.cumsum(mass)
    # b^n − (b − m)^n of a level of mass m, without the cancellation.
    with np.errstate(divide="ignore"):
        kept = n * np.log1p(-np.minimum(mass / np.where(upto > 0, upto, 1), 1))
    won = -(upto**n) * np.expm1(kept)
    # At a level without mass the limit is n F^(n − 1); the reference is 0 there, so any will do.
    lift: Floats = won / np.where(mass > 0, mass, 1)
    return reference * lift[level]


def best_of_n_kl_bound(n: int) -> float:
    r"""Bound the divergence of best-of-n from the reference, :math:`\log n - \frac{n - 1}{n}`.

    Parameters
    ----------
    n : int
        Number of draws.

    Returns
    -------
    float
        Nats.

    Raises
    ------
    ValueError
        If n is below 1.

    Notes
    -----
    An upper bound, not reached from n = 2 on, and approached when all rewards differ and every
    answer is much rarer than 1/n. No policy that keeps to the reference's answers diverges by more
    than the surprisal of the rarest, so that for few answers and many draws the bound is far too
    large.

    Implements :eq:`eq-best-of-n-bound`.

    References
    ----------
    A. Beirami, A. Agarwal, J. Berant, A. D'Amour, J. Eisenstein, C. Nagpal and A. T. Suresh (2024),
    Theoretical Guarantees on the Best-of-n Alignment Policy.

    Examples
    --------
    >>> from primer_ref.gibbs import best_of_n_kl_bound, best_of_n_policy
    >>> from primer_ref.information import kl_divergence
    >>> coin = [0.5, 0.5]
    >>> exact = kl_divergence(best_of_n_policy(coin, [0.0, 1.0], 4), coin)
    >>> print(f"{exact:.4f} of at most {best_of_n_kl_bound(4):.4f}")
    0.4594 of at most 0.6363
    """
    if n < 1:
        raise ValueError(f"n must be at least 1; got {n}")
    return math.log(n) - (n - 1) / n
