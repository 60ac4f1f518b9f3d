"""Hallucination, measured: meanings, unseen facts, abstention, and how well doubt sorts answers.

Nothing here decides whether an answer is true; the functions take that as given, from a person or
a judge whose errors `primer_ref.evaluation.corrected_rate` accounts for.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative, check_nonnegative_finite
from primer_ref.functional import as_floats
from primer_ref.information import distribution, entropy, probabilities

__all__ = [
    "answer_confidence",
    "answer_value",
    "area_under_risk_coverage",
    "auroc",
    "good_turing_mass",
    "good_turing_radius",
    "missing_mass",
    "risk_coverage",
    "semantic_entropy",
    "singleton_bound",
    "validity_bound",
]

Floats = NDArray[np.floating[Any]]


def semantic_entropy(p: ArrayLike, meanings: ArrayLike) -> float:
    r"""Entropy of what is meant, where several answers may mean the same.

    .. math:: -\sum_m P_m \log P_m, \qquad P_m = \sum_{i : m_i = m} p_i

    Parameters
    ----------
    p : array_like, shape (n,)
        Probabilities of n different answers; equal weights for n samples.
    meanings : array_like, shape (n,)
        A label for the meaning of each.

    Returns
    -------
    float
        Nats: 0 if all mean the same; at most the entropy of the answers, since it is that of a
        function of them.

    Raises
    ------
    ValueError
        If ``p`` is not a distribution or not every answer has a meaning.

    Notes
    -----
    Implements :eq:`eq-semantic-entropy`.

    References
    ----------
    L. Kuhn, Y. Gal and S. Farquhar (2023), Semantic Uncertainty: Linguistic Invariances for
    Uncertainty Estimation in Natural Language Generation.

    Examples
    --------
    >>> from primer_ref.hallucination import semantic_entropy
    >>> print(f"{semantic_entropy([0.5, 0.4, 0.1], ['Paris', 'Paris', 'London']):.4f}")
    0.3251
    """
    p, labels = distribution(p), np.asarray(meanings)
    if p.ndim != 1 or labels.shape != p.shape:
        raise ValueError(f"every answer needs one meaning; got {p.shape} and {labels.shape}")
    _, member = np.unique(labels, return_inverse=True)
    # Sums have the precision of what is summed, and are checked as such.
    return float(entropy(np.bincount(member, weights=p).astype(p.dtype)))


def _counts(counts: ArrayLike) -> NDArray[np.int64]:
    numbers = np.asarray(counts)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or np.any(numbers < 0):
        raise ValueError(f"counts must be whole numbers, at least 0; got {numbers}")
    if np.sum(numbers) < 1:
        raise ValueError("counts must hold at least one observation; got none")
    return numbers.astype(np.int64)


def missing_mass(p: ArrayLike, counts: ArrayLike) -> float:
    r"""Probability of what was never seen, :math:`M = \sum_{v : n_v = 0} p_v`.

    Parameters
    ----------
    p : array_like, shape (V,)
        The true law.
    counts : array_like of int, shape (V,)
        How often each outcome was seen.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    ValueError
        If ``p`` is not a distribution, or the counts are none or do not fit.

    Notes
    -----
    Implements :eq:`eq-missing-mass`.

    Examples
    --------
    >>> from primer_ref.hallucination import missing_mass
    >>> missing_mass([0.5, 0.25, 0.25], [3, 0, 1])
    0.25
    """
    p, numbers = distribution(p), _counts(counts)
    if p.shape != numbers.shape:
        raise ValueError(f"every outcome needs a count; got {p.shape} and {numbers.shape}")
    return float(np.sum(p[numbers == 0]))


def good_turing_mass(counts: ArrayLike) -> float:
    r"""Estimate the missing mass by the share of singletons, :math:`N_1/n`.

    Parameters
    ----------
    counts : array_like of int, shape (V,)
        How often each outcome was seen; unseen ones may be left out.

    Returns
    -------
    float
        Number of outcomes seen once over the number of observations.

    Raises
    ------
    ValueError
        If a count is negative or not whole, or nothing was observed.

    Notes
    -----
    Implements :eq:`eq-good-turing`.

    An observation is a singleton exactly when the other n − 1 missed its outcome. So the mean of
    :math:`N_1/n` is the mean missing mass after n − 1 observations: too high, by at most 1/n.

    References
    ----------
    I. J. Good (1953), The Population Frequencies of Species and the Estimation of Population
    Parameters.

    Examples
    --------
    >>> from primer_ref.hallucination import good_turing_mass
    >>> good_turing_mass([4, 1, 1, 2])
    0.25
    """
    numbers = _counts(counts)
    return float(np.sum(numbers == 1) / np.sum(numbers))


def good_turing_radius(n: int, *, delta: float) -> float:
    r"""Bound how far the share of singletons strays from its mean, :math:`\sqrt{2\ln(2/\delta)/n}`.

    Parameters
    ----------
    n : int
        Number of independent observations.
    delta : float
        Probability with which the bound may fail.

    Returns
    -------
    float
        A distance that is exceeded with probability at most δ.

    Raises
    ------
    ValueError
        If ``n`` is below 1 or δ not in (0, 1).

    Notes
    -----
    Implements :eq:`eq-good-turing-radius`.

    Changing one observation changes the number of singletons by at most 2, so McDiarmid's
    inequality gives :math:`\P(|N_1/n - \E N_1/n| \ge \varepsilon) \le 2 e^{-n\varepsilon^2/2}`.

    References
    ----------
    C. McDiarmid (1989), On the Method of Bounded Differences.

    Examples
    --------
    >>> from primer_ref.hallucination import good_turing_radius
    >>> print(f"{good_turing_radius(10_000, delta=0.05):.4f}")
    0.0272
    """
    if n < 1 or not 0 < delta < 1:
        raise ValueError(f"n must be at least 1 and delta in (0, 1); got {n} and {delta}")
    return math.sqrt(2 * math.log(2 / delta) / n)


def _check_errors(errors: int) -> None:
    if not errors >= 1:
        raise ValueError(f"errors must be at least 1; got {errors}")


def validity_bound(
    classification_error: float, *, valid: int, errors: int, miscalibration: float
) -> float:
    r"""Bound a model's error rate from below by how hard validity is to tell.

    .. math:: \text{err} \ge 2\,\text{err}_{\text{iiv}} - \frac{\max_c |V_c|}{\min_c |E_c|} - \delta

    Parameters
    ----------
    classification_error : float
        Error of the classifier "is it valid?" that thresholds the model's probabilities, on half
        valid answers drawn from the data's law and half errors drawn evenly.
    valid : int
        Largest number of valid answers to a prompt.
    errors : int
        Smallest number of plausible errors at a prompt, at least 1.
    miscalibration : float
        How much more probability the model gives to the answers above the threshold than the data
        do, δ, as an absolute difference.

    Returns
    -------
    float
        A lower bound on the share of errors among what the model generates; it says nothing if
        negative.

    Raises
    ------
    ValueError
        If a term is negative or there are no errors.

    Notes
    -----
    Implements :eq:`eq-validity-bound`.

    It limits models that are nearly calibrated at that one threshold. A model that makes no error,
    because it always abstains or repeats one true answer, has a δ of at least the other terms
    together.

    References
    ----------
    A. T. Kalai, O. Nachum, S. S. Vempala and E. Zhang (2025), Why Language Models Hallucinate,
    theorem 1.

    Examples
    --------
    >>> from primer_ref.hallucination import validity_bound
    >>> print(f"{validity_bound(0.2, valid=1, errors=364, miscalibration=0.05):.4f}")
    0.3473
    """
    check_nonnegative(classification_error, "classification_error")
    check_nonnegative(valid, "valid")
    _check_errors(errors)
    check_nonnegative(miscalibration, "miscalibration")
    return 2 * classification_error - valid / errors - miscalibration


def singleton_bound(counts: ArrayLike, *, errors: int, miscalibration: float) -> float:
    r"""Bound a model's error rate on arbitrary facts from below by the share of singletons.

    .. math:: \text{err} \ge \frac{N_1}{N} - \frac{2}{\min_c |E_c|}
        - \frac{35 + 6 \ln N}{\sqrt N} - \delta

    Parameters
    ----------
    counts : array_like of int, shape (V,)
        How often each prompt stands in the training data, in which no example abstains: N is
        their sum.
    errors : int
        Smallest number of plausible errors at a prompt, at least 1.
    miscalibration : float
        As in `validity_bound`.

    Returns
    -------
    float
        A lower bound that holds with probability at least 99 % over the facts and the training
        data; it says nothing if negative, as it always is for N up to 7,800.

    Raises
    ------
    ValueError
        If the counts are not counts, a term is negative or there are no errors.

    Notes
    -----
    Implements :eq:`eq-singleton-bound`.

    It assumes facts without pattern: the right answer to a prompt is drawn independently and
    evenly from its plausible ones, so that what was not in the data cannot be inferred.

    References
    ----------
    A. T. Kalai, O. Nachum, S. S. Vempala and E. Zhang (2025), Why Language Models Hallucinate,
    theorem 2.

    Examples
    --------
    Of a million examples, a fifth are of facts that were seen once:

    >>> import numpy as np
    >>> from primer_ref.hallucination import singleton_bound
    >>> counts = np.repeat([1, 4], [200_000, 200_000])
    >>> print(f"{singleton_bound(counts, errors=364, miscalibration=0.0):.4f}")
    0.0766
    """
    _check_errors(errors)
    check_nonnegative(miscalibration, "miscalibration")
    n = int(np.sum(_counts(counts)))
    slack = (35 + 6 * math.log(n)) / math.sqrt(n)
    return good_turing_mass(counts) - 2 / errors - slack - miscalibration


def answer_confidence(penalty: float) -> float:
    r"""Find how sure one must be for an answer to pay, :math:`t = \lambda/(1 + \lambda)`.

    Parameters
    ----------
    penalty : float
        What a wrong answer costs, λ ≥ 0, where a right one earns 1 and silence 0.

    Returns
    -------
    float
        The confidence at which answering and silence are worth the same. With penalty 0, the
        usual grading, it is 0: guessing always pays.

    Raises
    ------
    ValueError
        If the penalty is negative or not finite.

    Notes
    -----
    Implements :eq:`eq-answer-confidence`.

    Examples
    --------
    >>> from primer_ref.hallucination import answer_confidence
    >>> answer_confidence(3.0)
    0.75
    """
    check_nonnegative_finite(penalty, "penalty")
    return penalty / (1 + penalty)


def answer_value(confidence: ArrayLike, *, penalty: float) -> Floats:
    r"""Find what an answer earns on average, :math:`p - \lambda (1 - p)`.

    Parameters
    ----------
    confidence : array_like, shape (...)
        Probability p that the answer is right.
    penalty : float
        What a wrong answer costs, λ ≥ 0, where a right one earns 1 and silence 0.

    Returns
    -------
    ndarray, shape (...)
        Positive where answering is better than silence.

    Raises
    ------
    ValueError
        If a probability is not in [0, 1] or the penalty is negative or not finite.

    Notes
    -----
    Implements :eq:`eq-answer-value`.

    Examples
    --------
    >>> from primer_ref.hallucination import answer_value
    >>> print(answer_value([0.5, 0.75, 1.0], penalty=3.0))
    [-1.  0.  1.]
    """
    check_nonnegative_finite(penalty, "penalty")
    p = probabilities(confidence, "confidence")
    value: Floats = p - penalty * (1 - p)
    return value


def _scored_outcomes(scores: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    """Scores that can be ordered, and an outcome 0 or 1 for each."""
    s, y = as_floats(scores), as_floats(correct)
    if s.ndim != 1 or s.shape != y.shape or not s.size:
        raise ValueError(f"every score needs one outcome; got shapes {s.shape} and {y.shape}")
    if np.any(np.isnan(s)):
        raise ValueError("scores must not be NaN")
    bad = ~((y == 0) | (y == 1))
    if np.any(bad):
        raise ValueError(f"an outcome must be 0 or 1; got {y[bad][0]}")
    return s, y


def risk_coverage(scores: ArrayLike, correct: ArrayLike) -> tuple[Floats, Floats]:
    """Share of errors among the answers given, for each share of questions answered.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Confidence in each answer; the most confident ones are given first.
    correct : array_like, shape (n,)
        1 where the answer is right, else 0.

    Returns
    -------
    coverage, risk : ndarray, shape (n,)
        After the i most confident answers, i/n, and the share of errors among them. Answers with
        equal scores are given together: each of them has the risk of all down to that score.

    Raises
    ------
    ValueError
        If the lengths differ, there are none, a score is NaN, or an outcome is neither 0 nor 1.

    Notes
    -----
    Implements :eq:`eq-risk-coverage`.

    Examples
    --------
    >>> from primer_ref.hallucination import risk_coverage
    >>> coverage, risk = risk_coverage([0.9, 0.2, 0.6, 0.4], [1, 0, 1, 0])
    >>> print(coverage, risk.round(3))
    [0.25 0.5  0.75 1.  ] [0.    0.    0.333 0.5  ]
    """
    s, y = _scored_outcomes(scores, correct)
    order = np.argsort(-s, kind="stable")
    given = np.arange(1, len(s) + 1)
    risk = np.cumsum(1 - y[order]) / given
    # Where a score ends, counted from the front: the last place that holds it.
    last = np.searchsorted(-s[order], -s[order], side="right") - 1
    return given / len(s), risk[last]


def area_under_risk_coverage(scores: ArrayLike, correct: ArrayLike) -> float:
    """Mean risk over all coverages: the smaller, the better doubt sorts the answers.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Confidence in each answer.
    correct : array_like, shape (n,)
        1 where the answer is right, else 0.

    Returns
    -------
    float
        From 0 to 1; for scores that tell nothing, about the error rate.

    Raises
    ------
    ValueError
        As for `risk_coverage`.

    Notes
    -----
    Implements :eq:`eq-risk-area`.

    Examples
    --------
    >>> from primer_ref.hallucination import area_under_risk_coverage
    >>> print(f"{area_under_risk_coverage([0.9, 0.2, 0.6, 0.4], [1, 0, 1, 0]):.4f}")
    0.2083
    """
    _, risk = risk_coverage(scores, correct)
    return float(np.mean(risk))


def auroc(scores: ArrayLike, correct: ArrayLike) -> float:
    r"""Probability that a right answer scores above a wrong one, ties counting half.

    .. math:: \P(S_+ > S_-) + \tfrac12 \P(S_+ = S_-)

    Parameters
    ----------
    scores : array_like, shape (n,)
        Confidence in each answer.
    correct : array_like, shape (n,)
        1 where the answer is right, else 0; both must occur.

    Returns
    -------
    float
        1 if all right answers come first, ½ if the scores tell nothing.

    Raises
    ------
    ValueError
        As for `risk_coverage`, or if all answers are right, or all wrong.

    Notes
    -----
    Implements :eq:`eq-auroc`.

    The Mann–Whitney statistic over the number of pairs: it looks at the order alone, so a badly
    calibrated score may have an area of 1.

    Examples
    --------
    >>> from primer_ref.hallucination import auroc
    >>> auroc([0.9, 0.2, 0.6, 0.6], [1, 0, 1, 0])
    0.875
    """
    s, y = _scored_outcomes(scores, correct)
    right, wrong = s[y == 1], np.sort(s[y == 0])
    if not right.size or not wrong.size:
        raise ValueError("answers must be right and wrong; got one kind only")
    below = np.searchsorted(wrong, right, side="left")
    up_to = np.searchsorted(wrong, right, side="right")
    return float(np.mean((below + up_to) / 2) / len(wrong))
