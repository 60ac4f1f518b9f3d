"""Judging and joining rankings: by hand, by force over all rankings, by invariance."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.ranking import mean_reciprocal_rank, ndcg, recall_at_k, reciprocal_rank_fusion


@pytest.mark.equation("eq-recall-at-k")
@given(st.permutations(range(6)), st.sets(st.integers(0, 7), min_size=1), st.integers(1, 8))
def test_recall_is_the_share_found(ranking: list[int], relevant: set[int], k: int) -> None:
    found = sum(passage in relevant for passage in ranking[:k])
    assert recall_at_k(ranking, relevant, k=k) == pytest.approx(found / len(relevant))


@pytest.mark.equation("eq-reciprocal-rank")
def test_reciprocal_ranks_look_at_the_first_hit_only() -> None:
    assert mean_reciprocal_rank([[4, 5, 6]], [{6, 5}]) == 1 / 2
    assert mean_reciprocal_rank([[4, 5], [1], [2, 3]], [{4}, {9}, {3}]) == pytest.approx(1.5 / 3)


@pytest.mark.equation("eq-ndcg")
@given(
    st.dictionaries(st.integers(0, 4), st.floats(0.1, 9), min_size=1, max_size=4), st.integers(1, 5)
)
def test_the_best_ranking_has_gain_one_and_no_other_more(gains: dict[int, float], k: int) -> None:
    values = [ndcg(ranking, gains, k=k) for ranking in itertools.permutations(range(5))]
    assert max(values) == pytest.approx(1)
    best = sorted(range(5), key=lambda passage: -gains.get(passage, 0))
    assert ndcg(best, gains, k=k) == pytest.approx(1)


@pytest.mark.equation("eq-ndcg")
def test_gain_is_discounted_by_the_logarithm_of_the_rank_and_one() -> None:
    gains = {0: 3.0, 1: 2.0, 2: 1.0}
    got = 1 + 3 / math.log2(3) + 2 / math.log2(5)  # passages 2, 0, 9, 1
    best = 3 + 2 / math.log2(3) + 1 / 2
    assert ndcg([2, 0, 9, 1], gains, k=4) == pytest.approx(got / best)
    assert ndcg([2, 0, 9, 1], gains, k=1) == pytest.approx(1 / 3)


@pytest.mark.equation("eq-rank-fusion")
@given(st.lists(st.permutations(range(5)), min_size=1, max_size=4), st.floats(0, 100))
def test_fusion_adds_reciprocal_ranks(rankings: list[list[int]], k: float) -> None:
    fused = reciprocal_rank_fusion(rankings, k=k)
    for passage in range(5):
        expected = sum(1 / (k + 1 + ranking.index(passage)) for ranking in rankings)
        assert fused[passage] == pytest.approx(expected)
    assert list(fused.values()) == sorted(fused.values(), reverse=True)
    assert list(reciprocal_rank_fusion(rankings[:1], k=k)) == rankings[0]


def test_fusion_by_hand_with_its_usual_constant() -> None:
    fused = reciprocal_rank_fusion([[3, 1], [1, 2]])
    assert fused == pytest.approx({1: 1 / 62 + 1 / 61, 3: 1 / 61, 2: 1 / 62})
    assert list(reciprocal_rank_fusion([[5], [4]])) == [5, 4]  # a tie: first named, first
