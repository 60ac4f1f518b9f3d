"""Activation memory: the published coefficients come out of the list of tensors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.training_memory import (
    STORED,
    activation_bytes,
    score_share,
    selective_recomputation_overhead,
)

sizes = st.integers(1, 4096)


@pytest.mark.equation("eq-activation-bytes")
@given(sizes, st.integers(1, 8), sizes, st.integers(1, 64), st.integers(1, 16))
def test_the_tensors_add_up_to_the_published_formulas(
    s: int, b: int, h: int, a: int, t: int
) -> None:
    # Korthikanti et al. 2023, equations 1 and 2.
    model = {"n_tokens": s, "batch": b, "width": h, "n_heads": a}
    np.testing.assert_allclose(activation_bytes(STORED, **model), s * b * h * (34 + 5 * a * s / h))
    np.testing.assert_allclose(
        activation_bytes(STORED, **model, n_devices=t),
        s * b * h * (10 + 24 / t + 5 * a * s / (h * t)),
    )


def test_the_parts_are_the_published_ones() -> None:
    # Section 4.1: 11 sbh + 5 as²b for attention, 19 sbh for the feed-forward part, 4 sbh for norms.
    one = {"n_tokens": 1, "batch": 1, "width": 1, "n_heads": 1}
    norms = [tensor for tensor in STORED if "norm" in tensor.name]
    scores = [tensor for tensor in STORED if tensor.is_score]
    middle = STORED.index(norms[1])
    rest = [tensor for tensor in STORED[:middle] if tensor not in norms + scores]
    parts = [norms, rest, scores, STORED[middle + 1 :]]
    assert [activation_bytes(part, **one) for part in parts] == [4, 11, 5, 19]


@pytest.mark.equation("eq-score-share")
def test_the_published_savings_of_selective_recomputation() -> None:
    # ch09-activation-5ash: GPT-3 (a, s, h) = (96, 2048, 12288), MT-NLG (128, 2048, 20480).
    for heads, width, ratio, saved in [(96, 12_288, 80, 0.70), (128, 20_480, 64, 0.65)]:
        assert 5 * heads * 2048 / width == ratio
        share = score_share(n_tokens=2048, width=width, n_heads=heads)
        np.testing.assert_allclose(share, ratio / (34 + ratio))
        np.testing.assert_allclose(share, saved, atol=0.004)


@pytest.mark.equation("eq-selective-overhead")
def test_the_extra_work_is_a_third_of_what_is_printed() -> None:
    for width, printed in [(12_288, 0.027), (20_480, 0.016)]:
        # FLOP a token, counted: two for each weight of the matrices, and of the two products.
        matrices, products = 2 * 12 * width**2, 2 * 2 * 2048 * width
        overhead = selective_recomputation_overhead(n_tokens=2048, width=width)
        np.testing.assert_allclose(overhead, products / (3 * (matrices + products)))
        np.testing.assert_allclose(3 * overhead, printed, atol=0.0005)
        assert abs(overhead - printed) > 0.01
