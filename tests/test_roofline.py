"""The roofline: datasheets, where its limits meet, and published times of training."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.roofline import (
    DEVICES,
    Device,
    arithmetic_intensity,
    attainable,
    ridge_point,
    roofline_seconds,
    training_seconds,
)

H100 = DEVICES["h100-sxm"]

positive = st.floats(1e-3, 1e15)


def test_datasheets() -> None:
    # The A100's ridge points as printed in many places, and the sparse peak of the H100 halved.
    assert ridge_point(DEVICES["a100-40gb"]) == pytest.approx(200.6, abs=0.05)
    assert ridge_point(DEVICES["a100-80gb"]) == pytest.approx(153.0, abs=0.05)
    assert ridge_point(H100) == pytest.approx(295.2, abs=0.05)
    assert DEVICES["h100-pcie"].flops == pytest.approx(1513e12 / 2, rel=1e-3)
    assert H100.flops == pytest.approx(1979e12 / 2, rel=1e-3)


@pytest.mark.equation("eq-roofline-time")
@given(positive, positive)
def test_time_is_work_over_the_attainable_rate(flops: float, moved: float) -> None:
    rate = attainable(arithmetic_intensity(flops, moved), H100)
    assert roofline_seconds(flops, moved, H100) == pytest.approx(float(flops / rate), rel=1e-12)


@pytest.mark.equation("eq-roofline")
@pytest.mark.equation("eq-ridge")
def test_the_roof_is_flat_on_one_side_of_the_ridge_and_a_line_on_the_other() -> None:
    device = Device(flops=8.0, bandwidth=2.0, memory=1.0, watts=1.0)
    assert ridge_point(device) == 4
    np.testing.assert_array_equal(attainable([0, 1, 2, 4, 8], device), [0, 2, 4, 8, 8])
    assert roofline_seconds(16, 2, device) == 2  # computing takes 2 s, moving 1 s
    assert roofline_seconds(8, 10, device) == 5  # and here 1 s and 5 s


def test_times_of_training_as_printed_for_megatron() -> None:
    # Narayanan et al. 2021, section 5.1: with recomputation 8 operations a parameter and token.
    rows = [(34, 175e9, 300e9, 1024, 140e12), (84, 1008e9, 450e9, 3072, 163e12)]
    for days, n, tokens, devices, rate in rows:
        a100 = DEVICES["a100-80gb"]
        seconds = training_seconds(
            8 * n * tokens, a100, n_devices=devices, utilization=rate / a100.flops
        )
        assert seconds / 86400 == pytest.approx(days, abs=0.5)


@pytest.mark.equation("eq-product-bytes")
@given(*[st.integers(1, 40)] * 3)
def test_three_products_of_a_step_do_and_move_the_same(n_tokens: int, m: int, n: int) -> None:
    x, w, dy = (np.ones(shape, np.float16) for shape in ((n_tokens, m), (m, n), (n_tokens, n)))
    intensity = 2 / 2 / (1 / n_tokens + 1 / m + 1 / n)
    for left, right in ((x, w), (dy, w.T), (x.T, dy)):
        result = left @ right
        flops = 2 * left.shape[1] * result.size  # a multiplication and an addition a term
        moved = left.nbytes + right.nbytes + result.nbytes
        assert flops == 2 * n_tokens * m * n
        assert moved == 2 * (n_tokens * m + m * n + n_tokens * n)
        assert arithmetic_intensity(flops, moved) == pytest.approx(intensity, rel=1e-12)
    assert intensity < min(n_tokens, m, n)
