"""Block layouts: bytes that the reader reads back, error bounds that hold and are needed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from primer_ref.block_quantization import (
    bits_per_weight,
    q4_0_error_bound,
    q4_1_error_bound,
    q8_0_error_bound,
    quantize_q4_0,
    quantize_q4_1,
    quantize_q8_0,
)
from primer_ref.formats import StoredTensor

F = NDArray[np.floating[Any]]
Quantize = Callable[[ArrayLike], StoredTensor]
Bound = Callable[[ArrayLike], F]

LAYOUTS: list[tuple[Quantize, Bound]] = [
    (quantize_q8_0, q8_0_error_bound),
    (quantize_q4_0, q4_0_error_bound),
    (quantize_q4_1, q4_1_error_bound),
]


@st.composite
def weights(draw: st.DrawFn) -> F:
    """Blocks of any size and offset, smooth or on a grid, where codes tie."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.uniform(-1, 1, size=(2, 2, 32)) + rng.choice([0, 0, 0, 5, -40], size=(2, 2, 1))
    if draw(st.booleans()):
        x = np.round(x * draw(st.integers(1, 300)))
    size = 2.0 ** draw(st.integers(-60, 14)) / max(1, float(np.max(np.abs(x))))
    return np.asarray((x * size).reshape(2, 64))


def errors(quantize: Quantize, x: F) -> F:
    """Largest error in each block."""
    off = np.abs(quantize(x).decode().astype(np.float64) - x)
    return np.asarray(off.reshape(*x.shape[:-1], -1, 32).max(axis=-1))


@pytest.mark.equation("eq-block-bounds")
@pytest.mark.parametrize(("quantize", "bound"), LAYOUTS)
@given(weights())
def test_no_error_exceeds_its_bound(quantize: Quantize, bound: Bound, x: F) -> None:
    assert np.all(errors(quantize, x) <= bound(x))


@pytest.mark.equation("eq-block-bounds")
@pytest.mark.parametrize(("quantize", "bound"), LAYOUTS)
def test_bounds_are_nearly_reached(quantize: Quantize, bound: Bound) -> None:
    x = np.random.default_rng(0).uniform(-1, 1, size=(4000, 32))
    # The weight that falls off the short side of Q4_0 is a rare one; the others come close.
    assert np.max(errors(quantize, x) / bound(x)) > 0.9


def test_the_short_side_of_q4_0_costs_a_whole_step() -> None:
    x = np.zeros(32)
    x[:2] = -1, 0.9999
    assert errors(quantize_q4_0, x)[0] == pytest.approx(1 / 8, abs=2e-4)
    # Turned round, the other weight is the largest and is exact.
    x[:2] = -0.9999, 1
    assert errors(quantize_q4_0, x)[0] == pytest.approx(1 / 8, abs=2e-4)
    assert quantize_q4_0(x).decode()[1] == 1


def test_an_offset_far_from_zero_costs_q4_1_its_precision() -> None:
    x = np.linspace(99.03, 101.03, 32)
    near, far = errors(quantize_q4_1, x - 100), errors(quantize_q4_1, x)
    assert near[0] < 0.07
    assert 0.08 < far[0] <= q4_1_error_bound(x)[0]


@pytest.mark.parametrize(("quantize", "bound"), LAYOUTS)
@given(weights())
def test_storing_what_was_stored_keeps_shape_and_bound(
    quantize: Quantize, bound: Bound, x: F
) -> None:
    once = quantize(x).decode()
    assert np.all(errors(quantize, once) <= bound(once))
    assert quantize(x).shape == once.shape == (2, 64)


@pytest.mark.parametrize(
    ("quantize", "encoding", "bits"),
    [(quantize_q8_0, "Q8_0", 8.5), (quantize_q4_0, "Q4_0", 4.5), (quantize_q4_1, "Q4_1", 5.0)],
)
def test_bits_of_a_weight(quantize: Quantize, encoding: str, bits: float) -> None:
    stored = quantize(np.ones((3, 96)))
    assert stored.encoding == encoding
    assert bits_per_weight(stored) == bits
    assert bits_per_weight(StoredTensor("", "F16", (4,), np.zeros(8, np.uint8))) == 16


@pytest.mark.equation("eq-q8-step")
@pytest.mark.equation("eq-q4-step")
@pytest.mark.equation("eq-q4-offset")
def test_bytes_by_hand() -> None:
    x = np.zeros(32)
    x[0], x[1], x[16] = 8, -8, 4
    # d = −1 is 0xBC00; 8 gets code 0, −8 gets 16, cut to 15; x[16] gets 4, in a high half.
    assert quantize_q4_0(x).raw.tolist() == [0x00, 0xBC, 0x40, 0x8F, *[0x88] * 14]
    y = np.zeros(32)
    y[0], y[1], y[2] = 127, -2.5, 2.5
    # d = 1 is 0x3C00; ties go away from zero.
    assert quantize_q8_0(y).raw.tolist() == [0x00, 0x3C, 127, 253, 3, *[0] * 29]
    z = np.arange(32.0) % 16 + 2
    # d = 1, m = 2 (0x4000), codes 0 to 15 twice.
    expected = [0x00, 0x3C, 0x00, 0x40, *[17 * i for i in range(16)]]
    assert quantize_q4_1(z).raw.tolist() == expected


@pytest.mark.parametrize(("quantize", "bound"), LAYOUTS)
def test_blocks_without_spread_are_kept(quantize: Quantize, bound: Bound) -> None:
    np.testing.assert_array_equal(quantize(np.zeros((2, 32))).decode(), 0)
    np.testing.assert_allclose(quantize(np.full(32, 0.75)).decode(), 0.75, rtol=1e-3)
    tiny = np.full(32, 1e-44)  # too small for a reciprocal in single precision
    assert np.all(errors(quantize, tiny) <= bound(tiny))


def test_weights_that_round_to_zero_stay_within_the_bound_of_q4_1() -> None:
    unit = 2.0**-25  # half the smallest number of half precision: as a tie it rounds to 0
    x = unit * (1 + np.arange(32) % 16)  # offset and step are a unit each, and both are lost
    np.testing.assert_array_equal(quantize_q4_1(x).decode(), 0)
    assert errors(quantize_q4_1, x)[0] == 16 * unit <= q4_1_error_bound(x)[0]


def test_the_bound_of_q8_0_is_met_halfway_between_two_codes() -> None:
    x = np.zeros(32)
    x[:2] = 127, 0.5  # the step is 1, exactly
    error = np.abs(quantize_q8_0(x).decode() - x).max()
    assert error == 0.5 <= q8_0_error_bound(x)[0] < 0.6


@pytest.mark.parametrize("bound", [bound for _, bound in LAYOUTS])
def test_a_block_is_bounded_by_itself(bound: Bound) -> None:
    x = np.random.default_rng(3).normal(size=64) * np.repeat([1.0, 50.0], 32)
    np.testing.assert_array_equal(bound(x), [*bound(x[:32]), *bound(x[32:])])
