r"""Near-duplicates: shingles, Jaccard similarity, MinHash signatures and banding.

Two sets agree in the smallest element of a random order with probability equal to their Jaccard
similarity. A signature keeps that smallest element for many orders; so signatures of a fixed
length stand for sets of any size.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.information import probabilities

__all__ = [
    "Banding",
    "JaccardEstimate",
    "band_curve",
    "choose_bands",
    "draw_hashes",
    "estimate_jaccard",
    "jaccard",
    "lsh_bands",
    "minhash_signature",
    "shingles",
]

Floats = NDArray[np.floating[Any]]
Words = NDArray[np.uint64]

_PRIME = (1 << 61) - 1  # of Mersenne: 2⁶¹ leaves the remainder 1


def shingles(words: Sequence[str], size: int) -> set[tuple[str, ...]]:
    """Collect the runs of so many neighboring words.

    Parameters
    ----------
    words : sequence of str
        Words of a text, or its characters.
    size : int
        How many words make a shingle.

    Returns
    -------
    set of tuple of str
        The different shingles; none if the text is shorter than one.

    Raises
    ------
    ValueError
        If the size is not at least 1.

    Examples
    --------
    >>> from primer_ref.dedup import shingles
    >>> sorted(shingles("a rose is a rose".split(), 2))
    [('a', 'rose'), ('is', 'a'), ('rose', 'is')]
    """
    if not size >= 1:
        raise ValueError(f"size must be at least 1; got {size}")
    return {tuple(words[i : i + size]) for i in range(len(words) - size + 1)}


def jaccard(a: Collection[Any], b: Collection[Any]) -> float:
    r"""Share of the union that is common to both sets, :math:`\abs{A \cap B} / \abs{A \cup B}`.

    Parameters
    ----------
    a : collection
        Elements of one set.
    b : collection
        Elements of the other.

    Returns
    -------
    float
        Between 0 (nothing in common) and 1 (the same set).

    Raises
    ------
    ValueError
        If both sets are empty.

    Notes
    -----
    Implements :eq:`eq-jaccard`.

    References
    ----------
    A. Z. Broder (1997), On the Resemblance and Containment of Documents.

    Examples
    --------
    >>> from primer_ref.dedup import jaccard
    >>> jaccard({1, 2, 3}, {2, 3, 4})
    0.5
    """
    union = set(a) | set(b)
    if not union:
        raise ValueError("at least one of two sets must have an element; got two empty ones")
    return len(set(a) & set(b)) / len(union)


def draw_hashes(n_hashes: int, *, rng: np.random.Generator) -> Words:
    r"""Draw functions :math:`h(x) = (a x + b) \bmod (2^{61} - 1)`.

    Parameters
    ----------
    n_hashes : int
        How many functions.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of uint64, shape (2, n_hashes)
        Factors a, from 1, and summands b, from 0, both below the prime. Signatures can be
        compared only if they were made with the same functions.

    Notes
    -----
    Any two different numbers are sent to every pair of different values with equal probability;
    that makes the family universal. The smallest of more than two numbers is then each of them
    with *nearly* equal probability if they have no pattern; of consecutive numbers the first and
    the last are the smallest too often.

    References
    ----------
    J. L. Carter and M. N. Wegman (1979), Universal Classes of Hash Functions.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.dedup import draw_hashes
    >>> draw_hashes(128, rng=np.random.default_rng(0)).shape
    (2, 128)
    """
    lowest = np.array([[1], [0]], dtype=np.uint64)
    return rng.integers(lowest, _PRIME, size=(2, n_hashes), dtype=np.uint64)


def _fold(x: Words) -> Words:
    """Take modulo the prime: what lies above 2⁶¹ counts once more from 0, since 2⁶¹ ≡ 1."""
    prime, bits = np.uint64(_PRIME), np.uint64(61)
    x = (x & prime) + (x >> bits)
    return np.where(x >= prime, x - prime, x)


def _multiply_add(a: Words, x: Words, b: Words) -> Words:
    """Compute (a x + b) mod 2⁶¹ − 1 exactly in 64 bits, from halves of 32 bits."""
    half, low = np.uint64(32), np.uint64(2**32 - 1)
    a1, a0, x1, x0 = a >> half, a & low, x >> half, x & low
    middle = a1 * x0 + a0 * x1  # below 2⁶², and worth 2³²
    # The upper 33 bits of the middle are worth 2⁶¹ ≡ 1, and a1 x1 is worth 2⁶⁴ ≡ 8.
    upper, lower = middle >> np.uint64(29), (middle & np.uint64(2**29 - 1)) << half
    return _fold(_fold(a0 * x0) + upper + lower + (a1 * x1 << np.uint64(3)) + b)


def _plain(item: Any) -> Any:
    """Give equal items one spelling: NumPy's 3 and 3.0 become 3, and True becomes 1."""
    if isinstance(item, tuple):
        return tuple(_plain(part) for part in item)
    if isinstance(item, np.generic):
        item = item.item()
    is_whole = isinstance(item, bool) or (isinstance(item, float) and item.is_integer())
    return int(item) if is_whole else item


