"""Masking against conditioning: the comparison by brute force, and a part of what was stored."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from experiments import mask_conditioning as measured
from experiments import record
from experiments.constrained_generation import chat, make_tokens
from primer_ref import llama
from primer_ref.conditioning import ngram_chain
from primer_ref.functional import softmax
from primer_ref.ngram import NgramModel, fit_ngrams, letters27


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("mask_conditioning")


@pytest.fixture(scope="module")
def small() -> NgramModel:
    words = ["banana", "cabin", "bad", "abba", "dab", "band", "cab"]
    return fit_ngrams([letters27(word) for word in words], n_symbols=27, order=2, strength=1)


def brute(small: NgramModel, texts: list[str]) -> tuple[dict[str, float], dict[str, float]]:
    """Conditional and masked law of a finite language, from the model's laws and the list alone."""
    p = {text: math.exp(small.log_probs(letters27(text)).sum()) for text in texts}
    masked = {}
    for text in texts:
        m = 1.0
        for t in range(len(text) + 1):
            law = small.distribution(letters27(text[:t]).tolist())
            onward = {other[t : t + 1] for other in texts if other.startswith(text[:t])}
            mass = sum(law[27 if c == "" else ord(c) - 96] for c in onward)
            m *= law[27 if t == len(text) else ord(text[t]) - 96] / mass
        masked[text] = m
    return {text: one / sum(p.values()) for text, one in p.items()}, masked


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("cab|dad|bab|b", ["cab", "dad", "bab", "b"]),
        (
            "[a-d]{1,3}b",
            ["".join(x) + "b" for k in (1, 2, 3) for x in itertools.product("abcd", repeat=k)],
        ),
    ],
)
def test_the_comparison_is_that_of_all_texts_one_by_one(
    small: NgramModel, pattern: str, texts: list[str]
) -> None:
    c, m = brute(small, texts)
    found = measured.compare_laws(ngram_chain(small), pattern, 8, n_likely=3)
    assert found["kl"] == pytest.approx(sum(c[x] * math.log(c[x] / m[x]) for x in texts), rel=1e-9)
    assert found["finished"] == pytest.approx(1, abs=1e-9)
    p = [math.exp(small.log_probs(letters27(text)).sum()) for text in texts]
    assert found["valid"] == pytest.approx(sum(p), rel=1e-9)
    best = sorted(texts, key=lambda text: -c[text])[:3]
    assert [word for word, _, _ in found["likely"]] == best
    for word, one, other in found["likely"]:
        assert one == pytest.approx(c[word], rel=1e-9)
        assert other == pytest.approx(m[word], rel=1e-9)


def test_a_word_too_long_is_masked_but_not_conditional(small: NgramModel) -> None:
    found = measured.compare_laws(ngram_chain(small), "(?:ab)+", 4)
    # The masked law may go on after ab and abab; in time end only these two.
    texts = ["ab", "abab"]
    p = [math.exp(small.log_probs(letters27(text)).sum()) for text in texts]
    assert found["valid"] == pytest.approx(sum(p), rel=1e-9)
    assert found["finished"] < 1


@pytest.mark.model
def test_the_first_token_of_the_masked_law_comes_out_again(
    stored: dict[str, Any], model: llama.Model
) -> None:
    row = stored["colors"][0]
    tokens = make_tokens(model, "|".join(row["words"]))
    logits = llama.forward(model, chat(model, row["question"]), last=True)
    p = np.where(tokens.allowed(0), softmax(logits.astype(np.float64)), 0)
    order = np.argsort(-p)[:4]
    again = [model.tokenizer.decode([token]) for token in order.tolist()]
    assert again == [text for text, _ in row["first_masked"]]
    np.testing.assert_allclose(
        p[order] / p.sum(), [share for _, share in row["first_masked"]], rtol=2e-3, atol=2e-3
    )


def test_one_language_of_letters_comes_out_again(stored: dict[str, Any]) -> None:
    row = stored["letters"][1]
    again = measured.compare_laws(measured.word_chain(), row["pattern"], stored["longest"])
    for field in ("valid", "kl", "finished"):
        assert again[field] == pytest.approx(row[field], rel=2e-3)


def test_laws_are_laws_and_divergence_bounds_distance(stored: dict[str, Any]) -> None:
    for row in stored["letters"]:
        assert 0 < row["valid"] < 1
        assert 0 < row["finished"] <= 1
        assert 0 < row["kl"] <= -math.log(row["valid"])  # masked paths never lose probability
        assert sum(c for _, c, _ in row["likely"]) <= 1
    for row in stored["colors"]:
        for law in ("conditional", "masked"):
            assert sum(row[law]) == pytest.approx(1, abs=1e-5)
            assert max(row[law]) >= max(share for _, share in row[f"first_{law}"]) - 1e-5
        assert 2 * row["distance"] ** 2 <= row["kl"]  # Pinsker
        assert row["kl"] <= -math.log(row["valid"])
        assert row["expected"] in row["words"]
