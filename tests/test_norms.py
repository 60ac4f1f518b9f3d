"""Norms: definition, invariances, and the null directions of their Jacobians."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.autodiff import check_gradient, jacobian
from primer_ref.norms import layer_norm, layer_norm_jacobian, rms_norm, rms_norm_jacobian
from tests.draws import normal

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.equation("eq-rms-norm")
def test_rms_norm_row_by_row() -> None:
    x, gains = normal(0, (2, 3, 5), (5,))
    for index in np.ndindex(2, 3):
        row = x[index]
        expected = [
            g * v / math.sqrt(sum(row**2) / 5 + 0.25) for g, v in zip(gains, row, strict=True)
        ]
        np.testing.assert_allclose(rms_norm(x, gains, eps=0.25)[index], expected, rtol=1e-12)


@pytest.mark.equation("eq-layer-norm")
def test_layer_norm_row_by_row() -> None:
    x, gains, shifts = normal(0, (2, 3, 5), (5,), (5,))
    for index in np.ndindex(2, 3):
        row = x[index]
        mean = sum(row) / 5
        scale = math.sqrt(sum((v - mean) ** 2 for v in row) / 5 + 0.25)
        expected = [g * (v - mean) / scale + b for g, v, b in zip(gains, row, shifts, strict=True)]
        np.testing.assert_allclose(layer_norm(x, gains, shifts, eps=0.25)[index], expected)


@given(seeds, st.floats(1e-3, 1e3), st.floats(-100, 100))
def test_norms_do_not_see_a_scale_and_layer_norm_no_shift(
    seed: int, scale: float, shift: float
) -> None:
    x, gains, shifts = normal(seed, (3, 6), (6,), (6,))
    np.testing.assert_allclose(rms_norm(scale * x, gains, eps=0), rms_norm(x, gains, eps=0))
    np.testing.assert_allclose(
        layer_norm(scale * x + shift, gains, shifts, eps=0),
        layer_norm(x, gains, shifts, eps=0),
        atol=1e-8,
    )


def test_normed_rows_have_the_moments_that_are_stated() -> None:
    x, one, zero = normal(1, (4, 64))[0], np.ones(64), np.zeros(64)
    np.testing.assert_allclose(np.mean(rms_norm(x, one, eps=0) ** 2, axis=-1), 1)
    normed = layer_norm(x + 3, one, zero, eps=0)
    np.testing.assert_allclose(normed.mean(axis=-1), 0, atol=1e-14)
    np.testing.assert_allclose(normed.var(axis=-1), 1)
    assert np.all(rms_norm(np.zeros(3), np.ones(3)) == 0)
    assert np.all(layer_norm(np.full(3, 7.0), np.ones(3), np.zeros(3)) == 0)


def test_eps_stands_under_the_root() -> None:
    # Outside it, a row of 1e-3 would come out as 1/2.
    assert rms_norm([1e-3], [1.0], eps=1e-6) == pytest.approx(1 / math.sqrt(2))
    assert rms_norm([1e-3], [1.0], eps=0) == pytest.approx(1)


@pytest.mark.equation("eq-rms-norm-jacobian")
@pytest.mark.equation("eq-layer-norm-jacobian")
@given(seeds, st.sampled_from([{"eps": 0.0}, {"eps": 0.3}, {}]))  # or what eps is if not given
def test_jacobians_are_the_derivatives(seed: int, options: dict[str, float]) -> None:
    x, gains, shifts = normal(seed, (2, 4), (4,), (4,))
    norms: list[tuple[Callable[..., Any], Callable[..., Any]]] = [
        (rms_norm_jacobian, lambda x: rms_norm(x, gains, **options)),
        (layer_norm_jacobian, lambda x: layer_norm(x, gains, shifts, **options)),
    ]
    for ours, f in norms:
        found, exact = ours(x, gains, **options)[1], jacobian(f)(x[1])
        size = float(np.max(np.abs(exact)))
        np.testing.assert_allclose(found, exact, atol=1e-12 * size)
        h = 1e-6 * float(np.std(x[1]))
        numeric = (f(x[1] + h * np.eye(4)) - f(x[1] - h * np.eye(4))).T / (2 * h)
        np.testing.assert_allclose(found, numeric, atol=1e-6 * size)


@given(seeds)
def test_the_null_directions_are_those_that_are_stated_and_no_others(seed: int) -> None:
    x, gains = normal(seed, (6,), (6,))
    gains = np.abs(gains) + 0.1
    rms = rms_norm_jacobian(x, gains, eps=0)
    layer = layer_norm_jacobian(x, gains, eps=0)
    size = float(np.linalg.norm(layer))
    np.testing.assert_allclose(rms @ x, 0, atol=1e-12 * size)
    np.testing.assert_allclose(layer @ x, 0, atol=1e-12 * size)
    np.testing.assert_allclose(layer @ np.ones(6), 0, atol=1e-12 * size)
    assert np.linalg.matrix_rank(rms) == 5
    assert np.linalg.matrix_rank(layer) == 4


@pytest.mark.equation("eq-norm-projection")
@given(seeds)
def test_without_gains_the_jacobian_is_a_projection_over_the_size_of_the_row(seed: int) -> None:
    x = normal(seed, (6,))[0]
    r = math.sqrt(np.mean(x**2))
    projection = r * rms_norm_jacobian(x, np.ones(6), eps=0)
    np.testing.assert_allclose(projection @ projection, projection, atol=1e-12)
    np.testing.assert_allclose(projection, projection.T, atol=1e-12)
    # So the gradient shrinks as the row grows: Euler's theorem for a function of degree 0.
    np.testing.assert_allclose(
        rms_norm_jacobian(10 * x, np.ones(6), eps=0), rms_norm_jacobian(x, np.ones(6), eps=0) / 10
    )


def test_gains_and_shifts_are_differentiated() -> None:
    tree = dict(zip("xgb", normal(3, (2, 3, 5), (5,), (5,)), strict=True))
    rng = np.random.default_rng(0)
    assert check_gradient(lambda t: np.sum(layer_norm(*t.values()) ** 3), tree, rng=rng) < 1e-6
    assert check_gradient(lambda t: np.sum(rms_norm(t["x"], t["g"]) ** 3), tree, rng=rng) < 1e-6


def test_precision_is_kept() -> None:
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    made = (
        rms_norm(x, x[0]),
        layer_norm(x, x[0], x[1]),
        rms_norm_jacobian(x, x[0]),
        layer_norm_jacobian(x, x[0]),
    )
    assert {y.dtype for y in made} == {np.dtype(np.float32)}
    assert rms_norm([1, 2], [1, 1]).dtype == np.float64
