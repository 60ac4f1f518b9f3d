"""Tiled attention, forward and backward, against PyTorch's with the same masks."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from primer_ref.attention_variants import sliding_window_mask
from primer_ref.flash_attention import flash_attention, flash_attention_backward

from .conftest import Compare

torch = pytest.importorskip("torch")

Ints = NDArray[np.int64]


@pytest.mark.parametrize("window", [1, 5, 64])
def test_tiles_agree_with_torch_under_a_window(compare: Compare, window: int) -> None:
    q, k, v, d_out = np.random.default_rng(0).normal(size=(4, 2, 3, 40, 16))
    tensors = [torch.tensor(a, requires_grad=True) for a in (q, k, v)]
    expected = torch.nn.functional.scaled_dot_product_attention(
        *tensors, attn_mask=torch.tensor(sliding_window_mask(40, window))
    )
    expected.backward(torch.tensor(d_out))

    def rule(query: Ints, key: Ints) -> Any:
        return (key <= query) & (key > query - window)

    sizes: dict[str, Any] = {"block_q": 8, "block_k": 16, "rule": rule}
    forward = flash_attention(q, k, v, **sizes)
    gradients = flash_attention_backward(q, k, v, d_out, forward, **sizes)
    call = "torch.nn.functional.scaled_dot_product_attention"
    compare(flash_attention, f"{call}(attn_mask=…)", forward[0], expected.detach(), 1e-12)
    for ours, tensor in zip(gradients, tensors, strict=True):
        compare(flash_attention_backward, f"{call}(attn_mask=…).backward", ours, tensor.grad, 1e-12)
