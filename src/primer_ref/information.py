"""Surprisal, entropy, divergence and code lengths of finite distributions.

What must be a distribution is checked, and the message says what is wrong; nothing is repaired.
Throughout, 0 · log 0 counts as 0, its limit. Logarithms are natural (nats) unless a ``base`` is
given; base 2 measures in bits, as do bits per byte and the lengths of codewords.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats

__all__ = [
    "bits_per_byte",
    "conditional_entropy",
    "cross_entropy",
    "distribution",
    "entropy",
    "entropy_rate",
    "guessing_bounds",
    "kl_divergence",
    "kraft_sum",
    "mutual_information",
    "perplexity",
    "probabilities",
    "shannon_code_lengths",
    "surprisal",
    "surviving_mass",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


def probabilities(p: ArrayLike, name: str = "p") -> Floats:
    """Read numbers of which each is a probability by itself, or say which one is none.

    Parameters
    ----------
    p : array_like, shape (...)
        Numbers in [0, 1]; they need not sum to 1, as those of a `distribution` must.
    name : str
        What the caller calls them; the message begins with it.

    Returns
    -------
    ndarray, shape (...)
        The probabilities as floats, none of them changed.

    Raises
    ------
    ValueError
        If an entry is not in [0, 1].

    Examples
    --------
    >>> from primer_ref.information import probabilities
    >>> print(probabilities([0.9, 0.9]))
    [0.9 0.9]
    >>> probabilities([0.9, 1.1], "shares")
    Traceback (most recent call last):
        ...
    ValueError: shares must hold probabilities in [0, 1]; got 1.1
    """
    p = as_floats(p)
    bad = ~((p >= 0) & (p <= 1))  # written so that NaN is bad
    if np.any(bad):
        raise ValueError(f"{name} must hold probabilities in [0, 1]; got {p[bad][0]}")
    return p


def distribution(p: ArrayLike, name: str = "p", *, axes: int = 1) -> Floats:
    """Read distributions, or say why they are none; nothing is repaired.

    Parameters
    ----------
    p : array_like, shape (..., V)
        Probabilities, which sum to 1 over the last axis, or over the last ``axes`` together.
    name : str
        What the caller calls it; the message begins with it.
    axes : int
        Number of axes, from the last, that one distribution takes: 2 for a joint one.

    Returns
    -------
    ndarray, shape (..., V)
        The probabilities as floats, none of them changed.

    Raises
    ------
    ValueError
        If there is no outcome, an entry is negative or not finite, or a sum is not 1.

    Notes
    -----
    A sum may be off by the square root of the type's spacing at 1: 1.5e-8 in float64, 3.5e-4 in
    float32.

    Examples
    --------
    >>> from primer_ref.information import distribution
    >>> print(distribution([0.5, 0.25, 0.25]))
    [0.5  0.25 0.25]
    >>> distribution([0.5, 0.25])
    Traceback (most recent call last):
        ...
    ValueError: p must sum to 1; got a sum of 0.75
    """
    p = as_floats(p)
    if p.ndim < axes or 0 in p.shape[-axes:]:
        raise ValueError(f"{name} must have at least one outcome; got shape {p.shape}")
    bad = ~(p >= 0) | np.isinf(p)
    if np.any(bad):
        raise ValueError(f"{name} must be finite and nonnegative; got {p[bad][0]}")
    # Half of the digits of the type: wide enough for a softmax over a large vocabulary,
    # narrow enough to catch probabilities that were rounded for print.
    total = np.sum(p, axis=tuple(range(-axes, 0)))
    off = np.abs(total - 1) > math.sqrt(np.finfo(p.dtype).eps)
    if np.any(off):
        raise ValueError(f"{name} must sum to 1; got a sum of {total[off][0]}")
    return p


def _unit(base: float) -> float:
    """Nats in one unit of the logarithm to this base."""
    if not base > 1:
        raise ValueError(f"base must be greater than 1; got {base}")
    return math.log(base)


def _xlogy(x: Floats, y: Floats) -> Floats:
    """Multiply x by log y, with 0 · log 0 = 0 and x · log 0 = −∞ for x > 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x == 0, np.zeros_like(x), x * np.log(y))


