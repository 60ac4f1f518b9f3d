"""Repeated data: the limits of the formula, its rate of decay, published values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from primer_ref.allocation import optimal_parameters
from primer_ref.repeated_data import MUENNIGHOFF, data_constrained_loss, effective_tokens
from primer_ref.scaling import chinchilla_loss


def test_worth_of_epochs_as_published() -> None:
    # Muennighoff et al. 2023, equation 5 with the constant of appendix A.
    ours = effective_tokens(1.0, [4, 16, 44, 1e9])
    np.testing.assert_allclose(ours, [3.727, 10.582, 15.447, 16.388], atol=2e-3)


def test_constants_as_published() -> None:
    law = MUENNIGHOFF
    np.testing.assert_allclose([law.e, law.a, law.b], [1.87, 521, 1488], rtol=2e-3)
    # Appendix A: with these, U_N = 0.051 U_D.
    np.testing.assert_allclose(optimal_parameters(1e9, law) / 1e9, 0.051, atol=5e-4)


@given(st.floats(1, 1e12), st.floats(1e-3, 100))
def test_tokens_that_are_not_repeated_count_in_full(unique: float, decay: float) -> None:
    tokens = unique * np.array([0.1, 0.9, 1])
    np.testing.assert_allclose(effective_tokens(unique, tokens, decay=decay), tokens, rtol=1e-12)


@pytest.mark.equation("eq-effective-tokens")
@given(st.floats(1, 1e12), st.floats(1.01, 50), st.floats(0.5, 50))
def test_the_next_token_is_worth_what_the_decay_says(
    unique: float, epochs: float, decay: float
) -> None:
    d, h = unique * epochs, unique * 1e-4
    ends = effective_tokens(unique, [d - h, d + h], decay=decay)
    worth = (ends[1] - ends[0]) / (2 * h)
    np.testing.assert_allclose(worth, np.exp(-(epochs - 1) / decay), rtol=1e-5, atol=1e-9)
    assert ends[1] <= unique * (1 + decay) * (1 + 1e-12)


def test_without_repetition_and_excess_the_law_is_chinchillas() -> None:
    for unique in (1e9, 3e12):
        n = 0.7 * float(optimal_parameters(unique, MUENNIGHOFF))
        constrained = data_constrained_loss(n, unique, unique, MUENNIGHOFF)
        np.testing.assert_allclose(constrained, chinchilla_loss(n, unique, MUENNIGHOFF))


@pytest.mark.equation("eq-data-constrained")
def test_excess_is_discounted_on_both_sides() -> None:
    unique, law = 1e10, MUENNIGHOFF
    best = float(optimal_parameters(unique, law))

    def worth(more: float, constant: float) -> float:
        return 1 + float(integrate.quad(lambda r: np.exp(-r / constant), 0, more)[0])

    size = best * worth(9, 5.309743)  # ten times the best
    data = unique * worth(19, 15.387756)  # twenty epochs
    np.testing.assert_allclose(
        data_constrained_loss(10 * best, 20 * unique, unique, law),
        law.e + law.a / size**law.alpha + law.b / data**law.beta,
    )


def test_the_best_size_follows_the_data_that_are_used() -> None:
    # With fewer tokens than there are, nothing is repeated, and size counts from those used.
    loss = data_constrained_loss(1e9, 1e9, 1e12, MUENNIGHOFF)
    np.testing.assert_allclose(loss, data_constrained_loss(1e9, 1e9, 1e9, MUENNIGHOFF))
