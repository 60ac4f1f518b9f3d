"""Linear attention that forgets: two forms of one function, and its limits."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.autodiff import check_gradient
from primer_ref.gated_recurrence import gated_linear_attention, gated_linear_attention_recurrent
from primer_ref.kernel_attention import linear_attention

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


def arrays(seed: int, length: int) -> tuple[F, F, F, F]:
    rng = np.random.default_rng(seed)
    q, k, v = (
        rng.normal(size=(length, 3)),
        rng.normal(size=(length, 3)),
        rng.normal(size=(length, 2)),
    )
    return q, k, v, rng.uniform(0.01, 1, size=(length, 3))


@pytest.mark.equation("eq-gated-sum")
@given(seeds, st.integers(1, 12))
def test_the_parallel_form_is_what_its_definition_says(seed: int, length: int) -> None:
    q, k, v, decay = arrays(seed, length)
    out = gated_linear_attention(q, k, v, decay)
    for t in range(length):
        expected = sum(
            np.sum(q[t] * k[s] * np.prod(decay[s + 1 : t + 1], axis=0)) * v[s] for s in range(t + 1)
        )
        np.testing.assert_allclose(out[t], expected, atol=1e-12)


@pytest.mark.equation("eq-gated-recurrence")
@given(seeds, st.integers(1, 40))
def test_the_recurrence_is_the_parallel_form(seed: int, length: int) -> None:
    q, k, v, decay = arrays(seed, length)
    np.testing.assert_allclose(
        gated_linear_attention_recurrent(q, k, v, decay),
        gated_linear_attention(q, k, v, decay),
        atol=1e-12,
    )
    one = decay[:, :1]  # one gate for all coordinates
    np.testing.assert_allclose(
        gated_linear_attention_recurrent(q, k, v, one),
        gated_linear_attention(q, k, v, one),
        atol=1e-12,
    )


@given(seeds)
def test_without_forgetting_it_is_linear_attention_before_the_division(seed: int) -> None:
    q, k, v, _ = arrays(seed, 8)
    phi_q, phi_k, kept = np.exp(q), np.exp(k), np.ones((8, 3))
    total = gated_linear_attention(phi_q, phi_k, np.ones((8, 1)), kept)
    np.testing.assert_allclose(
        gated_linear_attention(phi_q, phi_k, v, kept) / total, linear_attention(phi_q, phi_k, v)
    )


def test_fast_forgetting_leaves_the_present_token_and_overflows_nowhere() -> None:
    q, k, v, _ = arrays(0, 400)
    forgetful = np.full((400, 3), 1e-12)
    out = gated_linear_attention(q, k, v, forgetful)
    np.testing.assert_allclose(out, np.sum(q * k, axis=-1, keepdims=True) * v, atol=1e-9)
    np.testing.assert_allclose(
        out, gated_linear_attention_recurrent(q, k, v, forgetful), atol=1e-12
    )


def test_both_forms_can_be_differentiated_and_stay_single() -> None:
    q, k, v, decay = arrays(1, 5)
    rng = np.random.default_rng(2)
    mix = rng.normal(size=(5, 2))
    for form in (gated_linear_attention, gated_linear_attention_recurrent):

        def loss(a: tuple[F, F, F, F], form: Any = form) -> object:
            return np.sum(mix * form(*a))

        assert check_gradient(loss, (q, k, v, 0.5 + decay / 3), rng=rng) < 1e-7
        assert form(*(a.astype(np.float32) for a in (q, k, v, decay))).dtype == np.float32
