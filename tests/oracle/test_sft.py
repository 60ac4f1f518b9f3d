"""Supervised fine-tuning against PyTorch's cross-entropy and transformers' shifted loss."""

from __future__ import annotations

import numpy as np
import pytest

from primer_ref.sft import sft_loss, sft_loss_by_sequence

from .conftest import Compare

torch = pytest.importorskip("torch")


def test_sft_agrees_with_transformers(compare: Compare) -> None:
    loss_utils = pytest.importorskip("transformers.loss.loss_utils")
    rng = np.random.default_rng(0)
    logits, tokens = rng.normal(size=(3, 8, 11)), rng.integers(0, 11, size=(3, 8))
    answer = np.zeros((3, 8), bool)
    answer[0, 2:8] = answer[1, 5:6] = answer[2, 1:4] = True
    labels = np.where(answer, tokens, -100)
    tensor = torch.tensor(logits, dtype=torch.float64)
    theirs = loss_utils.ForCausalLMLoss(tensor, torch.tensor(labels), vocab_size=11)
    # Their loss is computed in float32.
    call = "transformers.loss.loss_utils.ForCausalLMLoss"
    compare(sft_loss, call, sft_loss(logits, tokens, answer), theirs, 1e-6)
    rows = [
        torch.nn.functional.cross_entropy(tensor[b, :-1], torch.tensor(labels[b, 1:]))
        for b in range(3)
    ]
    compare(
        sft_loss_by_sequence,
        "torch.nn.functional.cross_entropy, one row at a time",
        sft_loss_by_sequence(logits, tokens, answer),
        torch.stack(rows).mean(),
        1e-12,
    )
