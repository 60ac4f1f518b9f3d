"""The tokenizer against Hugging Face's, built from the same vocabulary and merges."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import numpy as np
import pytest

from primer_ref.formats import read_gguf
from primer_ref.llama import find_model
from primer_ref.tokenizer import BPETokenizer, byte_characters, split_words

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


@pytest.fixture(scope="module")
def theirs(metadata: dict[str, Any]) -> Any:
    tokens = metadata["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in metadata["tokenizer.ggml.merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    return tokenizer


def random_text(rng: np.random.Generator) -> str:
    """Mix the sample texts, ASCII and characters from everywhere."""
    pool = "".join(TEXTS) + "".join(map(chr, range(32, 127))) * 3
    chars = [
        pool[rng.integers(len(pool))]
        if rng.random() < 0.8
        else chr(int(rng.choice([rng.integers(0x20, 0x3000), rng.integers(0xF900, 0x10FFFF)])))
        for _ in range(rng.integers(1, 40))
    ]
    return "".join(chars)


def test_same_tokens(ours: BPETokenizer, theirs: Any) -> None:
    rng = np.random.default_rng(2)
    compared = 0
    for text in TEXTS + [random_text(rng) for _ in range(4000)]:
        try:
            got = ours.encode(text)
        except ValueError:  # a byte that the vocabulary lacks, which the other one leaves out
            continue
        assert got == theirs.encode(text).ids, json.dumps(text)
        compared += 1
    assert compared > 1500


def test_same_pieces_for_every_character(theirs: Any) -> None:
    """Each character between neighbors that show its class."""
    table = byte_characters()
    for code in [*range(0xD800), *range(0xE000, 0x30000), *range(0xE0000, 0xE0200)]:
        if unicodedata.category(chr(code)) == "Cn":  # the other library may know it already
            continue
        text = f"a{chr(code)}. {chr(code)}1 "
        pieces = ["".join(table[b] for b in piece.encode()) for piece in split_words(text)]
        assert pieces == [p for p, _ in theirs.pre_tokenizer.pre_tokenize_str(text)], hex(code)
