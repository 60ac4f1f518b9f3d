"""Byte-level byte-pair encoding: the pieces, the merges, the way back."""

from __future__ import annotations

import random
import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from primer_ref.formats import read_gguf
from primer_ref.llama import find_model
from primer_ref.tokenizer import BPETokenizer, byte_characters, split_words

BYTES = byte_characters()


def test_byte_characters_are_printable_and_different() -> None:
    assert len(set(BYTES)) == 256
    assert (ord(BYTES[ord(" ")]), ord(BYTES[ord("\n")])) == (288, 266)
    assert sum(character != chr(byte) for byte, character in enumerate(BYTES)) == 68
    assert all(c.isprintable() and not c.isspace() for c in BYTES)
    assert all(BYTES[ord(c)] == c for c in "azAZ09!~")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("Hello world", ["Hello", " world"]),
        ("a  b", ["a", " ", " b"]),
        ("a   ", ["a", "   "]),
        ("a \n b", ["a", " \n", " b"]),
        ("a\tb", ["a", "\t", "b"]),
        ("in 1818.", ["in", " ", "1", "8", "1", "8", "."]),
        ("in  18  b", ["in", "  ", "1", "8", " ", " b"]),
        ("I'll we're 'S", ["I", "'ll", " we", "'re", " '", "S"]),
        ("½x²Ⅷ٣", ["½", "x", "²", "Ⅷ", "٣"]),
        ("naïve café 日本", ["naïve", " café", " 日本"]),
        ("x\u00a0y\u3000", ["x", "\u00a0", "y", "\u3000"]),
        ("x \u3000y", ["x", " ", "\u3000", "y"]),
        ("hm... ?!", ["hm", "...", " ?!"]),
        ("'é'sé", ["'", "é", "'s", "é"]),
        ("a\x1cb", ["a", "\x1c", "b"]),  # Unicode does not call it white space
    ],
)
def test_pieces(text: str, pieces: list[str]) -> None:
    assert split_words(text) == pieces


@given(st.text())
def test_pieces_make_the_text(text: str) -> None:
    pieces = split_words(text)
    assert "".join(pieces) == text
    assert all(pieces)
    for piece in pieces:
        assert len(piece) == 1 or not any(unicodedata.category(c)[0] == "N" for c in piece)
        kinds = {c.isalpha() for c in piece.removeprefix(" ")}
        assert len(kinds) <= 1 or piece[0] == "'"


@pytest.fixture(scope="module")
def tiny() -> BPETokenizer:
    """All bytes, and four merges."""
    merges = ["a b", "b c", "ab c", "Ġ ab"]
    return BPETokenizer([*BYTES, "ab", "bc", "abc", "Ġab", "<end>", "<end>>"], merges, [260, 261])


def test_the_earliest_merge_goes_first(tiny: BPETokenizer) -> None:
    def spelled(text: str) -> list[bytes]:
        return [tiny.token_bytes(number) for number in tiny.encode(text)]

    assert spelled("abc") == [b"abc"]
    assert spelled("bcab") == [b"bc", b"ab"]
    assert spelled("aab ab abb") == [b"a", b"ab", b" ab", b" ab", b"b"]
    assert spelled("ababab") == [b"ab"] * 3


@given(st.text(alphabet="abc ", max_size=30))
def test_nothing_is_left_to_merge(text: str) -> None:
    tokenizer = BPETokenizer([*BYTES, "ab", "bc", "abc"], ["a b", "b c", "ab c"])
    for piece in split_words(text):
        tokens = [tokenizer.tokens[number] for number in tokenizer.encode(piece)]
        for pair in pairwise(tokens):
            assert "".join(pair) not in ("ab", "bc", "abc")


def merged_one_by_one(text: str, merges: list[str]) -> list[str]:
    """Make the merge that is earliest in the list, leftmost, as long as there is one."""
    parts = list(text)
    while True:
        found = [
            (merges.index(f"{a} {b}"), i)
            for i, (a, b) in enumerate(pairwise(parts))
            if f"{a} {b}" in merges
        ]
        if not found:
            return parts
        _, i = min(found)
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


@given(st.text(alphabet="abc", min_size=1, max_size=40), st.integers(0, 2**32))
def test_the_queue_makes_the_merges_of_the_plain_search(text: str, seed: int) -> None:
    # Lists in any order, where a merge may stand before the one that makes its parts.
    rng, made, merges = random.Random(seed), list("abc"), list[str]()
    for _ in range(rng.randint(0, 12)):
        left, right = rng.choices(made, k=2)
        if f"{left} {right}" not in merges:
            merges.append(f"{left} {right}")
            made.append(left + right)
    rng.shuffle(merges)
    tokenizer = BPETokenizer([*"abc", *dict.fromkeys(m.replace(" ", "") for m in merges)], merges)
    spelled = [tokenizer.tokens[number] for number in tokenizer.encode(text)]
    assert spelled == merged_one_by_one(text, merges)


