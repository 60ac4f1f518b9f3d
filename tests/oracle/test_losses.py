"""Losses and their gradients against PyTorch's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from primer_ref.autodiff import value_and_grad
from primer_ref.losses import (
    cross_entropy_gradient,
    cross_entropy_loss,
    label_smoothed_loss,
    token_losses,
    z_loss,
)

from .conftest import Compare

torch = pytest.importorskip("torch")

LOGITS = np.random.default_rng(0).normal(size=(5, 7)) * 3
TARGETS = np.array([0, 6, 3, 3, 1])
MASK = np.array([True, False, True, True, False])
CALL = "torch.nn.functional.cross_entropy"


def test_token_losses_agree_with_torch(compare: Compare) -> None:
    expected = torch.nn.functional.cross_entropy(
        torch.tensor(LOGITS), torch.tensor(TARGETS), reduction="none"
    )
    compare(token_losses, CALL, token_losses(LOGITS, TARGETS), expected.numpy(), 1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("masked", [False, True])
def test_mean_losses_and_gradients_agree_with_torch(
    compare: Compare, smoothing: float, masked: bool
) -> None:
    mask = MASK if masked else None
    # PyTorch leaves out, from the mean too, the targets that bear a number of their own.
    targets = torch.tensor(np.where(MASK, TARGETS, -100) if masked else TARGETS)
    logits = torch.tensor(LOGITS, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)
    expected.backward()
    function: Callable[..., Any] = cross_entropy_loss
    if smoothing:
        function = partial(label_smoothed_loss, smoothing=smoothing)
    value, slope = value_and_grad(function)(LOGITS, TARGETS, mask=mask)
    function = label_smoothed_loss if smoothing else cross_entropy_loss
    compare(function, CALL, value, expected.item(), 1e-14)
    compare(function, CALL, slope, logits.grad.numpy(), 1e-14)
    if not smoothing and not masked:
        by_hand = cross_entropy_gradient(LOGITS, TARGETS)
        compare(cross_entropy_gradient, CALL, by_hand, logits.grad.numpy(), 1e-14)


def test_z_loss_and_its_gradient_agree_with_torch(compare: Compare) -> None:
    logits = torch.tensor(LOGITS, requires_grad=True)
    expected = torch.mean(torch.logsumexp(logits, -1) ** 2)
    expected.backward()
    value, slope = value_and_grad(z_loss)(LOGITS)
    compare(z_loss, "torch.logsumexp", value, expected.item(), 1e-13)
    compare(z_loss, "torch.logsumexp", slope, logits.grad.numpy(), 1e-13)
