"""Activations: SciPy, finite differences, autodiff, and what they do to Gaussian input."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

from primer_ref.activations import (
    erf,
    gelu,
    gelu_derivative,
    gelu_tanh,
    gelu_tanh_derivative,
    relu,
    relu_derivative,
    selu,
    selu_derivative,
    sigmoid,
    sigmoid_derivative,
    silu,
    silu_derivative,
    softplus,
    softplus_derivative,
)
from primer_ref.autodiff import grad

Function = Callable[..., Any]
X = np.linspace(-30, 30, 1002)  # 0, where some have a kink, is not among them

PAIRS = [
    (sigmoid, sigmoid_derivative),
    (softplus, softplus_derivative),
    (relu, relu_derivative),
    (gelu, gelu_derivative),
    (gelu_tanh, gelu_tanh_derivative),
    (silu, silu_derivative),
    (selu, selu_derivative),
]


def names(value: Any) -> str:
    return str(value.__name__)


def total(f: Function) -> Function:
    return lambda x: np.sum(f(x))


def gaussian_mean(f: Function) -> float:
    """Mean of a function of a standard normal variable, by quadrature on either side of 0."""

    def density(z: float) -> float:
        return float(f(np.array([z]))[0] * stats.norm.pdf(z))

    return float(
        sum(integrate.quad(density, *ends, epsabs=1e-13)[0] for ends in ((-12, 0), (0, 12)))
    )


@pytest.mark.equation("eq-relu")
@pytest.mark.equation("eq-gelu")
@pytest.mark.equation("eq-silu")
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (sigmoid, special.expit),
        (softplus, lambda x: special.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)),
        (relu, lambda x: np.maximum(x, 0)),
        (erf, special.erf),
        (gelu, lambda x: x * special.ndtr(x)),
        (silu, lambda x: x * special.expit(x)),
        (sigmoid_derivative, lambda x: special.expit(x) * special.expit(-x)),
        (gelu_derivative, lambda x: special.ndtr(x) + x * stats.norm.pdf(x)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_values_agree_with_scipy(ours: Function, theirs: Function) -> None:
    np.testing.assert_allclose(ours(X), theirs(X), rtol=4e-15, atol=1e-15)


def test_erf_is_scipys_to_the_last_digit_near_zero_and_in_any_shape() -> None:
    x = np.array([[1e-300, -1e-8, 0.0], [np.inf, -np.inf, np.nan]])
    np.testing.assert_allclose(erf(x), special.erf(x), rtol=1e-15)
    assert erf(0.5).shape == ()
    assert math.isclose(erf(0.5), special.erf(0.5), rel_tol=1e-15)


@pytest.mark.equation("eq-gelu-derivative")
@pytest.mark.equation("eq-silu-derivative")
@pytest.mark.parametrize(("f", "derivative"), PAIRS, ids=names)
def test_derivatives_are_what_finite_differences_and_autodiff_give(
    f: Function, derivative: Function
) -> None:
    h = 1e-5
    slope = (f(X + h) - f(X - h)) / (2 * h)
    np.testing.assert_allclose(derivative(X), slope, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(grad(total(f))(X), derivative(X), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("f", [sigmoid, softplus, gelu, gelu_tanh, silu], ids=names)
def test_second_derivatives_are_right_at_zero_too(f: Function) -> None:
    x, h = np.array([-1.5, 0.0, 0.7]), 1e-4
    curvature = (f(x + h) - 2 * f(x) + f(x - h)) / h**2
    np.testing.assert_allclose(grad(total(grad(total(f))))(x), curvature, atol=1e-6)


def test_kinks_have_the_slope_that_is_stated() -> None:
    zero = np.zeros(1)
    assert relu_derivative(zero) == grad(total(relu))(zero) == 0
    assert selu_derivative(zero) == selu_derivative([-1e-300]) == pytest.approx(1.7581, abs=5e-5)
    assert grad(total(selu))(zero) == pytest.approx(selu_derivative(zero))


def test_nothing_overflows() -> None:
    far = np.array([-1e308, 1e308])
    for f in (relu, silu, softplus):
        assert f(far).tolist() == [0, 1e308]
        assert f(np.array([-3e38, 3e38], np.float32)).tolist() == [0, np.float32(3e38)]
    assert sigmoid(far).tolist() == [0, 1]
    assert selu(far)[0] == pytest.approx(-1.7581, abs=5e-5)
    assert selu_derivative(far).tolist() == [0, selu(1.0)]
    assert sigmoid_derivative([700.0, -700.0]) == pytest.approx(math.exp(-700), rel=1e-12)


@pytest.mark.equation("eq-activation-reflection")
def test_identities_under_a_change_of_sign() -> None:
    x = np.linspace(0, 5, 100_001)
    for f in (silu, gelu, gelu_tanh, relu, softplus):
        np.testing.assert_allclose(f(x) - f(-x), x, atol=1e-14)
    np.testing.assert_allclose(sigmoid(x) + sigmoid(-x), 1)


@pytest.mark.parametrize(
    ("f", "stated"),
    [(silu, -0.2785), (gelu, -0.1700), (gelu_derivative, -0.1289), (silu_derivative, -0.0998)],
)
def test_the_least_value_is_as_stated(f: Function, stated: float) -> None:
    least = optimize.minimize_scalar(lambda x: float(f(x)), bounds=(-5, 0), method="bounded").fun
    assert least == pytest.approx(stated, abs=5e-5)
    if f in (gelu_derivative, silu_derivative):  # f'(x) + f'(−x) = 1
        most = -optimize.minimize_scalar(
            lambda x: -float(f(x)), bounds=(0, 5), method="bounded"
        ).fun
        assert most == pytest.approx(1 - stated, abs=5e-5)


@pytest.mark.equation("eq-gelu-tanh")
def test_the_largest_gap_between_the_two_gelus_is_as_stated() -> None:
    found = optimize.minimize_scalar(
        lambda x: -abs(float(gelu(x) - gelu_tanh(x))), bounds=(2, 3.5), method="bounded"
    )
    assert -found.fun == pytest.approx(4.74e-4, abs=1e-6)
    assert found.x == pytest.approx(2.70, abs=0.005)
    x = np.linspace(-10, 10, 200_001)
    assert np.max(np.abs(gelu(x) - gelu_tanh(x))) <= -found.fun * (1 + 1e-9)


@pytest.mark.equation("eq-gelu-moments")
def test_moments_of_gelu_under_gaussian_input() -> None:
    mean = gaussian_mean(gelu)
    mean_square = gaussian_mean(lambda z: gelu(z) ** 2)
    assert mean == pytest.approx(1 / (2 * math.sqrt(math.pi)), abs=1e-12)
    assert mean_square == pytest.approx(1 / 3 + 1 / (2 * math.pi * math.sqrt(3)), abs=1e-12)


@pytest.mark.equation("eq-relu-scale")
def test_relu_keeps_half_the_mean_square_and_so_a_layer_of_doubled_variance_keeps_it() -> None:
    assert gaussian_mean(lambda z: relu(z) ** 2) == pytest.approx(1 / 2, abs=1e-12)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 400))
    before = np.mean(x**2)
    for _ in range(3):
        x = relu(x) @ rng.normal(scale=math.sqrt(2 / 400), size=(400, 400))
    assert np.mean(x**2) == pytest.approx(before, rel=0.1)


@pytest.mark.equation("eq-selu")
def test_selu_keeps_mean_zero_and_variance_one() -> None:
    assert gaussian_mean(selu) == pytest.approx(0, abs=1e-12)
    assert gaussian_mean(lambda z: selu(z) ** 2) == pytest.approx(1, abs=1e-12)
    # The constants that Klambauer et al. print.
    assert selu(1.0) == pytest.approx(1.0507009873554805, abs=1e-15)
    assert -selu(-np.inf) / selu(1.0) == pytest.approx(1.6732632423543772, abs=1e-15)


def test_precision_is_kept() -> None:
    x = np.linspace(-2, 2, 5, dtype=np.float32)
    for f in (erf, *(f for pair in PAIRS for f in pair)):
        assert f(x).dtype == grad(total(f))(x).dtype == np.float32
        assert f([1, 2]).dtype == np.float64


def test_softplus_is_the_loss_of_a_logistic_prediction() -> None:
    np.testing.assert_allclose(softplus(-X), -special.log_expit(X), rtol=1e-14)