def test_a_piece_of_a_hundred_thousand_letters_takes_no_quadratic_time() -> None:
    merges = ["a a", "aa aa", "aaaa aaaa"]
    tokenizer = BPETokenizer.from_merges(merges)
    letters = "".join(random.Random(0).choices("ab", k=100_000))
    start = time.process_time()
    assert tokenizer.encode("a" * 100_000) == [258] * 12_500
    assert tokenizer.encode("b" + "a" * 99_999) == [98, *[258] * 12_499, 257, 256, 97]
    assert tokenizer.decode(tokenizer.encode(letters)) == letters
    assert time.process_time() - start < 10  # seconds; quadratic time would be hours


def test_numbers_of_trained_tokens() -> None:
    tokenizer = BPETokenizer.from_merges(["b c", "a b", "a bc", "ab c"], ["<end>"])
    assert list(tokenizer.tokens[256:]) == ["bc", "ab", "abc", "<end>"]  # abc is made twice
    assert tokenizer.encode("\x00\xff<end>", specials=True) == [0, 0xC3, 0xBF, 259]


@given(st.text())
def test_decode_returns_every_text(text: str) -> None:
    tokenizer = BPETokenizer([*BYTES, "ab"], ["a b"])
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_specials_only_on_request(tiny: BPETokenizer) -> None:
    assert tiny.encode("a<end>b", specials=True) == [97, 260, 98]
    assert 260 not in tiny.encode("a<end>b")
    assert tiny.encode("<end>><end>", specials=True) == [261, 260]  # the longest name wins
    assert tiny.decode([260, 97]) == "<end>a"
    plain = BPETokenizer(BYTES, [])
    assert plain.encode("<end>", specials=True) == plain.encode("<end>")


def test_half_a_character_shows_as_such(tiny: BPETokenizer) -> None:
    assert tiny.decode(tiny.encode("é")[:1]) == "\ufffd"


@pytest.mark.parametrize("number", [-1, 262])
def test_token_must_exist(tiny: BPETokenizer, number: int) -> None:
    with pytest.raises(ValueError, match=f"one of 262; got {number}"):
        tiny.decode([number])


@pytest.mark.parametrize("merge", ["ab", "a c", "a  b", " ab", "x y"])
def test_merges_must_make_tokens(merge: str) -> None:
    with pytest.raises(ValueError, match="a merge must be"):
        BPETokenizer(["a", "b", "ab"], [merge])


def test_tokens_are_written_in_byte_characters() -> None:
    with pytest.raises(ValueError, match="byte characters; got ' '"):
        BPETokenizer(["a", "b c"], [])
    assert BPETokenizer(["a", "b c"], [], [1]).decode([1]) == "b c"


def test_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"got \('llama', None\)"):
        BPETokenizer.from_gguf({"tokenizer.ggml.model": "llama"})


@pytest.fixture(scope="module")
def real() -> BPETokenizer:
    return BPETokenizer.from_gguf(read_gguf(find_model()).metadata)


@pytest.mark.model
def test_the_real_vocabulary(real: BPETokenizer) -> None:
    assert len(real.tokens) == 49152
    assert len(real.specials) == 17
    assert real.specials["<|im_start|>"] == 1
    assert real.encode("The capital of France is") == [504, 3575, 282, 4649, 314]


@pytest.mark.model
@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=0xFFFF, codec="utf-8")))
def test_real_tokens_return_every_text(real: BPETokenizer, text: str) -> None:
    assume(set(text).isdisjoint("\x7f"))
    assert real.decode(real.encode(text)) == text


@pytest.mark.model
def test_what_the_real_vocabulary_cannot_write(real: BPETokenizer) -> None:
    missing = [byte for byte in range(256) if BYTES[byte] not in real.number]
    # Some control characters, the first bytes of unassigned planes, and what UTF-8 never uses.
    expected = [0x04, 0x06, 0x13, 0x14, 0x16, 0x1D, 0xC0, 0xC1, 0xF1, 0xF2, *range(0xF5, 0x100)]
    assert missing == expected
    with pytest.raises(ValueError, match="byte 0x04"):
        real.encode("\x04")
