r"""Sums in floating-point arithmetic: four algorithms, and what each can lose.

Every addition is rounded to a given format, as hardware with that format would round it. The sum is
formed in double precision first; rounding a second time changes nothing for formats of p digits
with 2p + 2 at most 53, which single precision and all below it are.

With u the unit roundoff, each addition returns the exact sum times :math:`1 + \delta`,
:math:`\abs{\delta} \le u`. A term that passes through k additions is multiplied by k such factors,
whose product differs from 1 by at most :math:`\gamma_k = ku/(1 - ku)`. The bounds follow from how
many additions a term passes through.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats
from primer_ref.numerics import FloatFormat, round_to

__all__ = [
    "compensated_sum",
    "compensated_sum_bound",
    "kahan_sum",
    "naive_sum",
    "naive_sum_bound",
    "pairwise_sum",
    "pairwise_sum_bound",
]

Doubles = NDArray[np.float64]


def _terms(x: ArrayLike, format: FloatFormat) -> Doubles:
    """Read terms that are numbers of the format, and at least one of them."""
    x = np.asarray(as_floats(x), np.float64)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"a sum needs at least one term; got shape {x.shape}")
    wrong = (round_to(x, format) != x) & ~np.isnan(x)
    if np.any(wrong):
        raise ValueError(f"terms must be numbers of the format; got {x[wrong][0]}")
    return x


def _gamma(count: int, format: FloatFormat) -> float:
    """Relative error that a number of roundings can add up to; no bound from 1/u of them on."""
    error = count * format.unit_roundoff
    return error / (1 - error) if error < 1 else math.inf


def naive_sum(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Add the terms one after another, :math:`s \leftarrow \operatorname{fl}(s + x_i)`.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Terms: numbers of the format.
    format : FloatFormat
        The format that every addition is rounded to.

    Returns
    -------
    ndarray, shape (...)
        Sums, numbers of the format.

    Raises
    ------
    ValueError
        If there is no term, or one is not a number of the format.

    Notes
    -----
    Implements :eq:`eq-naive-sum`.

    The first term passes through n − 1 additions. Once a sum is so large that a term is less than
    half the gap to the next number, adding it changes nothing: the sum stagnates.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.numerics import BF16
    >>> from primer_ref.summation import naive_sum
    >>> print(naive_sum(np.ones(1000), BF16))
    256.0
    """
    x = _terms(x, format)
    total = np.zeros(x.shape[:-1])
    for term in np.moveaxis(x, -1, 0):
        total = round_to(total + term, format)
    return total


