"""Choosing among whole texts: beam search, minimum Bayes risk, and the vote of many samples.

A model is seen through a function from a prefix to the log-probabilities of its next token; answers
and candidates may be of any kind.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from primer_ref.checks import check_probability
from primer_ref.functional import as_floats

__all__ = [
    "Hypothesis",
    "beam_search",
    "expected_utilities",
    "majority_accuracy",
    "majority_vote",
    "minimum_bayes_risk",
    "vote_bound",
]

Floats = NDArray[np.floating[Any]]
Candidate = TypeVar("Candidate")
Answer = TypeVar("Answer", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A text that beam search has found.

    Attributes
    ----------
    tokens : tuple of int
        Its tokens, the end token included if it has come.
    log_prob : float
        Logarithm of its probability, in nats.
    score : float
        What it is ranked by: log-probability over a power of the length.
    """

    tokens: tuple[int, ...]
    log_prob: float
    score: float


def beam_search(
    step: Callable[[tuple[int, ...]], Floats],
    *,
    width: int,
    end: int,
    limit: int,
    length_penalty: float = 0.0,
) -> list[Hypothesis]:
    r"""Search for probable texts with a beam of prefixes.

    In each step all prefixes of the beam are extended by all tokens, and the ``width`` most
    probable extensions stay: those that end are results, the others are the next beam. Results
    are ranked by

    .. math::
        \frac{1}{n^{\alpha}} \sum_{t=1}^{n} \log p(x_t \mid x_{<t}) .

    Parameters
    ----------
    step : callable
        From a prefix to the log-probabilities of the next token, shape (V,).
    width : int
        Number of extensions that stay, at least 1; with 1 the search is greedy.
    end : int
        The token that ends a text.
    limit : int
        Largest number of tokens, the end token included, at least 1. What has not ended by then
        is a result too, without its end.
    length_penalty : float
        The exponent α; n counts the end token. 0 ranks by probability, which favors short texts, 1
        by the mean log-probability of a token.

    Returns
    -------
    list of Hypothesis
        The best first.

    Raises
    ------
    ValueError
        If the width or the limit is below 1.

    Notes
    -----
    Implements :eq:`eq-beam-score`.

    The penalty orders the results and does not steer the beam. At most ``width`` calls of
    ``step`` a token. A wider beam may return a less probable text; one as wide as the number of
    texts, never.

    References
    ----------
    Y. Wu et al. (2016), Google's Neural Machine Translation System: Bridging the Gap between Human
    and Machine Translation (section 7, with another function of the length).

    Examples
    --------
    The greedy first token, 0, leads away from the most probable text:

    >>> import numpy as np
    >>> from primer_ref.selection import beam_search
    >>> table = {(): [0.5, 0.4, 0.1], (0,): [0.4, 0.3, 0.3], (1,): [0.05, 0.05, 0.9]}
    >>> def step(prefix):
    ...     return np.log(table[prefix])
    >>> for width in (1, 2):
    ...     best = beam_search(step, width=width, end=2, limit=2)[0]
    ...     print(best.tokens, f"{np.exp(best.log_prob):.2f}")
    (0, 0) 0.20
    (1, 2) 0.36
    """
    if width < 1 or limit < 1:
        raise ValueError(f"width and limit must be at least 1; got {width} and {limit}")
    beam, results = [Hypothesis((), 0.0, 0.0)], []
    for n in range(1, limit + 1):
        table = np.stack([prefix.log_prob + as_floats(step(prefix.tokens)) for prefix in beam])
        best = np.argsort(-table, axis=None, kind="stable")[:width]
        extended = []
        for row, token in (divmod(int(place), table.shape[1]) for place in best):
            log_prob = float(table[row, token])
            if log_prob > -math.inf:
                tokens = (*beam[row].tokens, token)
                extended.append(Hypothesis(tokens, log_prob, log_prob / n**length_penalty))
        results += [found for found in extended if found.tokens[-1] == end]
        beam = [found for found in extended if found.tokens[-1] != end]
        if not beam:
            break
    return sorted(results + beam, key=lambda found: -found.score)


def expected_utilities(
    candidates: Sequence[Candidate], utility: Callable[[Candidate, Candidate], float]
) -> Floats:
    r"""Mean utility of each candidate if any of them, equally likely, is the truth.

    Candidate i gets :math:`\frac1n \sum_j u(c_i, c_j)`, which estimates :math:`\E_y[u(c_i, y)]`
    without bias from samples y, save for the term j = i. That term favors nobody if every candidate
    is worth the same to itself, as with equality, distances and chrF; otherwise those worth more.

    Parameters
    ----------
    candidates : sequence
        Samples of a model, repetitions included: they are its probabilities.
    utility : callable
        ``utility(candidate, truth)``; larger is better.

    Returns
    -------
    ndarray of float64, shape (n,)
        In units of the utility.

    Raises
    ------
    ValueError
        If there is no candidate.

    Notes
    -----
    Implements :eq:`eq-mbr`.

    n² calls of the utility.

    Examples
    --------
    >>> from primer_ref.selection import expected_utilities
    >>> print(expected_utilities([0.0, 1.0, 5.0], lambda x, y: -abs(x - y)).round(4))
    [-2.     -1.6667 -3.    ]
    """
    if len(candidates) == 0:
        raise ValueError("there must be at least one candidate; got none")
    table = [[utility(one, other) for other in candidates] for one in candidates]
    return np.asarray(np.mean(table, axis=1))


