"""Random projections: published dimensions, exact tails, lengths on average, packings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance

from primer_ref.embeddings import cosine_similarity
from primer_ref.projections import (
    jl_dimension,
    packing_cosine,
    random_projection,
    welch_bound,
)


def test_published_dimensions() -> None:
    # The list in scikit-learn's documentation, which cuts off the fraction.
    assert [int(jl_dimension(10**6, eps)) for eps in (0.5, 0.1, 0.01)] == [663, 11841, 1112658]
    assert [int(jl_dimension(10**n, 0.1)) for n in (4, 5, 6)] == [7894, 9868, 11841]


@pytest.mark.equation("eq-jl-dimension")
@given(st.integers(2, 10**9), st.floats(0.01, 0.99))
def test_a_pair_fails_less_often_than_the_union_bound_needs(n_points: int, eps: float) -> None:
    k = math.ceil(jl_dimension(n_points, eps))
    # The squared length of an image is chi-squared over k.
    fails = stats.chi2.sf(k * (1 + eps), k) + stats.chi2.cdf(k * (1 - eps), k)
    assert fails <= 2 / n_points**2


def test_all_distances_are_kept() -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(30, 2000))
    points[1] = points[0] + 1e-3 * rng.normal(size=2000)
    image = random_projection(points, math.ceil(jl_dimension(30, 0.3)), rng=rng)
    ratio = distance.pdist(image, "sqeuclidean") / distance.pdist(points, "sqeuclidean")
    assert np.all(np.abs(ratio - 1) < 0.3)


@pytest.mark.equation("eq-random-projection")
@pytest.mark.parametrize("width", [1, 10, 90])
def test_squared_lengths_are_right_on_average_and_spread_as_chi_squared(width: int) -> None:
    rng = np.random.default_rng(1)
    x = np.array([3.0, -4.0])
    ratios = [np.sum(random_projection(x, width, rng=rng) ** 2) / 25 for _ in range(5000)]
    assert stats.kstest(np.array(ratios) * width, stats.chi2(width).cdf).pvalue > 1e-3
    assert np.mean(ratios) == pytest.approx(1, abs=4 * math.sqrt(2 / width / 5000))


def test_rows_are_projected_by_one_matrix_in_their_precision() -> None:
    x = np.random.default_rng(2).normal(size=(2, 3, 4)).astype(np.float32)
    whole = random_projection(x, 5, rng=np.random.default_rng(3))
    assert whole.shape == (2, 3, 5)
    assert whole.dtype == np.float32
    part = random_projection(x[1, 2], 5, rng=np.random.default_rng(3))
    np.testing.assert_allclose(whole[1, 2], part, rtol=1e-5)
    two = random_projection(x + x, 5, rng=np.random.default_rng(3))
    np.testing.assert_allclose(two, 2 * whole, rtol=1e-5)


@pytest.mark.equation("eq-packing")
@given(st.integers(2, 10**6), st.integers(1, 5000))
def test_some_draw_of_signs_keeps_all_cosines_below_the_packing_bound(n: int, width: int) -> None:
    eps = packing_cosine(n, width)
    # The sum of the signs is 2 X - d with a binomial X, so the tail is exact.
    tail = 2 * stats.binom.sf(math.ceil(width * (1 + eps) / 2 - 1e-9) - 1, width, 0.5)
    assert n * (n - 1) / 2 * tail < 1


def test_the_packing_bound_grows_as_it_says() -> None:
    assert packing_cosine(49152, 576) == pytest.approx(math.sqrt(4 * math.log(49152) / 576))
    assert packing_cosine(10**4, 100) == pytest.approx(2 * packing_cosine(10**4, 400))


@pytest.mark.equation("eq-welch")
@given(st.integers(2, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_no_vectors_have_smaller_cosines_than_welch_allows(n: int, width: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(n, width))
    cosines = cosine_similarity(vectors, vectors)[~np.eye(n, dtype=bool)]
    assert math.sqrt(np.mean(cosines**2)) >= welch_bound(n, width) - 1e-12


@pytest.mark.equation("eq-welch")
@pytest.mark.parametrize("width", [1, 2, 7])
def test_a_simplex_reaches_welch_and_a_basis_has_no_bound(width: int) -> None:
    simplex = np.eye(width + 1) - 1 / (width + 1)
    cosines = cosine_similarity(simplex, simplex)[~np.eye(width + 1, dtype=bool)]
    np.testing.assert_allclose(np.abs(cosines), welch_bound(width + 1, width))
    assert welch_bound(max(width, 2), max(width, 2)) == 0
    assert welch_bound(2, 9) == 0
