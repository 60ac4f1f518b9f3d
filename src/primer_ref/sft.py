"""Supervised fine-tuning: the surprisal of answers, given their prompts.

A conversation is one row of tokens. The mask says which of them are the model's to answer for;
prompts and padding are read, but not learned.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats
from primer_ref.losses import cross_entropy_loss, token_losses

__all__ = ["sft_loss", "sft_loss_by_sequence"]

Floats = NDArray[np.floating[Any]]


def _answers(
    logits: ArrayLike, tokens: ArrayLike, answer: ArrayLike
) -> tuple[Floats, NDArray[np.integer[Any]], NDArray[np.bool_]]:
    """Shift logits, tokens and the mask of the answers, so that each position meets its target."""
    logits, tokens, answer = as_floats(logits), np.asarray(tokens), np.asarray(answer)
    if tokens.ndim != 2 or logits.shape[:-1] != tokens.shape or answer.shape != tokens.shape:
        raise ValueError(
            "logits, tokens and answer must be for the same rows of tokens; "
            f"got shapes {logits.shape}, {tokens.shape} and {answer.shape}"
        )
    if answer.dtype != np.bool_:
        raise ValueError(f"answer must hold truth values; got {answer.dtype}")
    if np.any(answer[:, 0]):
        raise ValueError("the first token has nothing before it; it cannot belong to an answer")
    return logits[:, :-1], tokens[:, 1:], answer[:, 1:]


def sft_loss(logits: ArrayLike, tokens: ArrayLike, answer: ArrayLike) -> Floats:
    r"""Mean surprisal of the answers' tokens, given their prompts and what precedes them.

    .. math:: -\frac{1}{\sum_b n_b} \sum_b \sum_{t \in \text{answer } b}
        \log p(y_{b,t} \mid y_{b,<t}).

    Parameters
    ----------
    logits : array_like, shape (B, T, V)
        Scores; row t is about token t + 1.
    tokens : array_like of int, shape (B, T)
        Prompt, answer and padding, one conversation a row.
    answer : array_like of bool, shape (B, T)
        Which tokens belong to an answer: not the prompt, not the padding.

    Returns
    -------
    ndarray, shape ()
        Nats a token: every token weighs the same, so that long answers weigh more than short ones.

    Raises
    ------
    ValueError
        If the shapes do not fit, the mask is not of truth values, shows no token or the first of a
        row, or a token is not in the vocabulary.

    Notes
    -----
    The maximum-likelihood fit of a conditional model: prompts are given, so their surprisal is
    no part of it, but they are read, and the gradient goes through how they are read.

    Implements :eq:`eq-sft-loss`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.sft import sft_loss
    >>> logits = np.log([[[0.5, 0.5], [0.25, 0.75], [0.5, 0.5]]])
    >>> print(f"{sft_loss(logits, [[0, 1, 1]], [[False, False, True]]):.4f}")  # −log ¾
    0.2877
    """
    logits, targets, shown = _answers(logits, tokens, answer)
    return cross_entropy_loss(logits, targets, mask=shown)


def sft_loss_by_sequence(logits: ArrayLike, tokens: ArrayLike, answer: ArrayLike) -> Floats:
    r"""Mean over the answers of the mean surprisal of their tokens.

    .. math:: -\frac1B \sum_b \frac{1}{n_b} \sum_{t \in \text{answer } b}
        \log p(y_{b,t} \mid y_{b,<t}).

    Parameters
    ----------
    logits : array_like, shape (B, T, V)
        Scores; row t is about token t + 1.
    tokens : array_like of int, shape (B, T)
        Prompt, answer and padding, one conversation a row.
    answer : array_like of bool, shape (B, T)
        Which tokens belong to an answer: not the prompt, not the padding.

    Returns
    -------
    ndarray, shape ()
        Nats a token: every answer weighs the same, so that a token of a short one weighs more.

    Raises
    ------
    ValueError
        As for `sft_loss`; also if a row has no answer.

    Notes
    -----
    Equal to `sft_loss` when all answers are equally long. Where answers to one prompt differ in
    length the two have different optima, even where every policy is available: this one imitates
    answers that end sooner too often. Averaging over the tokens of each of several machines or
    steps, and then averaging these means, is in general neither of the two.

    Implements :eq:`eq-sft-by-sequence`.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref.sft import sft_loss, sft_loss_by_sequence
    >>> logits = np.log(np.broadcast_to([0.25, 0.75], (2, 3, 2)))
    >>> batch = logits, [[0, 1, 1], [0, 0, 0]], [[False, True, True], [False, True, False]]
    >>> print(f"{sft_loss(*batch):.4f} a token, {sft_loss_by_sequence(*batch):.4f} an answer")
    0.6539 a token, 0.8370 an answer
    """
    logits, targets, shown = _answers(logits, tokens, answer)
    lengths = np.sum(shown, axis=1)
    if not np.all(lengths > 0):
        raise ValueError("every row must have an answer; got one without")
    losses = np.where(shown, token_losses(logits, targets), 0)
    value: Floats = np.sum(losses / lengths[:, None]) / len(lengths)
    return value
