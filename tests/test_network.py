"""Times of messages: the formula against the counted ring, and its limits."""

import numpy as np
import pytest

from primer_ref.collectives import all_reduce
from primer_ref.network import ring_all_reduce_time, transfer_time


@pytest.mark.equation("eq-link-time")
@pytest.mark.equation("eq-ring-time")
@pytest.mark.parametrize("p", [1, 3, 8])
def test_the_counted_ring_takes_the_time_of_its_formula(p: int) -> None:
    done = all_reduce([np.zeros(24 * p)] * p)
    link = {"latency": 1e-5, "bandwidth": 2e6}
    expected = ring_all_reduce_time(8 * 24 * p, p, **link)
    np.testing.assert_allclose(transfer_time(done, **link), expected, rtol=1e-12)


@pytest.mark.equation("eq-ring-time")
def test_long_arrays_take_twice_their_own_time_whatever_the_number_of_devices() -> None:
    link = {"latency": 1e-6, "bandwidth": 1e9}
    gaps = [2.0 - ring_all_reduce_time(1e9, p, latency=0, bandwidth=1e9) for p in (10, 100, 1000)]
    np.testing.assert_allclose(gaps, [2 / 10, 2 / 100, 2 / 1000], rtol=1e-9)
    short = [ring_all_reduce_time(0, p, **link) for p in (2, 101)]
    np.testing.assert_allclose(short, [2e-6, 200e-6])
