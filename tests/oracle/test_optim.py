"""Optimizers, clipping and schedules against PyTorch's, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from primer_ref.optim import (
    adam,
    adamw,
    clip_by_global_norm,
    global_norm,
    initial_moments,
    momentum,
    sgd,
    zeros,
)
from primer_ref.schedules import warmup_cosine, warmup_stable_decay

from .conftest import Compare

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)
START = [RNG.normal(size=(3, 4)), RNG.normal(size=5)]
GRADIENTS = [[RNG.normal(size=(3, 4)), RNG.normal(size=5)] for _ in range(20)]


def flat(arrays: Any) -> NDArray[np.float64]:
    return np.concatenate([np.ravel(array) for array in arrays])


def theirs(optimizer: Callable[..., Any], **options: float) -> NDArray[np.float64]:
    parameters = [torch.tensor(array, requires_grad=True) for array in START]
    steps = optimizer(parameters, **options)
    for gradient in GRADIENTS:
        for parameter, part in zip(parameters, gradient, strict=True):
            parameter.grad = torch.tensor(part)
        steps.step()
    return flat([parameter.detach().numpy() for parameter in parameters])


def ours(step: Callable[..., Any], state: Any, **options: float) -> NDArray[np.float64]:
    weights = START
    for gradient in GRADIENTS:
        weights, state = step(weights, gradient, state, **options)
    return flat(weights)


@pytest.mark.equation("eq-sgd")
@pytest.mark.equation("eq-heavy-ball")
@pytest.mark.equation("eq-adam")
@pytest.mark.equation("eq-adamw")
def test_steps_agree_with_torch(compare: Compare) -> None:
    averages = {"rate": 0.05, "beta1": 0.8, "beta2": 0.9, "eps": 1e-3}
    their_averages: dict[str, Any] = {"lr": 0.05, "betas": (0.8, 0.9), "eps": 1e-3}
    compare(
        sgd, "torch.optim.SGD", ours(sgd, None, rate=0.05), theirs(torch.optim.SGD, lr=0.05), 1e-12
    )
    compare(
        momentum,
        "torch.optim.SGD with momentum",
        ours(momentum, zeros(START), rate=0.05, beta=0.8),
        theirs(torch.optim.SGD, lr=0.05, momentum=0.8),
        1e-12,
    )
    compare(
        adam,
        "torch.optim.Adam",
        ours(adam, initial_moments(START), **averages),
        theirs(torch.optim.Adam, **their_averages),
        1e-12,
    )
    compare(
        adamw,
        "torch.optim.AdamW",
        ours(adamw, initial_moments(START), **averages, decay=0.3),
        theirs(torch.optim.AdamW, **their_averages, weight_decay=0.3),
        1e-12,
    )


@pytest.mark.equation("eq-clip")
def test_clipping_agrees_with_torch(compare: Compare) -> None:
    parameters = [torch.tensor(array, requires_grad=True) for array in START]
    for parameter, part in zip(parameters, GRADIENTS[0], strict=True):
        parameter.grad = torch.tensor(part)
    norm = torch.nn.utils.clip_grad_norm_(parameters, 0.5)
    clipped, length = clip_by_global_norm(GRADIENTS[0], limit=0.5)
    call = "torch.nn.utils.clip_grad_norm_"
    compare(global_norm, call, length, norm.item(), 1e-12)
    # Theirs adds 1e-6 to the norm that it divides by.
    compare(clip_by_global_norm, call, flat(clipped), flat([p.grad for p in parameters]), 1e-6)


def rates(schedule: Any, optimizer: Any, n: int) -> list[float]:
    found = []
    for _ in range(n):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_schedules_agree_with_transformers(compare: Compare) -> None:
    transformers = pytest.importorskip("transformers")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    cosine = transformers.get_cosine_schedule_with_warmup(optimizer, 5, 30)
    compare(
        warmup_cosine,
        "transformers.get_cosine_schedule_with_warmup",
        warmup_cosine(range(31), peak=0.3, warmup=5, total=30),
        rates(cosine, optimizer, 31),
        1e-12,
    )
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    stable = transformers.get_wsd_schedule(
        optimizer, 5, 10, num_stable_steps=15, decay_type="linear"
    )
    compare(
        warmup_stable_decay,
        "transformers.get_wsd_schedule",
        warmup_stable_decay(range(31), peak=0.3, warmup=5, stable=20, total=30),
        rates(stable, optimizer, 31),
        1e-12,
    )
