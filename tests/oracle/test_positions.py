"""Rotary pairings against the Llama code of Hugging Face's transformers."""

import numpy as np
import pytest

from primer_ref.positions import rotary_half_split, rotations

from .conftest import Compare

torch = pytest.importorskip("torch")
llama = pytest.importorskip("transformers.models.llama.modeling_llama")


@pytest.mark.equation("eq-half-split")
def test_half_split_pairs_are_turned_as_in_llama(compare: Compare) -> None:
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 1, 2, 9, 16))
    turns = rotations(range(9), 16)
    cos, sin = (torch.tensor(np.tile(part, 2)[None]) for part in (turns.real, turns.imag))
    theirs = llama.apply_rotary_pos_emb(torch.tensor(q), torch.tensor(k), cos, sin)
    for x, turned in zip((q, k), theirs, strict=True):
        compare(
            rotary_half_split,
            "transformers.models.llama.modeling_llama.apply_rotary_pos_emb",
            rotary_half_split(x, turns),
            turned,
            1e-14,
        )
