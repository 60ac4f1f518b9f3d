"""Rounding against ml_dtypes and PyTorch, pattern by pattern and around every number.

Both convert double precision through single precision, which rounds twice; numbers of single
precision are converted by them in one step, and for doubles the two steps are taken here too.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from primer_ref.numerics import BF16, E4M3, E5M2, FP16, FP32, FloatFormat, decode, encode, round_to

from .conftest import Compare

F = NDArray[np.float64]

FORMATS = [
    (E4M3, "float8_e4m3fn"),
    (E5M2, "float8_e5m2"),
    (BF16, "bfloat16"),
    (FP16, "float16"),
]


def bits(values: NDArray[np.generic]) -> F:
    """Patterns of numbers as numbers, so that infinities and signs of 0 are compared too."""
    return values.view(np.dtype(f"u{values.dtype.itemsize}")).astype(float)


def inputs(format: FloatFormat) -> NDArray[np.float32]:
    """Numbers of single precision: all of the format, ties, what lies beside both, and random."""
    rng = np.random.default_rng(0)
    values = decode(np.arange(2**format.bits), format)
    values = np.unique(values[np.isfinite(values)])
    ties = (values[:-1] + (values[1:] - values[:-1]) / 2).astype(np.float32)
    middle = np.concatenate([values.astype(np.float32), ties])
    spread = rng.normal(size=100_000) * 2.0 ** rng.integers(-140, 100, 100_000)
    near = rng.normal(size=100_000) * 2.0 ** rng.integers(-20, 18, 100_000)
    beside = [np.nextafter(middle, np.float32(side)) for side in (-np.inf, np.inf)]
    with np.errstate(under="ignore"):
        return np.concatenate([middle, *beside, np.append(spread, near).astype(np.float32)])


@pytest.mark.parametrize(("format", "name"), FORMATS[:3])
def test_rounding_and_patterns_agree_with_ml_dtypes(
    format: FloatFormat, name: str, compare: Compare
) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = getattr(ml_dtypes, name)
    x = inputs(format)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = x.astype(dtype)
        patterns = np.arange(2**format.bits)
        every = patterns.astype(f"u{format.bits // 8}").view(dtype).astype(float)
    number = ~np.isnan(expected.astype(float))
    assert np.array_equal(np.isnan(round_to(x, format)), ~number)
    ours = encode(x[number], format)
    compare(encode, f"ml_dtypes.{name}", ours, bits(expected[number]), 0)
    np.testing.assert_array_equal(decode(patterns, format), every)
    finite = np.isfinite(every)
    compare(decode, f"ml_dtypes.{name}", decode(patterns, format)[finite], every[finite], 0)


@pytest.mark.parametrize(("format", "name"), FORMATS)
def test_rounding_agrees_with_torch(format: FloatFormat, name: str, compare: Compare) -> None:
    torch = pytest.importorskip("torch")
    x = inputs(format)
    if format is E4M3:
        x = x[np.abs(x) <= 464]
    expected = torch.tensor(x).to(getattr(torch, name)).double().numpy()
    finite = np.isfinite(expected)
    ours = round_to(x, format)
    np.testing.assert_array_equal(ours, expected)
    compare(round_to, f"torch.{name}", ours[finite], expected[finite], 0)


@pytest.mark.parametrize(("format", "name"), FORMATS[:3])
def test_doubles_are_rounded_once_here_and_twice_by_ml_dtypes(
    format: FloatFormat, name: str
) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    values = inputs(format).astype(float)
    x = np.concatenate([np.nextafter(values, -np.inf), np.nextafter(values, np.inf)])
    with np.errstate(over="ignore", invalid="ignore"):
        theirs = x.astype(getattr(ml_dtypes, name)).astype(float)
    np.testing.assert_array_equal(round_to(round_to(x, FP32), format), theirs)
    assert np.any(round_to(x, format) != theirs)
