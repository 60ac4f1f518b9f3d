"""Tiled attention: equal to the dense one, forward and backward, in linear memory; its traffic."""

import itertools
import math
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any, TypedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.attention import (
    attention_backward,
    causal_mask,
    masked_scores,
    scaled_dot_product_attention,
)
from primer_ref.autodiff import grad
from primer_ref.flash_attention import (
    causal,
    flash_attention,
    flash_attention_backward,
    hbm_traffic_bound,
    hbm_traffic_dense,
    hbm_traffic_flash,
    tile_rows,
)
from primer_ref.functional import logsumexp
from tests.draws import normal

F = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Rule = Callable[[Ints, Ints], Bools]


class Sizes(TypedDict):
    block_q: int
    block_k: int
    rule: Rule | None


seeds = st.integers(0, 2**32 - 1)
blocks = st.integers(1, 9)


def scattered(query: Ints, key: Ints) -> Bools:
    """Show about half of the pairs, to some queries none, to some tiles none."""
    return np.asarray(((query * 7 + key * 3) % 5 < 2) & (query % 4 != 1) & (key < 6))


def dense_mask(rule: Rule | None, n_queries: int, n_keys: int) -> F:
    if rule is None:
        return np.zeros((n_queries, n_keys))
    shown = rule(np.arange(n_keys - n_queries, n_keys)[:, None], np.arange(n_keys))
    return np.where(shown, 0, -np.inf)


@pytest.mark.equation("eq-tiled-attention")
@pytest.mark.parametrize("rule", [None, causal, scattered])
@given(seeds, st.tuples(blocks, blocks), st.integers(1, 7), st.integers(0, 4))
def test_tiles_give_dense_attention(
    rule: Rule | None, seed: int, tile: tuple[int, int], n: int, past: int
) -> None:
    q, k, v = normal(seed, (2, n, 3), (2, n + past, 3), (2, n + past, 4))
    mask = dense_mask(rule, n, n + past)
    sizes = Sizes(block_q=tile[0], block_k=tile[1], rule=rule)
    output, log_sums = flash_attention(10 * q, k, v, **sizes)
    np.testing.assert_allclose(output, scaled_dot_product_attention(10 * q, k, v, mask), atol=1e-12)
    np.testing.assert_allclose(log_sums, logsumexp(masked_scores(10 * q, k, mask)), atol=1e-12)


@pytest.mark.equation("eq-tiled-backward")
@pytest.mark.parametrize("rule", [None, causal, scattered])
@given(seeds, st.tuples(blocks, blocks), st.integers(1, 7), st.integers(0, 4))
def test_tiles_give_the_dense_gradients(
    rule: Rule | None, seed: int, tile: tuple[int, int], n: int, past: int
) -> None:
    q, k, v, d_out = normal(seed, (2, n, 3), (2, n + past, 3), (2, n + past, 4), (2, n, 4))
    forward = flash_attention(q, k, v, block_q=tile[0], block_k=tile[1], rule=rule)
    # The tiles of the two passes need not be the same.
    sizes = Sizes(block_q=tile[1], block_k=tile[0], rule=rule)
    tiled = flash_attention_backward(q, k, v, d_out, forward, **sizes)
    dense = attention_backward(q, k, v, d_out, dense_mask(rule, n, n + past))
    for ours, expected in zip(tiled, dense, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-12)


def test_the_causal_rule_is_the_causal_mask() -> None:
    np.testing.assert_array_equal(dense_mask(causal, 3, 5), causal_mask(3, 5))


def test_a_query_that_may_look_at_nothing_gets_zero_and_gives_no_gradient() -> None:
    q, k, v, d_out = normal(1, (3, 2), (4, 2), (4, 2), (3, 2))

    def none_for_the_second(query: Ints, key: Ints) -> Bools:
        return np.asarray((query != 2) & (key >= 0))  # queries have the positions 1, 2, 3

    sizes = Sizes(block_q=2, block_k=3, rule=none_for_the_second)
    output, log_sums = forward = flash_attention(q, k, v, **sizes)
    np.testing.assert_array_equal(output[1], 0)
    assert log_sums[1] == -np.inf
    dq, dk, dv = flash_attention_backward(q, k, v, d_out, forward, **sizes)
    assert np.all(dq[1] == 0)
    seen = [0, 2]
    alone = attention_backward(q[seen], k, v, d_out[seen])
    np.testing.assert_allclose(dk, alone[1], atol=1e-14)
    np.testing.assert_allclose(dv, alone[2], atol=1e-14)


def test_values_may_have_leading_axes_of_their_own() -> None:
    q, k, v = normal(3, (4, 2), (4, 2), (2, 4, 3))

    def none_for_the_first_block(query: Ints, key: Ints) -> Bools:
        return np.asarray((query >= 2) & (key >= 0))

    sizes = Sizes(block_q=2, block_k=3, rule=none_for_the_first_block)
    output, log_sums = flash_attention(q, k, v, **sizes)
    for own, out, lse in zip(v, output, log_sums, strict=True):
        np.testing.assert_allclose(out[2:], scaled_dot_product_attention(q[2:], k, own), atol=1e-12)
        np.testing.assert_array_equal(out[:2], 0)
        np.testing.assert_array_equal(lse[:2], -np.inf)


