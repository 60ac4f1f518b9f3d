"""Preference losses against TRL's own code, which is called with log-probabilities in a stub."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from primer_ref.alignment import dpo_loss, ipo_loss, kto_loss, simpo_loss
from primer_ref.information import kl_divergence

from .conftest import Compare

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

# TRL says of two of these modules that they may still change.
pytestmark = pytest.mark.filterwarnings("ignore")


def same(x: Any) -> Any:
    return x


def trainer(**settings: Any) -> SimpleNamespace:
    """Stand in for a trainer: one machine, evaluation, no extras."""
    return SimpleNamespace(
        model=SimpleNamespace(training=False),
        accelerator=SimpleNamespace(device="cpu", gather=same, gather_for_metrics=same),
        aux_loss_enabled=False,
        precompute_ref_logps=True,
        _metrics={"eval": defaultdict(list)},
        _total_train_tokens=0,
        **settings,
    )


def model_of(token_log_probs: Any) -> Callable[..., Any]:
    """Stand in for a model that gives these log-probabilities to the tokens of every row."""
    zeros = torch.zeros_like(token_log_probs)

    def model(**_: Any) -> SimpleNamespace:
        return SimpleNamespace(
            log_probs=token_log_probs, entropy=zeros, mean_logits=zeros, is_top1=zeros.bool()
        )

    return model


def batch(n: int, length: int) -> dict[str, Any]:
    """Rows of a prompt token and an answer of some length."""
    mask = torch.ones((n, length + 1), dtype=torch.long)
    mask[:, 0] = 0
    ids = torch.zeros((n, length + 1), dtype=torch.long)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "completion_mask": mask}


def token_log_probs(seed: int, n: int, length: int) -> Any:
    return torch.tensor(-np.random.default_rng(seed).exponential(size=(n, length)))


@pytest.mark.parametrize(
    ("loss_type", "ours", "length"), [("sigmoid", dpo_loss, 5), ("ipo", ipo_loss, 1)]
)
def test_dpo_and_ipo_agree_with_trl(
    loss_type: str, ours: Callable[..., Any], length: int, compare: Compare
) -> None:
    module = pytest.importorskip("trl.trainer.dpo_trainer")

    stub = trainer(
        ld_alpha=None,
        f_divergence_type="reverse_kl",
        loss_types=[loss_type],
        loss_weights=[1.0],
        beta=0.3,
        use_weighting=False,
        label_smoothing=0.0,
    )
    policy = token_log_probs(0, 8, length).requires_grad_()
    reference = token_log_probs(1, 8, length).sum(1)
    inputs = batch(8, length) | {
        "ref_chosen_logps": reference[:4],
        "ref_rejected_logps": reference[4:],
    }
    theirs = module.DPOTrainer._compute_loss(stub, model_of(policy), inputs, return_outputs=False)
    sums = policy.detach().sum(1).numpy()
    value = ours(sums[:4], sums[4:], reference[:4].numpy(), reference[4:].numpy(), beta=0.3)
    compare(ours, f"trl.DPOTrainer, loss_type={loss_type!r}", value, theirs.detach(), 1e-12)


@pytest.mark.parametrize("drifted", [True, False])
def test_kto_agrees_with_trl(drifted: bool, compare: Compare) -> None:
    module = pytest.importorskip("trl.trainer.kto_trainer")

    kl = torch.tensor([0.9, 0.3, -0.2, 0.4]) * (1 if drifted else -1)  # the mean is cut off at 0
    stub = trainer(
        calculate_KL=True,
        loss_type="kto",
        beta=0.2,
        desirable_weight=1.3,
        undesirable_weight=0.7,
        _compute_kl_logps=lambda *_: kl,
    )
    policy, reference = token_log_probs(2, 6, 4), token_log_probs(3, 6, 4).sum(1)
    good = [True, False, False, True, True, False]
    inputs = batch(6, 4) | {
        "label": torch.tensor(good),
        "ref_logps": reference,
        "ref_KL_logps": torch.zeros(4),
    }
    theirs = module.KTOTrainer._compute_loss(stub, model_of(policy), inputs, return_outputs=False)
    ours = kto_loss(
        policy.sum(1).numpy(),
        reference.numpy(),
        good,
        beta=0.2,
        reference_point=max(float(kl.mean()), 0.0),
        desirable_weight=1.3,
        undesirable_weight=0.7,
    )
    compare(kto_loss, "trl.KTOTrainer, loss_type='kto'", ours, theirs, 1e-7)


def test_simpo_agrees_with_trl(compare: Compare) -> None:
    module = pytest.importorskip("trl.experimental.cpo")

    stub = trainer(alpha=0.0, loss_type="simpo", simpo_gamma=0.5, beta=2.0, label_smoothing=0.0)
    sums = token_log_probs(4, 2, 5)
    lengths = np.array([[3, 1, 4, 1, 5], [2, 7, 1, 8, 2]])
    means = sums / torch.tensor(lengths)
    losses, _, _ = module.CPOTrainer.cpo_loss(stub, means[0], means[1])
    ours = simpo_loss(*sums.numpy(), *lengths, beta=2.0, margin=0.5)
    compare(simpo_loss, "trl.experimental.cpo.CPOTrainer.cpo_loss", ours, losses.mean(), 1e-12)


@pytest.mark.parametrize("beta", [0, 1])
def test_divergences_agree_with_trls_distillation_loss(beta: int, compare: Compare) -> None:
    # ch10-trl-jsd
    module = pytest.importorskip("trl.experimental.gkd")

    student, teacher = np.array([0.1, 0.9]), np.array([0.9, 0.1])
    logits = [torch.tensor(np.log(p))[None, None] for p in (student, teacher)]
    theirs = module.GKDTrainer.generalized_jsd_loss(*logits, beta=beta, reduction="sum")
    ours = kl_divergence(teacher, student) if beta == 0 else kl_divergence(student, teacher)
    call = f"trl.experimental.gkd.GKDTrainer.generalized_jsd_loss, beta={beta}"
    compare(kl_divergence, call, ours, theirs, 1e-12)
    assert float(ours) == pytest.approx(1.75778, abs=1e-6)
