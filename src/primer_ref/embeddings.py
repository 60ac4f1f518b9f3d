"""Word vectors: few dimensions for many, cosines, neighbors, analogies, and a lookup's gradient.

Vectors are rows, one a word.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats
from primer_ref.ngram import as_symbols

__all__ = [
    "Factors",
    "Neighbors",
    "analogy",
    "cosine_similarity",
    "embedding_gradient",
    "mean_cosine",
    "nearest_neighbors",
    "truncated_svd",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Factors:
    """Two thin matrices whose product approximates a large one.

    Attributes
    ----------
    words : ndarray, shape (V, d)
        One vector a row of the matrix.
    contexts : ndarray, shape (W, d)
        One vector a column.
    singular_values : ndarray, shape (min(V, W),)
        All singular values, the largest first; the first d are kept.
    """

    words: Floats
    contexts: Floats
    singular_values: Floats


def truncated_svd(matrix: ArrayLike, width: int, *, power: float = 0.5) -> Factors:
    r"""Factor a matrix through d dimensions, :math:`M \approx (U_d S_d^p)(V_d S_d^{1-p})^\T`.

    Parameters
    ----------
    matrix : array_like, shape (V, W)
        For instance the positive mutual information of words and contexts.
    width : int
        The number d of dimensions.
    power : float
        The share p of the singular values that goes to the words: with 1 their inner products are
        those of the approximation's rows, 1/2 treats words and contexts alike, 0 leaves only
        directions.

    Returns
    -------
    Factors
        Word vectors, context vectors, and the singular values.

    Raises
    ------
    ValueError
        If the matrix is not a finite table, or the width not between 1 and its smaller side.

    Notes
    -----
    Implements :eq:`eq-truncated-svd`.

    By the theorem of Eckart and Young no product through d dimensions is nearer in the sum of
    squares, which is that of the singular values left out. Each dimension may be turned in sign.

    The whole decomposition is computed: about V³ operations, some seconds for V = 2,000.

    References
    ----------
    C. Eckart and G. Young (1936), The Approximation of One Matrix by Another of Lower Rank.
    S. Deerwester, S. T. Dumais, G. W. Furnas, T. K. Landauer and R. Harshman (1990), Indexing by
    Latent Semantic Analysis.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.embeddings import truncated_svd
    >>> matrix = np.array([[3.0, 0.0], [4.0, 5.0]])
    >>> factors = truncated_svd(matrix, 1)
    >>> print(factors.singular_values.round(4), (factors.words @ factors.contexts.T).round(4))
    [6.7082 2.2361] [[1.5 1.5]
     [4.5 4.5]]
    """
    matrix = as_floats(matrix)
    if matrix.ndim != 2 or not np.all(np.isfinite(matrix)):
        raise ValueError(f"the matrix must be a finite table; got shape {matrix.shape}")
    if not 1 <= width <= min(matrix.shape):
        raise ValueError(f"width must be between 1 and {min(matrix.shape)}; got {width}")
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    kept = s[:width]
    return Factors(u[:, :width] * kept**power, vt[:width].T * kept ** (1 - power), s)


def _directions(x: ArrayLike) -> Floats:
    """Rows of length 1."""
    x = as_floats(x)
    size = np.max(np.abs(x), axis=-1, keepdims=True)
    if not np.all((size > 0) & (size < np.inf)):
        raise ValueError(
            "a vector must have a direction; got a row of zeros, or one with infinity or NaN"
        )
    limits = np.finfo(x.dtype)
    power = np.clip(np.rint(np.log(size) / math.log(2)), limits.minexp, limits.maxexp - 1)
    # Divided by a power of two: the squares stay in range, and no digit changes.
    scaled: Floats = x / 2.0**power
    value: Floats = scaled / np.sqrt(np.sum(scaled * scaled, axis=-1, keepdims=True))
    return value


def cosine_similarity(a: ArrayLike, b: ArrayLike) -> Floats:
    r"""Cosine of the angle between rows, :math:`\inner{a}{b} / (\norm{a} \norm{b})`.

    Parameters
    ----------
    a : array_like, shape (..., n, d)
        Vectors.
    b : array_like, shape (..., m, d)
        Vectors.

    Returns
    -------
    ndarray, shape (..., n, m)
        One cosine for each pair of rows.

    Raises
    ------
    ValueError
        If a row is 0, or holds infinity or NaN.

    Notes
    -----
    Implements :eq:`eq-cosine`.

    Examples
    --------
    >>> from primer_ref.embeddings import cosine_similarity
    >>> print(cosine_similarity([[3.0, 4.0]], [[30.0, 40.0], [3.0, -4.0]]).round(4))
    [[ 1.   -0.28]]
    """
    value: Floats = np.matmul(_directions(a), np.swapaxes(_directions(b), -1, -2))
    return value


def mean_cosine(vectors: ArrayLike) -> float:
    r"""Mean cosine of all pairs of different rows: near 0 if they point in all directions alike.

    Parameters
    ----------
    vectors : array_like, shape (n, d)
        Vectors.

    Returns
    -------
    float
        Between −1/(n − 1) and 1.

    Raises
    ------
    ValueError
        If there are fewer than two rows, or one is 0, or holds infinity or NaN.

    Notes
    -----
    Implements :eq:`eq-mean-cosine`.

    With rows u of length 1, the sum of all inner products is that of the sum with itself, and n
    of them are 1: the mean is :math:`(\norm{\sum_i u_i}^2 - n) / (n(n - 1))`, at the cost of one
    pass.

    References
    ----------
    K. Ethayarajh (2019), How Contextual are Contextualized Word Representations?

    Examples
    --------
    >>> from primer_ref.embeddings import mean_cosine
    >>> print(mean_cosine([[1.0, 0.0], [0.0, 2.0], [3.0, 0.0]]))  # of 0, 1 and 0
    0.3333333333333333
    """
    directions = np.asarray(_directions(vectors), dtype=np.float64)
    n = len(directions)
    if directions.ndim != 2 or n < 2:
        raise ValueError(f"vectors must be at least two rows; got shape {directions.shape}")
    total = np.sum(directions, axis=0)
    return float((total @ total - n) / (n * (n - 1)))


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """Words by how near they are.

    Attributes
    ----------
    words : ndarray of int64, shape (n,)
        Word numbers, the nearest first.
    cosines : ndarray, shape (n,)
        Their cosines with what was asked for.
    """

    words: Ints
    cosines: Floats


def _nearest(
    directions: Floats, target: Floats, n_neighbors: int, without: Collection[int]
) -> Neighbors:
    """Words of largest cosine with a target, save some; of equal ones the first."""
    if not 1 <= n_neighbors <= len(directions) - len(set(without)):
        raise ValueError(
            f"n_neighbors must be between 1 and the number of words that are left; "
            f"got {n_neighbors} of {len(directions) - len(set(without))}"
        )
    cosines = directions @ _directions(target)
    cosines[list(without)] = -np.inf
    words = np.argsort(-cosines, kind="stable")[:n_neighbors]
    return Neighbors(words, cosines[words])


def nearest_neighbors(vectors: ArrayLike, word: int, n_neighbors: int) -> Neighbors:
    """Find the words whose vectors have the largest cosines with that of one word.

    Parameters
    ----------
    vectors : array_like, shape (V, d)
        One vector a word.
    word : int
        The word; it is not its own neighbor.
    n_neighbors : int
        How many words to find.

    Returns
    -------
    Neighbors
        The words and their cosines; of equal cosines the smaller number comes first.

    Raises
    ------
    ValueError
        If the word is not one of V, there are not so many others, or a vector is 0.

    Examples
    --------
    >>> from primer_ref.embeddings import nearest_neighbors
    >>> found = nearest_neighbors([[1.0, 0.0], [0.0, 1.0], [5.0, 1.0]], 0, 2)
    >>> print(found.words, found.cosines.round(4))
    [2 1] [0.9806 0.    ]
    """
    directions = _directions(vectors)
    word = int(as_symbols(word, len(directions)))
    return _nearest(directions, directions[word], n_neighbors, [word])


def analogy(vectors: ArrayLike, a: int, b: int, c: int, n_neighbors: int) -> Neighbors:
    r"""Find what is to c as b is to a: the words nearest to :math:`b - a + c`.

    Parameters
    ----------
    vectors : array_like, shape (V, d)
        One vector a word; directions are added, not the vectors as they are.
    a : int
        The first word: "man".
    b : int
        The second: "king".
    c : int
        The third: "woman".
    n_neighbors : int
        How many words to find.

    Returns
    -------
    Neighbors
        The words and their cosines. The three words of the question are left out.

    Raises
    ------
    ValueError
        If a word is not one of V, there are not so many others, a vector is 0, or the three
        cancel exactly.

    Notes
    -----
    Implements :eq:`eq-analogy`.

    Leaving out the question's words is a convention that matters: with small differences b − a
    the nearest word of all is mostly c itself.

    References
    ----------
    O. Levy and Y. Goldberg (2014), Linguistic Regularities in Sparse and Explicit Word
    Representations.

    Examples
    --------
    >>> from primer_ref.embeddings import analogy
    >>> man, king, woman, queen, tree = [5, 0, 1], [5, 5, 1], [-5, 0, 1], [-5, 5, 1], [0, 1, 9]
    >>> print(analogy([man, king, woman, queen, tree], 0, 1, 2, 1).words)
    [3]
    """
    directions = _directions(vectors)
    a, b, c = as_symbols([a, b, c], len(directions)).tolist()
    target = directions[b] - directions[a] + directions[c]
    return _nearest(directions, target, n_neighbors, [a, b, c])


def embedding_gradient(tokens: ArrayLike, d_out: ArrayLike, *, n_symbols: int) -> Floats:
    """Add up the gradients of the rows that a lookup gave out, each at its token.

    Parameters
    ----------
    tokens : array_like of int, shape (...)
        Token numbers that were looked up.
    d_out : array_like, shape (..., C)
        Gradient of a loss at the rows.
    n_symbols : int
        Number V of rows of the table.

    Returns
    -------
    ndarray, shape (V, C)
        Gradient at the table: the sum over the places of each token, 0 for tokens that are absent.

    Raises
    ------
    ValueError
        If there is not one row a token, or a token is not one of V.

    Notes
    -----
    Implements :eq:`eq-embedding-gradient`.

    A lookup is a product with one-hot rows, so its gradient is the product with their transpose;
    written as additions it costs nothing for the V − 1 zeros of each row.

    Examples
    --------
    >>> from primer_ref.embeddings import embedding_gradient
    >>> print(embedding_gradient([2, 0, 2], [[1.0, 2.0], [3.0, 4.0], [10.0, 20.0]], n_symbols=3))
    [[ 3.  4.]
     [ 0.  0.]
     [11. 22.]]
    """
    tokens, d_out = as_symbols(tokens, n_symbols), as_floats(d_out)
    if d_out.shape[:-1] != tokens.shape:
        raise ValueError(
            f"there must be one row a token; got shapes {d_out.shape} and {tokens.shape}"
        )
    gradient = np.zeros((n_symbols, d_out.shape[-1]), dtype=d_out.dtype)
    np.add.at(gradient, tokens, d_out)
    return gradient
