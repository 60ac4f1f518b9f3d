"""Whole numbers and normal levels: error bounds, exact zeros, published levels, quantiles."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from primer_ref.quantization import (
    absmax_quantize,
    dequantize,
    nf4_dequantize,
    nf4_levels,
    nf4_quantize,
    zero_point_quantize,
)

F = NDArray[np.float64]

bits = st.integers(2, 16)
weights = arrays(float, st.integers(1, 8), elements=st.floats(-1e6, 1e6))

# Dettmers et al., appendix E.
PUBLISHED = [
    -1.0,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0.0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1.0,
]


@pytest.mark.equation("eq-absmax")
@example(np.array([5e-324]), 3)  # a third of it is no number
@given(weights, bits)
def test_absmax_is_at_most_half_a_step_off_and_symmetric(x: F, b: int) -> None:
    quantized = absmax_quantize(x, bits=b)
    assert np.max(np.abs(quantized.codes)) <= 2 ** (b - 1) - 1
    assert np.all(np.abs(dequantize(quantized) - x) <= quantized.step * (0.5 + 1e-9))
    np.testing.assert_array_equal(absmax_quantize(-x, bits=b).codes, -quantized.codes)
    share = np.max(np.abs(x)) / (2 ** (b - 1) - 1)
    assert quantized.step == (share if share > 0 else 1)


@pytest.mark.equation("eq-zero-point")
@given(weights, bits)
def test_zero_point_is_at_most_half_a_step_off_and_keeps_zero(x: F, b: int) -> None:
    quantized = zero_point_quantize(x, bits=b)
    assert np.min(quantized.codes) >= 0
    assert np.max(quantized.codes) <= 2**b - 1
    off = np.abs(dequantize(quantized) - x)
    rounding = 1e-12 * float(np.max(np.abs(x)))
    assert np.all(off <= quantized.step * (0.5 + 1e-9) + rounding)
    with_zero = zero_point_quantize([*x, 0.0], bits=b)
    assert 0 <= with_zero.zero <= 2**b - 1
    assert dequantize(with_zero)[-1] == 0


def test_half_a_step_is_reached() -> None:
    assert np.max(np.abs(dequantize(absmax_quantize([7.0, 0.4999], bits=4)) - [7, 0.4999])) > 0.499
    x = np.array([0.0, 15.0, 0.4999])
    assert np.max(np.abs(dequantize(zero_point_quantize(x, bits=4)) - x)) > 0.499


def test_a_one_sided_range_gains_a_bit_from_its_zero_point() -> None:
    x = np.random.default_rng(0).random(10_000)
    symmetric, shifted = (
        np.sqrt(np.mean((dequantize(quantize(x, bits=6)) - x) ** 2))
        for quantize in (absmax_quantize, zero_point_quantize)
    )
    assert symmetric / shifted == pytest.approx(63 / 31, rel=0.05)
    # Evenly spread within a step: a root mean square of step over the root of 12.
    assert shifted == pytest.approx(1 / 63 / np.sqrt(12), rel=0.05)


def test_arrays_without_spread() -> None:
    np.testing.assert_array_equal(dequantize(absmax_quantize([0.0, 0.0])), 0)
    np.testing.assert_array_equal(dequantize(zero_point_quantize([0.0, 0.0])), 0)
    np.testing.assert_array_equal(dequantize(zero_point_quantize([-3.7, -3.7])), -3.7)


def test_the_zero_point_may_be_too_large_for_64_bits() -> None:
    x = np.array([1e6, 1e6 + 2.0**-33])
    quantized = zero_point_quantize(x, bits=16)
    assert quantized.zero < -(2**63)
    np.testing.assert_array_equal(quantized.codes, [0, 2**16 - 1])
    np.testing.assert_array_equal(dequantize(quantized), x)


@pytest.mark.equation("eq-nf4-levels")
def test_levels_are_the_published_ones_and_quantiles() -> None:
    levels = nf4_levels()
    np.testing.assert_allclose(levels, PUBLISHED, atol=3e-7)
    above = stats.norm.ppf(np.linspace(0.9677083, 0.5, 9)[:-1])
    below = -stats.norm.ppf(np.linspace(0.9677083, 0.5, 8)[:-1])
    expected = np.sort([*below, 0, *above]) / above[0]
    np.testing.assert_allclose(levels, expected, atol=1e-7)  # 0.9677083 is a rounded 1 − δ


@given(arrays(float, (2, 12), elements=st.floats(-100, 100), fill=st.just(0)))
def test_each_weight_gets_the_nearest_level(x: F) -> None:
    codes, scales = nf4_quantize(x, block=4)
    assert codes.shape == (2, 12)
    np.testing.assert_array_equal(scales, np.abs(x).reshape(2, 3, 4).max(axis=-1))
    candidates = np.repeat(scales, 4, axis=-1)[..., None] * nf4_levels()
    best = np.min(np.abs(candidates - x[..., None]), axis=-1)
    off = np.abs(nf4_dequantize(codes, scales) - x)
    np.testing.assert_allclose(off, best, atol=1e-12)
    assert np.all(off <= 0.152 * np.repeat(scales, 4, axis=-1) + 1e-12)


def test_half_the_widest_gap_is_reached() -> None:
    levels = nf4_levels()
    assert np.argmax(np.diff(levels)) == 0
    middle = (levels[0] + levels[1]) / 2
    codes, scales = nf4_quantize([1.0, middle], block=2)
    assert abs(nf4_dequantize(codes, scales)[1] - middle) == pytest.approx(0.1519, abs=1e-4)


def test_normal_weights_lose_less_in_normal_levels_than_in_even_ones() -> None:
    x = np.random.default_rng(1).normal(size=(500, 64))
    codes, scales = nf4_quantize(x)
    normal = np.mean((nf4_dequantize(codes, scales) - x) ** 2)
    even = np.mean([np.mean((dequantize(absmax_quantize(row, bits=4)) - row) ** 2) for row in x])
    assert normal < 0.85 * even


def test_levels_are_not_used_equally_often_even_by_normal_weights() -> None:
    x = np.random.default_rng(2).normal(size=(2000, 64))
    use = np.bincount(nf4_quantize(x)[0].ravel(), minlength=16) / x.size
    assert use.max() > 2 * use.min()
    # A larger block has a larger largest weight: the outer levels are used less.
    codes, _ = nf4_quantize(x.reshape(125, -1), block=1024)
    large, outer = np.bincount(codes.ravel(), minlength=16) / x.size, [0, 1, 14, 15]
    assert large[outer].sum() < 0.6 * use[outer].sum()
