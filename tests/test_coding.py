"""The arithmetic coder: exact round trips, and the length that the theorem promises."""

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from primer_ref.coding import Model, decode, encode, ideal_code, ideal_interval, quantize

messages = st.lists(st.integers(0, 3), max_size=60).map(lambda m: [*m, 4])
tables = st.lists(st.integers(1, 2**29), min_size=5, max_size=5)


def always(table: ArrayLike) -> Model:
    """Make a model that does not look at what came before."""
    return lambda _prefix: table


def changing(table: list[int]) -> Callable[[Sequence[int]], NDArray[np.int64]]:
    """Make a model that turns its table by one for every symbol seen."""
    return lambda prefix: np.roll(np.array(table), sum(prefix) + len(prefix))


def surprisal_in_bits(message: list[int], table: list[int]) -> float:
    model = changing(table)
    total = math.log2(sum(table))
    return sum(total - math.log2(model(message[:t])[v]) for t, v in enumerate(message))


@pytest.mark.equation("eq-arithmetic-bound")
@given(messages, tables)
@example([4], [1, 1, 1, 1, 1])
@example([0] * 60 + [4], [2**29, 1, 1, 1, 2**29])
@example([0, 1, 2, 3] * 5 + [4], [1, 1, 2**31, 2**31 - 3, 1])  # the largest sum, 2^32
def test_round_trip_and_length(message: list[int], table: list[int]) -> None:
    bits = encode(message, changing(table))
    assert decode(bits, changing(table), end=4) == message
    assert len(bits) < surprisal_in_bits(message, table) + 2 + len(message) * 2.0**-29 + 1e-9


@given(messages, tables, st.lists(st.integers(0, 1), max_size=9))
def test_whatever_follows_the_code_is_ignored(
    message: list[int], table: list[int], rest: list[int]
) -> None:
    bits = encode(message, changing(table))
    assert decode([*bits, *rest], changing(table), end=4) == message


def test_bits_wait_while_the_interval_straddles_the_middle() -> None:
    """The middle half, again and again: the first bit stays open for the whole message."""

    def middle(prefix: Sequence[int]) -> list[int]:
        return [1, 2, 1, 0] if len(prefix) < 500 else [0, 0, 0, 1]

    message = [1] * 500 + [3]
    bits = encode(message, middle)
    assert bits.tolist() == [0] + [1] * 500
    assert decode(bits, middle, end=3) == message


def test_a_sure_message_costs_one_bit() -> None:
    message = [0] * 1000 + [1]
    assert len(encode(message, lambda prefix: [1, 0] if len(prefix) < 1000 else [0, 1])) == 1


@pytest.mark.equation("eq-arithmetic-interval")
@given(st.lists(st.integers(1, 9), min_size=3, max_size=3), st.integers(1, 4))
def test_intervals_of_all_messages_tile_the_unit_interval(table: list[int], n: int) -> None:
    position = Fraction(0)
    for message in itertools.product(range(3), repeat=n):
        low, width = ideal_interval(message, lambda prefix: np.roll(table, len(prefix)))
        assert low == position
        position += width
    assert position == 1


@pytest.mark.equation("eq-arithmetic-code", "eq-arithmetic-two-bits")
@given(st.lists(st.integers(1, 30), min_size=4, max_size=4), st.integers(1, 3))
def test_ideal_codes_are_a_prefix_code_of_the_promised_length(table: list[int], n: int) -> None:
    codes = []
    for message in itertools.product(range(4), repeat=n):
        _, width = ideal_interval(message, always(table))
        code = ideal_code(message, always(table))
        assert 2 ** (len(code) - 2) < 1 / width <= 2 ** (len(code) - 1)
        codes.append(code)
    codes.sort()
    assert not any(b.startswith(a) for a, b in itertools.pairwise(codes))


@pytest.mark.equation("eq-arithmetic-code")
@given(messages.filter(lambda m: len(m) < 12), tables)
def test_both_coders_are_at_most_two_bits_apart(message: list[int], table: list[int]) -> None:
    n_ideal = len(ideal_code(message, changing(table)))
    assert abs(n_ideal - len(encode(message, changing(table)))) <= 2


@pytest.mark.equation("eq-quantize")
@given(st.integers(0, 999), st.sampled_from([300, 1000, 1 << 31]))
def test_the_price_of_whole_frequencies(seed: int, total: int) -> None:
    p = np.random.default_rng(seed).dirichlet(np.full(200, 0.05))
    table = quantize(p, total=total)
    assert total - 200 < table.sum() <= total
    assert table.min() >= 1
    seen = p > 0
    price = np.log2(p[seen]) - np.log2(table[seen] / table.sum())
    assert np.all(price < math.log2(total / (total - 200)) + 1e-9)


def test_single_precision_gets_no_more_than_the_total() -> None:
    # 2^31 − 3 has more digits than a float32: it would be rounded up.
    assert quantize(np.array([1, 0, 0], np.float32)).tolist() == [2**31 - 2, 1, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: quantize([]), "one distribution"),
        (lambda: quantize([math.nan]), "one distribution"),
        (lambda: quantize([1.0], total=2**32), r"at most 2\^31"),
        (lambda: encode([1], always([1, 0])), "every symbol that occurs a share; got none for 1"),
        (lambda: encode([2], always([1, 1])), "none for 2"),
        (lambda: encode([-1], always([1, 1])), "none for -1"),
        (lambda: encode([0], always([0.5, 0.5])), "whole numbers"),
        (lambda: encode([0], always([[1, 1]])), "whole numbers"),
        (lambda: encode([0], always([2, -1])), "at least 0"),
        (lambda: encode([0], always([2**32, 1])), "between 1 and"),
        (lambda: encode([0], always([2**62] * 4 + [5])), "between 1 and"),  # wraps to 5
        (lambda: decode([1], always([0, 0]), end=0), "between 1 and"),
        (lambda: decode([0, 1], always([1, 1]), end=2), "gave out .* got 2 bits"),
    ],
)
def test_errors_say_what_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
