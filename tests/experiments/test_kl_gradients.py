"""Estimators of a divergence measured: values against closed forms, gradients against targets."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from experiments import kl_gradients, record
from primer_ref.functional import log_softmax, softmax

ESTIMATORS = ("k1", "k2", "k3")
RIGHT = {"k1": "zero", "k2": "reverse", "k3": "forward"}


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("kl_gradients")


def closed_form(name: str, shift: float) -> tuple[float, float]:
    """Relative bias and deviation: −ℓ is N(μ²/2, μ²), and e^ℓ has variance e^μ² − 1."""
    true, m = shift**2 / 2, shift**2
    bias = {"k1": 0.0, "k2": m / 4, "k3": 0.0}[name]
    variance = {"k1": m, "k2": (2 * m**2 + m**3) / 4, "k3": math.expm1(m) - m}[name]
    return bias, math.sqrt(variance) / true


@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_gaussian_moments_are_those_of_the_closed_forms(
    stored: dict[str, Any], name: str
) -> None:
    found = stored["gaussian"]["estimators"][name]
    for number, shift in enumerate(stored["gaussian"]["shifts"]):
        bias, deviation = closed_form(name, shift)
        assert found["bias"][number] == pytest.approx(bias, rel=1e-5, abs=1e-8)
        assert found["deviation"][number] == pytest.approx(deviation, rel=1e-5)
        true = shift**2 / 2
        mean, spread = kl_gradients.gaussian_moments(kl_gradients.ESTIMATORS[name], shift)
        assert (mean - true) / true == pytest.approx(bias, abs=1e-8)
        assert spread / true == pytest.approx(deviation, rel=1e-8)


def test_k1_is_better_than_k3_beyond_the_crossover(stored: dict[str, Any]) -> None:
    """The deviations are equal where e^x = 1 + 2x, with x = μ² twice the divergence."""
    x = optimize.brentq(lambda x: math.expm1(x) - 2 * x, 0.5, 2)
    assert stored["gaussian"]["crossover"] == pytest.approx(x / 2, abs=1e-5)
    assert kl_gradients.crossover() == pytest.approx(x / 2, abs=1e-7)


def test_samples_agree_with_the_exact_biases(stored: dict[str, Any]) -> None:
    """Standard errors are taken from the exact deviation: a sample's own is too small for k3."""
    root = math.sqrt(stored["samples"])
    for found in stored["gaussian"]["estimators"].values():
        errors = np.subtract(found["sampled_bias"], found["bias"]) * root / found["deviation"]
        assert np.all(np.abs(errors) < 3.5)


def test_a_sample_makes_k3_look_better_than_it_is(stored: dict[str, Any]) -> None:
    """The rare samples that carry its variance are not drawn."""
    k3 = stored["gaussian"]["estimators"]["k3"]
    far = [n for n, shift in enumerate(stored["gaussian"]["shifts"]) if shift >= 2]
    assert all(k3["sampled_deviation"][n] < k3["deviation"][n] for n in far)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_each_estimator_has_the_gradient_of_the_table_and_no_other(
    stored: dict[str, Any], name: str
) -> None:
    found, n_laws = stored["listed"]["estimators"][name], len(stored["listed"]["scales"])
    limit = stats.chi2.isf(0.01 / (3 * n_laws), stored["listed"]["freedom"])
    for target in ("zero", "reverse", "forward"):
        exact, chi = np.array(found[f"to_{target}"]), np.array(found[f"chi_{target}"])
        if target == RIGHT[name]:
            assert np.all(exact < 1e-12)
            assert np.all(chi < limit)
        else:
            assert np.all(exact > 1e-4)
            assert np.all(chi > 2 * limit)


