"""Chapter 14: tokens in others' numbers, subwords, and files byte by byte."""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING

import numpy as np

from primer_ref.block_quantization import (
    bits_per_weight,
    quantize_q4_0,
    quantize_q4_1,
    quantize_q8_0,
)
from primer_ref.bpe import train_bpe
from primer_ref.subwords import (
    unigram_loss,
    unigram_segmentation,
    wordpiece_letters,
    wordpiece_scores,
)
from primer_ref.tokenizer import BPETokenizer, byte_characters, split_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

# The merges of GPT-2 that can take part in the texts below, with the numbers of what they make:
# all those in its file vocab.bpe (sha256 1ce16647…) whose token occurs in one of their pieces.
GPT2 = {
    258: "h e", 266: "Ġ w", 273: "o r", 297: "l l", 335: "l d", 405: "0 0", 417: "e l",
    476: "Ġw or", 695: "e ll", 830: "00 0", 995: "Ġwor ld", 1544: "H e", 1764: "or ld",
    2388: "00 00", 2978: "he l", 5439: "l o", 6894: "w orld", 8269: "0000 0000",
    10535: "0000 00", 11109: "ell o", 12621: "H el", 12758: "he ll", 15496: "H ello",
    18798: "ll o", 20483: "00 000", 21638: "w o", 24486: "Ġw o", 24598: "0000 000",
    25645: "00000000 00000000", 28254: "H ell", 31373: "hell o", 45895: "r l",
}  # fmt: skip

# The corpus of the course, and how often it counts each substring.
WORDS = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
COUNTS = {
    "h": 15, "u": 36, "g": 20, "hu": 15, "ug": 20, "p": 17, "pu": 17, "n": 16, "un": 16, "b": 4,
    "bu": 4, "s": 5, "hug": 15, "gs": 5, "ugs": 5,
}  # fmt: skip


def gpt2_numbers(*pieces: str) -> list[int]:
    """Encode pieces, each cut by nothing, and write them in GPT-2's numbers."""
    tokenizer = BPETokenizer.from_merges(list(GPT2.values()))
    number = {token: i for i, token in enumerate(sorted(byte_characters()))}
    number |= {merge.replace(" ", ""): i for i, merge in GPT2.items()}
    # A piece of zeros is what GPT-2 does not cut, and our rule for pieces does.
    return [number[tokenizer.tokens[i]] for piece in pieces for i in tokenizer._merge(piece)]


def greetings() -> dict[str, ArrayLike]:
    """Cut three texts into pieces, and merge."""
    texts = ("hello world", "Hello world", "Hello, world!")
    return {text: gpt2_numbers(*split_words(text)) for text in texts}


def zeros() -> dict[str, ArrayLike]:
    """Merge one to seventeen zeros."""
    return {f"{n} zeros": gpt2_numbers("0" * n) for n in range(1, 18)}


def vocabularies() -> dict[str, ArrayLike]:
    """Add up bytes, merges and marks, or take the largest number and zero."""
    return {
        "GPT-2": len(byte_characters()) + 50_000 + 1,
        "cl100k_base": 100_276 + 1,
        "o200k_base": 200_018 + 1,
        "Llama 3": 128_000 + 256,
    }


def bytes_as_characters() -> dict[str, ArrayLike]:
    """Look up where bytes are written as other characters."""
    table = byte_characters()
    return {
        "characters": len(set(table)),
        "space": ord(table[ord(" ")]),
        "newline": ord(table[ord("\n")]),
        "written as others": sum(character != chr(byte) for byte, character in enumerate(table)),
    }


def wikipedia() -> dict[str, ArrayLike]:
    """Learn three merges from a text, and encode it."""
    text = "aaabdaaabac"
    merges = train_bpe({text: 1}, 3)
    return {"numbers": BPETokenizer.from_merges(merges).encode(text)}


def unigram() -> dict[str, ArrayLike]:
    """Segment by the counts of the course."""
    log_p = {token: math.log(n / sum(COUNTS.values())) for token, n in COUNTS.items()}
    without = {token: value for token, value in log_p.items() if token != "hug"}
    loss = unigram_loss(WORDS, log_p)
    return {
        "total": sum(COUNTS.values()),
        "unhug": math.exp(unigram_segmentation("unhug", log_p).log_prob),
        "pug": math.exp(unigram_segmentation("pug", log_p).log_prob),
        "loss": loss,
        "rise without hug": unigram_loss(WORDS, without) - loss,
    }


def pug() -> dict[str, ArrayLike]:
    """Multiply the shares of its parts."""
    p = {token: n / sum(COUNTS.values()) for token, n in COUNTS.items()}
    return {"p, u, g": p["p"] * p["u"] * p["g"], "pu, g": p["pu"] * p["g"]}


def wordpiece() -> dict[str, ArrayLike]:
    """Score pairs of letters; the best pair is the one of the first merge."""
    scores = wordpiece_scores({wordpiece_letters(word): n for word, n in WORDS.items()})
    return {
        "##g ##s": 1 / scores["##g", "##s"],
        "the best": 1 / max(scores.values()),
        "##u ##g": 1 / scores["##u", "##g"],
    }


def safetensors() -> dict[str, ArrayLike]:
    """Write the header of one array of four 32-bit integers."""
    entry = {"dtype": "I32", "shape": [2, 2], "data_offsets": [0, 16]}
    header = json.dumps({"test": entry}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 4)
    file = struct.pack("<Q", len(header)) + header + bytes(16)
    return {"header": len(header), "first byte": file[0], "file": len(file)}


def blocks() -> dict[str, ArrayLike]:
    """Write a block of 32 weights in each layout that the package reads, and weigh it."""
    x = np.linspace(-1, 1, 32)
    written = {"Q4_0": quantize_q4_0(x), "Q4_1": quantize_q4_1(x), "Q8_0": quantize_q8_0(x)}
    return {name: (tensor.raw.size, bits_per_weight(tensor)) for name, tensor in written.items()}


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch14-gpt2-ids": greetings,
    "ch14-gpt2-zeros": zeros,
    "ch14-vocab-sizes": vocabularies,
    "ch14-bytes-to-unicode": bytes_as_characters,
    "ch14-minbpe-wiki": wikipedia,
    "ch14-hf-unigram": unigram,
    "ch14-hf-unigram-pug-error": pug,
    "ch14-hf-wordpiece": wordpiece,
    "ch14-safetensors": safetensors,
    "ch14-gguf-bpw": blocks,
}
