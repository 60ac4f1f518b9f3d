"""Bradley–Terry against statsmodels' logistic regression and TRL's reward loss."""

from __future__ import annotations

import numpy as np
import pytest

from primer_ref.preferences import (
    bradley_terry_gradient,
    bradley_terry_loss,
    difference_errors,
    fit_bradley_terry,
)

from .conftest import Compare


def test_the_fit_is_a_logistic_regression(compare: Compare) -> None:
    api = pytest.importorskip("statsmodels.api")
    rng = np.random.default_rng(0)
    wins = rng.integers(1, 30, size=(5, 5)).astype(float)
    np.fill_diagonal(wins, 0)
    first, second = np.triu_indices(5, 1)
    # One row a pair: +1 for the first, −1 for the second; item 0 is the zero that others lack.
    design = np.zeros((len(first), 5))
    design[np.arange(len(first)), first] = 1
    design[np.arange(len(first)), second] = -1
    outcome = np.stack([wins[first, second], wins[second, first]], axis=1)
    result = api.GLM(outcome, design[:, 1:], family=api.families.Binomial()).fit(tol=1e-14)
    fit = fit_bradley_terry(wins)
    call = "statsmodels.api.GLM, binomial"
    compare(fit_bradley_terry, call, (fit.strengths - fit.strengths[0])[1:], result.params, 1e-9)
    compare(difference_errors, call, difference_errors(fit)[0, 1:], result.bse, 1e-9)


def test_the_loss_and_its_gradient_agree_with_torch(compare: Compare) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    chosen, rejected = rng.normal(size=(2, 9)) * 4
    tensor = torch.tensor(chosen, requires_grad=True)
    loss = -torch.nn.functional.logsigmoid(tensor - torch.tensor(rejected)).mean()
    loss.backward()
    call = "torch.nn.functional.logsigmoid"
    ours = bradley_terry_loss(chosen, rejected)
    compare(bradley_terry_loss, call, ours, loss.detach(), 1e-13)
    compare(
        bradley_terry_gradient, call, bradley_terry_gradient(chosen, rejected), tensor.grad, 1e-13
    )
