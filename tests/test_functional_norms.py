"""The norm and the activation of the Llama family."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import expit

from primer_ref.functional import rms_norm, silu


def test_silu_against_scipy() -> None:
    x = np.linspace(-30, 30, 1001)
    np.testing.assert_allclose(silu(x), x * expit(x), rtol=1e-14)


def test_silu_never_overflows() -> None:
    assert silu([-1e308, 1e308]).tolist() == [0, 1e308]
    single = np.array([-3e38, 3e38], np.float32)
    assert silu(single).tolist() == [0, single[1]]


def test_silu_identity_and_minimum() -> None:
    x = np.linspace(0, 5, 100_001)
    np.testing.assert_allclose(silu(x) - silu(-x), x, atol=1e-14)
    assert silu(-x).min() == pytest.approx(-0.27846, abs=1e-5)


def test_rms_norm_row_by_row() -> None:
    rng = np.random.default_rng(0)
    x, gains = rng.normal(size=(2, 3, 5)), rng.normal(size=5)
    for index in np.ndindex(2, 3):
        row = x[index]
        expected = [
            g * v / math.sqrt(sum(row**2) / 5 + 0.25) for g, v in zip(gains, row, strict=True)
        ]
        np.testing.assert_allclose(rms_norm(x, gains, eps=0.25)[index], expected, rtol=1e-12)


def test_rms_norm_has_unit_root_mean_square_at_any_scale() -> None:
    x = np.random.default_rng(1).normal(size=(4, 64))
    normed = rms_norm(x, np.ones(64), eps=0)
    np.testing.assert_allclose(np.mean(normed**2, axis=-1), 1)
    np.testing.assert_allclose(rms_norm(1e6 * x, np.ones(64), eps=0), normed)
    assert np.all(rms_norm(np.zeros(3), np.ones(3)) == 0)


def test_precision_is_kept() -> None:
    x = np.ones((2, 4), np.float32)
    assert silu(x).dtype == rms_norm(x, x[0]).dtype == np.float32
    assert silu([1, 2]).dtype == rms_norm([1, 2], [1, 1]).dtype == np.float64


def test_rms_norm_checks() -> None:
    with pytest.raises(ValueError, match=r"one gain a coordinate; got shapes \(1,\) and \(2, 3\)"):
        rms_norm(np.ones((2, 3)), [1.0])
    with pytest.raises(ValueError, match="eps must not be negative; got -1"):
        rms_norm([1.0], [1.0], eps=-1)
