"""A pipeline that runs: its gradients are those of one device."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from primer_ref.autodiff import grad
from primer_ref.pipeline import pipeline_gradients, run_schedule
from primer_ref.pipeline_schedules import (
    gpipe_schedule,
    interleaved_schedule,
    one_forward_one_backward_schedule,
)

F = NDArray[np.floating[Any]]

SCHEDULES = {
    "gpipe": gpipe_schedule(4, 4),
    "1f1b": one_forward_one_backward_schedule(4, 4),
    "interleaved": interleaved_schedule(2, 4, n_chunks=2),
}


def layers(n_stages: int) -> tuple[list[F], list[F], list[F]]:
    rng = np.random.default_rng(n_stages)
    weights: list[F] = [rng.normal(size=(3, 3)) for _ in range(n_stages)]
    inputs: list[F] = [rng.normal(size=(n, 3)) for n in (2, 5, 1, 4)]
    targets: list[F] = [rng.normal(size=x.shape) for x in inputs]
    return weights, inputs, targets


def tanh_slope(h: F) -> F:
    return 1 - np.tanh(h) ** 2


def one_device(weights: list[F], inputs: list[F], targets: list[F]) -> list[F]:
    """Micro-batches one after another, all layers on one device."""
    n_tokens = sum(len(x) for x in inputs)
    gradients = [np.zeros_like(w) for w in weights]
    for x, target in zip(inputs, targets, strict=True):
        rows = [x]
        for w in weights:
            rows.append(np.tanh(rows[-1] @ w))
        d = (rows[-1] - target) / n_tokens
        for stage in reversed(range(len(weights))):
            d_h = d * tanh_slope(rows[stage] @ weights[stage])
            gradients[stage] = gradients[stage] + rows[stage].T @ d_h
            d = d_h @ weights[stage].T
    return gradients


@pytest.mark.parametrize("schedule", sorted(SCHEDULES))
def test_a_pipeline_gives_the_gradients_of_one_device_bit_for_bit(schedule: str) -> None:
    weights, inputs, targets = layers(4)
    timeline = run_schedule(SCHEDULES[schedule], forward=1.0, backward=1.7)
    n_tokens = sum(len(x) for x in inputs)
    gradients = pipeline_gradients(
        timeline,
        weights,
        inputs,
        lambda i, y: (y - targets[i]) / n_tokens,
        activation=np.tanh,
        slope=tanh_slope,
    )
    for ours, theirs in zip(gradients, one_device(weights, inputs, targets), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_pipelines_gradient_is_that_of_the_mean_loss_over_all_tokens() -> None:
    weights, inputs, targets = layers(3)

    def loss(weights: list[F]) -> F:
        y = np.concatenate(inputs)
        for w in weights:
            y = np.tanh(y @ w)
        value: F = np.sum((y - np.concatenate(targets)) ** 2) / (2 * len(y))
        return value

    timeline = run_schedule(one_forward_one_backward_schedule(3, 4), forward=1.0, backward=2.0)
    n_tokens = sum(len(x) for x in inputs)
    gradients = pipeline_gradients(
        timeline,
        weights,
        inputs,
        lambda i, y: (y - targets[i]) / n_tokens,
        activation=np.tanh,
        slope=tanh_slope,
    )
    for ours, theirs in zip(gradients, grad(loss)(weights), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)
