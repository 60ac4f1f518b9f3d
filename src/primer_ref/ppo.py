r"""Proximal policy optimization: the clipped surrogate, whom it silences, and GRPO's groups.

Samples come from an older policy; the ratio ρ is the probability of a sample now over that then.
Advantages are numbers: no gradient goes through them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_share
from primer_ref.functional import as_floats
from primer_ref.kl_estimators import log_ratio

__all__ = [
    "grpo_advantages",
    "grpo_loss",
    "ppo_is_clipped",
    "ppo_loss",
    "ppo_surrogate",
    "rloo_advantages",
]

Floats = NDArray[np.floating[Any]]


def ppo_surrogate(ratio: ArrayLike, advantages: ArrayLike, *, clip: float = 0.2) -> Floats:
    r"""PPO's clipped surrogate, :math:`\min(\rho A, \operatorname{clip}(\rho, 1 \pm \epsilon) A)`.

    Parameters
    ----------
    ratio : array_like, shape (...)
        Probability ratio ρ of the policy to the one that drew the sample.
    advantages : array_like, shape (...)
        Advantage A of the sample.
    clip : float
        Half-width ε of the range of ratios, in (0, 1).

    Returns
    -------
    ndarray, shape (...)
        Never above ρ A: what the policy would gain by going further is cut off, what it must undo
        is not.

    Raises
    ------
    ValueError
        If the shapes differ, a ratio is negative or NaN, or ε is not in (0, 1).

    Notes
    -----
    Implements :eq:`eq-ppo-surrogate`.

    References
    ----------
    J. Schulman, F. Wolski, P. Dhariwal, A. Radford and O. Klimov (2017), Proximal Policy
    Optimization Algorithms.

    Examples
    --------
    >>> from primer_ref.ppo import ppo_surrogate
    >>> print(ppo_surrogate([1.5, 1.5, 0.5, 0.5], [1.0, -1.0, 1.0, -1.0]))
    [ 1.2 -1.5  0.5 -0.8]
    """
    ratio, advantages = _ratios(ratio, advantages)
    check_share(clip, "clip")
    value: Floats = np.minimum(ratio * advantages, np.clip(ratio, 1 - clip, 1 + clip) * advantages)
    return value


def _ratios(ratio: ArrayLike, advantages: ArrayLike) -> tuple[Floats, Floats]:
    ratio, advantages = as_floats(ratio), as_floats(advantages)
    if ratio.shape != advantages.shape or ratio.size == 0:
        raise ValueError(
            f"there must be one advantage a sample; got shapes {advantages.shape} and {ratio.shape}"
        )
    if not np.all(ratio >= 0):
        raise ValueError("ratios of probabilities must not be negative")
    return ratio, advantages


def ppo_is_clipped(
    ratio: ArrayLike, advantages: ArrayLike, *, clip: float = 0.2
) -> NDArray[np.bool_]:
    r"""Say which samples `ppo_surrogate` silences: their gradient is 0.

    Parameters
    ----------
    ratio : array_like, shape (...)
        Probability ratio ρ of the policy to the one that drew the sample.
    advantages : array_like, shape (...)
        Advantage A of the sample.
    clip : float
        Half-width ε of the range of ratios, in (0, 1).

    Returns
    -------
    ndarray of bool, shape (...)
        True where A > 0 and ρ > 1 + ε, or A < 0 and ρ < 1 − ε: the policy has moved the right way
        already, and by enough.

    Raises
    ------
    ValueError
        If the shapes differ, a ratio is negative or NaN, or ε is not in (0, 1).

    Notes
    -----
    A sample that has gone the wrong way is never silenced, however far; nor does clipping keep the
    policy near: it only stops pushing.

    Implements :eq:`eq-ppo-clipped`.

    Examples
    --------
    >>> from primer_ref.ppo import ppo_is_clipped
    >>> print(ppo_is_clipped([1.5, 1.5, 0.5, 0.5], [1.0, -1.0, 1.0, -1.0]))
    [ True False False  True]
    """
    ratio, advantages = _ratios(ratio, advantages)
    check_share(clip, "clip")
    upward = (advantages > 0) & (ratio > 1 + clip)
    downward = (advantages < 0) & (ratio < 1 - clip)
    return np.asarray(upward | downward)


def ppo_loss(
    log_probs: ArrayLike, old_log_probs: ArrayLike, advantages: ArrayLike, *, clip: float = 0.2
) -> Floats:
    r"""Minus the mean of `ppo_surrogate` over samples.

    Parameters
    ----------
    log_probs : array_like, shape (...)
        Log-probabilities of the sampled actions under the policy.
    old_log_probs : array_like, shape (...)
        Those under the policy that drew them.
    advantages : array_like, shape (...)
        Their advantages.
    clip : float
        Half-width ε of the range of ratios, in (0, 1).

    Returns
    -------
    ndarray, shape ()
        Minus the mean advantage where the policies are the same; its gradient is minus the policy
        gradient there.

    Raises
    ------
    ValueError
        If the shapes differ or are empty, a log-probability is above 0 or not finite, or ε is not
        in (0, 1).

    Notes
    -----
    Implements :eq:`eq-ppo-loss`.

    References
    ----------
    J. Schulman, F. Wolski, P. Dhariwal, A. Radford and O. Klimov (2017), Proximal Policy
    Optimization Algorithms.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.ppo import ppo_loss
    >>> print(f"{ppo_loss(np.log([0.6, 0.2]), np.log([0.4, 0.2]), [1.0, -1.0]):.4f}")
    -0.1000
    """
    ratio: Floats = np.exp(log_ratio(log_probs, old_log_probs))
    surrogate: Any = ppo_surrogate(ratio, advantages, clip=clip)
    value: Floats = -np.sum(surrogate) / ratio.size
    return value


def _groups(rewards: ArrayLike) -> Floats:
    rewards = as_floats(rewards)
    if rewards.ndim == 0 or rewards.shape[-1] < 2 or not np.all(np.isfinite(rewards)):
        raise ValueError(
            f"a group must hold at least 2 answers with finite rewards; got shape {rewards.shape}"
        )
    return rewards


def grpo_advantages(rewards: ArrayLike) -> Floats:
    r"""Compare each answer with its group, :math:`(r_i - \bar r) / \operatorname{sd}(r)`.

    Parameters
    ----------
    rewards : array_like, shape (..., G)
        Rewards of the G answers to each prompt.

    Returns
    -------
    ndarray, shape (..., G)
        Advantages of mean 0 and mean square 1 in each group; all 0 in a group whose rewards are
        alike to rounding.

    Raises
    ------
    ValueError
        If a group has fewer than 2 answers, or a reward is not finite.

    Notes
    -----
    The standard deviation has the divisor G. Programs that take G − 1, and add a small number to
    it, get smaller ones, by a factor a little below :math:`\sqrt{(G - 1)/G}`.

    Two biases come with the form. The mean holds the answer's own reward, which shrinks the
    expected gradient by (G − 1)/G for every prompt alike. Division by sd(r) does not treat prompts
    alike: where answers are right with probability p, it multiplies the gradient by about
    :math:`1/\sqrt{p(1 - p)}` in large groups, so that prompts which are nearly always or nearly
    never solved get more than their share of the gradient of p, which is small there. (With 2 or 3
    answers in a group the factor is the same for all p.)

    Implements :eq:`eq-grpo-advantages`.

    References
    ----------
    Z. Shao et al. (2024), DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open
    Language Models. Z. Liu, C. Chen, W. Li, P. Qi, T. Pang, C. Du, W. S. Lee and M. Lin (2025),
    Understanding R1-Zero-Like Training: A Critical Perspective.

    Examples
    --------
    >>> from primer_ref.ppo import grpo_advantages
    >>> print(grpo_advantages([[1.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]]).round(3))
    [[ 1.732 -0.577 -0.577 -0.577]
     [ 0.     0.     0.     0.   ]]
    """
    rewards = _groups(rewards)
    size = np.max(np.abs(rewards), axis=-1, keepdims=True)
    scaled = rewards / np.where(size > 0, size, 1)  # squares neither overflow nor vanish
    alike = np.ptp(scaled, axis=-1, keepdims=True) <= 8 * np.finfo(scaled.dtype).eps
    centered = scaled - np.mean(scaled, axis=-1, keepdims=True)
    centered = centered - np.mean(centered, axis=-1, keepdims=True)  # what rounding left
    deviation = np.sqrt(np.mean(centered**2, axis=-1, keepdims=True))
    return np.where(alike, 0, centered / np.where(alike, 1, deviation))


def rloo_advantages(rewards: ArrayLike) -> Floats:
    r"""Compare each answer with the others of its group.

    .. math:: r_i - \frac{1}{G - 1} \sum_{j \ne i} r_j = \frac{G}{G - 1}\,(r_i - \bar r).

    Parameters
    ----------
    rewards : array_like, shape (..., G)
        Rewards of the G answers to each prompt.

    Returns
    -------
    ndarray, shape (..., G)
        Advantages. A baseline without the answer's own reward keeps the gradient unbiased.

    Raises
    ------
    ValueError
        If a group has fewer than 2 answers, or a reward is not finite.

    Notes
    -----
    Implements :eq:`eq-rloo-advantages`.

    References
    ----------
    W. Kool, H. van Hoof and M. Welling (2019), Buy 4 REINFORCE Samples, Get a Baseline for Free!

    A. Ahmadian, C. Cremer, M. Gallé, M. Fadaee, J. Kreutzer, O. Pietquin, A. Üstün and S. Hooker
    (2024), Back to Basics: Revisiting REINFORCE-Style Optimization for Learning from Human Feedback
    in LLMs.

    Examples
    --------
    >>> from primer_ref.ppo import rloo_advantages
    >>> print(rloo_advantages([1.0, 0.0, 0.0]))
    [ 1.  -0.5 -0.5]
    """
    rewards = _groups(rewards)
    n = rewards.shape[-1]
    value: Floats = n / (n - 1) * (rewards - np.mean(rewards, axis=-1, keepdims=True))
    return value


def grpo_loss(
    log_probs: ArrayLike,
    old_log_probs: ArrayLike,
    advantages: ArrayLike,
    mask: ArrayLike,
    *,
    clip: float = 0.2,
) -> Floats:
    r"""Average the surrogate over the tokens of each answer, then over answers; with a minus sign.

    .. math:: -\frac1G \sum_i \frac{1}{n_i} \sum_{t \le n_i}
        \min\bigl(\rho_{i,t} A_i, \operatorname{clip}(\rho_{i,t}, 1 \pm \epsilon) A_i\bigr).

    Parameters
    ----------
    log_probs : array_like, shape (G, T)
        Log-probabilities of the answers' tokens under the policy.
    old_log_probs : array_like, shape (G, T)
        Those under the policy that drew them.
    advantages : array_like, shape (G,)
        Advantage of each answer; all its tokens share it.
    mask : array_like of bool, shape (G, T)
        Which tokens are the answers' own, not padding.
    clip : float
        Half-width ε of the range of ratios, in (0, 1).

    Returns
    -------
    ndarray, shape ()
        Minus the mean surrogate; without a penalty for divergence.

    Raises
    ------
    ValueError
        If the shapes do not fit, a log-probability is above 0 or not finite, the mask does not
        hold truth values or leaves an answer empty, or ε is not in (0, 1).

    Notes
    -----
    Division by the length is a bias: the score of an answer is the sum of its tokens' scores, and
    here it counts 1/n. A long wrong answer is pushed down less a token than a short one, a short
    right answer is pulled up more. Dividing by one number for all answers has no such effect.

    Implements :eq:`eq-grpo-loss`.

    References
    ----------
    Z. Shao et al. (2024), DeepSeekMath: Pushing the Limits of Mathematical Reasoning in Open
    Language Models. Z. Liu, C. Chen, W. Li, P. Qi, T. Pang, C. Du, W. S. Lee and M. Lin (2025),
    Understanding R1-Zero-Like Training: A Critical Perspective.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.ppo import grpo_loss
    >>> old = np.log([[0.5, 0.5], [0.5, 0.9]])
    >>> new = np.log([[0.55, 0.45], [0.4, 0.9]])
    >>> print(f"{grpo_loss(new, old, [1.0, -1.0], [[True, True], [True, False]]):.4f}")
    -0.1000
    """
    ratio: Floats = np.exp(log_ratio(log_probs, old_log_probs))
    mask, advantages = np.asarray(mask), as_floats(advantages)
    if ratio.ndim != 2 or mask.shape != ratio.shape or advantages.shape != ratio.shape[:1]:
        raise ValueError(
            "there must be a row of tokens and of mask, and one advantage, an answer; "
            f"got shapes {ratio.shape}, {mask.shape} and {advantages.shape}"
        )
    lengths = np.sum(mask, axis=1)
    if mask.dtype != np.bool_ or not np.all(lengths > 0):
        raise ValueError("mask must hold truth values, and every answer a token")
    shared = np.broadcast_to(advantages[:, None], ratio.shape)
    surrogate = np.where(mask, ppo_surrogate(ratio, shared, clip=clip), 0)
    value: Floats = -np.sum(surrogate / lengths[:, None]) / len(lengths)
    return value
