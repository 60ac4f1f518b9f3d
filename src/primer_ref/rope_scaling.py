"""Rules that stretch rotary frequencies, so that a model reads more tokens than it was trained on.

Each rule takes frequencies to frequencies and slows the slowest pair by the factor of the
extension, the rules by parts if it turns at most ``slow`` times within the trained context.
Interpolation and the rules by parts slow all slow pairs so, and their angles stay inside the range
that training covered; a change of base slows the other slow pairs by less, and they leave that
range. The rules differ also in what becomes of the fast pairs, which have turned round many times
within the trained context. Whether a model then reads longer texts well is a matter of measurement,
not of these formulas.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_positive
from primer_ref.functional import as_floats

__all__ = [
    "by_parts",
    "dynamic_ntk",
    "interpolate_positions",
    "llama3_frequencies",
    "ntk_aware",
    "ntk_base",
    "yarn_attention_scale",
    "yarn_frequencies",
]

Floats = NDArray[np.floating[Any]]


def _frequencies(frequencies: ArrayLike) -> Floats:
    frequencies = as_floats(frequencies)
    if frequencies.ndim != 1 or frequencies.size < 2 or not np.all(frequencies > 0):
        raise ValueError(
            f"frequencies must be at least two positive numbers; got {frequencies.tolist()}"
        )
    return frequencies


def _check_factor(factor: float) -> None:
    if not 1 <= factor < math.inf:
        raise ValueError(f"factor must be at least 1 and finite; got {factor}")


def _check_ramp(fast: float, slow: float) -> None:
    if not fast > slow > 0:
        raise ValueError(f"fast must be above slow, and slow positive; got {fast} and {slow}")


def interpolate_positions(frequencies: ArrayLike, *, factor: float) -> Floats:
    r"""Position interpolation: slow every pair alike, :math:`\theta_i / f`.

    Parameters
    ----------
    frequencies : array_like, shape (D / 2,)
        Radians a position.
    factor : float
        How many times longer the context shall be, f ≥ 1.

    Returns
    -------
    ndarray, shape (D / 2,)
        Radians a position.

    Raises
    ------
    ValueError
        If the factor is below 1 or there are no two positive frequencies.

    Notes
    -----
    Implements :eq:`eq-position-interpolation`.

    The same as dividing every position by f: no angle lies outside the trained range, and neighbors
    stand f times closer together than they did in training.

    References
    ----------
    S. Chen, S. Wong, L. Chen and Y. Tian (2023), Extending Context Window of Large Language Models
    via Positional Interpolation.

    Examples
    --------
    >>> from primer_ref.positions import rotary_frequencies
    >>> from primer_ref.rope_scaling import interpolate_positions
    >>> print(interpolate_positions(rotary_frequencies(8), factor=4))
    [0.25    0.025   0.0025  0.00025]
    """
    _check_factor(factor)
    return np.asarray(_frequencies(frequencies) / factor)


def ntk_base(base: float, *, factor: float, size: int) -> float:
    r"""Find the base whose slowest pair is f times slower, :math:`b\,f^{D/(D-2)}`.

    Parameters
    ----------
    base : float
        Rotary base b of the trained model.
    factor : float
        How many times longer the context shall be, f ≥ 1.
    size : int
        Head size D, even and above 2.

    Returns
    -------
    float
        The new base.

    Raises
    ------
    ValueError
        If the factor is below 1 or the head has fewer than two pairs.

    Notes
    -----
    Implements :eq:`eq-ntk-base`.

    The last pair has i = D/2 − 1, so its frequency :math:`b^{-(D-2)/D}` is divided by exactly f.
    The name that the rule goes by, NTK-aware, alludes to the theory of neural tangent kernels;
    nothing of that theory enters the formula.

    References
    ----------
    B. Peng, J. Quesnelle, H. Fan and E. Shippole (2024), YaRN: Efficient Context Window Extension
    of Large Language Models.

    Examples
    --------
    >>> from primer_ref.rope_scaling import ntk_base
    >>> print(f"{ntk_base(10000.0, factor=4, size=128):.1f}")
    40889.9
    """
    _check_factor(factor)
    if size < 4:
        raise ValueError(f"size must be at least 4, so that a pair is not the fastest; got {size}")
    return float(base * factor ** (size / (size - 2)))


def ntk_aware(frequencies: ArrayLike, *, factor: float) -> Floats:
    r"""Change of base: slow pair i by :math:`f^{2i/(D-2)}`, the first not at all, the last by f.

    Parameters
    ----------
    frequencies : array_like, shape (D / 2,)
        Radians a position.
    factor : float
        How many times longer the context shall be, f ≥ 1.

    Returns
    -------
    ndarray, shape (D / 2,)
        Radians a position.

    Raises
    ------
    ValueError
        If the factor is below 1 or there are no two positive frequencies.

    Notes
    -----
    Implements :eq:`eq-ntk`.

    On `primer_ref.positions.rotary_frequencies` this is the same as the base `ntk_base`.

    References
    ----------
    B. Peng, J. Quesnelle, H. Fan and E. Shippole (2024), YaRN: Efficient Context Window Extension
    of Large Language Models.

    Examples
    --------
    >>> from primer_ref.positions import rotary_frequencies
    >>> from primer_ref.rope_scaling import ntk_aware
    >>> print(ntk_aware(rotary_frequencies(6, base=1000.0), factor=4))
    [1.     0.05   0.0025]
    """
    _check_factor(factor)
    frequencies = _frequencies(frequencies)
    return np.asarray(frequencies * factor ** -np.linspace(0, 1, len(frequencies)))


def dynamic_ntk(frequencies: ArrayLike, *, factor: float, context: float, length: float) -> Floats:
    r"""Change of base that grows with the text, by :math:`f\,\max(T, L)/L - (f - 1)`.

    Parameters
    ----------
    frequencies : array_like, shape (D / 2,)
        Radians a position.
    factor : float
        The factor f ≥ 1 that scales the growth.
    context : float
        Trained context L in tokens.
    length : float
        Present length of the text T in tokens.

    Returns
    -------
    ndarray, shape (D / 2,)
        Radians a position; within the trained context they are what they were.

    Raises
    ------
    ValueError
        If the factor is below 1, the context not positive, the length NaN, or there are no two
        positive frequencies.

    Notes
    -----
    Implements :eq:`eq-dynamic-ntk`.

    As the frequencies change with every token, keys have to be cached before they are turned.

    Examples
    --------
    >>> from primer_ref.positions import rotary_frequencies
    >>> from primer_ref.rope_scaling import dynamic_ntk
    >>> theta = rotary_frequencies(6, base=1000.0)
    >>> print(dynamic_ntk(theta, factor=3, context=100, length=90))
    [1.   0.1  0.01]
    >>> print(dynamic_ntk(theta, factor=3, context=100, length=200))
    [1.     0.05   0.0025]
    """
    _check_factor(factor)
    check_positive(context, "context")
    if math.isnan(length):
        raise ValueError(f"length must be a number; got {length}")
    return ntk_aware(frequencies, factor=factor * max(length / context, 1) - (factor - 1))


def by_parts(
    frequencies: ArrayLike, *, factor: float, context: float, fast: float, slow: float
) -> Floats:
    r"""Interpolate by parts: keep pairs that turn often within the context, slow those that do not.

    Pair i makes :math:`r_i = L\theta_i/2\pi` turns within the trained context L. With
    :math:`\gamma` rising in a straight line from 0 at ``slow`` turns to 1 at ``fast`` turns, the
    result is :math:`\gamma(r_i)\,\theta_i + (1 - \gamma(r_i))\,\theta_i/f`.

    Parameters
    ----------
    frequencies : array_like, shape (D / 2,)
        Radians a position.
    factor : float
        How many times longer the context shall be, f ≥ 1.
    context : float
        Trained context L in tokens.
    fast : float
        Number of turns from which on a pair is left alone.
    slow : float
        Number of turns up to which a pair is slowed by the whole factor.

    Returns
    -------
    ndarray, shape (D / 2,)
        Radians a position.

    Raises
    ------
    ValueError
        If the factor is below 1, the context not positive, the ramp does not rise, or there are no
        two positive frequencies.

    Notes
    -----
    Implements :eq:`eq-by-parts`.

    The rule that the paper on YaRN states, with 32 and 1 turns, and the rule of Llama 3.1, with 4
    and 1. The code that was published with that paper has another ramp: see `yarn_frequencies`.

    References
    ----------
    B. Peng, J. Quesnelle, H. Fan and E. Shippole (2024), YaRN: Efficient Context Window Extension
    of Large Language Models.

    Examples
    --------
    >>> import math
    >>> from primer_ref.rope_scaling import by_parts
    >>> turns = [8, 4, 2.5, 1, 0.5]
    >>> theta = [2 * math.pi * r / 100 for r in turns]
    >>> print(by_parts(theta, factor=2, context=100, fast=4, slow=1) / theta)
    [1.   1.   0.75 0.5  0.5 ]
    """
    _check_factor(factor)
    check_positive(context, "context")
    _check_ramp(fast, slow)
    frequencies = _frequencies(frequencies)
    turns = context * frequencies / (2 * math.pi)
    keep = np.clip((turns - slow) / (fast - slow), 0, 1)
    return np.asarray(keep * frequencies + (1 - keep) * frequencies / factor)


def llama3_frequencies(
    frequencies: ArrayLike,
    *,
    factor: float = 8.0,
    context: float = 8192,
    fast: float = 4.0,
    slow: float = 1.0,
) -> Floats:
    """Llama 3.1's rule: `by_parts`, with the constants that were released with the model.

    Parameters
    ----------
    frequencies : array_like, shape (D / 2,)
        Radians a position.
    factor : float
        How many times longer the context shall be, f ≥ 1.
    context : float
        Trained context L in tokens.
    fast : float
        Number of turns within the context from which on a pair is left alone.
    slow : float
        Number of turns up to which a pair is slowed by the whole factor.

    Returns
    -------
    ndarray, shape (D / 2,)
        Radians a position.

    Raises
    ------
    ValueError
        As for `by_parts`.

    Notes
    -----
    Implements :eq:`eq-by-parts`.

    The released code speaks of wavelengths: at most L/4 is left alone, at least L is divided by
    the factor.

    References
    ----------
    Function ``apply_scaling`` in the repository meta-llama/llama-models.

    Examples
    --------
    >>> from primer_ref.positions import rotary_frequencies
    >>> from primer_ref.rope_scaling import llama3_frequencies
    >>> theta = rotary_frequencies(128, base=500000.0)
    >>> ratio = theta / llama3_frequencies(theta)
    >>> print((ratio == 1).sum(), ((ratio > 1) & (ratio < 8)).sum(), (ratio == 8).sum())
    29 6 29
    """
    return by_parts(frequencies, factor=factor, context=context, fast=fast, slow=slow)


def yarn_frequencies(
    frequencies: ArrayLike,
    *,
    factor: float,
    context: float,
    fast: float = 32.0,
    slow: float = 1.0,
) -> Floats:
    r"""Frequencies of YaRN as its code has them: a ramp along the number of the pair.

    Among :math:`\theta_i = \rho^i`, the pair that makes r turns within the context L has the number
    :math:`i(r) = \log_\rho(2\pi r/L)`, mostly not a whole one. Pairs up to
    :math:`\lfloor i(\beta_\text{fast})\rfloor` are left alone, pairs from
    :math:`\lceil i(\beta_\text{slow})\rceil` on are divided by the factor, and in between the two
    are mixed in proportion to i.

    Parameters
    ----------
    frequencies : array_like, shape (D / 2,)
        Radians a position, a falling geometric sequence that starts at 1.
    factor : float
        How many times longer the context shall be, f ≥ 1.
    context : float
        Trained context L in tokens.
    fast : float
        Number of turns from which on a pair is left alone, β_fast.
    slow : float
        Number of turns up to which a pair is slowed by the whole factor, β_slow.

    Returns
    -------
    ndarray, shape (D / 2,)
        Radians a position.

    Raises
    ------
    ValueError
        If the frequencies are no such sequence, the factor is below 1, the context not positive, or
        the ramp does not rise.

    Notes
    -----
    Implements :eq:`eq-yarn`.

    The paper's ramp, `by_parts`, is straight in the number of turns, which falls geometrically
    along i; so the two agree outside the ramp, if the fastest pair makes more than one turn, and
    differ within it, where this one slows pairs less, but at times for the first pair of the ramp,
    which begins at a whole number. Models were trained with this one. `yarn_attention_scale`
    belongs to it.

    References
    ----------
    B. Peng, J. Quesnelle, H. Fan and E. Shippole (2024), YaRN: Efficient Context Window Extension
    of Large Language Models; repository jquesnelle/yarn.

    Examples
    --------
    >>> from primer_ref.positions import rotary_frequencies
    >>> from primer_ref.rope_scaling import yarn_frequencies
    >>> theta = rotary_frequencies(128)
    >>> ratio = theta / yarn_frequencies(theta, factor=10, context=2048)
    >>> print(ratio[[16, 17, 40, 41]].round(3))
    [ 1.     1.037  7.353 10.   ]
    """
    _check_factor(factor)
    check_positive(context, "context")
    _check_ramp(fast, slow)
    frequencies = _frequencies(frequencies)
    numbers = np.arange(len(frequencies))
    ratio = float(frequencies[1])
    if not (ratio < 1 and np.allclose(frequencies, ratio**numbers, rtol=1e-4)):
        raise ValueError(
            "frequencies must be a falling geometric sequence from 1; "
            f"got {frequencies[0]}, {frequencies[1]}, …"
        )
    first, last = (math.log(2 * math.pi * r / context) / math.log(ratio) for r in (fast, slow))
    low, high = max(math.floor(first), 0), min(math.ceil(last), 2 * len(frequencies) - 1)
    slowed = np.clip((numbers - low) / max(high - low, 0.001), 0, 1)
    return np.asarray((1 - slowed) * frequencies + slowed * frequencies / factor)


def yarn_attention_scale(factor: float) -> float:
    r"""YaRN's scale of queries and keys, :math:`0.1\ln f + 1`.

    Parameters
    ----------
    factor : float
        How many times longer the context shall be, f ≥ 1.

    Returns
    -------
    float
        What the turned queries and keys are both multiplied by; 1 at f = 1.

    Raises
    ------
    ValueError
        If the factor is below 1.

    Notes
    -----
    Implements :eq:`eq-yarn-scale`.

    Scores are so multiplied by the square: a softmax temperature of :math:`(0.1\ln f + 1)^{-2}`,
    below 1, which sharpens the weights against the larger number of keys. The constant 0.1 was
    fitted to measurements.

    References
    ----------
    B. Peng, J. Quesnelle, H. Fan and E. Shippole (2024), YaRN: Efficient Context Window Extension
    of Large Language Models.

    Examples
    --------
    >>> from primer_ref.rope_scaling import yarn_attention_scale
    >>> print(f"{yarn_attention_scale(16):.4f}")
    1.2773
    """
    _check_factor(factor)
    return 0.1 * math.log(factor) + 1
