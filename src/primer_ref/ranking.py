"""Judge rankings of passages, and join several into one.

A ranking is a list of passage numbers, the best first.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from primer_ref.checks import check_nonnegative

__all__ = ["mean_reciprocal_rank", "ndcg", "recall_at_k", "reciprocal_rank_fusion"]


def _check_ranking(ranking: Sequence[int]) -> None:
    if len(set(ranking)) < len(ranking):
        raise ValueError("a ranking must name each passage once; got one twice")


def _check_depth(k: int) -> None:
    if not k >= 1:
        raise ValueError(f"k must be at least 1; got {k}")


def recall_at_k(ranking: Sequence[int], relevant: Collection[int], *, k: int) -> float:
    r"""Share of the relevant passages that stand among the first k.

    Parameters
    ----------
    ranking : sequence of int
        Passages, the best first.
    relevant : collection of int
        The passages that answer the question.
    k : int
        How many are looked at.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If no passage is relevant, k is not at least 1, or the ranking names a passage twice.

    Notes
    -----
    Implements :eq:`eq-recall-at-k`.

    :math:`|A \cap \{r_1, \dots, r_k\}| / |A|`, with A the relevant passages and r the ranking.

    Examples
    --------
    >>> from primer_ref.ranking import recall_at_k
    >>> recall_at_k([7, 2, 9, 4], {2, 4}, k=3)
    0.5
    """
    _check_ranking(ranking)
    _check_depth(k)
    if not relevant:
        raise ValueError("recall needs a relevant passage; got none")
    return len(set(ranking[:k]) & set(relevant)) / len(set(relevant))


def mean_reciprocal_rank(
    rankings: Sequence[Sequence[int]], relevant: Sequence[Collection[int]]
) -> float:
    """Average, over questions, one over the rank of the first relevant passage.

    Parameters
    ----------
    rankings : sequence of sequence of int
        For each question passages, the best first.
    relevant : sequence of collection of int
        For each question the passages that answer it.

    Returns
    -------
    float
        Between 0 and 1; a question whose ranking has no relevant passage counts 0.

    Raises
    ------
    ValueError
        If there are no questions, not as many answers as questions, or a ranking names a passage
        twice.

    Notes
    -----
    Implements :eq:`eq-reciprocal-rank`.

    Examples
    --------
    >>> from primer_ref.ranking import mean_reciprocal_rank
    >>> mean_reciprocal_rank([[7, 2, 9], [1, 3], [5]], [{2, 9}, {1}, {6}])
    0.5
    """
    if len(rankings) != len(relevant) or not rankings:
        raise ValueError(
            f"there must be answers for each question; got {len(relevant)} for {len(rankings)}"
        )
    total = 0.0
    for ranking, answers in zip(rankings, relevant, strict=True):
        _check_ranking(ranking)
        ranks = [rank for rank, passage in enumerate(ranking, 1) if passage in answers]
        total += 1 / ranks[0] if ranks else 0
    return total / len(rankings)


def _discounted_gain(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))


def ndcg(ranking: Sequence[int], gains: Mapping[int, float], *, k: int) -> float:
    r"""Discounted gain of the first k passages, over that of the best ranking.

    The discounted gain is :math:`\sum_{i=1}^k g_i / \log_2(i + 1)`.

    Parameters
    ----------
    ranking : sequence of int
        Passages, the best first.
    gains : mapping of int to float
        How much each passage is worth; those not named are worth 0.
    k : int
        How many are looked at.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If no gain is positive, one is negative, k is not at least 1, or the ranking names a
        passage twice.

    Notes
    -----
    Implements :eq:`eq-ndcg`.

    Järvelin and Kekäläinen divide by the logarithm of i itself, from rank 2 on; with i + 1 the
    second rank is discounted too, as is usual today. The gain enters as it is; others put
    :math:`2^g - 1` in its place.

    References
    ----------
    K. Järvelin and J. Kekäläinen (2002), Cumulated Gain-Based Evaluation of IR Techniques.

    Examples
    --------
    >>> from primer_ref.ranking import ndcg
    >>> print(f"{ndcg([4, 8, 6], {4: 1.0, 6: 3.0}, k=3):.4f}")
    0.6885
    """
    _check_ranking(ranking)
    _check_depth(k)
    if not all(gain >= 0 for gain in gains.values()) or not any(gains.values()):
        raise ValueError("gains must not be negative, and one must be positive")
    best = sorted(gains.values(), reverse=True)[:k]
    return _discounted_gain([gains.get(passage, 0) for passage in ranking[:k]]) / _discounted_gain(
        best
    )


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[int]], *, k: float = 60.0
) -> dict[int, float]:
    r"""Join rankings by scores :math:`\sum_{\text{rankings}} 1/(k + \text{rank})`.

    Parameters
    ----------
    rankings : sequence of sequence of int
        Passages, the best first; none needs to name all.
    k : float
        How little the first ranks stand out; 60 is what its authors settled on.

    Returns
    -------
    dict of int to float
        Scores of all passages that were named, the best first; of equal ones, the one that was
        named first.

    Raises
    ------
    ValueError
        If ``k`` is negative, or a ranking names a passage twice.

    Notes
    -----
    Implements :eq:`eq-rank-fusion`.

    Only ranks enter, so scores on scales that have nothing in common can be joined.

    References
    ----------
    G. V. Cormack, C. L. A. Clarke and S. Büttcher (2009), Reciprocal Rank Fusion Outperforms
    Condorcet and Individual Rank Learning Methods.

    Examples
    --------
    >>> from primer_ref.ranking import reciprocal_rank_fusion
    >>> list(reciprocal_rank_fusion([[3, 1, 2], [1, 4]]))
    [1, 3, 4, 2]
    """
    check_nonnegative(k, "k")
    scores: dict[int, float] = {}
    for ranking in rankings:
        _check_ranking(ranking)
        for rank, passage in enumerate(ranking, 1):
            scores[passage] = scores.get(passage, 0.0) + 1 / (k + rank)
    return dict(sorted(scores.items(), key=lambda item: -item[1]))
