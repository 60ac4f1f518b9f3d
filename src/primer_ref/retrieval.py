"""Find passages by their words or by their vectors, and answer from what was found.

Scores come from an inverted index (BM25) or from inner products. The passage an answer is written
from is a latent variable: the answer's probability is a sum over passages.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats, logsumexp

__all__ = [
    "BM25",
    "bm25_index",
    "dense_scores",
    "rag_sequence_log_prob",
    "rag_token_log_prob",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class BM25:
    """An inverted index: for each word the passages it stands in, and what it adds to their scores.

    Attributes
    ----------
    n_documents : int
        Number of passages.
    postings : mapping of str to tuple of ndarray
        For each word, the numbers of its passages and the weights, in the same order.
    """

    n_documents: int
    postings: Mapping[str, tuple[Ints, Floats]]

    def scores(self, query: Sequence[str]) -> Floats:
        """Add up what the words of a query give to each passage.

        Parameters
        ----------
        query : sequence of str
            Words; a word that stands twice counts twice.

        Returns
        -------
        ndarray, shape (n_documents,)
            Scores, 0 for passages without any of the words.

        Examples
        --------
        >>> from primer_ref.retrieval import bm25_index
        >>> index = bm25_index([["a", "b"], ["b", "c", "c"], ["b"]])
        >>> print(index.scores(["c", "b"]).round(4))
        [0.0607 0.5878 0.0763]
        """
        scores = np.zeros(self.n_documents)
        for word in query:
            if word in self.postings:
                documents, weights = self.postings[word]
                scores[documents] += weights
        return scores


def bm25_index(documents: Sequence[Sequence[str]], *, k1: float = 1.2, b: float = 0.75) -> BM25:
    r"""Weigh the words of passages by BM25.

    A word that stands f times in a passage of length ℓ, and in n of N passages, adds

    .. math::

        \log\left(1 + \frac{N - n + 1/2}{n + 1/2}\right)
        \frac{f}{f + k_1 \left(1 - b + b\, \ell / \bar\ell\right)}.

    Parameters
    ----------
    documents : sequence of sequence of str
        The words of each passage.
    k1 : float
        How slowly repetition stops counting: at 0 a word counts once.
    b : float
        How much length counts, from 0 to 1, relative to the mean length.

    Returns
    -------
    BM25
        The index.

    Raises
    ------
    ValueError
        If no passage has a word, ``k1`` is negative, or ``b`` is not in [0, 1].

    Notes
    -----
    Implements :eq:`eq-bm25`.

    This is the variant of Lucene: the 1 in the logarithm keeps every weight positive, where
    Okapi's weight of a word in more than half of the passages is negative; and the numerator
    lacks the factor k₁ + 1, which changes no ranking. Lucene also rounds lengths to a byte; here
    they are exact.

    References
    ----------
    S. E. Robertson, S. Walker, S. Jones, M. Hancock-Beaulieu and M. Gatford (1994), Okapi at
    TREC-3.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.retrieval import bm25_index
    >>> passages = ["the cat sat on the mat", "the dog sat", "cats and dogs"]
    >>> index = bm25_index([passage.split() for passage in passages])
    >>> print(index.scores(["cat", "sat"]).round(4))
    [0.5475 0.238  0.    ]
    """
    if not k1 >= 0 or not 0 <= b <= 1:
        raise ValueError(f"k1 must not be negative, and b be in [0, 1]; got {k1} and {b}")
    lengths = np.array([len(document) for document in documents], dtype=np.float64)
    if not np.any(lengths):
        raise ValueError("there must be a passage with a word; got none")
    slowness = k1 * (1 - b + b * lengths / np.mean(lengths))
    found: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, document in enumerate(documents):
        for word, count in Counter(document).items():
            found[word].append((number, count))
    postings = {}
    for word, places in found.items():
        numbers, counts = np.array(places).T
        rarity = math.log1p((len(documents) - len(places) + 0.5) / (len(places) + 0.5))
        postings[word] = numbers, rarity * counts / (counts + slowness[numbers])
    return BM25(len(documents), postings)


def dense_scores(queries: ArrayLike, documents: ArrayLike) -> Floats:
    r"""Inner products of queries with passages, :math:`Q D^\T`.

    Parameters
    ----------
    queries : array_like, shape (..., d)
        Vectors of queries.
    documents : array_like, shape (N, d)
        Vectors of passages.

    Returns
    -------
    ndarray, shape (..., N)
        Scores; cosines if all vectors have length 1.

    Notes
    -----
    Implements :eq:`eq-dense-scores`.

    Examples
    --------
    >>> from primer_ref.retrieval import dense_scores
    >>> print(dense_scores([1.0, 2.0], [[1.0, 0.0], [3.0, -1.0]]))
    [1. 1.]
    """
    value: Floats = np.matmul(as_floats(queries), np.swapaxes(as_floats(documents), -1, -2))
    return value


def _retrieved(log_prior: ArrayLike, log_probs: ArrayLike) -> tuple[Floats, Floats]:
    log_prior, log_probs = as_floats(log_prior), as_floats(log_probs)
    if log_prior.ndim < 1 or log_probs.shape[:-1] != log_prior.shape:
        raise ValueError(
            f"there must be a row of log-probabilities for each passage; "
            f"got shapes {log_probs.shape} and {log_prior.shape}"
        )
    if not np.all(logsumexp(log_prior) < 1e-4):
        raise ValueError("the probabilities of the passages must sum to at most 1")
    return log_prior, log_probs


def rag_sequence_log_prob(log_prior: ArrayLike, log_probs: ArrayLike) -> Floats:
    r"""Log-probability of an answer that was written from one passage, not known which.

    .. math::

        \log p(y \mid x) = \log \sum_z p(z \mid x) \prod_t p(y_t \mid x, z, y_{<t})

    Parameters
    ----------
    log_prior : array_like, shape (..., Z)
        Log-probabilities of the Z passages given the question.
    log_probs : array_like, shape (..., Z, T)
        Log-probability of each token of the answer, given each passage.

    Returns
    -------
    ndarray, shape (...)
        In nats.

    Raises
    ------
    ValueError
        If there is not one row a passage, or the passages' probabilities sum to more than 1.

    Notes
    -----
    Implements :eq:`eq-rag-sequence`.

    If only some passages are looked at, their probabilities either sum to less than 1, and the
    result is a lower bound, or are made to sum to 1, and it is the likelihood of another model.

    References
    ----------
    P. Lewis et al. (2020), Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.retrieval import rag_sequence_log_prob
    >>> answer = np.log([[0.9, 0.9], [0.1, 0.1]])
    >>> print(np.exp(rag_sequence_log_prob(np.log([0.5, 0.5]), answer)).round(4))
    0.41
    """
    log_prior, log_probs = _retrieved(log_prior, log_probs)
    return logsumexp(log_prior + np.sum(log_probs, axis=-1))


def rag_token_log_prob(log_prior: ArrayLike, log_probs: ArrayLike) -> Floats:
    r"""Log-probability of an answer each of whose tokens may come from another passage.

    .. math::

        \log p(y \mid x) = \sum_t \log \sum_z p(z \mid x)\, p(y_t \mid x, z, y_{<t})

    Parameters
    ----------
    log_prior : array_like, shape (..., Z)
        Log-probabilities of the Z passages given the question.
    log_probs : array_like, shape (..., Z, T)
        Log-probability of each token of the answer, given each passage.

    Returns
    -------
    ndarray, shape (...)
        In nats.

    Raises
    ------
    ValueError
        If there is not one row a passage, or the passages' probabilities sum to more than 1.

    Notes
    -----
    Implements :eq:`eq-rag-token`.

    The two models agree for one passage and for one token. Here the passage is drawn anew at every
    token: what earlier tokens say about it is not used.

    References
    ----------
    P. Lewis et al. (2020), Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.retrieval import rag_token_log_prob
    >>> answer = np.log([[0.9, 0.9], [0.1, 0.1]])
    >>> print(np.exp(rag_token_log_prob(np.log([0.5, 0.5]), answer)).round(4))
    0.25
    """
    log_prior, log_probs = _retrieved(log_prior, log_probs)
    mixed = logsumexp(log_prior[..., None] + log_probs, axis=-2)  # (..., T)
    value: Floats = np.sum(mixed, axis=-1)
    return value
