"""ZeRO: the published tables, and steps that are those of one device bit for bit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from primer_ref.collectives import split
from primer_ref.optim import adam, initial_moments
from primer_ref.zero import fully_sharded_adam, sharded_adam, zero_bytes

F = NDArray[np.floating[Any]]


@pytest.mark.equation("eq-zero-bytes")
def test_the_published_figure_of_bytes_a_device() -> None:
    # ch09-zero-fig1: Rajbhandari et al. 2020, figure 1; 7.5 billion parameters, 64 devices.
    sizes = [zero_bytes(7.5e9, 64, stage=stage) / 1e9 for stage in range(4)]
    np.testing.assert_allclose(sizes, [120, 31.4, 16.6, 1.9], atol=0.05)


@pytest.mark.equation("eq-zero-bytes")
def test_the_published_table_of_bytes_a_device() -> None:
    # ch09-zero-table1: Rajbhandari et al. 2020, table 1; 1, 4, 16, … devices.
    printed = [
        [120, 52.5, 35.6, 31.4, 30.4, 30.1],
        [120, 41.3, 21.6, 16.6, 15.4, 15.1],
        [120, 30, 7.5, 1.88, 0.47, 0.12],
    ]
    for stage, row in enumerate(printed, start=1):
        sizes = [zero_bytes(7.5e9, 4**i, stage=stage) / 1e9 for i in range(6)]
        np.testing.assert_allclose(sizes, row, atol=0.051)


def test_what_is_cut_adds_up_to_the_whole_over_devices() -> None:
    whole = zero_bytes(1.0, 1, stage=0, state_bytes=5)
    assert whole == zero_bytes(1.0, 9, stage=0, state_bytes=5) == 9
    np.testing.assert_allclose(9 * zero_bytes(1.0, 9, stage=3, state_bytes=5), whole)


def gradient(x: F, y: F, w: F) -> F:
    """Gradient of the mean over rows of half the squared error of x @ w."""
    return x.T @ (x @ w - y) / len(x)


def regression(p: int) -> tuple[F, list[F], list[F]]:
    rng = np.random.default_rng(p)
    xs: list[F] = list(rng.normal(size=(p, 3, 6)))
    ys: list[F] = list(rng.normal(size=(p, 3, 2)))
    return rng.normal(size=(6, 2)), xs, ys


def sum_in_ring_order(gradients: Sequence[F]) -> F:
    """Add the shares of devices as a ring does: for each part beginning with the next device."""
    p = len(gradients)
    parts = []
    for part in range(p):
        terms = [split(g, p)[part] for g in gradients]
        total = terms[(part + 1) % p]
        for other in range(2, p + 1):
            total = terms[(part + other) % p] + total
        parts.append(total)
    return np.concatenate(parts)


@pytest.mark.equation("eq-zero-traffic")
@pytest.mark.parametrize("p", [1, 2, 3, 5])
def test_sharded_adam_is_adam_bit_for_bit(p: int) -> None:
    w, xs, ys = regression(p)
    whole, state = w, initial_moments(w)
    sharded, states = w, [initial_moments(part) for part in split(w, p)]
    for _ in range(5):
        shares = [gradient(x, y, whole) / p for x, y in zip(xs, ys, strict=True)]
        whole, state = adam(whole, sum_in_ring_order(shares), state, rate=0.01)
        shares = [gradient(x, y, sharded) / p for x, y in zip(xs, ys, strict=True)]
        done, states = sharded_adam(sharded, shares, states, rate=0.01)
        sharded = done.values[0]
        np.testing.assert_array_equal(sharded, whole)
        assert all(np.array_equal(value, sharded) for value in done.values)
        assert done.n_rounds == 2 * (p - 1)
        assert sum(done.bytes_sent) == 2 * (p - 1) * w.nbytes
    np.testing.assert_array_equal(np.concatenate([part.mean for part in states]), state.mean)
    np.testing.assert_array_equal(np.concatenate([part.square for part in states]), state.square)


@pytest.mark.equation("eq-zero-traffic")
@pytest.mark.parametrize("p", [1, 2, 3, 5])
def test_fully_sharded_adam_takes_the_same_steps_with_half_as_many_bytes_more(p: int) -> None:
    w, xs, ys = regression(p)

    def share(device: int, weights: F) -> F:
        return gradient(xs[device], ys[device], weights) / p

    parts, states = split(w, p), [initial_moments(part) for part in split(w, p)]
    sharded, other_states = w, list(states)
    for _ in range(5):
        done, states = fully_sharded_adam(parts, share, states, rate=0.01)
        parts = done.values
        gradients = [share(device, sharded) for device in range(p)]
        other, other_states = sharded_adam(sharded, gradients, other_states, rate=0.01)
        sharded = other.values[0]
        np.testing.assert_array_equal(np.concatenate(parts), sharded)
        assert sum(done.bytes_sent) == 3 * (p - 1) * w.nbytes
        assert done.n_rounds == 3 * (p - 1)


def test_the_sharded_state_is_a_part_of_the_whole() -> None:
    w, _, _ = regression(3)
    states = [initial_moments(part) for part in split(w, 3)]
    _, states = sharded_adam(w, [w] * 3, states, rate=0.01)
    assert [state.mean.shape for state in states] == [(2, 2)] * 3
    assert [state.n_steps for state in states] == [1] * 3
