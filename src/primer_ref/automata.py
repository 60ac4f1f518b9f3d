r"""Regular expressions over bytes, compiled to finite automata.

A pattern becomes a tree, the tree a nondeterministic automaton, that a deterministic one, and that
the smallest one for its language, without states from which nothing can be accepted. The patterns
are those of Python's `re` for bytes, as far as they describe a language by concatenation, ``|``,
groups, classes and repetition: no anchors, no references, nothing that looks ahead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

__all__ = ["Automaton", "compile_pattern"]

Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """A deterministic automaton over bytes; it starts in state 0.

    Attributes
    ----------
    transitions : ndarray of int32, shape (S, 256)
        The state after each state and byte; −1 where nothing that follows could be accepted.
    accepting : ndarray of bool, shape (S,)
        Whether a text may end in the state.
    """

    transitions: Ints
    accepting: Bools

    def run(self, text: bytes, *, state: int = 0) -> int:
        """Read a text.

        Parameters
        ----------
        text : bytes
            What to read.
        state : int
            Where to begin.

        Returns
        -------
        int
            The state afterwards; −1 if no accepted text continues so.

        Examples
        --------
        >>> from primer_ref.automata import compile_pattern
        >>> automaton = compile_pattern("ab*")
        >>> automaton.run(b"abb") >= 0, automaton.run(b"ba")
        (True, -1)
        """
        for byte in text:
            if state < 0:
                break
            state = int(self.transitions[state, byte])
        return state

    def accepts(self, text: bytes) -> bool:
        r"""Say whether a text is in the language.

        Parameters
        ----------
        text : bytes
            The whole text.

        Returns
        -------
        bool
            Whether it is.

        Examples
        --------
        >>> from primer_ref.automata import compile_pattern
        >>> automaton = compile_pattern(r"(0|[1-9]\d*)(\.\d+)?")
        >>> [automaton.accepts(text) for text in (b"0.50", b"42", b"042", b"1.")]
        [True, True, False, False]
        """
        state = self.run(text)
        return state >= 0 and bool(self.accepting[state])


def compile_pattern(pattern: str) -> Automaton:
    r"""Compile a regular expression to the smallest automaton that accepts its whole matches.

    Parameters
    ----------
    pattern : str
        Characters, ``.`` (any byte but the newline), classes such as ``[a-z_]`` and ``[^"\\]``,
        ``\d \w \s \D \W \S`` (ASCII), ``\n \t \r \f \v \xHH``, a backslash before any mark, ``|``,
        ``*``, ``+``, ``?``, ``{m}``, ``{m,}``, ``{,n}``, ``{m,n}``, ``(…)`` and ``(?:…)``. A
        character outside ASCII stands for its bytes in UTF-8, and may not stand in a class.

    Returns
    -------
    Automaton
        Its states are reachable, alive and pairwise different in what they accept.

    Raises
    ------
    ValueError
        If the pattern is malformed, uses anything else, or matches nothing at all.

    Notes
    -----
    The number of states can be exponential in the length of the pattern, as for
    ``(a|b)*a(a|b){n}``, which must remember the last n + 1 bytes; of most patterns it is near the
    number of characters, with repetitions written out.

    References
    ----------
    K. Thompson (1968), Regular Expression Search Algorithm. M. O. Rabin and D. Scott (1959), Finite
    Automata and Their Decision Problems. E. F. Moore (1956), Gedanken-Experiments on Sequential
    Machines.

    Examples
    --------
    >>> from primer_ref.automata import compile_pattern
    >>> for n in (2, 4, 8):
    ...     print(n, len(compile_pattern(f"(a|b)*a(a|b){{{n}}}").accepting))
    2 8
    4 32
    8 512
    """
    node, at = _alternatives(pattern, 0)
    if at < len(pattern):
        _refuse(pattern, at)
    table, accepting, byte_class = _determinize(_Network(node))
    table, accepting = _minimize(*_prune(table, accepting))
    return Automaton(table[:, byte_class].astype(np.int32), accepting)


# --- From text to tree -----------------------------------------------------------------------


class _Sequence(NamedTuple):
    parts: tuple[Node, ...]


class _Choice(NamedTuple):
    branches: tuple[Node, ...]


class _Repeat(NamedTuple):
    part: Node
    low: int
    high: int | None  # None: without end


Node = frozenset[int] | _Sequence | _Choice | _Repeat

_ALL = frozenset(range(256))
_DIGITS, _SPACES = frozenset(b"0123456789"), frozenset(b" \t\n\r\f\v")
_WORDS = frozenset(byte for byte in range(128) if chr(byte).isalnum()) | {ord("_")}
_CLASSES = {"d": _DIGITS, "s": _SPACES, "w": _WORDS}
_CLASSES |= {name.upper(): _ALL - members for name, members in _CLASSES.items()}
_CONTROLS = {"n": b"\n", "t": b"\t", "r": b"\r", "f": b"\f", "v": b"\v"}
_HEX = re.compile(r"x([0-9a-fA-F]{2})")
_COUNTS = re.compile(r"(?P<star>\*)|(?P<plus>\+)|(?P<maybe>\?)|\{(\d*)(,?)(\d*)\}")


def _refuse(pattern: str, at: int) -> NoReturn:
    found = repr(pattern[at]) if at < len(pattern) else "the end"
    raise ValueError(f"a pattern must be one of the supported kind; got {found} at {at}")


def _alternatives(pattern: str, at: int) -> tuple[Node, int]:
    """Read ``a|b|…`` and return it with the place after it."""
    branches = []
    while True:
        parts = []
        while at < len(pattern) and pattern[at] not in "|)":
            part, at = _atom(pattern, at)
            part, at = _repeated(part, pattern, at)
            parts.append(part)
        branches.append(_Sequence(tuple(parts)))
        if not pattern.startswith("|", at):
            return _Choice(tuple(branches)), at
        at += 1


def _atom(pattern: str, at: int) -> tuple[Node, int]:
    """Read a group, a class, an escape or a character."""
    character = pattern[at]
    if character == "(":
        node, at = _alternatives(pattern, at + 3 if pattern.startswith("(?:", at) else at + 1)
        if not pattern.startswith(")", at):
            _refuse(pattern, at)
        return node, at + 1
    if character == "[":
        return _bracket(pattern, at)
    if character == "\\":
        return _escape(pattern, at)
    if character == ".":
        return _ALL - {ord("\n")}, at + 1
    if character in "*+?{}]^$":
        _refuse(pattern, at)
    return _bytes(character.encode()), at + 1


def _bytes(text: bytes) -> Node:
    sets = tuple(frozenset([byte]) for byte in text)
    return sets[0] if len(sets) == 1 else _Sequence(sets)


def _escape(pattern: str, at: int) -> tuple[Node, int]:
    """Read what follows a backslash."""
    name = pattern[at + 1 : at + 2]
    if name in _CLASSES:
        return _CLASSES[name], at + 2
    if name in _CONTROLS:
        return _bytes(_CONTROLS[name]), at + 2
    if code := _HEX.match(pattern, at + 1):
        return frozenset([int(code[1], 16)]), code.end()
    if not name or (name.isascii() and name.isalnum()):
        _refuse(pattern, at)
    return _bytes(name.encode()), at + 2


def _bracket(pattern: str, at: int) -> tuple[frozenset[int], int]:
    """Read a class such as ``[a-z]`` or ``[^a-z]``."""
    negated = pattern.startswith("[^", at)
    at += 2 if negated else 1
    members: set[int] = set()
    while not pattern.startswith("]", at) or not members:
        one, after = _member(pattern, at)
        if pattern.startswith("-", after) and not pattern.startswith("-]", after):
            last, after = _member(pattern, after + 1)
            if len(one) > 1 or len(last) > 1 or min(one) > min(last):
                _refuse(pattern, at)
            one = frozenset(range(min(one), min(last) + 1))
        members, at = members | one, after
    return _ALL - members if negated else frozenset(members), at + 1


def _member(pattern: str, at: int) -> tuple[frozenset[int], int]:
    """Read one character or escape inside a class."""
    character = pattern[at : at + 1]
    node: Node
    if character == "\\":
        node, after = _escape(pattern, at)
    else:
        node, after = _bytes(character.encode()), at + 1
    if character in ("", "[", "]") or not isinstance(node, frozenset):
        _refuse(pattern, at)
    return node, after


def _repeated(part: Node, pattern: str, at: int) -> tuple[Node, int]:
    """Read the count that may follow a part."""
    count = _COUNTS.match(pattern, at)
    if count is None:
        return part, at
    low, comma, high = count[4] or "0", count[5], count[6]
    if count["star"] or count["plus"]:
        node = _Repeat(part, int(count["plus"] is not None), None)
    elif count["maybe"]:
        node = _Repeat(part, 0, 1)
    elif not comma and count[4] and not high:
        node = _Repeat(part, int(low), int(low))
    elif comma and (not high or int(low) <= int(high)):
        node = _Repeat(part, int(low), int(high) if high else None)
    else:
        _refuse(pattern, at)
    return node, count.end()


# --- From tree to automaton ------------------------------------------------------------------


class _Network:
    """A nondeterministic automaton, built from its end; state 0 accepts.

    A state either reads one byte of a set and goes on to one state, or goes on to several without
    reading.
    """

    def __init__(self, node: Node) -> None:
        self.reads: list[tuple[frozenset[int], int] | None] = [None]
        self.silent: list[list[int]] = [[]]
        self.start = self._before(node, 0)

    def _add(self, reads: tuple[frozenset[int], int] | None, silent: list[int]) -> int:
        self.reads.append(reads)
        self.silent.append(silent)
        return len(self.reads) - 1

    def _before(self, node: Node, goal: int) -> int:
        """Add the states that read a node and then are at the goal; return the first of them."""
        if isinstance(node, frozenset):
            return self._add((node, goal), [])
        if isinstance(node, _Sequence):
            for part in reversed(node.parts):
                goal = self._before(part, goal)
            return goal
        if isinstance(node, _Choice):
            return self._add(None, [self._before(branch, goal) for branch in node.branches])
        if node.high is None:
            loop = self._add(None, [goal])
            self.silent[loop].append(self._before(node.part, loop))
            goal = loop
        else:
            end = goal
            for _ in range(node.high - node.low):
                goal = self._add(None, [self._before(node.part, goal), end])
        for _ in range(node.low):
            goal = self._before(node.part, goal)
        return goal

    def closure(self, states: Iterable[int]) -> frozenset[int]:
        """Find what can be reached without reading, of that what reads or accepts."""
        found, waiting = set(states), list(states)
        while waiting:
            new = set(self.silent[waiting.pop()]) - found
            found |= new
            waiting += new
        return frozenset(state for state in found if state == 0 or self.reads[state])


def _determinize(network: _Network) -> tuple[Ints, Bools, Ints]:
    """Construct the automaton of subsets, over classes of bytes that no set tells apart."""
    sets = list({read[0] for read in network.reads if read} | {_ALL})
    member = np.array([[byte in members for byte in range(256)] for members in sets])
    _, first, byte_class = np.unique(member, axis=1, return_index=True, return_inverse=True)
    n_classes = len(first)
    classes = {
        members: np.flatnonzero(row).tolist()
        for members, row in zip(sets, member[:, first], strict=True)
    }
    start = network.closure([network.start])
    number, table = {start: 0}, []
    for subset in (waiting := [start]):
        targets: list[set[int]] = [set() for _ in range(n_classes)]
        for read in (network.reads[state] for state in subset):
            if read:
                for c in classes[read[0]]:
                    targets[c].add(read[1])
        row = []
        for target in map(network.closure, targets):
            if target and target not in number:
                number[target] = len(number)
                waiting.append(target)
            row.append(number[target] if target else -1)
        table.append(row)
    return np.array(table), np.array([0 in subset for subset in number]), byte_class.ravel()


def _prune(table: Ints, accepting: Bools) -> tuple[Ints, Bools]:
    """Take out the states from which nothing is accepted; the others keep their order."""
    alive, before = accepting, 0
    while alive.sum() > before:
        before = int(alive.sum())
        alive = alive | np.any(np.append(alive, False)[table], axis=1)
    if not alive[0]:
        raise ValueError("a pattern must match something; got one that cannot")
    number = np.append(np.where(alive, np.cumsum(alive) - 1, -1), -1)
    return number[table[alive]], accepting[alive]


def _minimize(table: Ints, accepting: Bools) -> tuple[Ints, Bools]:
    """Join the states that no text tells apart, by splitting blocks until none is split."""
    block, n_blocks = accepting.astype(np.int64), 0
    while True:
        after = np.append(block, -1)[table]
        seen = np.column_stack([block, after])
        _, first, block = np.unique(seen, axis=0, return_index=True, return_inverse=True)
        if len(first) == n_blocks:
            break
        n_blocks = len(first)
    # Numbered in the order of their first states, so that the start stays state 0.
    rank = np.argsort(np.argsort(first))
    kept = np.sort(first)
    return np.append(rank[block], -1)[table[kept]], accepting[kept]
