"""Feed-forward parts against sums over neurons; where the norm stands."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.activations import relu, silu, silu_derivative
from primer_ref.autodiff import check_gradient, grad, jacobian
from primer_ref.blocks import (
    gated_width,
    mlp,
    post_norm,
    post_norm_gradient,
    pre_norm,
    pre_norm_gradient,
    swiglu,
)
from primer_ref.norms import rms_norm
from primer_ref.tangent_kernel import arc_cosine_kernel_1

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.equation("eq-mlp")
@given(seeds)
def test_a_plain_part_adds_up_values_by_how_well_their_keys_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, keys, values = rng.normal(size=(2, 3)), rng.normal(size=(3, 5)), rng.normal(size=(5, 4))
    expected = np.zeros((2, 4))
    for row in range(2):
        for i in range(5):
            expected[row] += math.tanh(sum(x[row] * keys[:, i])) * values[i]
    np.testing.assert_allclose(mlp(x, keys, values, np.tanh), expected, atol=1e-12)


@pytest.mark.equation("eq-swiglu")
@given(seeds)
def test_a_gated_part_multiplies_each_neuron_by_its_gate(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, gate, up, down = (rng.normal(size=s) for s in ((2, 3), (3, 5), (3, 5), (5, 4)))
    expected = np.zeros((2, 4))
    for row in range(2):
        for i in range(5):
            g = sum(x[row] * gate[:, i])
            expected[row] += g / (1 + math.exp(-g)) * sum(x[row] * up[:, i]) * down[i]
    both = np.concatenate([gate, up], axis=1)
    np.testing.assert_allclose(swiglu(x, both, down), expected, atol=1e-12)
    assert check_gradient(lambda w: np.sum(swiglu(x, *w) ** 2), (both, down), rng=rng) < 1e-6


@pytest.mark.equation("eq-swiglu")
@pytest.mark.parametrize("cosine", [0.25, 0.75, 0.95])
def test_fresh_gated_parts_drive_tokens_apart_and_plain_ones_together(cosine: float) -> None:
    width, hidden = 64, 256
    z, weight = np.polynomial.hermite_e.hermegauss(60)
    weight /= weight.sum()
    other = cosine * z[:, None] + math.sqrt(1 - cosine**2) * z  # (nodes, nodes)
    shared = float((weight * silu(z)) @ silu(other) @ weight)
    gated = cosine * shared / float(weight @ silu(z) ** 2)
    pair = math.sqrt(width) * np.array([[1, 0], [cosine, math.sqrt(1 - cosine**2)]])
    plain = float(arc_cosine_kernel_1(pair[:1], pair[1:])[0, 0]) / width
    assert gated < cosine < plain
    rng = np.random.default_rng(0)
    products = np.zeros((2, 2, 2))
    for _ in range(100):
        x = pair @ np.linalg.qr(rng.normal(size=(width, 2)))[0].T
        gate_up, down = rng.normal(size=(width, 2 * hidden)), rng.normal(size=(hidden, width))
        y = swiglu(x, gate_up / math.sqrt(width), down)
        y_plain = mlp(x, gate_up[:, :hidden], down, relu)
        products += np.stack([y @ y.T, y_plain @ y_plain.T])
    found = products[:, 0, 1] / np.sqrt(products[:, 0, 0] * products[:, 1, 1])
    np.testing.assert_allclose(found, [gated, plain], atol=0.02)


@pytest.mark.equation("eq-gated-width")
@pytest.mark.parametrize(
    ("width", "published"), [(4096, 11_008), (5120, 13_824), (6656, 17_920), (8192, 22_016)]
)
def test_gated_width_recomputes_the_widths_of_llama(width: int, published: int) -> None:
    assert gated_width(width, multiple_of=256) == published


@given(st.integers(1, 10_000), st.integers(1, 300))
def test_a_gated_part_has_the_weights_of_a_plain_one_save_for_rounding(c: int, m: int) -> None:
    f = gated_width(c, multiple_of=m)
    assert f % m == 0
    assert -3 * c < 3 * c * f - 2 * c * 4 * c < 3 * c * m


@pytest.mark.equation("eq-pre-norm")
@pytest.mark.equation("eq-post-norm")
def test_pre_norm_passes_the_stream_on_and_post_norm_does_not() -> None:
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=4), 1e-4 * rng.normal(size=(4, 4))

    def norm(x: np.ndarray) -> np.ndarray:
        return rms_norm(x, np.ones(4), eps=0.0)

    def part(x: np.ndarray) -> np.ndarray:
        return x @ w

    np.testing.assert_allclose(pre_norm(x, part, norm), x + norm(x) @ w, rtol=1e-14)
    np.testing.assert_allclose(post_norm(x, part, norm), norm(x + x @ w), rtol=1e-14)
    for step, least in ((pre_norm, 0.9), (post_norm, 0.0)):
        at: Any = x
        through = np.eye(4)
        for _ in range(50):
            through = jacobian(lambda x, step=step: step(x, part, norm))(at) @ through
            at = step(at, part, norm)
        gains = np.linalg.svd(through, compute_uv=False)
        # What came in is still there; or the length of x is lost, at the first norm.
        assert gains[-1] > least if least else gains[-1] < 1e-12 < gains[-2]


def linear_part(rng: np.random.Generator) -> Any:
    """Draw a part with the gains a = b = 1/2."""
    w = rng.normal(scale=math.sqrt(0.5 / 64), size=(64, 64))
    return lambda x: x @ w


def gated_part(rng: np.random.Generator) -> Any:
    """Draw a part whose gains differ, as it multiplies."""
    gate_up = rng.normal(scale=1 / math.sqrt(64), size=(64, 2 * 128))
    down = rng.normal(scale=1 / math.sqrt(128), size=(128, 64))
    return lambda x: swiglu(x, gate_up, down)


def gated_gains() -> tuple[float, float]:
    """Integrate both gains of a gated part with fresh weights."""
    z, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()
    forward = float(weight @ silu(z) ** 2)
    return forward, forward + float(weight @ silu_derivative(z) ** 2)


def back_to_front(place: Any, draw: Any, seed: int, n_parts: int) -> float:
    """Mean square of the gradient at the first of the streams, over that at the last."""
    rng = np.random.default_rng(seed)
    parts = [draw(rng) for _ in range(n_parts)]
    x, g = rng.normal(size=(2, 64))

    def norm(x: np.ndarray) -> np.ndarray:
        return rms_norm(x, np.ones(64), eps=0.0)

    def loss(x: np.ndarray) -> Any:
        for part in parts:
            x = place(x, part, norm)
        return np.sum(g * x)

    return float(np.sum(grad(loss)(norm(x)) ** 2) / np.sum(g**2))


@pytest.mark.equation("eq-pre-norm-gradient")
@pytest.mark.equation("eq-post-norm-gradient")
@pytest.mark.parametrize(
    ("draw", "n_parts"),
    [(linear_part, 1), (linear_part, 4), (linear_part, 12), (gated_part, 4), (gated_part, 8)],
)
def test_gradients_of_random_networks_grow_with_depth_as_stated(draw: Any, n_parts: int) -> None:
    forward, backward = (0.5, 0.5) if draw is linear_part else gated_gains()
    for place, stated in ((pre_norm, pre_norm_gradient), (post_norm, post_norm_gradient)):
        seen = np.array([back_to_front(place, draw, seed, n_parts) for seed in range(60)])
        error = float(np.std(seen)) / math.sqrt(len(seen))
        expected = stated(n_parts, forward=forward, backward=backward)
        # Three errors, and the projection, one of 64 directions, that the wide limit leaves out.
        allowed = 3 * error + n_parts / 64 * expected
        assert abs(float(np.mean(seen)) - expected) < allowed
        if draw is gated_part:  # gains interchanged would be seen
            swapped = stated(n_parts, forward=backward, backward=forward)
            assert abs(expected - swapped) > allowed


def test_growth_of_gradients_in_closed_form() -> None:
    for n in (0, 1, 7, 100):
        assert pre_norm_gradient(n, forward=0.3, backward=0.3) == pytest.approx(1 + 0.3 * n)
        assert post_norm_gradient(n, forward=0.3, backward=0.3) == pytest.approx(1)
        assert pre_norm_gradient(n, forward=0.0, backward=0.3) == pytest.approx(1.3**n)
    # A power of the depth against an exponential of it: doubling b doubles an exponent.
    steep = [pre_norm_gradient(n, forward=0.5, backward=1.0) for n in (10_000, 20_000)]
    assert steep[1] / steep[0] == pytest.approx(2**2, rel=1e-3)
    assert post_norm_gradient(20, forward=0.5, backward=1.0) == pytest.approx((4 / 3) ** 20)


@pytest.mark.equation("eq-gated-gains")
def test_gains_of_a_gated_part_with_fresh_weights() -> None:
    width, hidden = 96, 256
    forward, backward = gated_gains()
    rng = np.random.default_rng(0)
    seen = []
    for _ in range(100):
        gate_up = rng.normal(scale=width**-0.5, size=(width, 2 * hidden))
        down = rng.normal(scale=hidden**-0.5, size=(hidden, width))
        x, g = rng.normal(size=(2, width))
        x /= np.sqrt(np.mean(x**2))
        back = grad(lambda x, w=gate_up, v=down, g=g: np.sum(swiglu(x, w, v) * g))(x)
        seen.append((np.mean(swiglu(x, gate_up, down) ** 2), np.sum(back**2) / np.sum(g**2)))
    error = np.std(seen, axis=0) / 10
    assert np.all(np.abs(np.mean(seen, axis=0) - [forward, backward]) < 4 * error)
    assert np.all(error < 0.04 * np.array([forward, backward]))
