r"""Losses that learn a policy straight from preferences: DPO, IPO, KTO, SimPO.

Log-probabilities are those of whole answers given their prompts: sums over tokens, in nats. β is
the price of a nat of divergence from the reference, as in :math:`\E r - \beta \KL{\pi}{\pi_0}`;
some texts write 1/β for it. The reference is a constant: no gradient goes there.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.activations import sigmoid
from primer_ref.checks import check_positive_finite
from primer_ref.functional import as_floats
from primer_ref.kl_estimators import log_ratio
from primer_ref.preferences import bradley_terry_loss

__all__ = [
    "dpo_gradient_weight",
    "dpo_loss",
    "implicit_reward",
    "ipo_loss",
    "kto_loss",
    "preference_margin",
    "simpo_loss",
]

Floats = NDArray[np.floating[Any]]


def implicit_reward(log_policy: ArrayLike, log_reference: ArrayLike, *, beta: float) -> Floats:
    r"""Reward for which a policy is the best one, :math:`\beta \log (\pi / \pi_0)`.

    Parameters
    ----------
    log_policy : array_like, shape (...)
        Log-probabilities of answers under the policy π.
    log_reference : array_like, shape (...)
        Those of the same answers under the reference π₀.
    beta : float
        Price β > 0 of divergence.

    Returns
    -------
    ndarray, shape (...)
        Rewards, up to a constant β log Z that the answers to one prompt share.

    Raises
    ------
    ValueError
        If the shapes differ, there are none, one is above 0 or not finite, or β is not positive.

    Notes
    -----
    Implements :eq:`eq-implicit-reward`.

    References
    ----------
    R. Rafailov, A. Sharma, E. Mitchell, S. Ermon, C. D. Manning and C. Finn (2023), Direct
    Preference Optimization: Your Language Model is Secretly a Reward Model.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.alignment import implicit_reward
    >>> print(implicit_reward(np.log([0.8, 0.2]), np.log([0.5, 0.5]), beta=0.1).round(4))
    [ 0.047  -0.0916]
    """
    check_positive_finite(beta, "beta")
    return beta * log_ratio(log_policy, log_reference)


def preference_margin(
    chosen: ArrayLike,
    rejected: ArrayLike,
    reference_chosen: ArrayLike,
    reference_rejected: ArrayLike,
) -> Floats:
    r"""How much the policy has raised the odds of the chosen answer against the rejected one.

    .. math:: h = \log\frac{\pi(y_+)}{\pi_0(y_+)} - \log\frac{\pi(y_-)}{\pi_0(y_-)}.

    Parameters
    ----------
    chosen : array_like, shape (...)
        Log-probabilities of the preferred answers y₊ under the policy.
    rejected : array_like, shape (...)
        Those of the answers y₋ that they were preferred to.
    reference_chosen : array_like, shape (...)
        Log-probabilities of the preferred answers under the reference.
    reference_rejected : array_like, shape (...)
        Those of the other answers.

    Returns
    -------
    ndarray, shape (...)
        Nats; 0 at the reference.

    Raises
    ------
    ValueError
        If the shapes differ, there are none, or one is above 0 or not finite.

    Notes
    -----
    Implements :eq:`eq-preference-margin`.

    Examples
    --------
    >>> from primer_ref.alignment import preference_margin
    >>> float(preference_margin(-3.0, -6.0, -2.0, -4.0))  # both fell, the rejected one further
    1.0
    """
    raised, lowered = log_ratio(chosen, reference_chosen), log_ratio(rejected, reference_rejected)
    if raised.shape != lowered.shape:
        raise ValueError(
            f"there must be one rejected a chosen; got shapes {raised.shape} and {lowered.shape}"
        )
    return raised - lowered


def dpo_loss(
    chosen: ArrayLike,
    rejected: ArrayLike,
    reference_chosen: ArrayLike,
    reference_rejected: ArrayLike,
    *,
    beta: float,
) -> Floats:
    r"""Direct preference optimization: the Bradley–Terry loss of the implicit rewards.

    .. math:: -\frac1n \sum \log\sigma(\beta h), \qquad
        h = \log\frac{\pi(y_+)}{\pi_0(y_+)} - \log\frac{\pi(y_-)}{\pi_0(y_-)}.

    Parameters
    ----------
    chosen : array_like, shape (...)
        Log-probabilities of the preferred answers y₊ under the policy.
    rejected : array_like, shape (...)
        Those of the answers y₋ that they were preferred to.
    reference_chosen : array_like, shape (...)
        Log-probabilities of the preferred answers under the reference.
    reference_rejected : array_like, shape (...)
        Those of the other answers.
    beta : float
        Price β > 0 of divergence.

    Returns
    -------
    ndarray, shape ()
        Nats a pair; log 2 at the reference.

    Raises
    ------
    ValueError
        If the shapes differ, there are none, one is above 0 or not finite, or β is not positive.

    Notes
    -----
    The log-probabilities are sums over an answer's tokens; means in their place are another loss.
    Exact, in that its minimum over all policies is the policy that the true reward and β call for,
    if preferences follow the Bradley–Terry model, chains of pairs connect all answers, and the
    reference gives them all some probability. It sees only the difference h: both probabilities may
    fall.

    Implements :eq:`eq-dpo-loss`.

    References
    ----------
    R. Rafailov, A. Sharma, E. Mitchell, S. Ermon, C. D. Manning and C. Finn (2023), Direct
    Preference Optimization: Your Language Model is Secretly a Reward Model.

    Examples
    --------
    >>> from primer_ref.alignment import dpo_loss
    >>> print(f"{dpo_loss([-3.0], [-6.0], [-2.0], [-4.0], beta=0.1):.4f}")
    0.6444
    """
    return bradley_terry_loss(
        implicit_reward(chosen, reference_chosen, beta=beta),
        implicit_reward(rejected, reference_rejected, beta=beta),
    )


def dpo_gradient_weight(
    chosen: ArrayLike,
    rejected: ArrayLike,
    reference_chosen: ArrayLike,
    reference_rejected: ArrayLike,
    *,
    beta: float,
) -> Floats:
    r"""Weight with which a pair pulls at the policy, :math:`\beta\,\sigma(-\beta h)`.

    Parameters
    ----------
    chosen : array_like, shape (...)
        Log-probabilities of the preferred answers under the policy.
    rejected : array_like, shape (...)
        Those of the answers that they were preferred to.
    reference_chosen : array_like, shape (...)
        Log-probabilities of the preferred answers under the reference.
    reference_rejected : array_like, shape (...)
        Those of the other answers.
    beta : float
        Price β > 0 of divergence.

    Returns
    -------
    ndarray, shape (...)
        The gradient of `dpo_loss` is minus the mean of this weight times
        :math:`\nabla\log\pi(y_+) - \nabla\log\pi(y_-)`: a pair that the implicit rewards already
        order rightly pulls less.

    Raises
    ------
    ValueError
        If the shapes differ, there are none, one is above 0 or not finite, or β is not positive.

    Notes
    -----
    Implements :eq:`eq-dpo-gradient`.

    Examples
    --------
    >>> from primer_ref.alignment import dpo_gradient_weight
    >>> print(dpo_gradient_weight([-3.0], [-6.0], [-2.0], [-4.0], beta=0.1).round(4))
    [0.0475]
    """
    check_positive_finite(beta, "beta")
    h = preference_margin(chosen, rejected, reference_chosen, reference_rejected)
    return beta * sigmoid(-beta * h)


def ipo_loss(
    chosen: ArrayLike,
    rejected: ArrayLike,
    reference_chosen: ArrayLike,
    reference_rejected: ArrayLike,
    *,
    beta: float,
) -> Floats:
    r"""Identity preference optimization: regress the margin on :math:`1/(2\beta)`.

    .. math:: \frac1n \sum \left(h - \frac{1}{2\beta}\right)^2.

    Parameters
    ----------
    chosen : array_like, shape (...)
        Log-probabilities of the preferred answers under the policy.
    rejected : array_like, shape (...)
        Those of the answers that they were preferred to.
    reference_chosen : array_like, shape (...)
        Log-probabilities of the preferred answers under the reference.
    reference_rejected : array_like, shape (...)
        Those of the other answers.
    beta : float
        Price β > 0 of divergence; the paper calls it τ.

    Returns
    -------
    ndarray, shape ()
        Mean square, in nats².

    Raises
    ------
    ValueError
        If the shapes differ, there are none, one is above 0 or not finite, or β is not positive.

    Notes
    -----
    Over pairs drawn independently, both answers from one law, the minimum is at
    :math:`\pi_0 e^{r/\beta}/Z` with :math:`r(y) = \E_{y'} \Psi(P(y \succ y'))` and Ψ the identity.
    Under Bradley–Terry preferences that of `dpo_loss` has the same form with Ψ the logit, which is
    unbounded: preferences without exception push its margin to infinity, and this one to 1/(2β).

    Implements :eq:`eq-ipo-loss`.

    References
    ----------
    M. G. Azar, Z. D. Guo, B. Piot, R. Munos, M. Rowland, M. Valko and D. Calandriello (2024), A
    General Theoretical Paradigm to Understand Learning from Human Preferences.

    Examples
    --------
    >>> from primer_ref.alignment import ipo_loss
    >>> float(ipo_loss([-3.0], [-6.0], [-2.0], [-4.0], beta=0.25))
    1.0
    """
    check_positive_finite(beta, "beta")
    h = preference_margin(chosen, rejected, reference_chosen, reference_rejected)
    value: Floats = np.sum((h - 1 / (2 * beta)) ** 2) / h.size
    return value


def kto_loss(
    log_policy: ArrayLike,
    log_reference: ArrayLike,
    desirable: ArrayLike,
    *,
    beta: float,
    reference_point: float,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
) -> Floats:
    r"""Kahneman–Tversky optimization: learn from single answers that are good or bad.

    .. math:: \frac1n \sum \lambda_y\, \sigma(\mp\beta(h_y - z_0)), \qquad
        h_y = \log\frac{\pi(y)}{\pi_0(y)},

    with − for desirable answers and + for the others.

    Parameters
    ----------
    log_policy : array_like, shape (n,)
        Log-probabilities of the answers under the policy.
    log_reference : array_like, shape (n,)
        Those under the reference.
    desirable : array_like of bool, shape (n,)
        Which answers are good.
    beta : float
        Slope β > 0.
    reference_point : float
        Estimate :math:`z_0 \ge 0` of the divergence of the policy from the reference; a number,
        through which no gradient goes.
    desirable_weight : float
        Weight λ of the good answers.
    undesirable_weight : float
        Weight λ of the bad answers.

    Returns
    -------
    ndarray, shape ()
        Between 0 and the larger weight.

    Raises
    ------
    ValueError
        If the shapes differ, there are none, one is above 0 or not finite, ``desirable`` does not
        hold truth values, β is not positive, or the reference point is negative.

    Notes
    -----
    Where σ is flat the pull is small: on answers far beyond the reference point on either side,
    also on good ones that have become much less likely than under the reference.

    Implements :eq:`eq-kto-loss`.

    References
    ----------
    K. Ethayarajh, W. Xu, N. Muennighoff, D. Jurafsky and D. Kiela (2024), KTO: Model Alignment as
    Prospect Theoretic Optimization.

    Examples
    --------
    >>> from primer_ref.alignment import kto_loss
    >>> loss = kto_loss([-1.0, -5.0], [-2.0, -4.0], [True, False], beta=1.0, reference_point=0.5)
    >>> print(f"{loss:.4f}")
    0.2800
    """
    check_positive_finite(beta, "beta")
    if not 0 <= reference_point < math.inf:
        raise ValueError(f"reference_point must be finite, not negative; got {reference_point}")
    h, desirable = log_ratio(log_policy, log_reference), np.asarray(desirable)
    if desirable.shape != h.shape or desirable.dtype != np.bool_:
        raise ValueError(
            "desirable must hold one truth value an answer; "
            f"got shape {desirable.shape} of {desirable.dtype}"
        )
    gain = beta * (h - reference_point)
    weight = np.where(desirable, desirable_weight, undesirable_weight)
    losses: Any = weight * sigmoid(np.where(desirable, -gain, gain))
    value: Floats = np.sum(losses) / losses.size
    return value


def simpo_loss(
    chosen: ArrayLike,
    rejected: ArrayLike,
    chosen_lengths: ArrayLike,
    rejected_lengths: ArrayLike,
    *,
    beta: float,
    margin: float,
) -> Floats:
    r"""Preference loss of mean token log-probabilities, without a reference.

    .. math:: -\frac1n \sum \log\sigma\left(\frac{\beta}{\abs{y_+}} \log\pi(y_+)
        - \frac{\beta}{\abs{y_-}} \log\pi(y_-) - \gamma\right).

    Parameters
    ----------
    chosen : array_like, shape (...)
        Log-probabilities of the preferred answers y₊, summed over their tokens.
    rejected : array_like, shape (...)
        Those of the answers y₋ that they were preferred to.
    chosen_lengths : array_like, shape (...)
        Numbers of tokens of the preferred answers.
    rejected_lengths : array_like, shape (...)
        Those of the other answers.
    beta : float
        Scale β > 0 of the reward; nothing here holds the policy near where it started.
    margin : float
        Margin γ by which the chosen answer's reward shall be larger.

    Returns
    -------
    ndarray, shape ()
        Nats a pair.

    Raises
    ------
    ValueError
        If the shapes differ, there are none, a log-probability is above 0 or not finite, a length
        is below 1, or β is not positive.

    Notes
    -----
    The mean removes the advantage of short answers, whose log-probabilities are sums of fewer
    terms; `dpo_loss` leaves it to the reference to do that.

    Implements :eq:`eq-simpo-loss`.

    References
    ----------
    Y. Meng, M. Xia and D. Chen (2024), SimPO: Simple Preference Optimization with a Reference-Free
    Reward.

    Examples
    --------
    >>> from primer_ref.alignment import simpo_loss
    >>> print(f"{simpo_loss([-6.0], [-5.0], [6], [4], beta=2.0, margin=0.5):.4f}")
    0.6931
    """
    check_positive_finite(beta, "beta")
    mean_chosen = _mean_log_probs(chosen, chosen_lengths)
    mean_rejected = _mean_log_probs(rejected, rejected_lengths)
    reward = beta * log_ratio(mean_chosen, mean_rejected)
    return bradley_terry_loss(reward, np.full(reward.shape, margin))


def _mean_log_probs(log_probs: ArrayLike, lengths: ArrayLike) -> Floats:
    log_probs, lengths = as_floats(log_probs), np.asarray(lengths)
    if lengths.shape != log_probs.shape or not np.all(lengths >= 1):
        raise ValueError(f"there must be one length an answer, at least 1; got {lengths.tolist()}")
    value: Floats = log_probs / lengths
    return value