@pytest.mark.equation("eq-tiled-backward")
def test_backward_is_the_gradient_of_forward() -> None:
    q, k, v, d_out = normal(2, (5, 3), (5, 3), (5, 2), (5, 2))
    sizes = Sizes(block_q=2, block_k=3, rule=causal)

    def loss(qkv: tuple[F, F, F]) -> Any:
        return np.sum(d_out * flash_attention(*qkv, **sizes)[0])

    forward = flash_attention(q, k, v, **sizes)
    by_hand = flash_attention_backward(q, k, v, d_out, forward, **sizes)
    for recorded, ours in zip(grad(loss)((q, k, v)), by_hand, strict=True):
        np.testing.assert_allclose(recorded, ours, atol=1e-12)


def test_heads_may_share_keys_and_single_precision_stays_single() -> None:
    q, k, v = (a.astype(np.float32) for a in normal(4, (2, 3, 6, 4), (2, 1, 6, 4), (2, 1, 6, 4)))
    output, log_sums = flash_attention(q, k, v, block_q=4, block_k=4, rule=causal)
    assert output.dtype == log_sums.dtype == np.float32
    assert log_sums.shape == (2, 3, 6)
    expected = scaled_dot_product_attention(q, k, v, causal_mask(6))
    np.testing.assert_allclose(output, expected, atol=1e-6)


@pytest.mark.equation("eq-tiled-backward")
@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 5, 3), (2, 1, 5, 3), (2, 1, 5, 4)),  # heads that share keys and values
        ((5, 3), (2, 5, 3), (5, 4)),
        ((3, 5, 3), (5, 3), (2, 1, 5, 4)),
    ],
)
def test_what_is_shared_gets_the_sum_of_the_gradients(shapes: tuple[tuple[int, ...], ...]) -> None:
    q, k, v = normal(8, *shapes)
    sizes = Sizes(block_q=2, block_k=3, rule=causal)
    forward = flash_attention(q, k, v, **sizes)
    (d_out,) = normal(9, forward[0].shape)
    found = flash_attention_backward(q, k, v, d_out, forward, **sizes)

    def loss(qkv: tuple[F, F, F]) -> Any:
        return np.sum(d_out * scaled_dot_product_attention(*qkv, causal_mask(5)))

    for ours, recorded, shape in zip(found, grad(loss)((q, k, v)), shapes, strict=True):
        assert ours.shape == shape
        np.testing.assert_allclose(ours, recorded, atol=1e-12)


def test_without_queries_or_without_keys() -> None:
    q, k, v = normal(10, (2, 0, 3), (5, 3), (5, 4))
    for rule in (None, causal):
        output, log_sums = flash_attention(q, k, v, block_q=2, block_k=2, rule=rule)
        assert output.shape == (2, 0, 4)
        assert log_sums.shape == (2, 0)
    output, log_sums = flash_attention(k, k[:0], v[:0], block_q=2, block_k=2)
    np.testing.assert_array_equal(output, np.zeros((5, 4)))
    np.testing.assert_array_equal(log_sums, -np.inf)


