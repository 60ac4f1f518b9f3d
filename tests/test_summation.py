"""Sums in low precision: exact sums as oracle, bounds as inequalities, and how errors grow."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.numerics import BF16, E4M3, E5M2, FP16, FP32, FP64, FloatFormat, round_to
from primer_ref.summation import (
    compensated_sum,
    compensated_sum_bound,
    kahan_sum,
    naive_sum,
    naive_sum_bound,
    pairwise_sum,
    pairwise_sum_bound,
)

F = NDArray[np.float64]
Sum = Callable[[F, FloatFormat], F]

SUMS: list[tuple[Sum, Sum]] = [
    (naive_sum, naive_sum_bound),
    (pairwise_sum, pairwise_sum_bound),
    (compensated_sum, compensated_sum_bound),
]
formats = st.sampled_from([BF16, FP16, FP32, FP64])


def exact(x: F) -> F:
    return np.array([math.fsum(row) for row in x])


def terms(seed: int, format: FloatFormat, *shape: int) -> F:
    rng = np.random.default_rng(seed)
    return round_to(rng.normal(size=shape) * 2.0 ** rng.integers(-4, 4, shape), format)


@pytest.mark.equation("eq-naive-bound")
@pytest.mark.equation("eq-pairwise-bound")
@pytest.mark.equation("eq-compensated-bound")
@pytest.mark.parametrize(("add", "bound"), SUMS)
@given(seed=st.integers(0, 2**32 - 1), format=formats, n=st.integers(1, 60))
def test_no_error_exceeds_its_bound(
    add: Sum, bound: Sum, seed: int, format: FloatFormat, n: int
) -> None:
    x = terms(seed, format, 8, n)
    assert np.all(np.abs(add(x, format) - exact(x)) <= bound(x, format))


@pytest.mark.equation("eq-naive-bound")
@pytest.mark.equation("eq-pairwise-bound")
@pytest.mark.equation("eq-compensated-bound")
def test_bounds_follow_their_formulas() -> None:
    # γ is 1 where the roundings, of u = 1/256 each, add up to 1/2.
    np.testing.assert_allclose(naive_sum_bound(np.ones(129), BF16), 129)
    narrow = FloatFormat(8, 1)  # u = 1/4, and two levels
    np.testing.assert_allclose(pairwise_sum_bound(np.ones(4), narrow), 4)
    np.testing.assert_allclose(compensated_sum_bound(np.ones(129), BF16), 129 / 256 + 129)


@pytest.mark.parametrize("bound", [bound for _, bound in SUMS])
def test_the_bound_of_a_row_does_not_see_other_rows(bound: Sum) -> None:
    x = terms(4, BF16, 3, 10)
    np.testing.assert_allclose(bound(x, BF16), [bound(row, BF16) for row in x], rtol=1e-15)


@pytest.mark.parametrize("add", [naive_sum, pairwise_sum, compensated_sum, kahan_sum])
def test_terms_in_single_precision_are_added_in_that_of_the_format(add: Sum) -> None:
    assert add(np.array([1, 2.0**-40], np.float32), FP64) == 1 + 2.0**-40


@pytest.mark.equation("eq-kahan-sum")
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 40))
def test_kahans_error_stays_within_two_roundings_of_the_terms(seed: int, n: int) -> None:
    x = terms(seed, FP32, 8, n)
    limit = (2 + 8 * n * FP32.unit_roundoff) * FP32.unit_roundoff * np.abs(x).sum(axis=-1)
    assert np.all(np.abs(kahan_sum(x, FP32) - exact(x)) <= limit)


@pytest.mark.equation("eq-naive-sum")
@pytest.mark.parametrize(("format", "dtype"), [(FP16, np.float16), (FP32, np.float32)])
def test_the_naive_sum_is_numpys_running_sum_bit_for_bit(
    format: FloatFormat, dtype: type[np.floating]
) -> None:
    x = terms(1, format, 20, 300)
    running = np.add.accumulate(x.astype(dtype), axis=-1, dtype=dtype)[:, -1]
    np.testing.assert_array_equal(naive_sum(x, format), running)


@pytest.mark.equation("eq-pairwise-sum")
@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 13])
def test_the_pairwise_sum_is_that_of_numpy_on_a_tree(n: int) -> None:
    x = terms(2, FP16, 50, n)
    level = list(x.T.astype(np.float16))
    while len(level) > 1:
        level += [np.zeros(50, np.float16)] * (len(level) % 2)
        level = [a + b for a, b in zip(level[::2], level[1::2], strict=True)]
    np.testing.assert_array_equal(pairwise_sum(x, FP16), level[0])


def test_the_worst_case_of_the_naive_sum_grows_with_n_and_reaches_its_bound() -> None:
    for n in (10, 100, 1000):
        x = np.full(n, FP32.unit_roundoff)
        x[0] = 1.0  # every later term is exactly half a gap, and the tie goes to 1
        error = exact(x[None])[0] - naive_sum(x, FP32)
        assert error == (n - 1) * FP32.unit_roundoff
        np.testing.assert_allclose(error / naive_sum_bound(x, FP32), 1, rtol=3e-4)


def slope(add: Sum, sizes: list[int]) -> float:
    """Exponent with which the root mean square relative error grows in the number of terms."""
    rng = np.random.default_rng(3)
    errors = []
    for n in sizes:
        x = round_to(rng.random((100, n)), FP32)
        total = exact(x)
        errors.append(np.sqrt(np.mean((add(x, FP32) / total - 1) ** 2)))
    return float(np.polyfit(np.log(sizes), np.log(errors), 1)[0])


def test_relative_errors_of_positive_terms_grow_at_the_rates_of_theory() -> None:
    sizes = [64, 256, 1024, 4096]
    # Naive: n roundings of random sign, each in proportion to the sum so far.
    assert 0.4 < slope(naive_sum, sizes) < 0.6
    assert -0.05 < slope(pairwise_sum, sizes) < 0.15
    assert -0.1 < slope(compensated_sum, sizes) < 0.1


def test_a_carry_cures_stagnation_where_apart_the_losses_stagnate_too() -> None:
    ones = np.ones(3000)
    assert naive_sum(ones, BF16) == 256
    assert kahan_sum(ones, BF16) == round_to(3000, BF16)
    assert compensated_sum(ones[:500], BF16) == 500
    assert compensated_sum(ones, BF16) == 512  # the sum has stopped at 256, and so have the losses


@pytest.mark.equation("eq-kahan-sum")
@pytest.mark.parametrize("format", [E5M2, E4M3])
def test_the_carry_stagnates_at_one_over_the_square_of_the_unit_roundoff(
    format: FloatFormat,
) -> None:
    limit = round(format.unit_roundoff**-2)
    assert kahan_sum(np.ones(limit), format) == limit
    assert kahan_sum(np.ones(5 * limit), format) == limit


@pytest.mark.equation("eq-compensated-sum")
@pytest.mark.equation("eq-kahan-sum")
def test_kahans_error_is_two_roundings_only_while_terms_are_fewer_than_1_over_u() -> None:
    u = BF16.unit_roundoff
    lost = float(round_to(0.9 * u**2, BF16))  # too small for the carry behind a sum of 1
    for share in (0.1, 10):
        n = round(share / u)
        assert kahan_sum(np.append(1, np.full(n, lost)), BF16) == 1
        error, total = n * lost, 1 + n * lost
        assert (error <= 2 * u * total) == (share < 1)
        assert error <= (2 * u + n * u**2) * total


@pytest.mark.equation("eq-kahan-sum")
def test_a_term_larger_than_the_sum_defeats_kahan_but_not_neumaier() -> None:
    x = np.array([1.0, 2.0**60, 1.0, -(2.0**60)])
    assert kahan_sum(x, FP32) == 0
    assert compensated_sum(x, FP32) == 2


def test_the_order_of_a_sum_changes_it() -> None:
    x = round_to([1.0, 2.0**-8, 2.0**-8], BF16)
    assert naive_sum(x, BF16) == 1
    assert naive_sum(x[::-1], BF16) == 1 + 2**-7
    orders = {float(naive_sum(np.random.default_rng(s).permutation(x), BF16)) for s in range(9)}
    assert orders == {1.0, 1 + 2**-7}


def test_bounds_without_meaning_are_infinite() -> None:
    assert naive_sum_bound(np.ones(257), BF16) == math.inf
    assert np.isfinite(naive_sum_bound(np.ones(256), BF16))
    assert np.isfinite(pairwise_sum_bound(np.ones(257), BF16))


def test_what_is_not_a_number_stays_so() -> None:
    for add in (naive_sum, pairwise_sum, kahan_sum, compensated_sum):
        assert np.isnan(add([1.0, np.nan], FP16))
