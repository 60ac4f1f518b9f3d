"""Softmax, its logarithm and log-sum-exp, with their gradients, against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from primer_ref.functional import log_softmax, logsumexp, softmax, softmax_vjp

from .conftest import Compare

torch = pytest.importorskip("torch")


@pytest.mark.equation("eq-softmax")
@pytest.mark.equation("eq-softmax-vjp")
@pytest.mark.parametrize("axis", [0, -1])
def test_softmax_and_its_gradient(compare: Compare, axis: int) -> None:
    rng = np.random.default_rng(0)
    scores, upstream = rng.normal(scale=30, size=(2, 6, 9))
    scores[1:3, 4] = -np.inf  # an outcome that is ruled out
    tensor = torch.tensor(scores, requires_grad=True)
    expected = torch.softmax(tensor, dim=axis)
    expected.backward(torch.tensor(upstream))
    p = softmax(scores, axis=axis)
    compare(softmax, "torch.softmax", p, expected.detach().numpy(), 1e-14)
    gradient = softmax_vjp(p, upstream, axis=axis)
    compare(softmax_vjp, "torch.softmax.backward", gradient, tensor.grad.numpy(), 1e-12)


@pytest.mark.equation("eq-softmax")
def test_temperatures(compare: Compare) -> None:
    scores = np.random.default_rng(1).normal(scale=5, size=(4, 50))
    for temperature in (0.1, 0.7, 3.0):
        expected = torch.softmax(torch.tensor(scores) / temperature, dim=-1).numpy()
        found = softmax(scores, temperature=temperature)
        compare(softmax, "torch.softmax(scores / temperature)", found, expected, 1e-14)


@pytest.mark.equation("eq-log-softmax")
@pytest.mark.equation("eq-lse")
def test_logarithms(compare: Compare) -> None:
    scores = np.random.default_rng(2).normal(scale=100, size=(20, 30))
    tensor = torch.tensor(scores)
    expected = torch.log_softmax(tensor, dim=-1).numpy()
    compare(log_softmax, "torch.log_softmax", log_softmax(scores), expected, 1e-12)
    scores[:, 0] = -np.inf
    scores += 1000.0  # which exponentials could not bear
    expected = torch.logsumexp(torch.tensor(scores), dim=-1).numpy()
    compare(logsumexp, "torch.logsumexp", logsumexp(scores), expected, 1e-12)


@pytest.mark.equation("eq-softmax")
def test_single_precision(compare: Compare) -> None:
    scores = np.random.default_rng(3).normal(scale=10, size=(20, 300)).astype(np.float32)
    expected = torch.softmax(torch.tensor(scores), dim=-1).numpy()
    found = softmax(scores)
    assert found.dtype == np.float32
    compare(softmax, "torch.softmax, float32", found, expected, 1e-6)
