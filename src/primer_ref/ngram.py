"""n-gram models: counts, their posterior-mean probabilities, scores and samples.

Symbols are whole numbers 0, …, V − 1. Every sequence is taken to end with one more symbol, V, which
the model must predict too: that makes it a law over strings of every length. Before its first
symbol a sequence is preceded by as many begin symbols, V + 1, as the model looks back; they are
seen, never predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_nonnegative_finite
from primer_ref.functional import as_floats

__all__ = [
    "NgramModel",
    "additive_smoothing",
    "as_symbols",
    "fit_ngrams",
    "interpolate",
    "letters27",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


def letters27(text: str) -> Ints:
    """Fold a text to Shannon's 27 symbols: 0 for a space, 1 to 26 for a to z.

    Parameters
    ----------
    text : str
        Any text; whatever is not an unaccented letter counts as a space.

    Returns
    -------
    ndarray of int64, shape (n,)
        Symbols, runs of spaces folded to one and none at the ends.

    Examples
    --------
    >>> from primer_ref.ngram import letters27
    >>> print(letters27("A cab!"))
    [1 0 3 1 2]
    """
    code = np.frombuffer(text.lower().encode("ascii", "replace"), dtype=np.uint8).astype(np.int64)
    symbols = np.where((code >= ord("a")) & (code <= ord("z")), code - ord("a") + 1, 0)
    # A space stays where a letter stands before it; one may then be left at the end.
    symbols = symbols[(symbols > 0) | (np.append(0, symbols[:-1]) > 0)]
    return symbols[:-1] if symbols.size and symbols[-1] == 0 else symbols


def as_symbols(sequence: ArrayLike, n_symbols: int) -> Ints:
    """Read a sequence over an alphabet.

    Parameters
    ----------
    sequence : array_like of int, shape (...)
        Symbols; they may come as floats if those are whole.
    n_symbols : int
        Size V of the alphabet.

    Returns
    -------
    ndarray of int64, shape (...)
        The symbols, in an array of their own.

    Raises
    ------
    ValueError
        If a symbol is not a whole number from 0 to V − 1.

    Examples
    --------
    >>> from primer_ref.ngram import as_symbols
    >>> print(as_symbols([2, 0, 1.0], 3))
    [2 0 1]
    """
    symbols = np.asarray(sequence)
    bad = (symbols < 0) | (symbols >= n_symbols) | (symbols != np.floor(symbols))
    if np.any(bad):
        raise ValueError(
            f"symbols must be whole numbers from 0 to {n_symbols - 1}; got {symbols[bad][0]}"
        )
    return symbols.astype(np.int64)


def additive_smoothing(counts: ArrayLike, alpha: ArrayLike) -> Floats:
    r"""Posterior mean of a distribution from counts and a Dirichlet prior.

    Parameters
    ----------
    counts : array_like, shape (..., V)
        How often each outcome was seen, at least 0.
    alpha : array_like, broadcastable to shape (..., V)
        Parameters of the prior, at least 0: 1 everywhere is add-one smoothing, 0 everywhere
        leaves the relative frequencies, which maximize the likelihood.

    Returns
    -------
    ndarray of float64, shape (..., V)
        Distributions along the last axis.

    Raises
    ------
    ValueError
        If a count or parameter is negative or not finite, or a row has neither counts nor prior.

    Notes
    -----
    Implements :eq:`eq-relative-frequency`.
    Implements :eq:`eq-dirichlet-mean`.

    Examples
    --------
    >>> from primer_ref.ngram import additive_smoothing
    >>> print(additive_smoothing([3, 1, 0, 0], 0))
    [0.75 0.25 0.   0.  ]
    >>> print(additive_smoothing([3, 1, 0, 0], 1))
    [0.5   0.25  0.125 0.125]
    """
    weight = _nonnegative(counts, "counts") + _nonnegative(alpha, "alpha")
    total = np.sum(weight, axis=-1, keepdims=True)
    if np.any(total == 0):
        raise ValueError("counts and alpha must not both be 0 for every outcome of a row")
    return np.asarray(weight / total)


def interpolate(counts: ArrayLike, totals: ArrayLike, prior: Floats, strength: float) -> Floats:
    r"""Posterior mean of probabilities under a Dirichlet prior centered on another model.

    Parameters
    ----------
    counts : array_like, shape (...)
        How often the outcome was seen after its context.
    totals : array_like, shape (...)
        How often the context was seen.
    prior : ndarray, shape (...)
        Probability that the other model gives to the outcome.
    strength : float
        Number of observations the prior counts for, at least 0.

    Returns
    -------
    ndarray of float64, shape (...)
        (counts + strength · prior) / (totals + strength); the prior itself where the context
        was never seen, which is the limit of small strengths as well.

    Raises
    ------
    ValueError
        If a count, a total or the strength is negative or not finite.

    Notes
    -----
    Implements :eq:`eq-interpolation`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.ngram import interpolate
    >>> print(interpolate([2, 0], [4, 0], np.array([0.1, 0.1]), 4))
    [0.3 0.1]
    """
    counts, totals = _nonnegative(counts, "counts"), _nonnegative(totals, "totals")
    check_nonnegative_finite(strength, "strength")
    weight = totals + strength
    seen = totals > 0
    return np.where(seen, (counts + strength * prior) / np.where(seen, weight, 1), prior)


def _nonnegative(x: ArrayLike, name: str) -> NDArray[np.float64]:
    x = np.asarray(as_floats(x), np.float64)
    bad = ~((x >= 0) & (x < np.inf))
    if np.any(bad):
        raise ValueError(f"{name} must be finite and at least 0; got {x[bad][0]}")
    return x


@dataclass(frozen=True, slots=True)
class NgramModel:
    """Counts of all n-grams up to a length, and how to turn them into probabilities.

    Attributes
    ----------
    n_symbols : int
        Size V of the alphabet, without the end symbol.
    order : int
        Number of symbols the model looks back at: 0 for single symbols, 1 for pairs.
    lowest : int
        The shortest context in use. 0 mixes all orders, each the prior of the next; ``order``
        uses one alone, with a uniform prior.
    strength : float
        Number of observations each prior counts for; 0 for relative frequencies.
    codes : tuple of ndarray of int64
        Item k: the (k + 1)-grams that occurred, each a number in base V + 2, ascending.
    cumulative : tuple of ndarray of int64
        Item k: 0, then the running sums of how often they occurred.
    """

    n_symbols: int
    order: int
    lowest: int
    strength: float
    codes: tuple[Ints, ...]
    cumulative: tuple[Ints, ...]

    def log_probs(self, sequence: ArrayLike) -> Floats:
        r"""Score each symbol of a sequence, and its end, given all before it.

        Parameters
        ----------
        sequence : array_like of int, shape (n,)
            Symbols 0 to V − 1, without begin or end symbols.

        Returns
        -------
        ndarray, shape (n + 1,)
            Natural logarithms of probabilities; their sum is that of the whole string. −∞ where
            the model rules out what came.

        Raises
        ------
        ValueError
            If a symbol is not in the alphabet.

        Notes
        -----
        Implements :eq:`eq-string-probability`.

        Examples
        --------
        >>> import numpy as np
        >>> from primer_ref.ngram import fit_ngrams
        >>> model = fit_ngrams([[0, 1, 0, 1]], n_symbols=2, order=1, lowest=1, strength=0)
        >>> print(np.exp(model.log_probs([0, 1])))  # 0 starts; 1 follows 0; then 0, or the end
        [1.  1.  0.5]
        """
        p = np.full(np.size(sequence) + 1, 1 / (self.n_symbols + 1))
        base = self.n_symbols + 2
        grams = _grams([sequence], self.n_symbols, self.order)
        for k in range(self.lowest, self.order + 1):
            context = grams[k] - grams[k] % base
            totals = self._count(k, context, context + base)
            p = interpolate(self._count(k, grams[k], grams[k] + 1), totals, p, self.strength)
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(p))

    def distribution(self, context: Sequence[int]) -> Floats:
        """Law of the next symbol after a context.

        Parameters
        ----------
        context : sequence of int
            Everything since the beginning; the model looks at the last ``order`` symbols.

        Returns
        -------
        ndarray, shape (V + 1,)
            Probabilities of the symbols 0 to V − 1 and, last, of the end.

        Raises
        ------
        ValueError
            If a symbol the model looks at is not in the alphabet.

        Examples
        --------
        >>> from primer_ref.ngram import fit_ngrams
        >>> model = fit_ngrams([[0, 1, 0, 1]], n_symbols=2, order=1, lowest=1, strength=0)
        >>> print(model.distribution([0, 1]))
        [0.5 0.  0.5]
        """
        base = self.n_symbols + 2
        recent = as_symbols(context[max(0, len(context) - self.order) :], self.n_symbols).tolist()
        recent = [base - 1] * (self.order - len(recent)) + recent
        p = np.full(self.n_symbols + 1, 1 / (self.n_symbols + 1))
        code = 0
        for k in range(self.order + 1):
            if k > 0:
                code += recent[-k] * base**k
            if k >= self.lowest:
                lo, hi = np.searchsorted(self.codes[k], [code, code + base])
                counts = np.zeros(self.n_symbols + 1)
                counts[self.codes[k][lo:hi] - code] = np.diff(self.cumulative[k][lo : hi + 1])
                p = interpolate(counts, np.sum(counts), p, self.strength)
        return p

    def sample(self, rng: np.random.Generator, *, max_length: int) -> list[int]:
        """Draw a string, symbol by symbol, until the end symbol comes.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of randomness.
        max_length : int
            Stop after this many symbols even if the end symbol has not come.

        Returns
        -------
        list of int
            Symbols 0 to V − 1, without the end symbol.

        Examples
        --------
        >>> import numpy as np
        >>> from primer_ref.ngram import fit_ngrams
        >>> model = fit_ngrams([[0, 1, 2]], n_symbols=3, order=1, lowest=1, strength=0)
        >>> model.sample(np.random.default_rng(0), max_length=9)
        [0, 1, 2]
        """
        drawn: list[int] = []
        while len(drawn) < max_length:
            symbol = int(rng.choice(self.n_symbols + 1, p=self.distribution(drawn)))
            if symbol == self.n_symbols:
                break
            drawn.append(symbol)
        return drawn

    def _count(self, k: int, start: Ints, stop: Ints) -> Ints:
        """Occurrences of (k + 1)-grams with codes from start up to, not including, stop."""
        ends = np.searchsorted(self.codes[k], np.stack([start, stop]))
        low, high = self.cumulative[k][ends]
        return np.asarray(high - low)


def fit_ngrams(
    sequences: Sequence[ArrayLike], *, n_symbols: int, order: int, lowest: int = 0, strength: float
) -> NgramModel:
    """Count the n-grams of some sequences.

    Parameters
    ----------
    sequences : sequence of array_like of int
        Each a string of symbols 0 to V − 1, without begin or end symbols.
    n_symbols : int
        Size V of the alphabet.
    order : int
        Number of symbols the model looks back at.
    lowest : int
        The shortest context in use: 0 to mix all orders, ``order`` for that one alone.
    strength : float
        Number of observations each prior counts for.

    Returns
    -------
    NgramModel
        The model, which can score, predict and sample.

    Raises
    ------
    ValueError
        If a symbol is not in the alphabet, ``lowest`` is not between 0 and ``order``, the
        strength is negative, or the n-grams are too many to be numbered in 64 bits.

    Notes
    -----
    An n-gram is stored as a number whose digits, in base V + 2, are its symbols, the oldest
    first; so the n-grams with one context are neighbors in the sorted list, and their total is a
    difference of running sums. Sorting dominates: about a second for four million characters and
    order 5.

    Examples
    --------
    >>> from primer_ref.ngram import fit_ngrams, letters27
    >>> model = fit_ngrams([letters27("banana")], n_symbols=27, order=2, strength=1)
    >>> print(f"{model.distribution(letters27('ana').tolist())[14]:.4f}")  # n after "na"
    0.5212
    """
    if not 0 <= lowest <= order:
        raise ValueError(f"lowest must be between 0 and order = {order}; got {lowest}")
    check_nonnegative_finite(strength, "strength")
    codes, cumulative = [], []
    for grams in _grams(sequences, n_symbols, order):
        unique, counts = np.unique(grams, return_counts=True)
        codes.append(unique)
        cumulative.append(np.append(0, np.cumsum(counts)))
    return NgramModel(n_symbols, order, lowest, strength, tuple(codes), tuple(cumulative))


def _grams(sequences: Sequence[ArrayLike], n_symbols: int, order: int) -> list[Ints]:
    """Codes of the 1-grams, …, (order + 1)-grams that end at each symbol and at each end."""
    base = n_symbols + 2
    if base ** (order + 1) >= 2**63:
        raise ValueError(f"(n_symbols + 2)^(order + 1) must fit in 63 bits; got {base}^{order + 1}")
    begin, end = [base - 1] * order, [n_symbols]
    padded = [np.concatenate([begin, as_symbols(s, n_symbols), end]) for s in sequences]
    levels: list[Ints] = []
    for k in range(order + 1):
        # Shifted by k: the symbol k places before the one that is predicted.
        older = np.concatenate([p[order - k : len(p) - k] for p in padded]).astype(np.int64)
        levels.append(older if k == 0 else levels[-1] + older * base**k)
    return levels
