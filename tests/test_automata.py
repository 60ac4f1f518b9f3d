"""Automata against Python's regular expressions, and their size against what must be remembered."""

import itertools
import re

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from primer_ref.automata import Automaton, compile_pattern

ALPHABET = b"ab0_ \n\xe9-"

ATOMS = [
    "a",
    "b",
    "0",
    ".",
    "-",
    "[ab]",
    "[^a]",
    "[a-z]",
    "[^a-z0-9]",
    "[-a]",
    "[b-]",
    "[.*]",
    "[^-^]",
    r"[\d_]",
    r"[^\s\w]",
    r"[\x80-\xff]",
    r"[\n-a]",
    r"\d",
    r"\D",
    r"\w",
    r"\W",
    r"\s",
    r"\S",
    r"\n",
    r"\t",
    r"\.",
    r"\-",
    r"\xe9",
    r"\\",
]
COUNTS = ["", "", "*", "+", "?", "{2}", "{1,}", "{,2}", "{0,2}", "{1,2}", "{0}", "{,}"]


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    parts = st.lists(inner, max_size=3).map("".join)
    group = st.lists(parts, min_size=1, max_size=3).map("|".join)
    opened = st.sampled_from(["(", "(?:"])
    return st.builds("{}{}){}".format, opened, group, st.sampled_from(COUNTS))


patterns = st.recursive(
    st.builds(str.__add__, st.sampled_from(ATOMS), st.sampled_from(COUNTS)), joined, max_leaves=6
)
texts = st.lists(st.sampled_from(list(ALPHABET)), max_size=7).map(bytes)


@settings(max_examples=150)
@given(patterns, st.lists(texts, min_size=1, max_size=12))
@example("(a*)*", [b"", b"aa"])
@example("(a|b*){2}(ab|a)", [b"ab", b"aab", b"bba"])
def test_accepts_what_python_matches_in_full(pattern: str, several: list[bytes]) -> None:
    expected, automaton = re.compile(pattern.encode()), compile_pattern(pattern)
    every = [bytes(t) for n in range(3) for t in itertools.product(ALPHABET, repeat=n)]
    for text in several + every:
        assert automaton.accepts(text) == bool(expected.fullmatch(text)), text


def test_every_byte_is_classified_as_python_does() -> None:
    for atom in ATOMS:
        automaton, expected = compile_pattern(atom), re.compile(atom.encode())
        for byte in range(256):
            assert automaton.accepts(bytes([byte])) == bool(expected.fullmatch(bytes([byte])))


def test_a_character_outside_ascii_is_repeated_whole() -> None:
    automaton = compile_pattern("(é|\\€)*")
    assert automaton.accepts("éé€é".encode())
    assert not automaton.accepts("é".encode()[:1])
    # Python's repeats the last byte alone.
    assert re.fullmatch("é*".encode(), "é".encode() + "é".encode()[1:])


def languages(automaton: Automaton, length: int) -> list[tuple[bool, ...]]:
    """Say for each state which texts up to a length are accepted from there."""
    every = [bytes(t) for n in range(length + 1) for t in itertools.product(b"ab", repeat=n)]
    rows = []
    for state in range(len(automaton.accepting)):
        ends = [automaton.run(text, state=state) for text in every]
        rows.append(tuple(end >= 0 and bool(automaton.accepting[end]) for end in ends))
    return rows


ab = st.recursive(
    st.sampled_from(["a", "b", "a*", "b?", "[ab]"]),
    lambda inner: st.one_of(
        st.builds(str.__add__, inner, inner),
        st.builds("({}|{}){}".format, inner, inner, st.sampled_from(["", "*", "{2}"])),
    ),
    max_leaves=6,
)


@given(ab)
def test_states_are_alive_reachable_and_pairwise_different(pattern: str) -> None:
    automaton = compile_pattern(pattern)
    n = len(automaton.accepting)
    # Two of n states are told apart by a text shorter than n; these automata need far less.
    rows = languages(automaton, 8)
    assert len(set(rows)) == n
    assert all(any(row) for row in rows)
    reached = {0}
    for _ in range(n):
        reached |= set(automaton.transitions[sorted(reached)].ravel().tolist()) - {-1}
    assert reached == set(range(n))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_what_must_be_remembered_takes_exponentially_many_states(n: int) -> None:
    assert len(compile_pattern(f"(a|b)*a(a|b){{{n}}}").accepting) == 2 ** (n + 1)
    assert len(compile_pattern(f"(a|b){{{n}}}a(a|b)*").accepting) == n + 2


def test_reading_in_two_parts_is_reading_once() -> None:
    automaton = compile_pattern("(ab|ba)*")
    assert automaton.run(b"ba", state=automaton.run(b"ab")) == automaton.run(b"abba")
    assert automaton.run(b"aab") == -1
    assert automaton.transitions.dtype == np.int32
