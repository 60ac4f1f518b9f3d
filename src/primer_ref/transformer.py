"""The decoder of this book: embedding, attention, feed-forward, and back to logits.

One definition serves the real model and training alike: a residual stream, a root-mean-square norm
before each part, grouped queries with rotary positions, a gated feed-forward part, one matrix for
embedding and unembedding unless a second one is given, and no biases. Leading axes are batches.
Everything runs on arrays and on the tensors of :mod:`primer_ref.autodiff`, in the precision of the
weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.attention import attention_weights, causal_mask
from primer_ref.blocks import swiglu
from primer_ref.config import Config
from primer_ref.functional import as_mask
from primer_ref.heads import split_heads
from primer_ref.norms import rms_norm
from primer_ref.positions import rotary, rotations

__all__ = [
    "Layer",
    "Weights",
    "attend",
    "block",
    "document_mask",
    "embed",
    "feed_forward",
    "forward",
    "initialize",
    "project",
    "unembed",
]

Floats = NDArray[np.floating[Any]]
Turns = NDArray[np.complexfloating[Any, Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Weights of one layer; rows multiply them from the left, ``x @ w``.

    Attributes
    ----------
    attention_norm : ndarray, shape (C,)
        Gains of the norm before attention.
    qkv : ndarray, shape (C, (H + 2 K) D)
        Queries, keys and values of all heads, side by side.
    output : ndarray, shape (H D, C)
        From the heads back to the width of the model.
    hidden_norm : ndarray, shape (C,)
        Gains of the norm before the feed-forward part.
    gate_up : ndarray, shape (C, 2 F)
        Gates and what they gate, side by side.
    down : ndarray, shape (F, C)
        From the hidden width back to the width of the model.
    """

    attention_norm: Floats
    qkv: Floats
    output: Floats
    hidden_norm: Floats
    gate_up: Floats
    down: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """Everything that a decoder has learned.

    Attributes
    ----------
    embedding : ndarray, shape (V, C)
        One row a token; its transpose makes the logits, if there is no ``unembedding``.
    layers : tuple of Layer
        The layers, the first one first.
    norm : ndarray, shape (C,)
        Gains of the norm before the logits.
    unembedding : ndarray, shape (V, C), optional
        What makes the logits if it is not the embedding.
    """

    embedding: Floats
    layers: tuple[Layer, ...]
    norm: Floats
    unembedding: Floats | None = None


# --- A layer ---------------------------------------------------------------------------------


def project(config: Config, layer: Layer, x: Floats, turns: Turns) -> tuple[Floats, Floats, Floats]:
    r"""Make queries, keys and values, :math:`R_t\,\mathrm{norm}(x_t) W` for the first two.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    layer : Layer
        Its weights.
    x : ndarray, shape (..., T, C)
        Residual stream.
    turns : ndarray of complex numbers, shape (T, D / 2)
        Turns R of the positions, see :func:`primer_ref.positions.rotations`.

    Returns
    -------
    tuple of ndarray
        Queries, shape (..., H, T, D), keys and values, shape (..., K, T, D).

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.positions import rotations
    >>> from primer_ref.transformer import initialize, project
    >>> config = Config(n_layers=1, width=8, n_heads=4, n_kv_heads=2, head_size=2, hidden=16,
    ...                 n_tokens=5, context=8)
    >>> layer = initialize(config, rng=np.random.default_rng(0)).layers[0]
    >>> parts = project(config, layer, np.ones((3, 8)), rotations(range(3), 2))
    >>> [part.shape for part in parts]
    [(4, 3, 2), (2, 3, 2), (2, 3, 2)]
    """
    h, n_turned = config.n_heads, config.n_heads + config.n_kv_heads
    normed = rms_norm(x, layer.attention_norm, eps=config.eps)
    heads = split_heads(normed @ layer.qkv, n_turned + config.n_kv_heads)  # (..., H + 2 K, T, D)
    turned = rotary(heads[..., :n_turned, :, :], turns)
    return turned[..., :h, :, :], turned[..., h:, :, :], heads[..., n_turned:, :, :]


