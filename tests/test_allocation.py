"""Splitting a budget: against a numerical minimum, and the published tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from primer_ref.allocation import (
    compute_for_loss,
    compute_optimal,
    compute_overhead,
    isoflop_minimum,
    optimal_parameters,
    optimal_tokens,
)
from primer_ref.scaling import (
    BESIROGLU,
    HOFFMANN,
    HOFFMANN_UNROUNDED,
    ScalingLaw,
    chinchilla_loss,
)

DE_VRIES = ScalingLaw(e=1.69, a=406.4, b=410.7, alpha=0.336, beta=0.283)

exponents = st.floats(0.15, 0.8)
laws = st.builds(
    ScalingLaw,
    e=st.floats(0, 2),
    a=st.floats(1, 1e4),
    b=st.floats(1, 1e4),
    alpha=exponents,
    beta=exponents,
)


def best_by_search(flops: float, law: ScalingLaw) -> float:
    """Minimize over the logarithm of the size."""
    found = optimize.minimize_scalar(
        lambda x: float(chinchilla_loss(np.exp(x), flops / (6 * np.exp(x)), law)) - law.e,
        bounds=(-60, 110),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return float(np.exp(found.x))


@pytest.mark.equation("eq-compute-optimal")
@pytest.mark.equation("eq-equal-gain")
@given(laws, st.floats(1e15, 1e27))
def test_the_closed_form_is_the_minimum(law: ScalingLaw, flops: float) -> None:
    best = compute_optimal(flops, law)
    np.testing.assert_allclose(6 * best.n_parameters * best.n_tokens, flops, rtol=1e-10)
    np.testing.assert_allclose(best.n_parameters, best_by_search(flops, law), rtol=1e-3)
    # There another percent of either buys as much.
    size, data = law.a / best.n_parameters**law.alpha, law.b / best.n_tokens**law.beta
    np.testing.assert_allclose(law.alpha * size, law.beta * data, rtol=1e-10)
    np.testing.assert_allclose(best.loss, law.e + size + data, rtol=1e-12)


@pytest.mark.equation("eq-optimal-tokens")
@pytest.mark.equation("eq-compute-frontier")
@given(laws, st.floats(1e15, 1e27))
def test_each_of_size_data_compute_and_loss_gives_the_others(law: ScalingLaw, flops: float) -> None:
    best = compute_optimal(flops, law)
    np.testing.assert_allclose(optimal_tokens(best.n_parameters, law), best.n_tokens, rtol=1e-9)
    np.testing.assert_allclose(optimal_parameters(best.n_tokens, law), best.n_parameters, rtol=1e-9)
    law = ScalingLaw(e=0, a=law.a, b=law.b, alpha=law.alpha, beta=law.beta)
    loss = compute_optimal(flops, law).loss
    np.testing.assert_allclose(compute_for_loss(loss, law), flops, rtol=1e-8)


def test_best_sizes_and_data_are_power_laws_of_compute() -> None:
    flops = np.geomspace(1e18, 1e26, 5)
    best = compute_optimal(flops, BESIROGLU)
    for values, power in zip((best.n_parameters, best.n_tokens), BESIROGLU.exponents, strict=True):
        slope = np.diff(np.log(values)) / np.diff(np.log(flops))
        np.testing.assert_allclose(slope, power, rtol=1e-10)


def test_optima_as_printed() -> None:
    # Hoffmann et al. 2022, section 3.3: 40 B parameters for Gopher's budget. This takes the
    # constants before rounding; the rounded ones give 32 B.
    gopher = compute_optimal(5.76e23, HOFFMANN_UNROUNDED).n_parameters
    np.testing.assert_allclose(gopher, 40e9, rtol=0.015)
    np.testing.assert_allclose(compute_optimal(5.76e23, HOFFMANN).n_parameters, 32e9, rtol=0.015)
    # Besiroglu et al. 2024: about 20 tokens a parameter at Chinchilla's budget.
    best = compute_optimal(5.88e23, BESIROGLU)
    np.testing.assert_allclose(best.n_tokens / best.n_parameters, 18.38, atol=6e-3)


def test_the_printed_table_of_tokens_follows_from_other_constants_than_the_printed() -> None:
    # Hoffmann et al. 2022, table A3: tokens for which a size is the best.
    n, printed = [0.4e9, 1e9, 67e9], [9.2e9, 27.1e9, 4.1e12]
    ours = optimal_tokens(n, HOFFMANN)
    np.testing.assert_allclose(ours, [14.472e9, 44.030e9, 7.2632e12], rtol=1e-4)
    assert np.all(ours / printed > 1.5)
    np.testing.assert_allclose(
        optimal_tokens(n, HOFFMANN_UNROUNDED), [9.79e9, 29.1e9, 4.35e12], rtol=2e-3
    )
    # de Vries 2023 searched for exponents that give the table.
    n, printed = [*n, 10e9], [*printed, 410.1e9]
    np.testing.assert_allclose(optimal_tokens(n, DE_VRIES), printed, rtol=0.031)


def test_overhead_as_printed() -> None:
    # de Vries 2023, with digits cut off: 2.8, 20 and 188 % for 75 %, 50 % and 25 % of the size.
    overhead = 100 * compute_overhead([0.75, 0.5, 0.25], DE_VRIES)
    np.testing.assert_allclose(overhead, [2.846, 20.78, 188.9], rtol=1e-3)
    np.testing.assert_array_equal(np.floor([10, 1, 1] * overhead), [28, 20, 188])


@pytest.mark.equation("eq-compute-overhead")
@given(laws, st.floats(1e18, 1e26), st.floats(0.5, 5))
def test_the_overhead_buys_the_best_loss_at_another_size(
    law: ScalingLaw, flops: float, factor: float
) -> None:
    best, overhead = compute_optimal(flops, law), compute_overhead(factor, law)
    n = factor * best.n_parameters
    if np.isinf(overhead):
        assert chinchilla_loss(n, 1e300, law) >= best.loss * (1 - 1e-12)
    else:
        d = flops * (1 + overhead) / (6 * n)
        np.testing.assert_allclose(chinchilla_loss(n, d, law), best.loss, rtol=1e-9)
        assert overhead >= -1e-12
    assert compute_overhead(1, law) == 0


def test_a_parabola_finds_the_best_size_the_better_the_closer_the_sizes() -> None:
    best = compute_optimal(1e21, HOFFMANN)
    off = []
    for spread in (4, 2):
        n = best.n_parameters * np.geomspace(1 / spread, spread, 7)
        found, loss = isoflop_minimum(n, chinchilla_loss(n, 1e21 / (6 * n), HOFFMANN))
        off.append(abs(np.log(found / best.n_parameters)))
        assert loss == pytest.approx(float(best.loss), rel=2e-3)
    # The bias is of third order in the loss, so of second order in the spread.
    assert off[0] / off[1] == pytest.approx((np.log(4) / np.log(2)) ** 2, rel=0.1)
    # A true parabola gives its lowest point exactly.
    x = np.log([1e8, 3e8, 1e9, 5e9])
    found, loss = isoflop_minimum(np.exp(x), 2 + 0.1 * (x - 20) ** 2)
    assert (np.log(found), loss) == pytest.approx((20, 2))


def test_approach_2_as_nanogpt_fits_it() -> None:
    # Hoffmann et al. 2022, table A3, approach 2; the regression is Karpathy's.
    n = np.array([0.4e9, 1e9, 10e9, 67e9, 175e9, 280e9, 520e9, 1e12, 10e12])
    d = np.array([7.7e9, 20e9, 219.5e9, 1.7e12, 4.3e12, 7.1e12, 13.4e12, 26.5e12, 292e12])
    slope, level = np.polyfit(np.log10(n), np.log10(d), 1)
    assert (slope, level) == pytest.approx((1.0409573169995892, 0.9353887152390791), rel=1e-6)
    # As printed, the law that best goes through these rows has size and data grow alike.
    assert ScalingLaw(e=0, a=1, b=1, alpha=slope, beta=1).exponents == pytest.approx(
        (0.49, 0.51), abs=5e-3
    )
