"""Slopes and buckets against BLOOM's and T5's code in Hugging Face's transformers."""

import numpy as np
import pytest

from primer_ref.attention import causal_mask, scaled_dot_product_attention
from primer_ref.position_biases import alibi_bias, alibi_slopes, t5_buckets, t5_buckets_causal

from .conftest import Compare

torch = pytest.importorskip("torch")
bloom = pytest.importorskip("transformers.models.bloom.modeling_bloom")
t5 = pytest.importorskip("transformers.models.t5.modeling_t5")


def test_slopes_agree_with_those_of_bloom(compare: Compare) -> None:
    for n_heads in (1, 2, 3, 8, 12, 20, 32, 112):
        # At a mask of two tokens, the second position's bias is the slope itself.
        bias = bloom.build_alibi_tensor(torch.ones(1, 2), n_heads, torch.float32)
        compare(
            alibi_slopes,
            "transformers.models.bloom.modeling_bloom.build_alibi_tensor",
            alibi_slopes(n_heads),
            bias[:, 0, 1],
            1e-6,
        )


@pytest.mark.parametrize(("n_buckets", "max_distance"), [(32, 128), (16, 128), (64, 512)])
def test_buckets_agree_with_those_of_t5(
    compare: Compare, n_buckets: int, max_distance: int
) -> None:
    offsets = np.arange(-3 * max_distance, 3 * max_distance)
    for function in (t5_buckets, t5_buckets_causal):
        theirs = t5.T5Attention._relative_position_bucket(
            torch.tensor(offsets), function is t5_buckets, n_buckets, max_distance
        )
        compare(
            function,
            "transformers.models.t5.modeling_t5.T5Attention._relative_position_bucket",
            function(offsets, n_buckets=n_buckets, max_distance=max_distance),
            theirs,
            0,
        )


def test_attention_with_a_bias_agrees_with_torch(compare: Compare) -> None:
    q, k, v = np.random.default_rng(0).normal(size=(3, 2, 12, 7, 8))
    mask = alibi_bias(alibi_slopes(12), 7) + causal_mask(7)
    theirs = torch.nn.functional.scaled_dot_product_attention(
        *map(torch.tensor, (q, k, v)), attn_mask=torch.tensor(mask)
    )
    compare(
        scaled_dot_product_attention,
        "torch.nn.functional.scaled_dot_product_attention(attn_mask=…)",
        scaled_dot_product_attention(q, k, v, mask),
        theirs,
        1e-12,
    )
