"""Token automata against brute force over vocabularies, budgets, and JSON as its reader sees it."""

import itertools
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref import llama
from primer_ref.automata import compile_pattern
from primer_ref.constrained import (
    JSON_NUMBER,
    JSON_STRING,
    TokenAutomaton,
    constrained_choice,
    json_pattern,
    vocabulary_bytes,
)
from primer_ref.decoding import sample
from primer_ref.formats import read_gguf
from primer_ref.functional import softmax
from primer_ref.tokenizer import BPETokenizer

F = NDArray[np.floating[Any]]

VOCABULARY = [b"a", b"b", b"c", b"", b"ab", b"ba", b"abc", b"bb", b"cab", b"<end>", b"aab"]
END = 9
PATTERNS = ["(ab|c)*", "a{2,4}b?", "(a|b)*abb", "ab|abc|c", "[^b]*b[^b]*", "((ab)*|c)c", "a*b{3}"]
seeds = st.integers(0, 2**32 - 1)


def spelled(tokens: list[int]) -> bytes:
    return b"".join(VOCABULARY[token] for token in tokens)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_token_leads_where_its_bytes_lead(pattern: str) -> None:
    automaton = compile_pattern(pattern)
    tokens = TokenAutomaton(automaton, VOCABULARY, end=END)
    for state in range(len(automaton.accepting)):
        expected = [automaton.run(token, state=state) if token else -1 for token in VOCABULARY]
        expected[END] = -1
        for _ in range(2):  # computed, then remembered
            np.testing.assert_array_equal(tokens.next_states(state), expected)


@pytest.mark.equation("eq-token-mask")
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_token_is_allowed_if_and_only_if_an_accepted_text_continues_so(pattern: str) -> None:
    tokens = TokenAutomaton(compile_pattern(pattern), VOCABULARY, end=END)
    every = [bytes(t) for n in range(10) for t in itertools.product(b"abc", repeat=n)]
    accepted = [text for text in every if re.fullmatch(pattern.encode(), text)]
    for prefix in ([], [0], [2], [4], [0, 0], [4, 4], [6, 2], [0, 1, 1]):
        text = spelled(prefix)
        if not any(whole.startswith(text) for whole in accepted):
            continue
        state = 0
        for token in prefix:
            state = tokens.advance(state, token)
        for number, word in enumerate(VOCABULARY):
            continued = [whole for whole in accepted if whole.startswith(text + word)]
            # Texts of up to nine bytes show all that can be, for these patterns and prefixes.
            expected = text in accepted if number == END else bool(word and continued)
            assert tokens.allowed(state)[number] == expected, (prefix, word)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_distance_is_the_length_of_the_shortest_completion(pattern: str) -> None:
    automaton = compile_pattern(pattern)
    tokens = TokenAutomaton(automaton, VOCABULARY, end=END)
    every = [bytes(t) for n in range(7) for t in itertools.product(b"abc", repeat=n)]
    for state, distance in enumerate(tokens.distance):
        ends = [
            text
            for text in every
            if (end := automaton.run(text, state=state)) >= 0 and automaton.accepting[end]
        ]
        assert distance == len(ends[0])


@settings(max_examples=60)
@given(seeds, st.sampled_from(PATTERNS), st.integers(0, 6))
def test_whatever_the_logits_the_text_is_valid_and_in_time(
    seed: int, pattern: str, spare: int
) -> None:
    tokens = TokenAutomaton(compile_pattern(pattern), VOCABULARY, end=END)
    rng, budget = np.random.default_rng(seed), int(tokens.distance[0]) + spare
    preference = rng.normal(size=len(VOCABULARY)) * 5
    pick = constrained_choice(tokens, lambda s: int(sample(softmax(s), rng=rng)), budget=budget)
    text: list[int] = []
    while (token := pick(preference + rng.normal(size=len(VOCABULARY)))) != END:
        text.append(token)
    assert len(text) <= budget
    assert re.fullmatch(pattern.encode(), spelled(text))


def test_a_budget_rules_out_what_cannot_be_ended_in_time() -> None:
    tokens = TokenAutomaton(compile_pattern("ab|aab(ab)*c"), VOCABULARY, end=END)
    assert np.flatnonzero(tokens.allowed(0)).tolist() == [0, 4, 10]
    assert np.flatnonzero(tokens.allowed(0, budget=2)).tolist() == [0, 4, 10]
    state = tokens.advance(0, 0)
    assert np.flatnonzero(tokens.allowed(state, budget=1)).tolist() == [1, 6]
    assert np.flatnonzero(tokens.allowed(state)).tolist() == [0, 1, 4, 6]
    assert np.flatnonzero(tokens.allowed(tokens.advance(0, 4), budget=0)).tolist() == [END]


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
)


