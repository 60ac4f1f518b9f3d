r"""Low-rank adaptation: a frozen matrix and a trained update of small rank.

The update of a matrix W of shape (n, m) is :math:`\frac{\alpha}{r} A B` with A of shape (n, r)
and B of shape (r, m): r (n + m) numbers instead of n m. Weights multiply from the right, x W;
papers that write W x call B A what is A B here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.embeddings import truncated_svd
from primer_ref.functional import as_floats
from primer_ref.transformer import Weights

__all__ = [
    "Adapter",
    "adapt_attention",
    "best_adapter",
    "lora_delta",
    "lora_parameters",
    "lora_product",
    "merge",
    "start_adapter",
    "unmerge",
]

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Adapter:
    """The two factors of an update of rank r.

    Attributes
    ----------
    a : ndarray, shape (n, r)
        Reads r features.
    b : ndarray, shape (r, m)
        Writes them.
    """

    a: Floats
    b: Floats


def start_adapter(n: int, m: int, *, rank: int, rng: np.random.Generator) -> Adapter:
    r"""Draw an adapter that changes nothing yet: A is random, and B is 0.

    Parameters
    ----------
    n, m : int
        Shape of the matrix to adapt.
    rank : int
        Rank r, at most the smaller of the two.
    rng : Generator
        Source of randomness.

    Returns
    -------
    Adapter
        Float32; entries of A have variance 1/n.

    Raises
    ------
    ValueError
        If the rank is not from 1 to the smaller side.

    Notes
    -----
    At B = 0 the gradient for A is 0, and that for B is not. Were both 0, neither would ever move.

    References
    ----------
    E. J. Hu et al. (2022), LoRA: Low-Rank Adaptation of Large Language Models.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.lora import lora_delta, start_adapter
    >>> adapter = start_adapter(6, 4, rank=2, rng=np.random.default_rng(0))
    >>> print(np.any(adapter.a), np.any(lora_delta(adapter, alpha=16.0)))
    True False
    """
    _check_rank(rank, n, m)
    a = rng.normal(scale=1 / math.sqrt(n), size=(n, rank)).astype(np.float32)
    return Adapter(a, np.zeros((rank, m), np.float32))


def _check_rank(rank: int, n: int, m: int) -> None:
    if not 1 <= rank <= min(n, m):
        raise ValueError(f"rank must be from 1 to {min(n, m)}; got {rank}")


def lora_delta(adapter: Adapter, *, alpha: float) -> Floats:
    r"""Multiply out the update, :math:`\Delta = \frac{\alpha}{r} A B`.

    Parameters
    ----------
    adapter : Adapter
        Its factors.
    alpha : float
        Strength α; over the rank, so that it need not be tuned anew for another rank.

    Returns
    -------
    ndarray, shape (n, m)
        A matrix of rank at most r.

    Notes
    -----
    Implements :eq:`eq-lora-update`.

    References
    ----------
    E. J. Hu et al. (2022), LoRA: Low-Rank Adaptation of Large Language Models.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.lora import Adapter, lora_delta
    >>> lora_delta(Adapter(np.array([[1.0], [2.0]]), np.array([[3.0, 4.0]])), alpha=2.0)
    array([[ 6.,  8.],
           [12., 16.]])
    """
    rank: int = adapter.a.shape[-1]
    return alpha / rank * (adapter.a @ adapter.b)


def merge(w: ArrayLike, adapter: Adapter, *, alpha: float) -> Floats:
    r"""Add the update to the matrix, :math:`W + \frac{\alpha}{r} A B`: use costs nothing then.

    Parameters
    ----------
    w : array_like, shape (n, m)
        Frozen matrix W.
    adapter : Adapter
        Its update.
    alpha : float
        Strength α.

    Returns
    -------
    ndarray, shape (n, m)
        The adapted matrix.

    Notes
    -----
    Implements :eq:`eq-lora-update`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.lora import Adapter, merge
    >>> merge(np.eye(2), Adapter(np.array([[1.0], [0.0]]), np.array([[0.0, 4.0]])), alpha=1.0)
    array([[1., 4.],
           [0., 1.]])
    """
    return as_floats(w) + lora_delta(adapter, alpha=alpha)


def unmerge(w: ArrayLike, adapter: Adapter, *, alpha: float) -> Floats:
    r"""Take the update out of an adapted matrix again, :math:`W - \frac{\alpha}{r} A B`.

    Parameters
    ----------
    w : array_like, shape (n, m)
        Adapted matrix.
    adapter : Adapter
        The update that was merged into it.
    alpha : float
        Strength α that it was merged with.

    Returns
    -------
    ndarray, shape (n, m)
        The frozen matrix, up to the rounding of one addition and one subtraction.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.lora import Adapter, merge, unmerge
    >>> adapter = Adapter(np.array([[1.0], [0.0]]), np.array([[0.0, 4.0]]))
    >>> unmerge(merge(np.eye(2), adapter, alpha=1.0), adapter, alpha=1.0)
    array([[1., 0.],
           [0., 1.]])
    """
    return as_floats(w) - lora_delta(adapter, alpha=alpha)


def lora_product(x: ArrayLike, w: ArrayLike, adapter: Adapter, *, alpha: float) -> Floats:
    r"""Multiply by an adapted matrix without forming it, :math:`x W + \frac{\alpha}{r} (x A) B`.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Rows.
    w : array_like, shape (n, m)
        Frozen matrix W.
    adapter : Adapter
        Its update.
    alpha : float
        Strength α.

    Returns
    -------
    ndarray, shape (..., m)
        The rows times the adapted matrix.

    Notes
    -----
    Implements :eq:`eq-lora-product`.

    Costs 2 r (n + m) FLOP a row more than x W, and lets rows with different adapters share W.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.lora import Adapter, lora_product
    >>> adapter = Adapter(np.array([[1.0], [0.0]]), np.array([[0.0, 4.0]]))
    >>> lora_product([[1.0, 1.0]], np.eye(2), adapter, alpha=1.0)
    array([[1., 5.]])
    """
    x = as_floats(x)
    rank: int = adapter.a.shape[-1]
    return x @ as_floats(w) + alpha / rank * (x @ adapter.a @ adapter.b)


def lora_parameters(n: int, m: int, *, rank: int) -> int:
    r"""Count the numbers of an adapter, :math:`r(n + m)`.

    Parameters
    ----------
    n, m : int
        Shape of the matrix.
    rank : int
        Rank r.

    Returns
    -------
    int
        Trained numbers.

    Raises
    ------
    ValueError
        If the rank is not from 1 to the smaller side.

    Notes
    -----
    Implements :eq:`eq-lora-count`.

    Examples
    --------
    Queries and values of the 96 layers of GPT-3, at rank 4:

    >>> from primer_ref.lora import lora_parameters
    >>> 96 * 2 * lora_parameters(12_288, 12_288, rank=4)
    18874368
    """
    _check_rank(rank, n, m)
    return rank * (n + m)


def best_adapter(delta: ArrayLike, *, rank: int) -> Adapter:
    r"""Find the update of rank r nearest to a wanted one, from its largest singular values.

    With :math:`\Delta = U \Sigma V^\T`, the factors are :math:`U_r \sqrt{\Sigma_r}` and
    :math:`\sqrt{\Sigma_r}\, V_r^\T`; what is left out has the norm
    :math:`\sqrt{\sum_{i > r} \sigma_i^2}`, and no matrix of rank r comes nearer.

    Parameters
    ----------
    delta : array_like, shape (n, m)
        Wanted update, Δ.
    rank : int
        Rank r.

    Returns
    -------
    Adapter
        To be used with α = r.

    Raises
    ------
    ValueError
        If the rank is not from 1 to the smaller side, or an entry is not finite.

    Notes
    -----
    Implements :eq:`eq-lora-residual`.

    Says when a low rank suffices: when the singular values of the wanted update fall fast.

    References
    ----------
    C. Eckart and G. Young (1936), The Approximation of One Matrix by Another of Lower Rank.

    Examples
    --------
    >>> from primer_ref.lora import best_adapter, lora_delta
    >>> print(lora_delta(best_adapter([[3.0, 0.0], [0.0, 1.0]], rank=1), alpha=1.0).round(6))
    [[3. 0.]
     [0. 0.]]
    """
    delta = as_floats(delta)
    _check_rank(rank, *delta.shape)
    factors = truncated_svd(delta, rank)
    return Adapter(factors.words, factors.contexts.T)


def adapt_attention(weights: Weights, adapters: Sequence[Adapter], *, alpha: float) -> Weights:
    """Merge one adapter a layer into the matrix that makes queries, keys and values.

    Parameters
    ----------
    weights : Weights
        Frozen weights of a decoder.
    adapters : sequence of Adapter
        One a layer, for its matrix ``qkv``.
    alpha : float
        Strength α.

    Returns
    -------
    Weights
        Weights of the adapted decoder; differentiate with respect to the adapters.

    Raises
    ------
    ValueError
        If there is not one adapter a layer.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.lora import adapt_attention, start_adapter
    >>> from primer_ref.transformer import forward, initialize
    >>> rng = np.random.default_rng(0)
    >>> config = Config(n_layers=1, width=8, n_heads=4, n_kv_heads=2, head_size=2, hidden=16,
    ...                 n_tokens=5, context=8)
    >>> frozen = initialize(config, rng=rng)
    >>> adapted = adapt_attention(frozen, [start_adapter(8, 16, rank=2, rng=rng)], alpha=2.0)
    >>> bool(np.all(forward(config, adapted, [1, 2]) == forward(config, frozen, [1, 2])))
    True
    """
    if len(adapters) != len(weights.layers):
        raise ValueError(
            f"there must be one adapter a layer; got {len(adapters)} for {len(weights.layers)}"
        )
    layers = [
        replace(layer, qkv=merge(layer.qkv, adapter, alpha=alpha))
        for layer, adapter in zip(weights.layers, adapters, strict=True)
    ]
    return replace(weights, layers=tuple(layers))
