"""The unigram model against Hugging Face's, on random vocabularies."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from primer_ref.subwords import unigram_segmentation

from .conftest import Compare

tokenizers = pytest.importorskip("tokenizers")


def test_the_best_cut_is_as_probable_as_theirs(compare: Compare) -> None:
    rng = np.random.default_rng(5)
    strings = ["".join(letters) for n in (1, 2, 3, 4) for letters in product("abc", repeat=n)]
    ours, theirs = [], []
    for _ in range(100):
        chosen = sorted({*"abc", *rng.choice(strings, 30)})
        log_probs = dict(zip(chosen, rng.uniform(-12, -1, len(chosen)).tolist(), strict=True))
        pieces = [("<unknown>", -99.0), *log_probs.items()]
        model: Any = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, 0, False))
        word = "".join(rng.choice(list("abc"), rng.integers(1, 30)))
        found = unigram_segmentation(word, log_probs)
        assert list(found.tokens) == model.encode(word).tokens
        ours.append(found.log_prob)
        theirs.append(sum(log_probs[token] for token in model.encode(word).tokens))
    compare(unigram_segmentation, "tokenizers.models.Unigram", ours, theirs, 1e-12)