def attend(
    layer: Layer, x: Floats, q: Floats, k: Floats, v: Floats, *, mask: ArrayLike | None = None
) -> tuple[Floats, Floats]:
    r"""Let T tokens look at S tokens, and add what they find, :math:`x + \sum_h A_h V_h W_O^h`.

    Parameters
    ----------
    layer : Layer
        Its weights.
    x : ndarray, shape (..., T, C)
        Residual stream.
    q : ndarray, shape (..., H, T, D)
        Queries.
    k, v : ndarray, shape (..., K, S, D)
        Keys and values, of earlier tokens too; head j serves the query heads jG to (j + 1)G − 1.
    mask : array_like, shape (..., T, S), optional
        Added to every head's scores: 0 shows, −∞ hides.

    Returns
    -------
    tuple of ndarray
        The stream, shape (..., T, C), and the weights A, shape (..., H, T, S).

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.transformer import attend, initialize
    >>> config = Config(n_layers=1, width=8, n_heads=4, n_kv_heads=2, head_size=2, hidden=16,
    ...                 n_tokens=5, context=8)
    >>> layer = initialize(config, rng=np.random.default_rng(0)).layers[0]
    >>> q, k = np.ones((4, 1, 2)), np.ones((2, 3, 2))
    >>> x, weights = attend(layer, np.zeros((1, 8)), q, k, k)
    >>> x.shape, weights[0].round(3).tolist()
    ((1, 8), [[0.333, 0.333, 0.333]])
    """
    # The G query heads that share a key head get an axis, along which nothing is copied.
    grouped = q.reshape(*k.shape[:-2], -1, *q.shape[-2:])  # (..., K, G, T, D)
    mask = None if mask is None else as_mask(mask)[..., None, None, :, :]
    weights = attention_weights(grouped, k[..., None, :, :], mask)  # (..., K, G, T, S)
    heads = (weights @ v[..., None, :, :]).reshape(q.shape)  # (..., H, T, D)
    joined = np.swapaxes(heads, -3, -2).reshape(*x.shape[:-1], -1)  # (..., T, H D)
    return x + joined @ layer.output, weights.reshape(*q.shape[:-1], -1)


def feed_forward(config: Config, layer: Layer, x: Floats) -> Floats:
    r"""Let each token think, :math:`x + \mathrm{SwiGLU}(\mathrm{norm}(x))`.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    layer : Layer
        Its weights.
    x : ndarray, shape (..., T, C)
        Residual stream.

    Returns
    -------
    ndarray, shape (..., T, C)
        Residual stream.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.transformer import feed_forward, initialize
    >>> config = Config(n_layers=1, width=8, n_heads=4, n_kv_heads=2, head_size=2, hidden=16,
    ...                 n_tokens=5, context=8)
    >>> layer = initialize(config, rng=np.random.default_rng(0)).layers[0]
    >>> feed_forward(config, layer, np.ones((3, 8))).shape
    (3, 8)
    """
    normed = rms_norm(x, layer.hidden_norm, eps=config.eps)
    return x + swiglu(normed, layer.gate_up, layer.down)


def block(
    config: Config, layer: Layer, x: Floats, turns: Turns, mask: ArrayLike | None = None
) -> Floats:
    """Run one layer: attention among the T tokens, then the feed-forward part.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    layer : Layer
        Its weights.
    x : ndarray, shape (..., T, C)
        Residual stream.
    turns : ndarray of complex numbers, shape (T, D / 2)
        Turns of the positions.
    mask : array_like, shape (..., T, T), optional
        Added to every head's scores: 0 shows, −∞ hides.

    Returns
    -------
    ndarray, shape (..., T, C)
        Residual stream.

    Notes
    -----
    Implements :eq:`eq-block`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.attention import causal_mask
    >>> from primer_ref.config import Config
    >>> from primer_ref.positions import rotations
    >>> from primer_ref.transformer import block, initialize
    >>> config = Config(n_layers=1, width=8, n_heads=4, n_kv_heads=2, head_size=2, hidden=16,
    ...                 n_tokens=5, context=8)
    >>> layer = initialize(config, rng=np.random.default_rng(0)).layers[0]
    >>> block(config, layer, np.ones((3, 8)), rotations(range(3), 2), causal_mask(3)).shape
    (3, 8)
    """
    q, k, v = project(config, layer, x, turns)
    x, _ = attend(layer, x, q, k, v, mask=mask)
    return feed_forward(config, layer, x)


# --- The whole -------------------------------------------------------------------------------


def embed(config: Config, weights: Weights, tokens: ArrayLike) -> Floats:
    """Look tokens up in the embedding.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    weights : Weights
        Its weights.
    tokens : array_like of int, shape (..., T)
        Token numbers.

    Returns
    -------
    ndarray, shape (..., T, C)
        A row a token: the residual stream at its start.

    Raises
    ------
    ValueError
        If the tokens are none, no integers or not in the vocabulary.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.transformer import embed, initialize
    >>> config = Config(n_layers=1, width=8, n_heads=4, n_kv_heads=2, head_size=2, hidden=16,
    ...                 n_tokens=5, context=8)
    >>> embed(config, initialize(config, rng=np.random.default_rng(0)), [[4, 0, 4]]).shape
    (1, 3, 8)
    """
    numbers = np.asarray(tokens)
    if not numbers.ndim or not numbers.size or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(
            "tokens must be a sequence of at least one integer; "
            f"got shape {numbers.shape} of {numbers.dtype}"
        )
    low, high = numbers.min(), numbers.max()
    if low < 0 or high >= config.n_tokens:
        raise ValueError(
            f"tokens must be from 0 to {config.n_tokens - 1}; got {low if low < 0 else high}"
        )
    rows: Floats = weights.embedding[numbers]
    return rows


