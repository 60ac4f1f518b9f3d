"""Rotary positions: an independent form, isometry, and dependence on distance alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.positions import rotary, rotations


def rotated_by_matrices(x: np.ndarray, positions: list[int], base: float) -> np.ndarray:
    """Turn each interleaved pair by a 2 × 2 matrix."""
    out = np.empty_like(x)
    size = x.shape[-1]
    for row, t in enumerate(positions):
        for i in range(size // 2):
            angle = t * base ** (-2 * i / size)
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            out[row, 2 * i : 2 * i + 2] = turn @ x[row, 2 * i : 2 * i + 2]
    return out


@pytest.mark.parametrize("base", [10000.0, 100.0])
def test_equals_rotation_matrices(base: float) -> None:
    x = np.random.default_rng(0).normal(size=(4, 8))
    positions = [0, 1, 7, 1000]
    turned = rotary(x, rotations(positions, 8, base=base))
    np.testing.assert_allclose(turned, rotated_by_matrices(x, positions, base), atol=1e-12)


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000))
def test_scores_depend_on_the_distance_alone(t: int, s: int, shift: int) -> None:
    q, k = np.random.default_rng(1).normal(size=(2, 1, 16))

    def score(t: int, s: int) -> float:
        return float((rotary(q, rotations([t], 16)) @ rotary(k, rotations([s], 16)).T).item())

    assert score(t, s) == pytest.approx(score(t + shift, s + shift), abs=1e-9)


def test_keeps_norms_shape_and_precision() -> None:
    x = np.random.default_rng(2).normal(size=(3, 5, 6))
    turns = rotations(range(5), 6)
    single = rotary(x.astype(np.float32), turns)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, rotary(x, turns), atol=1e-6)
    np.testing.assert_allclose(
        np.linalg.norm(rotary(x, turns), axis=-1), np.linalg.norm(x, axis=-1), rtol=1e-12
    )
    assert rotary([[1, 2]], rotations([0], 2)).dtype == np.float64


def test_leaves_its_input_alone() -> None:
    x = np.ones((2, 4))
    rotary(x, rotations([3, 4], 4))
    assert np.array_equal(x, np.ones((2, 4)))


@pytest.mark.parametrize("size", [0, -2, 3])
def test_size_must_be_even(size: int) -> None:
    with pytest.raises(ValueError, match=f"positive even number, .*; got {size}"):
        rotations([0], size)


@pytest.mark.parametrize("base", [0.0, -1.0, float("nan")])
def test_base_must_be_positive(base: float) -> None:
    with pytest.raises(ValueError, match="base must be positive"):
        rotations([0], 2, base=base)


def test_shapes_must_fit() -> None:
    with pytest.raises(ValueError, match="rows of even length"):
        rotary(np.ones((2, 3)), rotations([0, 1], 2))
    with pytest.raises(ValueError, match="one row a position"):
        rotary(np.ones((3, 2)), rotations([0, 1], 2))
