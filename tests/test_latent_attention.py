"""Latent attention: equal to plain attention with product weights, built or absorbed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.attention import causal_mask
from primer_ref.autodiff import check_gradient
from primer_ref.heads import multi_head_attention
from primer_ref.latent_attention import latent_attention, latent_attention_absorbed
from primer_ref.trees import tree_map

F = NDArray[np.float64]


def weights(seed: int, *, rank: int) -> tuple[F, F, F, tuple[F, F], F]:
    """Tokens of width 6, three heads of 4, values of 5."""
    rng = np.random.default_rng(seed)
    up = rng.normal(size=(rank, 12)), rng.normal(size=(rank, 15))
    down, w_q, w_o = rng.normal(size=(6, rank)), rng.normal(size=(6, 12)), rng.normal(size=(15, 6))
    return rng.normal(size=(2, 7, 6)), w_q, down, up, w_o


@pytest.mark.equation("eq-latent")
@pytest.mark.equation("eq-latent-absorbed")
@pytest.mark.parametrize("form", [latent_attention, latent_attention_absorbed])
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.booleans())
def test_both_forms_are_plain_attention_with_product_weights(
    form: object, seed: int, rank: int, masked: bool
) -> None:
    assert callable(form)
    x, w_q, down, up, w_o = weights(seed, rank=rank)
    mask = causal_mask(7) if masked else None
    plain = multi_head_attention(x, w_q, down @ up[0], down @ up[1], w_o, n_heads=3, mask=mask)
    latent = form(x, w_q, down, up, w_o, n_heads=3, mask=mask)
    np.testing.assert_allclose(latent, plain, atol=1e-12 * max(1, float(np.max(np.abs(plain)))))


def test_any_key_and_value_weights_are_latent_at_the_rank_of_the_two_side_by_side() -> None:
    rng = np.random.default_rng(0)
    x, w_q, w_o = rng.normal(size=(5, 6)), rng.normal(size=(6, 4)), rng.normal(size=(4, 6))
    w_k, w_v = rng.normal(size=(6, 3)) @ rng.normal(size=(3, 4)), rng.normal(size=(6, 4))
    joint = np.concatenate([w_k, w_v], axis=1)
    u, s, vt = np.linalg.svd(joint, full_matrices=False)
    plain = multi_head_attention(x, w_q, w_k, w_v, w_o, n_heads=2)

    def of_rank(r: int) -> F:
        up = s[:r, None] * vt[:r]
        return np.asarray(
            latent_attention_absorbed(x, w_q, u[:, :r], (up[:, :4], up[:, 4:]), w_o, n_heads=2)
        )

    np.testing.assert_allclose(of_rank(6), plain, atol=1e-12)
    assert np.max(np.abs(of_rank(5) - plain)) > 1e-3


def test_both_forms_can_be_differentiated_and_stay_single() -> None:
    arrays = weights(1, rank=2)
    rng = np.random.default_rng(2)
    mix = rng.normal(size=(2, 7, 6))
    x, w_q, down, up, w_o = (tree_map(lambda a: a.astype(np.float32), tree) for tree in arrays)
    for form in (latent_attention, latent_attention_absorbed):

        def loss(a: tuple[F, F, F, tuple[F, F], F], form: Any = form) -> object:
            return np.sum(mix * form(*a, n_heads=3, mask=causal_mask(7)))

        assert check_gradient(loss, arrays, rng=rng) < 1e-6
        assert form(x, w_q, down, up, w_o, n_heads=3).dtype == np.float32
