"""Costs of layers over a sequence: paths by search, operations by counting, bounds on products."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.equation("eq-recurrence-cost")
def test_recurrence_takes_a_step_a_token_and_two_products_a_step() -> None:
    cost = recurrence_cost(9, 5)
    assert (cost.sequential, cost.path_length) == (9, 8)
    assert cost.flops == 9 * 2 * (2 * 5 * 5)


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


def test_the_bounds_are_met_when_directions_line_up() -> None:
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    jacobian = rotation @ np.diag([0.5, 1.0, 1.1]) @ rotation.T
    lower, upper = jacobian_product_bounds([jacobian] * 50)
    product = np.linalg.matrix_power(jacobian, 50)
    assert np.linalg.norm(product, 2) == pytest.approx(upper, rel=1e-9)
    assert lower == pytest.approx(0.5**50, rel=1e-9)
    assert upper == pytest.approx(1.1**50, rel=1e-9)
