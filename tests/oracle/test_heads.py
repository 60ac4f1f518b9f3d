"""Heads against PyTorch's layer, which stores its matrices transposed and hides where True."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from primer_ref.attention import causal_mask
from primer_ref.heads import multi_head_attention

from .conftest import Compare

torch = pytest.importorskip("torch")

F = NDArray[np.float64]
B, T, C, H = 2, 7, 12, 3


def layer(w_q: F, w_k: F, w_v: F, w_o: F) -> Any:
    """Set up the layer: one matrix of rows for three, y = x W^T there, y = x W here."""
    found = torch.nn.MultiheadAttention(C, H, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        found.in_proj_weight.copy_(torch.tensor(np.hstack([w_q, w_k, w_v]).T))
        found.out_proj.weight.copy_(torch.tensor(w_o.T))
    return found


@pytest.mark.equation("eq-multi-head")
@pytest.mark.parametrize("mask", ["none", "causal", "True hides"])
def test_heads_are_those_of_the_layer(compare: Compare, mask: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(B, T, C))
    w_q, w_k, w_v, w_o = rng.normal(size=(4, C, C))
    rule = {
        "none": None,
        "causal": torch.tensor(causal_mask(T)),
        "True hides": torch.tensor(causal_mask(T) < 0),
    }[mask]
    tokens = torch.tensor(x)
    with torch.no_grad():
        expected, _ = layer(w_q, w_k, w_v, w_o)(tokens, tokens, tokens, attn_mask=rule)
    shown = None if mask == "none" else causal_mask(T)
    found = multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads=H, mask=shown)
    call = "torch.nn.MultiheadAttention" + {"none": ""}.get(mask, f" ({mask})")
    compare(multi_head_attention, call, found, expected.numpy(), 1e-11)


@pytest.mark.equation("eq-multi-head")
def test_a_padding_mask_hides_where_it_is_true(compare: Compare) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(B, T, C))
    w_q, w_k, w_v, w_o = rng.normal(size=(4, C, C))
    padded = np.zeros((B, T), bool)
    padded[1, -3:] = True
    tokens, hides = torch.tensor(x), torch.tensor(padded)
    with torch.no_grad():
        expected, _ = layer(w_q, w_k, w_v, w_o)(tokens, tokens, tokens, key_padding_mask=hides)
    shown = np.where(padded[:, None, :], -np.inf, 0.0) + np.zeros((T, 1))
    found = multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads=H, mask=shown)
    call = "torch.nn.MultiheadAttention(key_padding_mask=…)"
    compare(multi_head_attention, call, found, expected.numpy(), 1e-11)
