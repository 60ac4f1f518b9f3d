"""GRPO's loss, its clip and its penalty against TRL's own code, in a stub."""

from __future__ import annotations

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from primer_ref.autodiff import grad
from primer_ref.kl_estimators import kl_k3
from primer_ref.ppo import grpo_advantages, grpo_loss, ppo_is_clipped

from .conftest import Compare

torch = pytest.importorskip("torch")
pytest.importorskip("trl")

pytestmark = pytest.mark.filterwarnings("ignore")


def same(x: Any, **_: Any) -> Any:
    return x


def test_grpo_agrees_with_trl(compare: Compare) -> None:
    module = pytest.importorskip("trl.trainer.grpo_trainer")

    rng = np.random.default_rng(0)
    old, reference = (np.log(rng.uniform(0.05, 0.9, size=(4, 6))) for _ in range(2))
    new = np.minimum(old + rng.normal(size=(4, 6)) * 0.4, -0.01)
    mask = np.arange(6) < np.array([6, 2, 4, 1])[:, None]
    advantages = np.array([1.2, -0.7, 0.3, -0.8])
    policy = torch.tensor(new, requires_grad=True)
    stub = SimpleNamespace(
        model=SimpleNamespace(training=False),
        accelerator=SimpleNamespace(gather=same, gather_for_metrics=same, reduce=same),
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False),
        _get_per_token_logps_and_entropies=lambda *_, **__: (policy, torch.zeros(4, 6), None),
        _metrics={"eval": defaultdict(list)},
        _entropy_bonus_enabled=False,
        aux_loss_enabled=False,
        beta=0.04,
        epsilon_low=0.2,
        epsilon_high=0.2,
        importance_sampling_level="token",
        loss_type="grpo",
        off_policy_mask_threshold=None,
        top_entropy_quantile=1.0,
        use_vllm=False,
    )
    ids = torch.zeros((4, 6), dtype=torch.long)
    inputs = {
        "prompt_ids": ids[:, :1],
        "prompt_mask": torch.ones((4, 1)),
        "completion_ids": ids,
        "completion_mask": torch.tensor(mask),
        "advantages": torch.tensor(advantages),
        "old_per_token_logps": torch.tensor(old),
        "ref_per_token_logps": torch.tensor(reference),
    }
    theirs = module.GRPOTrainer._compute_loss(stub, None, inputs)
    theirs.backward()

    def ours(z: Any) -> Any:
        penalty = np.where(mask, kl_k3(z, reference), 0) / np.sum(mask, axis=1)[:, None]
        return grpo_loss(z, old, advantages, mask) + 0.04 * np.sum(penalty) / 4

    compare(grpo_loss, "trl.GRPOTrainer, loss_type='grpo'", ours(new), theirs.detach(), 1e-12)
    call = "trl.GRPOTrainer, gradient"
    compare(grpo_loss, call, grad(ours)(new), policy.grad, 1e-12)
    shared = np.broadcast_to(advantages[:, None], new.shape)
    clipped = ppo_is_clipped(np.exp(new - old), shared)
    share = float(np.mean(clipped[mask]))
    seen = stub._metrics["eval"]["clip_ratio/region_mean"][-1]
    compare(ppo_is_clipped, "trl.GRPOTrainer, clip_ratio", share, seen, 1e-7)


def test_advantages_agree_with_trls_deviation(compare: Compare) -> None:
    utils = pytest.importorskip("trl.trainer.utils")

    rewards = np.random.default_rng(1).normal(size=(3, 8))
    tensor = torch.tensor(rewards)
    theirs = (tensor - tensor.mean(1, keepdim=True)) / utils.nanstd(tensor, dim=1)[:, None]
    # Their divisor is one less than the group's size, and computed in float32.
    ours = grpo_advantages(rewards) * np.sqrt(7 / 8)
    compare(grpo_advantages, "trl.trainer.utils.nanstd", ours, theirs, 1e-6)
