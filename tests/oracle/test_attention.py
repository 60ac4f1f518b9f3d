"""Attention against PyTorch's, forward and backward."""

import numpy as np
import pytest

from primer_ref.attention import attention_backward, causal_mask, scaled_dot_product_attention

from .conftest import Compare

torch = pytest.importorskip("torch")


@pytest.mark.equation("eq-attention")
@pytest.mark.equation("eq-attention-backward")
@pytest.mark.parametrize("causal", [False, True])
def test_attention_and_its_gradients_agree_with_torch(compare: Compare, causal: bool) -> None:
    rng = np.random.default_rng(0)
    q, k, v, d_out = rng.normal(size=(4, 2, 3, 7, 5))
    tensors = [torch.tensor(a, requires_grad=True) for a in (q, k, v)]
    expected = torch.nn.functional.scaled_dot_product_attention(*tensors, is_causal=causal)
    expected.backward(torch.tensor(d_out))
    mask = causal_mask(7) if causal else None
    out = scaled_dot_product_attention(q, k, v, mask)
    call = "torch.nn.functional.scaled_dot_product_attention" + "(is_causal=True)" * causal
    compare(scaled_dot_product_attention, call, out, expected.detach().numpy(), 1e-12)
    for gradient, tensor in zip(attention_backward(q, k, v, d_out, mask), tensors, strict=True):
        compare(attention_backward, f"{call}.backward", gradient, tensor.grad.numpy(), 1e-12)


@pytest.mark.equation("eq-causal-mask")
def test_the_causal_mask_is_that_of_is_causal(compare: Compare) -> None:
    rng = np.random.default_rng(1)
    q, k = rng.normal(size=(2, 3, 7, 5))
    function = torch.nn.functional.scaled_dot_product_attention
    # Values that are unit vectors read the weights off; what is hidden has the weight 0.
    weights = function(*map(torch.tensor, (q, k, np.tile(np.eye(7), (3, 1, 1)))), is_causal=True)
    call = "torch.nn.functional.scaled_dot_product_attention(is_causal=True): what is seen"
    compare(causal_mask, call, causal_mask(7) == 0, (weights[0] > 0).numpy(), 0)
