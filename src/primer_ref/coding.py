"""Arithmetic coding: any next-symbol law becomes a lossless compressor.

The coder works on whole numbers only, so that encoder and decoder agree to the last bit. A model is
a function from the symbols so far to a table of whole frequencies, at least 1 for every symbol that
may come; :func:`quantize` makes such a table from probabilities. The decoder calls the same
function on the same prefixes: if the model computes in floating point, it must compute them the
same way both times, on the same machine and in steps of the same size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = ["Model", "decode", "encode", "ideal_code", "ideal_interval", "quantize"]

#: From the symbols so far to a table of whole frequencies of the next symbol.
Model = Callable[[Sequence[int]], ArrayLike]
Bits = NDArray[np.uint8]

# The coder holds 64 binary digits of each end of its interval. The first digit is worth HALF.
TOP = (1 << 64) - 1
HALF = 1 << 63
QUARTER = 1 << 62
MAX_TOTAL = 1 << 32


def quantize(p: ArrayLike, *, total: int = 1 << 31) -> NDArray[np.int64]:
    r"""Turn probabilities into whole frequencies, none of them 0.

    Parameters
    ----------
    p : array_like, shape (V,)
        A distribution. Zeros are allowed: such a symbol gets the smallest frequency, 1.
    total : int
        The frequencies sum to at most this number, and to more than ``total − V``, up to the
        rounding error in the sum of ``p``.

    Returns
    -------
    ndarray of int64, shape (V,)
        Frequencies 1 + ⌊p (total − V)⌋.

    Raises
    ------
    ValueError
        If ``p`` is not a distribution, or ``total`` is not above V and at most 2³¹.

    Notes
    -----
    Implements :eq:`eq-quantize`.

    Examples
    --------
    >>> from primer_ref.coding import quantize
    >>> print(quantize([0.5, 0.5, 0.0], total=103))
    [51 51  1]
    """
    p = np.asarray(as_floats(p), np.float64)
    if p.ndim != 1 or p.size == 0 or not np.all(p >= 0) or not abs(np.sum(p) - 1) < 1e-6:
        raise ValueError(f"p must be one distribution; got shape {p.shape}, sum {np.sum(p)}")
    if not p.size < total <= MAX_TOTAL // 2:
        raise ValueError(f"total must be above V = {p.size} and at most 2^31; got {total}")
    return np.asarray(1 + np.floor(p * (total - p.size)), dtype=np.int64)


def ideal_interval(symbols: Sequence[int], model: Model) -> tuple[Fraction, Fraction]:
    r"""Compute, with exact fractions, the interval that arithmetic coding gives a message.

    Parameters
    ----------
    symbols : sequence of int
        The message.
    model : callable
        From the symbols so far to the frequencies of the next.

    Returns
    -------
    low, width : fractions.Fraction
        The interval [low, low + width). Its width is the probability of the message.

    Raises
    ------
    ValueError
        If the model gives a symbol of the message frequency 0 or does not know it.

    Notes
    -----
    Implements :eq:`eq-arithmetic-interval`.

    Examples
    --------
    >>> from primer_ref.coding import ideal_interval
    >>> low, width = ideal_interval([1, 0, 1], lambda prefix: [3, 1])
    >>> print(low, width)
    57/64 3/64
    """
    low, width = Fraction(0), Fraction(1)
    for t, symbol in enumerate(symbols):
        below, above, total = _slot(_cumulative(model(symbols[:t])), symbol)
        low += width * Fraction(below, total)
        width *= Fraction(above - below, total)
    return low, width


def ideal_code(symbols: Sequence[int], model: Model) -> str:
    r"""Code a message with ⌈−log₂ p⌉ + 1 bits, in exact arithmetic.

    Parameters
    ----------
    symbols : sequence of int
        The message.
    model : callable
        From the symbols so far to the frequencies of the next.

    Returns
    -------
    str
        Zeros and ones. The codes of messages none of which begins another form a prefix code.

    Raises
    ------
    ValueError
        If the model gives a symbol of the message frequency 0 or does not know it.

    Notes
    -----
    The fractions grow with the message, so the cost grows with its square; :func:`encode` works
    with numbers of 64 bits.

    Implements :eq:`eq-arithmetic-code`.

    Examples
    --------
    >>> from primer_ref.coding import ideal_code
    >>> ideal_code([1, 0, 1], lambda prefix: [3, 1])
    '111001'
    """
    low, width = ideal_interval(symbols, model)
    # The bits of ⌈1/w⌉ − 1 number ⌈log₂ 1/w⌉, for every w ≤ 1, without a logarithm.
    n_bits = (math.ceil(1 / width) - 1).bit_length() + 1
    return format(math.ceil(low * 2**n_bits), f"0{n_bits}b")


def encode(symbols: Sequence[int], model: Model) -> Bits:
    r"""Compress a message, with whole numbers of 64 bits.

    Parameters
    ----------
    symbols : sequence of int
        The message; its last symbol must tell the decoder to stop.
    model : callable
        From the symbols so far to the frequencies of the next, which sum to at most 2³².

    Returns
    -------
    ndarray of uint8, shape (n_bits,)
        The code, one bit an entry (``numpy.packbits`` makes bytes of it).

    Raises
    ------
    ValueError
        If the model gives a symbol of the message frequency 0 or does not know it, or a table of
        frequencies is not one.

    Notes
    -----
    Implements :eq:`eq-arithmetic-bound`.

    References
    ----------
    I. H. Witten, R. M. Neal and J. G. Cleary (1987), Arithmetic Coding for Data Compression.

    Examples
    --------
    >>> from primer_ref.coding import encode
    >>> print(encode([0, 0, 0, 0, 1], lambda prefix: [15, 1]))  # 4.4 bits of surprisal
    [1 0 1 1 1 1]
    """
    bits: list[int] = []
    low, high, pending = 0, TOP, 0
    for t, symbol in enumerate(symbols):
        below, above, total = _slot(_cumulative(model(symbols[:t])), symbol)
        low, high = _narrow(low, high, below, above, total)
        low, high, offsets = _zoom(low, high)
        for offset in offsets:
            if offset == QUARTER:
                pending += 1  # the middle: the next bit decides what these are
            else:
                bit = int(offset == HALF)
                bits += [bit, *[1 - bit] * pending]
                pending = 0
    # Close with the largest part that bits can name: a half of the frame or, failing that, a
    # quarter.
    if low == 0 or high == TOP:
        bit = int(low > 0)
    else:
        bit = int(low >= QUARTER)
        pending += 1
    return np.array([*bits, bit, *[1 - bit] * pending], dtype=np.uint8)


def decode(bits: ArrayLike, model: Model, *, end: int) -> list[int]:
    r"""Recover a message from its code.

    Parameters
    ----------
    bits : array_like of int, shape (n_bits,)
        A code made by :func:`encode`; whatever follows it is ignored.
    model : callable
        The function the message was encoded with.
    end : int
        The symbol that ends the message.

    Returns
    -------
    list of int
        The message, with its end symbol.

    Raises
    ------
    ValueError
        If the code gives out before the end symbol, or a table of frequencies is not one. A
        damaged code may also end properly, as another message: nothing here checks it.

    Examples
    --------
    >>> from primer_ref.coding import decode
    >>> decode([1, 0, 1, 1, 1, 1], lambda prefix: [15, 1], end=1)
    [0, 0, 0, 0, 1]
    """
    bits = np.asarray(bits)
    stream = itertools.chain(bits.tolist(), itertools.repeat(0, 64))
    low, high, value = 0, TOP, 0
    symbols: list[int] = []
    try:
        for _ in range(64):
            value = 2 * value + next(stream)
        while not symbols or symbols[-1] != end:
            cumulative = _cumulative(model(symbols))
            total = int(cumulative[-1])
            target = ((value - low + 1) * total - 1) // (high - low + 1)
            symbol = int(np.searchsorted(cumulative, target, side="right")) - 1
            low, high = _narrow(low, high, *_slot(cumulative, symbol))
            low, high, offsets = _zoom(low, high)
            for offset in offsets:
                value = 2 * (value - offset) + next(stream)
            symbols.append(symbol)
    except StopIteration:
        raise ValueError(f"the code gave out before the end symbol; got {bits.size} bits") from None
    return symbols


def _cumulative(frequencies: ArrayLike) -> NDArray[np.int64]:
    """Sum up a table of frequencies, from 0 to its total."""
    table = np.asarray(frequencies)
    if table.ndim != 1 or table.size == 0 or table.dtype.kind not in "iu" or np.any(table < 0):
        raise ValueError(f"frequencies must be whole numbers, at least 0; got {table}")
    total = float(np.sum(table, dtype=np.float64))  # a float, which does not wrap
    if not 0 < total <= MAX_TOTAL:
        raise ValueError(f"frequencies must sum to between 1 and 2^32; got {total:.0f}")
    return np.concatenate([[0], np.cumsum(table)]).astype(np.int64)


def _slot(cumulative: NDArray[np.int64], symbol: int) -> tuple[int, int, int]:
    """Share of a symbol: what lies below it, what lies below the next one, the total."""
    if not 0 <= symbol < len(cumulative) - 1 or cumulative[symbol] == cumulative[symbol + 1]:
        raise ValueError(
            f"the model must give every symbol that occurs a share; got none for {symbol}"
        )
    return int(cumulative[symbol]), int(cumulative[symbol + 1]), int(cumulative[-1])


def _narrow(low: int, high: int, below: int, above: int, total: int) -> tuple[int, int]:
    """Keep the part of the interval from below/total to above/total."""
    width = high - low + 1
    return low + width * below // total, low + width * above // total - 1


def _zoom(low: int, high: int) -> tuple[int, int, list[int]]:
    """Double the interval for as long as it fits into the lower, upper or middle half."""
    offsets: list[int] = []
    while True:
        if high < HALF:
            offset = 0
        elif low >= HALF:
            offset = HALF
        elif low >= QUARTER and high < HALF + QUARTER:
            offset = QUARTER
        else:
            return low, high, offsets
        low, high = 2 * (low - offset), 2 * (high - offset) + 1
        offsets.append(offset)
