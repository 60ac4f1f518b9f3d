"""Norms and their gradients against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

from primer_ref.autodiff import vjp
from primer_ref.norms import layer_norm, layer_norm_jacobian, rms_norm, rms_norm_jacobian

from .conftest import Compare

torch = pytest.importorskip("torch")

X, G = np.random.default_rng(0).normal(size=(2, 3, 4, 6))
WEIGHT, BIAS = np.random.default_rng(1).normal(size=(2, 6))


@pytest.mark.equation("eq-layer-norm")
@pytest.mark.equation("eq-layer-norm-jacobian")
def test_layer_norm_agrees_with_torch(compare: Compare) -> None:
    x, weight, bias = inputs = [torch.tensor(a, requires_grad=True) for a in (X, WEIGHT, BIAS)]
    expected = torch.nn.functional.layer_norm(x, (6,), weight, bias, eps=1e-3)
    expected.backward(torch.tensor(G))
    value, pull = vjp(lambda x, w, b: layer_norm(x, w, b, eps=1e-3), X, WEIGHT, BIAS)
    call = "torch.nn.functional.layer_norm"
    compare(layer_norm, call, value, expected.detach().numpy(), 1e-13)
    for found, tensor in zip(pull(G), inputs, strict=True):
        compare(layer_norm, call, found, tensor.grad.numpy(), 1e-12)
    found = np.swapaxes(layer_norm_jacobian(X, WEIGHT, eps=1e-3), -1, -2) @ G[..., None]
    compare(layer_norm_jacobian, call, found[..., 0], x.grad.numpy(), 1e-12)


@pytest.mark.equation("eq-rms-norm")
@pytest.mark.equation("eq-rms-norm-jacobian")
def test_rms_norm_agrees_with_torch(compare: Compare) -> None:
    x, weight = inputs = [torch.tensor(a, requires_grad=True) for a in (X, WEIGHT)]
    expected = torch.nn.functional.rms_norm(x, (6,), weight, eps=1e-3)
    expected.backward(torch.tensor(G))
    value, pull = vjp(lambda x, w: rms_norm(x, w, eps=1e-3), X, WEIGHT)
    call = "torch.nn.functional.rms_norm"
    compare(rms_norm, call, value, expected.detach().numpy(), 1e-13)
    for found, tensor in zip(pull(G), inputs, strict=True):
        compare(rms_norm, call, found, tensor.grad.numpy(), 1e-12)
    found = np.swapaxes(rms_norm_jacobian(X, WEIGHT, eps=1e-3), -1, -2) @ G[..., None]
    compare(rms_norm_jacobian, call, found[..., 0], x.grad.numpy(), 1e-12)
