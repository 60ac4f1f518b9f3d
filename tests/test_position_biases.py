"""Position biases: published slopes and buckets, exact bucket boundaries, Toeplitz matrices."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import linalg

from primer_ref.attention import attention_weights, causal_mask
from primer_ref.autodiff import check_gradient
from primer_ref.position_biases import (
    alibi_bias,
    alibi_slopes,
    offsets,
    relative_bias,
    shaw_bias,
    t5_buckets,
    t5_buckets_causal,
)
from tests.draws import is_toeplitz

F = NDArray[np.floating[Any]]

seeds = st.integers(0, 2**32 - 1)


def test_offsets_are_key_less_query_with_the_queries_last() -> None:
    np.testing.assert_array_equal(offsets(2, 4), [[-2, -1, 0, 1], [-3, -2, -1, 0]])
    np.testing.assert_array_equal(offsets(3) > 0, causal_mask(3) == -np.inf)


@pytest.mark.equation("eq-alibi-slopes")
def test_slopes_of_8_and_12_heads_are_the_published_ones() -> None:
    # Press et al.: 1/2, 1/4, …, 1/256 for 8 heads; their code for 12 adds the odd ones of 16.
    eight = [0.5**h for h in range(1, 9)]
    np.testing.assert_allclose(alibi_slopes(8), eight, rtol=1e-15)
    np.testing.assert_allclose(
        alibi_slopes(12), [*eight, 0.5**0.5, 0.5**1.5, 0.5**2.5, 0.5**3.5], rtol=1e-14
    )
    np.testing.assert_allclose(alibi_slopes(16), [0.5 ** (h / 2) for h in range(1, 17)])
    np.testing.assert_allclose(alibi_slopes(1), [2.0**-8])


@given(st.integers(1, 200))
def test_slopes_are_distinct_and_from_the_next_power_of_two(n_heads: int) -> None:
    slopes = alibi_slopes(n_heads)
    assert len(set(slopes)) == n_heads
    assert np.all((slopes > 0) & (slopes < 1))
    above = 2 ** math.ceil(math.log2(n_heads))
    candidates = 2.0 ** (-8 * np.arange(1, above + 1) / above)
    assert np.max(np.min(np.abs(slopes[:, None] - candidates), axis=1)) < 1e-14


@pytest.mark.equation("eq-alibi")
def test_alibi_divides_the_odds_by_a_constant_for_every_token_of_distance() -> None:
    bias = alibi_bias([math.log(2), math.log(3)], 4)
    assert is_toeplitz(bias)
    q, k = np.zeros((2, 4, 1)), np.zeros((2, 4, 1))
    weights = attention_weights(q, k, bias + causal_mask(4))
    np.testing.assert_allclose(weights[0, 3], np.array([1, 2, 4, 8]) / 15)
    np.testing.assert_allclose(weights[1, 3], np.array([1, 3, 9, 27]) / 40)
    np.testing.assert_array_equal(alibi_bias([1.0], 1, 4), [[[-3, -2, -1, 0]]])


def bucket_by_integers(distance: int, n_buckets: int, max_distance: int) -> int:
    """Compare powers of whole numbers instead of logarithms: nothing is rounded."""
    exact = n_buckets // 2
    if distance < exact:
        return distance
    wide = n_buckets - exact
    step = 0
    while step < wide - 1 and distance**wide >= max_distance ** (step + 1) * exact ** (
        wide - step - 1
    ):
        step += 1
    return exact + step


@pytest.mark.equation("eq-t5-buckets")
@pytest.mark.parametrize(
    ("n_buckets", "max_distance"), [(32, 128), (16, 128), (64, 512), (12, 100), (16, 81), (2, 3)]
)
def test_buckets_begin_exactly_where_the_powers_say(n_buckets: int, max_distance: int) -> None:
    distances = range(2 * max_distance)
    expected = [bucket_by_integers(d, n_buckets, max_distance) for d in distances]
    sizes = {"n_buckets": n_buckets, "max_distance": max_distance}
    np.testing.assert_array_equal(t5_buckets_causal([-d for d in distances], **sizes), expected)
    sizes["n_buckets"] *= 2
    np.testing.assert_array_equal(t5_buckets([-d for d in distances], **sizes), expected)
    later = [n_buckets + b for b in expected[1:]]
    np.testing.assert_array_equal(t5_buckets(distances[1:], **sizes), later)


def test_the_decoder_of_t5_puts_later_keys_into_the_bucket_of_the_token_itself() -> None:
    np.testing.assert_array_equal(t5_buckets_causal([0, 1, 1000]), 0)


@pytest.mark.equation("eq-relative-bias")
@given(seeds, st.integers(1, 4), st.integers(1, 6), st.integers(0, 3))
def test_a_relative_bias_is_the_toeplitz_matrix_of_its_table(
    seed: int, reach: int, n: int, past: int
) -> None:
    table = np.random.default_rng(seed).normal(size=2 * reach + 1)
    bias = relative_bias(table, n, n + past)

    def beta(offset: int) -> float:
        return float(table[max(-reach, min(reach, offset)) + reach])

    column = [beta(-past - t) for t in range(n)]
    row = [beta(s - past) for s in range(n + past)]
    np.testing.assert_array_equal(bias, linalg.toeplitz(column, row))


def test_the_bias_of_t5_is_a_table_of_buckets_read_twice() -> None:
    by_bucket = np.random.default_rng(0).normal(size=(2, 32))
    once = relative_bias(by_bucket[:, t5_buckets(np.arange(-199, 200))], 200)
    np.testing.assert_array_equal(once, by_bucket[:, t5_buckets(offsets(200))])
    short = relative_bias(by_bucket[:, t5_buckets(np.arange(-127, 128))], 200)
    np.testing.assert_array_equal(short, once)  # far away, all distances share a bucket
    assert is_toeplitz(once)


@pytest.mark.equation("eq-shaw")
@given(seeds)
def test_the_bias_of_shaw_is_what_vectors_added_to_the_keys_do(seed: int) -> None:
    rng = np.random.default_rng(seed)
    q, k, table = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4)), rng.normal(size=(5, 4))
    bias = shaw_bias(q, table, 5)
    for t in range(3):
        moved = np.stack([k[:, s] + table[max(-2, min(2, s - t - 2)) + 2] for s in range(5)], 1)
        expected = (q[:, t, None] * moved).sum(-1) / 2
        np.testing.assert_allclose((q @ np.swapaxes(k, 1, 2) / 2 + bias)[:, t], expected)


def test_the_bias_of_shaw_is_toeplitz_where_all_queries_are_alike() -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(size=(3, 4))
    assert is_toeplitz(shaw_bias(np.tile(rng.normal(size=4), (6, 1)), table))
    assert not is_toeplitz(shaw_bias(rng.normal(size=(6, 4)), table))


def test_learned_biases_can_be_differentiated() -> None:
    rng = np.random.default_rng(2)
    q, k = rng.normal(size=(2, 2, 5, 4))
    mix, arrays = rng.normal(size=(2, 5, 5)), (rng.normal(size=(2, 5)), rng.normal(size=(3, 4)))

    def loss(tables: tuple[F, F]) -> object:
        bias = relative_bias(tables[0], 5) + shaw_bias(q, tables[1])
        return np.sum(mix * attention_weights(q, k, bias))

    assert check_gradient(loss, arrays, rng=rng) < 1e-8


def test_single_precision_stays_single() -> None:
    table = np.ones((3, 4), np.float32)
    assert relative_bias(table[:, 0], 3).dtype == np.float32
    assert shaw_bias(np.ones((5, 4), np.float32), table).dtype == np.float32


@given(seeds, st.floats(0.01, 2), st.floats(0, 8), st.integers(1, 60), st.integers(0, 60))
def test_far_keys_have_at_most_the_weight_that_the_range_of_contents_allows(
    seed: int, slope: float, spread: float, n: int, far: int
) -> None:
    content = np.random.default_rng(seed).uniform(0, spread, size=n)
    scores = content + alibi_bias([slope], 1, n)[0, 0]
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    beyond = weights[np.arange(n - 1, -1, -1) >= far].sum()
    assert beyond <= math.exp(spread - slope * far) * (1 + 1e-9)
