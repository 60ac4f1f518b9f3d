"""BM25 against rank-bm25, and discounted gains against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest

from primer_ref.ranking import ndcg
from primer_ref.retrieval import bm25_index

from .conftest import Compare


def test_scores_but_for_the_weight_of_a_word_and_a_factor(compare: Compare) -> None:
    rank_bm25 = pytest.importorskip("rank_bm25")
    rng = np.random.default_rng(0)
    ours, theirs = [], []
    for _ in range(100):
        k1, b = rng.uniform(0, 3), rng.random()
        documents = [list(rng.choice(list("abcdefgh"), rng.integers(1, 20))) for _ in range(12)]
        query = list(rng.choice(list("abcdefghi"), 5))
        other = rank_bm25.BM25Okapi(documents, k1=k1, b=b)
        # Its weight is log((N − n + ½)/(n + ½)), with a floor where that is negative.
        for word in other.idf:
            n = sum(word in document for document in documents)
            other.idf[word] = math.log(1 + (12 - n + 0.5) / (n + 0.5))
        ours.append((k1 + 1) * bm25_index(documents, k1=k1, b=b).scores(query))
        theirs.append(other.get_scores(query))
    compare(bm25_index, "rank_bm25.BM25Okapi with Lucene's weights", ours, theirs, 1e-12)


def test_discounted_gains(compare: Compare) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    ours, theirs = [], []
    for _ in range(200):
        gains, scores = rng.integers(0, 4, 9).astype(float), rng.permutation(9)
        gains[rng.integers(9)] = 2
        k = int(rng.integers(1, 12))
        ranking = np.argsort(-scores).tolist()
        ours.append(ndcg(ranking, dict(enumerate(gains.tolist())), k=k))
        theirs.append(metrics.ndcg_score([gains], [scores], k=k))
    compare(ndcg, "sklearn.metrics.ndcg_score", ours, theirs, 1e-12)
