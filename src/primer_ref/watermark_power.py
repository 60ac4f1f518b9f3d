r"""What a watermark can do: how green it makes a text, how long a text it needs, what edits remove.

Pairs of tokens are taken to be green independently of one another, each with probability g under
the watermark and γ without it, and counts to be normal.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative, check_probability, check_share
from primer_ref.information import distribution
from primer_ref.watermark import p_value

__all__ = [
    "detection_power",
    "expected_z",
    "green_after_edits",
    "green_floor",
    "green_probability",
    "tokens_needed",
]

Floats = NDArray[np.floating[Any]]


def green_probability(p: ArrayLike, green: ArrayLike, *, bias: float) -> Floats:
    r"""Probability of a green token under a watermark, :math:`e^\delta G / (1 + (e^\delta - 1) G)`.

    Parameters
    ----------
    p : array_like, shape (..., V)
        The model's law of the next token.
    green : array_like of bool, shape (..., V)
        The green tokens, of probability G without the watermark.
    bias : float
        δ, in nats, at least 0.

    Returns
    -------
    ndarray, shape (...)
        At least G. Where the model is sure of the next token, G is 0 or 1 and δ changes nothing.

    Raises
    ------
    ValueError
        If a row is not a distribution, or the bias is negative.

    Notes
    -----
    Implements :eq:`eq-green-probability`.

    Examples
    --------
    >>> from primer_ref.watermark_power import green_probability
    >>> print(f"{green_probability([0.5, 0.25, 0.25], [False, True, True], bias=2.0):.4f}")
    0.8808
    >>> print(f"{green_probability([0.98, 0.01, 0.01], [False, True, True], bias=2.0):.4f}")
    0.1310
    """
    p = distribution(p)
    check_nonnegative(bias, "bias")
    share = np.sum(np.where(green, p, 0), axis=-1)
    # Divided by exp(δ), so that no bias overflows; where nothing is green, a bias changes nothing.
    total = np.where(share > 0, share + (1 - share) * math.exp(-bias), 1)
    return np.asarray(share / total)


def green_floor(p: ArrayLike, *, fraction: float, bias: float) -> Floats:
    r"""Bound the probability of a green token, over random green lists, from below.

    With :math:`\alpha = e^\delta`,

    .. math::
        \frac{\gamma \alpha}{1 + (\alpha - 1)\gamma} \sum_v \frac{p_v}{1 + \zeta p_v} ,
        \qquad \zeta = \frac{(1 - \gamma)(\alpha - 1)}{1 + (\alpha - 1)\gamma} .

    Parameters
    ----------
    p : array_like, shape (..., V)
        The model's law of the next token.
    fraction : float
        Share γ of green tokens.
    bias : float
        δ, in nats, at least 0.

    Returns
    -------
    ndarray, shape (...)
        From γ, where the model is sure of the next token, to nearly
        :math:`\gamma\alpha / (1 + (\alpha - 1)\gamma)`, where no token is likely.

    Raises
    ------
    ValueError
        If a row is not a distribution, the bias is negative, or ``fraction`` is not between 0
        and 1.

    Notes
    -----
    Token v is green with probability γ, and then drawn with probability α p_v / (1 + (α − 1)G).
    Given that v is green, G has at most the mean p_v + γ(1 − p_v); Jensen's inequality for the
    convex function 1/(1 + (α − 1)G) gives the bound. The sum is the spike entropy of p.

    Implements :eq:`eq-green-floor`.

    References
    ----------
    J. Kirchenbauer, J. Geiping, Y. Wen, J. Katz, I. Miers and T. Goldstein (2023), A Watermark for
    Large Language Models.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.watermark_power import green_floor
    >>> print(green_floor([np.full(4, 0.25), [1, 0, 0, 0]], fraction=0.5, bias=2.0).round(4))
    [0.7399 0.5   ]
    """
    p = distribution(p)
    check_share(fraction, "fraction")
    check_nonnegative(bias, "bias")
    red = math.exp(-bias)  # all divided by exp(δ), so that no bias overflows
    scale = red + (1 - red) * fraction
    spike = np.sum(p / (1 + (1 - fraction) * (1 - red) / scale * p), axis=-1)
    return np.asarray(fraction / scale * spike)


def green_after_edits(green: float, *, fraction: float, edited: float) -> float:
    r"""Compute what replacing tokens leaves, :math:`\gamma + (1-\varepsilon)^2 (g-\gamma)`.

    Parameters
    ----------
    green : float
        Probability g that a pair was green.
    fraction : float
        Share γ of green tokens.
    edited : float
        Share ε of tokens replaced, at random and by tokens that know nothing of the key.

    Returns
    -------
    float
        A pair is whole only if neither of its two tokens was replaced; else it is green with
        probability γ.

    Raises
    ------
    ValueError
        If a number is not a probability.

    Notes
    -----
    Implements :eq:`eq-green-edits`.

    Examples
    --------
    >>> from primer_ref.watermark_power import green_after_edits
    >>> print(f"{green_after_edits(0.8, fraction=0.5, edited=0.3):.3f}")
    0.647
    """
    for name, value in (("green", green), ("edited", edited)):
        check_probability(value, name)
    check_share(fraction, "fraction")
    return fraction + (1 - edited) ** 2 * (green - fraction)


def expected_z(n: int, *, green: float, fraction: float) -> float:
    r"""Mean z of a watermarked text, :math:`\sqrt{n}\,(g - \gamma) / \sqrt{\gamma(1 - \gamma)}`.

    Parameters
    ----------
    n : int
        Number of pairs.
    green : float
        Probability g that a pair is green.
    fraction : float
        Share γ of green tokens.

    Returns
    -------
    float
        Standard deviations; they grow as the root of the length.

    Raises
    ------
    ValueError
        If ``n`` is below 1, or a share is not between 0 and 1.

    Notes
    -----
    Implements :eq:`eq-watermark-mean-z`.

    Examples
    --------
    Editing 30 % of the tokens costs about half of z:

    >>> from primer_ref.watermark_power import expected_z, green_after_edits
    >>> for edited in (0.0, 0.3):
    ...     green = green_after_edits(0.8, fraction=0.5, edited=edited)
    ...     print(f"{expected_z(200, green=green, fraction=0.5):.2f}")
    8.49
    4.16
    """
    check_share(green, "green")
    return (green - fraction) / _deviation(n, fraction)


def _deviation(n: int, fraction: float) -> float:
    """Compute the standard deviation of the share of green pairs in n without a watermark."""
    check_share(fraction, "fraction")
    if n < 1:
        raise ValueError(f"n must be at least 1; got {n}")
    return math.sqrt(fraction * (1 - fraction) / n)


def detection_power(n: int, *, green: float, fraction: float, threshold: float) -> float:
    r"""Probability that a watermark is found.

    .. math::
        \Phi\!\left( \frac{\sqrt{n}\,(g - \gamma) - z^* \sqrt{\gamma(1 - \gamma)}}
            {\sqrt{g(1 - g)}} \right)

    Parameters
    ----------
    n : int
        Number of pairs.
    green : float
        Probability g that a pair is green, each independently.
    fraction : float
        Share γ of green tokens.
    threshold : float
        The z\* from which on a text is called watermarked.

    Returns
    -------
    float
        1 less the rate of misses. With g = γ it is the rate of false alarms, the p-value of z\*.

    Raises
    ------
    ValueError
        If ``n`` is below 1, or a share is not between 0 and 1.

    Notes
    -----
    Implements :eq:`eq-watermark-power`.

    Examples
    --------
    >>> from primer_ref.watermark_power import detection_power
    >>> for n in (25, 50, 100, 200):
    ...     print(n, f"{detection_power(n, green=0.75, fraction=0.5, threshold=4):.3f}")
    25 0.042
    50 0.296
    100 0.876
    200 1.000
    """
    check_share(green, "green")
    above = green - fraction - threshold * _deviation(n, fraction)
    return p_value(-above / math.sqrt(green * (1 - green) / n))


def tokens_needed(*, green: float, fraction: float, threshold: float, power: float) -> float:
    r"""Length at which a watermark is found with a given probability.

    .. math::
        \left( \frac{z^* \sqrt{\gamma(1-\gamma)} + \Phi^{-1}(\text{power}) \sqrt{g(1-g)}}
            {g - \gamma} \right)^2

    Parameters
    ----------
    green : float
        Probability g > γ that a pair is green.
    fraction : float
        Share γ of green tokens.
    threshold : float
        The z\* from which on a text is called watermarked, above 0.
    power : float
        Probability with which it is to be found, at least ½.

    Returns
    -------
    float
        Number of pairs: it grows as the inverse square of g − γ.

    Raises
    ------
    ValueError
        If g is not above γ, a share is not between 0 and 1, the threshold is not positive, or the
        power is not in [½, 1).

    Notes
    -----
    Implements :eq:`eq-watermark-tokens`.

    Examples
    --------
    >>> from primer_ref.watermark_power import tokens_needed
    >>> for green in (0.9, 0.7, 0.6):
    ...     print(f"{tokens_needed(green=green, fraction=0.5, threshold=4, power=0.95):.0f}")
    39
    190
    787
    """
    check_share(green, "green")
    null = _deviation(1, fraction)
    if not (green > fraction and threshold > 0 and 0.5 <= power < 1):
        raise ValueError(
            "a watermark must raise green above fraction, threshold be above 0 and power in "
            f"[0.5, 1); got {green}, {fraction}, {threshold} and {power}"
        )
    alternative = NormalDist().inv_cdf(power) * math.sqrt(green * (1 - green))
    return ((threshold * null + alternative) / (green - fraction)) ** 2