def test_mean_gradients_by_finite_differences() -> None:
    """Gradients of the divergences and of single estimates, by moving one logit."""
    log_reference, direction = kl_gradients.world(5)
    logits, h = log_reference + direction, 1e-6

    def difference(f: Any) -> Any:
        steps = h * np.eye(5)
        return np.array([(f(logits + step) - f(logits - step)) / (2 * h) for step in steps]).T

    reverse, forward = kl_gradients.divergence_gradients(logits, log_reference)
    p0 = np.exp(log_reference)
    by_hand = difference(lambda z: np.sum(softmax(z) * (log_softmax(z) - log_reference)))
    np.testing.assert_allclose(reverse, by_hand, atol=1e-8)
    np.testing.assert_allclose(forward, softmax(logits) - p0, atol=1e-12)
    for estimator in kl_gradients.ESTIMATORS.values():
        rows = kl_gradients.answer_gradients(estimator, logits, log_reference)
        by_hand = difference(lambda z, k=estimator: k(log_softmax(z), log_reference))
        np.testing.assert_allclose(rows, by_hand, atol=1e-7)


def test_the_statistic_is_hotellings() -> None:
    """In one dimension it is the square of Student's t."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=50)
    squared, t = kl_gradients.hotelling(values[:, None], np.ones(50), np.array([0.3]))
    expected = stats.ttest_1samp(values, 0.3).statistic
    assert squared == pytest.approx(expected**2)
    assert t == pytest.approx(abs(expected))


def test_a_forward_penalty_has_its_own_best_policy() -> None:
    """Found by SciPy over logits, without the formula."""
    log_reference, direction = kl_gradients.world(6)
    p0, rewards, beta = np.exp(log_reference), direction, 0.4

    def loss(z: Any) -> float:
        return float(-softmax(z) @ rewards - beta * p0 @ log_softmax(z))

    best = optimize.minimize(loss, log_reference, options={"gtol": 1e-9})
    ours = kl_gradients.forward_best(p0, rewards, beta)
    np.testing.assert_allclose(ours, softmax(best.x), atol=1e-5)


def test_where_the_gradients_lead(stored: dict[str, Any]) -> None:
    ends = stored["destinations"]
    assert ends["k2"]["to_gibbs"] < 1e-3
    assert ends["k1_in_reward"] == ends["k2"]  # the same gradient, written in two ways
    assert ends["k3"]["to_forward"] < 1e-6
    assert ends["k3"]["to_gibbs"] > 0.1
    # As a loss k1 does not hold the policy back at all.
    assert ends["k1"]["reward"] == pytest.approx(ends["largest_reward"], abs=1e-3)
    # The policy under k3 is dominated: below the reverse frontier's value.
    value = {
        name: ends[name]["reward"] - ends["beta"] * ends[name]["reverse"]
        for name in ends
        if name in ("gibbs", "k1", "k2", "k3")
    }
    assert value["gibbs"] >= value["k2"] > value["k3"]
    assert value["gibbs"] > value["k1"]


def test_stale_samples_turn_k1_against_the_reference(stored: dict[str, Any]) -> None:
    assert max(stored["stale"]["to_minus_forward"]) < 1e-12
    assert min(stored["stale"]["length"]) > 0.01


def test_k3_misses_exactly_the_mass_that_is_never_drawn(stored: dict[str, Any]) -> None:
    np.testing.assert_allclose(stored["support"]["k3"], np.negative(stored["support"]["missing"]))
    np.testing.assert_allclose(stored["support"]["k1"], 0, atol=1e-12)


def test_the_exact_part_comes_out_again(stored: dict[str, Any]) -> None:
    found = record.plain(
        {
            "stale": kl_gradients.measure_stale(),
            "support": kl_gradients.measure_support(),
            "listed": kl_gradients.measure_listed(stored["samples"]),
        }
    )
    for part, again in found.items():
        assert list(record.differences(stored[part], again)) == []


def test_a_short_ascent_goes_where_the_long_one_went(stored: dict[str, Any]) -> None:
    ends = kl_gradients.measure_destinations(60)
    for name in ("gibbs", "start", "forward_best"):
        assert (
            list(record.differences(stored["destinations"][name], record.plain(ends[name]))) == []
        )
    assert ends["k2"]["to_gibbs"] < 0.1 < ends["k2"]["to_forward"]
    assert ends["k3"]["to_forward"] < 0.1 < ends["k3"]["to_gibbs"]
