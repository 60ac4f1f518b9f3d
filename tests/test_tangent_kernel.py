"""The tangent kernel: quadrature, finite differences, and rates in the width."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate

from primer_ref.tangent_kernel import (
    TwoLayerWeights,
    arc_cosine_kernel_0,
    arc_cosine_kernel_1,
    draw_two_layer,
    empirical_tangent_kernel,
    linearized_two_layer,
    tangent_features,
    tangent_kernel,
    two_layer,
)

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


def pair(angle: float) -> tuple[F, F]:
    return np.array([[1.0, 0.0]]), np.array([[np.cos(angle), np.sin(angle)]])


def test_arc_cosine_kernel_as_published() -> None:
    # Cho and Saul 2009, at 0, 60 and 90 degrees.
    values = [arc_cosine_kernel_1(*pair(np.radians(a)))[0, 0] for a in (0, 60, 90)]
    np.testing.assert_allclose(values, [1, 0.6090, 0.31831], atol=5e-5)


@pytest.mark.equation("eq-arc-cosine-0")
@pytest.mark.equation("eq-arc-cosine-1")
@pytest.mark.parametrize("angle", [0.3, 1.0, 2.0, 3.0])
def test_arc_cosine_kernels_are_the_means_that_they_stand_for(angle: float) -> None:
    # In polar coordinates both units are on for directions between θ − π/2 and π/2, and the mean
    # of the squared radius is 2.
    low, high = angle - np.pi / 2, np.pi / 2

    def product(t: float) -> float:
        return float(np.cos(t) * np.cos(t - angle))

    both_on = (high - low) / (2 * np.pi)
    mean = 2 * integrate.quad(product, low, high)[0] / (2 * np.pi)
    x, y = pair(angle)
    np.testing.assert_allclose(arc_cosine_kernel_0(x, 3 * y), 2 * both_on)
    np.testing.assert_allclose(arc_cosine_kernel_1(2 * x, 3 * y), 6 * 2 * mean)


@pytest.mark.equation("eq-arc-cosine-0")
@pytest.mark.equation("eq-arc-cosine-1")
@pytest.mark.parametrize("p", [1, 2, 5])
@pytest.mark.parametrize("factor", [None, 2.0, -3.0])
def test_arc_cosine_kernels_are_means_over_drawn_weights(p: int, factor: float | None) -> None:
    # In every dimension, and at angles of 0 and π, where no plane is spanned.
    rng = np.random.default_rng(p)
    w, x = rng.normal(size=(200_000, p)), rng.normal(size=p)
    y = rng.normal(size=p) if factor is None else factor * x
    on_x, on_y = w @ x, w @ y
    both = 2.0 * (on_x > 0) * (on_y > 0)
    product = 2 * np.maximum(on_x, 0) * np.maximum(on_y, 0)
    for kernel, drawn in ((arc_cosine_kernel_0, both), (arc_cosine_kernel_1, product)):
        spread = np.std(drawn) / np.sqrt(len(w))
        # At angle π a rounded cosine may leave the angle off by the root of the rounding.
        assert abs(kernel([x], [y])[0, 0] - np.mean(drawn)) < 4 * spread + 1e-7


@pytest.mark.equation("eq-linearized")
@given(seeds)
def test_gradients_agree_with_finite_differences(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights, change = (draw_two_layer(3, 7, rng=rng) for _ in range(2))
    x = rng.normal(size=(4, 3))
    h = 1e-7

    def moved(step: float) -> Any:
        return two_layer(
            x,
            TwoLayerWeights(
                weights.inner + step * change.inner, weights.outer + step * change.outer
            ),
        )

    slope = (moved(h) - moved(-h)) / (2 * h)
    linear = linearized_two_layer(x, weights, change) - two_layer(x, weights)
    # Should a unit lie within the step of its kink, the two differ there.
    kinks = np.any(np.abs(x @ weights.inner.T) < 10 * h * np.abs(x @ change.inner.T), axis=1)
    np.testing.assert_allclose(linear[~kinks], slope[~kinks], atol=1e-6)


@pytest.mark.equation("eq-two-layer")
def test_the_network_by_its_formula() -> None:
    rng = np.random.default_rng(0)
    weights, x = draw_two_layer(3, 5, rng=rng), rng.normal(size=3)
    units = [max(sum(weights.inner[j] * x), 0) * weights.outer[j] for j in range(5)]
    np.testing.assert_allclose(two_layer([x], weights), np.sqrt(2 / 5) * sum(units))


@pytest.mark.equation("eq-tangent-products")
@pytest.mark.equation("eq-tangent-kernel")
def test_the_kernel_of_a_network_tends_to_the_limit_at_the_rate_of_a_mean() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(3, 4)), rng.normal(size=(2, 4))
    limit, widths = tangent_kernel(x, y), 4 ** np.arange(3, 7)
    off, means = [], []
    for width in widths:
        draws = [
            empirical_tangent_kernel(x, y, draw_two_layer(4, int(width), rng=rng))
            for _ in range(100)
        ]
        off.append(np.sqrt(np.mean((np.array(draws) - limit) ** 2)))
        means.append(np.mean(draws, axis=0))
    slope = np.polyfit(np.log(widths), np.log(off), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.06)
    # At every width the mean over networks is the limit already.
    for mean, spread in zip(means, off, strict=True):
        assert np.max(np.abs(mean - limit)) < 4 * spread / 10


def test_the_kernel_is_symmetric_and_positive() -> None:
    x = np.random.default_rng(1).normal(size=(12, 3))
    weights = draw_two_layer(3, 50, rng=np.random.default_rng(2))
    for kernel in (tangent_kernel(x, x), empirical_tangent_kernel(x, x, weights)):
        np.testing.assert_allclose(kernel, kernel.T, atol=1e-12)
        assert np.linalg.eigvalsh(kernel).min() > 0


def test_the_change_that_fits_the_data_becomes_linear_as_the_width_grows() -> None:
    rng = np.random.default_rng(3)
    x, targets = rng.normal(size=(4, 3)), np.array([1.0, -1.0, 1.0, -1.0])
    widths, off, sizes = 4 ** np.arange(4, 8), [], []
    for width in widths:
        for _ in range(10):
            weights = draw_two_layer(3, int(width), rng=rng)
            features = tangent_features(x, weights)
            # The shortest change after which the linear model fits.
            step = np.linalg.lstsq(features, targets - two_layer(x, weights), rcond=None)[0]
            change = TwoLayerWeights(step[: 3 * width].reshape(width, 3), step[3 * width :])
            linear = linearized_two_layer(x, weights, change)
            np.testing.assert_allclose(linear, targets, atol=1e-9)
            moved = TwoLayerWeights(weights.inner + change.inner, weights.outer + change.outer)
            off.append(np.linalg.norm(two_layer(x, moved) - targets))
            sizes.append(np.linalg.norm(step))
    means = np.mean(np.reshape(off, (4, 10)), axis=1)
    assert np.polyfit(np.log(widths), np.log(means), 1)[0] == pytest.approx(-0.5, abs=0.15)
    # The change keeps its size, while the weights' own size grows with the root of the width.
    by_width = np.mean(np.reshape(sizes, (4, 10)), axis=1)
    assert by_width.max() / by_width.min() < 1.5


def test_the_smallest_network_has_one_unit_and_one_input() -> None:
    weights = draw_two_layer(1, 1, rng=np.random.default_rng(0))
    assert two_layer([[0.0]], weights) == 0