def pairwise_sum(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Add neighbors, then the sums of neighbors, and so on up a tree.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Terms: numbers of the format.
    format : FloatFormat
        The format that every addition is rounded to.

    Returns
    -------
    ndarray, shape (...)
        Sums, numbers of the format.

    Raises
    ------
    ValueError
        If there is no term, or one is not a number of the format.

    Notes
    -----
    Implements :eq:`eq-pairwise-sum`.

    Every term passes through at most :math:`\lceil \log_2 n \rceil` additions, and all additions
    of a level can be done at once.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.numerics import BF16
    >>> from primer_ref.summation import pairwise_sum
    >>> print(pairwise_sum(np.ones(1000), BF16))
    1000.0
    """
    x = _terms(x, format)
    while x.shape[-1] > 1:
        odd = x.shape[-1] % 2
        x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, odd)])  # adding 0 is exact
        x = round_to(x[..., ::2] + x[..., 1::2], format)
    return np.asarray(x[..., 0])


def kahan_sum(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Carry what each addition loses into the next term.

    With the sum s and the carry c: :math:`y = x_i - c`, :math:`s' = s + y`,
    :math:`c' = (s' - s) - y`, every operation rounded.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Terms: numbers of the format.
    format : FloatFormat
        The format that every operation is rounded to.

    Returns
    -------
    ndarray, shape (...)
        Sums, numbers of the format.

    Raises
    ------
    ValueError
        If there is no term, or one is not a number of the format.

    Notes
    -----
    Implements :eq:`eq-kahan-sum`.

    The error is at most :math:`2u \sum_i \abs{x_i} + O(nu^2) \sum_i \abs{x_i}`: two roundings
    while n is well below 1/u. While the sum stands still, the carry is a naive sum; terms below
    about :math:`u^2` times the sum no longer change it, and both stagnate. The carry is exact as
    long as no term is larger than the sum so far; `compensated_sum` does not need that. Weights
    kept in 16 bits are updated in this way where no copy in 32 bits is held: the carry is one more
    number of 16 bits a weight.

    References
    ----------
    D. Goldberg (1991), What Every Computer Scientist Should Know About Floating-Point Arithmetic,
    theorem 8.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.numerics import BF16
    >>> from primer_ref.summation import kahan_sum
    >>> print(kahan_sum(np.ones(1000), BF16))
    1000.0
    """
    x = _terms(x, format)
    total, carry = np.zeros(x.shape[:-1]), np.zeros(x.shape[:-1])
    for term in np.moveaxis(x, -1, 0):
        corrected = round_to(term - carry, format)
        new = round_to(total + corrected, format)
        carry = round_to(round_to(new - total, format) - corrected, format)
        total = new
    return total


def compensated_sum(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Add up apart what the additions lose, and put it back at the end.

    The loss of :math:`t = \operatorname{fl}(a + b)` with :math:`\abs{a} \ge \abs{b}` is
    :math:`b - (t - a)`, and both subtractions are exact.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Terms: numbers of the format.
    format : FloatFormat
        The format that every operation is rounded to.

    Returns
    -------
    ndarray, shape (...)
        Sums, numbers of the format.

    Raises
    ------
    ValueError
        If there is no term, or one is not a number of the format.

    Notes
    -----
    Implements :eq:`eq-compensated-sum`.

    Sum and losses together hold the exact sum at every step; only the losses, a factor u smaller,
    are added with errors. While n is well below 1/u, the result is about as good as one computed
    in twice the precision and rounded once; beyond, the losses stagnate as a naive sum does.

    References
    ----------
    A. Neumaier (1974), Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen.

    Examples
    --------
    >>> from primer_ref.numerics import FP64
    >>> from primer_ref.summation import compensated_sum, kahan_sum
    >>> terms = [1.0, 1e100, 1.0, -1e100]
    >>> print(compensated_sum(terms, FP64), kahan_sum(terms, FP64))
    2.0 0.0
    """
    x = _terms(x, format)
    total, losses = np.zeros(x.shape[:-1]), np.zeros(x.shape[:-1])
    for term in np.moveaxis(x, -1, 0):
        new = round_to(total + term, format)
        swap = np.abs(term) > np.abs(total)
        large, small = np.where(swap, term, total), np.where(swap, total, term)
        loss = round_to(small - round_to(new - large, format), format)
        losses = round_to(losses + loss, format)
        total = new
    return round_to(total + losses, format)


def naive_sum_bound(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Bound the error of `naive_sum`, :math:`\gamma_{n-1} \sum_i \abs{x_i}`.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Terms: numbers of the format.
    format : FloatFormat
        The format of the additions.

    Returns
    -------
    ndarray, shape (...)
        What the computed sum differs from the exact one by at most; infinite, and so without
        meaning, where :math:`(n-1)u \ge 1`. Overflow is left out.

    Raises
    ------
    ValueError
        If there is no term, or one is not a number of the format.

    Notes
    -----
    Implements :eq:`eq-naive-bound`.

    References
    ----------
    N. J. Higham (1993), The Accuracy of Floating Point Summation.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.numerics import FP32
    >>> from primer_ref.summation import naive_sum_bound
    >>> print(f"{naive_sum_bound(np.ones(1000), FP32):.2e}")
    5.95e-02
    """
    x = _terms(x, format)
    return np.asarray(_gamma(x.shape[-1] - 1, format) * np.sum(np.abs(x), axis=-1))


def pairwise_sum_bound(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Bound the error of `pairwise_sum`, :math:`\gamma_{\lceil\log_2 n\rceil} \sum_i \abs{x_i}`.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Terms: numbers of the format.
    format : FloatFormat
        The format of the additions.

    Returns
    -------
    ndarray, shape (...)
        What the computed sum differs from the exact one by at most.

    Raises
    ------
    ValueError
        If there is no term, or one is not a number of the format.

    Notes
    -----
    Implements :eq:`eq-pairwise-bound`.

    References
    ----------
    N. J. Higham (1993), The Accuracy of Floating Point Summation.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.numerics import FP32
    >>> from primer_ref.summation import pairwise_sum_bound
    >>> print(f"{pairwise_sum_bound(np.ones(1000), FP32):.2e}")
    5.96e-04
    """
    x = _terms(x, format)
    levels = (x.shape[-1] - 1).bit_length()
    return np.asarray(_gamma(levels, format) * np.sum(np.abs(x), axis=-1))


def compensated_sum_bound(x: ArrayLike, format: FloatFormat) -> Doubles:
    r"""Bound the error of `compensated_sum`, :math:`u \abs{s} + \gamma_{n-1}^2 \sum_i \abs{x_i}`.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Terms: numbers of the format.
    format : FloatFormat
        The format of the operations.

    Returns
    -------
    ndarray, shape (...)
        What the computed sum differs from the exact one, s, by at most. The first part is what
        rounding the exact sum may cost.

    Raises
    ------
    ValueError
        If there is no term, or one is not a number of the format.

    Notes
    -----
    Implements :eq:`eq-compensated-bound`.

    The losses are at most :math:`\gamma_{n-1} \sum_i \abs{x_i}` together, and adding them loses
    at most :math:`\gamma_{n-2}` of that.

    References
    ----------
    T. Ogita, S. M. Rump and S. Oishi (2005), Accurate Sum and Dot Product.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.numerics import FP32
    >>> from primer_ref.summation import compensated_sum_bound
    >>> print(f"{compensated_sum_bound(np.ones(1000), FP32):.2e}")
    6.32e-05
    """
    x = _terms(x, format)
    exact = np.apply_along_axis(math.fsum, -1, x)
    rest = _gamma(x.shape[-1] - 1, format) ** 2 * np.sum(np.abs(x), axis=-1)
    return np.asarray(format.unit_roundoff * np.abs(exact) + rest)
