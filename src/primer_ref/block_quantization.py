"""Weights in blocks of 32 that share a step: the layouts Q8_0, Q4_0 and Q4_1 of GGUF files.

A block keeps its step d in half precision, and each weight as a small whole number of steps. The
encoders write the bytes that `primer_ref.formats` reads. A weight is off by at most half a step
where the codes reach far enough, and by what rounding the step itself adds.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.formats import StoredTensor
from primer_ref.functional import as_floats

__all__ = [
    "bits_per_weight",
    "q4_0_error_bound",
    "q4_1_error_bound",
    "q8_0_error_bound",
    "quantize_q4_0",
    "quantize_q4_1",
    "quantize_q8_0",
]

Floats = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]

# Rounding to half precision: a relative error of at most 2^−11, or 2^−25 where the number is tiny;
# the rest of _U is for what happens in single precision before and after.
_U, _T = 2.0**-11 + 2.0**-21, 2.0**-25
# Half a step, and by how much arithmetic in single precision can misplace its ends.
_HALF = 0.5 + 2.0**-14


def _blocks(x: ArrayLike) -> tuple[Floats, tuple[int, ...]]:
    """Cut rows into blocks of 32, and keep the shape."""
    x = as_floats(x)
    if x.ndim == 0 or x.size == 0 or x.shape[-1] % 32:
        raise ValueError(f"rows must be a multiple of 32 long; got shape {x.shape}")
    if not np.all(np.abs(x) < 2.0**15):
        raise ValueError(
            f"weights must be finite and below 2^15, for half precision; got {np.max(np.abs(x))}"
        )
    return x.astype(np.float32).reshape(-1, 32), x.shape


def _steps_per_one(step: Floats) -> Floats:
    """Reciprocal of the steps, 0 for a block of zeros."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.where(np.isfinite(1 / step), 1 / step, np.float32(0))


def _half_bytes(x: Floats) -> Bytes:
    return x.astype("<f2").view(np.uint8)


def _stored(encoding: str, shape: tuple[int, ...], *parts: Bytes) -> StoredTensor:
    return StoredTensor("", encoding, shape, np.concatenate(parts, axis=1).ravel())


def _nibbles(codes: Floats) -> Bytes:
    """Codes 0 to 15 of a block, two to a byte: the first 16 in the low halves."""
    whole: Bytes = codes.astype(np.uint8)
    return whole[:, :16] | (whole[:, 16:] << np.uint8(4))


def quantize_q8_0(x: ArrayLike) -> StoredTensor:
    r"""Write weights as Q8_0: a step :math:`d = \max\lvert x\rvert/127` and codes −127 to 127.

    Parameters
    ----------
    x : array_like, shape (..., 32 n)
        Weights.

    Returns
    -------
    StoredTensor
        34 bytes a block: d in half precision, then 32 signed bytes. Its ``decode`` gives d times
        the codes.

    Raises
    ------
    ValueError
        If rows are no multiple of 32 long, or a weight is not finite or too large.

    Notes
    -----
    Implements :eq:`eq-q8-step`.

    Ties are rounded away from zero.

    References
    ----------
    Function ``quantize_row_q8_0_ref`` in the repository ggml-org/ggml.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.block_quantization import quantize_q8_0
    >>> x = np.linspace(-1, 1, 32)
    >>> stored = quantize_q8_0(x)
    >>> print(stored.raw.size, f"{np.max(np.abs(stored.decode() - x)):.4f}")
    34 0.0038
    """
    blocks, shape = _blocks(x)
    step = np.max(np.abs(blocks), axis=1, keepdims=True) / 127
    scaled = blocks * _steps_per_one(step)
    away = np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5))
    return _stored("Q8_0", shape, _half_bytes(step), away.astype(np.int8).view(np.uint8))


def quantize_q4_0(x: ArrayLike) -> StoredTensor:
    r"""Write weights as Q4_0: a step :math:`d = -x_\star/8` and codes −8 to 7, kept as 0 to 15.

    Here :math:`x_\star` is the weight of largest size, with its sign: it gets the code −8.

    Parameters
    ----------
    x : array_like, shape (..., 32 n)
        Weights.

    Returns
    -------
    StoredTensor
        18 bytes a block: d in half precision, then 32 codes of 4 bits. Its ``decode`` gives d times
        the codes less 8.

    Raises
    ------
    ValueError
        If rows are no multiple of 32 long, or a weight is not finite or too large.

    Notes
    -----
    Implements :eq:`eq-q4-step`.

    The sixteen codes are not symmetric, and so the largest weight chooses the longer side. One of
    nearly the same size and the other sign falls off the shorter side: by up to a whole step.

    References
    ----------
    Function ``quantize_row_q4_0_ref`` in the repository ggml-org/ggml.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.block_quantization import quantize_q4_0
    >>> x = np.zeros(32)
    >>> x[:3] = -8, 8, 3
    >>> print(quantize_q4_0(x).decode()[:3])
    [-8.  7.  3.]
    """
    blocks, shape = _blocks(x)
    largest = np.argmax(np.abs(blocks), axis=1)[:, None]
    step = np.take_along_axis(blocks, largest, axis=1) / -8
    codes = np.minimum(np.trunc(blocks * _steps_per_one(step) + np.float32(8.5)), 15)
    return _stored("Q4_0", shape, _half_bytes(step), _nibbles(codes))


