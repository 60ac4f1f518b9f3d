"""Learning merges: a plain recount after every merge, published merges, what they save."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref import bpe
from primer_ref.bpe import _join, compression_ratio, fertility, train_bpe
from primer_ref.tokenizer import BPETokenizer, byte_characters, split_words

BYTES = byte_characters()


def trained_by_recounting(counts: dict[str, int], n_merges: int) -> list[str]:
    """Count all pairs afresh for every merge and join from left to right."""
    age = {token: i for i, token in enumerate(sorted(BYTES))}
    words = {tuple(BYTES[byte] for byte in word.encode()): n for word, n in counts.items()}
    merges: list[str] = []
    for _ in range(n_merges):
        pairs: Counter[tuple[str, str]] = Counter()
        for word, n in words.items():
            for pair in pairwise(word):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], age[pair[0]], age[pair[1]]))
        merges.append(" ".join(best))
        age["".join(best)] = len(age)
        joined: Counter[tuple[str, ...]] = Counter()
        for word, n in words.items():
            parts = list(word)
            i = 0
            while i < len(parts) - 1:
                if (parts[i], parts[i + 1]) == best:
                    parts[i : i + 2] = ["".join(best)]
                i += 1
            joined[tuple(parts)] += n
        words = joined
    return merges


words = st.dictionaries(
    st.text(alphabet="abé ", min_size=1, max_size=12), st.integers(1, 4), max_size=8
)


@pytest.mark.equation("eq-bpe-merge")
@given(words, st.integers(0, 30))
def test_merges_are_those_of_recounting_everything(counts: dict[str, int], n_merges: int) -> None:
    assert train_bpe(counts, n_merges) == trained_by_recounting(counts, n_merges)


@given(words, st.integers(0, 30))
def test_a_merge_touches_only_words_that_hold_its_pair(counts: dict[str, int], n: int) -> None:
    visited: list[bool] = []

    def join(word: list[int], pair: tuple[int, int], new: int) -> list[int]:
        visited.append(pair in pairwise(word))
        return _join(word, pair, new)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bpe, "_join", join)
        train_bpe(counts, n)
    assert all(visited)


@given(words)
def test_no_two_merges_make_the_same_token(counts: dict[str, int]) -> None:
    merges = train_bpe(counts, 1000)
    assert len({merge.replace(" ", "") for merge in merges}) == len(merges)
    tokenizer = BPETokenizer.from_merges(merges)
    # Learned to the end, every word is one token.
    assert all(len(tokenizer._merge(word)) == 1 for word in counts)


def test_the_example_of_the_first_paper() -> None:
    text = "aaabdaaabac"
    tokenizer = BPETokenizer.from_merges(train_bpe({text: 1}, 3))
    assert tokenizer.encode(text) == [258, 100, 258, 97, 99]


@given(st.text(alphabet="ab c", min_size=1, max_size=200))
def test_more_merges_never_need_more_tokens(text: str) -> None:
    counts = Counter(split_words(text))
    before = None
    for n_merges in range(4):
        tokenizer = BPETokenizer.from_merges(train_bpe(counts, n_merges))
        n_tokens = sum(n * len(tokenizer.encode(word)) for word, n in counts.items())
        assert n_tokens == len(tokenizer.encode(text))
        assert before is None or n_tokens <= before
        before = n_tokens


@pytest.mark.equation("eq-fertility")
def test_fertility_counts_bytes_characters_and_words() -> None:
    text = "naïve 日本 x"
    measured = fertility(range(7), text)
    assert (measured.per_byte, measured.per_character) == (7 / 15, 7 / 10)
    assert measured.per_word == pytest.approx(7 / 3)


@pytest.mark.equation("eq-compression-ratio")
def test_bytes_do_not_compress_and_pairs_halve() -> None:
    assert compression_ratio(range(12), "twelve bytes", 256) == 1
    assert compression_ratio(range(6), "twelve bytes", 2**16) == 1
    assert compression_ratio(range(3), "twelve bytes", 300) == pytest.approx(32 / math.log2(300))
    assert compression_ratio([0, 1] * 48, "twelve bytes", 2) == 1  # bit by bit
