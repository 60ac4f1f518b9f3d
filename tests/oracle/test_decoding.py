"""The maps of decoding against Hugging Face's logits processors, on random logits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from primer_ref.decoding import (
    min_p,
    no_repeat_ngram,
    repetition_penalty,
    restrict,
    top_k,
    top_p,
    typical,
)
from primer_ref.functional import softmax

from .conftest import Compare

torch = pytest.importorskip("torch")
generation = pytest.importorskip("transformers").generation

F = NDArray[np.floating[Any]]

ROWS = np.random.default_rng(0).normal(size=(200, 50)) * np.linspace(0.2, 6, 200)[:, None]


def theirs(processor: Any, logits: F, tokens: object) -> F:
    scores = processor(torch.tensor(tokens), torch.tensor(logits))
    law: F = torch.softmax(scores, dim=-1).numpy()
    return law


@pytest.mark.parametrize("value", [0.05, 0.3, 0.62, 0.9, 0.99])
def test_truncations(compare: Compare, value: float) -> None:
    k, p, none = 1 + round(49 * value), softmax(ROWS), np.zeros((200, 0), np.int64)
    pairs: list[tuple[Callable[..., Any], Any, F]] = [
        (top_k, generation.TopKLogitsWarper(k), top_k(p, k=k)),
        (top_p, generation.TopPLogitsWarper(value), top_p(p, mass=value)),
        (min_p, generation.MinPLogitsWarper(value), min_p(p, ratio=value)),
        (typical, generation.TypicalLogitsWarper(value), typical(p, mass=value)),
    ]
    for function, processor, ours in pairs:
        call = f"transformers.{type(processor).__name__}"
        compare(function, call, ours, theirs(processor, ROWS, none), 1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_repetition(compare: Compare, n: int) -> None:
    rng = np.random.default_rng(n)
    texts = rng.integers(0, 4, size=(200, 30))
    call = "transformers.NoRepeatNGramLogitsProcessor"
    processor = generation.NoRepeatNGramLogitsProcessor(n)
    ours = [
        restrict(softmax(row), ~no_repeat_ngram(text.tolist(), n=n, n_tokens=50))
        for row, text in zip(ROWS, texts, strict=True)
    ]
    compare(no_repeat_ngram, call, ours, theirs(processor, ROWS, texts), 1e-12)

    call = "transformers.RepetitionPenaltyLogitsProcessor"
    processor = generation.RepetitionPenaltyLogitsProcessor(1.0 + n / 4)
    penalized = [
        repetition_penalty(row, text.tolist(), penalty=1.0 + n / 4)
        for row, text in zip(ROWS, texts, strict=True)
    ]
    scores = processor(torch.tensor(texts), torch.tensor(ROWS)).numpy()
    compare(repetition_penalty, call, penalized, scores, 1e-12)