def nested(depth: int) -> st.SearchStrategy[Any]:
    if depth == 0:
        return scalars
    inner = nested(depth - 1)
    texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
    return st.one_of(
        scalars, st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)
    )


DEEP = [compile_pattern(json_pattern(depth)) for depth in range(3)]


def test_the_deepest_pattern_has_41_million_characters() -> None:
    assert 40.5e6 < len(json_pattern(8)) < 41.5e6


@settings(max_examples=150)
@given(st.integers(0, 2).flatmap(lambda depth: st.tuples(st.just(depth), nested(depth))))
def test_json_is_accepted_as_python_writes_it(case: tuple[int, Any]) -> None:
    depth, value = case
    for plain in (True, False):
        assert DEEP[depth].accepts(json.dumps(value, ensure_ascii=plain).encode())
        compact = json.dumps(value, ensure_ascii=plain, separators=(",", ":"))
        assert DEEP[depth].accepts(compact.encode())
    assert not DEEP[depth].accepts(b"[" * (depth + 1) + b"]" * (depth + 1))


@settings(max_examples=300)
@given(nested(2), st.integers(0, 60), st.binary(max_size=2), st.integers(0, 2))
def test_what_is_accepted_can_be_read(value: Any, at: int, junk: bytes, cut: int) -> None:
    text = json.dumps(value, ensure_ascii=False).encode()
    broken = text[:at] + junk + text[at + cut :]
    if DEEP[2].accepts(broken):
        json.loads(broken.decode())


@pytest.mark.parametrize(
    "text",
    [
        "01",
        "1.",
        ".5",
        "+1",
        "1e",
        "--1",
        '"\n"',
        '"\\x"',
        "'a'",
        "[1,]",
        '{"a":1,}',
        "{1:2}",
        "tru",
        "",
        "[1",
        '"',
    ],
)
def test_what_cannot_be_read_is_not_accepted(text: str) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert not DEEP[2].accepts(text.encode())


def test_strings_and_numbers_have_patterns_of_their_own() -> None:
    assert compile_pattern(JSON_STRING).accepts('"é\\u00e9"'.encode())
    assert not compile_pattern(JSON_STRING).accepts(b'"\xed\xa0\x80"')  # half a surrogate pair
    assert compile_pattern(JSON_NUMBER).accepts(b"-1.5e+10")


@pytest.fixture(scope="module")
def vocabulary() -> list[bytes]:
    return vocabulary_bytes(BPETokenizer.from_gguf(read_gguf(llama.find_model()).metadata))


@pytest.mark.model
def test_a_real_vocabulary_is_read_as_its_bytes_are(vocabulary: list[bytes]) -> None:
    tokens = TokenAutomaton(DEEP[2], vocabulary, end=2)
    inside = DEEP[2].run(b'[{"a')
    for state in (0, inside, DEEP[2].run(b'{"a": -1')):
        expected = [DEEP[2].run(token, state=state) if token else -1 for token in vocabulary]
        np.testing.assert_array_equal(tokens.next_states(state), expected)
    assert tokens.allowed(inside).sum() > 30_000  # most tokens may stand inside a string
    assert not tokens.allowed(inside)[:17].any()  # no mark may


@pytest.mark.model
def test_random_json_over_a_real_vocabulary_is_read_by_python(vocabulary: list[bytes]) -> None:
    tokens = TokenAutomaton(DEEP[2], vocabulary, end=2)
    rng = np.random.default_rng(4)
    weight = np.array([2.0 * sum(b in b'[]{}",:0' for b in token[:1]) for token in vocabulary])
    kinds = set()
    for _ in range(40):
        pick = constrained_choice(tokens, lambda s: int(np.argmax(s)), budget=30)
        text = []
        while (token := pick(weight * 3 + rng.gumbel(size=len(vocabulary)))) != 2:
            text.append(vocabulary[token])
        kinds.add(type(json.loads(b"".join(text).decode())))
    assert {list, dict, str} <= kinds


@pytest.mark.model
def test_the_real_model_writes_json_that_python_reads(model: llama.Model) -> None:
    tokens = TokenAutomaton(DEEP[2], vocabulary_bytes(model.tokenizer), end=2)
    prompt = model.tokenizer.encode("A person as JSON, with name and age: ")
    rng = np.random.default_rng(0)

    def choose(logits: F) -> int:
        return int(sample(softmax(logits, temperature=1.5), rng=rng))

    for budget in (4, 14):
        pick = constrained_choice(tokens, choose, budget=budget)
        written = list(llama.generate(model, prompt, pick, limit=budget + 1, stop=[2]))
        assert len(written) <= budget
        json.loads(model.tokenizer.decode(written))
