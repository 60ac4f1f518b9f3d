"""Floating-point formats: exact rounding by search, NumPy's formats, limits, unbiasedness."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.numerics import (
    BF16,
    E4M3,
    E5M2,
    FP16,
    FP32,
    FP64,
    TF32,
    FloatFormat,
    decode,
    encode,
    neighbors,
    round_to,
    stochastic_round,
)

F = NDArray[np.float64]

SMALL = [E4M3, E5M2, FP16, BF16]
small = pytest.mark.parametrize("format", SMALL, ids=["e4m3", "e5m2", "fp16", "bf16"])


def numbers(format: FloatFormat) -> F:
    """All finite numbers of a format, ascending, 0 once: the definition, pattern by pattern."""
    found = set()
    for field in range(2**format.exponent_bits):
        for mantissa in range(2**format.mantissa_bits):
            last = field == 2**format.exponent_bits - 1
            if last and (format.has_infinity or mantissa == 2**format.mantissa_bits - 1):
                continue
            size = math.ldexp(
                mantissa + 2**format.mantissa_bits * (field > 0),
                max(field, 1) - format.bias - format.mantissa_bits,
            )
            found |= {size, -size}
    return np.array(sorted(found))


def around(values: F) -> F:
    """Numbers, the ties between them, and the doubles next to both."""
    ties = values[:-1] + (values[1:] - values[:-1]) / 2
    middle = np.concatenate([values, ties])
    return np.concatenate([middle, np.nextafter(middle, -np.inf), np.nextafter(middle, np.inf)])


def nearest(x: float, values: F) -> set[float]:
    """Numbers nearest to x in exact arithmetic: one, or two at a tie."""
    at = int(np.searchsorted(values, x))
    near = [float(v) for v in values[max(at - 1, 0) : at + 1]]
    distances = [abs(Fraction(v) - Fraction(x)) for v in near]
    return {v for v, d in zip(near, distances, strict=True) if d == min(distances)}


def test_limits_are_the_published_ones() -> None:
    # IEEE 754 (fp16, fp32), Micikevicius et al. 2022, table 1 (fp8).
    assert FP16.max == 65504
    assert E4M3.max == 448
    assert E5M2.max == 57344
    assert (E4M3.smallest_normal, E4M3.smallest_subnormal) == (2**-6, 2**-9)
    assert (E5M2.smallest_normal, E5M2.smallest_subnormal) == (2**-14, 2**-16)


@pytest.mark.parametrize(
    ("format", "dtype"), [(FP16, np.float16), (FP32, np.float32), (FP64, np.float64)]
)
def test_properties_agree_with_numpy(format: FloatFormat, dtype: type[np.floating]) -> None:
    info = np.finfo(dtype)
    assert format.max == info.max
    assert format.epsilon == info.eps == 2 * format.unit_roundoff
    assert format.smallest_normal == info.smallest_normal
    assert format.smallest_subnormal == info.smallest_subnormal
    assert format.bits == info.bits


def test_the_widest_and_the_narrowest_format_are_allowed() -> None:
    assert FloatFormat(11, 52).max == np.finfo(np.float64).max
    narrow = FloatFormat(2, 1)  # bias 1: normal numbers begin at 2⁰, with one digit below
    assert (narrow.smallest_normal, narrow.smallest_subnormal) == (1, 0.5)


def test_bfloat16_and_tf32_share_the_range_of_single_precision() -> None:
    assert BF16.smallest_normal == TF32.smallest_normal == FP32.smallest_normal == 2.0**-126
    assert BF16.max == (2 - 2**-7) * 2.0**127
    assert TF32.epsilon == FP16.epsilon
    assert TF32.bits == 19


@small
def test_rounding_around_every_number_takes_the_nearest(format: FloatFormat) -> None:
    values = numbers(format)
    x = around(values)
    x = x[np.abs(x) <= format.max]
    rounded = round_to(x, format)
    np.testing.assert_array_equal(round_to(values, format), values)
    # Exact arithmetic for a sample, brute force for all: no number of the format is nearer.
    at = np.clip(np.searchsorted(values, x), 1, len(values) - 1)
    distance = np.minimum(np.abs(x - values[at - 1]), np.abs(values[at] - x))
    np.testing.assert_array_equal(np.abs(rounded - x), distance)
    for i in np.random.default_rng(0).integers(0, len(x), 500):
        assert float(rounded[i]) in nearest(float(x[i]), values)


@small
def test_ties_go_to_the_even_number(format: FloatFormat) -> None:
    values = numbers(format)
    ties = values[:-1] + (values[1:] - values[:-1]) / 2
    patterns = encode(round_to(ties, format), format)
    assert np.all(patterns % 2 == 0)
    tie = format.max + (format.max - values[-2]) / 2
    beyond = round_to([np.nextafter(tie, 0), tie, np.nextafter(tie, np.inf)], format)
    if format.has_infinity:  # the largest number is odd, so its tie overflows
        np.testing.assert_array_equal(beyond, [format.max, np.inf, np.inf])
    else:
        np.testing.assert_array_equal(beyond, [format.max, format.max, np.nan])


@pytest.mark.parametrize(("format", "dtype"), [(FP16, np.float16), (FP32, np.float32)])
def test_rounding_agrees_with_numpy_bit_for_bit(
    format: FloatFormat, dtype: type[np.floating]
) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=100_000) * 2.0 ** rng.integers(-170, 140, 100_000)
    values = rng.normal(size=20_000) * 2.0 ** rng.integers(-25, 13, 20_000)
    values = np.unique(values.astype(dtype).astype(float))
    x = np.concatenate([x, around(values), [np.inf, -np.inf, np.nan, 0.0, -0.0]])
    with np.errstate(over="ignore", under="ignore"):
        expected = x.astype(dtype).astype(float)
    rounded = round_to(x, format)
    np.testing.assert_array_equal(rounded, expected)
    np.testing.assert_array_equal(np.signbit(rounded), np.signbit(expected))


@given(st.floats(allow_nan=False))
def test_double_precision_holds_every_double(x: float) -> None:
    assert round_to(x, FP64) == x


@pytest.mark.equation("eq-unit-roundoff")
@given(st.floats(-1e5, 1e5), st.sampled_from([*SMALL, TF32, FP32]))
def test_the_relative_error_is_at_most_the_unit_roundoff(x: float, format: FloatFormat) -> None:
    rounded = float(round_to(x, format))
    if abs(x) < format.smallest_normal:
        assert abs(rounded - x) <= format.smallest_subnormal / 2
    elif abs(x) <= format.max:
        assert abs(rounded - x) <= format.unit_roundoff * abs(x)


@given(st.floats(-1e5, 1e5), st.floats(-1e5, 1e5), st.sampled_from([FP16, BF16, TF32]))
def test_rounding_is_monotone_and_odd(x: float, y: float, format: FloatFormat) -> None:
    low, high = round_to(sorted([x, y]), format)
    assert low <= high
    assert round_to(-x, format) == -round_to(x, format)


def test_rounding_twice_can_miss_the_nearest() -> None:
    x = 1 + 2**-8 + 2**-40  # just above a tie of bfloat16, and single precision drops the rest
    assert round_to(x, BF16) == 1 + 2**-7
    assert round_to(round_to(x, FP32), BF16) == 1


@pytest.mark.equation("eq-float-value")
@small
def test_patterns_are_read_as_defined_and_written_back(format: FloatFormat) -> None:
    patterns = np.arange(2**format.bits)
    values = decode(patterns, format)
    np.testing.assert_array_equal(np.unique(values[np.isfinite(values)]), numbers(format))
    number = ~np.isnan(values)
    np.testing.assert_array_equal(encode(values[number], format), patterns[number])
    n_nan = 2 ** (format.mantissa_bits + 1) - 2 if format.has_infinity else 2
    assert np.sum(~number) == n_nan
    assert np.sum(np.isinf(values)) == 2 * format.has_infinity
    assert np.isnan(decode(encode(np.nan, format), format))


def test_patterns_of_single_precision_are_numpys() -> None:
    x = np.random.default_rng(2).normal(size=1000).astype(np.float32)
    np.testing.assert_array_equal(encode(x, FP32), x.view(np.uint32))
    np.testing.assert_array_equal(decode(x.view(np.uint32), FP32), x)


@small
def test_neighbors_are_the_next_numbers(format: FloatFormat) -> None:
    values = numbers(format)
    below, above = neighbors(values[1:-1], format)
    np.testing.assert_array_equal(below, values[:-2])
    np.testing.assert_array_equal(above, values[2:])
    beyond = neighbors(format.max, format)[1]
    assert np.isinf(beyond) if format.has_infinity else np.isnan(beyond)


def test_neighbors_of_a_number_in_single_precision_are_those_of_the_format() -> None:
    least = np.float32(2.0**-149)
    np.testing.assert_array_equal(
        neighbors(least, FP64), [np.nextafter(float(least), end) for end in (0, 1)]
    )


@pytest.mark.equation("eq-stochastic-rounding")
@small
def test_stochastic_rounding_takes_a_neighbor_and_has_the_right_mean(format: FloatFormat) -> None:
    rng = np.random.default_rng(3)
    values = numbers(format)
    values = values[np.abs(values) < 1e4]
    at = rng.integers(0, len(values) - 1, 40)
    share = rng.random(40)
    x = values[at] + share * (values[at + 1] - values[at])
    n = 20_000
    rounded = stochastic_round(np.tile(x, (n, 1)), format, rng=rng)
    assert np.all((rounded == values[at]) | (rounded == values[at + 1]))
    ups = np.mean(rounded == values[at + 1], axis=0)
    np.testing.assert_array_less(np.abs(ups - share), 5 * np.sqrt(0.25 / n))


@small
def test_stochastic_rounding_leaves_what_the_format_holds(format: FloatFormat) -> None:
    special = [np.inf, -np.inf, np.nan] if format.has_infinity else [np.nan]
    values = np.concatenate([numbers(format), special, [-0.0]])
    rounded = stochastic_round(values, format, rng=np.random.default_rng(4))
    np.testing.assert_array_equal(rounded, values)
    np.testing.assert_array_equal(np.signbit(rounded), np.signbit(values))
