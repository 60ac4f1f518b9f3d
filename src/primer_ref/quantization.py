"""Weights as whole numbers with one scale, or as levels of the normal distribution.

Codes that are evenly spaced leave an error of up to half a step everywhere. NF4's sixteen levels
lie closer where normally distributed weights are many.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = [
    "Codes",
    "absmax_quantize",
    "dequantize",
    "nf4_dequantize",
    "nf4_levels",
    "nf4_quantize",
    "zero_point_quantize",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Codes:
    """An array as whole numbers: a code c stands for step · (c − zero).

    Attributes
    ----------
    codes : ndarray of int64
        Codes.
    step : float
        Difference between the values of neighboring codes.
    zero : int
        The code that stands for 0.
    """

    codes: Ints
    step: float
    zero: int


def _check_integers(x: Floats, bits: int) -> None:
    if bits < 2 or bits > 32:
        raise ValueError(f"bits must be from 2 to 32; got {bits}")
    if x.size == 0 or not np.all(np.isfinite(x)):
        raise ValueError(f"weights must be finite numbers, at least one; got shape {x.shape}")


def absmax_quantize(x: ArrayLike, *, bits: int = 8) -> Codes:
    r"""Quantize symmetrically: step :math:`\max\lvert x\rvert/(2^{b-1} - 1)`, 0 at code 0.

    Parameters
    ----------
    x : array_like, shape (...)
        Weights.
    bits : int
        Bits a code, b.

    Returns
    -------
    Codes
        Codes from −(2^(b−1) − 1) to 2^(b−1) − 1; `dequantize` is at most half a step off. The step
        is 1 where it would be 0: all weights are 0, or the largest is below the smallest number
        times the largest code.

    Raises
    ------
    ValueError
        If there is no weight, one is not finite, or there are not 2 to 32 bits.

    Notes
    -----
    Implements :eq:`eq-absmax`.

    References
    ----------
    T. Dettmers, M. Lewis, Y. Belkada and L. Zettlemoyer (2022), LLM.int8(): 8-bit Matrix
    Multiplication for Transformers at Scale.

    Examples
    --------
    >>> from primer_ref.quantization import absmax_quantize
    >>> absmax_quantize([-1.0, 0.0, 0.3], bits=4).codes
    array([-7,  0,  2])
    """
    x = np.asarray(as_floats(x), np.float64)
    _check_integers(x, bits)
    step = float(np.max(np.abs(x))) / (2 ** (bits - 1) - 1) or 1.0
    return Codes(np.rint(x / step).astype(np.int64), step, 0)


def zero_point_quantize(x: ArrayLike, *, bits: int = 8) -> Codes:
    r"""Quantize all of the range: step :math:`(\max x - \min x)/(2^b - 1)`, 0 at a code of its own.

    Parameters
    ----------
    x : array_like, shape (...)
        Weights.
    bits : int
        Bits a code, b.

    Returns
    -------
    Codes
        Codes from 0 to 2^b − 1; `dequantize` is at most half a step off, and exact for 0, up to
        the rounding of floats, which is coarse for weights far from 0 and for a step below 1e-308.
        The code that stands for 0 lies outside if 0 lies outside the range of the weights. The step
        is 1 where all weights are alike and 0, and their common size where they are alike.

    Raises
    ------
    ValueError
        If there is no weight, one is not finite or their range is not, or there are not 2 to 32
        bits.

    Notes
    -----
    Implements :eq:`eq-zero-point`.

    References
    ----------
    T. Dettmers, M. Lewis, Y. Belkada and L. Zettlemoyer (2022), LLM.int8(): 8-bit Matrix
    Multiplication for Transformers at Scale.

    Examples
    --------
    >>> from primer_ref.quantization import dequantize, zero_point_quantize
    >>> quantized = zero_point_quantize([-0.5, 0.0, 1.0], bits=2)
    >>> print(quantized.codes, quantized.zero, dequantize(quantized))
    [0 1 3] 1 [-0.5  0.   1. ]
    """
    x = np.asarray(as_floats(x), np.float64)
    _check_integers(x, bits)
    low, high = float(np.min(x)), float(np.max(x))
    if high - low == np.inf:
        raise ValueError(f"weights must span a finite range; got {low} to {high}")
    step = (high - low) / (2**bits - 1) or abs(high) or 1.0
    zero = round(-low / step)  # may be too large for 64 bits, where weights are far from 0
    codes = np.clip(np.rint(x / step) + float(zero), 0, 2**bits - 1)
    return Codes(codes.astype(np.int64), step, zero)


def dequantize(quantized: Codes) -> NDArray[np.float64]:
    r"""Turn whole numbers back into weights, :math:`\text{step}\cdot(c - \text{zero})`.

    Parameters
    ----------
    quantized : Codes
        What `absmax_quantize` or `zero_point_quantize` returned.

    Returns
    -------
    ndarray
        Weights, each at most half a step from the original.

    Examples
    --------
    >>> from primer_ref.quantization import absmax_quantize, dequantize
    >>> print(dequantize(absmax_quantize([-1.0, 0.0, 0.3], bits=4)).round(4))
    [-1.      0.      0.2857]
    """
    return np.asarray(quantized.step * (quantized.codes - float(quantized.zero)), np.float64)


# --- Levels of the normal distribution -------------------------------------------------------


def nf4_levels() -> NDArray[np.float64]:
    r"""Sixteen levels at quantiles of the normal distribution, from −1 to 1, with 0 among them.

    With :math:`\delta = \tfrac12(\tfrac1{32} + \tfrac1{30})`, nine probabilities run evenly from
    1 − δ down to 1/2 and eight from δ up to 1/2; the quantiles are divided by the largest.

    Returns
    -------
    ndarray, shape (16,)
        Rising levels: seven below 0, eight above.

    Notes
    -----
    Implements :eq:`eq-nf4-levels`.

    Meant for weights that are normally distributed and scaled by the largest of their block. In
    that case the levels are not used equally often, as the size of a block's largest weight is
    random; the levels are a good choice, not an optimum.

    References
    ----------
    T. Dettmers, A. Pagnoni, A. Holtzman and L. Zettlemoyer (2023), QLoRA: Efficient Finetuning of
    Quantized LLMs. D. Yoshida (2023), NF4 Isn't Information Theoretically Optimal (and that's
    Good).

    Examples
    --------
    >>> from primer_ref.quantization import nf4_levels
    >>> print(nf4_levels()[[0, 1, 7, 8, 15]].round(4))
    [-1.     -0.6962  0.      0.0796  1.    ]
    """
    delta = (1 / 32 + 1 / 30) / 2
    quantile = NormalDist().inv_cdf
    above = [quantile(p) for p in np.linspace(1 - delta, 0.5, 9)[:-1]]
    below = [quantile(p) for p in np.linspace(delta, 0.5, 8)[:-1]]
    return np.array(sorted([*below, 0.0, *above])) / max(above)


def nf4_quantize(x: ArrayLike, *, block: int = 64) -> tuple[Ints, NDArray[np.float64]]:
    """Replace each weight by the nearest level times the largest size in its block.

    Parameters
    ----------
    x : array_like, shape (..., block · n)
        Weights.
    block : int
        Weights that share a scale.

    Returns
    -------
    tuple of ndarray, shapes (..., block · n) and (..., n)
        Codes from 0 to 15, and scales. With scales in single precision and blocks of 64 that is 4.5
        bits a weight.

    Raises
    ------
    ValueError
        If rows are no multiple of the block long, or a weight is not finite.

    Notes
    -----
    The error is at most half the widest gap between levels, 0.152, times the scale.

    References
    ----------
    T. Dettmers, A. Pagnoni, A. Holtzman and L. Zettlemoyer (2023), QLoRA: Efficient Finetuning of
    Quantized LLMs.

    Examples
    --------
    >>> from primer_ref.quantization import nf4_quantize
    >>> codes, scales = nf4_quantize([-2.0, 0.0, 0.1, 1.0], block=4)
    >>> print(codes, scales)
    [ 0  7  8 12] [2.]
    """
    x = np.asarray(as_floats(x), np.float64)
    if block < 1 or x.ndim == 0 or x.size == 0 or x.shape[-1] % block:
        raise ValueError(
            f"rows must be a multiple of the block long; got shape {x.shape} and block {block}"
        )
    if not np.all(np.isfinite(x)):
        raise ValueError("weights must be finite; got NaN or infinity")
    blocks = x.reshape(*x.shape[:-1], -1, block)
    scales = np.max(np.abs(blocks), axis=-1)
    levels = nf4_levels()
    halfway = (levels[1:] + levels[:-1]) / 2
    scaled = blocks / np.where(scales == 0, 1, scales)[..., None]
    return np.searchsorted(halfway, scaled).reshape(x.shape), scales


def nf4_dequantize(codes: ArrayLike, scales: ArrayLike) -> NDArray[np.float64]:
    """Turn codes of NF4 and the scales of their blocks back into weights.

    Parameters
    ----------
    codes : array_like of int, shape (..., block · n)
        Codes from 0 to 15.
    scales : array_like, shape (..., n)
        Scale of each block.

    Returns
    -------
    ndarray, shape (..., block · n)
        Weights.

    Raises
    ------
    ValueError
        If a code is none of the sixteen, or codes are no multiple of the scales.
    TypeError
        If codes are not integers.

    Examples
    --------
    >>> from primer_ref.quantization import nf4_dequantize
    >>> print(nf4_dequantize([0, 7, 8, 12], [2.0]).round(4))
    [-2.      0.      0.1592  0.8814]
    """
    codes, scales = np.asarray(codes), np.asarray(as_floats(scales, axes=1), np.float64)
    if codes.size and codes.dtype.kind not in "iu":
        raise TypeError(f"codes must be integers; got entries of type {codes.dtype}")
    if codes.size == 0 or np.min(codes) < 0 or np.max(codes) > 15:
        raise ValueError("codes must lie from 0 to 15, at least one of them")
    if codes.shape[:-1] != scales.shape[:-1] or codes.shape[-1] % scales.shape[-1]:
        raise ValueError(
            f"every scale must serve as many codes; got shapes {codes.shape} and {scales.shape}"
        )
    of_code = np.repeat(scales, codes.shape[-1] // scales.shape[-1], axis=-1)
    return np.asarray(nf4_levels()[codes] * of_code)
