"""Activations and their derivatives against PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from primer_ref import activations

from .conftest import Compare

torch = pytest.importorskip("torch")

PAIRS = {
    "sigmoid": "sigmoid",
    "softplus": "nn.functional.softplus",
    "relu": "nn.functional.relu",
    "erf": "erf",
    "gelu": "nn.functional.gelu",
    "gelu_tanh": "nn.functional.gelu",
    "silu": "nn.functional.silu",
    "selu": "nn.functional.selu",
}


@pytest.mark.parametrize("name", PAIRS)
def test_activations_and_derivatives_agree_with_torch(compare: Compare, name: str) -> None:
    theirs: Any = torch
    for part in PAIRS[name].split("."):
        theirs = getattr(theirs, part)
    options = {"approximate": "tanh"} if name == "gelu_tanh" else {}
    call = f"torch.{PAIRS[name]}" + (" (tanh)" if options else "")
    x = np.linspace(-20, 20, 2001)  # 0 among them
    tensor = torch.tensor(x, requires_grad=True)
    expected = theirs(tensor, **options)
    expected.sum().backward()
    found = getattr(activations, name)
    # PyTorch's softplus is linear from 20 on, where this ends.
    compare(found, call, found(x), expected.detach().numpy(), 1e-14)
    if name != "erf":
        derivative = getattr(activations, f"{name}_derivative")
        compare(derivative, call, derivative(x), tensor.grad.numpy(), 1e-14)
