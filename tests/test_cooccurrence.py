"""Counts of neighbors and their information: by hand, published tables, Levy and Goldberg."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize

from primer_ref.autodiff import check_gradient
from primer_ref.cooccurrence import (
    cooccurrence_counts,
    negative_sampling_objective,
    pmi,
    ppmi,
)
from primer_ref.information import mutual_information

F = NDArray[np.floating[Any]]

# Jurafsky and Martin, Speech and Language Processing, chapter on vector semantics: words cherry,
# strawberry, digital, information; contexts computer, data, result, pie, sugar.
FRUIT = [[2, 8, 9, 442, 25], [0, 0, 1, 60, 19], [1670, 1683, 85, 5, 4], [3325, 3982, 378, 5, 13]]


@given(st.lists(st.lists(st.integers(0, 3), max_size=9), max_size=4), st.integers(1, 5))
def test_pairs_are_counted_within_the_window_of_each_text(
    texts: list[list[int]], window: int
) -> None:
    expected = np.zeros((4, 4), int)
    for text in texts:
        for i, j in itertools.permutations(range(len(text)), 2):
            if abs(i - j) <= window:
                expected[text[i], text[j]] += 1
    counts = cooccurrence_counts(texts, n_symbols=4, window=window)
    np.testing.assert_array_equal(counts, expected)


@pytest.mark.equation("eq-ppmi")
@pytest.mark.equation("eq-pmi")
def test_published_table_of_positive_information() -> None:
    table = ppmi(FRUIT) / math.log(2)
    printed = [
        [0, 0, 0, 4.38, 3.30],
        [0, 0, 0, 4.10, 5.51],
        [0.18, 0.01, 0, 0, 0],
        [0.02, 0.09, 0.28, 0, 0],
    ]
    np.testing.assert_allclose(table, printed, atol=0.0055)
    # The page prints .0944 from rounded probabilities.
    assert table[3, 1] == pytest.approx(0.0943691249518)


def test_published_smoothing_of_contexts() -> None:
    # Two words that see both contexts as often as these occur: information is what smoothing adds.
    counts = np.outer([1, 1], [99, 1])
    np.testing.assert_allclose(pmi(counts), 0, atol=1e-12)
    smoothed = np.array([0.99, 0.01]) / np.exp(pmi(counts, alpha=0.75)[0])
    np.testing.assert_allclose(smoothed, [0.97, 0.03], atol=0.002)
    np.testing.assert_allclose(smoothed, [0.969121800608, 0.030878199392])


@pytest.mark.equation("eq-pmi")
def test_its_mean_is_mutual_information() -> None:
    counts = np.array(FRUIT[2:]) + 1
    joint = counts / counts.sum()
    assert np.sum(joint * pmi(counts)) == pytest.approx(float(mutual_information(joint)))
    assert pmi(FRUIT)[1, 0] == -np.inf


def test_single_precision_counts_are_divided_in_double() -> None:
    expected = np.log([[1 * 10 / (3 * 4), 2 * 10 / (3 * 6)], [3 * 10 / (7 * 4), 4 * 10 / (7 * 6)]])
    np.testing.assert_allclose(pmi(np.array([[1, 2], [3, 4]], np.float32)), expected, rtol=1e-12)


@pytest.mark.equation("eq-ppmi")
def test_the_shift_is_subtracted_before_the_cut() -> None:
    counts = np.array([[4, 1, 0], [1, 6, 2]])
    np.testing.assert_allclose(
        ppmi(counts, n_negative=1.2), np.maximum(pmi(counts) - math.log(1.2), 0)
    )
    assert np.all(ppmi(counts, n_negative=100) == 0)


def toy() -> NDArray[np.int64]:
    """Count all texts of four words of three in which only word 0 may follow itself, each once."""
    texts = [
        text
        for text in itertools.product(range(3), repeat=4)
        if all(a != b or a == 0 for a, b in itertools.pairwise(text))
    ]
    return cooccurrence_counts(texts, n_symbols=3, window=2)


@pytest.mark.equation("eq-sgns-optimum")
@pytest.mark.equation("eq-sgns")
@pytest.mark.parametrize("k", [1, 5])
def test_skip_gram_is_best_at_information_less_log_k(k: int) -> None:
    counts = toy()
    # Each score stands in one term a log σ(x) + b log σ(−x); two values show a and b, and so the
    # place log(a/b) where the term is largest.
    for w, c in itertools.product(range(3), repeat=2):
        values = []
        for x in (2.0, -1.0):
            scores = np.zeros((3, 3))
            base = float(negative_sampling_objective(scores, counts, n_negative=k))
            scores[w, c] = x
            values.append(float(negative_sampling_objective(scores, counts, n_negative=k)) - base)

        def log_sigmoid(x: float) -> float:
            return -math.log1p(math.exp(-x))

        terms = [
            [log_sigmoid(x) - log_sigmoid(0), log_sigmoid(-x) - log_sigmoid(0)] for x in (2, -1)
        ]
        a, b = np.linalg.solve(terms, values)
        assert math.log(a / b) == pytest.approx(pmi(counts)[w, c] - math.log(k), abs=1e-10)


@pytest.mark.equation("eq-sgns")
def test_the_objective_adds_up_one_pair_after_the_other() -> None:
    counts, k = np.array([[3, 0, 2], [1, 4, 1]]), 2
    scores = np.random.default_rng(2).normal(size=counts.shape)
    share = counts.sum(axis=0) / counts.sum()

    def log_sigmoid(x: float) -> float:
        return math.log(1 / (1 + math.exp(-x)))

    total = 0.0
    for w, c in itertools.product(range(2), range(3)):
        for _ in range(counts[w, c]):
            invented = sum(share[j] * log_sigmoid(-scores[w, j]) for j in range(3))
            total += log_sigmoid(scores[w, c]) + k * invented
    assert negative_sampling_objective(scores, counts, n_negative=k) == pytest.approx(total)


@pytest.mark.equation("eq-sgns-weights")
@pytest.mark.equation("eq-sgns-optimum")
def test_beside_the_best_scores_the_loss_is_the_weighted_square() -> None:
    counts, k = np.random.default_rng(3).integers(1, 30, size=(3, 5)), 4
    best = pmi(counts) - math.log(k)
    top = float(negative_sampling_objective(best, counts, n_negative=k))
    a, b = counts, k * np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    for seed in range(20):
        step = np.random.default_rng(seed).normal(size=counts.shape)
        far = float(negative_sampling_objective(best + 3 * step, counts, n_negative=k))
        assert far < top
        # Steps to both sides cancel the cubic term.
        losses = [
            top - float(negative_sampling_objective(best + h * step, counts, n_negative=k))
            for h in (1e-3, -1e-3)
        ]
        expected = 1e-6 * np.sum(a * b / (a + b) * step**2) / 2
        assert np.mean(losses) == pytest.approx(expected, rel=1e-4)


def test_scores_of_pairs_that_were_not_seen_have_no_best_value() -> None:
    counts = np.array([[3, 0], [1, 4]])
    scores = np.zeros((2, 2))
    values = []
    for x in (0, -5, -10, -20):
        scores[0, 1] = x
        values.append(float(negative_sampling_objective(scores, counts, n_negative=5)))
    assert np.all(np.diff(values) > 0)


def test_vectors_of_full_width_reach_the_best_scores_and_shorter_ones_do_not() -> None:
    counts = toy()
    best = pmi(counts) - math.log(2)

    def fitted(width: int) -> tuple[float, F]:
        def loss(flat: F) -> float:
            words, contexts = flat.reshape(2, 3, width)
            return -float(negative_sampling_objective(words @ contexts.T, counts, n_negative=2))

        start = np.random.default_rng(0).normal(size=6 * width)
        found = optimize.minimize(loss, start, tol=1e-12, options={"maxiter": 5000})
        words, contexts = found.x.reshape(2, 3, width)
        return -found.fun, words @ contexts.T

    top = float(negative_sampling_objective(best, counts, n_negative=2))
    value, scores = fitted(3)
    np.testing.assert_allclose(scores, best, atol=1e-4)
    assert value == pytest.approx(top, rel=1e-9)
    assert fitted(1)[0] < top - 0.1


def test_the_objective_is_differentiable() -> None:
    counts = toy()
    rng = np.random.default_rng(1)

    def value(words: Any) -> Any:
        return negative_sampling_objective(words @ words.T, counts, n_negative=3)

    assert check_gradient(value, rng.normal(size=(3, 2)), rng=rng) < 1e-7
