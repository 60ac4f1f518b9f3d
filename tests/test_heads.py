"""Many heads: the sum against the concatenation, circuits, equivariance, counts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.attention import attention_weights, causal_mask, scaled_dot_product_attention
from primer_ref.heads import (
    attention_flops,
    attention_parameters,
    head_contributions,
    multi_head_attention,
    ov_circuit,
    qk_circuit,
    split_heads,
)

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


def layer(seed: int, width: int, n_heads: int, n_kv_heads: int, size: int) -> tuple[F, ...]:
    rng = np.random.default_rng(seed)
    shapes = [(width, n_heads * size), *[(width, n_kv_heads * size)] * 2, (n_heads * size, width)]
    return tuple(rng.normal(size=shape) / math.sqrt(width) for shape in shapes)


@pytest.mark.equation("eq-multi-head")
@given(seeds, st.sampled_from([(4, 4), (4, 2), (4, 1), (1, 1), (6, 3)]))
def test_the_sum_over_heads_is_the_concatenation_times_the_output_weights(
    seed: int, heads: tuple[int, int]
) -> None:
    n_heads, n_kv_heads = heads
    w_q, w_k, w_v, w_o = layer(seed, 5, n_heads, n_kv_heads, 3)
    x = np.random.default_rng(seed).normal(size=(4, 5))
    columns = []
    for h in range(n_heads):
        g = h // (n_heads // n_kv_heads)
        q = x @ w_q[:, 3 * h : 3 * h + 3]
        k, v = x @ w_k[:, 3 * g : 3 * g + 3], x @ w_v[:, 3 * g : 3 * g + 3]
        columns.append(scaled_dot_product_attention(q, k, v, causal_mask(4)))
    options = {"n_heads": n_heads, "n_kv_heads": n_kv_heads}
    out = multi_head_attention(x, w_q, w_k, w_v, w_o, mask=causal_mask(4), **options)
    np.testing.assert_allclose(out, np.concatenate(columns, axis=1) @ w_o, atol=1e-12)


@pytest.mark.equation("eq-head")
@pytest.mark.equation("eq-bilinear")
@pytest.mark.equation("eq-ov")
@given(seeds)
def test_a_head_is_its_two_circuits(seed: int) -> None:
    weights = layer(seed, 5, 2, 2, 3)
    x = np.random.default_rng(seed).normal(size=(4, 5))
    terms = head_contributions(x, *weights, n_heads=2)
    w_q, w_k, w_v = (split_heads(w, 2) for w in weights[:3])
    for h in range(2):
        form = qk_circuit(w_q[h], w_k[h])
        scores = x @ form @ x.T
        pattern = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        ov = ov_circuit(w_v[h], weights[3][3 * h : 3 * h + 3])
        np.testing.assert_allclose(terms[h], pattern @ x @ ov, atol=1e-10)
        assert np.linalg.matrix_rank(form) == np.linalg.matrix_rank(ov) == 3


@pytest.mark.equation("eq-gauge")
@given(seeds)
def test_the_bilinear_form_does_not_see_a_change_of_basis(seed: int) -> None:
    rng = np.random.default_rng(seed)
    w_q, w_k = rng.normal(size=(2, 6, 3))
    change = rng.normal(size=(3, 3)) + 4 * np.eye(3)
    moved = qk_circuit(w_q @ change, w_k @ np.linalg.inv(change).T)
    np.testing.assert_allclose(moved, qk_circuit(w_q, w_k), atol=1e-10)


@pytest.mark.equation("eq-equivariance")
@given(seeds)
def test_without_mask_and_positions_attention_is_permutation_equivariant(seed: int) -> None:
    weights = layer(seed, 6, 2, 1, 3)
    rng = np.random.default_rng(seed)
    x, order = rng.normal(size=(2, 5, 6)), rng.permutation(5)
    out = multi_head_attention(x, *weights, n_heads=2, n_kv_heads=1)
    moved = multi_head_attention(x[:, order], *weights, n_heads=2, n_kv_heads=1)
    np.testing.assert_allclose(moved, out[:, order], atol=1e-12)


def test_a_batch_is_its_rows() -> None:
    weights = layer(7, 6, 4, 2, 3)
    x = np.random.default_rng(7).normal(size=(2, 5, 6))
    options = {"n_heads": 4, "n_kv_heads": 2}
    out = multi_head_attention(x, *weights, mask=causal_mask(5), **options)
    for row, alone in zip(out, x, strict=True):
        np.testing.assert_allclose(
            row, multi_head_attention(alone, *weights, mask=causal_mask(5), **options)
        )


def test_each_text_of_a_batch_may_have_its_own_mask() -> None:
    weights = layer(7, 6, 3, 3, 2)
    x = np.random.default_rng(7).normal(size=(2, 3, 6))
    masks = np.stack([causal_mask(3), np.zeros((3, 3))])
    out = multi_head_attention(x, *weights, n_heads=3, mask=masks)
    for row, alone, mask in zip(out, x, masks, strict=True):
        np.testing.assert_allclose(
            row, multi_head_attention(alone, *weights, n_heads=3, mask=mask), atol=1e-12
        )


def test_split_heads_keeps_heads_side_by_side() -> None:
    x = np.arange(24.0).reshape(2, 2, 6)
    heads = split_heads(x, 3)
    assert heads.shape == (2, 3, 2, 2)
    for h in range(3):
        np.testing.assert_array_equal(heads[:, h], x[..., 2 * h : 2 * h + 2])
    with pytest.raises(ValueError, match="multiple of n_heads; got 6 and 4"):
        split_heads(x, 4)


def test_heads_come_in_whole_groups() -> None:
    weights = layer(0, 6, 9, 3, 1)
    with pytest.raises(ValueError, match="multiple of n_kv_heads; got 9 and 2"):
        multi_head_attention(np.ones((2, 6)), *weights, n_heads=9, n_kv_heads=2)


def test_single_precision_stays_single() -> None:
    weights = [w.astype(np.float32) for w in layer(0, 6, 2, 1, 3)]
    x = np.ones((2, 6), np.float32)
    out = multi_head_attention(x, *weights, n_heads=2, n_kv_heads=1, mask=causal_mask(2))
    assert out.dtype == qk_circuit(weights[0], weights[0]).dtype == np.float32


@pytest.mark.equation("eq-attention-parameters")
def test_parameters_are_the_sizes_of_the_arrays() -> None:
    weights = layer(0, 12, 6, 2, 4)
    assert attention_parameters(12, 6, 4, n_kv_heads=2) == sum(w.size for w in weights)
    # With H·D fixed the number of heads does not matter.
    assert len({attention_parameters(64, h, 64 // h) for h in (1, 2, 4, 8)}) == 1
    assert attention_parameters(64, 4, 16) == 4 * 64 * 64


@pytest.mark.equation("eq-attention-flops")
def test_flops_are_two_a_multiplication() -> None:
    width, heads, kv_heads, size, t, s = 12, 6, 2, 4, 5, 9

    def product(m: int, k: int, n: int) -> int:
        return 2 * m * k * n

    expected = (
        product(t, width, heads * size)
        + 2 * product(t, width, kv_heads * size)
        + heads * (product(t, size, s) + product(t, s, size))
        + product(t, heads * size, width)
    )
    counted = attention_flops(width, heads, size, n_queries=t, n_keys=s, n_kv_heads=kv_heads)
    assert counted == expected
    same = {attention_flops(64, h, 64 // h, n_queries=7, n_keys=7) for h in (1, 2, 4, 8)}
    assert same == {8 * 7 * 64**2 + 4 * 7**2 * 64}


def test_one_head_is_plain_attention() -> None:
    eye = np.eye(4)
    x = np.random.default_rng(0).normal(size=(3, 4))
    expected = attention_weights(x, x) @ x
    np.testing.assert_allclose(multi_head_attention(x, eye, eye, eye, eye, n_heads=1), expected)
