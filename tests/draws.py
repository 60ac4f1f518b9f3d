"""What several tests draw: arrays, laws of Zipf, texts with a watermark; and what they look for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from primer_ref.decoding import gumbel_max
from primer_ref.watermark import favor_green, green_list

F = NDArray[np.float64]


def normal(seed: int, *shapes: tuple[int, ...]) -> list[F]:
    """Draw arrays of standard normal numbers, one after the other."""
    rng = np.random.default_rng(seed)
    return [rng.normal(size=shape) for shape in shapes]


def zipf(exponent: float, size: int, shift: float = 0.0) -> F:
    """Give the law of Zipf and Mandelbrot for the ranks from 1 on."""
    weights = (np.arange(1, size + 1) + shift) ** -exponent
    return np.asarray(weights / np.sum(weights))


def is_toeplitz(a: NDArray[np.floating[Any]]) -> bool:
    """Say whether entries depend on the difference of their last two indices alone."""
    return np.allclose(a[..., 1:, 1:], a[..., :-1, :-1])


def watermarked(
    rng: np.random.Generator, n: int, *, n_tokens: int, key: bytes, bias: float
) -> list[int]:
    """Write a text with a model that knows nothing, uniform laws, half of each list green."""
    text = [int(rng.integers(n_tokens))]
    for _ in range(n):
        green = green_list(text[-1], n_tokens=n_tokens, key=key, fraction=0.5)
        text.append(int(gumbel_max(favor_green(np.zeros(n_tokens), green, bias=bias), rng=rng)))
    return text