def quantize_q4_1(x: ArrayLike) -> StoredTensor:
    r"""Write weights as Q4_1: offset :math:`m = \min x`, step :math:`d = (\max x - m)/15`.

    Parameters
    ----------
    x : array_like, shape (..., 32 n)
        Weights.

    Returns
    -------
    StoredTensor
        20 bytes a block: d and m in half precision, then 32 codes of 4 bits. Its ``decode`` gives
        d times the codes plus m.

    Raises
    ------
    ValueError
        If rows are no multiple of 32 long, or a weight is not finite or too large.

    Notes
    -----
    Implements :eq:`eq-q4-offset`.

    References
    ----------
    Function ``quantize_row_q4_1_ref`` in the repository ggml-org/ggml.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.block_quantization import quantize_q4_1
    >>> x = np.arange(32.0)
    >>> print(quantize_q4_1(x).decode()[:5].round(2))
    [0.   0.   2.07 2.07 4.13]
    """
    blocks, shape = _blocks(x)
    low = np.min(blocks, axis=1, keepdims=True)
    step = (np.max(blocks, axis=1, keepdims=True) - low) / 15
    codes = np.minimum(np.trunc((blocks - low) * _steps_per_one(step) + np.float32(0.5)), 15)
    return _stored("Q4_1", shape, _half_bytes(step), _half_bytes(low), _nibbles(codes))


def q8_0_error_bound(x: ArrayLike) -> NDArray[np.float64]:
    r"""Bound the error of `quantize_q8_0` in each block, about :math:`d/2 + 127\,ud`.

    Parameters
    ----------
    x : array_like, shape (..., 32 n)
        Weights.

    Returns
    -------
    ndarray, shape (..., n)
        Largest possible difference of a decoded weight: half a step, and the rounding of the step
        to half precision, u = 2^−11, times the largest code.

    Raises
    ------
    ValueError
        As for `quantize_q8_0`.

    Notes
    -----
    Implements :eq:`eq-block-bounds`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.block_quantization import q8_0_error_bound
    >>> print(q8_0_error_bound(np.linspace(-1, 1, 32)).round(5))
    [0.00443]
    """
    blocks, shape = _blocks(x)
    step = np.max(np.abs(blocks.astype(np.float64)), axis=1) / 127
    bound = _HALF * step + 127 * (_U * step + _T)
    return np.reshape(bound, (*shape[:-1], -1))


def q4_0_error_bound(x: ArrayLike) -> NDArray[np.float64]:
    r"""Bound the error of `quantize_q4_0` in each block, about :math:`d + 8ud`.

    Parameters
    ----------
    x : array_like, shape (..., 32 n)
        Weights.

    Returns
    -------
    ndarray, shape (..., n)
        Largest possible difference of a decoded weight: a whole step, for a weight that falls off
        the shorter side, and the rounding of the step.

    Raises
    ------
    ValueError
        As for `quantize_q4_0`.

    Notes
    -----
    Implements :eq:`eq-block-bounds`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.block_quantization import q4_0_error_bound
    >>> print(q4_0_error_bound(np.linspace(-1, 1, 32)).round(4))
    [0.1255]
    """
    blocks, shape = _blocks(x)
    step = np.max(np.abs(blocks.astype(np.float64)), axis=1) / 8
    bound = (_HALF + 0.5) * step + 8 * (_U * step + _T)
    return np.reshape(bound, (*shape[:-1], -1))


def q4_1_error_bound(x: ArrayLike) -> NDArray[np.float64]:
    r"""Bound the error of `quantize_q4_1` in each block, about :math:`d/2 + u(15d + \abs{m})`.

    Parameters
    ----------
    x : array_like, shape (..., 32 n)
        Weights.

    Returns
    -------
    ndarray, shape (..., n)
        Largest possible difference of a decoded weight: half a step, and the rounding of the step
        and of the offset, which tells where all weights lie far from 0.

    Raises
    ------
    ValueError
        As for `quantize_q4_1`.

    Notes
    -----
    Implements :eq:`eq-block-bounds`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.block_quantization import q4_1_error_bound
    >>> print(q4_1_error_bound([np.linspace(-1, 1, 32), np.linspace(99, 101, 32)]).round(4).ravel())
    [0.0681 0.116 ]
    """
    blocks, shape = _blocks(x)
    low = np.min(blocks.astype(np.float64), axis=1)
    step = (np.max(blocks, axis=1) - low) / 15
    rounding = 15 * (_U * step + _T) + _U * np.abs(low) + _T
    bound = _HALF * step + rounding
    return np.reshape(bound, (*shape[:-1], -1))


def bits_per_weight(tensor: StoredTensor) -> float:
    """Count the bits that each weight of a stored array takes, scales included.

    Parameters
    ----------
    tensor : StoredTensor
        The array.

    Returns
    -------
    float
        Bits: 8.5 for Q8_0, 4.5 for Q4_0, 5 for Q4_1.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.block_quantization import bits_per_weight, quantize_q4_0
    >>> bits_per_weight(quantize_q4_0(np.ones((2, 64))))
    4.5
    """
    return 8 * tensor.raw.size / math.prod(tensor.shape)
