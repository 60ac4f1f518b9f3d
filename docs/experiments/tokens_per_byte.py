"""How many tokens the real model's tokenizer takes for languages, code and data.

The texts of ``data/parallel_text.json`` were written for this: fourteen everyday sentences in
fourteen languages that say the same, functions of this package without their docstrings, records
for JSON, formulas. A text is a list of *units* (sentences, paragraphs, functions, records, lines),
each encoded alone, as the beginning of a text. Intervals of 95 % come from resampling the units,
with the same draws for all texts; there are few units, so take the intervals as rough. They say
nothing about other topics or other translators. Result::

    n_tokens            size of the vocabulary, marks included
    missing             bytes that are no token: a text that holds one cannot be encoded
    texts: list of
        name            of the language, or of what it is
        kind            "language", or "domain" for the rest: "Austen", paragraphs of at least
                        ``least`` characters drawn from the six novels on one line each;
                        "Python"; "JSON" on one line and "JSON, indented", the same records;
                        "LaTeX"; "numbers", lines of five whole numbers of one to eight digits
        units, bytes, characters, words, tokens     counts; words are what stands between white
                        space, and None for Chinese and Japanese, which have no spaces
        bytes_per_token, characters_per_token, tokens_per_word      of the whole text, with
                        intervals: value, low, high
        compression     bits of the text over those of its tokens, if each is written with
                        log2(n_tokens) bits
        single          share of tokens that are one byte
        broken          share of tokens that are not whole characters
        ratio           tokens over those of the same sentences in English, with the interval of
                        sentences resampled in pairs; None for domains
        bytes_ratio     the same of bytes, without interval
    digits, tokens_of_digits    numbers of digits, and mean number of tokens of whole numbers with
                        so many
    scripts: list of    what the vocabulary is made of: name and number of tokens. A script is the
                        first word of the Unicode names of a token's letters; "ASCII letters" and
                        "LATIN" with at least one letter beyond ASCII; "mixed"; "no letters"; "part
                        of a character", tokens that are not UTF-8 by themselves; "marks"
    austen              the six novels, each encoded whole
        tokens          their number
        used            different tokens among them
        zipf            exponent of Zipf's law of token frequencies by maximum likelihood, over the
                        tokens used: exponent, standard_error
        least_squares   the biased exponent of the line through log count against log rank
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import NOVELS, austen
from primer_ref import llama
from primer_ref.bpe import compression_ratio
from primer_ref.intervals import bootstrap_interval
from primer_ref.tokenizer import BPETokenizer, byte_characters
from primer_ref.zipf import zipf_exponent, zipf_least_squares

NAME = "tokens_per_byte"
SEED = 5
DATA = Path(__file__).parents[1] / "data" / "parallel_text.json"
UNSPACED = ("Chinese", "Japanese")
REFERENCE = "English"
LEAST = 300
LONGEST_NUMBER = 8

Floats = NDArray[np.floating[Any]]


def paragraphs(rng: np.random.Generator, each: int) -> list[str]:
    """Draw paragraphs from every novel, each on one line."""
    drawn = []
    for name in NOVELS:
        lines = (" ".join(part.split()) for part in austen(name).split("\n\n"))
        long = [line for line in lines if len(line) >= LEAST]
        drawn += [long[i] for i in rng.choice(len(long), each, replace=False)]
    return drawn


def number_of(digits: int, rng: np.random.Generator) -> str:
    """Draw a whole number with so many digits, the first not 0."""
    return str(rng.integers(10 ** (digits - 1), 10**digits))


def number_lines(rng: np.random.Generator, lines: int) -> list[str]:
    """Draw lines of five numbers, of any lengths alike."""
    return [
        " ".join(number_of(int(digits), rng) for digits in rng.integers(1, LONGEST_NUMBER + 1, 5))
        for _ in range(lines)
    ]


def read_texts(rng: np.random.Generator) -> dict[str, dict[str, list[str]]]:
    """Gather the units of all texts, by kind and name."""
    data = json.loads(DATA.read_text(encoding="utf-8"))
    records = data["records"]
    return {
        "language": data["sentences"],
        "domain": {
            "Austen": paragraphs(rng, 10),
            "Python": data["code"],
            "JSON": [json.dumps(one, ensure_ascii=False) for one in records],
            "JSON, indented": [json.dumps(one, ensure_ascii=False, indent=2) for one in records],
            "LaTeX": data["formulas"],
            "numbers": number_lines(rng, 20),
        },
    }


def ratio_interval(above: Sequence[int], below: Sequence[int]) -> dict[str, float]:
    """Divide two totals over units, with the interval of units drawn again."""
    rows = np.column_stack([above, below]).astype(np.float64)

    def statistic(drawn: Floats) -> float:
        totals = np.sum(drawn, axis=0)
        return float(totals[0] / totals[1])

    return asdict(bootstrap_interval(rows, statistic, rng=np.random.default_rng(SEED)))


def whole_characters(piece: bytes) -> bool:
    """Say whether bytes are UTF-8 by themselves."""
    try:
        piece.decode()
    except UnicodeDecodeError:
        return False
    return True


def text_statistics(
    tokenizer: BPETokenizer, units: Sequence[str], *, spaced: bool
) -> dict[str, Any]:
    """Count the tokens of the units of one text."""
    encoded = [tokenizer.encode(unit) for unit in units]
    flat = [number for numbers in encoded for number in numbers]
    pieces = [tokenizer.token_bytes(number) for number in flat]
    n_tokens = [len(numbers) for numbers in encoded]
    n_bytes = [len(unit.encode()) for unit in units]
    n_characters = [len(unit) for unit in units]
    n_words = [len(unit.split()) for unit in units]
    return {
        "units": len(units),
        "bytes": sum(n_bytes),
        "characters": sum(n_characters),
        "words": sum(n_words) if spaced else None,
        "tokens": len(flat),
        "bytes_per_token": ratio_interval(n_bytes, n_tokens),
        "characters_per_token": ratio_interval(n_characters, n_tokens),
        "tokens_per_word": ratio_interval(n_tokens, n_words) if spaced else None,
        "compression": compression_ratio(flat, "".join(units), len(tokenizer.tokens)),
        "single": np.mean([len(piece) == 1 for piece in pieces]),
        "broken": np.mean([not whole_characters(piece) for piece in pieces]),
    }


def compared(tokenizer: BPETokenizer, units: Sequence[str], with_: Sequence[str]) -> dict[str, Any]:
    """Compare tokens and bytes with those of units that say the same."""
    own, other = ([len(tokenizer.encode(unit)) for unit in text] for text in (units, with_))
    return {
        "ratio": ratio_interval(own, other),
        "bytes_ratio": len("".join(units).encode()) / len("".join(with_).encode()),
    }


def missing_bytes(tokenizer: BPETokenizer) -> list[int]:
    """List the bytes that the vocabulary does not hold."""
    characters = enumerate(byte_characters())
    return [byte for byte, character in characters if character not in tokenizer.number]


def script(piece: bytes) -> str:
    """Name the script of a token's letters."""
    if not whole_characters(piece):
        return "part of a character"
    letters = [c for c in piece.decode() if c.isalpha()]
    names = {unicodedata.name(c, "?").split()[0] for c in letters}
    if names == {"LATIN"} and all(c.isascii() for c in letters):
        return "ASCII letters"
    return "no letters" if not names else names.pop() if len(names) == 1 else "mixed"


