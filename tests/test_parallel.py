"""Parallel steps against the step on one device: exact in integers, near in floating point."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.activations import gelu, gelu_derivative, relu, relu_derivative
from primer_ref.attention import causal_mask, scaled_dot_product_attention
from primer_ref.autodiff import grad
from primer_ref.blocks import mlp
from primer_ref.collectives import all_gather, reduce_scatter, shift, split
from primer_ref.functional import logsumexp
from primer_ref.heads import multi_head_attention
from primer_ref.numerics import FP64
from primer_ref.parallel import (
    data_parallel_gradient,
    ring_attention,
    tensor_parallel_attention,
    tensor_parallel_mlp,
    tensor_parallel_mlp_backward,
)
from primer_ref.schedules import accumulate
from primer_ref.summation import naive_sum_bound
from tests.draws import normal

F = NDArray[np.floating[Any]]

seeds = st.integers(0, 2**32 - 1)
devices = st.integers(1, 6)


def integers(seed: int, *shapes: tuple[int, ...]) -> list[F]:
    """Small whole numbers, whose sums and products are exact in any order."""
    rng = np.random.default_rng(seed)
    return [rng.integers(-4, 5, shape).astype(float) for shape in shapes]


def squared_error_gradient(x: F, y: F, w: F) -> F:
    """Gradient of the mean over rows of half the squared error of x @ w."""
    return x.T @ (x @ w - y) / len(x)


@pytest.mark.equation("eq-token-weighted")
@given(seeds, st.integers(1, 5))
def test_data_parallel_is_the_gradient_of_the_whole_batch(seed: int, p: int) -> None:
    counts = [int(n) for n in np.random.default_rng(seed).integers(1, 9, p)]
    x, y, w = normal(seed, (sum(counts), 3), (sum(counts), 2), (3, 2))
    cuts = np.cumsum(counts)[:-1]
    parts = list(zip(np.split(x, cuts), np.split(y, cuts), strict=True))
    gradients = [squared_error_gradient(*part, w) for part in parts]
    done = data_parallel_gradient(gradients, counts)
    whole = squared_error_gradient(x, y, w)
    _, accumulated = accumulate([(0.0, g, n) for g, n in zip(gradients, counts, strict=True)])
    for result in done.values:
        np.testing.assert_allclose(result, whole, rtol=1e-11, atol=1e-13)
        np.testing.assert_allclose(result, accumulated, rtol=1e-11, atol=1e-13)
        np.testing.assert_array_equal(result, done.values[0])


def test_data_parallel_is_exact_where_sums_are() -> None:
    x, y, w = integers(0, (16, 3), (16, 2), (3, 2))
    counts = [8, 4, 2, 2]  # powers of two: the weights n_i/n and the divisions are exact
    cuts = np.cumsum(counts)[:-1]
    gradients = [
        squared_error_gradient(*part, w)
        for part in zip(np.split(x, cuts), np.split(y, cuts), strict=True)
    ]
    done = data_parallel_gradient(gradients, counts)
    np.testing.assert_array_equal(done.values[0], squared_error_gradient(x, y, w))
    assert not np.allclose(np.mean(gradients, axis=0), done.values[0])


@pytest.mark.equation("eq-tensor-mlp")
@given(seeds, devices)
def test_a_tensor_parallel_mlp_is_the_mlp_exactly_in_integers(seed: int, p: int) -> None:
    x, w_in, w_out, d_out = integers(seed, (2, 3), (3, 8), (8, 3), (2, 3))
    done = tensor_parallel_mlp(x, w_in, w_out, relu, n_devices=p)
    for result in done.values:
        np.testing.assert_array_equal(result, mlp(x, w_in, w_out, relu))
    dx, d_in, d_rows = tensor_parallel_mlp_backward(
        x, w_in, w_out, d_out, activation=relu, slope=relu_derivative, n_devices=p
    )
    h = x @ w_in
    d_h = d_out @ w_out.T * (h > 0)
    np.testing.assert_array_equal(dx.values[-1], d_h @ w_in.T)
    np.testing.assert_array_equal(np.concatenate(d_in, axis=1), x.T @ d_h)
    np.testing.assert_array_equal(np.concatenate(d_rows), np.maximum(h, 0).T @ d_out)


@pytest.mark.equation("eq-tensor-mlp-backward")
@given(seeds, devices)
def test_a_tensor_parallel_step_is_the_step_of_one_device(seed: int, p: int) -> None:
    x, target, w_in, w_out = normal(seed, (5, 3), (5, 3), (3, 8), (8, 3))
    rate = 0.1

    def loss(weights: tuple[F, F]) -> Any:
        error = mlp(x, *weights, gelu) - target
        return np.sum(error * error) / 2

    done = tensor_parallel_mlp(x, w_in, w_out, gelu, n_devices=p)
    _, d_columns, d_rows = tensor_parallel_mlp_backward(
        x,
        w_in,
        w_out,
        done.values[0] - target,
        activation=gelu,
        slope=gelu_derivative,
        n_devices=p,
    )
    d_in, d_out = grad(loss)((w_in, w_out))
    columns, rows = split(w_in, p, axis=1), split(w_out, p)
    stepped = [a - rate * g for a, g in zip(columns, d_columns, strict=True)]
    np.testing.assert_allclose(np.concatenate(stepped, axis=1), w_in - rate * d_in, atol=1e-11)
    stepped = [a - rate * g for a, g in zip(rows, d_rows, strict=True)]
    np.testing.assert_allclose(np.concatenate(stepped), w_out - rate * d_out, atol=1e-11)


@pytest.mark.equation("eq-tensor-mlp-backward")
@pytest.mark.parametrize("p", [1, 2, 4])
def test_devices_that_keep_their_tokens_gather_the_input_again_on_the_way_back(p: int) -> None:
    x, w_in, w_out, dy = integers(4, (8, 3), (3, 8), (8, 3), (8, 3))
    columns, rows = split(w_in, p, axis=1), split(w_out, p)
    kept = split(x, p)  # what a device holds between the passes: its tokens
    into = all_gather(kept)
    terms = [relu(whole @ a) @ b for whole, a, b in zip(into.values, columns, rows, strict=True)]
    out = reduce_scatter(terms)
    np.testing.assert_array_equal(np.concatenate(out.values), mlp(x, w_in, w_out, relu))
    back, again = all_gather(split(dy, p)), all_gather(kept)
    hidden = [
        dy_i @ b.T * relu_derivative(x_i @ a)
        for x_i, dy_i, a, b in zip(again.values, back.values, columns, rows, strict=True)
    ]
    dx = reduce_scatter([dh @ a.T for dh, a in zip(hidden, columns, strict=True)])
    whole, d_columns, _ = tensor_parallel_mlp_backward(
        x, w_in, w_out, dy, activation=relu, slope=relu_derivative, n_devices=p
    )
    np.testing.assert_array_equal(np.concatenate(dx.values), whole.values[0])
    for x_i, dh, expected in zip(again.values, hidden, d_columns, strict=True):
        np.testing.assert_array_equal(x_i.T @ dh, expected)
    # Five exchanges instead of two all-reduces, each of which is two of them.
    moved = [sum(done.bytes_sent) for done in (into, out, back, dx, again)]
    assert moved == [(p - 1) * x.nbytes] * 5
    assert sum(whole.bytes_sent) == sum(moved[2:4])


def test_the_sum_over_devices_keeps_the_bound_of_sums() -> None:
    x, w_in, w_out = normal(1, (4, 16), (16, 64), (64, 16))
    p = 8
    done = tensor_parallel_mlp(x, w_in, w_out, gelu, n_devices=p)
    parts = zip(split(w_in, p, axis=1), split(w_out, p), strict=True)
    terms = np.stack([mlp(x, a, b, gelu) for a, b in parts], axis=-1)
    exact = np.sum(terms.astype(np.longdouble), axis=-1)
    assert np.all(np.abs(done.values[0] - exact) <= naive_sum_bound(terms, FP64))


@pytest.mark.parametrize("p", [1, 2, 4])
def test_tensor_parallel_layers_send_one_all_reduce_of_the_rows(p: int) -> None:
    x, w = normal(2, (6, 8), (8, 8))
    expected = (2 * (p - 1) * x.nbytes // p,) * p
    assert tensor_parallel_mlp(x, w, w, relu, n_devices=p).bytes_sent == expected
    dx, _, _ = tensor_parallel_mlp_backward(
        x, w, w, x, activation=relu, slope=relu_derivative, n_devices=p
    )
    assert dx.bytes_sent == expected
    attention = tensor_parallel_attention(x, w, w, w, w, n_heads=4, n_devices=p)
    assert attention.bytes_sent == expected


@pytest.mark.equation("eq-tensor-attention")
@given(seeds, st.sampled_from([1, 2, 3, 6]), st.booleans())
def test_tensor_parallel_attention_is_multi_head_attention(seed: int, p: int, masked: bool) -> None:
    x, w_q, w_k, w_v, w_o = normal(seed, (2, 5, 4), (4, 12), (4, 12), (4, 18), (18, 4))
    mask = causal_mask(5) if masked else None
    done = tensor_parallel_attention(x, w_q, w_k, w_v, w_o, n_heads=6, n_devices=p, mask=mask)
    expected = multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads=6, mask=mask)
    for result in done.values:
        np.testing.assert_allclose(result, expected, atol=1e-11)


@pytest.mark.equation("eq-ring-attention")
@given(seeds, st.integers(1, 5), st.booleans())
def test_ring_attention_is_attention(seed: int, p: int, masked: bool) -> None:
    q, k, v = normal(seed, (2, 7, 3), (2, 9, 3), (2, 9, 4))
    mask = causal_mask(7, 9) if masked else None
    done = ring_attention(3 * q, k, v, n_devices=p, mask=mask)
    out = np.concatenate(done.values, axis=-2)
    expected = scaled_dot_product_attention(3 * q, k, v, mask)
    np.testing.assert_allclose(out, expected, atol=1e-13)
    assert sum(done.bytes_sent) == (p - 1) * (k.nbytes + v.nbytes)
    assert done.n_rounds == 2 * (p - 1)


def test_rows_that_may_look_at_nothing_get_zero_from_the_ring() -> None:
    q, k, v = normal(3, (4, 3), (4, 3), (4, 2))
    mask = np.full((4, 4), -np.inf)
    mask[2, 0] = 0
    out = np.concatenate(ring_attention(q, k, v, n_devices=4, mask=mask).values)
    np.testing.assert_array_equal(out, [[0, 0], [0, 0], v[0], [0, 0]])


def test_gradients_pass_through_ring_attention() -> None:
    q, k, v = normal(4, (6, 3), (6, 3), (6, 2))
    mask = causal_mask(6)

    def ring(inputs: tuple[F, F, F]) -> Any:
        done = ring_attention(*inputs, n_devices=3, mask=mask)
        return np.sum(np.concatenate(done.values, axis=0) ** 2)

    def dense(inputs: tuple[F, F, F]) -> Any:
        return np.sum(scaled_dot_product_attention(*inputs, mask) ** 2)

    for ours, theirs in zip(grad(ring)((q, k, v)), grad(dense)((q, k, v)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)


@pytest.mark.equation("eq-ring-backward")
@given(seeds, st.integers(1, 5))
def test_gradients_of_keys_and_values_travel_with_them(seed: int, p: int) -> None:
    q, k, v, d = normal(seed, (7, 3), (7, 3), (7, 4), (7, 4))
    mask, width = causal_mask(7), 3**0.5
    out = scaled_dot_product_attention(q, k, v, mask)
    queries, keys, values, outs, slopes = (split(x, p) for x in (q, k, v, out, d))
    normalizers = split(logsumexp(q @ k.T / width + mask), p)
    masks = [split(rows, p, axis=1) for rows in split(mask, p)]
    sent: list[int] = []

    def terms(i: int, j: int, key: F, value: F) -> tuple[F, F, F]:
        weights = np.exp(queries[i] @ key.T / width + masks[i][j] - normalizers[i][:, None])
        inner = slopes[i] @ value.T - np.sum(slopes[i] * outs[i], axis=1, keepdims=True)
        d_scores = weights * inner
        return d_scores @ key / width, d_scores.T @ queries[i] / width, weights.T @ slopes[i]

    def send(blocks: list[F]) -> list[F]:
        moved = shift(blocks)
        sent.append(sum(moved.bytes_sent))
        return moved.values

    at_home = [terms(i, i, keys[i], values[i]) for i in range(p)]
    d_q = [term[0] for term in at_home]
    d_k, d_v = [0 * x for x in keys], [0 * x for x in values]
    for turn in range(1, p):
        keys, values = send(keys), send(values)
        d_k, d_v = (
            (send(d_k), send(d_v)) if turn > 1 else ([0 * x for x in keys], [0 * x for x in values])
        )
        for i in range(p):
            more = terms(i, (i - turn) % p, keys[i], values[i])
            d_q[i], d_k[i], d_v[i] = d_q[i] + more[0], d_k[i] + more[1], d_v[i] + more[2]
    if p > 1:
        d_k, d_v = send(d_k), send(d_v)
    d_k = [x + term[1] for x, term in zip(d_k, at_home, strict=True)]
    d_v = [x + term[2] for x, term in zip(d_v, at_home, strict=True)]

    def dense(inputs: tuple[F, F, F]) -> Any:
        return np.sum(scaled_dot_product_attention(*inputs, mask) * d)

    for ours, theirs in zip((d_q, d_k, d_v), grad(dense)((q, k, v)), strict=True):
        np.testing.assert_allclose(np.concatenate(ours), theirs, atol=1e-11)
    # Twice the bytes of the way forward.
    assert sum(sent) == 2 * (p - 1) * (k.nbytes + v.nbytes)
