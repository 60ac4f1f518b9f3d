"""Costs of layers over a sequence: paths by search, operations by counting, bounds on products."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.heads import attention_flops
from primer_ref.sequence_layers import (
    attention_cost,
    convolution_cost,
    jacobian_product_bounds,
    recurrence_cost,
)


@pytest.mark.equation("eq-convolution-cost")
@given(st.integers(1, 60), st.integers(2, 7))
def test_layers_until_the_last_position_of_a_convolution_sees_the_first(n: int, k: int) -> None:
    layers, reach = 0, 0
    while reach < n - 1:
        layers, reach = layers + 1, reach + k - 1
    cost = convolution_cost(n, 8, kernel=k)
    assert (cost.path_length, cost.sequential) == (layers, 1)
    assert cost.flops == n * k * 2 * 8 * 8
    # An impulse at the first position, sent through causal layers until it is at the last.
    signal, sent = np.eye(n)[0], 0
    while signal[-1] == 0:
        signal, sent = np.convolve(signal, np.ones(k))[:n], sent + 1
    assert cost.path_length == sent


@pytest.mark.equation("eq-recurrence-cost")
def test_recurrence_takes_a_step_a_token_and_two_products_a_step() -> None:
    rng = np.random.default_rng(0)
    x, u, w = rng.normal(size=(9, 5)), rng.normal(size=(5, 5)), rng.normal(size=(5, 5))
    h, flops, steps = np.zeros(5), 0, 0
    for row in x:
        h = np.tanh(row @ u + h @ w)
        flops, steps = flops + 2 * u.size + 2 * w.size, steps + 1
    cost = recurrence_cost(9, 5)
    assert (cost.flops, cost.sequential, cost.path_length) == (flops, steps, steps - 1)


@pytest.mark.equation("eq-attention-cost")
def test_attention_counts_what_the_heads_count() -> None:
    cost = attention_cost(9, 12)
    assert cost.flops == attention_flops(12, 3, 4, n_queries=9, n_keys=9)
    assert (cost.sequential, cost.path_length) == (1, 1)
    # As published: pairs cost less than a recurrence as long as sequences are shorter than wide.
    pairs = [attention_cost(n, 512).flops - 8 * n * 512**2 for n in (511, 513)]
    assert pairs[0] < recurrence_cost(511, 512).flops
    assert pairs[1] > recurrence_cost(513, 512).flops


@pytest.mark.equation("eq-jacobian-product")
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_a_product_of_jacobians_lies_between_its_bounds(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    jacobians, gradient = rng.normal(size=(count, 4, 4)), rng.normal(size=4)
    lower, upper = jacobian_product_bounds(list(jacobians))
    through = gradient
    for j in jacobians:
        through = through @ j
    ratio = np.linalg.norm(through) / np.linalg.norm(gradient)
    assert lower * (1 - 1e-9) <= ratio <= upper * (1 + 1e-9)


@given(st.integers(0, 2**32 - 1))
def test_a_recurrence_of_small_singular_values_forgets_whatever_its_input(seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, x = rng.normal(size=(4, 4)), rng.normal(scale=3, size=(12, 4))
    w *= 0.8 / np.linalg.norm(w, 2)

    def last(first: NDArray[np.float64]) -> NDArray[np.float64]:
        h = first
        for row in x:
            h = np.tanh(h @ w + row)
        return h

    start, direction = rng.normal(size=4), rng.normal(size=4)
    moved = last(start + direction) - last(start)
    assert np.linalg.norm(moved) <= 0.8**12 * np.linalg.norm(direction) + 1e-14


def test_eigenvalues_below_one_do_not_make_gradients_vanish() -> None:
    w, held = np.array([[4.0, -4.0], [4.0, -4.0]]), np.array([0, math.sqrt(0.5)])
    np.testing.assert_allclose(np.linalg.eigvals(w), 0, atol=1e-7)
    x = np.arctanh(held) - held @ w  # holds the state where it is
    np.testing.assert_allclose(np.tanh(held @ w + x), held, atol=1e-15)
    jacobian, h = np.diag(1 - held**2) @ w.T, 1e-6
    np.testing.assert_allclose(jacobian, [[4, 4], [-2, -2]])
    moved = [np.tanh((held + h * e) @ w + x) - np.tanh((held - h * e) @ w + x) for e in np.eye(2)]
    np.testing.assert_allclose(np.transpose(moved) / (2 * h), jacobian, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.matrix_power(jacobian, 20), 2.0**19 * jacobian)


def test_the_bounds_are_met_when_directions_line_up() -> None:
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    jacobian = rotation @ np.diag([0.5, 1.0, 1.1]) @ rotation.T
    lower, upper = jacobian_product_bounds([jacobian] * 50)
    product = np.linalg.matrix_power(jacobian, 50)
    assert np.linalg.norm(product, 2) == pytest.approx(upper, rel=1e-9)
    assert lower == pytest.approx(0.5**50, rel=1e-9)
    assert upper == pytest.approx(1.1**50, rel=1e-9)
