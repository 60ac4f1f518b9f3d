"""Pieces and collapse: counts by fine sampling and brute force, bounds on random layers."""

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.attention import scaled_dot_product_attention
from primer_ref.expressivity import (
    arrangement_regions,
    attention_contraction,
    composite_norm,
    count_linear_regions_1d,
    montufar_lower_bound,
    pieces_upper_bound,
    rank_one_residual,
    relu_network,
    sawtooth,
    token_diameter,
)

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


def network(seed: int, *widths: int) -> list[tuple[F, F]]:
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(n, m)), rng.normal(size=m)) for n, m in itertools.pairwise(widths)]


@pytest.mark.equation("eq-sawtooth")
def test_sawtooth_is_the_tent_map_composed() -> None:
    x = np.linspace(0, 1, 1001)
    y = x
    for k in range(1, 9):
        y = 1 - np.abs(1 - 2 * y)
        np.testing.assert_allclose(relu_network(x[:, None], sawtooth(k))[:, 0], y, atol=1e-10)
        assert len(sawtooth(k)) == k + 1
        assert count_linear_regions_1d(sawtooth(k), low=0, high=1) == 2**k


@given(seeds)
def test_pieces_agree_with_fine_sampling(seed: int) -> None:
    layers = network(seed, 1, 4, 4, 2)
    x = np.linspace(-2, 2, 200_001)
    slopes = np.diff(relu_network(x[:, None], layers), axis=0) / (x[1] - x[0])
    # A run of equal slopes is a piece; the cell that holds a kink is none.
    jump = np.max(np.abs(np.diff(slopes, axis=0)), axis=1) > 1e-6
    seen = 1 + int(np.sum(jump[1:] & ~jump[:-1])) + int(jump[0])
    ours = count_linear_regions_1d(layers, low=-2, high=2)
    # Pieces narrower than a cell, and jumps too small for the sampling, are seen only by us.
    assert seen <= ours <= seen + 2


def test_one_layer_has_at_most_a_piece_more_than_units() -> None:
    counts = [count_linear_regions_1d(network(s, 1, 7, 1), low=-99, high=99) for s in range(50)]
    assert max(counts) == arrangement_regions(7, 1) == 8


@pytest.mark.equation("eq-pieces-bound")
@given(seeds, st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_no_network_has_more_pieces_than_the_bound(seed: int, widths: list[int]) -> None:
    layers = network(seed, 1, *widths, 1)
    assert count_linear_regions_1d(layers, low=-50, high=50) <= pieces_upper_bound(widths)


def zigzag(widths: list[int]) -> list[tuple[Any, Any]]:
    """Fold [0, 1] as often as each layer but the last has units, then cut it with the last."""
    layers: list[tuple[Any, Any]] = []
    before: Any = np.ones((1, 1), int)
    for width in widths[:-1]:
        at = [Fraction(-j, width) for j in range(width)]
        layers.append((before @ np.ones((1, width), int), np.array(at, object)))
        before = 2 * width * (-1) ** np.arange(width)[:, None]
        before[0] = width
    # One unit looks the other way, so that some unit is active on either side of every fold.
    way = np.where(np.arange(widths[-1]) == 0, -1, 1)
    cuts = np.array([Fraction(j + 1, widths[-1] + 1) for j in range(widths[-1])], object)
    layers.append((before @ way[None], -cuts * way))
    layers.append((np.random.default_rng(0).normal(size=(widths[-1], 1)), np.zeros(1)))
    return layers


@pytest.mark.equation("eq-montufar")
@given(st.lists(st.integers(1, 5), max_size=3), st.integers(2, 5))
@example([5, 1], 2)
def test_folding_reaches_the_lower_bound(folds: list[int], last: int) -> None:
    widths = [*folds, last]
    found = count_linear_regions_1d(zigzag(widths), low=0, high=1)
    assert found == montufar_lower_bound(widths, 1) <= pieces_upper_bound(widths)


def test_one_unit_after_six_falls_short_of_the_product() -> None:
    # What enters the last unit has six kinks. Those on its positive side remain, and it crosses
    # zero between two neighbors of opposite signs and once on each outer ray.
    bends = [
        sum(signs) + sum(a != b for a, b in itertools.pairwise(signs)) + 2
        for signs in itertools.product((False, True), repeat=6)
    ]
    most = 1 + max(bends)
    assert most == 11 < 6 * arrangement_regions(1, 1)
    # Kinks at 0, 1, …, 5, above and below zero in turn; two units look the other way.
    slopes, way = np.array([2, -6, 6, -4, 2, -6, 6]), np.array([-1, 1, 1, -1, 1, 1])
    bias, level = -way * np.arange(6), np.array([-15])
    values = np.diff(slopes)[:, None]
    reached: list[tuple[Any, Any]] = [(way[None], bias), (values, level), (np.eye(1), np.zeros(1))]
    assert count_linear_regions_1d(reached, low=-50, high=50) == most
    for seed in range(100):
        assert count_linear_regions_1d(network(seed, 1, 6, 1, 1), low=-50, high=50) <= most


def test_counts_are_those_of_the_numbers_given() -> None:
    # |x| - |x - gap| is level, rises from 0 to the gap, and is level: three pieces, however narrow.
    for gap in (0.5, 2.0**-60, Fraction(1, 3) - Fraction(333, 1000)):
        w = np.array([[1], [1], [-1], [-1]])
        layers = [
            (np.array([[1, -1, 1, -1]]), np.array([0, 0, -gap, gap], object)),
            (w, np.zeros(1)),
        ]
        assert count_linear_regions_1d(layers, low=-1, high=1) == 3
        assert count_linear_regions_1d(layers, low=gap / 2, high=1) == 2
    tent = sawtooth(3)
    single = [(w.astype(np.float32), b.astype(np.float32)) for w, b in tent]
    assert count_linear_regions_1d(single, low=0, high=1) == 8


@pytest.mark.equation("eq-token-diameter")
@given(seeds)
def test_the_diameter_is_the_largest_distance_of_any_pair(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(2, 5, 3))
    for tokens, found in zip(x, token_diameter(x), strict=True):
        pairs = [np.linalg.norm(a - b) for a, b in itertools.combinations(tokens, 2)]
        assert found == pytest.approx(max(pairs))


def test_a_unit_that_changes_nothing_makes_no_piece() -> None:
    # Two units that cancel: the second layer sees a line.
    line = [(np.array([[1.0, -1.0]]), np.zeros(2)), (np.array([[1.0], [-1.0]]), np.zeros(1))]
    assert count_linear_regions_1d(line, low=-1, high=1) == 1
    assert count_linear_regions_1d([(np.ones((1, 1)), np.ones(1))], low=-1, high=1) == 1


@pytest.mark.equation("eq-arrangement-regions")
def test_regions_of_lines_by_brute_force() -> None:
    # Sign patterns of six random lines at the points of a fine grid.
    rng = np.random.default_rng(0)
    normals, offsets = rng.normal(size=(2, 6)), 0.3 * rng.normal(size=6)
    axis = np.sinh(np.linspace(-6, 6, 1500))
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    patterns = np.unique((grid @ normals + offsets > 0) @ (1 << np.arange(6)))
    assert len(patterns) == arrangement_regions(6, 2) == 22


def test_published_counts() -> None:
    assert montufar_lower_bound([4, 4, 4], 2) == 176
    assert montufar_lower_bound([6, 6], 2) == 3**2 * 22  # three folds in each of two directions
    assert arrangement_regions(12, 2) == 79
    # One input: folds multiply, and the sawtooth's widths of two give its pieces and one half more.
    assert montufar_lower_bound([2] * 5, 1) == 2**4 * 3


@pytest.mark.equation("eq-rank-residual")
def test_the_mean_token_is_nearest() -> None:
    x = np.random.default_rng(0).normal(size=(5, 3))
    best = np.linalg.norm(rank_one_residual(x))
    for shift in 0.1 * np.random.default_rng(1).normal(size=(50, 3)):
        assert np.linalg.norm(x - x.mean(axis=0) - shift) > best
    np.testing.assert_allclose(rank_one_residual(np.ones((4, 1)) * x[:1]), 0, atol=1e-15)


@pytest.mark.equation("eq-composite-norm")
@given(seeds)
def test_composite_norm_is_the_mean_of_two_norms(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(4, 3))
    expected = np.sqrt(np.linalg.norm(x, 1) * np.linalg.norm(x, np.inf))
    np.testing.assert_allclose(composite_norm(x), expected, rtol=1e-12)


def layer(seed: int, scale: float) -> tuple[F, F, F, F]:
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=(6, 4)), *rng.normal(size=(2, 4, 3)), rng.normal(size=(4, 4)))


