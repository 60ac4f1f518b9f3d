"""Words and their neighbors: counts, pointwise mutual information, and skip-gram's objective.

What two words have in common is seen in what stands beside them. Counts of neighbors are compared
with what independence would give; skip-gram with negative sampling learns the same comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.activations import softplus
from primer_ref.checks import check_positive, check_positive_finite
from primer_ref.functional import as_floats
from primer_ref.ngram import as_symbols

__all__ = ["cooccurrence_counts", "negative_sampling_objective", "pmi", "ppmi"]

Floats = NDArray[np.floating[Any]]


def cooccurrence_counts(
    sequences: Sequence[ArrayLike], *, n_symbols: int, window: int
) -> NDArray[np.int64]:
    """Count how often each word has each other one within some places before or after it.

    Parameters
    ----------
    sequences : sequence of array_like of int
        Texts as word numbers from 0 to V − 1; no window reaches from one into the next.
    n_symbols : int
        Size V of the vocabulary.
    window : int
        How many places to look to each side.

    Returns
    -------
    ndarray of int64, shape (V, V)
        Entry (w, c) counts the word w with the context c. Symmetric.

    Raises
    ------
    ValueError
        If a word number is not one of V, or the window is not at least 1.

    Notes
    -----
    The table is dense: V = 3,000 takes 72 MB.

    Examples
    --------
    >>> from primer_ref.cooccurrence import cooccurrence_counts
    >>> print(cooccurrence_counts([[0, 1, 2, 1]], n_symbols=3, window=1))
    [[0 1 0]
     [1 0 2]
     [0 2 0]]
    """
    if not window >= 1:
        raise ValueError(f"window must be at least 1; got {window}")
    counts = np.zeros(n_symbols * n_symbols, dtype=np.int64)
    for sequence in sequences:
        words = as_symbols(sequence, n_symbols)
        for d in range(1, window + 1):
            pairs = words[:-d] * n_symbols + words[d:]
            counts += np.bincount(pairs, minlength=counts.size)
    table = counts.reshape(n_symbols, n_symbols)
    return table + table.T


def pmi(counts: ArrayLike, *, alpha: float = 1.0) -> Floats:
    r"""Pointwise mutual information of words and contexts, :math:`\log \frac{p(w, c)}{p(w)\,p(c)}`.

    Parameters
    ----------
    counts : array_like, shape (V, W)
        How often each word had each context.
    alpha : float
        The contexts' probabilities are taken in proportion to their counts to this power: 1 for
        plain mutual information, less to make rare contexts less surprising.

    Returns
    -------
    ndarray, shape (V, W)
        In nats; −∞ for pairs that were not seen.

    Raises
    ------
    ValueError
        If a count is negative or not finite, some word or context has none, or ``alpha`` is not
        positive and finite.

    Notes
    -----
    Implements :eq:`eq-pmi`.

    References
    ----------
    K. W. Church and P. Hanks (1990), Word Association Norms, Mutual Information, and Lexicography.
    O. Levy, Y. Goldberg and I. Dagan (2015), Improving Distributional Similarity with Lessons
    Learned from Word Embeddings.

    Examples
    --------
    >>> from primer_ref.cooccurrence import pmi
    >>> print(pmi([[4, 0], [1, 3]]).round(4))
    [[ 0.47     -inf]
     [-0.9163  0.6931]]
    """
    counts = _pair_counts(counts)
    check_positive_finite(alpha, "alpha")
    p_word = np.sum(counts, axis=1, keepdims=True) / np.sum(counts)
    smoothed = np.sum(counts, axis=0) ** alpha
    p_context = smoothed / np.sum(smoothed)
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(counts / np.sum(counts)) - np.log(p_word * p_context))


def _pair_counts(counts: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(as_floats(counts), np.float64)
    bad = ~((counts >= 0) & (counts < np.inf))
    if counts.ndim != 2 or np.any(bad):
        got = counts[bad][0] if np.any(bad) else f"shape {counts.shape}"
        raise ValueError(f"counts must be a table of finite numbers of at least 0; got {got}")
    if not np.all(np.any(counts, axis=0)) or not np.all(np.any(counts, axis=1)):
        raise ValueError("every word and every context must have been seen at least once")
    return counts


def ppmi(counts: ArrayLike, *, alpha: float = 1.0, n_negative: float = 1.0) -> Floats:
    r"""Keep the positive part of mutual information less :math:`\log k`.

    Entries are :math:`\max(0, \text{PMI}_{wc} - \log k)`.

    Parameters
    ----------
    counts : array_like, shape (V, W)
        How often each word had each context.
    alpha : float
        Power of the contexts' counts, as in :func:`pmi`.
    n_negative : float
        The k of negative sampling; 1 shifts nothing.

    Returns
    -------
    ndarray, shape (V, W)
        In nats, at least 0: a pair that was not seen counts as one that is independent.

    Raises
    ------
    ValueError
        As for :func:`pmi`, or if ``n_negative`` is not positive.

    Notes
    -----
    Implements :eq:`eq-ppmi`.

    Examples
    --------
    >>> from primer_ref.cooccurrence import ppmi
    >>> print(ppmi([[4, 0], [1, 3]]).round(4))
    [[0.47   0.    ]
     [0.     0.6931]]
    """
    check_positive(n_negative, "n_negative")
    value: Floats = np.maximum(0, pmi(counts, alpha=alpha) - np.log(n_negative))
    return value


def negative_sampling_objective(
    scores: ArrayLike, counts: ArrayLike, *, n_negative: float
) -> Floats:
    r"""Compute the log-likelihood that skip-gram with negative sampling maximizes.

    The mean over the draws of negative contexts:

    .. math::

        \sum_{w, c} n_{wc} \log \sigma(x_{wc})
        + k\, \frac{n_w n_c}{n} \log \sigma(-x_{wc})

    Parameters
    ----------
    scores : array_like, shape (V, W)
        Scores x of words with contexts: the inner products of their vectors.
    counts : array_like, shape (V, W)
        How often each word had each context; each observation brings k negative contexts, drawn
        as often as contexts occur.
    n_negative : float
        The number k.

    Returns
    -------
    ndarray, shape ()
        Log-likelihood in nats, below 0.

    Raises
    ------
    ValueError
        If the shapes differ, a score is not finite, the counts are no table as :func:`pmi` takes
        it, or ``n_negative`` is not positive.

    Notes
    -----
    Implements :eq:`eq-sgns`.

    Each score occurs in one term a log σ(x) + b log σ(−x), which is largest at x = log(a/b): the
    best scores are the pointwise mutual information less log k, −∞ for pairs that were not seen.
    Vectors reach them only if they are long enough, with V dimensions at most.

    References
    ----------
    O. Levy and Y. Goldberg (2014), Neural Word Embedding as Implicit Matrix Factorization.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.cooccurrence import negative_sampling_objective, pmi
    >>> counts = np.array([[4, 2], [1, 3]])
    >>> best = pmi(counts) - np.log(5)
    >>> print(f"{negative_sampling_objective(best, counts, n_negative=5):.4f}")
    -26.3096
    >>> print(f"{negative_sampling_objective(best + 0.1, counts, n_negative=5):.4f}")
    -26.3512
    """
    scores, counts = as_floats(scores), _pair_counts(counts)
    if scores.shape != counts.shape:
        raise ValueError(
            f"there must be one score a count; got shapes {scores.shape} and {counts.shape}"
        )
    if not np.all(np.isfinite(scores)):
        raise ValueError("scores must be finite; got one that is not")
    check_positive(n_negative, "n_negative")
    n_word, n_context = np.sum(counts, axis=1, keepdims=True), np.sum(counts, axis=0)
    negatives = n_negative * n_word * n_context / np.sum(counts)
    # log σ(x) is minus the softplus of −x.
    value: Floats = -np.sum(counts * softplus(-scores) + negatives * softplus(scores))
    return value
