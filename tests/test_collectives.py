"""Collectives: what every device holds, and the bytes and rounds of the formulas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.autodiff import grad
from primer_ref.collectives import (
    add_costs,
    all_gather,
    all_reduce,
    all_to_all,
    broadcast,
    reduce_scatter,
    shift,
    split,
)
from primer_ref.numerics import FP64
from primer_ref.summation import naive_sum_bound

F = NDArray[np.float64]

devices = st.integers(1, 9)
lengths = st.integers(0, 40)
seeds = st.integers(0, 2**32 - 1)


def arrays(seed: int, n_devices: int, *shape: int) -> list[F]:
    return list(np.random.default_rng(seed).normal(size=(n_devices, *shape)))


@given(st.integers(1, 12), lengths)
def test_parts_are_as_equal_as_can_be_and_make_up_the_whole(n: int, length: int) -> None:
    x = np.arange(2.0 * length).reshape(2, length)
    parts = split(x, n, axis=1)
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), x)
    np.testing.assert_array_equal(np.concatenate(split(x, n, axis=-1), axis=1), x)
    sizes = {part.shape[1] for part in parts}
    assert max(sizes) - min(sizes) <= 1


@given(seeds, devices, st.integers(1, 20))
def test_the_parts_of_the_sum_are_added_in_the_order_of_the_ring(seed: int, p: int, n: int) -> None:
    values = arrays(seed, p, n)
    done = reduce_scatter(values)
    for device, part in enumerate(done.values):
        expected = split(values[(device + 1) % p], p)[device]
        for other in range(2, p + 1):
            expected = split(values[(device + other) % p], p)[device] + expected
        np.testing.assert_array_equal(part, expected)


@given(seeds, devices, st.sampled_from([(), (1,), (7,), (3, 4), (2, 0)]))
def test_all_reduce_gives_every_device_the_same_sum(
    seed: int, p: int, shape: tuple[int, ...]
) -> None:
    values = [np.asarray(value) for value in arrays(seed, p, *shape)]
    done = all_reduce(values)
    stacked = np.moveaxis(np.array(values), 0, -1)
    for result in done.values:
        np.testing.assert_array_equal(result, done.values[0])
        assert result.shape == shape
        if result.size:
            exact = np.apply_along_axis(math.fsum, -1, stacked)
            assert np.all(np.abs(result - exact) <= naive_sum_bound(stacked, FP64))


@pytest.mark.equation("eq-ring-bytes")
@pytest.mark.parametrize("p", [1, 2, 8, 64])
def test_bytes_are_those_of_the_formulas(p: int) -> None:
    n_bytes = 8 * 192
    values = [np.zeros(192)] * p
    share = (p - 1) / p
    for done, factor, rounds in [
        (reduce_scatter(values), share, p - 1),
        (all_gather(split(np.zeros(192), p)), share, p - 1),
        (all_to_all([split(np.zeros(192), p)] * p), share, p - 1),
        (all_reduce(values), 2 * share, 2 * (p - 1)),
    ]:
        assert done.bytes_sent == (round(factor * n_bytes),) * p
        assert done.n_rounds == rounds


@pytest.mark.equation("eq-ring-bytes")
@pytest.mark.parametrize(("p", "published"), [(8, 1.75), (64, 1.96875)])
def test_ring_all_reduce_sends_the_published_multiple_of_the_buffer(
    p: int, published: float
) -> None:
    # ch09-ring-allreduce: 2 (N − 1)/N after Patarasuk and Yuan 2009.
    done = all_reduce([np.zeros(p, np.float32)] * p)
    assert set(done.bytes_sent) == {published * 4 * p}


@given(devices, lengths)
def test_the_devices_together_send_the_same_whatever_the_parts(p: int, n: int) -> None:
    done = all_reduce([np.zeros(n)] * p)
    assert sum(done.bytes_sent) == 2 * (p - 1) * 8 * n


@given(seeds, devices)
def test_all_gather_joins_parts_in_order(seed: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(rng.integers(0, 4), 2)) for _ in range(p)]
    done = all_gather(parts)
    for whole in done.values:
        np.testing.assert_array_equal(whole, np.concatenate(parts))
    total = sum(part.nbytes for part in parts)
    # A device passes on all parts save that of the device after it.
    expected = [total - parts[(device + 1) % p].nbytes for device in range(p)]
    assert list(done.bytes_sent) == (expected if p > 1 else [0])


@given(seeds, devices)
def test_all_to_all_transposes_and_is_its_own_inverse(seed: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    blocks = [[rng.normal(size=rng.integers(0, 4)) for _ in range(p)] for _ in range(p)]
    done = all_to_all(blocks)
    for i in range(p):
        for j in range(p):
            assert done.values[j][i] is blocks[i][j]
        kept = sum(block.nbytes for block in blocks[i]) - blocks[i][i].nbytes
        assert done.bytes_sent[i] == kept
    back = all_to_all(done.values).values
    assert all(back[i][j] is blocks[i][j] for i in range(p) for j in range(p))


@given(devices)
def test_after_a_whole_turn_everything_is_back(p: int) -> None:
    values = [np.arange(float(device)) for device in range(p)]
    held = values
    for _ in range(p):
        done = shift(held)
        assert done.bytes_sent == tuple(8 * len(value) for value in held)
        assert done.values[0] is held[-1]
        held = done.values
    assert all(a is b for a, b in zip(held, values, strict=True))


@given(st.integers(1, 70))
def test_broadcast_doubles_who_knows_in_each_round(p: int) -> None:
    done = broadcast(np.array([1.0, 2.0]), p)
    assert len(done.values) == p
    assert all(np.array_equal(value, [1, 2]) for value in done.values)
    assert done.n_rounds == math.ceil(math.log2(p))
    assert sum(done.bytes_sent) == (p - 1) * 16
    assert max(done.bytes_sent) == done.bytes_sent[0] == done.n_rounds * 16


def test_costs_of_transfers_in_turn_add_up() -> None:
    first, second = broadcast(np.zeros(1), 3), all_reduce([np.zeros(3)] * 3)
    assert add_costs([first, second]) == ((16 + 32, 32, 32), 2 + 4)


def test_gradients_pass_through_a_ring() -> None:
    def loss(x: F) -> F:
        parts = [x, 2 * x, x * x]
        value: F = np.sum(all_reduce(parts).values[1])
        return value

    x = np.array([1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(grad(loss)(x), 3 + 2 * x)
