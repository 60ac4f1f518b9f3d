"""Losses: SciPy, definitions, least values, gradients, and how tokens are weighed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize, special

from primer_ref.autodiff import check_gradient, grad, hessian_vector_product
from primer_ref.functional import softmax, softmax_jacobian
from primer_ref.losses import (
    cross_entropy_gradient,
    cross_entropy_loss,
    label_smoothed_loss,
    token_losses,
    z_loss,
)

F = NDArray[np.float64]
seeds = st.integers(0, 2**32 - 1)


def batch(seed: int, *shape: int) -> tuple[F, NDArray[np.int64], NDArray[np.bool]]:
    """Logits, targets and a mask that shows at least one token."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape[:-1]) < 0.6
    mask.flat[0] = True
    return rng.normal(size=shape) * 3, rng.integers(0, shape[-1], shape[:-1]), mask


@given(seeds)
def test_a_token_loses_its_surprisal(seed: int) -> None:
    logits, targets, _ = batch(seed, 2, 3, 7)
    log_p = special.log_softmax(logits, axis=-1)
    losses = token_losses(logits, targets)
    for index in np.ndindex(2, 3):
        assert losses[index] == pytest.approx(-log_p[index][targets[index]], abs=1e-12)


def test_far_logits_neither_overflow_nor_round_away() -> None:
    assert token_losses([1e4, 0.0], 1) == 1e4
    assert token_losses([0.0, -np.inf], 1) == np.inf
    assert token_losses([30.0, 0.0], 0) == pytest.approx(math.exp(-30), rel=1e-2)


@given(seeds)
def test_every_token_that_counts_weighs_the_same(seed: int) -> None:
    logits, targets, mask = batch(seed, 3, 4, 5)
    losses = token_losses(logits, targets)
    assert cross_entropy_loss(logits, targets) == pytest.approx(losses.mean())
    masked = cross_entropy_loss(logits, targets, mask=mask)
    assert masked == pytest.approx(losses[mask].sum() / mask.sum())


def test_the_mean_over_tokens_is_not_the_mean_of_the_sequences_means() -> None:
    logits = np.array([[[2.0, 0.0]] * 3, [[0.0, 2.0]] * 3])
    targets, mask = np.zeros((2, 3), int), np.array([[True] * 3, [True, False, False]])
    good, bad = math.log1p(math.exp(-2)), math.log1p(math.exp(2))
    loss = cross_entropy_loss(logits, targets, mask=mask)
    assert loss == pytest.approx((3 * good + bad) / 4)
    assert loss != pytest.approx((good + bad) / 2)


@given(seeds)
def test_what_is_masked_has_no_influence_and_no_gradient(seed: int) -> None:
    logits, targets, mask = batch(seed, 4, 5)
    other = np.where(mask[:, None], logits, -100.0 * np.arange(5))
    both = [cross_entropy_loss(z, targets, mask=mask) for z in (logits, other)]
    assert both[0] == both[1]
    slope = grad(lambda z: cross_entropy_loss(z, targets, mask=mask))(logits)
    assert np.all(slope[~mask] == 0)
    np.testing.assert_allclose(slope[mask], cross_entropy_gradient(logits[mask], targets[mask]))


@given(seeds)
def test_the_gradient_by_hand_is_autodiffs_and_finite_differences(seed: int) -> None:
    logits, targets, _ = batch(seed, 2, 3, 5)
    slope = cross_entropy_gradient(logits, targets)
    np.testing.assert_allclose(
        slope, grad(lambda z: cross_entropy_loss(z, targets))(logits), atol=1e-15
    )
    np.testing.assert_allclose(slope.sum(axis=-1), 0, atol=1e-15)
    h = 1e-5
    step = h * np.eye(5)
    up, down = (
        np.array([cross_entropy_loss(logits[0, 0] + s * row, targets[0, 0]) for row in step])
        for s in (1, -1)
    )
    np.testing.assert_allclose(6 * slope[0, 0], (up - down) / (2 * h), atol=1e-8)


def test_the_hessian_at_the_logits_is_the_covariance_of_a_one_hot_draw() -> None:
    logits, targets, _ = batch(0, 5)
    v = np.arange(5.0)
    found = hessian_vector_product(lambda z: cross_entropy_loss(z, targets), logits, v)
    np.testing.assert_allclose(found, softmax_jacobian(softmax(logits)) @ v, atol=1e-14)


@given(seeds, st.floats(0, 1))
def test_label_smoothing_is_cross_entropy_to_the_mixture(seed: int, smoothing: float) -> None:
    logits, targets, mask = batch(seed, 4, 5)
    mixture = (1 - smoothing) * np.eye(5)[targets] + smoothing / 5
    losses = -np.sum(mixture * special.log_softmax(logits, axis=-1), axis=-1)
    found = label_smoothed_loss(logits, targets, smoothing=smoothing, mask=mask)
    assert found == pytest.approx(losses[mask].mean())
    assert label_smoothed_loss(logits, targets, smoothing=0.0) == cross_entropy_loss(
        logits, targets
    )


def test_the_least_smoothed_loss_is_the_entropy_of_the_mixture_at_the_stated_logit() -> None:
    share, n = 0.1, 5

    def loss(margin: float) -> float:
        return float(label_smoothed_loss([margin, 0, 0, 0, 0], 0, smoothing=share))

    mixture = np.array([1 - share + share / n, *[share / n] * (n - 1)])
    found = optimize.minimize_scalar(
        loss, bounds=(0, 10), method="bounded", options={"xatol": 1e-9}
    )
    assert found.x == pytest.approx(math.log(1 + n * (1 - share) / share), abs=1e-6)
    assert found.fun == pytest.approx(-mixture @ np.log(mixture), abs=1e-12)


@pytest.mark.equation("eq-z-loss")
@given(seeds)
def test_z_loss_is_the_square_of_the_log_normalizer(seed: int) -> None:
    logits, _, mask = batch(seed, 4, 5)
    expected = special.logsumexp(logits, axis=-1) ** 2
    assert z_loss(logits) == pytest.approx(expected.mean())
    assert z_loss(logits, mask=mask) == pytest.approx(expected[mask].mean())
    assert z_loss(special.log_softmax(logits, axis=-1)) == pytest.approx(0, abs=1e-28)


def test_z_loss_sees_the_shift_that_cross_entropy_does_not_see() -> None:
    logits, targets, _ = batch(1, 4, 5)
    np.testing.assert_allclose(
        cross_entropy_loss(logits + 7, targets), cross_entropy_loss(logits, targets)
    )
    assert z_loss(logits + 7) > z_loss(logits)


def test_every_loss_is_differentiated() -> None:
    logits, targets, mask = batch(2, 2, 3, 5)
    rng = np.random.default_rng(0)
    for f in (
        lambda z: np.sum(token_losses(z, targets) ** 2),
        lambda z: cross_entropy_loss(z, targets, mask=mask),
        lambda z: label_smoothed_loss(z, targets, smoothing=0.2, mask=mask),
        lambda z: z_loss(z, mask=mask),
    ):
        assert check_gradient(f, logits, rng=rng) < 1e-6


def test_precision_is_kept() -> None:
    logits, targets, mask = batch(3, 2, 3, 5)
    single = logits.astype(np.float32)
    made = (
        token_losses(single, targets),
        cross_entropy_loss(single, targets, mask=mask),
        cross_entropy_gradient(single, targets),
        label_smoothed_loss(single, targets, smoothing=0.2),
        z_loss(single),
    )
    assert {y.dtype for y in made} == {np.dtype(np.float32)}
