"""Partial results: a commutative monoid, any tree of merges, agreement with softmax."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.attention import (
    attention_weights,
    causal_mask,
    masked_scores,
    scaled_dot_product_attention,
)
from primer_ref.autodiff import check_gradient
from primer_ref.functional import logsumexp, softmax
from primer_ref.online_softmax import (
    Partial,
    finish,
    merge,
    nothing_seen,
    online_softmax,
    partial_attention,
)

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


def random_part(rng: np.random.Generator, n_keys: int) -> Partial:
    """Three queries, of which each may look at about two thirds of the keys, and some at none."""
    q, k, v = rng.normal(size=(3, 4)), rng.normal(size=(n_keys, 4)), rng.normal(size=(n_keys, 2))
    hidden = rng.random((3, n_keys)) < 0.35
    hidden[0] = rng.random() < 0.5
    return partial_attention(30 * q, k, v, np.where(hidden, -np.inf, 0))


def assert_same(a: Partial, b: Partial) -> None:
    np.testing.assert_array_equal(a.peak, b.peak)
    np.testing.assert_allclose(a.total, b.total, rtol=1e-12)
    np.testing.assert_allclose(a.weighted, b.weighted, rtol=1e-12, atol=1e-12)


@pytest.mark.equation("eq-merge")
@given(seeds)
def test_merging_is_associative_commutative_and_has_a_neutral_element(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b, c = (random_part(rng, n) for n in (1, 4, 3))
    assert_same(merge(merge(a, b), c), merge(a, merge(b, c)))
    assert_same(merge(a, b), merge(b, a))
    for part in (a, b, c):
        assert_same(merge(part, nothing_seen((3,), 2)), part)
        assert_same(merge(nothing_seen((3,), 2), part), part)


@pytest.mark.equation("eq-partial")
@pytest.mark.equation("eq-merge")
@given(seeds)
def test_merging_adds_the_unscaled_sums(seed: int) -> None:
    rng = np.random.default_rng(seed)
    peaks, totals, weighted = (
        rng.normal(size=(2, 3)),
        rng.random((2, 3)),
        rng.normal(size=(2, 3, 2)),
    )
    a, b = (Partial(*part) for part in zip(peaks, totals, weighted, strict=True))
    both = merge(a, b)
    np.testing.assert_array_equal(both.peak, np.maximum(*peaks))
    np.testing.assert_allclose(
        np.exp(both.peak) * both.total, np.sum(np.exp(peaks) * totals, axis=0)
    )
    np.testing.assert_allclose(
        np.exp(both.peak)[:, None] * both.weighted,
        np.sum(np.exp(peaks)[..., None] * weighted, axis=0),
    )


def by_any_tree(parts: Sequence[Partial], rng: np.random.Generator) -> Partial:
    """Merge two of the results that are left, drawn at random, until one is left."""
    left = list(parts)
    while len(left) > 1:
        a = left.pop(int(rng.integers(len(left))))
        b = left.pop(int(rng.integers(len(left))))
        left.append(merge(a, b))
    return left[0]


@pytest.mark.equation("eq-finish")
@given(seeds, st.integers(1, 9))
def test_any_tree_over_any_blocks_gives_attention(seed: int, n_blocks: int) -> None:
    rng = np.random.default_rng(seed)
    q, k, v = rng.normal(size=(5, 3)), rng.normal(size=(12, 3)), rng.normal(size=(12, 2))
    mask = np.where(rng.random((5, 12)) < 0.4, -np.inf, 0)
    owner = rng.integers(n_blocks, size=12)  # blocks need not be neighbors
    parts = [
        partial_attention(q, k[owner == i], v[owner == i], mask[:, owner == i])
        for i in set(owner.tolist())
    ]
    output, log_sums = finish(by_any_tree(parts, rng))
    np.testing.assert_allclose(output, scaled_dot_product_attention(q, k, v, mask), atol=1e-12)
    np.testing.assert_allclose(log_sums, logsumexp(q @ k.T / math.sqrt(3) + mask), rtol=1e-12)


@pytest.mark.equation("eq-partial")
def test_no_keys_are_the_neutral_element() -> None:
    found = partial_attention(np.ones((3, 4)), np.ones((0, 4)), np.ones((2, 0, 5)))
    assert_same(found, nothing_seen((2, 3), 5))


def test_scores_are_those_whose_softmax_attention_takes() -> None:
    q, k = np.random.default_rng(0).normal(size=(2, 2, 4, 3))
    scores = masked_scores(q, k, causal_mask(4))
    np.testing.assert_allclose(softmax(scores), attention_weights(q, k, causal_mask(4)))
    assert masked_scores(q.astype(np.float32), k.astype(np.float32), causal_mask(4)).dtype == "f4"


def test_a_query_that_sees_nothing_gets_zero_and_a_log_sum_of_minus_infinity() -> None:
    mask = np.where([[True], [False]], -np.inf, np.zeros(4))
    part = partial_attention(np.ones((2, 3)), np.ones((4, 3)), np.ones((4, 2)), mask)
    output, log_sums = finish(part)
    np.testing.assert_array_equal(output, [[0, 0], [1, 1]])
    assert log_sums[0] == -np.inf
    assert log_sums[1] == pytest.approx(math.sqrt(3) + math.log(4))


@pytest.mark.equation("eq-online-softmax")
@given(seeds, st.integers(1, 20))
def test_online_softmax_is_softmax(seed: int, n: int) -> None:
    s = np.random.default_rng(seed).normal(size=(3, n)) * 300
    s[0, : n - 1] = -np.inf
    np.testing.assert_allclose(online_softmax(s), softmax(s), rtol=1e-12, atol=1e-300)


def test_a_score_that_grows_at_every_step_neither_overflows_nor_is_lost() -> None:
    s = 1000.0 * np.arange(6)
    np.testing.assert_array_equal(online_softmax(s), [0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(online_softmax(s[::-1]), [1, 0, 0, 0, 0, 0])


def test_merged_results_can_be_differentiated() -> None:
    rng = np.random.default_rng(3)
    mix, arrays = rng.normal(size=(3, 2)), tuple(rng.normal(size=(3, n, 2)) for n in (3, 4, 4))

    def loss(qkv: tuple[F, F, F]) -> object:
        q, k, v = qkv
        early, late = (partial_attention(q, k[:, s], v[:, s]) for s in (slice(3), slice(3, 4)))
        return np.sum(mix * finish(merge(early, late))[0][0])

    assert check_gradient(loss, arrays, rng=rng) < 1e-7
    weights = rng.normal(size=5)
    assert check_gradient(lambda s: np.sum(weights * online_softmax(s)), weights, rng=rng) < 1e-7
