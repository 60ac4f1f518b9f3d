"""Experts: the layer against one device, dropped tokens counted, and what balance costs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from primer_ref.autodiff import grad
from primer_ref.experts import dispatch, expert_capacity, expert_parallel, load_balance_loss
from primer_ref.functional import softmax

F = NDArray[np.floating[Any]]

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.equation("eq-expert-capacity")
def test_capacity_is_the_even_share_times_its_factor_rounded_up() -> None:
    assert expert_capacity(64, 8, factor=1.0) == 8
    assert expert_capacity(65, 8, factor=1.0) == 9
    assert expert_capacity(64, 8, factor=1.25) == 10
    assert expert_capacity(1, 8, factor=1.0) == 1
    assert expert_capacity(3, 1, factor=1.0) == 3
    assert expert_capacity(64, 8, factor=2) == 16


@pytest.mark.equation("eq-expert-capacity")
@given(st.integers(1, 60), st.integers(1, 4096), st.integers(1, 64))
@example(11, 100, 10)  # 1.1 · 100 is above 110 in binary
def test_a_decimal_factor_counts_as_written(tenths: int, n_tokens: int, n_experts: int) -> None:
    room = -(-tenths * n_tokens // (10 * n_experts))  # whole numbers only
    for factor in (tenths / 10, np.float64(tenths / 10)):
        assert expert_capacity(n_tokens, n_experts, factor=factor) == room


@given(seeds, st.integers(1, 5), st.integers(0, 6))
def test_each_expert_takes_the_first_tokens_that_chose_it(seed: int, n: int, room: int) -> None:
    choices = np.random.default_rng(seed).integers(0, n, 20)
    taken: dict[int, list[int]] = {expert: [] for expert in range(n)}
    for token, expert in enumerate(choices):
        if len(taken[expert]) < room:
            taken[expert].append(token)
    for expert, tokens in enumerate(dispatch(choices, n_experts=n, capacity=room)):
        assert list(tokens) == taken[expert]


def make_experts(n: int) -> list[Callable[[F], F]]:
    rng = np.random.default_rng(n)

    def expert(w: F) -> Callable[[F], F]:
        return lambda x: np.tanh(x @ w)

    return [expert(rng.normal(size=(3, 2))) for _ in range(n)]


@pytest.mark.equation("eq-expert-output")
@given(seeds, st.integers(1, 4), st.integers(0, 9))
def test_expert_parallel_is_the_layer_of_one_device_for_tokens_that_fit(
    seed: int, n: int, room: int
) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.normal(size=(rng.integers(1, 9), 3)) for _ in range(n)]
    choices = [rng.integers(0, n, len(x)) for x in rows]
    gates = [rng.random(len(x)) for x in rows]
    experts = make_experts(n)
    done = expert_parallel(rows, choices, gates, experts, capacity=room)
    for x, chosen, gate, y in zip(rows, choices, gates, done.values, strict=True):
        taken = np.zeros(n, int)
        for token, expert in enumerate(chosen):
            taken[expert] += 1
            fits = taken[expert] <= room
            expected = gate[token] * experts[expert](x[token]) if fits else np.zeros(2)
            np.testing.assert_allclose(y[token], expected, atol=1e-14)
    # Buffers of three columns go there and of two come back, full or not.
    assert done.bytes_sent == ((n - 1) * room * 8 * (3 + 2),) * n
    assert done.n_rounds == 2 * (n - 1)


def test_buffers_are_filled_up_with_zeros() -> None:
    seen: list[F] = []

    def expert(x: F) -> F:
        seen.append(x)
        return x

    expert_parallel([np.ones((2, 1))], [[0, 0]], [[1.0, 1.0]], [expert], capacity=4)
    np.testing.assert_array_equal(seen, [[[1], [1], [0], [0]]])


def test_single_precision_is_computed_and_sent_as_it_is() -> None:
    row, gate = np.ones((1, 3), np.float32), np.array([0.5], np.float32)
    done = expert_parallel([row, row], [[1], [0]], [gate, gate], [abs, abs], capacity=2)
    assert [y.dtype for y in done.values] == [np.float32] * 2
    assert done.bytes_sent == (2 * 2 * 3 * 4,) * 2  # two exchanges of two rows


def test_gradients_reach_the_tokens_that_fit_and_no_others() -> None:
    x = np.random.default_rng(3).normal(size=(2, 4, 3))
    choices, gates = [[0, 0, 0, 1], [1, 0, 1, 1]], np.full((2, 4), 0.5)
    experts = make_experts(2)

    def loss(x: F) -> Any:
        done = expert_parallel([x[0], x[1]], choices, list(gates), experts, capacity=2)
        return np.sum(done.values[0]) + np.sum(done.values[1])

    def one_device(x: F) -> Any:
        first = np.concatenate([x[0, :2], x[1, 1:2]])
        second = np.concatenate([x[0, 3:], x[1, :1], x[1, 2:3]])
        return (np.sum(experts[0](first)) + np.sum(experts[1](second))) / 2

    np.testing.assert_allclose(grad(loss)(x), grad(one_device)(x), atol=1e-14)
    assert np.all(grad(loss)(x)[[0, 1], [2, 3]] == 0)


@pytest.mark.equation("eq-dropped")
@pytest.mark.parametrize("factor", [0.75, 1.0, 1.5])
def test_random_routing_drops_what_the_binomial_says(factor: float) -> None:
    rng = np.random.default_rng(0)
    n_tokens, n_experts, repeats = 512, 8, 400
    room = expert_capacity(n_tokens, n_experts, factor=factor)
    load = np.arange(n_tokens + 1)
    over = np.maximum(load - room, 0) @ stats.binom.pmf(load, n_tokens, 1 / n_experts)
    dropped = [
        n_tokens
        - sum(
            map(
                len,
                dispatch(rng.integers(0, n_experts, n_tokens), n_experts=n_experts, capacity=room),
            )
        )
        for _ in range(repeats)
    ]
    np.testing.assert_allclose(np.mean(dropped), n_experts * over, atol=0.03 * n_tokens**0.5)


@pytest.mark.equation("eq-balance-loss")
@given(seeds, st.integers(2, 5))
def test_balanced_shares_or_probabilities_give_one_and_collapse_the_number_of_experts(
    seed: int, n: int
) -> None:
    p = np.random.default_rng(seed).dirichlet(np.ones(n), 4 * n)
    even = np.arange(4 * n) % n
    np.testing.assert_allclose(load_balance_loss(p, even), 1)
    np.testing.assert_allclose(load_balance_loss(np.full((4 * n, n), 1 / n), even * 0), 1)
    np.testing.assert_allclose(load_balance_loss(np.eye(n)[np.full(6, 1)], [1] * 6), n)


def test_balance_is_not_the_minimum() -> None:
    p = np.array([[0.34, 0.33, 0.33]] * 9 + [[0.0, 1.0, 0.0]])
    choices = np.argmax(p, axis=-1)
    np.testing.assert_array_equal(np.bincount(choices), [9, 1])
    # By hand: shares 0.9, 0.1 and 0; mean probabilities 0.306, 0.397 and 0.297.
    np.testing.assert_allclose(load_balance_loss(p, choices), 3 * (0.9 * 0.306 + 0.1 * 0.397))
    assert load_balance_loss(p, choices) < 1


def test_descent_moves_probability_away_from_crowded_experts() -> None:
    logits: F = np.random.default_rng(1).normal(size=(12, 3))
    logits = logits + np.array([1.0, 0.0, 0.0])
    choices = np.argmax(logits, axis=-1)

    def loss(logits: F) -> Any:
        return load_balance_loss(softmax(logits), choices)

    slope = grad(loss)(logits)
    shares = np.bincount(choices, minlength=3) / 12
    p = softmax(logits)
    # d/d logits of 3 Σ f P: the vector–Jacobian product of softmax with 3 f / T.
    expected = p * (3 * shares / 12 - np.sum(p * 3 * shares / 12, axis=-1, keepdims=True))
    np.testing.assert_allclose(slope, expected, atol=1e-15)
    assert np.all(slope[:, np.argmax(shares)] > 0)
