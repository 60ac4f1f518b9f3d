"""Images as tokens and contrastive learning: loops, exact sums over pairs, Gaussians, gradients."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal, special

from primer_ref.autodiff import Tensor, grad
from primer_ref.information import mutual_information
from primer_ref.multimodal import (
    info_nce,
    information_bound,
    nearest_code,
    patch_embedding,
    patches,
    unpatch,
)

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 3)


@given(seeds, sizes, st.integers(1, 3), st.integers(1, 4), st.integers(1, 3))
def test_patches_are_cut_row_by_row_and_go_back_exactly(
    seed: int, size: int, rows: int, columns: int, channels: int
) -> None:
    image = np.random.default_rng(seed).normal(size=(rows * size, columns * size, channels))
    cut = patches(image, size=size)
    expected = [
        image[i * size : (i + 1) * size, j * size : (j + 1) * size].ravel()
        for i in range(rows)
        for j in range(columns)
    ]
    np.testing.assert_array_equal(cut, expected)
    np.testing.assert_array_equal(unpatch(cut, size=size, width=columns * size), image)
    batch = np.stack([image, -image])
    np.testing.assert_array_equal(patches(batch, size=size)[1], -cut)
    np.testing.assert_array_equal(
        unpatch(patches(batch, size=size), size=size, width=columns * size), batch
    )


@pytest.mark.equation("eq-patch-embedding")
@given(seeds, sizes)
def test_a_patch_embedding_is_a_convolution_with_stride(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    image, kernels = rng.normal(size=(2 * size, 3 * size, 2)), rng.normal(size=(size, size, 2, 4))
    positions = rng.normal(size=(6, 4))
    got = patch_embedding(image, kernels.reshape(-1, 4), positions, size=size)
    for c in range(4):
        dense = sum(
            signal.correlate2d(image[:, :, k], kernels[:, :, k, c], mode="valid") for k in range(2)
        )
        np.testing.assert_allclose(
            got[:, c], dense[::size, ::size].ravel() + positions[:, c], atol=1e-12
        )


def test_embeddings_can_be_trained() -> None:
    rng = np.random.default_rng(0)
    image, weight = rng.normal(size=(4, 4, 1)), rng.normal(size=(4, 3))
    positions = rng.normal(size=(4, 3))

    def loss(w: F) -> Any:
        return np.sum(patch_embedding(image, w, positions, size=2) ** 2)

    expected = 2 * patches(image, size=2).T @ patch_embedding(image, weight, positions, size=2)
    np.testing.assert_allclose(grad(loss)(weight), expected, atol=1e-12)


@pytest.mark.equation("eq-info-nce")
@given(seeds, st.integers(1, 6))
def test_info_nce_is_the_mean_of_two_cross_entropies(seed: int, n: int) -> None:
    scores = np.random.default_rng(seed).normal(size=(n, n)) * 3
    rows, columns = (special.log_softmax(scores, axis=axis) for axis in (1, 0))
    expected = -(np.trace(rows) + np.trace(columns)) / (2 * n)
    np.testing.assert_allclose(info_nce(scores), expected, atol=1e-12)
    np.testing.assert_allclose(info_nce(scores.T), info_nce(scores), atol=1e-12)
    assert info_nce(scores) >= 0
    assert information_bound(scores) <= math.log(n) + 1e-12


def test_the_gradient_of_info_nce_pulls_pairs_together_and_pushes_others_apart() -> None:
    scores = np.random.default_rng(1).normal(size=(4, 4))
    rows, columns = special.softmax(scores, axis=1), special.softmax(scores, axis=0)
    expected = (rows + columns - 2 * np.eye(4)) / 8
    np.testing.assert_allclose(grad(info_nce)(scores), expected, atol=1e-12)


@pytest.mark.equation("eq-information-bound")
@settings(max_examples=10)
@given(seeds, st.floats(0.1, 5), st.booleans())
def test_no_scores_show_more_information_than_there_is(
    seed: int, strength: float, best: bool
) -> None:
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.full(6, 0.5)).reshape(2, 3)
    # The best scores there are, or any.
    ratio = joint / (joint.sum(axis=1, keepdims=True) * joint.sum(axis=0))
    table = np.log(ratio + 1e-300) if best else rng.normal(size=(2, 3)) * strength
    pairs = list(itertools.product(range(2), range(3)))
    mean = 0.0
    for batch in itertools.product(pairs, repeat=3):  # the exact mean, over all batches of three
        x, y = np.array(batch).T
        weight = np.prod(joint[x, y])
        mean += float(weight * information_bound(table[np.ix_(x, y)]))
    assert mean <= min(float(mutual_information(joint)), math.log(3)) + 1e-12


@pytest.mark.equation("eq-information-bound")
def test_of_gaussians_the_bound_tends_to_the_mutual_information_and_never_passes_log_n() -> None:
    rng = np.random.default_rng(2)

    def means(rho: float, d: int, n: int, batches: int) -> tuple[float, float]:
        bounds = []
        for _ in range(batches):
            x, noise = rng.normal(size=(2, n, d))
            y = rho * x + math.sqrt(1 - rho**2) * noise
            # log p(y | x) − log p(y), coordinate by coordinate: the best scores.
            gap = (y[None] - rho * x[:, None]) ** 2 / (1 - rho**2) - y[None] ** 2
            scores = -np.sum(gap, axis=-1) / 2 - d * math.log(1 - rho**2) / 2
            bounds.append(float(information_bound(scores)))
        return float(np.mean(bounds)), float(np.std(bounds) / math.sqrt(batches))

    exact = -math.log(1 - 0.9**2) / 2
    gaps = []
    for n, batches in ((4, 3000), (32, 400), (256, 40)):
        mean, error = means(0.9, 1, n, batches)
        assert mean <= exact + 3 * error
        gaps.append(exact - mean)
    assert gaps[0] > 4 * gaps[1]
    assert gaps[1] > 2 * abs(gaps[2])
    # Much information in a small batch: the bound is full, and far below the truth.
    mean, _ = means(0.99, 5, 8, 50)
    assert mean == pytest.approx(math.log(8), abs=0.01)
    assert mean < -5 * math.log(1 - 0.99**2) / 2 - 7


@pytest.mark.equation("eq-nearest-code")
@given(seeds)
def test_the_nearest_code_is_the_nearest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, codes = rng.normal(size=(2, 5, 3)), rng.normal(size=(4, 3))
    distance = np.linalg.norm(x[..., None, :] - codes, axis=-1)
    np.testing.assert_array_equal(nearest_code(x, codes), distance.argmin(axis=-1))
    np.testing.assert_array_equal(nearest_code(codes, codes), np.arange(4))


def test_the_straight_through_estimate_has_the_code_as_value_and_slope_1() -> None:
    codes = np.array([[0.0, 0.0], [1.0, 1.0]])
    seen = []

    def loss(x: Tensor) -> Any:
        quantized = codes[nearest_code(x.data, codes)]
        through = x + (quantized - x.data)
        seen.append(through.data)
        return np.sum(through**3)

    slope = grad(loss)(np.array([[0.7, 0.9]]))
    np.testing.assert_allclose(seen[0], [[1, 1]])
    np.testing.assert_allclose(slope, [[3, 3]])