def minimum_bayes_risk(
    candidates: Sequence[Candidate], utility: Callable[[Candidate, Candidate], float]
) -> Candidate:
    r"""Choose the candidate of greatest expected utility, :math:`\argmax_i \sum_j u(c_i, c_j)`.

    Parameters
    ----------
    candidates : sequence
        Samples of a model, repetitions included.
    utility : callable
        ``utility(candidate, truth)``; larger is better.

    Returns
    -------
    object
        The candidate; of equally good ones the first.

    Raises
    ------
    ValueError
        If there is no candidate.

    Notes
    -----
    Implements :eq:`eq-mbr`.

    With u = 1 for equal texts and 0 for others, the choice is the most frequent one: that of
    `majority_vote`.

    References
    ----------
    S. Kumar and W. Byrne (2004), Minimum Bayes-Risk Decoding for Statistical Machine Translation.

    Examples
    --------
    The median, not the most frequent number, is least far from all:

    >>> from primer_ref.selection import minimum_bayes_risk
    >>> minimum_bayes_risk([0, 0, 3, 4, 5], lambda x, y: -abs(x - y))
    3
    """
    return candidates[int(np.argmax(expected_utilities(candidates, utility)))]


def majority_vote(answers: Sequence[Answer]) -> Answer:
    r"""Choose the most frequent answer.

    Parameters
    ----------
    answers : sequence
        Final answers of independently sampled chains of thought, whatever the chains were.

    Returns
    -------
    object
        The answer; of equally frequent ones the first.

    Raises
    ------
    ValueError
        If there is no answer.

    Notes
    -----
    Implements :eq:`eq-majority-vote`.

    The share of an answer estimates its probability with the rationale summed out,
    :math:`\sum_z p(z \mid x)\, p(y \mid x, z)`.

    References
    ----------
    X. Wang et al. (2023), Self-Consistency Improves Chain of Thought Reasoning in Language Models.

    Examples
    --------
    >>> from primer_ref.selection import majority_vote
    >>> majority_vote(["18", "26", "18", "14"])
    '18'
    """
    if not answers:
        raise ValueError("there must be at least one answer; got none")
    return Counter(answers).most_common(1)[0][0]


def _check_vote(p: float, n: int) -> None:
    check_probability(p, "p")
    if n < 1:
        raise ValueError(f"n must be at least 1; got {n}")


def majority_accuracy(p: float, *, n: int) -> float:
    r"""Probability that most of n independent answers are right, if each is with probability p.

    It is the tail of a binomial law, :math:`\P(R > n/2) + \tfrac12 \P(R = n/2)`, summed so that
    what every two further votes bring can be seen:

    .. math::
        p + \left(p - \tfrac12\right) \sum_{j=1}^{\lfloor (n-1)/2 \rfloor}
        \binom{2j}{j} (p(1-p))^j .

    Parameters
    ----------
    p : float
        Probability that one answer is right.
    n : int
        Number of answers, at least 1; a tie is settled by a fair coin.

    Returns
    -------
    float
        A probability. It grows with n if p > ½, falls to 0 if 0 < p < ½, and stays at ½.

    Raises
    ------
    ValueError
        If ``p`` is not in [0, 1] or ``n`` is below 1.

    Notes
    -----
    Implements :eq:`eq-majority-accuracy`.

    There are two answers here, right and wrong. With many wrong ones that do not agree, the right
    one can be the most frequent although p < ½.

    Examples
    --------
    >>> from primer_ref.selection import majority_accuracy
    >>> print([round(majority_accuracy(0.6, n=n), 4) for n in (1, 5, 21, 101)])
    [0.6, 0.6826, 0.8256, 0.9791]
    >>> print([round(majority_accuracy(0.4, n=n), 4) for n in (1, 5, 21, 101)])
    [0.4, 0.3174, 0.1744, 0.0209]
    """
    _check_vote(p, n)
    j = np.arange(1, (n + 1) // 2)
    # From each binomial coefficient to the next one, so that none overflows.
    terms = np.cumprod(2 * (2 * j - 1) / j * p * (1 - p))
    return p + (p - 0.5) * float(np.sum(terms))


def vote_bound(p: float, *, n: int) -> float:
    r"""Bound how often a majority of n errs, by Hoeffding's inequality, :math:`e^{-2n(p-1/2)^2}`.

    Parameters
    ----------
    p : float
        Probability that one answer is right.
    n : int
        Number of independent answers, at least 1.

    Returns
    -------
    float
        If p ≥ ½, at least the probability that the majority is wrong; if p ≤ ½, at least the
        probability that it is right: below one half more votes make it worse as fast.

    Raises
    ------
    ValueError
        If ``p`` is not in [0, 1] or ``n`` is below 1.

    Notes
    -----
    Implements :eq:`eq-vote-bound`.

    References
    ----------
    W. Hoeffding (1963), Probability Inequalities for Sums of Bounded Random Variables.

    Examples
    --------
    >>> from primer_ref.selection import vote_bound
    >>> print(f"{vote_bound(0.6, n=101):.4f}")
    0.1327
    """
    _check_vote(p, n)
    return math.exp(-2 * n * (p - 0.5) ** 2)
