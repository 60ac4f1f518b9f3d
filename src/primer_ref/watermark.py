r"""A watermark in generated text: green lists, and the test that finds them.

The previous token and a secret key decide which tokens are green; writing favors them by a few
nats, reading counts them. In a text that knows nothing of the key each pair of tokens is green with
probability γ, whatever the text: that makes the count a test. How long a text it needs, and what
edits take away, `primer_ref.watermark_power` says.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative, check_share
from primer_ref.functional import as_floats

__all__ = [
    "Detection",
    "detect",
    "favor_green",
    "green_list",
    "p_value",
    "z_score",
]

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Detection:
    """What the test found.

    Attributes
    ----------
    scored : int
        Number of different pairs of neighboring tokens.
    green : int
        How many of them are green.
    z : float
        Standard deviations above what a text without watermark has.
    p_value : float
        Probability that such a text has at least this z.
    """

    scored: int
    green: int
    z: float
    p_value: float


# --- Writing and reading ---------------------------------------------------------------------


def green_list(previous: int, *, n_tokens: int, key: bytes, fraction: float) -> Bools:
    r"""Choose the green tokens after a token, by a hash of it and a secret key.

    Parameters
    ----------
    previous : int
        The token before.
    n_tokens : int
        Size V of the vocabulary.
    key : bytes
        The secret; without it green and red cannot be told apart.
    fraction : float
        Share γ of green tokens, in (0, 1).

    Returns
    -------
    ndarray of bool, shape (V,)
        True for γV tokens, rounded.

    Raises
    ------
    ValueError
        If ``fraction`` is not between 0 and 1, or leaves no token green or none red, or the token
        before is none.

    Notes
    -----
    Every token gets 64 bits of SHAKE-256 of key and previous token, and the γV smallest are green:
    the same lists on every machine.

    Examples
    --------
    >>> from primer_ref.watermark import green_list
    >>> lists = [green_list(v, n_tokens=10, key=b"k", fraction=0.5) for v in (7, 7, 8)]
    >>> [int(green.sum()) for green in lists], bool((lists[0] == lists[1]).all())
    ([5, 5, 5], True)
    """
    check_share(fraction, "fraction")
    n_green = round(fraction * n_tokens)
    if not 0 < n_green < n_tokens:
        raise ValueError(f"some tokens must be green and some red; got {n_green} of {n_tokens}")
    if np.asarray(previous).dtype.kind not in "iu" or not 0 <= previous < 2**64:
        raise ValueError(f"previous must be a token, of 64 bits at most; got {previous!r:.60}")
    stream = hashlib.shake_256(key + int(previous).to_bytes(8, "little")).digest(8 * n_tokens)
    value = np.frombuffer(stream, "<u8")
    green: Bools = value <= np.partition(value, n_green - 1)[n_green - 1]
    return green


def favor_green(logits: ArrayLike, green: ArrayLike, *, bias: float) -> Floats:
    r"""Add δ to the logits of the green tokens.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Scores of the next token.
    green : array_like of bool, shape (V,)
        What `green_list` returned for the token before.
    bias : float
        δ, in nats, at least 0.

    Returns
    -------
    ndarray, shape (..., V)
        New logits: the odds of a green token against a red one grow by the factor
        :math:`e^\delta`.

    Raises
    ------
    ValueError
        If the bias is negative.

    Notes
    -----
    Implements :eq:`eq-favor-green`.

    References
    ----------
    J. Kirchenbauer, J. Geiping, Y. Wen, J. Katz, I. Miers and T. Goldstein (2023), A Watermark for
    Large Language Models.

    Examples
    --------
    >>> from primer_ref.watermark import favor_green
    >>> print(favor_green([1.0, 1.0, 0.0], [True, False, True], bias=2.0))
    [3. 1. 2.]
    """
    s = as_floats(logits)
    check_nonnegative(bias, "bias")
    return np.where(green, s + bias, s)


def detect(tokens: Sequence[int], *, n_tokens: int, key: bytes, fraction: float) -> Detection:
    r"""Test whether a text carries a watermark.

    Parameters
    ----------
    tokens : sequence of int
        The text.
    n_tokens : int
        Size V of the vocabulary.
    key : bytes
        The secret that the text may have been written with.
    fraction : float
        Share γ of green tokens.

    Returns
    -------
    Detection
        Counts, z and p-value.

    Raises
    ------
    ValueError
        If a token is not from 0 to V − 1, there is no pair, or ``fraction`` is not between 0
        and 1.
    TypeError
        If tokens are not integers.

    Notes
    -----
    A pair that comes again is green again: it is no further evidence, and counted once. Counted
    every time it would make repetitive texts seem watermarked far more often than the p-value says.

    References
    ----------
    J. Kirchenbauer, J. Geiping, Y. Wen, J. Katz, I. Miers and T. Goldstein (2023), A Watermark for
    Large Language Models.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.watermark import detect, green_list
    >>> text = [3]
    >>> for _ in range(30):  # always the first green token
    ...     green = green_list(text[-1], n_tokens=1000, key=b"secret", fraction=0.5)
    ...     text.append(int(np.argmax(green)))
    >>> found = detect(text, n_tokens=1000, key=b"secret", fraction=0.5)
    >>> found.green == found.scored, detect(text, n_tokens=1000, key=b"other", fraction=0.5).z < 2
    (True, True)
    """
    numbers = np.asarray(tokens)
    if numbers.size and numbers.dtype.kind not in "iu":
        raise TypeError(f"tokens must be integers; got entries of type {numbers.dtype}")
    wrong = (numbers < 0) | (numbers >= n_tokens)
    if np.any(wrong):
        raise ValueError(f"tokens must be from 0 to {n_tokens - 1}; got {numbers[wrong][0]}")
    following: dict[int, set[int]] = defaultdict(set)
    for previous, token in pairwise(numbers.tolist()):
        following[previous].add(token)
    green = 0
    for previous, after in following.items():
        listed = green_list(previous, n_tokens=n_tokens, key=key, fraction=fraction)
        green += int(np.sum(listed[list(after)]))
    scored = sum(len(after) for after in following.values())
    z = z_score(green, scored, fraction=fraction)
    return Detection(scored, green, z, p_value(z))


# --- The test --------------------------------------------------------------------------------


def z_score(green: int, n: int, *, fraction: float) -> float:
    r"""Standardize a count of green tokens, :math:`(k - \gamma n) / \sqrt{n \gamma (1 - \gamma)}`.

    Parameters
    ----------
    green : int
        How many are green.
    n : int
        Of how many, at least 1.
    fraction : float
        Probability γ that one is green without a watermark.

    Returns
    -------
    float
        Standard deviations.

    Raises
    ------
    ValueError
        If ``green`` is not from 0 to ``n``, ``n`` is below 1, or ``fraction`` is not between 0
        and 1.

    Notes
    -----
    Implements :eq:`eq-watermark-z`.

    Examples
    --------
    >>> from primer_ref.watermark import z_score
    >>> z_score(16, 16, fraction=0.5)
    4.0
    """
    check_share(fraction, "fraction")
    if not (0 <= green <= n and n > 0):
        raise ValueError(f"green must be from 0 to n, and n at least 1; got {green} and {n}")
    return (green - fraction * n) / math.sqrt(n * fraction * (1 - fraction))


def p_value(z: float) -> float:
    r"""Probability that a standard normal number is at least z.

    It is :math:`\tfrac12 \operatorname{erfc}(z/\sqrt2)`.

    Parameters
    ----------
    z : float
        Standard deviations.

    Returns
    -------
    float
        Accurate far into the tail. For a count of few tokens the normal law is a rough guide:
        16 of 16 green has the exact probability :math:`2^{-16}`, half of what z = 4 says.

    Notes
    -----
    Implements :eq:`eq-watermark-p`.

    Examples
    --------
    >>> from primer_ref.watermark import p_value
    >>> print(f"{p_value(4):.3g} {p_value(10):.3g}")
    3.17e-05 7.62e-24
    """
    return math.erfc(z / math.sqrt(2)) / 2
