"""Attention: definition, masks, gradients, invariances, and bounds on its weights."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.attention import (
    attention_backward,
    attention_weights,
    causal_mask,
    entropy_floor,
    masked_scores,
    scaled_dot_product_attention,
    weight_ceiling,
)
from primer_ref.functional import softmax
from primer_ref.heads import multi_head_attention
from primer_ref.information import entropy
from primer_ref.latent_attention import latent_attention
from tests.draws import normal

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


def by_loops(q: F, k: F, v: F, mask: F) -> F:
    """Attention written out with scalars: the definition, and nothing of the code under test."""
    out = np.zeros((len(q), v.shape[1]))
    for t in range(len(q)):
        visible = [j for j in range(len(k)) if mask[t, j] == 0]
        scores = {j: sum(q[t] * k[j]) / math.sqrt(q.shape[1]) for j in visible}
        total = sum(math.exp(score) for score in scores.values())
        for j in visible:
            out[t] += math.exp(scores[j]) / total * v[j]
    return out


@pytest.mark.equation("eq-attention")
@pytest.mark.equation("eq-attention-weights")
@given(seeds)
def test_attention_is_what_its_definition_says(seed: int) -> None:
    q, k, v = normal(seed, (4, 3), (5, 3), (5, 2))
    hidden = np.random.default_rng(seed).random((4, 5)) < 0.4
    hidden[:, 0] = False
    mask = np.where(hidden, -np.inf, 0)
    np.testing.assert_allclose(
        scaled_dot_product_attention(q, k, v, mask), by_loops(q, k, v, mask), atol=1e-12
    )
    weights = attention_weights(q, k, mask)
    np.testing.assert_allclose(weights.sum(axis=-1), 1)
    assert np.all(weights[hidden] == 0)


@pytest.mark.equation("eq-attention")
def test_attention_recomputes_the_published_context_vectors() -> None:
    # Raschka 2024, section 3.3.2: queries, keys and values are the inputs, and nothing is scaled.
    # Six tokens, row by row: three features, then the three published outputs.
    table = np.array(
        [
            [0.43, 0.15, 0.89, 0.4421, 0.5931, 0.5790],
            [0.55, 0.87, 0.66, 0.4419, 0.6515, 0.5683],
            [0.57, 0.85, 0.64, 0.4431, 0.6496, 0.5671],
            [0.22, 0.58, 0.33, 0.4304, 0.6298, 0.5510],
            [0.77, 0.25, 0.10, 0.4671, 0.5910, 0.5266],
            [0.05, 0.80, 0.55, 0.4177, 0.6503, 0.5645],
        ]
    )
    x, published = table[:, :3], table[:, 3:]
    context = scaled_dot_product_attention(x * math.sqrt(3), x, x)
    np.testing.assert_allclose(context, published, atol=6e-5)


@pytest.mark.equation("eq-causal-mask")
def test_causal_mask() -> None:
    mask = causal_mask(2, 4)
    np.testing.assert_array_equal(mask, [[0, 0, 0, -np.inf], [0, 0, 0, 0]])
    np.testing.assert_array_equal(causal_mask(5), np.where(np.tri(5) == 1, 0, -np.inf))
    with pytest.raises(ValueError, match="at least n_queries; got 2 and 3"):
        causal_mask(3, 2)


@given(seeds)
def test_a_causal_row_does_not_depend_on_what_comes_later(seed: int) -> None:
    q, k, v, other = normal(seed, (6, 3), (6, 3), (6, 2), (2, 3))
    late_k, late_v = k.copy(), v.copy()
    late_k[4:], late_v[4:] = other, 100
    before, after = (
        scaled_dot_product_attention(q, *pair, causal_mask(6))
        for pair in ((k, v), (late_k, late_v))
    )
    np.testing.assert_array_equal(before[:4], after[:4])
    assert not np.allclose(before[4:], after[4:])


@pytest.mark.equation("eq-mask-conditioning")
@given(seeds)
def test_a_mask_conditions_the_weights_on_what_is_visible(seed: int) -> None:
    q, k = normal(seed, (4, 3), (4, 3))
    free, masked = attention_weights(q, k), attention_weights(q, k, causal_mask(4))
    visible = np.tril(free)
    np.testing.assert_allclose(masked, visible / visible.sum(axis=-1, keepdims=True), rtol=1e-12)


def test_a_query_that_may_look_at_nothing_gets_zero_and_gives_no_gradient() -> None:
    q, k, v, d_out = normal(1, (2, 3), (4, 3), (4, 2), (2, 2))
    mask = np.zeros((2, 4))
    mask[1] = -np.inf
    assert np.all(attention_weights(q, k, mask)[1] == 0)
    assert np.all(scaled_dot_product_attention(q, k, v, mask)[1] == 0)
    dq, dk, dv = attention_backward(q, k, v, d_out, mask)
    alone = attention_backward(q[:1], k, v, d_out[:1])
    assert np.all(dq[1] == 0)
    np.testing.assert_allclose(dk, alone[1])
    np.testing.assert_allclose(dv, alone[2])


@pytest.mark.equation("eq-attention-backward")
@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3, 3), (2, 5, 3), (2, 5, 4)),
        ((2, 3, 3), (5, 3), (5, 4)),  # keys and values shared by all
        ((3, 3), (2, 1, 5, 3), (3, 5, 4)),
    ],
)
@given(seed=seeds, masked=st.booleans())
def test_backward_agrees_with_finite_differences(
    shapes: tuple[tuple[int, ...], ...], seed: int, masked: bool
) -> None:
    q, k, v = normal(seed, *shapes)
    directions = normal(seed + 1, *shapes)
    mask = causal_mask(3, 5) if masked else None
    (d_out,) = normal(seed + 2, scaled_dot_product_attention(q, k, v, mask).shape)

    def loss(step: float, which: int) -> float:
        moved = [q, k, v]
        moved[which] = moved[which] + step * directions[which]
        out = scaled_dot_product_attention(moved[0], moved[1], moved[2], mask)
        return float(np.sum(d_out * out))

    h = 1e-5
    for which, gradient in enumerate(attention_backward(q, k, v, d_out, mask)):
        slope = (loss(h, which) - loss(-h, which)) / (2 * h)
        assert gradient.shape == shapes[which]
        size = float(np.linalg.norm(gradient) * np.linalg.norm(directions[which]))
        assert abs(float(np.sum(gradient * directions[which])) - slope) <= 1e-7 * (1 + size)


@pytest.mark.equation("eq-dot-variance")
def test_variance_of_a_dot_product_is_the_trace_of_the_covariances() -> None:
    # Two-point coordinates: the mean over all signs is exact, with no draws.
    signs = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
    mix_q, mix_k = normal(3, (3, 3), (3, 3))
    q, k = signs @ mix_q, signs @ mix_k
    dots = q @ k.T  # every q with every k: independent
    np.testing.assert_allclose(dots.mean(), 0, atol=1e-13)
    np.testing.assert_allclose(dots.var(), np.trace(mix_q.T @ mix_q @ mix_k.T @ mix_k))
    np.testing.assert_allclose((signs @ signs.T).var(), 3)


@pytest.mark.equation("eq-dot-variance")
def test_variance_of_a_dot_product_by_simulation() -> None:
    q, k = np.random.default_rng(2).normal(size=(2, 200_000, 64))
    np.testing.assert_allclose(np.var(np.sum(q * k, axis=1)), 64, rtol=0.01)


@given(seeds)
def test_outputs_stay_in_the_box_of_the_visible_values(seed: int) -> None:
    q, k, v = normal(seed, (5, 3), (5, 3), (5, 2))
    out = scaled_dot_product_attention(10 * q, k, v, causal_mask(5))
    for t in range(5):
        assert np.all(v[: t + 1].min(axis=0) - 1e-12 <= out[t])
        assert np.all(out[t] <= v[: t + 1].max(axis=0) + 1e-12)


@pytest.mark.equation("eq-lipschitz-example")
@given(st.floats(0, 50))
def test_a_gradient_without_bound(a: float) -> None:
    def middle(x: float) -> float:
        tokens = np.array([[x], [a], [-a]])
        return float(scaled_dot_product_attention(tokens, tokens, tokens)[0, 0])

    h = 1e-5 / (1 + a)
    slope = (middle(h) - middle(-h)) / (2 * h)
    np.testing.assert_allclose(slope, (1 + 2 * a**2) / 3, rtol=1e-6)


@pytest.mark.equation("eq-weight-ceiling")
@given(seeds, st.integers(1, 40), st.floats(0, 12))
def test_no_weight_exceeds_its_ceiling_and_one_score_apart_reaches_it(
    seed: int, n: int, score_range: float
) -> None:
    s = np.random.default_rng(seed).uniform(0, score_range, n)
    assert softmax(s).max() <= weight_ceiling(n, score_range) * (1 + 1e-12)
    s = np.zeros(n)
    s[0] = score_range
    if n > 1:
        np.testing.assert_allclose(softmax(s)[0], weight_ceiling(n, score_range))


@pytest.mark.equation("eq-entropy-floor")
@given(seeds, st.integers(1, 40), st.floats(0, 12), st.integers(1, 40))
def test_no_entropy_falls_below_its_floor(seed: int, n: int, score_range: float, top: int) -> None:
    floor = entropy_floor(n, score_range)
    # Random scores, and the two-level scores that come nearest to the floor.
    levels = np.where(np.arange(n) < top, score_range, 0.0)
    for s in (np.random.default_rng(seed).uniform(0, score_range, n), levels):
        assert entropy(softmax(s)) >= floor - 1e-12


def test_the_entropy_floor_is_tight_for_small_ranges() -> None:
    levels = np.where(np.arange(40) < 20, 0.1, 0.0)
    lost = math.log(40) - entropy(softmax(levels))
    np.testing.assert_allclose(lost, math.log(40) - entropy_floor(40, 0.1), rtol=0.01)


def test_bounds_refuse_what_makes_no_sense() -> None:
    for bound in (weight_ceiling, entropy_floor):
        with pytest.raises(ValueError, match="got 0 and 1"):
            bound(0, 1)
        with pytest.raises(ValueError, match="got 3 and nan"):
            bound(3, math.nan)


def test_single_precision_stays_single() -> None:
    x = np.ones((3, 4), np.float32)
    mask = causal_mask(3)
    assert attention_weights(x, x).dtype == attention_weights(x, x, mask).dtype == np.float32
    assert {g.dtype for g in attention_backward(x, x, x, x, mask)} == {np.dtype(np.float32)}


def test_queries_and_keys_of_different_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size; got 3 and 4"):
        attention_weights(np.ones((2, 3)), np.ones((2, 4)))


def test_a_mask_of_truth_values_is_refused() -> None:
    x = np.ones((2, 4))
    hidden, weights = np.tri(2) == 0, [np.eye(4)] * 4
    with pytest.raises(TypeError, match="got truth values"):
        attention_weights(x, x, hidden)
    with pytest.raises(TypeError, match="got truth values"):
        masked_scores(x, x, hidden)
    with pytest.raises(TypeError, match="got truth values"):
        multi_head_attention(x, *weights, n_heads=2, mask=hidden)
    with pytest.raises(TypeError, match="got truth values"):
        latent_attention(
            x, np.eye(4), np.eye(4), (np.eye(4), np.eye(4)), np.eye(4), n_heads=2, mask=hidden
        )


def test_scores_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="got nan"):
        attention_weights([[np.nan]], [[1.0]], [[0.0]])
