"""Tokens for languages and code: on a tokenizer made by hand, and as they were stored."""

from __future__ import annotations

import json
import re
import unicodedata
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments import record, tokens_per_byte
from experiments.texts import NOVELS, austen
from primer_ref import llama
from primer_ref.tokenizer import BPETokenizer


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("tokens_per_byte")


@pytest.fixture(scope="module")
def sentences() -> dict[str, list[str]]:
    data = json.loads(tokens_per_byte.DATA.read_text(encoding="utf-8"))
    found: dict[str, list[str]] = data["sentences"]
    return found


@pytest.fixture
def tiny() -> BPETokenizer:
    """Bytes and two merges: "ab", and the two bytes of "é"."""
    return BPETokenizer.from_merges(["a b", "Ã ©"], ["<end>"])


def text(stored: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in stored["texts"] if one["name"] == name)
    return found


# --- By hand -----------------------------------------------------------------------------------


def test_counts_by_hand(tiny: BPETokenizer) -> None:
    units = ["ab aé", "ü"]  # ab, space, a, é; and the two bytes of ü, which no merge joins
    found = tokens_per_byte.text_statistics(tiny, units, spaced=True)
    assert (found["units"], found["bytes"], found["characters"], found["words"]) == (2, 8, 6, 3)
    assert found["tokens"] == 6
    assert found["bytes_per_token"]["value"] == pytest.approx(8 / 6)
    assert found["characters_per_token"]["value"] == 1
    assert found["tokens_per_word"]["value"] == 2
    assert found["single"] == pytest.approx(4 / 6)
    assert found["broken"] == pytest.approx(2 / 6)
    assert found["compression"] == pytest.approx(8 * 8 / (6 * np.log2(259)))
    assert (found["bytes_per_token"]["low"], found["bytes_per_token"]["high"]) == (1, 1.5)


def test_a_missing_byte_is_named(tiny: BPETokenizer) -> None:
    assert tokens_per_byte.missing_bytes(tiny) == []
    without = [token for token in tiny.tokens if token != "Ā"]  # byte 0
    assert tokens_per_byte.missing_bytes(BPETokenizer(without, [])) == [0]


def test_a_text_compared_with_its_double(tiny: BPETokenizer) -> None:
    """Every unit has twice the tokens, so paired resamples leave no width."""
    units = ["aa", "aaaaaa", "aaaa"]
    twice = [2 * unit for unit in units]
    found = tokens_per_byte.compared(tiny, twice, units)
    assert found == {"ratio": {"value": 2, "low": 2, "high": 2}, "bytes_ratio": 2}


def test_ratio_intervals_agree_with_scipy() -> None:
    above, below = np.random.default_rng(1).poisson([[30], [9]], (2, 14))
    found = tokens_per_byte.ratio_interval(above.tolist(), below.tolist())
    other = stats.bootstrap(
        (above, below),
        lambda a, b: a.sum() / b.sum(),
        paired=True,
        vectorized=False,
        method="percentile",
        rng=np.random.default_rng(2),
    ).confidence_interval
    width = other.high - other.low
    assert found["low"] == pytest.approx(other.low, abs=0.1 * width)
    assert found["high"] == pytest.approx(other.high, abs=0.1 * width)


@pytest.mark.parametrize(
    ("piece", "name"),
    [
        (" the", "ASCII letters"),
        ("é", "LATIN"),
        ("λό", "GREEK"),
        ("漢字", "CJK"),
        ("xλ", "mixed"),
        (" 12", "no letters"),
    ],
)
def test_scripts_of_tokens(piece: str, name: str) -> None:
    assert tokens_per_byte.script(piece.encode()) == name
    assert tokens_per_byte.script("é".encode()[:1]) == "part of a character"


def test_numbers_have_their_lengths() -> None:
    rng = np.random.default_rng(0)
    for digits in (1, 2, 8):
        drawn = [tokens_per_byte.number_of(digits, rng) for _ in range(200)]
        assert {len(number) for number in drawn} == {digits}
    lines = tokens_per_byte.number_lines(rng, 7)
    assert [len(line.split()) for line in lines] == [5] * 7


# --- The texts ---------------------------------------------------------------------------------


def test_all_languages_have_the_same_number_of_different_sentences(
    sentences: dict[str, list[str]],
) -> None:
    assert len(sentences) == 14
    for units in sentences.values():
        assert len(set(units)) == 14
        for unit in units:
            assert unit == unicodedata.normalize("NFC", unit.strip())


def test_sentences_are_in_the_script_of_their_language(sentences: dict[str, list[str]]) -> None:
    expected = {"Russian": "CYRILLIC", "Greek": "GREEK", "Arabic": "ARABIC", "Korean": "HANGUL"}
    expected |= {"Hindi": "DEVANAGARI", "Chinese": "CJK"}
    for language, units in sentences.items():
        found = {tokens_per_byte.script(unit.encode()) for unit in units}
        if language == "Japanese":
            assert found == {"mixed"}
        else:
            allowed = {expected[language]} if language in expected else {"LATIN", "ASCII letters"}
            assert found <= allowed


# --- As stored ---------------------------------------------------------------------------------


