"""Statistics of a text: its words, how its vocabulary grows, bursts, and how far symbols reach."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats
from primer_ref.information import entropy, probabilities

__all__ = [
    "InformationByDistance",
    "burstiness",
    "expected_vocabulary",
    "heaps_exponent",
    "heaps_least_squares",
    "miller_madow_entropy",
    "mutual_information_by_distance",
    "vocabulary_growth",
    "word_counts",
    "words",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def words(text: str) -> list[str]:
    """List the words of a text in lower case.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of str
        Runs of letters, which an apostrophe between letters does not end.

    Examples
    --------
    >>> from primer_ref.corpus import words
    >>> words("Mr. Bennet's 23 hand-made chairs")
    ['mr', "bennet's", 'hand', 'made', 'chairs']
    """
    return _WORD.findall(text.lower())


def word_counts(text: str) -> Counter[str]:
    """Count the words of a text.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    Counter
        How often each word of :func:`words` occurs.

    Examples
    --------
    >>> from primer_ref.corpus import word_counts
    >>> word_counts("To be, or not to be").most_common(2)
    [('to', 2), ('be', 2)]
    """
    return Counter(words(text))


def heaps_exponent(zipf: float) -> float:
    r"""Exponent β of the growth of the vocabulary, :math:`V(n) \propto n^\beta`, from Zipf's a.

    Parameters
    ----------
    zipf : float
        Zipf's exponent a > 0 of an endless list of words.

    Returns
    -------
    float
        1/a where a > 1, else 1.

    Raises
    ------
    ValueError
        If the exponent is not positive and finite.

    Notes
    -----
    For independent words, and in the limit of long texts. A word has occurred when n times its
    probability is about 1, so about when its rank is below :math:`n^{1/a}`. At a = 1 and below
    the endless law does not exist; new words then keep coming until the list is used up.

    Implements :eq:`eq-heaps`.

    Examples
    --------
    >>> from primer_ref.corpus import heaps_exponent
    >>> print(heaps_exponent(1.25), heaps_exponent(0.9))
    0.8 1.0
    """
    if not 0 < zipf < math.inf:
        raise ValueError(f"the exponent must be positive and finite; got {zipf}")
    return min(1.0, 1 / zipf)


def expected_vocabulary(p: ArrayLike, n: ArrayLike) -> Floats:
    r"""Mean number of different words among n independent ones, :math:`\sum_r 1 - (1 - p_r)^n`.

    Parameters
    ----------
    p : array_like, shape (V,)
        Probabilities of the words.
    n : array_like, shape (...)
        Numbers of words drawn.

    Returns
    -------
    ndarray, shape (...)
        Expected sizes of the vocabulary, between min(n, 1) and V.

    Raises
    ------
    ValueError
        If an entry of ``p`` is not in [0, 1], or one of ``n`` is negative.

    Notes
    -----
    Implements :eq:`eq-expected-vocabulary`.

    Examples
    --------
    >>> from primer_ref.corpus import expected_vocabulary
    >>> print(expected_vocabulary([0.5, 0.5], [0, 1, 2, 3]))
    [0.   1.   1.5  1.75]
    """
    p, n = np.asarray(probabilities(p), np.float64), np.asarray(as_floats(n), np.float64)
    if not np.all(n >= 0):
        raise ValueError(f"n must not be negative; got {np.min(n)}")
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = n[..., None]
        missed = np.where((draws > 0) & (p > 0), draws * np.log1p(-p), 0)  # (..., V)
    return np.asarray(np.sum(-np.expm1(missed), axis=-1))


def vocabulary_growth(tokens: ArrayLike) -> Ints:
    """Count the different words among the first n, for every n.

    Parameters
    ----------
    tokens : sequence of str or array_like of int, shape (N,)
        Words in the order of the text.

    Returns
    -------
    ndarray of int64, shape (N,)
        V(1), …, V(N).

    Examples
    --------
    >>> from primer_ref.corpus import vocabulary_growth
    >>> print(vocabulary_growth("to be or not to be".split()))
    [1 2 3 4 4 4]
    """
    tokens = np.asarray(tokens)
    new = np.zeros(tokens.size, dtype=np.int64)
    new[np.unique(tokens, return_index=True)[1]] = 1
    return np.cumsum(new)


def heaps_least_squares(growth: ArrayLike, *, n_points: int = 50) -> float:
    """Slope of log V(n) against log n, at points that are spaced evenly in log n.

    Parameters
    ----------
    growth : array_like, shape (N,)
        V(1), …, V(N), as :func:`vocabulary_growth` returns them.
    n_points : int
        How many points the line of least squares runs through.

    Returns
    -------
    float
        A description of the curve: its mean slope. No standard error comes with it, as V(n) is
        one growing sum and its points do not scatter independently.

    Raises
    ------
    ValueError
        If there are fewer than two sizes, or fewer than two points.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.corpus import heaps_least_squares
    >>> print(f"{heaps_least_squares(np.arange(1, 10001) ** 0.6):.4f}")
    0.6000
    """
    growth = np.asarray(as_floats(growth), np.float64)
    if growth.size < 2 or n_points < 2:
        raise ValueError(
            f"there must be at least 2 sizes and 2 points; got {growth.size} and {n_points}"
        )
    n = np.unique(np.geomspace(1, growth.size, n_points).round().astype(np.int64))
    log_n, log_size = np.log(n), np.log(growth[n - 1])
    return float(np.polyfit(log_n, log_size, 1)[0])


def burstiness(positions: ArrayLike) -> float:
    r"""Compare the spread of a word's gaps with their mean, :math:`(\sigma - \mu)/(\sigma + \mu)`.

    Parameters
    ----------
    positions : array_like of int, shape (n,)
        Where a word occurs, in ascending order.

    Returns
    -------
    float
        −1 for equal gaps, near 0 for a rare word that comes at random, toward 1 for a word that
        comes in bursts.

    Raises
    ------
    ValueError
        If there are fewer than two gaps, or the positions do not ascend.

    Notes
    -----
    A word that comes with probability p at every place, whatever came before, has geometric gaps
    with :math:`\sigma/\mu = \sqrt{1 - p}`, hence a value a little below 0 (about −p/4). From m gaps
    of a rare word the estimate is on average lower than that, by about 1/m.

    Implements :eq:`eq-burstiness`.

    References
    ----------
    K.-I. Goh and A.-L. Barabási (2008), Burstiness and Memory in Complex Systems.

    Examples
    --------
    >>> from primer_ref.corpus import burstiness
    >>> print(burstiness([3, 7, 11, 15]), f"{burstiness([1, 2, 3, 4, 5, 100]):.3f}")
    -1.0 0.310
    """
    gaps = np.diff(np.asarray(as_floats(positions), np.float64))
    if gaps.size < 2 or not np.all(gaps > 0):
        raise ValueError("positions must ascend and leave at least two gaps")
    mean, deviation = np.mean(gaps), np.std(gaps)
    return float((deviation - mean) / (deviation + mean))


def miller_madow_entropy(counts: ArrayLike) -> float:
    r"""Entropy of the relative frequencies, plus the first term of its bias, :math:`(K - 1)/(2n)`.

    Parameters
    ----------
    counts : array_like, shape (V,)
        How often each outcome occurs among n; K of them occur.

    Returns
    -------
    float
        Estimate of the entropy in nats.

    Raises
    ------
    ValueError
        If a count is negative or not finite, or all are 0.

    Notes
    -----
    Entropy is concave, so frequencies that scatter about the probabilities have less of it than
    these on average; the second-order term is what is added here. Outcomes that did not occur
    are not in K: for small samples the estimate remains too low.

    Implements :eq:`eq-miller-madow`.

    References
    ----------
    G. A. Miller (1955), Note on the Bias of Information Estimates.

    Examples
    --------
    >>> from primer_ref.corpus import miller_madow_entropy
    >>> print(f"{miller_madow_entropy([2, 2, 0]):.4f}")  # log 2 + 1/8
    0.8181
    """
    counts = np.asarray(as_floats(counts), np.float64)
    total = np.sum(counts)
    if not np.all(counts >= 0) or not 0 < total < np.inf:
        raise ValueError(f"counts must be at least 0, and not all 0; got a sum of {total}")
    return float(entropy(counts / total)) + (np.count_nonzero(counts) - 1) / (2 * float(total))


@dataclass(frozen=True, slots=True, eq=False)
class InformationByDistance:
    """How much a symbol tells about the one that comes d places later.

    Attributes
    ----------
    distances : ndarray of int64, shape (D,)
        The distances d.
    plug_in : ndarray, shape (D,)
        Mutual information of the relative frequencies, in nats; too large on average.
    corrected : ndarray, shape (D,)
        The same from entropies after Miller and Madow; near 0 it may be negative.
    """

    distances: Ints
    plug_in: Floats
    corrected: Floats


def mutual_information_by_distance(
    symbols: ArrayLike, distances: ArrayLike
) -> InformationByDistance:
    r"""Estimate how much a symbol tells about the one d places later, from a sequence.

    The estimate of :math:`\I(X_t; X_{t+d})` is
    :math:`\H(X_t) + \H(X_{t+d}) - \H(X_t, X_{t+d})` with estimated entropies.

    Parameters
    ----------
    symbols : array_like, shape (N,)
        A sequence of numbers or strings.
    distances : array_like of int, shape (D,)
        Distances from 1 to N − 1.

    Returns
    -------
    InformationByDistance
        For each distance the plug-in estimate and the corrected one, in nats.

    Raises
    ------
    ValueError
        If a distance is not between 1 and N − 1.
    TypeError
        If the distances are not integers.

    Notes
    -----
    With V symbols that all occur, the plug-in estimate is too large by about
    :math:`(V - 1)^2 / (2(N - d))`, which the correction takes off where all pairs occur too. What
    the estimate gives for a sequence in random order, ``rng.permutation(symbols)``, is the
    baseline below which a value says nothing; beside it, the distribution of several such.

    Implements :eq:`eq-information-by-distance`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.corpus import mutual_information_by_distance
    >>> symbols = np.tile([0, 1, 0, 0], 1000)
    >>> print(mutual_information_by_distance(symbols, [1, 2, 4]).plug_in.round(3))
    [0.085 0.085 0.562]
    >>> shuffled = np.random.default_rng(0).permutation(symbols)
    >>> print(mutual_information_by_distance(shuffled, [1, 2, 4]).plug_in.round(3))
    [0. 0. 0.]
    """
    kinds, symbols = np.unique(np.asarray(symbols), return_inverse=True)
    distances = np.asarray(distances)
    if distances.dtype.kind not in "iu":
        raise TypeError(f"distances must be integers; got entries of type {distances.dtype}")
    bad = (distances < 1) | (distances >= symbols.size)
    if np.any(bad):
        raise ValueError(
            f"distances must be between 1 and {symbols.size - 1}; got {distances[bad][0]}"
        )
    plug_in, corrected = [], []
    for d in distances.tolist():
        first, second = symbols[:-d], symbols[d:]
        tables = [
            np.unique(code, return_counts=True)[1]
            for code in (first, second, first * len(kinds) + second)
        ]
        x, y, xy = (float(entropy(counts / first.size)) for counts in tables)
        plug_in.append(x + y - xy)
        x, y, xy = map(miller_madow_entropy, tables)
        corrected.append(x + y - xy)
    return InformationByDistance(distances, np.array(plug_in), np.array(corrected))
