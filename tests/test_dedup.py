"""MinHash: exact arithmetic, the theorem over all orders, its error, and the S-curve."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection
from fractions import Fraction
from hashlib import blake2b
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from primer_ref import dedup
from primer_ref.dedup import (
    Banding,
    band_curve,
    choose_bands,
    draw_hashes,
    estimate_jaccard,
    jaccard,
    lsh_bands,
    minhash_signature,
    shingles,
)

PRIME = 2**61 - 1

numbers = st.integers(0, PRIME - 1) | st.sampled_from(
    [0, 1, 2**29, 2**32 - 1, 2**32, 2**60, PRIME - 1]
)


@given(numbers, numbers, numbers)
def test_hashes_are_exact(a: int, x: int, b: int) -> None:
    words = (np.array([value], dtype=np.uint64) for value in (a, x, b))
    assert int(dedup._multiply_add(*words)[0]) == (a * x + b) % PRIME


@given(st.integers(0, 2**64 - 1) | st.sampled_from([PRIME, 2**64 - 1, 2**62]))
def test_folding_is_the_remainder(x: int) -> None:
    assert int(dedup._fold(np.array([x], dtype=np.uint64))[0]) == x % PRIME


def test_hashes_are_drawn_below_the_prime() -> None:
    a, b = draw_hashes(10_000, rng=np.random.default_rng(0))
    assert a.min() >= 1
    for draws in (a, b):
        assert draws.max() < PRIME
        assert stats.kstest(draws / PRIME, "uniform").pvalue > 1e-3


subsets = st.sets(st.integers(0, 5), min_size=1)


@pytest.mark.equation("eq-jaccard")
@pytest.mark.equation("eq-minhash")
@given(subsets, subsets)
def test_over_all_orders_the_smallest_agree_as_often_as_the_similarity_says(
    a: set[int], b: set[int]
) -> None:
    orders = list(itertools.permutations(range(6)))
    agree = sum(min(order[x] for x in a) == min(order[x] for x in b) for order in orders)
    assert Fraction(agree, len(orders)) == Fraction(len(a & b), len(a | b))
    assert jaccard(a, b) == len(a & b) / len(a | b)


@pytest.mark.equation("eq-minhash-estimate")
@pytest.mark.parametrize("common", [1, 8, 15])
def test_signatures_agree_as_often_as_the_similarity_says(common: int) -> None:
    hashes = draw_hashes(40_000, rng=np.random.default_rng(1))
    a, b = range(10 + common), range(10, 30)
    exact = jaccard(a, b)
    estimate = estimate_jaccard(minhash_signature(a, hashes), minhash_signature(b, hashes))
    assert abs(estimate.value - exact) < 4 * math.sqrt(exact * (1 - exact) / 40_000)
    assert estimate.standard_error == pytest.approx(math.sqrt(exact * (1 - exact)) / 200, rel=0.05)


def test_the_smallest_of_hashed_items_is_each_of_them_equally_often() -> None:
    hashes = draw_hashes(20_000, rng=np.random.default_rng(2))
    whole = minhash_signature("abcdefgh", hashes)
    wins = [np.sum(whole == minhash_signature(item, hashes)) for item in "abcdefgh"]
    assert sum(wins) == 20_000
    assert stats.chisquare(wins).pvalue > 1e-3


@pytest.mark.parametrize("start", [0, 7])
def test_of_consecutive_numbers_the_hashes_prefer_the_ends(start: int) -> None:
    factors, summands = draw_hashes(20_000, rng=np.random.default_rng(5))[:, :, None]

    def wins(numbers: NDArray[np.uint64]) -> NDArray[np.integer[Any]]:
        first = np.argmin(dedup._multiply_add(factors, numbers, summands), axis=1)
        return np.bincount(first, minlength=len(numbers))

    consecutive = wins(np.arange(start, start + 100, dtype=np.uint64))
    assert np.all(consecutive[[0, -1]] > 1.7 * 200)
    scattered = wins(dedup._numbers(range(start, start + 100)))
    assert np.all(np.abs(scattered - 200) < 5 * math.sqrt(200))


@pytest.mark.equation("eq-jaccard")
@given(subsets, subsets, subsets)
def test_two_links_leave_what_the_triangle_inequality_says(
    a: set[int], b: set[int], c: set[int]
) -> None:
    assert jaccard(a, c) >= jaccard(a, b) + jaccard(b, c) - 1 - 1e-12
    assert jaccard({1}, {2}) == jaccard({1}, {1, 2}) + jaccard({1, 2}, {2}) - 1


def test_equal_elements_have_one_hash() -> None:
    hashes = draw_hashes(16, rng=np.random.default_rng(6))
    pairs: list[tuple[Collection[Any], Collection[Any]]] = [
        (range(9), np.arange(9)),
        ([1.5, 2.0], np.array([1.5, 2.0], np.float32)),
        ([0, 1, 2.0], [False, True, 2]),
        ({(1, 2), (2, 3)}, shingles(list(np.array([1, 2, 3])), 2)),
        ({("a",), ("b",)}, shingles(list(np.array(["a", "b"])), 1)),
        ([math.inf, "1"], [float("inf"), np.str_("1")]),
    ]
    for a, b in pairs:
        assert jaccard(a, b) == 1
        np.testing.assert_array_equal(minhash_signature(a, hashes), minhash_signature(b, hashes))
    assert not np.array_equal(minhash_signature([1], hashes), minhash_signature(["1"], hashes))


@pytest.mark.equation("eq-minhash-estimate")
def test_the_error_is_the_stated_one() -> None:
    a, b = shingles("abcdefghijkl", 1), shingles("efghijklmnop", 1)
    z = []
    for seed in range(400):
        hashes = draw_hashes(128, rng=np.random.default_rng(seed))
        estimate = estimate_jaccard(minhash_signature(a, hashes), minhash_signature(b, hashes))
        z.append((estimate.value - 0.5) / math.sqrt(0.25 / 128))
    assert abs(np.mean(z)) < 4 / math.sqrt(400)
    assert np.std(z) == pytest.approx(1, abs=4 / math.sqrt(800))


def test_a_signature_knows_neither_order_nor_repetition_nor_the_run() -> None:
    hashes = draw_hashes(8, rng=np.random.default_rng(3))
    signature = minhash_signature(["b", "a", "b"], hashes)
    np.testing.assert_array_equal(signature, minhash_signature({"a", "b"}, hashes))
    # By hand: 61 bits of the digest that every machine computes, and Python's whole numbers.
    digest = blake2b(b"'a'", digest_size=8).digest()
    x = int.from_bytes(digest, "little") % PRIME
    expected = [(int(a) * x + int(b)) % PRIME for a, b in hashes.T]
    assert minhash_signature("a", hashes).tolist() == expected
    smaller = np.minimum(minhash_signature("a", hashes), minhash_signature("b", hashes))
    np.testing.assert_array_equal(signature, smaller)


def test_shingles_are_all_runs() -> None:
    assert shingles("abab", 2) == {("a", "b"), ("b", "a")}
    assert shingles(["one"], 2) == set()
    assert shingles(["a b", "c"], 1) != shingles(["a", "b c"], 1)


@pytest.mark.equation("eq-band-curve")
@given(st.floats(0, 1), st.integers(1, 6), st.integers(1, 6))
def test_the_curve_is_the_chance_of_a_whole_band(s: float, bands: int, rows: int) -> None:
    exact = 1 - (1 - s**rows) ** bands
    assert float(band_curve(s, bands=bands, rows=rows)) == pytest.approx(exact, abs=1e-12)
    assert float(band_curve(1e-9, bands=3, rows=2)) == pytest.approx(3e-18)
    assert float(band_curve(1, bands=bands, rows=rows)) == 1
    small = 2.0**-10  # exact in single precision; the curve is not
    curve = float(band_curve(np.float32(small), bands=2, rows=1))
    assert curve == pytest.approx(2 * small - small**2, rel=1e-12)


@pytest.mark.equation("eq-band-curve")
def test_candidates_follow_the_curve() -> None:
    rng = np.random.default_rng(4)
    found = np.zeros(3)
    for _ in range(300):
        hashes = draw_hashes(32, rng=rng)
        sets = [range(20), range(5, 25), range(11, 31), range(16, 36)]  # with the first: 3/5, …
        pairs = lsh_bands([minhash_signature(items, hashes) for items in sets], 8)
        found += [(0, j) in pairs for j in (1, 2, 3)]
    similarity = [15 / 25, 9 / 31, 4 / 36]
    curve = band_curve(similarity, bands=8, rows=4)
    assert np.all(np.abs(found / 300 - curve) < 4 * np.sqrt(curve * (1 - curve) / 300) + 1e-3)


@pytest.mark.equation("eq-band-steepest")
@pytest.mark.parametrize(("bands", "rows"), [(50, 2), (20, 5), (5, 20)])
def test_the_curve_is_steepest_where_fewer_than_one_band_agrees(bands: int, rows: int) -> None:
    grid = np.linspace(0, 1, 100_001)
    steepest = grid[np.argmax(np.diff(band_curve(grid, bands=bands, rows=rows)))] + 5e-6
    assert steepest**rows == pytest.approx((rows - 1) / (rows * bands - 1), rel=0.01)
    assert bands * steepest**rows == pytest.approx(1 - 1 / rows, rel=0.02)


signatures = st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), max_size=8)


@given(signatures, st.sampled_from([1, 2, 3, 6]))
def test_candidates_are_the_pairs_with_a_common_band(rows: list[list[int]], bands: int) -> None:
    size = 6 // bands
    expected = {
        (i, j)
        for i, j in itertools.combinations(range(len(rows)), 2)
        if any(rows[i][k : k + size] == rows[j][k : k + size] for k in range(0, 6, size))
    }
    assert lsh_bands(np.array(rows, dtype=np.uint64).reshape(-1, 6), bands) == expected


@given(st.integers(1, 200), st.floats(0.05, 0.95))
def test_no_other_cut_is_nearer_to_one_half(n_hashes: int, threshold: float) -> None:
    cut = choose_bands(n_hashes, threshold)
    assert cut.bands * cut.rows == n_hashes
    distance = abs(band_curve(threshold, bands=cut.bands, rows=cut.rows) - 0.5)
    for rows in range(1, n_hashes + 1):
        if n_hashes % rows == 0:
            other = abs(band_curve(threshold, bands=n_hashes // rows, rows=rows) - 0.5)
            assert distance <= other
    assert choose_bands(100, 0.5) == Banding(20, 5)