def _numbers(items: Collection[Any]) -> Words:
    """Give items numbers below the prime, by a hash of their spelling: the same in every run.

    Being hashes, they have no pattern, as `draw_hashes` asks.
    """
    spelled = (repr(_plain(item)).encode() for item in items)
    digests = b"".join(blake2b(text, digest_size=8).digest() for text in spelled)
    return _fold(np.frombuffer(digests, dtype="<u8").astype(np.uint64))


def minhash_signature(items: Collection[Any], hashes: Words) -> Words:
    r"""Keep the smallest hash of a set's elements under each function, :math:`\min_x h_i(x)`.

    Parameters
    ----------
    items : collection
        Elements, such as shingles: strings, numbers, or tuples of them, of Python or NumPy.
    hashes : ndarray of uint64, shape (2, n_hashes)
        The functions, from :func:`draw_hashes`.

    Returns
    -------
    ndarray of uint64, shape (n_hashes,)
        The signature.

    Raises
    ------
    ValueError
        If there are no items.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.dedup import draw_hashes, minhash_signature
    >>> hashes = draw_hashes(100, rng=np.random.default_rng(0))
    >>> a, b = (minhash_signature(range(start, start + 60), hashes) for start in (0, 20))
    >>> print(np.mean(a == b))  # the similarity is 40/80
    0.51
    """
    if len(items) == 0:
        raise ValueError("a signature needs at least one item; got none")
    factors, summands = hashes[:, :, None]
    return np.asarray(np.min(_multiply_add(factors, _numbers(items), summands), axis=1))


@dataclass(frozen=True, slots=True)
class JaccardEstimate:
    """A similarity estimated from signatures.

    Attributes
    ----------
    value : float
        Share of the functions under which the smallest elements agree.
    standard_error : float
        Its standard deviation over draws of the functions, at that similarity.
    """

    value: float
    standard_error: float


def estimate_jaccard(a: Words, b: Words) -> JaccardEstimate:
    r"""Estimate the similarity of two sets from their signatures.

    Parameters
    ----------
    a : ndarray of uint64, shape (n_hashes,)
        Signature of one set.
    b : ndarray of uint64, shape (n_hashes,)
        Signature of the other, by the same functions.

    Returns
    -------
    JaccardEstimate
        The share s of entries that agree, and :math:`\sqrt{s(1 - s)/n}`, which is 0 at s = 0 and
        s = 1, where it says nothing.

    Raises
    ------
    ValueError
        If the signatures are not two rows of one length.

    Notes
    -----
    Implements :eq:`eq-minhash-estimate`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.dedup import draw_hashes, estimate_jaccard, minhash_signature
    >>> hashes = draw_hashes(400, rng=np.random.default_rng(0))
    >>> estimate = estimate_jaccard(*(minhash_signature(word, hashes) for word in ("abc", "bcd")))
    >>> print(f"{estimate.value:.3f} ± {estimate.standard_error:.3f}")
    0.520 ± 0.025
    """
    if a.shape != b.shape or a.ndim != 1 or a.size == 0:
        raise ValueError(f"signatures must be rows of one length; got {a.shape} and {b.shape}")
    share = float(np.mean(a == b))
    return JaccardEstimate(share, math.sqrt(share * (1 - share) / a.size))


