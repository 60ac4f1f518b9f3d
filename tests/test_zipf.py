"""Zipf's law: samples from it, the stated errors, their rate, and what least squares does."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, special, stats

from primer_ref.zipf import zipf_exponent, zipf_least_squares, zipf_mandelbrot
from tests.draws import zipf

F = NDArray[np.floating[Any]]


@pytest.mark.equation("eq-zipf-likelihood")
@given(st.lists(st.integers(1, 1000), min_size=2, max_size=40))
def test_the_exponent_maximizes_the_likelihood(counts: list[int]) -> None:
    ranks = np.arange(1, len(counts) + 1)
    n = np.array(counts)

    def loss(a: float) -> float:
        return float(n @ (a * np.log(ranks)) + n.sum() * special.logsumexp(-a * np.log(ranks)))

    best = optimize.minimize_scalar(loss, bracket=(-1, 2), tol=1e-10)
    fit = zipf_exponent(counts)
    assert loss(fit.exponent) <= best.fun + 1e-9 * abs(best.fun)
    h = 1e-3
    curvature = (loss(fit.exponent + h) - 2 * loss(fit.exponent) + loss(fit.exponent - h)) / h**2
    assert fit.standard_error == pytest.approx(curvature**-0.5, rel=1e-3)


def test_the_law_is_the_one_of_scipy() -> None:
    ranks = np.arange(1, 51)
    law = stats.zipfian.pmf(ranks, 1.3, 50)
    assert zipf_exponent(1e4 * law).exponent == pytest.approx(1.3, abs=1e-12)
    assert zipf_exponent(1e4 * law[::-1]).exponent < 0
    assert zipf_exponent([1, 10**9]).exponent == pytest.approx(-math.log2(1e9), abs=1e-5)


@pytest.mark.parametrize("n_ranks", [2, 50, 20_000])
def test_the_exponent_is_found_however_steep_the_law(n_ranks: int) -> None:
    counts = np.zeros(n_ranks)
    counts[-2:] = 1, 1e6
    log_ranks = np.log(np.arange(1, n_ranks + 1))
    for row in (counts, counts[::-1]):
        p = special.softmax(-zipf_exponent(row).exponent * log_ranks)
        assert p @ log_ranks == pytest.approx(row @ log_ranks / row.sum(), abs=1e-9)


def test_counts_in_single_precision_are_fitted_in_double() -> None:
    counts = np.array([50, 20, 11, 3, 1])
    assert zipf_exponent(counts.astype(np.float32)) == zipf_exponent(counts)


@pytest.mark.equation("eq-zipf-error")
@pytest.mark.parametrize("exponent", [0.7, 1.0, 1.4])
def test_the_exponent_is_found_within_its_stated_error_which_falls_with_the_root(
    exponent: float,
) -> None:
    rng = np.random.default_rng(0)
    spread = {}
    for n in (2_000, 32_000):
        fits = [zipf_exponent(row) for row in rng.multinomial(n, zipf(exponent, 1000), size=300)]
        z = [(fit.exponent - exponent) / fit.standard_error for fit in fits]
        assert abs(np.mean(z)) < 4 / math.sqrt(300)
        assert np.std(z) == pytest.approx(1, abs=4 / math.sqrt(600))
        spread[n] = np.std([fit.exponent for fit in fits])
    assert spread[2_000] / spread[32_000] == pytest.approx(4, rel=0.25)


def test_least_squares_is_biased_and_more_text_does_not_help() -> None:
    rng = np.random.default_rng(1)
    law = zipf(1, 10_000)
    errors = {}
    for n in (30_000, 300_000):
        samples = -np.sort(-rng.multinomial(n, law, size=20), axis=1)
        lines = np.array([zipf_least_squares(row) for row in samples]) - 1
        likely = np.array([zipf_exponent(row).exponent for row in samples]) - 1
        errors[n] = abs(np.mean(lines)), abs(np.mean(likely))
        assert errors[n][0] > 20 * np.std(lines) / math.sqrt(20)
    assert errors[300_000][0] > 0.07 < errors[30_000][0]
    assert errors[300_000][1] < 0.003 < errors[30_000][1] < 0.02


def test_least_squares_is_the_line_of_polyfit() -> None:
    counts = np.array([50, 20, 0, 11, 3, 1])
    seen = counts > 0
    line = np.polyfit(np.log(np.arange(1, 7)[seen]), np.log(counts[seen]), 1)
    assert zipf_least_squares(counts) == pytest.approx(-line[0])


def test_ranks_from_the_counts_themselves_bias_the_exponent() -> None:
    rng = np.random.default_rng(2)
    samples = -np.sort(-rng.multinomial(3_000, zipf(1, 10_000), size=20), axis=1)
    ranked = np.mean([zipf_exponent(row).exponent for row in samples])
    seen = np.mean([zipf_exponent(row[row > 0]).exponent for row in samples])
    assert ranked == pytest.approx(1.06, abs=0.01)
    assert seen == pytest.approx(0.87, abs=0.01)


@pytest.mark.parametrize(("exponent", "shift"), [(1.3, 5.0), (0.9, -0.5), (1.1, 0.0)])
def test_both_parameters_are_found_within_their_stated_errors(
    exponent: float, shift: float
) -> None:
    rng = np.random.default_rng(3)
    samples = rng.multinomial(50_000, zipf(exponent, 500, shift), size=100)
    fits = [zipf_mandelbrot(row) for row in samples]
    z = np.array(
        [
            [(f.exponent - exponent) / f.exponent_error, (f.shift - shift) / f.shift_error]
            for f in fits
        ]
    )
    np.testing.assert_array_less(np.abs(np.mean(z, axis=0)), 0.4)
    np.testing.assert_allclose(np.std(z, axis=0), 1, atol=4 / math.sqrt(200))


@pytest.mark.equation("eq-zipf-mandelbrot")
def test_mandelbrot_maximizes_the_likelihood() -> None:
    counts = np.array([900, 700, 520, 400, 330, 250, 210, 200, 160, 155])
    ranks = np.arange(1, 11)

    def loss(law: F) -> float:
        logits = -law[0] * np.log(ranks + law[1])
        return float(-counts @ (logits - special.logsumexp(logits)))

    fit = zipf_mandelbrot(counts)
    best = optimize.minimize(loss, [1.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-9})
    assert loss(np.array([fit.exponent, fit.shift])) <= best.fun + 1e-8
    np.testing.assert_allclose([fit.exponent, fit.shift], best.x, rtol=1e-3)
