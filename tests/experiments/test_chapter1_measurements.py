"""A quick part of the measurements of chapter 1, measured again."""

from dataclasses import replace

import pytest

from experiments import compression, ngram_order, record
from experiments.texts import NOVELS, austen, austen_chapter
from primer_ref.coding import encode, quantize
from primer_ref.ngram import fit_ngrams, letters27


def test_texts_are_whole_and_chapters_are_cut_at_their_headings() -> None:
    assert set(map(len, map(austen, NOVELS))).isdisjoint({0})
    chapter = austen_chapter("persuasion", 1)
    assert chapter.startswith("Sir Walter Elliot, of Kellynch Hall")
    assert chapter.endswith("taste or pride.\n")


def test_losses_of_short_contexts() -> None:
    stored = record.load("ngram_order")
    *train, test = (letters27(austen(name)) for name in NOVELS)
    mixed = fit_ngrams(train, n_symbols=27, order=1, strength=stored["strength"])
    for row in stored["orders"][:2]:
        k = row["order"]
        raw = replace(mixed, order=k, lowest=k, strength=0)
        assert len(raw.codes[k]) == row["ngrams"]
        assert ngram_order.loss(raw, *train) == pytest.approx(row["train"], rel=1e-5)
        assert ngram_order.loss(replace(mixed, order=k), test) == pytest.approx(
            row["mixed"], rel=1e-5
        )


def test_sizes_of_the_compressed_chapter() -> None:
    stored = record.load("compression")
    text = austen_chapter("persuasion", 1).encode()
    assert len(text) == stored["bytes"]
    sizes = stored["compressors"]
    for name, row in compression.general_purpose(text, b"").items():
        if name != "xz_after_novels":  # libraries of other versions may differ by some bytes
            assert row["bytes"] == pytest.approx(sizes[name]["bytes"], rel=0.01)
    predict = compression.adaptive_bytes()
    bits = encode([*text, compression.END], lambda prefix: quantize(predict(prefix)))
    assert len(bits) == pytest.approx(sizes["adaptive"]["bits"], abs=1)


def test_what_is_coded_comes_back() -> None:
    message = [*b"the theory of the thing", compression.END]
    row = compression.code(message, compression.adaptive_bytes)
    assert row["ideal_bits"] < row["bits"] < row["ideal_bits"] + 2


def test_the_real_model_s_code_is_as_long_as_its_surprisal() -> None:
    row = record.load("compression")["compressors"]["model"]
    # Six digits are stored: half a unit of the last one is 0.05 bits.
    assert 0 <= row["bits"] - row["ideal_bits"] + 0.05 < 2 + 3676 * 2**-14


def test_the_guessing_game_counts_tries() -> None:
    model = fit_ngrams([letters27("ab" * 40)], n_symbols=27, order=1, strength=0.1)
    game = ngram_order.guessing_game(model, letters27("ababab"))
    assert game["ranks"][0] == 1
    assert game["symbols"] == 5
    assert game["upper"] == 0
