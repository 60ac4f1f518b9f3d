"""The sinusoidal encoding: its definition, the rotation behind a shift, and the four terms."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.autodiff import check_gradient
from primer_ref.sinusoidal import score_terms, sinusoidal, sinusoidal_shift
from tests.draws import is_toeplitz

F = NDArray[np.floating[Any]]

seeds = st.integers(0, 2**32 - 1)
positions = st.integers(-3000, 3000)


@pytest.mark.equation("eq-sinusoidal")
def test_the_encoding_is_what_its_definition_says() -> None:
    p = sinusoidal([0, 3, 500], 6, base=1000.0)
    for row, t in enumerate([0, 3, 500]):
        for i in range(3):
            angle = t / 1000 ** (2 * i / 6)
            assert p[row, 2 * i] == pytest.approx(math.sin(angle), abs=1e-12)
            assert p[row, 2 * i + 1] == pytest.approx(math.cos(angle), abs=1e-12)


@pytest.mark.equation("eq-sinusoidal-shift")
@given(positions, positions)
def test_a_shift_is_one_rotation_for_all_positions(t: int, k: int) -> None:
    shift = sinusoidal_shift(k, 8)
    np.testing.assert_allclose(sinusoidal([t], 8) @ shift, sinusoidal([t + k], 8), atol=1e-9)
    np.testing.assert_allclose(shift @ shift.T, np.eye(8), atol=1e-12)
    blocks = np.kron(np.eye(4), np.ones((2, 2)))
    assert np.all(shift[blocks == 0] == 0)


@pytest.mark.equation("eq-sinusoidal-dot")
def test_dot_products_depend_on_the_offset_alone_and_count_the_pairs_at_offset_zero() -> None:
    p = sinusoidal(np.arange(40), 16)
    products = p @ p.T
    assert is_toeplitz(products)
    np.testing.assert_allclose(np.diag(products), 8)
    theta = 10000.0 ** (-np.arange(8) / 8)
    np.testing.assert_allclose(products[:, 0], np.cos(np.outer(np.arange(40), theta)).sum(axis=1))


@pytest.mark.equation("eq-score-terms")
@given(seeds)
def test_the_four_terms_are_the_scores(seed: int) -> None:
    x, p, form = np.random.default_rng(seed).normal(size=(3, 5, 5))
    terms = score_terms(x, p, form)
    total = (
        terms.content_content
        + terms.content_position
        + terms.position_content
        + terms.position_position
    )
    np.testing.assert_allclose(total, (x + p) @ form @ (x + p).T, atol=1e-12)
    for t in range(5):
        for s in range(5):
            assert terms.content_position[t, s] == pytest.approx(x[t] @ form @ p[s])
            assert terms.position_content[t, s] == pytest.approx(p[t] @ form @ x[s])


def test_the_term_of_positions_is_toeplitz_only_for_forms_that_commute_with_the_shifts() -> None:
    rng = np.random.default_rng(0)
    p = sinusoidal(np.arange(12), 8)
    # One rotation and one stretch for each pair commute with every rotation of the pairs.
    parts = rng.normal(size=(2, 4))
    commuting = np.zeros((8, 8))
    for i, (a, b) in enumerate(parts.T):
        commuting[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = [[a, -b], [b, a]]
    np.testing.assert_allclose(
        commuting @ sinusoidal_shift(3, 8), sinusoidal_shift(3, 8) @ commuting, atol=1e-12
    )
    assert is_toeplitz(score_terms(p, p, commuting).position_position)
    assert not is_toeplitz(score_terms(p, p, rng.normal(size=(8, 8))).position_position)


def test_score_terms_can_be_differentiated() -> None:
    rng = np.random.default_rng(1)
    x, form, mix = rng.normal(size=(3, 4, 4))
    p = sinusoidal(np.arange(4), 4)

    def loss(arrays: tuple[F, F]) -> object:
        terms = score_terms(arrays[0], p, arrays[1])
        return np.sum(mix * (terms.content_content + terms.content_position))

    assert check_gradient(loss, (x, form), rng=rng) < 1e-8
