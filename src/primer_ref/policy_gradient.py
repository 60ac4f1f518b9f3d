r"""Policy gradients: the score function, its baselines, and advantages over several steps.

The policy is a softmax over listed actions, so that expectations over it are exact. An estimate
from a sample is the same expression with one action in place of the sum.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats, softmax, softmax_vjp

__all__ = [
    "advantages",
    "optimal_baseline",
    "policy_gradient",
    "policy_gradient_variance",
]

Floats = NDArray[np.floating[Any]]


def _actions(logits: ArrayLike, rewards: ArrayLike) -> tuple[Floats, Floats]:
    p, rewards = softmax(logits), as_floats(rewards)
    if p.ndim != 1 or p.shape != rewards.shape or not np.all(np.isfinite(rewards)):
        raise ValueError(
            f"there must be one finite reward an action; got shapes {rewards.shape} and {p.shape}"
        )
    return p, rewards


def policy_gradient(logits: ArrayLike, rewards: ArrayLike, *, baseline: float = 0.0) -> Floats:
    r"""Gradient of the mean reward of a softmax policy, as a mean of scores.

    .. math:: \nabla J = \E_{a \sim \pi} \bigl[(r(a) - b)\, \nabla\log\pi(a)\bigr], \qquad
        \nabla_s \log\pi(a) = e_a - \pi.

    Parameters
    ----------
    logits : array_like, shape (A,)
        Scores s of the actions.
    rewards : array_like, shape (A,)
        Reward of each action.
    baseline : float
        Number b taken off every reward; it changes nothing but rounding here.

    Returns
    -------
    ndarray, shape (A,)
        The exact gradient at the logits: each probability times its action's advantage over the
        mean reward.

    Raises
    ------
    ValueError
        If there is not one finite reward an action.

    Notes
    -----
    Scores have mean 0 under their own policy, so a baseline that does not depend on the action
    leaves the mean and changes the variance: see `policy_gradient_variance`.

    Implements :eq:`eq-policy-gradient`.

    References
    ----------
    R. J. Williams (1992), Simple Statistical Gradient-Following Algorithms for Connectionist
    Reinforcement Learning.

    Examples
    --------
    >>> from primer_ref.policy_gradient import policy_gradient
    >>> print(policy_gradient([0.0, 0.0], [1.0, 0.0]))
    [ 0.25 -0.25]
    """
    p, rewards = _actions(logits, rewards)
    return softmax_vjp(p, rewards - baseline)


def policy_gradient_variance(
    logits: ArrayLike, rewards: ArrayLike, *, baseline: float = 0.0
) -> float:
    r"""Variance of the gradient estimate from one action, summed over its coordinates.

    .. math:: \E \bigl[(r(a) - b)^2 \norm{e_a - \pi}^2\bigr] - \norm{\nabla J}^2.

    Parameters
    ----------
    logits : array_like, shape (A,)
        Scores of the actions.
    rewards : array_like, shape (A,)
        Reward of each action.
    baseline : float
        Number b taken off every reward.

    Returns
    -------
    float
        Exact; a mean over n actions has 1/n of it.

    Raises
    ------
    ValueError
        If there is not one finite reward an action.

    Notes
    -----
    Implements :eq:`eq-policy-gradient-variance`.

    Examples
    --------
    >>> from primer_ref.policy_gradient import policy_gradient_variance
    >>> logits, rewards = [0.0, 0.0], [10.0, 9.0]
    >>> [policy_gradient_variance(logits, rewards, baseline=b) for b in (0.0, 9.5)]
    [45.125, 0.0]
    """
    p, rewards = _actions(logits, rewards)
    second = np.sum(p * (rewards - baseline) ** 2 * _score_sizes(p))
    return float(second - np.sum(softmax_vjp(p, rewards) ** 2))


def _score_sizes(p: Floats) -> Floats:
    """Squared length of e_a − p for every action."""
    sizes: Floats = 1 - 2 * p + np.sum(p * p)
    top = np.argmax(p)
    others = np.delete(p, top)
    sizes[top] = np.sum(others) ** 2 + np.sum(others * others)  # the one that may cancel
    return sizes


def optimal_baseline(logits: ArrayLike, rewards: ArrayLike) -> float:
    r"""Baseline of least variance, the mean reward under weights :math:`\norm{\nabla\log\pi}^2`.

    Parameters
    ----------
    logits : array_like, shape (A,)
        Scores of the actions.
    rewards : array_like, shape (A,)
        Reward of each action.

    Returns
    -------
    float
        Rare actions have long scores: of two, the rarer one's reward has the larger weight. The
        mean reward if the policy gives one action alone: any baseline is as good then.

    Raises
    ------
    ValueError
        If there is not one finite reward an action.

    Notes
    -----
    The variance is a parabola in b, unless all scores that occur are 0; this is its vertex.

    Implements :eq:`eq-optimal-baseline`.

    Examples
    --------
    >>> from primer_ref.policy_gradient import optimal_baseline
    >>> print(f"{optimal_baseline([2.0, 0.0], [1.0, 0.0]):.4f}")  # the mean reward is 0.8808
    0.1192
    """
    p, rewards = _actions(logits, rewards)
    weights: Floats = p * _score_sizes(p)
    if not np.any(weights > 0):
        weights = p
    return float(np.sum(weights * rewards) / np.sum(weights))


def advantages(
    rewards: ArrayLike, values: ArrayLike, *, discount: float = 1.0, decay: float = 0.95
) -> Floats:
    r"""Generalized advantage estimates, :math:`\hat A_t = \delta_t + \gamma\lambda \hat A_{t+1}`.

    The surprise of a step is :math:`\delta_t = r_t + \gamma V_{t+1} - V_t`.

    Parameters
    ----------
    rewards : array_like, shape (..., T)
        Reward of each step.
    values : array_like, shape (..., T + 1)
        Expected return V before each step, and after the last: 0 there if the episode has ended.
    discount : float
        Discount γ in [0, 1].
    decay : float
        Trust λ in [0, 1] in what came over what was expected: 1 takes returns as they came, 0
        looks one step ahead.

    Returns
    -------
    ndarray, shape (..., T)
        Advantages. Added to the values they give targets for these.

    Raises
    ------
    ValueError
        If there is not one value more than rewards, or γ or λ is not in [0, 1].

    Notes
    -----
    Implements :eq:`eq-advantage-estimate`.

    References
    ----------
    J. Schulman, P. Moritz, S. Levine, M. I. Jordan and P. Abbeel (2016), High-Dimensional
    Continuous Control Using Generalized Advantage Estimation.

    Examples
    --------
    >>> from primer_ref.policy_gradient import advantages
    >>> print(advantages([0.0, 1.0], [0.5, 0.6, 0.0], decay=1.0))
    [0.5 0.4]
    """
    rewards, values = as_floats(rewards), as_floats(values)
    if rewards.ndim == 0 or values.shape != (*rewards.shape[:-1], rewards.shape[-1] + 1):
        raise ValueError(
            "there must be one value more than rewards; "
            f"got shapes {values.shape} and {rewards.shape}"
        )
    if not (0 <= discount <= 1 and 0 <= decay <= 1):
        raise ValueError(f"discount and decay must be in [0, 1]; got {discount} and {decay}")
    surprise = rewards + discount * values[..., 1:] - values[..., :-1]
    found = np.empty_like(surprise)
    after: Any = 0.0
    for t in reversed(range(rewards.shape[-1])):
        found[..., t] = after = surprise[..., t] + discount * decay * after
    return found
