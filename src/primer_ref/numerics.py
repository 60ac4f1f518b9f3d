r"""Floating-point formats: what they can hold, and how a number is rounded into one.

Everything is computed in double precision and rounded from there in one step, so results agree bit
for bit with hardware that rounds once. A number is :math:`(-1)^s\, m\, 2^e` with m in [1, 2), or,
below the smallest normal number, m in [0, 1) at the lowest exponent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = [  # noqa: RUF022 — plain alphabetical order, as everywhere in the package
    "BF16",
    "E4M3",
    "E5M2",
    "FP16",
    "FP32",
    "FP64",
    "FloatFormat",
    "TF32",
    "decode",
    "encode",
    "neighbors",
    "round_to",
    "stochastic_round",
]

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class FloatFormat:
    r"""A binary floating-point format: one sign bit, an exponent, a mantissa.

    Attributes
    ----------
    exponent_bits : int
        Bits of the exponent; they set the range.
    mantissa_bits : int
        Bits after the leading 1, which is not stored; they set the precision.
    has_infinity : bool
        Whether the highest exponent is kept for infinities and NaN, as IEEE 754 has it. If not,
        that exponent holds numbers too, all but the last pattern, which is NaN.

    Raises
    ------
    ValueError
        If there are fewer than 2 exponent bits or no mantissa bit, or more than double precision
        has.

    References
    ----------
    P. Micikevicius et al. (2022), FP8 Formats for Deep Learning: the formats of 8 bits.

    Examples
    --------
    >>> from primer_ref.numerics import E4M3, FP16
    >>> print(FP16.max, FP16.smallest_normal, FP16.epsilon)
    65504.0 6.103515625e-05 0.0009765625
    >>> print(E4M3.max, E4M3.bits)
    448.0 8
    """

    exponent_bits: int
    mantissa_bits: int
    has_infinity: bool = True

    def __post_init__(self) -> None:
        most = 10 + self.has_infinity  # numbers of double precision end where its infinity begins
        if not (2 <= self.exponent_bits <= most and 1 <= self.mantissa_bits <= 52):
            raise ValueError(
                f"a format needs 2 to {most} exponent bits and 1 to 52 mantissa bits; "
                f"got {self.exponent_bits} and {self.mantissa_bits}"
            )

    @property
    def bits(self) -> int:
        """Bits in all."""
        return 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self) -> int:
        r"""What is added to an exponent to store it, :math:`2^{b-1} - 1` for b bits."""
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def epsilon(self) -> float:
        """Gap between 1 and the next larger number."""
        return 2.0**-self.mantissa_bits

    @property
    def unit_roundoff(self) -> float:
        """Bound of the relative error of rounding to nearest, u, which is half of epsilon."""
        return self.epsilon / 2

    @property
    def smallest_normal(self) -> float:
        """Smallest positive number with full precision."""
        return 2.0 ** (1 - self.bias)

    @property
    def smallest_subnormal(self) -> float:
        """Smallest positive number, and the gap between numbers around 0."""
        return self.smallest_normal * self.epsilon

    @property
    def max(self) -> float:
        """Largest finite number."""
        if self.has_infinity:
            return (2 - self.epsilon) * 2.0**self.bias
        return (2 - 2 * self.epsilon) * 2.0 ** (self.bias + 1)


#: Double precision, 64 bits.
FP64 = FloatFormat(11, 52)
#: Single precision, 32 bits.
FP32 = FloatFormat(8, 23)
#: What tensor cores keep of single precision, 19 bits.
TF32 = FloatFormat(8, 10)
#: The upper half of single precision, 16 bits.
BF16 = FloatFormat(8, 7)
#: Half precision, 16 bits.
FP16 = FloatFormat(5, 10)
#: Eight bits with the range of half precision.
E5M2 = FloatFormat(5, 2)
#: Eight bits with one more digit and no infinity.
E4M3 = FloatFormat(4, 3, has_infinity=False)


def _gap(x: Doubles, format: FloatFormat) -> Doubles:
    """Distance between the numbers of a format around x; a power of two."""
    lowest = 1 - format.bias
    _, exponent = np.frexp(x)  # x is at least 2^(exponent − 1) in size
    exponent = np.where(x == 0, lowest, np.maximum(exponent - 1, lowest))
    return np.asarray(np.ldexp(1.0, exponent - format.mantissa_bits))


def _overflow(x: Doubles, format: FloatFormat) -> Doubles:
    beyond = np.copysign(np.inf if format.has_infinity else np.nan, x)
    return np.where(np.abs(x) > format.max, beyond, x)


def round_to(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Round to the nearest number of a format, ties to the even one.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.
    format : FloatFormat
        The format.

    Returns
    -------
    ndarray, shape (...)
        Numbers of the format, in double precision. NaN stays NaN; what rounds beyond the largest
        number becomes infinite, or NaN in a format without infinities.

    Notes
    -----
    Implements :eq:`eq-unit-roundoff`.

    In the normal range the result is :math:`x(1 + \delta)` with :math:`\abs{\delta} \le u`; below
    it the error is at most half the smallest subnormal number. Rounding in two steps, say through
    single precision, can give another result: a number just above a tie becomes a tie.

    Kernels for training in 8 bits often saturate instead: they clip to the largest number first.

    Examples
    --------
    >>> from primer_ref.numerics import BF16, E4M3, round_to
    >>> print(round_to([0.1, 1 + 2**-8, 1 + 3 * 2**-8], BF16))
    [0.10009766 1.         1.015625  ]
    >>> print(round_to([3.3, 464.0, 465.0], E4M3))
    [  3.25 448.      nan]
    """
    x = np.asarray(as_floats(x), np.float64)
    gap = _gap(x, format)
    return _overflow(np.rint(x / gap) * gap, format)


