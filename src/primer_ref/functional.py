"""Softmax, its logarithm and its relatives: the functions that every layer is built from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["log_softmax", "logsumexp", "rms_norm", "silu", "softmax"]

Floats = NDArray[np.floating[Any]]


def silu(x: ArrayLike) -> Floats:
    r"""Sigmoid linear unit, :math:`x\,\sigma(x) = x / (1 + e^{-x})`."""
    x = np.asarray(x)
    # e^{-|x|} never overflows; both branches of the logistic function are written with it.
    e = np.exp(-np.abs(x))
    return x * np.where(x >= 0, 1, e) / (1 + e)


def rms_norm(x: ArrayLike, weight: ArrayLike, *, eps: float = 1e-5) -> Floats:
    r"""Divide each row by its root mean square and scale it, feature by feature."""
    x = np.asarray(x)
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * np.asarray(weight)


def logsumexp(s: ArrayLike, *, axis: int = -1) -> Floats:
    """Logarithm of the sum of exponentials."""
    s = np.asarray(s)
    top = np.max(s, axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.sum(np.exp(s - top), axis=axis))


def log_softmax(s: ArrayLike, *, axis: int = -1) -> Floats:
    """Logarithm of softmax."""
    s = np.asarray(s)
    return s - np.expand_dims(logsumexp(s, axis=axis), axis)


def softmax(s: ArrayLike, *, axis: int = -1) -> Floats:
    """Exponentials, divided by their sum."""
    s = np.asarray(s)
    e = np.exp(s - np.max(s, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)
