"""The fit: SciPy's optimizer, exact recovery, outliers, and intervals against fresh samples."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, special

from primer_ref.scaling import BESIROGLU, HOFFMANN, ScalingLaw, chinchilla_loss
from primer_ref.scaling_fit import bootstrap_scaling_laws, fit_scaling_law, huber_loss

F = NDArray[np.float64]


def runs(seed: int, law: ScalingLaw, noise: float, count: int = 120) -> tuple[F, F, Any]:
    """Draw runs in the range of those of Hoffmann et al."""
    rng = np.random.default_rng(seed)
    n = np.exp(rng.uniform(np.log(6e7), np.log(1.6e10), count))
    d = np.exp(rng.uniform(np.log(1e9), np.log(3e11), count))
    return n, d, chinchilla_loss(n, d, law) * np.exp(rng.normal(0, noise, count))


def as_array(law: ScalingLaw) -> F:
    return np.array([law.a, law.b, law.e, law.alpha, law.beta])


def objective_by_scipy(law: F, n: F, d: F, losses: F, delta: float = 1e-3) -> float:
    a, b, e, alpha, beta = law
    predicted = special.logsumexp(
        np.stack([a - alpha * np.log(n), b - beta * np.log(d), np.full_like(n, e)]), axis=0
    )
    return float(np.sum(special.huber(delta, predicted - np.log(losses))))


@pytest.mark.equation("eq-huber")
@given(st.floats(-5, 5), st.floats(0.01, 3))
def test_huber_loss_agrees_with_scipy(r: float, delta: float) -> None:
    ours, theirs = huber_loss(r, delta=delta), special.huber(delta, r)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("law", [HOFFMANN, BESIROGLU])
def test_runs_without_noise_give_their_law(law: ScalingLaw) -> None:
    fit = fit_scaling_law(*runs(0, law, 0.0))
    np.testing.assert_allclose(as_array(fit.law), as_array(law), rtol=1e-6)
    assert fit.objective < 1e-20


def by_simplex(*data: F) -> float:
    """Minimize by SciPy's simplex, which needs no slopes and so minds no kinks, from the truth."""
    start = np.array([np.log(482.01), np.log(2085.43), np.log(1.8172), 0.3478, 0.3658])
    limits = {"maxiter": 20_000, "maxfev": 20_000, "xatol": 1e-10, "fatol": 1e-16}
    found = optimize.minimize(
        objective_by_scipy,
        start,
        args=data,
        method="Nelder-Mead",
        options={"adaptive": True, **limits},
    )
    return float(found.fun)


@pytest.mark.equation("eq-scaling-objective")
def test_the_fit_is_at_least_as_good_as_scipys_and_its_value_is_its_own() -> None:
    data = runs(1, BESIROGLU, 0.01)
    fit = fit_scaling_law(*data)
    logs = as_array(fit.law)
    logs[:3] = np.log(logs[:3])
    assert fit.objective == pytest.approx(objective_by_scipy(logs, *data), rel=1e-10)
    theirs = by_simplex(*data)
    assert fit.objective <= theirs * (1 + 1e-9)
    assert theirs <= fit.objective * 1.01


def test_of_several_minima_the_best_is_kept() -> None:
    # Ten runs with much noise: the starts end at values that are up to 2.3 times as large.
    data = runs(0, BESIROGLU, 0.2, count=10)
    assert fit_scaling_law(*data).objective <= by_simplex(*data) * (1 + 1e-6)


def test_the_fit_is_a_minimum_in_every_direction() -> None:
    data = runs(2, HOFFMANN, 0.01)
    fit = fit_scaling_law(*data)
    logs = as_array(fit.law)
    logs[:3] = np.log(logs[:3])
    for direction in np.random.default_rng(0).normal(size=(50, 5)):
        for step in (1e-6, 1e-4, 1e-2):
            assert objective_by_scipy(logs + step * direction, *data) >= fit.objective - 1e-15


def test_units_of_size_and_data_change_the_scales_alone() -> None:
    n, d, losses = runs(3, BESIROGLU, 0.01)
    one, other = fit_scaling_law(n, d, losses).law, fit_scaling_law(n / 1e6, d / 1e9, losses).law
    expected = [one.a / 1e6**one.alpha, one.b / 1e9**one.beta, one.e, one.alpha, one.beta]
    np.testing.assert_allclose(as_array(other), expected, rtol=1e-5)


def test_failed_runs_have_little_say() -> None:
    n, d, losses = runs(4, BESIROGLU, 0.003)
    failed = losses.copy()
    failed[:6] *= 1.5
    clean, robust = (as_array(fit_scaling_law(n, d, x).law) for x in (losses, failed))
    # A wide loss is least squares.
    squares = as_array(fit_scaling_law(n, d, failed, delta=10.0).law)
    assert abs(robust[2] - clean[2]) < 0.02
    assert abs(squares[2] - clean[2]) > 0.1


def test_bootstrap_spreads_as_the_theory_of_least_squares_says() -> None:
    # With a wide loss and little noise the fit is linear: standard errors are known.
    n, d, losses = runs(9, BESIROGLU, 0.003)
    laws = bootstrap_scaling_laws(
        n, d, losses, n_samples=60, rng=np.random.default_rng(0), delta=10.0
    )
    law = fit_scaling_law(n, d, losses, delta=10.0).law
    size, data = law.a / n**law.alpha, law.b / d**law.beta
    slopes = np.stack([size, data, np.full(len(n), law.e), -size * np.log(n), -data * np.log(d)])
    slopes = slopes / chinchilla_loss(n, d, law)
    errors = 0.003 * np.sqrt(np.diag(np.linalg.inv(slopes @ slopes.T)))
    spread = np.std([[np.log(x.e), x.alpha, x.beta] for x in laws], axis=0)
    np.testing.assert_allclose(spread, errors[2:], rtol=0.25)
    # The truth is where it belongs in 95 of 100 cases; this is one.
    low, high = np.quantile([as_array(law)[2:] for law in laws], [0.025, 0.975], axis=0)
    truth = as_array(BESIROGLU)[2:]
    assert np.all((low < truth) & (truth < high))


def test_bootstrap_follows_its_generator() -> None:
    data = runs(5, BESIROGLU, 0.01, count=40)
    draws = [
        bootstrap_scaling_laws(*data, n_samples=2, rng=np.random.default_rng(seed))
        for seed in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]
