"""Word vectors: Eckart and Young, cosines and neighbors by hand, the gradient of a lookup."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.spatial import distance

from primer_ref.autodiff import check_gradient
from primer_ref.cooccurrence import cooccurrence_counts, ppmi
from primer_ref.embeddings import (
    analogy,
    cosine_similarity,
    embedding_gradient,
    mean_cosine,
    nearest_neighbors,
    truncated_svd,
)
from primer_ref.functional import log_softmax

F = NDArray[np.floating[Any]]


@pytest.mark.equation("eq-eckart-young")
@pytest.mark.equation("eq-truncated-svd")
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_the_error_is_the_tail_of_the_singular_values(power: float) -> None:
    matrix = np.random.default_rng(0).normal(size=(9, 6))
    for width in range(1, 7):
        factors = truncated_svd(matrix, width, power=power)
        assert factors.words.shape == (9, width)
        error = np.sum((matrix - factors.words @ factors.contexts.T) ** 2)
        tail = np.sum(factors.singular_values[width:] ** 2)
        np.testing.assert_allclose(error, tail, atol=1e-12)
        scale = np.sum(factors.words**2, axis=0)
        np.testing.assert_allclose(scale, factors.singular_values[:width] ** (2 * power))
    np.testing.assert_allclose(
        factors.singular_values**2, np.linalg.eigvalsh(matrix.T @ matrix)[::-1]
    )


@pytest.mark.equation("eq-svd")
@pytest.mark.parametrize("shape", [(4, 7), (7, 4)])
def test_singular_values_show_the_rank_and_the_size(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    matrix = rng.normal(size=(shape[0], 2)) @ rng.normal(size=(2, shape[1]))
    factors = truncated_svd(matrix, 2)
    np.testing.assert_allclose(factors.words @ factors.contexts.T, matrix, atol=1e-12)
    assert np.count_nonzero(factors.singular_values > 1e-12) == 2
    assert np.sum(factors.singular_values**2) == pytest.approx(np.sum(matrix**2))


@pytest.mark.equation("eq-svd")
@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5)])
def test_the_ends_of_the_spectrum_are_the_least_and_the_largest_stretch(
    shape: tuple[int, int],
) -> None:
    rng = np.random.default_rng(8)
    matrix = rng.normal(size=shape)
    n, m = shape
    s = np.zeros(m)  # s_1, ..., s_m, of which those beyond n are 0
    s[: min(shape)] = truncated_svd(matrix, 1).singular_values
    basis = np.linalg.eigh(matrix.T @ matrix)[1].T[::-1]  # v_1, ..., v_m
    np.testing.assert_allclose(np.linalg.norm(basis @ matrix.T, axis=1), s, atol=1e-12)
    rows = rng.normal(size=(500, m))
    factors = np.linalg.norm(rows @ matrix.T, axis=1) / np.linalg.norm(rows, axis=1)
    assert np.all((s[-1] <= factors) & (factors <= s[0]))
    # A row x in xM meets the same extremes if M is square; a tall M takes some row to 0.
    left = np.linalg.svd(matrix)[0].T
    assert np.linalg.norm(left[0] @ matrix) == pytest.approx(s[0])
    if n >= m:
        least = s[-1] if n == m else 0.0
        assert np.linalg.norm(left[-1] @ matrix) == pytest.approx(least, abs=1e-12)


@pytest.mark.equation("eq-condition")
def test_relative_errors_grow_by_the_condition_number_at_most_and_at_worst() -> None:
    rng = np.random.default_rng(9)
    matrix = rng.normal(size=(5, 5))
    u, s, _ = np.linalg.svd(matrix)
    condition = s[0] / s[-1]

    def growth(x: F, error: F) -> float:
        """Give the relative error of x over that of b = xM."""
        of_b = np.linalg.norm(error @ matrix) / np.linalg.norm(x @ matrix)
        return float(np.linalg.norm(error) / np.linalg.norm(x) / of_b)

    assert growth(u[:, 0], u[:, -1]) == pytest.approx(condition)
    for x, error in rng.normal(size=(200, 2, 5)):
        assert growth(x, error) <= condition


@pytest.mark.equation("eq-eckart-young")
def test_no_other_product_of_this_width_is_nearer() -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(7, 5))
    factors = truncated_svd(matrix, 2)
    best = np.sum((matrix - factors.words @ factors.contexts.T) ** 2)
    for _ in range(20):
        # Alternating least squares, started anywhere, ends at the same distance and not below.
        contexts = rng.normal(size=(5, 2))
        for _ in range(200):
            words = matrix @ np.linalg.pinv(contexts).T
            contexts = matrix.T @ np.linalg.pinv(words).T
        distance_found = np.sum((matrix - words @ contexts.T) ** 2)
        assert distance_found >= best - 1e-12
    assert distance_found == pytest.approx(best, rel=1e-6)


@pytest.mark.equation("eq-cosine")
def test_cosines_are_those_of_scipy() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(4, 6)), rng.normal(size=(5, 6))
    expected = 1 - distance.cdist(a, b, "cosine")
    np.testing.assert_allclose(cosine_similarity(a, b), expected, atol=1e-14)
    np.testing.assert_allclose(cosine_similarity(a * 7, b * 0.1), expected, atol=1e-14)
    stacked = cosine_similarity(np.stack([a, -a]), np.stack([b, b]))
    np.testing.assert_allclose(stacked, np.stack([expected, -expected]), atol=1e-14)
    assert cosine_similarity(a.astype(np.float32), b.astype(np.float32)).dtype == np.float32
    assert check_gradient(lambda x: np.sum(cosine_similarity(x, b) ** 3), a, rng=rng) < 1e-7


@pytest.mark.equation("eq-cosine")
@pytest.mark.parametrize(("dtype", "power"), [(np.float64, 300), (np.float32, 36)])
def test_rows_whose_squares_would_be_zero_or_infinite_have_cosines(
    dtype: type[np.floating], power: int
) -> None:
    a, b = np.random.default_rng(2).normal(size=(2, 4, 6)).astype(dtype)
    expected = cosine_similarity(a, b)
    tolerance = 8 * float(np.finfo(dtype).eps)
    for scale in (10.0**-power, 10.0**power):
        np.testing.assert_allclose(cosine_similarity(a * scale, b), expected, atol=tolerance)
    for end in (np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max):
        found = cosine_similarity(np.array([[end, -end]]), np.array([[1, 0]], dtype))
        assert found.dtype == dtype
        assert found[0, 0] == pytest.approx(math.sqrt(0.5))


@pytest.mark.equation("eq-mean-cosine")
@given(arrays(float, (6, 3), elements=st.floats(0.1, 3)))
def test_mean_cosine_is_the_mean_over_pairs(vectors: F) -> None:
    cosines = cosine_similarity(vectors, vectors)
    expected = np.mean(cosines[~np.eye(6, dtype=bool)])
    assert mean_cosine(vectors) == pytest.approx(expected, abs=1e-12)
    # Sums of single precision would lose units above 2^24.
    assert mean_cosine(np.tile(np.array([1, 0], np.float32), (4099, 1))) == 1


def test_random_directions_have_no_common_one_and_spread_by_the_root_of_the_width() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(1000, 300))
    assert abs(mean_cosine(vectors)) < 4 / math.sqrt(300 * 1000 * 999 / 2)
    assert mean_cosine(vectors + 3) > 0.5
    cosines = cosine_similarity(vectors[:500], vectors[500:])
    assert np.std(cosines) == pytest.approx(1 / math.sqrt(300), abs=1e-3)


def test_neighbors_are_sorted_by_angle_without_the_word_itself() -> None:
    angles = np.radians([0, 50, 10, -30, 180, 10])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [9], [2], [1], [1], [3]]
    found = nearest_neighbors(vectors, 0, 5)
    assert found.words.tolist() == [2, 5, 3, 1, 4]  # 2 and 5 point the same way: 2 comes first
    np.testing.assert_allclose(found.cosines, np.cos(np.radians([10, 10, 30, 50, 180])))
    assert nearest_neighbors(vectors, 2, 1).words.tolist() == [5]
    alternating = np.tile([[0.0, 1.0], [1.0, 0.0]], (50, 1))
    assert nearest_neighbors(alternating, 2, 49).words.tolist() == [0, *range(4, 100, 2)]


@pytest.mark.equation("eq-analogy")
def test_analogies_add_directions_and_leave_the_question_out() -> None:
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(40, 8)) * rng.uniform(0.1, 9, size=(40, 1))
    for a, b, c in rng.integers(0, 40, size=(30, 3)).tolist():
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        scores = unit @ (unit[b] - unit[a] + unit[c])
        scores /= np.linalg.norm(unit[b] - unit[a] + unit[c])
        expected = [w for w in np.argsort(-scores).tolist() if w not in (a, b, c)]
        found = analogy(vectors, a, b, c, 37)
        assert found.words.tolist() == expected[:37]
        np.testing.assert_allclose(found.cosines, scores[expected[:37]])


def test_words_used_alike_become_neighbors() -> None:
    # Two kinds of words that follow each other; within a kind, words never meet.
    rng = np.random.default_rng(5)
    text = np.stack([rng.integers(0, 4, 4000), rng.integers(4, 8, 4000)], axis=1).ravel()
    counts = cooccurrence_counts([text], n_symbols=8, window=1)
    vectors = truncated_svd(ppmi(counts), 2).words
    for word in range(8):
        assert {w // 4 for w in nearest_neighbors(vectors, word, 3).words.tolist()} == {word // 4}


@pytest.mark.equation("eq-embedding-gradient")
def test_the_gradient_of_a_lookup_is_the_product_with_one_hot_rows() -> None:
    rng = np.random.default_rng(6)
    tokens, d_out = rng.integers(0, 5, size=(3, 4)), rng.normal(size=(3, 4, 2))
    gradient = embedding_gradient(tokens, d_out, n_symbols=6)
    one_hot = np.eye(6)[tokens]
    np.testing.assert_allclose(gradient, np.tensordot(one_hot, d_out, axes=((0, 1), (0, 1))))
    assert np.all(gradient[5] == 0)
    # The same along a random direction of the table, by finite differences.
    table, direction = rng.normal(size=(2, 6, 2))

    def loss(table: F) -> float:
        return float(np.sum(np.sin(table[tokens])))

    h = 1e-6
    slope = (loss(table + h * direction) - loss(table - h * direction)) / (2 * h)
    exact = np.sum(embedding_gradient(tokens, np.cos(table[tokens]), n_symbols=6) * direction)
    assert slope == pytest.approx(exact, rel=1e-8)


@pytest.mark.equation("eq-log-rank")
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_log_probabilities_have_rank_one_above_the_width_at_most(width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    hidden, table = rng.normal(size=(20, width)), rng.normal(size=(15, width))
    logits = hidden @ table.T
    assert np.linalg.matrix_rank(logits) == width
    # The normalizer of each row adds one column times a row of ones, which the logits lack.
    assert np.linalg.matrix_rank(log_softmax(logits)) == width + 1
    # A bias column in the table leaves room for it.
    table[:, 0] = 1
    assert np.linalg.matrix_rank(log_softmax(hidden @ table.T)) == width


@pytest.mark.equation("eq-needed-width")
@given(st.integers(1, 4), st.booleans(), st.integers(0, 2**32 - 1))
def test_centered_log_probabilities_show_the_width_needed(
    width: int, constant: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    hidden, table = rng.normal(size=(12, width)), rng.normal(size=(9, width))
    if constant:  # one coordinate that softmax does not see
        table[:, 0] = 1
    logs = log_softmax(hidden @ table.T)
    centered = logs - logs.mean(axis=1, keepdims=True)
    needed = width - constant
    assert np.linalg.matrix_rank(centered, tol=1e-9) == needed
    assert np.linalg.matrix_rank(logs, tol=1e-9) - needed in (0, 1)
    if needed:
        factors = truncated_svd(centered, needed)
        again = log_softmax(factors.words @ factors.contexts.T)
        np.testing.assert_allclose(again, logs, atol=1e-9)