def peak_memory(run: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_grows_with_the_length_and_not_with_its_square() -> None:
    lengths, sizes = [256, 512, 1024], Sizes(block_q=32, block_k=32, rule=None)

    def tiled(q: F, k: F, v: F, d: F) -> object:
        return flash_attention(q, k, v, **sizes)

    def tiled_backward(q: F, k: F, v: F, d: F) -> object:
        return flash_attention_backward(q, k, v, d, (d, d[:, 0]), **sizes)

    def dense(q: F, k: F, v: F, d: F) -> object:
        return scaled_dot_product_attention(q, k, v)

    def exponent(run: Callable[[F, F, F, F], object]) -> float:
        """Fit p to a peak of memory in proportion to N^p."""
        arrays = [normal(5, *[(n, 16)] * 4) for n in lengths]
        memory = [peak_memory(partial(run, *a)) for a in arrays]
        return float(np.polyfit(np.log(lengths), np.log(memory), 1)[0])

    assert exponent(tiled) < 1.05
    assert exponent(tiled_backward) < 1.05
    assert exponent(dense) > 1.9
    assert exponent(attention_backward) > 1.9


def counted_loads(n: int, size: int, block_q: int, block_k: int) -> int:
    """Numbers that the loops move, counted where they ask the rule about a pair of blocks."""
    moved, last = 0, -1

    def rule(query: Ints, key: Ints) -> Bools:
        nonlocal moved, last
        if query[0, 0] != last:  # a new block of queries: read it, later write o and L
            last = int(query[0, 0])
            moved += query.size * (2 * size + 1)
        moved += 2 * key.size * size
        return np.ones((query.size, key.size), dtype=bool)

    q, k, v = normal(6, (n, size), (n, size), (n, size))
    flash_attention(q, k, v, block_q=block_q, block_k=block_k, rule=rule)
    return moved


@pytest.mark.equation("eq-traffic-tiled")
@pytest.mark.parametrize(("n", "size", "memory"), [(100, 4, 200), (29, 8, 42), (64, 2, 10_000)])
def test_the_traffic_is_what_the_loops_load(n: int, size: int, memory: int) -> None:
    rows = tile_rows(size, memory)
    for block_k in {1, min(rows, size)}:  # the blocks of keys do not matter
        assert counted_loads(n, size, rows, block_k) == hbm_traffic_flash(n, size, memory)


@pytest.mark.equation("eq-tile-rows")
@given(st.integers(1, 256), st.integers(0, 10**6))
def test_a_tile_fits_into_the_fast_memory(size: int, extra: int) -> None:
    memory = 5 * size + 2 + extra
    rows = tile_rows(size, memory)
    keys = min(rows, size)
    assert 2 * rows * size + 2 * keys * size + rows * keys + 2 * rows <= memory
    assert (rows + 1) * (5 * size + 2) > memory


def test_traffic_grows_as_n_squared_d_squared_over_m() -> None:
    base = hbm_traffic_flash(2**16, 64, 2**15)
    assert hbm_traffic_flash(2**17, 64, 2**15) / base == pytest.approx(4, rel=0.02)
    assert hbm_traffic_flash(2**16, 128, 2**15) / base == pytest.approx(4, rel=0.05)
    assert hbm_traffic_flash(2**16, 64, 2**16) / base == pytest.approx(1 / 2, rel=0.03)
    assert base / (2**32 * 64**2 / 2**15) == pytest.approx(10, rel=0.05)  # 2 · 5, the constant


def test_tiles_save_traffic_while_the_fast_memory_exceeds_the_squared_size() -> None:
    n, size = 2**14, 64
    assert hbm_traffic_flash(n, size, 100_000) < hbm_traffic_dense(n, size) / 9
    # With room for one query at a time, less is moved if scores are stored: two products by square
    # tiles, four trips of scores and weights.
    memory = 5 * size + 2
    side = math.isqrt(memory // 3)
    stored = 2 * (2 * n * n * size / side) + 4 * n * n + n * size
    assert hbm_traffic_flash(n, size, memory) > 4 * stored


@pytest.mark.equation("eq-traffic-bound")
@given(st.integers(1, 64), st.integers(1, 3000), st.floats(0, 1))
def test_tiles_move_no_less_than_must_move_and_not_many_times_more(
    size: int, n: int, place: float
) -> None:
    least = max(size**2, 5 * size + 2)
    if n * size < least:
        return
    memory = int(least + place * (n * size - least))
    bound, moved = hbm_traffic_bound(n, size, memory), hbm_traffic_flash(n, size, memory)
    assert 3 / 16 * (n * size) ** 2 / memory <= bound * (1 + 1e-12)
    assert bound <= moved <= 33 * (n * size) ** 2 / memory


@pytest.mark.equation("eq-traffic-bound")
@pytest.mark.parametrize(("n", "size", "memory"), [(64, 2, 4), (200, 2, 12), (150, 3, 9)])
def test_whole_rows_at_hand_make_no_more_pairs_than_the_proof_allows(
    n: int, size: int, memory: int
) -> None:
    # The proof's inequality: with 2M entries of Q and K at hand, whole rows of both make at most
    # (M/d)² pairs; try all splits of the entries into rows.
    most = max(
        queries * keys
        for queries in range(n + 1)
        for keys in range(n + 1)
        if (queries + keys) * size <= 2 * memory
    )
    assert most <= (memory / size) ** 2
    # Then a segment makes at most 4M²/d products, and so many segments are needed at least.
    segments = n * n * size / (most * size + 3 * memory * (size - 1))
    bound = hbm_traffic_bound(n, size, memory)
    assert (segments - 1) * memory >= bound > 4 * n * size


@pytest.mark.equation("eq-traffic-bound")
def test_the_bound_by_hand() -> None:
    assert hbm_traffic_bound(1000, 2, 4) == 2000**2 / 16 - 4
    assert hbm_traffic_bound(1000, 2, 1000) == 4 * 1000 * 2


@pytest.mark.equation("eq-traffic-dense")
def test_dense_traffic_is_what_three_steps_read_and_write() -> None:
    n, d = 10, 3
    scores, weights, output = n * d * 2 + n * n, 2 * n * n, n * n + n * d + n * d
    assert hbm_traffic_dense(n, d) == scores + weights + output


def test_hidden_tiles_are_skipped() -> None:
    asked = list(itertools.product(range(0, 8, 2), repeat=2))
    visited = []

    def rule(query: Ints, key: Ints) -> Bools:
        visited.append((int(query[0, 0]), int(key[0])))
        return causal(query, key)

    q, k, v = normal(7, (8, 2), (8, 2), (8, 2))
    v[6:] = math.nan  # shown to the last queries only; 0 · NaN would spread
    output, _ = flash_attention(q, k, v, block_q=2, block_k=2, rule=rule)
    assert visited == asked
    assert np.all(np.isfinite(output[:6]))