@pytest.mark.equation("eq-attention-contraction")
@given(seeds, st.floats(0.01, 10))
def test_attention_alone_contracts_as_the_bound_says(seed: int, scale: float) -> None:
    x, w_q, w_k, w_v = layer(seed, scale)
    before = token_diameter(x)
    after = token_diameter(scaled_dot_product_attention(x @ w_q, x @ w_k, x @ w_v))
    bound = attention_contraction(before, w_q, w_k, w_v)
    assert after <= bound * (1 + 1e-9)
    cube = np.linalg.norm(w_q @ w_k.T, 2) * np.linalg.norm(w_v, 2) / (4 * np.sqrt(3)) * before**3
    assert bound <= cube * (1 + 1e-12)


@pytest.mark.equation("eq-attention-contraction")
def test_the_bound_is_met_with_equality() -> None:
    # Two tokens at ±1/2 in one dimension: weights are logistic, and the bound is exact.
    for size in (0.3, 1.0, 3.0):
        x, one = np.array([[size / 2], [-size / 2]]), np.ones((1, 1))
        after = token_diameter(scaled_dot_product_attention(x, x, x))
        np.testing.assert_allclose(after, attention_contraction(size, one, one, one), rtol=1e-12)


def test_small_tokens_contract_with_the_cube() -> None:
    x, w_q, w_k, w_v = layer(0, 1.0)
    sizes = [
        token_diameter(scaled_dot_product_attention(s * x @ w_q, s * x @ w_k, s * x @ w_v))
        for s in (1e-2, 1e-3)
    ]
    assert sizes[0] / sizes[1] == pytest.approx(1000, rel=0.01)


def test_a_residual_connection_stops_the_collapse() -> None:
    x, w_q, w_k, w_v = layer(1, 0.3)
    w_v = w_v / np.linalg.norm(w_v, 2)
    alone: Any = x
    kept: Any = x
    for _ in range(4):
        alone = scaled_dot_product_attention(alone @ w_q, alone @ w_k, alone @ w_v)
        kept = kept + scaled_dot_product_attention(kept @ w_q, kept @ w_k, kept @ w_v)
    assert token_diameter(alone) < 1e-9 < 0.5 * token_diameter(x) < token_diameter(kept)
