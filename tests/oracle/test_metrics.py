"""BLEU and chrF against sacreBLEU on random corpora."""

from __future__ import annotations

import string

import numpy as np
import pytest

from primer_ref.metrics import bleu, chrf, sentence_bleu, tokenize_13a

from .conftest import Compare

sacrebleu = pytest.importorskip("sacrebleu")
tokenizer_13a = pytest.importorskip("sacrebleu.tokenizers.tokenizer_13a")

TEXT = "the a cat dog sat on mat, it's 3.14 1,000 - e-mail (so) ... he_2 &amp; U.S. naïve"
WORDS = TEXT.split()


def sentence(rng: np.random.Generator, longest: int = 12) -> str:
    return " ".join(rng.choice(WORDS, rng.integers(0, longest)))


def corpus(rng: np.random.Generator) -> tuple[list[str], list[list[str]]]:
    """Draw candidates, and as many references for each, some of them close to it."""
    size, n_references = rng.integers(1, 6), int(rng.integers(1, 4))
    candidates = [sentence(rng) for _ in range(size)]
    references = []
    for candidate in candidates:
        words = candidate.split()
        kept = [" ".join(w for w in words if rng.random() < 0.8) for _ in range(n_references)]
        references.append([text + " " + sentence(rng, 5) for text in kept])
    return candidates, references


def test_tokens_of_13a() -> None:
    theirs = tokenizer_13a.Tokenizer13a()
    rng = np.random.default_rng(0)
    pool = [*string.printable, *"éß–“。", "&quot;", "&lt;", "&amp;", "<skipped>", "-\n", "..", ".,"]
    for _ in range(5000):
        text = "".join(rng.choice(pool, rng.integers(0, 30)))
        assert tokenize_13a(text) == theirs(text.rstrip()).split(), repr(text)


@pytest.mark.parametrize("max_order", [2, 4])
def test_scores_of_corpora(compare: Compare, max_order: int) -> None:
    rng = np.random.default_rng(1)
    metric = sacrebleu.BLEU(max_ngram_order=max_order)
    ours, theirs = [], []
    for _ in range(400):
        candidates, references = corpus(rng)
        score = metric.corpus_score(candidates, [list(r) for r in zip(*references, strict=True)])
        tokens = [[tokenize_13a(text) for text in texts] for texts in references]
        found = bleu([tokenize_13a(text) for text in candidates], tokens, max_order=max_order)
        ours.append([found.score, found.penalty, *(100 * p for p in found.precisions)])
        theirs.append([score.score, score.bp, *score.precisions])
    assert np.mean(np.array(ours)[:, 0] > 0) > 0.5
    compare(bleu, f"sacrebleu.BLEU(max_ngram_order={max_order}).corpus_score", ours, theirs, 1e-9)


def test_scores_of_sentences(compare: Compare) -> None:
    rng = np.random.default_rng(2)
    metric = sacrebleu.BLEU(effective_order=True)
    ours, theirs = [], []
    for _ in range(400):
        candidates, references = corpus(rng)
        theirs.append(metric.sentence_score(candidates[0], references[0]).score)
        tokens = [tokenize_13a(text) for text in references[0]]
        ours.append(sentence_bleu(tokenize_13a(candidates[0]), tokens).score)
    compare(sentence_bleu, "sacrebleu.BLEU(effective_order=True)", ours, theirs, 1e-9)


@pytest.mark.parametrize(("order", "beta"), [(6, 2), (3, 1)])
def test_scores_of_characters(compare: Compare, order: int, beta: int) -> None:
    rng = np.random.default_rng(3)
    metric = sacrebleu.CHRF(char_order=order, beta=beta)
    ours, theirs = [], []
    for _ in range(400):
        candidates, references = corpus(rng)
        swapped = [list(r) for r in zip(*references, strict=True)]
        theirs.append(metric.corpus_score(candidates, swapped).score)
        ours.append(chrf(candidates, references, max_order=order, beta=beta))
    compare(chrf, f"sacrebleu.CHRF(char_order={order}, beta={beta})", ours, theirs, 1e-9)