def unembed(config: Config, weights: Weights, x: Floats) -> Floats:
    r"""Score every token of the vocabulary, :math:`\mathrm{norm}(x) U^\T`.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    weights : Weights
        Its weights; U is the unembedding, which in most small models is the embedding.
    x : ndarray, shape (..., C)
        Residual stream after the last layer; after an earlier one, the so-called logit lens.

    Returns
    -------
    ndarray, shape (..., V)
        Logits: scores in nats, up to a constant a row.

    Notes
    -----
    Implements :eq:`eq-logit-lens`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.transformer import initialize, unembed
    >>> config = Config(n_layers=1, width=8, n_heads=4, n_kv_heads=2, head_size=2, hidden=16,
    ...                 n_tokens=5, context=8)
    >>> unembed(config, initialize(config, rng=np.random.default_rng(0)), np.ones((3, 8))).shape
    (3, 5)
    """
    rows = weights.embedding if weights.unembedding is None else weights.unembedding
    return rms_norm(x, weights.norm, eps=config.eps) @ rows.T


def forward(
    config: Config, weights: Weights, tokens: ArrayLike, mask: ArrayLike | None = None
) -> Floats:
    """Score every token of the vocabulary as the next one, after each of the tokens.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    weights : Weights
        Its weights, arrays or tensors.
    tokens : array_like of int, shape (..., T)
        Token numbers; position 0 is the first of each row.
    mask : array_like, shape (..., T, T), optional
        Added to every head's scores: 0 shows, −∞ hides; the causal mask if not given.

    Returns
    -------
    ndarray, shape (..., T, V)
        Logits: scores in nats, up to a constant a row.

    Raises
    ------
    ValueError
        If the tokens are none, no integers or not in the vocabulary.

    Notes
    -----
    Implements :eq:`eq-decoder`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.transformer import forward, initialize
    >>> config = Config(n_layers=2, width=8, n_heads=4, n_kv_heads=2, head_size=2, hidden=16,
    ...                 n_tokens=5, context=8)
    >>> weights = initialize(config, rng=np.random.default_rng(0))
    >>> logits = forward(config, weights, [[1, 2, 3], [1, 2, 4]])
    >>> logits.shape, logits.dtype, bool(np.all(logits[0, :2] == logits[1, :2]))
    ((2, 3, 5), dtype('float32'), True)
    """
    x = embed(config, weights, tokens)  # (..., T, C)
    n = x.shape[-2]
    turns = rotations(np.arange(n), config.head_size, base=config.rope_base)
    mask = causal_mask(n) if mask is None else mask
    for layer in weights.layers:
        x = block(config, layer, x, turns, mask)
    return unembed(config, weights, x)


def document_mask(documents: ArrayLike) -> NDArray[np.float64]:
    r"""Mask that shows every token what came before it in its own document.

    Parameters
    ----------
    documents : array_like of int, shape (..., T)
        Which document each token of a packed row belongs to.

    Returns
    -------
    ndarray, shape (..., T, T)
        0 where the key is not later than the query and of the same document, −∞ elsewhere.

    Notes
    -----
    Implements :eq:`eq-document-mask`.

    Scores of rotary positions depend on distances alone, so that a document packed behind others
    under this mask gets the logits that it gets by itself.

    Examples
    --------
    >>> from primer_ref.transformer import document_mask
    >>> print(document_mask([7, 7, 8]))
    [[  0. -inf -inf]
     [  0.   0. -inf]
     [-inf -inf   0.]]
    """
    documents = np.asarray(documents)
    same = documents[..., :, None] == documents[..., None, :]  # (..., T, T)
    return np.where(same, causal_mask(documents.shape[-1]), -np.inf)


def initialize(config: Config, *, rng: np.random.Generator) -> Weights:
    r"""Draw weights to train from: normal, of standard deviation 0.02, and gains of 1.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    rng : Generator
        Source of randomness.

    Returns
    -------
    Weights
        Arrays of float32.

    Notes
    -----
    Implements :eq:`eq-residual-init`.

    The 2L matrices that write into the residual stream are smaller by :math:`1/\sqrt{2L}`, so that
    the variance of what all parts add does not grow with their number: the sum of 2L independent
    parts has 2L times the variance of one.

    References
    ----------
    A. Radford et al. (2019), Language Models are Unsupervised Multitask Learners.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.transformer import initialize
    >>> config = Config(n_layers=2, width=64, n_heads=4, n_kv_heads=2, head_size=16, hidden=192,
    ...                 n_tokens=256, context=8)
    >>> weights = initialize(config, rng=np.random.default_rng(0))
    >>> print(f"{weights.embedding.std():.3f} {weights.layers[0].down.std():.3f}")
    0.020 0.010
    """
    width, inner = config.width, config.n_heads * config.head_size
    residual = 0.02 / math.sqrt(2 * config.n_layers)

    def normal(rows: int, columns: int, scale: float = 0.02) -> Floats:
        return rng.normal(scale=scale, size=(rows, columns)).astype(np.float32)

    ones = np.ones(width, np.float32)
    layers = [
        Layer(
            attention_norm=ones,
            qkv=normal(width, inner + 2 * config.n_kv_heads * config.head_size),
            output=normal(inner, width, residual),
            hidden_norm=ones,
            gate_up=normal(width, 2 * config.hidden),
            down=normal(config.hidden, width, residual),
        )
        for _ in range(config.n_layers)
    ]
    return Weights(normal(config.n_tokens, width), tuple(layers), ones)
