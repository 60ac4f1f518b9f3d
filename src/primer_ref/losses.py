r"""Losses of a language model: cross-entropy from logits, and what training adds to it.

Logits hold one row a prediction and one column a token of the vocabulary; targets are token
numbers. Losses are in nats, `z_loss` in their squares, and run on tensors as on arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from primer_ref.functional import as_floats, log_softmax, logsumexp, softmax

__all__ = [
    "cross_entropy_gradient",
    "cross_entropy_loss",
    "label_smoothed_loss",
    "token_losses",
    "z_loss",
]

Floats = NDArray[np.floating[Any]]


def _check_targets(logits: Floats, targets: ArrayLike) -> NDArray[np.integer[Any]]:
    numbers = np.asarray(targets)
    if numbers.dtype.kind not in "iu" or logits.ndim == 0 or numbers.shape != logits.shape[:-1]:
        raise ValueError(
            "targets must be integers, one for each row of logits; "
            f"got shape {numbers.shape} of {numbers.dtype} for logits of shape {logits.shape}"
        )
    n = logits.shape[-1]
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < n):
        raise ValueError(
            f"targets must be from 0 to {n - 1}; got {numbers.min()} to {numbers.max()}"
        )
    return numbers


def token_losses(logits: ArrayLike, targets: ArrayLike) -> Floats:
    r"""Surprisal of each target, :math:`\lse(z) - z_y`.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Scores z, in nats up to a constant a row; −∞ rules a token out.
    targets : array_like of int, shape (...)
        Token numbers y.

    Returns
    -------
    ndarray, shape (...)
        Nats, at least 0; ∞ where the target was ruled out.

    Raises
    ------
    ValueError
        If targets are not one integer a row, a target is not in the vocabulary, or a row of logits
        has no softmax.

    Examples
    --------
    >>> from primer_ref.losses import token_losses
    >>> print(token_losses([[0.0, 0.0], [2.0, 0.0]], [1, 0]).round(4))
    [0.6931 0.1269]
    """
    logits = as_floats(logits)
    targets = _check_targets(logits, targets)
    log_p = np.take_along_axis(log_softmax(logits), targets[..., None], axis=-1)
    return -np.squeeze(log_p, -1)


def _token_mean(losses: Floats, mask: ArrayLike | None) -> Floats:
    """Average over the tokens that a mask shows, over all of them if there is none."""
    shown = np.ones(losses.shape, np.bool) if mask is None else np.asarray(mask)
    if shown.shape != losses.shape or shown.dtype != np.bool:
        raise ValueError(
            f"mask must hold one truth value a token; got shape {shown.shape} of {shown.dtype} "
            f"for {losses.shape}"
        )
    if not shown.any():
        raise ValueError("a loss needs at least one token; got a mask that shows none")
    value: Floats = np.sum(np.where(shown, losses, 0)) / int(shown.sum())
    return value


def cross_entropy_loss(
    logits: ArrayLike, targets: ArrayLike, *, mask: ArrayLike | None = None
) -> Floats:
    r"""Mean surprisal of the targets, over tokens.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Scores, in nats up to a constant a row.
    targets : array_like of int, shape (...)
        Token numbers.
    mask : array_like of bool, shape (...), optional
        Which targets count, as the answers of a conversation; all if not given.

    Returns
    -------
    ndarray, shape ()
        Nats a token.

    Raises
    ------
    ValueError
        If targets or mask do not fit, no target counts, or a row of logits has no softmax.

    Notes
    -----
    Each token weighs the same, whatever sequence it is in: over a batch this is not the mean of the
    sequences' means, unless all are equally long.

    Targets that do not count must be token numbers too; any will do.

    Examples
    --------
    >>> from primer_ref.losses import cross_entropy_loss
    >>> logits = [[0.0, 0.0], [2.0, 0.0]]
    >>> print(f"{cross_entropy_loss(logits, [1, 0]):.4f}")
    0.4100
    >>> print(f"{cross_entropy_loss(logits, [1, 0], mask=[False, True]):.4f}")
    0.1269
    """
    return _token_mean(token_losses(logits, targets), mask)


def cross_entropy_gradient(logits: ArrayLike, targets: ArrayLike) -> Floats:
    r"""Gradient of `cross_entropy_loss` at the logits, :math:`(p - e_y)/n`.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Scores.
    targets : array_like of int, shape (...)
        Token numbers y, n in all.

    Returns
    -------
    ndarray, shape (..., V)
        Softmax less the one-hot rows of the targets, over n; every row sums to 0.

    Raises
    ------
    ValueError
        If targets do not fit, there are none, or a row of logits has no softmax.

    Examples
    --------
    >>> from primer_ref.losses import cross_entropy_gradient
    >>> print(cross_entropy_gradient([[0.0, 0.0], [2.0, 0.0]], [1, 0]).round(4))
    [[ 0.25   -0.25  ]
     [-0.0596  0.0596]]
    """
    logits = as_floats(logits)
    targets = _check_targets(logits, targets)
    if not targets.size:
        raise ValueError("a loss needs at least one token; got none")
    one_hot = np.equal(targets[..., None], np.arange(logits.shape[-1]))
    value: Floats = (softmax(logits) - one_hot) / targets.size
    return value


def label_smoothed_loss(
    logits: ArrayLike, targets: ArrayLike, *, smoothing: float, mask: ArrayLike | None = None
) -> Floats:
    r"""Mean cross-entropy to targets that are mixed with the uniform distribution.

    A token's loss is :math:`-(1 - \epsilon)\log p_y - \tfrac{\epsilon}{V}\sum_v \log p_v`.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Scores, all finite.
    targets : array_like of int, shape (...)
        Token numbers y.
    smoothing : float
        Share ε of the uniform distribution over all V tokens, the target among them.
    mask : array_like of bool, shape (...), optional
        Which targets count; all if not given.

    Returns
    -------
    ndarray, shape ()
        Nats a token.

    Raises
    ------
    ValueError
        If the share is not in [0, 1], targets or mask do not fit, no target counts, or a row of
        logits has no softmax.

    Notes
    -----
    The least loss is the entropy of the mixture, not 0; it is reached when the target's logit is
    :math:`\log\bigl(1 + V(1 - \epsilon)/\epsilon\bigr)` above all the others.

    References
    ----------
    C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna (2016), Rethinking the Inception
    Architecture for Computer Vision.

    Examples
    --------
    >>> from primer_ref.losses import label_smoothed_loss
    >>> print(f"{label_smoothed_loss([[2.0, 0.0]], [0], smoothing=0.1):.4f}")
    0.2269
    """
    if not 0 <= smoothing <= 1:
        raise ValueError(f"smoothing must be from 0 to 1; got {smoothing}")
    uniform = -np.mean(log_softmax(logits), axis=-1)
    losses = (1 - smoothing) * token_losses(logits, targets) + smoothing * uniform
    return _token_mean(losses, mask)


def z_loss(logits: ArrayLike, *, mask: ArrayLike | None = None) -> Floats:
    r"""Mean square of the log-normalizer, :math:`\lse(z)^2`.

    Parameters
    ----------
    logits : array_like, shape (..., V)
        Scores.
    mask : array_like of bool, shape (...), optional
        Which rows count; all if not given.

    Returns
    -------
    ndarray, shape ()
        Nats², 0 where logits are log-probabilities.

    Raises
    ------
    ValueError
        If the mask does not fit, or no row counts.

    Notes
    -----
    Implements :eq:`eq-z-loss`.

    Cross-entropy does not see a common shift of the logits; this, times a small coefficient, keeps
    them from drifting.

    References
    ----------
    A. Chowdhery et al. (2022), PaLM: Scaling Language Modeling with Pathways.

    Examples
    --------
    >>> from primer_ref.losses import z_loss
    >>> print(f"{z_loss([[0.0, 0.0]]):.4f} {z_loss([[-0.6931, -0.6931]]):.4f}")
    0.4805 0.0000
    """
    return _token_mean(logsumexp(logits) ** 2, mask)