@pytest.mark.model
@pytest.mark.parametrize("name", ["English", "Polish", "Korean", "Python", "LaTeX"])
def test_counts_come_out_again(model: llama.Model, stored: dict[str, Any], name: str) -> None:
    kinds = tokens_per_byte.read_texts(np.random.default_rng(0))
    units = {**kinds["language"], **kinds["domain"]}[name]
    tokenizer = model.tokenizer
    numbers = [number for unit in units for number in tokenizer.encode(unit)]
    found = text(stored, name)
    assert found["tokens"] == len(numbers)
    assert tokenizer.decode(numbers) == "".join(units)
    assert found["bytes"] == len("".join(units).encode())
    lengths = [len(tokenizer.token_bytes(number)) for number in numbers]
    assert found["bytes_per_token"]["value"] == pytest.approx(np.mean(lengths), rel=1e-5)
    assert found["single"] == pytest.approx(lengths.count(1) / len(lengths), rel=1e-5)


@pytest.mark.model
@pytest.mark.parametrize("name", ["Hindi", "Japanese"])
def test_a_language_comes_out_again(
    model: llama.Model, stored: dict[str, Any], sentences: dict[str, list[str]], name: str
) -> None:
    again = tokens_per_byte.text_statistics(
        model.tokenizer, sentences[name], spaced=name != "Japanese"
    ) | tokens_per_byte.compared(model.tokenizer, sentences[name], sentences["English"])
    before = {field: text(stored, name)[field] for field in again}
    assert list(record.differences(before, record.plain(again))) == []


@pytest.mark.model
def test_the_scripts_of_the_vocabulary(model: llama.Model, stored: dict[str, Any]) -> None:
    found = {one["name"]: one["tokens"] for one in stored["scripts"]}
    assert sum(found.values()) == stored["n_tokens"] == model.config.n_tokens
    assert found["marks"] == len(model.tokenizer.specials)
    # Counted another way: by what the bytes themselves are.
    numbers = set(range(stored["n_tokens"])) - set(model.tokenizer.specials.values())
    pieces = [model.tokenizer.token_bytes(number) for number in numbers]
    lettered = [piece for piece in pieces if piece.isascii() and re.search(rb"[A-Za-z]", piece)]
    assert found["ASCII letters"] == len(lettered)


@pytest.mark.model
def test_the_missing_bytes_cannot_be_encoded(model: llama.Model, stored: dict[str, Any]) -> None:
    assert tokens_per_byte.missing_bytes(model.tokenizer) == stored["missing"]
    for byte in range(128):
        if byte in stored["missing"]:
            with pytest.raises(ValueError, match="every byte"):
                model.tokenizer.encode(chr(byte))
        else:
            assert model.tokenizer.decode(model.tokenizer.encode(chr(byte))) == chr(byte)
    # Of the others, UTF-8 uses two: they begin code points that no character has yet.
    used = {byte for byte in stored["missing"] if byte >= 128} - {0xC0, 0xC1, *range(0xF5, 256)}
    assert used == {chr(code).encode()[0] for code in (0x40000, 0x80000)}


def test_what_is_stored_fits_together(
    stored: dict[str, Any], sentences: dict[str, list[str]]
) -> None:
    english = text(stored, "English")
    languages = [one for one in stored["texts"] if one["kind"] == "language"]
    assert [one["name"] for one in languages] == list(sentences)
    for one in stored["texts"]:
        assert one["bytes_per_token"]["value"] == pytest.approx(
            one["bytes"] / one["tokens"], rel=1e-5
        )
        bits = 8 * one["bytes"] / one["tokens"] / np.log2(stored["n_tokens"])
        assert one["compression"] == pytest.approx(bits, rel=1e-5)
        assert one["tokens"] <= one["bytes"]  # every byte is a token
        for field in ("bytes_per_token", "characters_per_token", "tokens_per_word", "ratio"):
            if one[field] is not None:
                assert one[field]["low"] <= one[field]["value"] <= one[field]["high"]
    for one in languages:
        assert one["ratio"]["value"] == pytest.approx(one["tokens"] / english["tokens"], rel=1e-5)
        assert one["bytes_ratio"] == pytest.approx(one["bytes"] / english["bytes"], rel=1e-5)
    assert stored["austen"]["used"] < stored["n_tokens"]


def test_what_the_stored_numbers_say(stored: dict[str, Any]) -> None:
    """Signs and sizes that the chapter speaks of; each could have come out otherwise."""
    for one in stored["texts"]:
        if one["kind"] == "language" and one["name"] != "English":
            assert one["ratio"]["low"] > 1.4
    assert text(stored, "Chinese")["bytes_ratio"] < 1 < text(stored, "Chinese")["ratio"]["low"]
    assert text(stored, "Korean")["compression"] < 1  # longer than its bytes
    assert text(stored, "Austen")["bytes_per_token"]["low"] > 4
    assert stored["tokens_of_digits"] == stored["digits"]  # a token for every digit
    assert all(a["tokens"] >= b["tokens"] for a, b in pairwise(stored["scripts"]))
    assert stored["scripts"][0]["name"] == "ASCII letters"


def test_the_novels_are_all_encoded(stored: dict[str, Any]) -> None:
    n_bytes = sum(len(austen(name).encode()) for name in NOVELS)
    assert 3 < n_bytes / stored["austen"]["tokens"] < 5
