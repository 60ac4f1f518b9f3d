"""Gao et al.'s forms: published optima, and SciPy's optimizer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

from primer_ref.autodiff import grad
from primer_ref.overoptimization import (
    gold_optimum_best_of_n,
    gold_optimum_rl,
    gold_reward_best_of_n,
    gold_reward_rl,
)


def test_published_optima() -> None:
    # ch10-gao-optimum
    assert gold_optimum_best_of_n(alpha=1, beta=0.1) == pytest.approx(5.0, rel=1e-5)
    assert gold_optimum_rl(alpha=1, beta=0.1) == pytest.approx(8103.083927575384, rel=1e-5)


@pytest.mark.equation("eq-gold-optima")
@given(st.floats(0.1, 3), st.floats(0.2, 2))
def test_the_optima_are_where_an_optimizer_finds_them(alpha: float, beta: float) -> None:
    for form, optimum in (
        (gold_reward_best_of_n, gold_optimum_best_of_n),
        (gold_reward_rl, gold_optimum_rl),
    ):
        best = optimum(alpha=alpha, beta=beta)
        found = optimize.minimize_scalar(
            lambda d, form=form: -float(form(d, alpha=alpha, beta=beta)),
            bracket=(best / 3, best, best * 3),
            tol=1e-10,
        )
        np.testing.assert_allclose(found.x, best, rtol=1e-5)
        slope = grad(lambda d, form=form: form(d, alpha=alpha, beta=beta))(best)
        np.testing.assert_allclose(slope, 0, atol=1e-12)


@pytest.mark.equation("eq-gold-best-of-n")
@pytest.mark.equation("eq-gold-rl")
def test_the_forms_take_their_coefficients_where_they_say() -> None:
    np.testing.assert_allclose(gold_reward_best_of_n([0, 2], alpha=3, beta=0.5), [0, 4])
    np.testing.assert_allclose(
        gold_reward_rl([0, 1, np.e], alpha=3, beta=0.5), [0, 3, np.e * 2.5], atol=1e-15
    )