def stochastic_round(x: ArrayLike, format: FloatFormat, *, rng: np.random.Generator) -> Doubles:
    r"""Round up or down at random, so that the mean is the number itself.

    Between neighbors :math:`a \le x < b` the result is b with probability
    :math:`(x-a)/(b-a)`, else a.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers.
    format : FloatFormat
        The format.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray, shape (...)
        Numbers of the format, in double precision; numbers of the format stay as they are. Beyond
        the largest number as for `round_to`.

    Notes
    -----
    Implements :eq:`eq-stochastic-rounding`.

    An update too small for rounding to nearest is not lost: it moves the weight with a probability
    in proportion to its size.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.numerics import BF16, stochastic_round
    >>> rng = np.random.default_rng(0)
    >>> print(stochastic_round(np.full(6, 1 + 2**-9), BF16, rng=rng))
    [1.        1.        1.0078125 1.0078125 1.        1.       ]
    """
    x = np.asarray(as_floats(x), np.float64)
    gap = _gap(x, format)
    scaled = x / gap
    below = np.floor(scaled)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        up = rng.random(x.shape) < scaled - below
    # The sign is put back because floor(-0.5) + 1 is +0.
    return _overflow(np.copysign((below + up) * gap, x), format)


def neighbors(x: ArrayLike, format: FloatFormat) -> tuple[Doubles, Doubles]:
    """Find the numbers of a format next below and next above one of its numbers.

    Parameters
    ----------
    x : array_like, shape (...)
        Finite numbers of the format.
    format : FloatFormat
        The format.

    Returns
    -------
    tuple of ndarray, shape (...)
        The next smaller and the next larger number; beyond the largest as for `round_to`.

    Raises
    ------
    ValueError
        If a number is not of the format, or not finite.

    Notes
    -----
    The gap below a power of two is half of that above it.

    Examples
    --------
    >>> from primer_ref.numerics import BF16, neighbors
    >>> below, above = neighbors(1.0, BF16)
    >>> print(1 - below, above - 1)
    0.00390625 0.0078125
    """
    x = np.asarray(as_floats(x), np.float64)
    wrong = ~np.isfinite(x) | (round_to(x, format) != x)
    if np.any(wrong):
        raise ValueError(f"x must hold finite numbers of the format; got {x[wrong][0]}")
    outward = np.abs(x) + _gap(x, format)
    # Toward 0 the gap is that of the interval below, which just inside a power of two is halved.
    inward = np.abs(x) - _gap(np.nextafter(np.abs(x), 0), format)
    below, above = np.where(x > 0, inward, -outward), np.where(x < 0, -inward, outward)
    return _overflow(below, format), _overflow(above, format)


