r"""Constrained decoding: from an automaton over bytes to the tokens that may come next.

A language is given over bytes, a model writes tokens: `TokenAutomaton` says for each state where
each token of a whole vocabulary leads. Masking with it makes every text valid, and does not sample
from the model conditioned on validity: for that see `primer_ref.conditioning`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primer_ref.automata import Automaton
from primer_ref.tokenizer import BPETokenizer

__all__ = [
    "JSON_NUMBER",
    "JSON_STRING",
    "TokenAutomaton",
    "constrained_choice",
    "json_pattern",
    "vocabulary_bytes",
]

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]


def vocabulary_bytes(tokenizer: BPETokenizer) -> list[bytes]:
    """Spell every token of a vocabulary, the special ones as nothing.

    Parameters
    ----------
    tokenizer : BPETokenizer
        The tokenizer.

    Returns
    -------
    list of bytes
        Item i spells token i; it is empty for a special token, which stands for no text.

    Examples
    --------
    >>> from primer_ref.constrained import vocabulary_bytes
    >>> from primer_ref.tokenizer import BPETokenizer
    >>> vocabulary_bytes(BPETokenizer(["a", "Ġ", "Ġa", "<end>"], ["Ġ a"], [3]))
    [b'a', b' ', b' a', b'']
    """
    special = set(tokenizer.specials.values())
    numbers = range(len(tokenizer.tokens))
    return [b"" if number in special else tokenizer.token_bytes(number) for number in numbers]


class TokenAutomaton:
    """An automaton that reads tokens instead of bytes.

    Parameters
    ----------
    automaton : Automaton
        The language, over bytes; it starts in state 0.
    vocabulary : sequence of bytes
        What each of the V tokens spells; one that spells nothing is never allowed. Every byte in
        use must be a token of its own, as it is wherever tokens are made by merging.
    end : int
        The token that ends a text; what it spells does not matter.

    Attributes
    ----------
    automaton : Automaton
        The language.
    end : int
        The end token.
    distance : ndarray of float64, shape (S,)
        The fewest single bytes, each a token, after which a text may end; infinite if none do.

    Raises
    ------
    ValueError
        If the end is not a token, a byte in use is not a token of its own, or no text of the
        language can be spelled.

    Notes
    -----
    The tokens form a tree of their beginnings (a trie). A state is carried down this tree one level
    at a time, all tokens at once: two array look-ups a level. The result, V numbers, is kept for
    each state that was asked for.

    References
    ----------
    B. T. Willard and R. Louf (2023), Efficient Guided Generation for Large Language Models. T. Koo,
    F. Liu and L. He (2024), Automata-Based Constraints for Language Model Decoding.

    Examples
    --------
    >>> from primer_ref.automata import compile_pattern
    >>> from primer_ref.constrained import TokenAutomaton
    >>> vocabulary = [b"a", b"b", b"ab", b"ba", b""]
    >>> tokens = TokenAutomaton(compile_pattern("a(ba)*"), vocabulary, end=4)
    >>> print(tokens.allowed(0))  # a, ab
    [ True False  True False False]
    >>> print(tokens.allowed(tokens.advance(0, 0)))  # b, ba, or the end
    [False  True False  True  True]
    """

    def __init__(self, automaton: Automaton, vocabulary: Sequence[bytes], *, end: int) -> None:
        if not 0 <= end < len(vocabulary):
            raise ValueError(f"end must be one of {len(vocabulary)} tokens; got {end}")
        spelled = [*vocabulary[:end], b"", *vocabulary[end + 1 :]]
        single = np.unique(np.frombuffer(b"".join(t for t in spelled if len(t) == 1), np.uint8))
        missing = np.setdiff1d(np.frombuffer(b"".join(spelled), np.uint8), single)
        if missing.size:
            raise ValueError(f"every byte must be a token of its own; 0x{missing[0]:02X} is not")
        self.automaton, self.end = automaton, end
        # State −1 is dead and stays so: as an index it picks the last row.
        self._transitions = np.vstack([automaton.transitions, np.full((1, 256), -1, np.int32)])
        self._levels, self._node = _trie(spelled)
        self._next: dict[int, Ints] = {}
        self.distance = _distances(automaton, single)
        if self.distance[0] == math.inf:
            raise ValueError("the vocabulary must be able to spell a text of the language")

    def next_states(self, state: int) -> Ints:
        """Find where each token leads.

        Parameters
        ----------
        state : int
            A state.

        Returns
        -------
        ndarray of int32, shape (V,)
            The state after each token; −1 where no accepted text continues so, for tokens that
            spell nothing, and for the end token, after which nothing comes.

        Notes
        -----
        The array is kept and given out again: do not write into it.
        """
        if state not in self._next:
            level = np.array([state], np.int32)
            reached = [level]
            for parents, symbols in self._levels:
                level = self._transitions[level[parents], symbols]
                reached.append(level)
            following = np.concatenate(reached)[self._node]
            self._next[state] = np.where(self._node == 0, np.int32(-1), following)
        return self._next[state]

    def allowed(self, state: int, *, budget: float = math.inf) -> Bools:
        r"""Mask the tokens that may come next.

        Parameters
        ----------
        state : int
            A state.
        budget : float
            How many tokens may still come before the end token. Those are ruled out after which
            single bytes could not end the text in time.

        Returns
        -------
        ndarray of bool, shape (V,)
            True where a token may come; at least one is. The end token may where the state accepts.

        Raises
        ------
        ValueError
            If the budget does not suffice to end the text.

        Notes
        -----
        Implements :eq:`eq-token-mask`.

        :math:`\{v : \delta(s, w_v) \ne \bot\}`, with :math:`w_v` the bytes of token v, of which
        there is at least one, and the end token where s accepts.
        """
        if not self.distance[state] <= budget:
            raise ValueError(
                f"budget must be at least the {self.distance[state]:.0f} tokens to an end; "
                f"got {budget}"
            )
        mask: Bools = np.append(self.distance, math.inf)[self.next_states(state)] < budget
        mask[self.end] = self.automaton.accepting[state]
        return mask

    def advance(self, state: int, token: int) -> int:
        """Read a token.

        Parameters
        ----------
        state : int
            A state.
        token : int
            A token other than the end token.

        Returns
        -------
        int
            The state after it.

        Raises
        ------
        ValueError
            If no accepted text continues so.
        """
        following = int(self.next_states(state)[token])
        if following < 0:
            raise ValueError(f"a token must continue an accepted text; got {token} in {state}")
        return following


def _trie(vocabulary: Sequence[bytes]) -> tuple[list[tuple[Ints, Ints]], Ints]:
    """Lay out the tree of the tokens' beginnings.

    For each level its nodes' parents, by their places in the level above, and last bytes; for each
    token the number of its node, counted level after level, the root being 0.
    """
    lengths = np.array([len(token) for token in vocabulary])
    place = np.zeros(len(vocabulary), np.int64)
    node, n_nodes, levels = place.copy(), 1, []
    for depth in range(int(lengths.max())):
        longer = np.flatnonzero(lengths > depth)
        symbols = np.array([vocabulary[number][depth] for number in longer.tolist()])
        code, place[longer] = np.unique(place[longer] * 256 + symbols, return_inverse=True)
        node[longer] = n_nodes + place[longer]
        levels.append((code // 256, code % 256))
        n_nodes += len(code)
    return levels, node


def _distances(automaton: Automaton, single: Ints) -> Floats:
    """Count, for each state, the fewest of these bytes that lead to an accepting state."""
    following = automaton.transitions[:, single]  # (S, bytes)
    distance = np.where(automaton.accepting, 0, math.inf)
    while True:
        onward = np.append(distance, math.inf)[following].min(axis=1, initial=math.inf)
        nearer = np.minimum(distance, 1 + onward)
        if np.array_equal(nearer, distance):
            return distance
        distance = nearer


def constrained_choice(
    tokens: TokenAutomaton, choose: Callable[[Floats], int], *, budget: float = math.inf
) -> Callable[[Floats], int]:
    r"""Make a way to choose tokens that writes a text of a language.

    Parameters
    ----------
    tokens : TokenAutomaton
        The language.
    choose : callable
        Takes logits, shape (V,), −∞ where a token may not come, and returns a token.
    budget : float
        Largest number of tokens before the end token.

    Returns
    -------
    callable
        Takes the logits of one step after another, and returns each step's token; for one text,
        from its beginning. At the latest after ``budget`` tokens the end token comes.

    Raises
    ------
    ValueError
        If the budget does not suffice to end the text: at the first step, then never.

    Examples
    --------
    Whatever a model of four tokens prefers, it writes digits, and stops in time:

    >>> import numpy as np
    >>> from primer_ref.automata import compile_pattern
    >>> from primer_ref.constrained import TokenAutomaton, constrained_choice
    >>> tokens = TokenAutomaton(compile_pattern(r"-?[01]+"), [b"0", b"1", b"-", b""], end=3)
    >>> pick = constrained_choice(tokens, np.argmax, budget=4)
    >>> [pick(np.array([0.0, 1.0, 2.0, -1.0])) for _ in range(5)]
    [2, 1, 1, 1, 3]
    """
    state = 0

    def pick(logits: Floats) -> int:
        nonlocal state, budget
        allowed = tokens.allowed(state, budget=budget)
        token = int(choose(np.where(allowed, logits, -math.inf)))
        if token != tokens.end:
            state, budget = tokens.advance(state, token), budget - 1
        return token

    return pick


# One character of well-formed UTF-8 in a string of JSON: ASCII without quotes, backslashes and
# controls, then two, three and four bytes without surrogates and overlong forms.
_CHARACTER = (
    r'[^"\\\x00-\x1f\x80-\xff]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]'
    r"|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    r"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
#: Pattern of JSON's strings, in UTF-8.
JSON_STRING = rf'"(?:{_CHARACTER}|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{{4}}))*"'
#: Pattern of JSON's numbers.
JSON_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+\-]?\d+)?"


def json_pattern(depth: int) -> str:
    r"""Write a pattern of the JSON texts in which arrays and objects are nested at most so deep.

    Parameters
    ----------
    depth : int
        0 for strings, numbers, ``true``, ``false`` and ``null`` alone; each level more lets arrays
        and objects hold what the level below allows.

    Returns
    -------
    str
        A pattern for `primer_ref.automata.compile_pattern`. After a comma or colon there may be one
        space, elsewhere outside strings none: white space without bound would let a model write
        nothing else.

    Raises
    ------
    ValueError
        If the depth is negative, no whole number, or above 8, where a pattern has 41 million
        characters already.

    Notes
    -----
    JSON of any depth is not regular: closing brackets must be counted. With the depth d bounded,
    the pattern grows like 4^d and the automaton like 2^d, which has to remember which brackets are
    open.

    Examples
    --------
    >>> from primer_ref.automata import compile_pattern
    >>> from primer_ref.constrained import json_pattern
    >>> automata = [compile_pattern(json_pattern(depth)) for depth in (0, 1, 2)]
    >>> [len(automaton.accepting) for automaton in automata]
    [32, 116, 284]
    >>> [automaton.accepts(b'{"a": [1, true]}') for automaton in automata]
    [False, False, True]
    """
    if depth < 0:
        raise ValueError(f"depth must be at least 0; got {depth}")
    if depth > 8 or not float(depth).is_integer():
        raise ValueError(f"depth must be whole and at most 8, or 4^depth is too long; got {depth}")
    scalar = f"{JSON_STRING}|{JSON_NUMBER}|true|false|null"
    if depth == 0:
        return f"(?:{scalar})"
    value = json_pattern(depth - 1)
    member = f"{JSON_STRING}: ?{value}"
    array = rf"\[(?:{value}(?:, ?{value})*)?\]"
    members = rf"\{{(?:{member}(?:, ?{member})*)?\}}"
    return f"(?:{scalar}|{array}|{members})"