def scripts(tokenizer: BPETokenizer) -> list[dict[str, Any]]:
    """Count the tokens of the vocabulary by script, most first."""
    marks = set(tokenizer.specials.values())
    found = Counter(
        "marks" if number in marks else script(tokenizer.token_bytes(number))
        for number in range(len(tokenizer.tokens))
    )
    return [{"name": name, "tokens": count} for name, count in found.most_common()]


def token_frequencies(tokenizer: BPETokenizer, novels: Sequence[str]) -> dict[str, Any]:
    """Fit the frequencies of tokens in novels."""
    found: Counter[int] = Counter()
    for name in record.progress(novels, f"{NAME}, novels"):
        found.update(tokenizer.encode(austen(name)))
    counts = sorted(found.values(), reverse=True)
    return {
        "tokens": sum(counts),
        "used": len(counts),
        "zipf": asdict(zipf_exponent(counts)),
        "least_squares": zipf_least_squares(counts),
    }


def measure(tokenizer: BPETokenizer, *, novels: Sequence[str] = NOVELS) -> dict[str, Any]:
    """Measure every text.

    Parameters
    ----------
    tokenizer : BPETokenizer
        The tokenizer.
    novels : sequence of str
        The novels to encode whole.

    Returns
    -------
    dict
        The fields described above.
    """
    drawing, numbers = np.random.default_rng(SEED).spawn(2)
    kinds = read_texts(drawing)
    english = kinds["language"][REFERENCE]
    texts = []
    for kind, by_name in kinds.items():
        for name, units in by_name.items():
            found = text_statistics(tokenizer, units, spaced=name not in UNSPACED)
            relation = (
                compared(tokenizer, units, english)
                if kind == "language"
                else {"ratio": None, "bytes_ratio": None}
            )
            texts.append({"name": name, "kind": kind, **found, **relation})
    digits = range(1, LONGEST_NUMBER + 1)
    return {
        "n_tokens": len(tokenizer.tokens),
        "missing": missing_bytes(tokenizer),
        "least": LEAST,
        "texts": texts,
        "digits": list(digits),
        "tokens_of_digits": [
            np.mean([len(tokenizer.encode(number_of(n, numbers))) for _ in range(100)])
            for n in digits
        ],
        "scripts": scripts(tokenizer),
        "austen": token_frequencies(tokenizer, novels),
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(llama.load().tokenizer),
        command=f"python -m experiments.{NAME}",
        seed=SEED,
        model=llama.find_model(),
    )


if __name__ == "__main__":
    main()
