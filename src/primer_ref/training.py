"""Training the decoder: batches, loss, steps, the loop around them, and evaluation.

A run is its weights, the averages of the optimizer and its source of random numbers; nothing else
is carried from one step to the next.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.autodiff import value_and_grad
from primer_ref.config import Config
from primer_ref.losses import cross_entropy_loss
from primer_ref.optim import Moments, adamw, clip_by_global_norm, initial_moments
from primer_ref.schedules import warmup_cosine
from primer_ref.transformer import Weights, forward, initialize

__all__ = [
    "Recipe",
    "Record",
    "Run",
    "batches",
    "evaluate",
    "loss",
    "start",
    "train",
    "train_step",
]

Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train.

    Attributes
    ----------
    n_steps : int
        Steps of the whole run.
    batch : int
        Windows a step, B.
    length : int
        Tokens that a window predicts, T.
    peak, floor : float
        Largest and last learning rate.
    warmup : int
        Steps of warm-up.
    beta2 : float
        Share of the average squared gradient that stays.
    decay : float
        Weight decay.
    limit : float
        Largest norm of a gradient.

    Examples
    --------
    >>> from primer_ref.training import Recipe
    >>> recipe = Recipe(n_steps=100, batch=8, length=64, peak=3e-3, warmup=10)
    >>> recipe.n_steps * recipe.batch * recipe.length  # tokens
    51200
    """

    n_steps: int
    batch: int
    length: int
    peak: float
    warmup: int
    floor: float = 0.0
    beta2: float = 0.95
    decay: float = 0.1
    limit: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A run between two steps.

    Attributes
    ----------
    config : Config
        Sizes of the model.
    recipe : Recipe
        How it is trained.
    weights : Weights
        Its weights.
    moments : Moments
        Averages of the optimizer, and the number of steps taken.
    rng : Generator
        Source of the batches to come; a step moves it on.
    """

    config: Config
    recipe: Recipe
    weights: Weights
    moments: Moments
    rng: np.random.Generator


@dataclass(frozen=True, slots=True)
class Record:
    """What happened in a step.

    Attributes
    ----------
    step : int
        Its number, from 1.
    loss : float
        Mean loss of its batch before the step, in nats per token.
    gradient_norm : float
        Norm of the gradient before clipping.
    rate : float
        Learning rate.
    tokens : int
        Tokens predicted so far in the run.
    seconds : float
        What the step took.
    """

    step: int
    loss: float
    gradient_norm: float
    rate: float
    tokens: int
    seconds: float


# --- Steps -----------------------------------------------------------------------------------


def _check_text(tokens: ArrayLike, length: int) -> Ints:
    numbers = np.asarray(tokens)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer):
        raise ValueError(
            f"tokens must be one sequence of integers; got shape {numbers.shape} of {numbers.dtype}"
        )
    if not 1 <= length < len(numbers):
        raise ValueError(
            f"length must be at least 1 and below the {len(numbers)} tokens; got {length}"
        )
    return numbers


def batches(
    tokens: ArrayLike, *, batch: int, length: int, rng: np.random.Generator
) -> Iterator[Ints]:
    """Cut windows out of a text at random places, for ever.

    Parameters
    ----------
    tokens : array_like of int, shape (n,)
        A text.
    batch : int
        Windows a batch, B.
    length : int
        Tokens that a window predicts, T.
    rng : Generator
        Source of randomness.

    Yields
    ------
    ndarray of int, shape (B, T + 1)
        Each row but for its last token is an input, each but for its first a target.

    Raises
    ------
    ValueError
        If the tokens are not one sequence of integers, or no longer than a window.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.training import batches
    >>> next(batches(np.arange(100), batch=2, length=4, rng=np.random.default_rng(0)))
    array([[81, 82, 83, 84, 85],
           [61, 62, 63, 64, 65]])
    """
    numbers = _check_text(tokens, length)
    while True:
        starts = rng.integers(len(numbers) - length, size=(batch, 1))
        yield numbers[starts + np.arange(length + 1)]


def loss(weights: Weights, config: Config, tokens: ArrayLike) -> Any:
    r"""Mean surprisal of each next token, :math:`-\tfrac{1}{BT}\sum\log p(x_{t+1} | x_{\le t})`.

    Parameters
    ----------
    weights : Weights
        Weights of the model, first because the loss is differentiated with respect to them.
    config : Config
        Sizes of the model.
    tokens : array_like of int, shape (..., T + 1)
        Windows of text.

    Returns
    -------
    float
        Nats per token.

    Raises
    ------
    ValueError
        If the tokens are no integers or not in the vocabulary.

    Examples
    --------
    Before training, every token is about as likely as every other:

    >>> import math
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.training import loss
    >>> from primer_ref.transformer import initialize
    >>> config = Config(n_layers=1, width=16, n_heads=2, n_kv_heads=1, head_size=8, hidden=32,
    ...                 n_tokens=10, context=8)
    >>> weights = initialize(config, rng=np.random.default_rng(0))
    >>> print(f"{loss(weights, config, [[1, 2, 3, 4]]):.1f} {math.log(10):.1f}")
    2.3 2.3
    """
    tokens = np.asarray(tokens)
    return cross_entropy_loss(forward(config, weights, tokens[..., :-1]), tokens[..., 1:])


def train_step(run: Run, tokens: ArrayLike) -> tuple[Run, float, float, float]:
    """Take one step: gradient, clipping, AdamW at the rate of the schedule.

    Parameters
    ----------
    run : Run
        The run so far.
    tokens : array_like of int, shape (B, T + 1)
        Windows of text.

    Returns
    -------
    tuple
        The run after the step; the loss and the norm of the gradient before it; the rate.

    Raises
    ------
    ValueError
        If the run is complete, the tokens are not in the vocabulary, or the gradient is not
        finite.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.training import Recipe, start, train_step
    >>> config = Config(n_layers=1, width=16, n_heads=2, n_kv_heads=1, head_size=8, hidden=32,
    ...                 n_tokens=10, context=8)
    >>> recipe = Recipe(n_steps=5, batch=1, length=3, peak=0.01, warmup=0)
    >>> run = start(config, recipe, rng=np.random.default_rng(0))
    >>> losses = []
    >>> for _ in range(5):
    ...     run, before, _, _ = train_step(run, [[1, 2, 3, 4]])
    ...     losses.append(before)
    >>> losses[-1] < losses[0], run.moments.n_steps
    (True, 5)
    """
    recipe = run.recipe
    rate = float(
        warmup_cosine(
            run.moments.n_steps + 1,
            peak=recipe.peak,
            warmup=recipe.warmup,
            total=recipe.n_steps,
            floor=recipe.floor,
        )
    )
    value, gradient = value_and_grad(loss)(run.weights, run.config, tokens)
    gradient, norm = clip_by_global_norm(gradient, limit=recipe.limit)
    weights, moments = adamw(
        run.weights, gradient, run.moments, rate=rate, beta2=recipe.beta2, decay=recipe.decay
    )
    return replace(run, weights=weights, moments=moments), float(value), norm, rate


def start(config: Config, recipe: Recipe, *, rng: np.random.Generator) -> Run:
    """Begin a run.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    recipe : Recipe
        How to train it.
    rng : Generator
        Source of the first weights, then of the batches.

    Returns
    -------
    Run
        A run before its first step.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.training import Recipe, start
    >>> config = Config(n_layers=1, width=16, n_heads=2, n_kv_heads=1, head_size=8, hidden=32,
    ...                 n_tokens=10, context=8)
    >>> recipe = Recipe(n_steps=5, batch=1, length=3, peak=0.01, warmup=0)
    >>> start(config, recipe, rng=np.random.default_rng(0)).moments.n_steps
    0
    """
    weights = initialize(config, rng=rng)
    return Run(config, recipe, weights, initial_moments(weights), rng)


def train(run: Run, tokens: ArrayLike) -> Iterator[tuple[Run, Record]]:
    """Train from wherever the run is to the end of its recipe.

    Parameters
    ----------
    run : Run
        A run, new or loaded from a checkpoint.
    tokens : array_like of int, shape (n,)
        The text to learn.

    Yields
    ------
    run : Run
        The run after a step, which can be saved then.
    record : Record
        What happened in the step.

    Raises
    ------
    ValueError
        If tokens are too few or not in the vocabulary, or a gradient is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.training import Recipe, start, train
    >>> config = Config(n_layers=1, width=16, n_heads=2, n_kv_heads=1, head_size=8, hidden=32,
    ...                 n_tokens=10, context=8)
    >>> recipe = Recipe(n_steps=20, batch=4, length=8, peak=0.01, warmup=2)
    >>> text = np.arange(200) % 10
    >>> run = start(config, recipe, rng=np.random.default_rng(0))
    >>> for run, record in train(run, text):
    ...     if record.step in (1, 20):
    ...         print(f"step {record.step}: loss {record.loss:.1f} after {record.tokens} tokens")
    step 1: loss 2.4 after 32 tokens
    step 20: loss 1.4 after 640 tokens
    """
    recipe = run.recipe
    windows = batches(tokens, batch=recipe.batch, length=recipe.length, rng=run.rng)
    for step in range(run.moments.n_steps + 1, recipe.n_steps + 1):
        begin = time.perf_counter()
        run, value, norm, rate = train_step(run, next(windows))
        seconds = time.perf_counter() - begin
        yield run, Record(step, value, norm, rate, step * recipe.batch * recipe.length, seconds)


def evaluate(
    config: Config, weights: Weights, tokens: ArrayLike, *, length: int, batch: int
) -> float:
    """Mean loss on a text, cut into windows side by side.

    Parameters
    ----------
    config : Config
        Sizes of the model.
    weights : Weights
        Its weights.
    tokens : array_like of int, shape (n,)
        A text that was kept back from training.
    length : int
        Tokens that a window predicts, T; the last window may be shorter.
    batch : int
        Windows computed at once; the result does not depend on it.

    Returns
    -------
    float
        Nats per token, over all tokens but the first.

    Raises
    ------
    ValueError
        If the tokens are not one sequence of integers, not in the vocabulary, or no longer than a
        window.

    Notes
    -----
    Implements :eq:`eq-token-mean`: the means of the parts, each weighted by its number of tokens.

    The first token of a window is predicted from one token, the last from T: longer windows give
    smaller losses.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.training import evaluate
    >>> from primer_ref.transformer import initialize
    >>> config = Config(n_layers=1, width=16, n_heads=2, n_kv_heads=1, head_size=8, hidden=32,
    ...                 n_tokens=10, context=8)
    >>> weights = initialize(config, rng=np.random.default_rng(0))
    >>> print(f"{evaluate(config, weights, np.arange(100) % 10, length=8, batch=4):.1f}")
    2.3
    """
    numbers = _check_text(tokens, length)
    whole = (len(numbers) - 1) // length * length  # tokens that full windows predict
    rows = np.lib.stride_tricks.sliding_window_view(numbers, length + 1)[:whole:length]
    parts = [rows[i : i + batch] for i in range(0, len(rows), batch)]
    if whole < len(numbers) - 1:
        parts.append(numbers[None, whole:])
    total = sum(float(loss(weights, config, part)) * part[:, 1:].size for part in parts)
    return total / (len(numbers) - 1)