def encode(x: ArrayLike, format: FloatFormat) -> Ints:
    """Write numbers as bit patterns: sign, then biased exponent, then mantissa.

    Parameters
    ----------
    x : array_like, shape (...)
        Numbers; they are rounded to nearest first.
    format : FloatFormat
        The format; at most 63 bits.

    Returns
    -------
    ndarray, shape (...)
        Patterns as integers. NaN has all exponent bits set, the first mantissa bit, or all of them
        in a format without infinities, and no sign.

    Raises
    ------
    ValueError
        If the format has more than 63 bits, which an integer here cannot hold.

    Examples
    --------
    >>> from primer_ref.numerics import E4M3, encode
    >>> print([f"{bits:08b}" for bits in encode([1.0, -448.0, 2.0**-9], E4M3)])
    ['00111000', '11111110', '00000001']
    """
    _check_width(format)
    x = round_to(x, format)
    gap = _gap(x, format)
    with np.errstate(invalid="ignore"):
        steps = np.where(np.isfinite(x), np.abs(x) / gap, 0).astype(np.int64)
    # A normal number counts 2^m to 2^(m+1) gaps; its leading 1 raises the exponent field by one.
    field = np.log2(gap).astype(np.int64) + format.mantissa_bits + format.bias - 1
    size = (field << format.mantissa_bits) + steps
    infinity = (2**format.exponent_bits - 1) << format.mantissa_bits
    nan = infinity | (
        1 << (format.mantissa_bits - 1) if format.has_infinity else 2**format.mantissa_bits - 1
    )
    size = np.where(np.isinf(x), infinity, size)
    sign = np.signbit(x).astype(np.int64) << (format.bits - 1)
    return np.where(np.isnan(x), nan, size | sign)


def decode(bits: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Read bit patterns: :math:`(-1)^s (1 + M/2^m) 2^{E-\text{bias}}`, or subnormal where E is 0.

    Parameters
    ----------
    bits : array_like of int, shape (...)
        Patterns.
    format : FloatFormat
        The format; at most 63 bits.

    Returns
    -------
    ndarray, shape (...)
        Numbers in double precision.

    Raises
    ------
    ValueError
        If a pattern has more bits than the format, or the format more than 63.
    TypeError
        If patterns are not integers.

    Notes
    -----
    Implements :eq:`eq-float-value`.

    Examples
    --------
    >>> from primer_ref.numerics import E5M2, decode
    >>> print(decode([0b0_00000_01, 0b0_11110_11, 0b1_11111_00], E5M2))
    [1.52587891e-05 5.73440000e+04           -inf]
    """
    _check_width(format)
    bits = np.asarray(bits)
    if bits.dtype.kind not in "iu":
        raise TypeError(f"patterns must be integers; got entries of type {bits.dtype}")
    bits = bits.astype(np.int64)
    wrong = (bits < 0) | (bits >= 2**format.bits)
    if np.any(wrong):
        raise ValueError(f"patterns must have at most {format.bits} bits; got {bits[wrong][0]}")
    top, full = 2**format.exponent_bits - 1, 2**format.mantissa_bits
    field, mantissa = (bits // full) % (top + 1), bits % full
    size = np.ldexp(
        np.where(field > 0, full, 0.0) + mantissa,
        np.maximum(field, 1) - format.bias - format.mantissa_bits,
    )
    if format.has_infinity:
        size = np.where(field == top, np.where(mantissa == 0, np.inf, np.nan), size)
    else:
        size = np.where((field == top) & (mantissa == full - 1), np.nan, size)
    return np.where(bits >> (format.bits - 1), -size, size)


def _check_width(format: FloatFormat) -> None:
    if format.bits > 63:
        raise ValueError(f"patterns are read and written up to 63 bits; got {format.bits}")
