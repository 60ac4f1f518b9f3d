r"""Images as tokens, and what two modalities know of each other.

An image is cut into patches, which a matrix turns into tokens; a contrastive loss brings tokens of
two modalities together, and says how much information they share at least; a codebook turns
vectors back into numbers, such as a vocabulary has. Everything runs on tensors as on arrays.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats
from primer_ref.losses import cross_entropy_loss

__all__ = [
    "info_nce",
    "information_bound",
    "nearest_code",
    "patch_embedding",
    "patches",
    "unpatch",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


def patches(image: ArrayLike, *, size: int) -> Floats:
    """Cut an image into square patches, each one row.

    Parameters
    ----------
    image : array_like, shape (..., height, width, channels)
        Pixels.
    size : int
        Side P of a patch; it divides height and width.

    Returns
    -------
    ndarray, shape (..., n, P² · channels)
        The n patches, row by row of the image; within a patch likewise, the channels of a pixel
        side by side.

    Raises
    ------
    ValueError
        If the image has fewer than three axes, or the size does not divide its sides.

    References
    ----------
    A. Dosovitskiy et al. (2021), An Image is Worth 16x16 Words: Transformers for Image Recognition
    at Scale.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.multimodal import patches
    >>> image = np.arange(8.0).reshape(2, 4, 1)
    >>> print(patches(image, size=2))
    [[0. 1. 4. 5.]
     [2. 3. 6. 7.]]
    """
    image = as_floats(image)
    if image.ndim < 3 or size < 1 or image.shape[-3] % size or image.shape[-2] % size:
        raise ValueError(
            "size must divide height and width of an image (height, width, channels); "
            f"got {size} for shape {image.shape}"
        )
    *lead, height, width, channels = image.shape
    rows, columns = height // size, width // size
    cut = np.reshape(image, (*lead, rows, size, columns, size, channels))
    cut = np.swapaxes(cut, -4, -3)  # (..., rows, columns, size, size, channels)
    return np.reshape(cut, (*lead, rows * columns, size * size * channels))


def unpatch(tokens: ArrayLike, *, size: int, width: int) -> Floats:
    """Put patches together again: the inverse of `patches`.

    Parameters
    ----------
    tokens : array_like, shape (..., n, P² · channels)
        Patches, row by row of the image.
    size : int
        Side P of a patch.
    width : int
        Width of the image in pixels.

    Returns
    -------
    ndarray, shape (..., height, width, channels)
        Pixels.

    Raises
    ------
    ValueError
        If the patches do not fill rows of this width, or are no squares of this side.

    Examples
    --------
    >>> from primer_ref.multimodal import unpatch
    >>> print(unpatch([[0.0, 1.0, 4.0, 5.0], [2.0, 3.0, 6.0, 7.0]], size=2, width=4)[:, :, 0])
    [[0. 1. 2. 3.]
     [4. 5. 6. 7.]]
    """
    tokens = as_floats(tokens)
    *lead, n, area = tokens.shape
    if size < 1 or width < 1 or width % size or n % (width // size) or area % size**2:
        raise ValueError(
            "patches must be squares that fill rows of the image; "
            f"got shape {tokens.shape} for a size of {size} and a width of {width}"
        )
    columns, channels = width // size, area // size**2
    cut = np.reshape(tokens, (*lead, n // columns, columns, size, size, channels))
    cut = np.swapaxes(cut, -4, -3)  # (..., rows, size, columns, size, channels)
    return np.reshape(cut, (*lead, n // columns * size, width, channels))


def patch_embedding(
    image: ArrayLike, weight: ArrayLike, positions: ArrayLike, *, size: int
) -> Floats:
    r"""Turn an image into tokens, :math:`X = \operatorname{patches}(\text{image})\, W + E`.

    Parameters
    ----------
    image : array_like, shape (..., height, width, channels)
        Pixels.
    weight : array_like, shape (P² · channels, C)
        Projection W into the space of the tokens.
    positions : array_like, shape (n, C)
        One vector E_i for each of the n patches: without them, attention could not tell where in
        the image a patch was.
    size : int
        Side P of a patch.

    Returns
    -------
    ndarray, shape (..., n, C)
        Tokens, which may stand in one sequence with those of a text.

    Raises
    ------
    ValueError
        If the size does not divide the sides of the image, or the shapes do not fit.

    Notes
    -----
    Implements :eq:`eq-patch-embedding`.

    The projection is a convolution with stride P and kernels of side P.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.multimodal import patch_embedding
    >>> image = np.arange(8.0).reshape(2, 4, 1)
    >>> mean = np.full((4, 1), 0.25)
    >>> print(patch_embedding(image, mean, [[0.0], [100.0]], size=2))
    [[  2.5]
     [104.5]]
    """
    rows, weight, positions = patches(image, size=size), as_floats(weight), as_floats(positions)
    if weight.ndim != 2 or positions.shape != (rows.shape[-2], weight.shape[-1]):
        raise ValueError(
            f"positions must hold a row a patch, as wide as weight; got shapes {positions.shape} "
            f"and {weight.shape} for {rows.shape[-2]} patches"
        )
    tokens: Floats = rows @ weight + positions
    return tokens


def info_nce(scores: ArrayLike) -> Floats:
    r"""Contrastive loss: each row must find its column, and each column its row.

    .. math::
        -\frac{1}{2n} \sum_{i=1}^{n} \left( \log \frac{e^{s_{ii}}}{\sum_j e^{s_{ij}}}
            + \log \frac{e^{s_{ii}}}{\sum_j e^{s_{ji}}} \right)

    Parameters
    ----------
    scores : array_like, shape (n, n)
        Entry (i, j) scores item i of one modality with item j of the other; those with i = j
        belong together. Often the cosine of two vectors over a temperature.

    Returns
    -------
    ndarray, shape ()
        Nats, at least 0; log n for scores that know nothing.

    Raises
    ------
    ValueError
        If the scores are not a square matrix, or a row or column has no softmax.

    Notes
    -----
    Implements :eq:`eq-info-nce`.

    References
    ----------
    A. van den Oord, Y. Li and O. Vinyals (2018), Representation Learning with Contrastive
    Predictive Coding. A. Radford et al. (2021), Learning Transferable Visual Models From Natural
    Language Supervision (both directions).

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.multimodal import info_nce
    >>> print(f"{info_nce(np.zeros((8, 8))):.4f} {info_nce(5 * np.eye(8)):.4f}")
    2.0794 0.0461
    """
    scores = as_floats(scores)
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1]:
        raise ValueError(f"scores must be a square matrix; got shape {scores.shape}")
    same = np.arange(scores.shape[0])
    loss: Floats = (cross_entropy_loss(scores, same) + cross_entropy_loss(scores.T, same)) / 2
    return loss


def information_bound(scores: ArrayLike) -> Floats:
    r"""Estimate a lower bound on the mutual information of two modalities, log n less the loss.

    For pairs drawn independently, and whatever the scores are,

    .. math::
        \E[\log n - L] \le \min(\I(X; Y), \log n) .

    Parameters
    ----------
    scores : array_like, shape (n, n)
        As for `info_nce`, of n pairs.

    Returns
    -------
    ndarray, shape ()
        Nats, at most log n: more information than that cannot be seen in a batch of n. A single
        batch may lie above the mutual information; the mean over batches does not.

    Raises
    ------
    ValueError
        If the scores are not a square matrix, or a row or column has no softmax.

    Notes
    -----
    Implements :eq:`eq-information-bound`.

    The best scores are :math:`\log\frac{p(x, y)}{p(x)\,p(y)}`; with them the mean tends to the
    mutual information as n grows.

    References
    ----------
    A. van den Oord, Y. Li and O. Vinyals (2018), Representation Learning with Contrastive
    Predictive Coding.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.multimodal import information_bound
    >>> print(f"{information_bound(99 * np.eye(8)):.4f} = log 8")
    2.0794 = log 8
    """
    loss = info_nce(scores)
    bound: Floats = math.log(as_floats(scores).shape[0]) - loss
    return bound


def nearest_code(x: ArrayLike, codes: ArrayLike) -> Ints:
    r"""Find the nearest vector of a codebook, :math:`\argmin_k \norm{x - e_k}^2`.

    Parameters
    ----------
    x : array_like, shape (..., d)
        Vectors.
    codes : array_like, shape (K, d)
        The codebook.

    Returns
    -------
    ndarray of int64, shape (...)
        Numbers from 0 to K − 1: tokens of a vocabulary of K. The quantized vectors are
        ``codes[nearest_code(x, codes)]``.

    Raises
    ------
    ValueError
        If the codebook is no matrix, or its width is not that of the vectors.

    Notes
    -----
    Implements :eq:`eq-nearest-code`.

    The square of x is the same for every code and left out; the rest is one matrix product.

    The choice has no derivative. The straight-through estimate hands the gradient at the quantized
    vector on to x as it is: with ``q = codes[nearest_code(x.data, codes)]`` and a tensor x, that is
    ``x + (q - x.data)``, whose value is q and whose derivative in x is 1.

    References
    ----------
    A. van den Oord, O. Vinyals and K. Kavukcuoglu (2017), Neural Discrete Representation Learning.

    Examples
    --------
    >>> from primer_ref.multimodal import nearest_code
    >>> print(nearest_code([[0.9, 0.1], [0.2, 0.1]], [[0.0, 0.0], [1.0, 0.0]]))
    [1 0]
    """
    x, codes = as_floats(x), as_floats(codes)
    if codes.ndim != 2 or len(codes) == 0 or x.ndim == 0 or x.shape[-1] != codes.shape[-1]:
        raise ValueError(
            f"codes must be vectors of the size of x; got shapes {codes.shape} and {x.shape}"
        )
    distance = np.sum(codes * codes, axis=-1) - 2 * x @ codes.T  # (..., K)
    return np.asarray(np.argmin(distance, axis=-1))
