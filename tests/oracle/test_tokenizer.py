"""The tokenizer against Hugging Face's, built from the same vocabulary and merges."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from typing import Any

import numpy as np
import pytest

from experiments.texts import austen
from primer_ref.bpe import train_bpe
from primer_ref.formats import read_gguf
from primer_ref.llama import find_model
from primer_ref.tokenizer import BPETokenizer, byte_characters, split_words

from .conftest import Compare

tokenizers = pytest.importorskip("tokenizers")


TEXTS = [
    "",
    "The capital of France is",
    "Don't we'll they've I'm you'd it's he's we're 'Tis O'Neil 'S 'LL",
    " leading,  double,   triple \n\n new\r\nline \t tab ",
    "1818 3.14159 1,000,000 x2y  7 ½ ² Ⅷ ٣٤ 一二三 １２",
    "naïve façade Straße Ωμέγα Привет мир שלום 日本語のテキスト 한국어 ไทย",
    "🙂👩‍👩‍👧‍👦🇫🇷 e\u0301 \u00a0 \u2003em\u3000ideographic\u2028line\u0085next",
    "def f(x):\n    return x**2  # squares\n\n\n",
    "\x00\x01\x1c\x1f\x7f<|im_start|>user\nhi<|im_end|>",
]


@pytest.fixture(scope="module")
def metadata() -> dict[str, Any]:
    return dict(read_gguf(find_model()).metadata)


@pytest.fixture(scope="module")
def ours(metadata: dict[str, Any]) -> BPETokenizer:
    return BPETokenizer.from_gguf(metadata)


def library(number: dict[str, int], merges: list[str], specials: tuple[str, ...] = ()) -> Any:
    """Build the other library's tokenizer from a vocabulary and merges."""
    pairs = [tuple(merge.split(" ")) for merge in merges]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(number, pairs))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.add_special_tokens([tokenizers.AddedToken(name, special=True) for name in specials])
    return tokenizer


def library_trained(texts: list[str], n_merges: int) -> list[str]:
    """Let the other library learn merges."""
    tokenizer = library({}, [])
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=256 + n_merges,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return [" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


@pytest.fixture(scope="module")
def theirs(metadata: dict[str, Any]) -> Any:
    number = {token: number for number, token in enumerate(metadata["tokenizer.ggml.tokens"])}
    return library(number, metadata["tokenizer.ggml.merges"])


def random_text(rng: np.random.Generator) -> str:
    """Mix the sample texts, ASCII and characters from everywhere."""
    pool = "".join(TEXTS) + "".join(map(chr, range(32, 127))) * 3
    # All of Unicode, without the surrogates, which are no characters.
    ranges = (0x20, 0x3000), (0x3000, 0xD800), (0xE000, 0x110000)
    chars = [
        pool[rng.integers(len(pool))]
        if rng.random() < 0.8
        else chr(rng.integers(*ranges[rng.integers(len(ranges))]))
        for _ in range(rng.integers(1, 40))
    ]
    return "".join(chars)


def test_same_tokens(ours: BPETokenizer, theirs: Any, compare: Compare) -> None:
    rng = np.random.default_rng(2)
    lacking = {byte for byte, name in enumerate(byte_characters()) if name not in ours.number}
    compared: tuple[list[int], list[int]] = ([], [])
    n_texts = 0
    for text in TEXTS + [random_text(rng) for _ in range(8000)]:
        if not lacking.isdisjoint(text.encode()):  # the other one leaves these bytes out
            with pytest.raises(ValueError, match="byte"):
                ours.encode(text)
            continue
        got, expected = ours.encode(text), theirs.encode(text).ids
        assert got == expected, json.dumps(text)
        compared[0].extend(got)
        compared[1].extend(expected)
        n_texts += 1
    assert n_texts > 4000
    assert len(compared[0]) > 80_000
    compare(BPETokenizer.encode, "tokenizers.Tokenizer.encode", *compared, 0)


def test_same_merges_of_a_novel(compare: Compare) -> None:
    text = austen("northangerabbey")
    got, expected = train_bpe(Counter(split_words(text)), 3000), library_trained([text], 3000)
    assert got == expected
    # As numbers: where each merge stands in the other list.
    places = [expected.index(merge) for merge in got]
    compare(train_bpe, "tokenizers.trainers.BpeTrainer", places, np.arange(3000), 0)


def test_same_merges_of_small_texts_full_of_ties() -> None:
    rng = np.random.default_rng(3)
    for _ in range(150):
        alphabet = list(rng.choice(["ab", "ab ", "abc", "é a1", "abcdefgh  ", "日a"]))
        text = "".join(rng.choice(alphabet, rng.integers(1, 300)))
        expected = library_trained([text], int(rng.integers(0, 60)))
        assert train_bpe(Counter(split_words(text)), len(expected)) == expected, json.dumps(text)


def test_same_tokens_from_a_trained_vocabulary_with_special_tokens(compare: Compare) -> None:
    specials = ("<end>", "<|start|>", "<end>>", "é<")
    merges = train_bpe(Counter(split_words(austen("persuasion")[:200_000])), 1500)
    ours = BPETokenizer.from_merges(merges, specials)
    number = {token: n for token, n in ours.number.items() if token not in specials}
    theirs = library(number, merges, specials)
    rng = np.random.default_rng(4)
    texts = [random_text(rng) for _ in range(1500)]
    mixed = ["".join(rng.choice([*specials, "<", ">", " a", *text[:9]], 12)) for text in texts]
    letters = "".join(rng.choice(list("aeinst"), 100_000))
    long = ["a" * 100_000, letters, "é" * 30_000, " " * 50_000 + "x", "-=" * 40_000]
    compared: tuple[list[int], list[int]] = ([], [])
    for text in [*texts, *mixed, *long, austen("emma")[:300_000]]:
        got, expected = ours.encode(text, specials=True), theirs.encode(text).ids
        assert got == expected, json.dumps(text[:100])
        compared[0].extend(got)
        compared[1].extend(expected)
        assert ours.decode(got) == text
    compare(BPETokenizer.encode, "tokenizers.Tokenizer.add_special_tokens", *compared, 0)


def test_same_pieces_for_every_character(theirs: Any) -> None:
    """Each character between neighbors that show its class."""
    table = byte_characters()
    for code in [*range(0xD800), *range(0xE000, 0x30000), *range(0xE0000, 0xE0200)]:
        if unicodedata.category(chr(code)) == "Cn":  # the other library may know it already
            continue
        text = f"a{chr(code)}. {chr(code)}1 "
        pieces = ["".join(table[b] for b in piece.encode()) for piece in split_words(text)]
        assert pieces == [p for p, _ in theirs.pre_tokenizer.pre_tokenize_str(text)], hex(code)
