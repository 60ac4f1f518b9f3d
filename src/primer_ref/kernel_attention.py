"""Attention as a kernel smoother, its random features, and linear attention.

A smoother averages the values with weights in proportion to a positive similarity of query and key.
Softmax attention is one such smoother; where the similarity is a dot product of positive features,
the sums over keys can be kept instead of the keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.checks import check_positive
from primer_ref.functional import as_floats, softmax

__all__ = [
    "exponential_kernel",
    "gaussian_form_weights",
    "gaussian_kernel",
    "linear_attention",
    "linear_attention_recurrent",
    "nadaraya_watson",
    "positive_features",
    "positive_features_variance",
]

Floats = NDArray[np.floating[Any]]
Kernel = Callable[[Floats, Floats], Floats]


def _square_distances(q: Floats, k: Floats) -> Floats:
    """Squared distance of every query from every key."""
    distance2: Floats = np.sum((q[:, None, :] - k[None, :, :]) ** 2, axis=-1)  # (T, S)
    return distance2


def exponential_kernel(q: ArrayLike, k: ArrayLike) -> Floats:
    r"""Exponential of the scaled dot product, :math:`e^{q\cdot k/\sqrt{d_k}}`.

    Parameters
    ----------
    q : array_like, shape (T, D)
        Queries.
    k : array_like, shape (S, D)
        Keys.

    Returns
    -------
    ndarray, shape (T, S)
        Positive similarities; they overflow where a score exceeds about 709, or 88 in float32.

    Notes
    -----
    Implements :eq:`eq-exponential-kernel`.

    Examples
    --------
    >>> from primer_ref.kernel_attention import exponential_kernel
    >>> print(exponential_kernel([[2.0]], [[0.0], [1.0]]).round(4))
    [[1.     7.3891]]
    """
    q, k = as_floats(q), as_floats(k)
    return np.exp(q @ k.T / math.sqrt(q.shape[-1]))


def gaussian_kernel(q: ArrayLike, k: ArrayLike, *, bandwidth: float) -> Floats:
    r"""Gaussian of the distance, :math:`e^{-\lvert q-k\rvert^2/2h^2}`.

    Parameters
    ----------
    q : array_like, shape (T, D)
        Queries.
    k : array_like, shape (S, D)
        Keys.
    bandwidth : float
        Distance h > 0 at which similarity has fallen to e^(−1/2).

    Returns
    -------
    ndarray, shape (T, S)
        Similarities in [0, 1].

    Raises
    ------
    ValueError
        If the bandwidth is not positive.

    Notes
    -----
    Implements :eq:`eq-gaussian-kernel`.

    Examples
    --------
    >>> from primer_ref.kernel_attention import gaussian_kernel
    >>> print(gaussian_kernel([[2.0]], [[2.0], [1.0]], bandwidth=1.0).round(4))
    [[1.     0.6065]]
    """
    check_positive(bandwidth, "bandwidth")
    q, k = as_floats(q, axes=2), as_floats(k, axes=2)
    similarity: Floats = np.exp(-_square_distances(q, k) / (2 * bandwidth**2))
    return similarity


def nadaraya_watson(q: ArrayLike, k: ArrayLike, v: ArrayLike, *, kernel: Kernel) -> Floats:
    r"""Average the values with weights in proportion to a similarity of query and key.

    Parameters
    ----------
    q : array_like, shape (T, D)
        Points at which to estimate.
    k : array_like, shape (S, D)
        Points at which the values were seen.
    v : array_like, shape (S, E)
        Values.
    kernel : callable
        Takes ``q`` and ``k`` to similarities of shape (T, S), none negative.

    Returns
    -------
    ndarray, shape (T, E)
        Weighted means of the values.

    Raises
    ------
    ValueError
        If a similarity is negative or not finite, or a query's similarities are all 0.

    Notes
    -----
    Implements :eq:`eq-nadaraya-watson`.

    Examples
    --------
    >>> from primer_ref.kernel_attention import exponential_kernel, nadaraya_watson
    >>> print(nadaraya_watson([[0.0]], [[1.0], [2.0]], [[10.0], [20.0]], kernel=exponential_kernel))
    [[15.]]
    """
    similarity = kernel(as_floats(q), as_floats(k))
    if not np.all((similarity >= 0) & (similarity < np.inf)):
        raise ValueError(
            f"similarities must be finite and nonnegative; got {np.min(similarity)} "
            f"to {np.max(similarity)}"
        )
    total = np.sum(similarity, axis=-1, keepdims=True)
    if not np.all(total > 0):
        raise ValueError("every query must resemble some key; got a row of similarities 0")
    value: Floats = similarity / total @ as_floats(v)
    return value


def gaussian_form_weights(q: ArrayLike, k: ArrayLike) -> Floats:
    r"""Attention weights from distances and key norms instead of dot products.

    Parameters
    ----------
    q : array_like, shape (T, D)
        Queries.
    k : array_like, shape (S, D)
        Keys.

    Returns
    -------
    ndarray, shape (T, S)
        The same weights as `primer_ref.attention.attention_weights`.

    Notes
    -----
    Implements :eq:`eq-gaussian-form`.

    Examples
    --------
    >>> from primer_ref.attention import attention_weights
    >>> from primer_ref.kernel_attention import gaussian_form_weights
    >>> q, k = [[1.0, 0.0]], [[1.0, 0.0], [3.0, 1.0]]
    >>> print(gaussian_form_weights(q, k).round(4), attention_weights(q, k).round(4))
    [[0.1956 0.8044]] [[0.1956 0.8044]]
    """
    q, k = as_floats(q, axes=2), as_floats(k, axes=2)
    norm2 = np.sum(k * k, axis=-1)  # (S,)
    return softmax((norm2 - _square_distances(q, k)) / (2 * math.sqrt(q.shape[-1])))


def positive_features(x: ArrayLike, directions: ArrayLike) -> Floats:
    r"""Random features whose mean dot product is :math:`e^{x\cdot y}`.

    Feature r is :math:`e^{\omega_r\cdot x - \lvert x\rvert^2/2}/\sqrt m`.

    Parameters
    ----------
    x : array_like, shape (..., D)
        Queries or keys. Divide both by d_k^(1/4) first to approximate scaled attention.
    directions : array_like, shape (m, D)
        Rows ω drawn from the standard normal distribution, the same for queries and keys.

    Returns
    -------
    ndarray, shape (..., m)
        Positive features.

    Notes
    -----
    Implements :eq:`eq-positive-features`.

    References
    ----------
    Choromanski et al., "Rethinking Attention with Performers", 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.kernel_attention import positive_features
    >>> directions = np.random.default_rng(4).standard_normal((100_000, 2))
    >>> phi_x, phi_y = positive_features([[0.5, 0.2], [0.4, -0.3]], directions)
    >>> print(f"{phi_x @ phi_y:.2f} {np.exp(0.5 * 0.4 - 0.2 * 0.3):.2f}")
    1.15 1.15
    """
    x, directions = as_floats(x), as_floats(directions)
    log_feature = x @ directions.T - np.sum(x * x, axis=-1, keepdims=True) / 2
    features: Floats = np.exp(log_feature) / math.sqrt(len(directions))
    return features


def positive_features_variance(x: ArrayLike, y: ArrayLike, *, n_features: int) -> Floats:
    r"""Variance of the estimate that positive features give of :math:`e^{x\cdot y}`.

    Parameters
    ----------
    x : array_like, shape (..., D)
        Queries.
    y : array_like, shape (..., D)
        Keys.
    n_features : int
        Number of independent directions, m.

    Returns
    -------
    ndarray, shape (...)
        The variance.

    Notes
    -----
    Implements :eq:`eq-features-variance`.

    References
    ----------
    Choromanski et al., "Rethinking Attention with Performers", 2021.

    Examples
    --------
    >>> from primer_ref.kernel_attention import positive_features_variance
    >>> print(f"{positive_features_variance([0.5, 0.2], [0.4, -0.3], n_features=100):.4f}")
    0.0168
    """
    x, y = as_floats(x), as_floats(y)
    dot, sum2 = np.sum(x * y, axis=-1), np.sum((x + y) ** 2, axis=-1)
    # e^(2x·y)·(e^|x+y|² − 1), written so that a tiny factor does not meet an infinite one.
    variance: Floats = np.exp(2 * dot + sum2) * -np.expm1(-sum2) / n_features
    return variance


def linear_attention(phi_q: ArrayLike, phi_k: ArrayLike, v: ArrayLike) -> Floats:
    r"""Causal attention with similarities φ(q)·φ(k), all positions at once.

    Parameters
    ----------
    phi_q : array_like, shape (T, m)
        Positive features of the queries.
    phi_k : array_like, shape (T, m)
        Positive features of the keys.
    v : array_like, shape (T, E)
        Values.

    Returns
    -------
    ndarray, shape (T, E)
        Weighted means of the values so far.

    Notes
    -----
    Time of the order of T²(m + E): this is the definition, not the fast road.

    Implements :eq:`eq-linear-attention`.

    Examples
    --------
    >>> from primer_ref.kernel_attention import linear_attention
    >>> print(linear_attention([[1.0], [1.0]], [[1.0], [3.0]], [[10.0], [20.0]]).ravel())
    [10.  17.5]
    """
    similarity = np.tril(as_floats(phi_q) @ as_floats(phi_k).T)
    value: Floats = similarity @ as_floats(v) / np.sum(similarity, axis=-1, keepdims=True)
    return value


def linear_attention_recurrent(phi_q: ArrayLike, phi_k: ArrayLike, v: ArrayLike) -> Floats:
    r"""Compute the same as `linear_attention`, one token after the other, with a matrix as memory.

    Parameters
    ----------
    phi_q : array_like, shape (T, m)
        Positive features of the queries.
    phi_k : array_like, shape (T, m)
        Positive features of the keys.
    v : array_like, shape (T, E)
        Values.

    Returns
    -------
    ndarray, shape (T, E)
        Weighted means of the values so far.

    Notes
    -----
    Time of the order of T·m·E; memory m·(E + 1) numbers at any length of the context.

    Implements :eq:`eq-linear-recurrence`.

    References
    ----------
    Katharopoulos et al., "Transformers are RNNs", 2020.

    Examples
    --------
    >>> from primer_ref.kernel_attention import linear_attention_recurrent
    >>> print(linear_attention_recurrent([[1.0], [1.0]], [[1.0], [3.0]], [[10.0], [20.0]]).ravel())
    [10.  17.5]
    """
    phi_q, phi_k, v = (as_floats(x, axes=2) for x in (phi_q, phi_k, v))
    state = np.zeros((phi_k.shape[-1], v.shape[-1]), v.dtype)  # (m, E)
    normalizer = np.zeros(phi_k.shape[-1], phi_k.dtype)  # (m,)
    rows = []
    for query, key, value in zip(phi_q, phi_k, v, strict=True):
        state = state + np.outer(key, value)
        normalizer = normalizer + key
        rows.append(query @ state / (query @ normalizer))
    return np.stack(rows)
