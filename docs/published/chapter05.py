"""Chapter 5: frequencies of rotary positions, and how they are slowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from primer_ref.position_biases import alibi_slopes, t5_buckets_causal
from primer_ref.positions import rotary, rotary_frequencies, rotations
from primer_ref.rope_scaling import (
    dynamic_ntk,
    llama3_frequencies,
    ntk_base,
    yarn_frequencies,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

PLAIN = rotary_frequencies(128)


def by_pair(frequencies: ArrayLike, *pairs: int) -> dict[str, ArrayLike]:
    """Name some frequencies by their pairs, counted from 0."""
    return {f"pair {pair}": np.asarray(frequencies)[pair] for pair in pairs}


def yarn() -> dict[str, ArrayLike]:
    """Slow a head of 128 ten times, from a context of 2,048."""
    slowed = yarn_frequencies(PLAIN, factor=10, context=2048)
    return by_pair(slowed, 16, 17, 18, 31, 40, 41, 63)


def llama3_bands() -> dict[str, ArrayLike]:
    """Count the pairs that Llama 3.1's rule leaves, slows in part and slows in full."""
    frequencies = rotary_frequencies(128, base=500_000.0)
    ratio = frequencies / llama3_frequencies(frequencies)
    kept, slowed = np.isclose(ratio, 1), np.isclose(ratio, 8)
    return {
        "unchanged": np.sum(kept),
        "in between": np.sum(~kept & ~slowed),
        "divided by 8": np.sum(slowed),
    }


def offsets() -> dict[str, ArrayLike]:
    """Score a query and a key twice at the same distance, a thousand positions apart."""
    q, k = np.random.default_rng(0).standard_normal((2, 1, 128))
    near, far = (
        rotary(q, rotations([at + 4], 128)) @ rotary(k, rotations([at], 128)).T for at in (3, 1003)
    )
    return {"difference": near - far}


def buckets() -> dict[str, ArrayLike]:
    """Find where the wide buckets of T5's decoder begin."""
    found = t5_buckets_causal(-np.arange(129))
    return {"wide buckets": [np.argmax(found == bucket) for bucket in range(16, 32)]}


def half_precision() -> dict[str, ArrayLike]:
    """Form angles in single and in half precision, as in the report."""
    base, exponents = np.float32(10_000), np.arange(0, 32, 2, dtype=np.float32) / np.float32(32)
    frequencies, positions = 1 / base**exponents, np.arange(2048)
    single, half = (
        np.multiply.outer(positions.astype(kind), frequencies.astype(kind))
        for kind in (np.float32, np.float16)
    )
    # The cosine of a half is formed in single precision and rounded.
    cosines = np.cos(half.astype(np.float32)).astype(np.float16)
    return {
        "angle in float32": single[1857, 1],
        "angle in float16": half[1857, 1],
        "largest difference": np.max(np.abs(cosines.astype(np.float32) - np.cos(single))),
    }


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch05-rope-default": lambda: by_pair(PLAIN, 0, 1, 2, 3, 16, 63),
    "ch05-rope-dynamic-ntk": lambda: by_pair(
        dynamic_ntk(PLAIN, factor=10, context=2048, length=16_384), 1, 2, 31, 63
    ),
    "ch05-rope-yarn": yarn,
    "ch05-llama31-bands": llama3_bands,
    "ch05-ntk-base": lambda: {
        f"{factor} times": ntk_base(10_000, factor=factor, size=128) for factor in (4, 8)
    },
    "ch05-rope-relative": offsets,
    "ch05-alibi-slopes": lambda: {
        "8 heads": alibi_slopes(8),
        "12 heads, last four": alibi_slopes(12)[8:],
    },
    "ch05-t5-buckets": buckets,
    "ch05-neox-half": half_precision,
}
