"""Scaling laws: limits, exponents, published values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.scaling import (
    BESIROGLU,
    HOFFMANN,
    HOFFMANN_UNROUNDED,
    ScalingLaw,
    chinchilla_loss,
    exact_match,
    kaplan_loss,
    power_law,
)


@pytest.mark.equation("eq-loss-power-law")
def test_kaplans_law_of_size_as_printed() -> None:
    # Kaplan et al. 2020, equation 1.1.
    n = [85e6, 1e8, 1.5e9, 1.746e11]
    losses = power_law(n, scale=8.8e13, exponent=0.076)
    np.testing.assert_allclose(losses, [2.865, 2.830, 2.303, 1.604], atol=2e-3)


@pytest.mark.equation("eq-kaplan-joint")
@given(st.floats(1e6, 1e12))
def test_kaplans_joint_law_is_a_power_law_where_one_quantity_has_no_end(x: float) -> None:
    np.testing.assert_allclose(
        kaplan_loss(x, 1e300), power_law(x, scale=6.4e13, exponent=0.076), rtol=1e-10
    )
    np.testing.assert_allclose(
        kaplan_loss(1e300, x), power_law(x, scale=1.8e13, exponent=0.103), rtol=1e-10
    )


@pytest.mark.equation("eq-kaplan-joint")
def test_kaplans_joint_law_adds_within_the_bracket() -> None:
    for n, d in ((1e6, 1e9), (1e9, 2e10), (1e12, 1e8)):
        bracket = (6.4e13 / n) ** (0.076 / 0.103) + 1.8e13 / d
        np.testing.assert_allclose(math.log(kaplan_loss(n, d)), 0.103 * math.log(bracket))
    # Kaplan et al. 2020, section 4: 5·10³ N^0.74 tokens keep the penalty at two percent.
    sizes = np.geomspace(1e7, 1e10, 4)
    penalty = kaplan_loss(sizes, 5e3 * sizes**0.74) / kaplan_loss(sizes, 1e300) - 1
    np.testing.assert_allclose(penalty, 0.02, atol=5e-3)


def test_kaplans_data_grow_as_the_published_power_of_size() -> None:
    # Overfitting, the loss over that with endless data, stays as it is if D grows as N^0.74.
    power = 0.076 / 0.103
    assert power == pytest.approx(0.74, abs=5e-3)
    n = np.geomspace(1e7, 1e10, 4)
    d = 22e9 * (n / n[0]) ** power
    overfitting = kaplan_loss(n, d) / kaplan_loss(n, 1e300)
    np.testing.assert_allclose(overfitting, overfitting[0], rtol=1e-10)
    # "about five times the data for eight times the size"
    assert pytest.approx(4.66, abs=5e-3) == 8**0.74


@pytest.mark.equation("eq-chinchilla-loss")
@given(st.floats(1e6, 1e13), st.floats(1e6, 1e15))
def test_chinchillas_law_is_a_floor_and_two_power_laws(n: float, d: float) -> None:
    for law in (HOFFMANN, BESIROGLU):
        np.testing.assert_allclose(chinchilla_loss(1e300, 1e300, law), law.e)
        size = power_law(n, scale=law.a ** (1 / law.alpha), exponent=law.alpha)
        data = power_law(d, scale=law.b ** (1 / law.beta), exponent=law.beta)
        np.testing.assert_allclose(chinchilla_loss(n, d, law), law.e + size + data, rtol=1e-12)


def test_constants_as_printed() -> None:
    # The unrounded constants round to the printed ones, save for β, which was cut off.
    for name, digits in (("e", 2), ("a", 1), ("b", 1), ("alpha", 2)):
        assert round(getattr(HOFFMANN_UNROUNDED, name), digits) == getattr(HOFFMANN, name)
    assert math.floor(100 * HOFFMANN_UNROUNDED.beta) / 100 == HOFFMANN.beta
    # Hoffmann et al. 2022, table 2: 0.46 and 0.54. The rounded constants give 0.45 and 0.55.
    assert HOFFMANN_UNROUNDED.exponents == pytest.approx((0.46, 0.54), abs=5e-3)
    assert HOFFMANN.exponents == pytest.approx((0.4516, 0.5484), abs=5e-5)
    # Besiroglu et al. 2024: 0.513.
    assert BESIROGLU.exponents[0] == pytest.approx(0.5126, abs=5e-5)


def test_exponents_are_those_with_which_the_best_size_and_data_grow() -> None:
    law = ScalingLaw(e=1, a=2, b=3, alpha=0.2, beta=0.6)
    assert law.exponents == pytest.approx((0.75, 0.25))


@pytest.mark.equation("eq-exact-match")
def test_an_answer_is_right_if_every_token_is() -> None:
    rng = np.random.default_rng(0)
    right = np.all(rng.random((200_000, 5)) < 0.8, axis=1)
    np.testing.assert_allclose(np.mean(right), exact_match(0.8, 5), atol=3e-3)
    np.testing.assert_allclose(exact_match(0.9, [1, 2]), [0.9, 0.81])


def test_a_smooth_gain_looks_sudden_in_exact_match() -> None:
    # Accuracy from a power law of size; its logarithm is smooth in the metric and k times as steep.
    n = np.geomspace(1e7, 1e11, 5)
    p = np.exp(-power_law(n, scale=1e8, exponent=0.5))
    slopes = [np.diff(np.log(exact_match(p, k))) for k in (1, 10)]
    np.testing.assert_allclose(slopes[1], 10 * slopes[0])
    # Seen on a scale from 0 to 1, ten tokens are out of reach where one is as good as done.
    assert p[2] > 0.7
    assert exact_match(p[2], 10) < 0.05
