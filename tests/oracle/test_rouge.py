"""ROUGE against Google's rouge-score on random texts."""

from __future__ import annotations

import string

import numpy as np
import pytest

from primer_ref.rouge import rouge_l, rouge_n, tokenize_rouge

from .conftest import Compare

rouge_scorer = pytest.importorskip("rouge_score.rouge_scorer")


def test_scores_and_tokens(compare: Compare) -> None:
    rng = np.random.default_rng(0)
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    words = ["the", "The", "cat's", "sat-on", "3.5", "é", "mat!", "A", *string.punctuation]
    rows: dict[str, list[list[list[float]]]] = {"rouge1": [], "rouge2": [], "rougeL": []}
    for _ in range(1000):
        texts = [" ".join(rng.choice(words, rng.integers(0, 15))) for _ in range(2)]
        theirs = scorer.score(*texts)
        reference, candidate = map(tokenize_rouge, texts)
        ours = {
            "rouge1": rouge_n(candidate, reference, n=1),
            "rouge2": rouge_n(candidate, reference, n=2),
            "rougeL": rouge_l(candidate, reference),
        }
        for name, found in ours.items():
            rows[name].append([[found.precision, found.recall, found.f1], list(theirs[name])])
    for name, function in (("rouge1", rouge_n), ("rouge2", rouge_n), ("rougeL", rouge_l)):
        mine, other = np.array(rows[name]).swapaxes(0, 1)
        compare(function, f"rouge_score.rouge_scorer.RougeScorer {name}", mine, other, 1e-12)
