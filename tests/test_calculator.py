"""The calculator against exact fractions, and everything it must not do."""

import math
import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.calculator import calculate

trees = st.recursive(
    st.integers(0, 99).map(str),
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner),
        st.builds("(-{})".format, inner),
        st.builds("({} ** {})".format, inner, st.integers(0, 3)),
    ),
    max_leaves=6,
)


def exact(text: str) -> Fraction | None:
    """Evaluate with Python's own parser, every number made a fraction; None divides by zero."""
    marked = "".join(f" Fraction({part}) " if part.isdigit() else part for part in split(text))
    try:
        value = eval(marked, {"Fraction": Fraction})  # written by this test alone
    except ZeroDivisionError:
        return None
    return Fraction(value)


def split(text: str) -> list[str]:
    spaced = text.replace("**", " ^ ")
    for mark in "()+-*/":
        spaced = spaced.replace(mark, f" {mark} ")
    return ["**" if part == "^" else part for part in spaced.split()]


@given(trees)
def test_agrees_with_exact_fractions(text: str) -> None:
    expected = exact(text)
    if expected is None:
        with pytest.raises(ValueError, match="must have a value"):
            calculate(text)
    elif abs(expected) < 10**15:
        value = calculate(text)
        assert math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-6)
        if "/" not in text:
            assert value == expected
            assert isinstance(value, int)


def test_rules_of_precedence_are_those_of_arithmetic() -> None:
    assert calculate("2 + 3 * 4") == 14
    assert calculate("-2 ** 2") == -4
    assert calculate("2 ** 3 ** 2") == 512
    assert calculate("7 - 2 - 1") == 4
    assert calculate(" 8 / 4 / 2 ") == 1
    assert calculate("10 ** 100") == 10**100
    assert calculate("2 ** -1") == 0.5
    assert calculate("0 ** 5 + +1.5") == 1.5


@pytest.mark.parametrize(
    "text", ["9 ** 9 ** 9 ** 9", "(10 ** 50) ** 3", "-9999 ** 9999", "(1.5 ** 99) ** 99"]
)
def test_large_powers_are_refused_before_they_are_computed(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"at most 10\^100"):
        calculate(text)
    assert time.perf_counter() - start < 0.5


@given(st.text(st.sampled_from("0123456789+-*/(). "), max_size=30))
def test_every_text_gets_a_number_or_a_value_error(text: str) -> None:
    try:
        value = calculate(text)
    except ValueError:
        return
    assert isinstance(value, int | float)
    assert abs(value) <= 10**100