def _relative(p: Floats, *parts: Floats) -> Floats:
    """Multiply p by the logarithm of p divided by each part in turn, with 0 · log 0 = 0.

    The logarithm is taken of the quotient, which keeps small sums of such terms accurate; or of
    each part by itself where the quotient exceeds the largest float.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio, apart = p, np.log(p)
        for part in parts:
            ratio, apart = ratio / part, apart - np.log(part)
        log_ratio = np.where(np.isinf(ratio), apart, np.log(ratio))
        return np.where(p == 0, np.zeros_like(p), p * log_ratio)


def surprisal(p: ArrayLike, *, base: float = math.e) -> Floats:
    r"""Information in an outcome of probability p, :math:`-\log p`.

    Parameters
    ----------
    p : array_like, shape (...)
        Probabilities of outcomes (they need not sum to 1: each is a case of its own).
    base : float
        Base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    ndarray, shape (...)
        Surprisals in nats (or units of ``base``); infinite where ``p`` is 0.

    Raises
    ------
    ValueError
        If an entry is not in [0, 1], or the base is not greater than 1.

    Notes
    -----
    Implements :eq:`eq-surprisal`.

    Examples
    --------
    >>> from primer_ref.information import surprisal
    >>> print(surprisal([0.5, 0.25, 0.0], base=2))
    [ 1.  2. inf]
    """
    p = probabilities(p)
    with np.errstate(divide="ignore"):
        # Adding 0 turns the −0 of a certain event into 0.
        return np.asarray(-np.log(p) / _unit(base) + 0)


def entropy(p: ArrayLike, *, base: float = math.e) -> Floats:
    r"""Mean surprisal of a distribution, :math:`-\sum_v p_v \log p_v`.

    Parameters
    ----------
    p : array_like, shape (..., V)
        Distributions along the last axis.
    base : float
        Base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    ndarray, shape (...)
        Entropies in nats (or units of ``base``), between 0 and log V.

    Raises
    ------
    ValueError
        If a row is not a distribution, or the base is not greater than 1.

    Notes
    -----
    Implements :eq:`eq-entropy`.

    References
    ----------
    C. E. Shannon (1948), A Mathematical Theory of Communication, section 6.

    Examples
    --------
    >>> from primer_ref.information import entropy
    >>> float(entropy([0.5, 0.25, 0.125, 0.125], base=2))
    1.75
    """
    p = distribution(p)
    return np.asarray(-np.sum(_xlogy(p, p), axis=-1) / _unit(base) + 0)


def cross_entropy(p: ArrayLike, q: ArrayLike, *, base: float = math.e) -> Floats:
    r"""Mean surprisal under q of outcomes drawn from p, :math:`-\sum_v p_v \log q_v`.

    Parameters
    ----------
    p : array_like, shape (..., V)
        The law the outcomes follow.
    q : array_like, shape (..., V)
        The law the observer believes; broadcasts against ``p``.
    base : float
        Base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    ndarray, shape (...)
        Cross-entropies in nats (or units of ``base``); infinite where some outcome has
        p > 0 and q = 0.

    Raises
    ------
    ValueError
        If a row of either is not a distribution, their number of outcomes differs, or the base
        is not greater than 1.

    Notes
    -----
    Implements :eq:`eq-cross-entropy`.

    Examples
    --------
    >>> from primer_ref.information import cross_entropy
    >>> float(cross_entropy([0.5, 0.5], [0.25, 0.75], base=2).round(4))
    1.2075
    >>> float(cross_entropy([0.5, 0.5], [1.0, 0.0]))
    inf
    """
    p, q = _pair(p, q)
    return np.asarray(-np.sum(_xlogy(p, q), axis=-1) / _unit(base) + 0)


def kl_divergence(p: ArrayLike, q: ArrayLike, *, base: float = math.e) -> Floats:
    r"""Extra surprisal of believing q when p is true, :math:`\sum_v p_v \log (p_v / q_v)`.

    Parameters
    ----------
    p : array_like, shape (..., V)
        The law the outcomes follow.
    q : array_like, shape (..., V)
        The law the observer believes; broadcasts against ``p``.
    base : float
        Base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    ndarray, shape (...)
        Divergences in nats (or units of ``base``): 0 exactly when p = q; infinite where some
        outcome has p > 0 and q = 0. Rounding may leave a tiny negative value.

    Raises
    ------
    ValueError
        If a row of either is not a distribution, their number of outcomes differs, or the base
        is not greater than 1.

    Notes
    -----
    Outcomes with p = 0 contribute 0, also where q = 0. The logarithm is taken of p/q rather than
    of p and q apart, which keeps small divergences accurate, unless p/q exceeds the largest float.

    Implements :eq:`eq-kl`.

    References
    ----------
    S. Kullback and R. A. Leibler (1951), On Information and Sufficiency.

    Examples
    --------
    >>> from primer_ref.information import kl_divergence
    >>> p, q = [0.5, 0.5], [0.9, 0.1]
    >>> print(f"{kl_divergence(p, q):.4f} one way, {kl_divergence(q, p):.4f} the other")
    0.5108 one way, 0.3681 the other
    """
    p, q = _pair(p, q)
    return np.asarray(np.sum(_relative(p, q), axis=-1) / _unit(base) + 0)


def _pair(p: ArrayLike, q: ArrayLike) -> tuple[Floats, Floats]:
    p, q = distribution(p), distribution(q, "q")
    if p.shape[-1] != q.shape[-1]:
        raise ValueError(
            f"p and q must have the same outcomes; got {p.shape[-1]} and {q.shape[-1]}"
        )
    shape = np.broadcast_shapes(p.shape, q.shape)
    return np.broadcast_to(p, shape), np.broadcast_to(q, shape)


def conditional_entropy(joint: ArrayLike, *, base: float = math.e) -> Floats:
    r"""Entropy left in Y when X is known, averaged over X.

    Parameters
    ----------
    joint : array_like, shape (..., I, J)
        Joint probabilities of (X, Y): entry (i, j) is P(X = i, Y = j).
    base : float
        Base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    ndarray, shape (...)
        H(Y | X) in nats (or units of ``base``).

    Raises
    ------
    ValueError
        If the last two axes do not hold a joint distribution, or the base is not greater than 1.

    Notes
    -----
    Implements :eq:`eq-conditional-entropy`.

    Examples
    --------
    >>> from primer_ref.information import conditional_entropy
    >>> float(conditional_entropy([[0.5, 0.0], [0.25, 0.25]], base=2))  # mean of 0 and 1 bit
    0.5
    """
    joint = distribution(joint, "joint", axes=2)
    p_x = np.broadcast_to(np.sum(joint, axis=-1, keepdims=True), joint.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        given = joint / p_x
    return np.asarray(-np.sum(_xlogy(joint, given), axis=(-2, -1)) / _unit(base) + 0)


def mutual_information(joint: ArrayLike, *, base: float = math.e) -> Floats:
    r"""Divergence of a joint law from the product of its margins: what X tells about Y.

    Parameters
    ----------
    joint : array_like, shape (..., I, J)
        Joint probabilities of (X, Y): entry (i, j) is P(X = i, Y = j).
    base : float
        Base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    ndarray, shape (...)
        I(X; Y) in nats (or units of ``base``): 0 exactly when X and Y are independent. Rounding
        may leave a tiny negative value.

    Raises
    ------
    ValueError
        If the last two axes do not hold a joint distribution, or the base is not greater than 1.

    Notes
    -----
    Implements :eq:`eq-mutual-information`.

    Examples
    --------
    >>> from primer_ref.information import mutual_information
    >>> float(mutual_information([[0.5, 0.0], [0.0, 0.5]], base=2))
    1.0
    """
    joint = distribution(joint, "joint", axes=2)
    p_x, p_y = np.sum(joint, axis=-1, keepdims=True), np.sum(joint, axis=-2, keepdims=True)
    # Divided by one margin after the other: their product may underflow.
    return np.asarray(np.sum(_relative(joint, p_x, p_y), axis=(-2, -1)) / _unit(base) + 0)


def entropy_rate(transition: ArrayLike, *, base: float = math.e) -> float:
    r"""Entropy per symbol of the stationary Markov chain with these transition probabilities.

    Parameters
    ----------
    transition : array_like, shape (S, S)
        Row i holds the law of the next state after state i.
    base : float
        Base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    float
        Nats (or units of ``base``) per symbol.

    Raises
    ------
    ValueError
        If the matrix is not square, a row is not a distribution, the chain has more than one
        stationary law (its rate then depends on where it starts), or the base is not greater
        than 1.

    Notes
    -----
    The stationary law π solves π P = π, Σ π = 1: linear equations, solved by least squares.

    Implements :eq:`eq-markov-rate`.

    Examples
    --------
    >>> from primer_ref.information import entropy_rate
    >>> print(f"{entropy_rate([[0.9, 0.1], [0.4, 0.6]], base=2):.4f} bits a symbol")
    0.5694 bits a symbol
    """
    transition = distribution(transition, "transition")
    n = transition.shape[-1]
    if transition.shape != (n, n):
        raise ValueError(f"transition must be a square matrix; got shape {transition.shape}")
    system = np.vstack([transition.T - np.eye(n), np.ones(n)])
    stationary, _, rank, _ = np.linalg.lstsq(system, np.r_[np.zeros(n), 1.0], rcond=None)
    if rank < n:
        raise ValueError(f"transition must have one stationary law; it has {n - rank + 1}")
    return float(stationary @ entropy(transition, base=base))


def perplexity(log_probs: ArrayLike) -> float:
    r"""Exponential of the mean loss: the inverse geometric mean of the probabilities.

    Parameters
    ----------
    log_probs : array_like, shape (n,)
        Natural logarithms of the probabilities that the model gave to what came.

    Returns
    -------
    float
        A number of equally likely choices, at least 1; infinite if one probability was 0 or the
        number exceeds the largest float.

    Raises
    ------
    ValueError
        If there are no log-probabilities, or one is above 0 or NaN.

    Notes
    -----
    Implements :eq:`eq-perplexity`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.information import perplexity
    >>> print(f"{perplexity(np.log([0.5, 0.125])):.4f}")
    4.0000
    """
    mean_loss = -float(np.mean(_log_probs(log_probs)))
    return math.exp(mean_loss) if mean_loss < math.log(sys.float_info.max) else math.inf


def bits_per_byte(log_probs: ArrayLike, n_bytes: int) -> float:
    r"""Loss of a whole text in bits, divided by the text's size in bytes.

    Parameters
    ----------
    log_probs : array_like, shape (n,)
        Natural logarithms of the probabilities that the model gave to the text's tokens.
    n_bytes : int
        Size of the same text in bytes (UTF-8), whatever the tokens were.

    Returns
    -------
    float
        Bits per byte; infinite if one probability was 0.

    Raises
    ------
    ValueError
        If there are no log-probabilities, one is above 0 or NaN, or ``n_bytes`` is below 1.

    Notes
    -----
    Implements :eq:`eq-bits-per-byte`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.information import bits_per_byte
    >>> text = "naïve"
    >>> print(f"{bits_per_byte(np.log([0.25, 0.125]), len(text.encode())):.4f}")  # 5 bits, 6 bytes
    0.8333
    """
    if n_bytes < 1:
        raise ValueError(f"n_bytes must be at least 1; got {n_bytes}")
    return -float(np.sum(_log_probs(log_probs))) / (n_bytes * math.log(2)) + 0.0


def _log_probs(log_probs: ArrayLike) -> Floats:
    # A mean over many tokens is taken in float64 whatever the model computed in.
    log_probs = np.asarray(as_floats(log_probs), np.float64)
    if log_probs.size == 0:
        raise ValueError("log_probs must hold at least one value; got none")
    bad = ~(log_probs <= 0)
    if np.any(bad):
        raise ValueError(f"log_probs must be at most 0; got {log_probs[bad][0]}")
    return log_probs


def surviving_mass(end_probabilities: ArrayLike) -> Floats:
    r"""Probability of being still at it after each step, :math:`\prod_{s \le t}(1 - e_s)`.

    Parameters
    ----------
    end_probabilities : array_like, shape (n,)
        Probability of ending at step t, given that no earlier step ended.

    Returns
    -------
    ndarray, shape (n,)
        Entry t is the probability of not having ended by step t. Its limit, as the steps go on,
        is the mass that leaks to endless strings.

    Raises
    ------
    ValueError
        If an entry is not in [0, 1].

    Notes
    -----
    Implements :eq:`eq-survival`.

    Examples
    --------
    >>> from primer_ref.information import surviving_mass
    >>> print(surviving_mass([0.5, 0.5, 0.5]))
    [0.5   0.25  0.125]
    """
    return np.cumprod(1 - probabilities(end_probabilities, "end_probabilities"))


def guessing_bounds(rank_probabilities: ArrayLike, *, base: float = math.e) -> tuple[float, float]:
    r"""Shannon's bounds on the entropy of a symbol from the ranks at which it is guessed.

    Parameters
    ----------
    rank_probabilities : array_like, shape (V,)
        Entry i − 1 is the probability that the i-th guess is the right one.
    base : float
        Base of the logarithm: e for nats, 2 for bits.

    Returns
    -------
    lower, upper : float
        Nats (or units of ``base``). The upper bound holds for every guesser; the lower one only
        if the guesses come in order of falling true conditional probability.

    Raises
    ------
    ValueError
        If the ranks are not a distribution, or the base is not greater than 1.

    Notes
    -----
    With q falling, the lower bound is never above the upper one.

    Implements :eq:`eq-guessing-bounds`.

    References
    ----------
    C. E. Shannon (1951), Prediction and Entropy of Printed English, section 5.

    Examples
    --------
    >>> from primer_ref.information import guessing_bounds
    >>> low, high = guessing_bounds([0.8, 0.1, 0.1], base=2)
    >>> print(f"between {low:.4f} and {high:.4f} bits")
    between 0.4755 and 0.9219 bits
    """
    q = distribution(rank_probabilities, "rank_probabilities")
    i = np.arange(1, q.shape[-1] + 1)
    lower = float(np.sum(i * (q - np.append(q[1:], 0)) * np.log(i))) / _unit(base)
    return lower, float(entropy(q, base=base))


def kraft_sum(lengths: ArrayLike, *, radix: int = 2) -> float:
    r"""Share of all long strings that begin with a codeword of these lengths, if none overlap.

    Parameters
    ----------
    lengths : array_like of int, shape (V,)
        Lengths of the codewords, at least 0.
    radix : int
        Number of code symbols; 2 for bits.

    Returns
    -------
    float
        Σ radix^−length. A prefix code with these lengths exists exactly when it is at most 1.

    Raises
    ------
    ValueError
        If a length is negative or not whole, or the radix is below 2.

    Notes
    -----
    Implements :eq:`eq-kraft`.

    Examples
    --------
    >>> from primer_ref.information import kraft_sum
    >>> kraft_sum([1, 2, 3, 3]), kraft_sum([1, 1, 2])
    (1.0, 1.25)
    """
    lengths = np.asarray(lengths)
    if np.any(lengths < 0) or np.any(lengths != np.floor(lengths)):
        raise ValueError(f"lengths must be whole numbers, at least 0; got {lengths.tolist()}")
    if radix < 2:
        raise ValueError(f"radix must be at least 2; got {radix}")
    return float(np.sum(float(radix) ** -lengths.astype(np.float64)))


def shannon_code_lengths(p: ArrayLike) -> Ints:
    r"""Lengths of Shannon's code, the surprisals in bits rounded up.

    Parameters
    ----------
    p : array_like, shape (V,)
        A distribution without zeros: what cannot happen needs no codeword.

    Returns
    -------
    ndarray of int64, shape (V,)
        Codeword lengths in bits. Their mean is less than one bit above the entropy, and they
        satisfy Kraft's inequality if ``p`` sums to no more than 1, roundings included.

    Raises
    ------
    ValueError
        If ``p`` is not a distribution or holds a zero.

    Notes
    -----
    ⌈−log₂ p⌉ is read off the binary exponent of p, so that powers of ½ are exact.

    Implements :eq:`eq-shannon-code`.

    References
    ----------
    C. E. Shannon (1948), A Mathematical Theory of Communication, section 9.

    Examples
    --------
    >>> from primer_ref.information import shannon_code_lengths
    >>> print(shannon_code_lengths([0.5, 0.3, 0.2]))
    [1 2 3]
    """
    p = distribution(p)
    if np.any(p == 0):
        raise ValueError("p must be positive: an outcome of probability 0 has no codeword")
    # p = m · 2^e with ½ ≤ m < 1, so −log₂ p lies in (−e, 1 − e], and rounded up it is 1 − e.
    _, exponent = np.frexp(p)
    return (1 - exponent).astype(np.int64)
