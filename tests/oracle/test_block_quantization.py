"""Block layouts against the NumPy quantizers of the package gguf: the same bytes."""

from collections.abc import Callable

import numpy as np
import pytest

from primer_ref.block_quantization import quantize_q4_0, quantize_q4_1, quantize_q8_0
from primer_ref.formats import StoredTensor

from .conftest import Compare

gguf = pytest.importorskip("gguf")


@pytest.mark.parametrize("quantize", [quantize_q8_0, quantize_q4_0, quantize_q4_1])
def test_bytes_and_weights_are_those_of_gguf(
    compare: Compare, quantize: Callable[[np.ndarray], StoredTensor]
) -> None:
    rng = np.random.default_rng(0)
    kind = gguf.GGMLQuantizationType[quantize.__name__.removeprefix("quantize_").upper()]
    smooth = rng.normal(size=(2000, 128)) * 10 ** rng.uniform(-6, 3, size=(2000, 1))
    grid = rng.integers(-20, 20, size=(2000, 128)) / 2  # codes tie
    for x in (smooth, grid, grid + 7, np.zeros((2, 32))):
        theirs = gguf.quantize(x.astype(np.float32), kind)
        stored = quantize(x)
        compare(quantize, f"gguf.quantize({kind.name})", stored.raw, theirs.ravel(), 0)
        compare(
            quantize,
            f"gguf.dequantize({kind.name})",
            stored.decode(),
            gguf.dequantize(theirs, kind),
            0,
        )