def band_curve(similarity: ArrayLike, *, bands: int, rows: int) -> Floats:
    r"""Probability that two sets agree in all rows of some band, :math:`1 - (1 - s^r)^b`.

    Parameters
    ----------
    similarity : array_like, shape (...)
        Jaccard similarities s in [0, 1].
    bands : int
        Number b of bands.
    rows : int
        Number r of signature entries in a band.

    Returns
    -------
    ndarray, shape (...)
        Probabilities: an S-curve, steepest near :math:`(1/b)^{1/r}` for more than a few rows.

    Raises
    ------
    ValueError
        If a similarity is not in [0, 1], or there is no band or no row.

    Notes
    -----
    Implements :eq:`eq-band-curve`.

    References
    ----------
    J. Leskovec, A. Rajaraman and J. D. Ullman (2020), Mining of Massive Datasets, section 3.4.

    Examples
    --------
    >>> from primer_ref.dedup import band_curve
    >>> print(band_curve([0.2, 0.5, 0.8], bands=20, rows=5).round(4))
    [0.0064 0.4701 0.9996]
    """
    s = np.asarray(probabilities(similarity, "similarity"), np.float64)
    if not (bands >= 1 and rows >= 1):
        raise ValueError(f"there must be at least one band and one row; got {bands} and {rows}")
    with np.errstate(divide="ignore"):
        # By log1p and expm1, so that small probabilities keep their digits.
        return np.asarray(-np.expm1(bands * np.log1p(-(s**rows))))


@dataclass(frozen=True, slots=True)
class Banding:
    """How a signature is cut.

    Attributes
    ----------
    bands : int
        Number of bands.
    rows : int
        Number of signature entries in each.
    """

    bands: int
    rows: int


def choose_bands(n_hashes: int, threshold: float) -> Banding:
    """Cut a signature so that pairs at the threshold are found about half of the time.

    Parameters
    ----------
    n_hashes : int
        Length of the signatures; bands times rows is exactly this.
    threshold : float
        Similarity above which pairs should be found, in (0, 1).

    Returns
    -------
    Banding
        The cut whose curve comes nearest to 1/2 at the threshold; of two that are equally near,
        the one with fewer rows, which finds more pairs.

    Raises
    ------
    ValueError
        If there are no hashes, or the threshold is not between 0 and 1.

    Examples
    --------
    >>> from primer_ref.dedup import choose_bands
    >>> choose_bands(100, 0.5)
    Banding(bands=20, rows=5)
    """
    if not (n_hashes >= 1 and 0 < threshold < 1):
        raise ValueError(
            f"there must be hashes, and a threshold in (0, 1); got {n_hashes} and {threshold}"
        )
    cuts = [Banding(n_hashes // r, r) for r in range(1, n_hashes + 1) if n_hashes % r == 0]
    return min(
        cuts, key=lambda cut: abs(band_curve(threshold, bands=cut.bands, rows=cut.rows) - 0.5)
    )


def lsh_bands(signatures: ArrayLike, n_bands: int) -> set[tuple[int, int]]:
    """Find the pairs of sets whose signatures agree in at least one whole band.

    Parameters
    ----------
    signatures : array_like of uint64, shape (n_sets, n_hashes)
        Signatures by the same functions.
    n_bands : int
        Number of bands; it must divide the number of hashes.

    Returns
    -------
    set of tuple of int
        Pairs (i, j), i < j: the candidates, found without comparing all pairs.

    Raises
    ------
    ValueError
        If the signatures are not rows of one length, or cannot be cut into so many bands.

    References
    ----------
    P. Indyk and R. Motwani (1998), Approximate Nearest Neighbors: Towards Removing the Curse of
    Dimensionality.

    Examples
    --------
    >>> from primer_ref.dedup import lsh_bands
    >>> sorted(lsh_bands([[1, 2, 3, 4], [1, 2, 5, 6], [7, 8, 5, 6], [2, 1, 4, 3]], 2))
    [(0, 1), (1, 2)]
    """
    signatures = np.asarray(signatures, dtype=np.uint64)
    if signatures.ndim != 2 or n_bands < 1 or signatures.shape[1] % n_bands:
        raise ValueError(
            f"signatures must be rows that n_bands cut evenly; "
            f"got shape {signatures.shape} and {n_bands}"
        )
    pairs: set[tuple[int, int]] = set()
    for band in np.split(signatures, n_bands, axis=1):
        buckets: defaultdict[bytes, list[int]] = defaultdict(list)
        for i, rows in enumerate(band):
            buckets[rows.tobytes()].append(i)
        for bucket in buckets.values():
            pairs.update(itertools.combinations(bucket, 2))
    return pairs
