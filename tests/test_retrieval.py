"""Retrieval: BM25 by hand and in its limits, answers as sums over passages."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.autodiff import check_gradient
from primer_ref.functional import log_softmax
from primer_ref.retrieval import (
    bm25_index,
    dense_scores,
    rag_sequence_log_prob,
    rag_token_log_prob,
)

F = NDArray[np.floating[Any]]

documents = st.lists(st.lists(st.sampled_from("abcd"), max_size=9), min_size=1, max_size=5)


@pytest.mark.equation("eq-bm25")
@given(documents.filter(any), st.lists(st.sampled_from("abcde")), st.floats(0, 3), st.floats(0, 1))
def test_scores_follow_the_formula(
    documents: list[list[str]], query: list[str], k1: float, b: float
) -> None:
    n = len(documents)
    mean = sum(map(len, documents)) / n
    expected = [
        sum(
            math.log(1 + (n - df + 0.5) / (df + 0.5))
            * document.count(word)
            / (document.count(word) + k1 * (1 - b + b * len(document) / mean))
            for word in query
            if word in document
            for df in [sum(word in other for other in documents)]
        )
        for document in documents
    ]
    index = bm25_index(documents, k1=k1, b=b)
    np.testing.assert_allclose(index.scores(query), expected, rtol=1e-12, atol=1e-15)


def test_repetition_saturates_and_length_counts_only_with_b() -> None:
    texts = [["x"] * n + ["y"] * (50 - n) for n in (1, 2, 10, 50)] + [["z"]]
    flat = bm25_index(texts, b=0).scores(["x"])
    rarity = math.log(1 + 1.5 / 4.5)
    assert np.all(np.diff(flat[:4]) > 0)
    np.testing.assert_allclose(flat[:4], rarity * np.array([1, 2, 10, 50]) / [2.2, 3.2, 11.2, 51.2])
    longer = bm25_index([["x", *"y" * 5], ["x", *"y" * 50]], b=0.75).scores(["x"])
    assert longer[0] > longer[1]
    same = bm25_index([["x", *"y" * 5], ["x", *"y" * 50]], b=0).scores(["x"])
    assert same[0] == same[1]
    # A word in every passage still adds something.
    assert np.all(bm25_index([["x"], ["x"]]).scores(["x"]) > 0)


@pytest.mark.equation("eq-dense-scores")
def test_dense_scores_are_inner_products() -> None:
    rng = np.random.default_rng(0)
    queries, passages = rng.normal(size=(2, 3, 4)), rng.normal(size=(5, 4))
    expected = [[[q @ d for d in passages] for q in row] for row in queries]
    np.testing.assert_allclose(dense_scores(queries, passages), expected)
    np.testing.assert_allclose(dense_scores(queries[0, 0], passages), expected[0][0])


def model(seed: int, passages: int, vocabulary: int, length: int) -> tuple[F, F]:
    """Draw passage probabilities, and a law of the next token for each passage and beginning."""
    rng = np.random.default_rng(seed)
    shape = (passages,) + (vocabulary,) * length
    return rng.dirichlet(np.ones(passages)), rng.dirichlet(np.ones(vocabulary), size=shape[:-1])


@pytest.mark.equation("eq-rag-sequence")
@pytest.mark.equation("eq-rag-token")
@given(st.integers(0, 2**32 - 1))
def test_both_ways_to_answer_are_sums_over_passages(seed: int) -> None:
    prior, first = model(seed, 3, 2, 1)  # (Z, V): the first token
    _, second = model(seed + 1, 3, 2, 2)  # (Z, V, V): the second, given the first
    totals = np.zeros(2)
    for y in itertools.product(range(2), repeat=2):
        rows = np.stack([first[:, y[0]], second[:, y[0], y[1]]], axis=1)  # (Z, T)
        sequence = sum(prior[z] * rows[z, 0] * rows[z, 1] for z in range(3))
        token = (prior @ rows[:, 0]) * (prior @ rows[:, 1])
        found = [
            f(np.log(prior), np.log(rows)) for f in (rag_sequence_log_prob, rag_token_log_prob)
        ]
        np.testing.assert_allclose(np.exp(found), [sequence, token])
        totals += np.exp(found)
    np.testing.assert_allclose(totals, 1)  # each is a law over answers


def test_the_two_agree_for_one_passage_and_for_one_token() -> None:
    rng = np.random.default_rng(1)
    one, many = np.log(rng.random((2, 1, 4))), np.log(rng.random((2, 3, 1)))
    prior = log_softmax(rng.normal(size=(2, 3)))
    np.testing.assert_allclose(
        rag_sequence_log_prob(np.zeros((2, 1)), one), rag_token_log_prob(np.zeros((2, 1)), one)
    )
    np.testing.assert_allclose(rag_sequence_log_prob(prior, many), rag_token_log_prob(prior, many))


def test_a_passage_that_cannot_answer_changes_nothing_and_nothing_underflows() -> None:
    log_probs = np.array([[-400.0] * 5, [-np.inf] * 5])
    assert rag_sequence_log_prob(np.log([0.25, 0.75]), log_probs) == pytest.approx(
        math.log(0.25) - 2000
    )


def test_gradients_flow_to_the_retriever_and_the_reader() -> None:
    rng = np.random.default_rng(2)
    scores, reader = rng.normal(size=3), -rng.random((3, 4))
    for function in (rag_sequence_log_prob, rag_token_log_prob):

        def value(tree: Any, function: Any = function) -> Any:
            return function(log_softmax(tree[0]), tree[1])

        assert check_gradient(value, (scores, reader), rng=rng) < 1e-7


@pytest.mark.equation("eq-rag-gradient")
def test_the_gradient_of_a_score_is_what_the_answer_adds_to_its_passage() -> None:
    rng = np.random.default_rng(5)
    scores, log_probs = rng.normal(size=4), -rng.random((4, 3))

    def log_answer(s: NDArray[np.float64]) -> float:
        return float(rag_sequence_log_prob(log_softmax(s), log_probs))

    prior = np.exp(scores) / np.exp(scores).sum()
    joint = prior * np.exp(log_probs).prod(axis=1)
    h = 1e-5
    slopes = [
        (log_answer(scores + h * e) - log_answer(scores - h * e)) / (2 * h) for e in np.eye(4)
    ]
    np.testing.assert_allclose(slopes, joint / joint.sum() - prior, atol=1e-9)
