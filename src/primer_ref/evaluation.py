"""Evaluation: comparisons, power, repeated answers, many tests, judges, orders, long texts."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_probability
from primer_ref.information import probabilities
from primer_ref.intervals import Estimate, finite_scores, mean_interval, normal_quantile

__all__ = [
    "benjamini_hochberg",
    "corrected_rate",
    "corrected_rate_error",
    "holm",
    "paired_difference",
    "pass_at_k",
    "pass_at_k_naive",
    "permutation_p_value",
    "questions_needed",
    "sign_test",
    "strided_windows",
    "variance_of_answers",
]

Floats = NDArray[np.floating[Any]]


def _row_of_probabilities(p: ArrayLike, name: str) -> Floats:
    return probabilities(finite_scores(p, name, at_least=1), name)


def paired_difference(a: ArrayLike, b: ArrayLike, *, level: float = 0.95) -> Estimate:
    r"""Difference of two means on the same questions, with the interval of the differences.

    Parameters
    ----------
    a, b : array_like, shape (n,)
        Scores of two models, question by question.
    level : float
        Nominal coverage.

    Returns
    -------
    Estimate
        The mean of a − b and its interval.

    Raises
    ------
    ValueError
        If the lengths differ, there are fewer than two questions, or the level is not in (0, 1).

    Notes
    -----
    Implements :eq:`eq-paired`.

    :math:`\Var(a - b) = \Var(a) + \Var(b) - 2\Cov(a, b)`: what both find hard or easy drops out,
    and the interval is the narrower the more they agree.

    Examples
    --------
    >>> from primer_ref.evaluation import paired_difference
    >>> found = paired_difference([1, 1, 0, 1, 1, 0] * 20, [1, 0, 0, 1, 1, 0] * 20)
    >>> print(f"{found.value:.3f} from {found.low:.3f} to {found.high:.3f}")
    0.167 from 0.100 to 0.234
    """
    a, b = finite_scores(a, "a"), finite_scores(b, "b")
    if a.shape != b.shape:
        raise ValueError(f"both must answer the same questions; got {len(a)} and {len(b)}")
    return mean_interval(a - b, level=level)


def sign_test(wins: int, losses: int) -> float:
    r"""Two-sided p-value of two models being equally good, from the questions on which they differ.

    :math:`\min(1, 2\,\P(X \le \min(w, l)))` with X binomial, of n = w + l and p = ½.

    Parameters
    ----------
    wins, losses : int
        Questions that only the first, and that only the second, answered rightly.

    Returns
    -------
    float
        The exact p-value (McNemar's test without its approximation).

    Raises
    ------
    ValueError
        If a count is negative or both are 0.

    Notes
    -----
    Implements :eq:`eq-sign-test`.

    Examples
    --------
    >>> from primer_ref.evaluation import sign_test
    >>> sign_test(11, 1)
    0.00634765625
    """
    if wins < 0 or losses < 0 or wins + losses == 0:
        raise ValueError(f"wins and losses must be at least 0, and one above; got {wins}, {losses}")
    n, fewer = wins + losses, min(wins, losses)
    tail: float = 2 * sum(math.comb(n, k) for k in range(fewer + 1)) / 2**n
    return min(1.0, tail)


def questions_needed(
    difference: float, *, variance: float, level: float = 0.95, power: float = 0.8
) -> float:
    r"""Find the sample size that shows a difference.

    .. math:: (z_{\alpha/2} + z_\beta)^2\, \sigma^2 / \delta^2

    Parameters
    ----------
    difference : float
        The true difference of means δ that should be found.
    variance : float
        Variance σ² of one question's contribution to the difference.
    level : float
        One less the share of false alarms α where there is no difference.
    power : float
        Share of samples in which the difference is found, 1 − β.

    Returns
    -------
    float
        Number of questions; round up. It is 0 if α/2 is at least the power: by chance alone the
        test comes out on the right side that often, whatever the size.

    Raises
    ------
    ValueError
        If the difference is 0, the variance negative, or level or power are not in (0, 1).

    Notes
    -----
    Implements :eq:`eq-questions-needed`.

    For a paired comparison σ² is the variance of the differences; for two independent samples of
    that size each it is the sum of both variances.

    References
    ----------
    E. Miller (2024), Adding Error Bars to Evals, section 5.

    Examples
    --------
    >>> from primer_ref.evaluation import questions_needed
    >>> print(f"{questions_needed(0.03, variance=1 / 9):.0f}")
    969
    """
    if not abs(difference) > 0 or not variance >= 0 or not 0 < power < 1:
        raise ValueError(
            "difference must not be 0, variance not negative, power in (0, 1); "
            f"got {difference}, {variance} and {power}"
        )
    z = max(0.0, normal_quantile(level) + NormalDist().inv_cdf(power))
    return z**2 * variance / difference**2


def variance_of_answers(p: ArrayLike, n_answers: int) -> float:
    r"""Variance of a question's score when each is answered K times and averaged.

    .. math:: \Var(p) + \tfrac1K \E[p(1-p)]

    Parameters
    ----------
    p : array_like, shape (n,)
        Probability of a right answer, question by question.
    n_answers : int
        Number of answers a question, K.

    Returns
    -------
    float
        Variance; over the number of questions it is the square of the mean's standard error.

    Raises
    ------
    ValueError
        If a probability is not in [0, 1] or there is no answer.

    Notes
    -----
    Implements :eq:`eq-variance-of-answers`.

    The law of total variance: more answers shrink the second term only.

    References
    ----------
    E. Miller (2024), Adding Error Bars to Evals, section 3.1.

    Examples
    --------
    Difficulties spread evenly over [0, 1]: four answers halve the variance.

    >>> import numpy as np
    >>> from primer_ref.evaluation import variance_of_answers
    >>> p = (np.arange(1000) + 0.5) / 1000
    >>> print(f"{variance_of_answers(p, 4) / variance_of_answers(p, 1):.4f}")
    0.5000
    """
    p = _row_of_probabilities(p, "p")
    if n_answers < 1:
        raise ValueError(f"n_answers must be at least 1; got {n_answers}")
    return float(np.var(p) + np.mean(p * (1 - p)) / n_answers)


def _check_tries(n: int, c: int, k: int) -> None:
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"c must be from 0 to n and k from 1 to n; got n={n}, c={c}, k={k}")


def pass_at_k(n: int, c: int, k: int) -> float:
    r"""Estimate the chance that one of k answers is right, :math:`1 - \binom{n-c}{k} / \binom nk`.

    Parameters
    ----------
    n : int
        Number of answers drawn.
    c : int
        Number of right ones among them.
    k : int
        Number of tries, from 1 to n.

    Returns
    -------
    float
        The share of the subsets of k answers that hold a right one: without bias for
        :math:`1 - (1-p)^k`, whatever the chance p of a right answer.

    Raises
    ------
    ValueError
        If c is not from 0 to n or k not from 1 to n.

    Notes
    -----
    Implements :eq:`eq-pass-at-k`.

    References
    ----------
    M. Chen et al. (2021), Evaluating Large Language Models Trained on Code.

    Examples
    --------
    >>> from primer_ref.evaluation import pass_at_k
    >>> print(f"{pass_at_k(10, 3, 5):.4f}")
    0.9167
    """
    _check_tries(n, c, k)
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def pass_at_k_naive(n: int, c: int, k: int) -> float:
    r"""Put the share of right answers into the formula, :math:`1 - (1 - c/n)^k`.

    Parameters
    ----------
    n : int
        Number of answers drawn.
    c : int
        Number of right ones among them.
    k : int
        Number of tries, from 1 to n.

    Returns
    -------
    float
        An estimate that is too low on average, by Jensen's inequality, for k > 1.

    Raises
    ------
    ValueError
        If c is not from 0 to n or k not from 1 to n.

    Notes
    -----
    Implements :eq:`eq-pass-at-k-naive`.

    Examples
    --------
    >>> from primer_ref.evaluation import pass_at_k_naive
    >>> print(f"{pass_at_k_naive(10, 3, 5):.4f}")
    0.8319
    """
    _check_tries(n, c, k)
    return 1 - (1 - c / n) ** k


def holm(p_values: ArrayLike) -> Floats:
    r"""Adjust p-values so that one false alarm among m tests is as rare as each was alone.

    Parameters
    ----------
    p_values : array_like, shape (m,)
        p-values of m tests, dependent or not.

    Returns
    -------
    ndarray, shape (m,)
        Adjusted p-values: the i-th smallest is :math:`\max_{j \le i} \min(1, (m-j+1)\,p_{(j)})`.

    Raises
    ------
    ValueError
        If there are none or one is not in [0, 1].

    Notes
    -----
    Implements :eq:`eq-holm`.

    References
    ----------
    S. Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure.

    Examples
    --------
    >>> from primer_ref.evaluation import holm
    >>> print(holm([0.01, 0.04, 0.03]))
    [0.03 0.06 0.06]
    """
    p = _row_of_probabilities(p_values, "p_values")
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    steps = np.minimum(1, p[order] * np.arange(len(p), 0, -1))
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    r"""Adjust p-values so that false alarms are a limited share of all alarms, on average.

    Parameters
    ----------
    p_values : array_like, shape (m,)
        p-values of m independent tests.

    Returns
    -------
    ndarray, shape (m,)
        Adjusted p-values: the i-th smallest is :math:`\min_{j \ge i} \min(1, m\,p_{(j)}/j)`.
        Calling those up to q discoveries keeps the expected share of false ones at most q.

    Raises
    ------
    ValueError
        If there are none or one is not in [0, 1].

    Notes
    -----
    Implements :eq:`eq-benjamini-hochberg`.

    References
    ----------
    Y. Benjamini and Y. Hochberg (1995), Controlling the False Discovery Rate.

    Examples
    --------
    >>> from primer_ref.evaluation import benjamini_hochberg
    >>> print(benjamini_hochberg([0.01, 0.04, 0.03]))
    [0.03 0.04 0.04]
    """
    p = _row_of_probabilities(p_values, "p_values")
    order = np.argsort(p)[::-1]
    adjusted = np.empty_like(p)
    steps = np.minimum(1, p[order] * len(p) / np.arange(len(p), 0, -1))
    adjusted[order] = np.minimum.accumulate(steps)
    return adjusted


def corrected_rate(observed: float, *, sensitivity: float, specificity: float) -> float:
    r"""Find the share that an imperfect judge reports as another.

    .. math:: \frac{q + \text{specificity} - 1}{\text{sensitivity} + \text{specificity} - 1}

    Parameters
    ----------
    observed : float
        Share q of answers that the judge calls right, in [0, 1].
    sensitivity : float
        Share of right answers that the judge calls right.
    specificity : float
        Share of wrong answers that the judge calls wrong.

    Returns
    -------
    float
        Solution π of q = π · sensitivity + (1 − π)(1 − specificity). It lies outside [0, 1] where
        no share would give what was observed, and is not clipped.

    Raises
    ------
    ValueError
        If a share is not in [0, 1], or the judge tells nothing (the two add up to 1).

    Notes
    -----
    Implements :eq:`eq-corrected-rate`.

    References
    ----------
    W. J. Rogan and B. Gladen (1978), Estimating Prevalence from the Results of a Screening Test.

    Examples
    --------
    >>> from primer_ref.evaluation import corrected_rate
    >>> print(f"{corrected_rate(0.6, sensitivity=0.9, specificity=0.8):.4f}")
    0.5714
    """
    check_probability(observed, "observed")
    check_probability(sensitivity, "sensitivity")
    check_probability(specificity, "specificity")
    informedness = sensitivity + specificity - 1
    if informedness == 0:
        raise ValueError("a judge must tell right from wrong; sensitivity + specificity is 1")
    return (observed + specificity - 1) / informedness


def corrected_rate_error(
    observed: float,
    *,
    sensitivity: float,
    specificity: float,
    n: int,
    n_right: int,
    n_wrong: int,
) -> float:
    r"""Give the standard error of a corrected share whose judge was measured on a sample.

    .. math:: \frac{1}{|J|} \sqrt{\frac{q(1-q)}{n} + \pi^2 \frac{s(1-s)}{n_+}
        + (1-\pi)^2 \frac{t(1-t)}{n_-}}, \qquad J = s + t - 1

    Parameters
    ----------
    observed : float
        Share q of n answers that the judge calls right, in [0, 1].
    sensitivity : float
        Share s of right answers that it called right.
    specificity : float
        Share t of wrong answers that it called wrong.
    n : int
        Number of answers judged.
    n_right, n_wrong : int
        Numbers of answers known to be right and wrong, :math:`n_+` and :math:`n_-`, on which the
        sensitivity and the specificity were measured.

    Returns
    -------
    float
        To first order in the errors of the three shares, which are taken as independent; π is the
        corrected share.

    Raises
    ------
    ValueError
        If a share is not in [0, 1], a number is below 1, or the judge tells nothing.

    Notes
    -----
    Implements :eq:`eq-corrected-error`.

    Without the last two terms it is what is left if the judge is known exactly: still :math:`1/|J|`
    times the error of the share that was observed.

    References
    ----------
    W. J. Rogan and B. Gladen (1978), Estimating Prevalence from the Results of a Screening Test.

    Examples
    --------
    >>> from primer_ref.evaluation import corrected_rate_error
    >>> error = corrected_rate_error(
    ...     0.6, sensitivity=0.9, specificity=0.8, n=1000, n_right=100, n_wrong=100
    ... )
    >>> print(f"{error:.4f}")
    0.0411
    """
    rate = corrected_rate(observed, sensitivity=sensitivity, specificity=specificity)
    if min(n, n_right, n_wrong) < 1:
        raise ValueError(
            f"n, n_right and n_wrong must be at least 1; got {n}, {n_right} and {n_wrong}"
        )
    variance = (
        observed * (1 - observed) / n
        + rate**2 * sensitivity * (1 - sensitivity) / n_right
        + (1 - rate) ** 2 * specificity * (1 - specificity) / n_wrong
    )
    return math.sqrt(variance) / abs(sensitivity + specificity - 1)


def permutation_p_value(observed: float, permuted: ArrayLike) -> float:
    r"""Find how rare a statistic is among those of m random permutations.

    .. math:: \frac{1 + \#\{j : t_j \ge t_0\}}{m + 1}

    Parameters
    ----------
    observed : float
        The statistic :math:`t_0` of the data as they are; large values speak against chance.
    permuted : array_like, shape (m,)
        The same of permuted data.

    Returns
    -------
    float
        From 1/(m + 1) to 1.

    Raises
    ------
    ValueError
        If there are no permutations or a value is not finite.

    Notes
    -----
    Implements :eq:`eq-permutation-p`.

    If all orders are equally likely, the m + 1 values are exchangeable, and the p-value is at most
    α with probability at most α. The data as they are count as one of the permutations: without
    the ones the p-value could be 0, which no finite number of permutations shows.

    References
    ----------
    B. Phipson and G. K. Smyth (2010), Permutation P-Values Should Never Be Zero.

    Examples
    --------
    >>> from primer_ref.evaluation import permutation_p_value
    >>> permutation_p_value(3.0, [1.0, 4.0, 2.0])
    0.5
    """
    values = finite_scores(permuted, "permuted", at_least=1)
    if not math.isfinite(observed):
        raise ValueError(f"observed must be finite; got {observed}")
    return float((1 + np.sum(values >= observed)) / (len(values) + 1))


def strided_windows(n_tokens: int, *, context: int, stride: int) -> list[tuple[int, int, int]]:
    """Cut a long text into windows so that each token is scored once.

    Parameters
    ----------
    n_tokens : int
        Length of the text.
    context : int
        Longest window that the model takes.
    stride : int
        How far each window starts behind the one before, from 1 to ``context``.

    Returns
    -------
    list of (start, first, end)
        Feed the tokens from ``start`` to ``end``; score those from ``first`` on.

    Raises
    ------
    ValueError
        If the text is empty or the stride is not from 1 to ``context``.

    Notes
    -----
    Implements :eq:`eq-strided-loss`.

    All but the first window score their last tokens only, with at least ``context`` − ``stride``
    tokens before them. A stride equal to the context is quick and makes the loss look worse, since
    every window begins without a past; a stride of 1 costs a pass a token.

    Examples
    --------
    >>> from primer_ref.evaluation import strided_windows
    >>> strided_windows(10, context=6, stride=3)
    [(0, 0, 6), (3, 6, 9), (6, 9, 10)]
    """
    if n_tokens < 1 or not 1 <= stride <= context:
        raise ValueError(
            "n_tokens must be at least 1 and stride from 1 to context; "
            f"got {n_tokens}, {stride} and {context}"
        )
    windows, start, end = [], 0, 0
    while end < n_tokens:
        first, end = end, min(start + context, n_tokens)
        windows.append((start, first, end))
        start += stride
    return windows
