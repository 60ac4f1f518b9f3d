"""Low-rank adaptation against PEFT's."""

from __future__ import annotations

import numpy as np
import pytest

from primer_ref.lora import Adapter, lora_parameters, lora_product, merge

from .conftest import Compare

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft")


def test_products_merged_matrix_and_count_agree_with_peft(compare: Compare) -> None:
    rng = np.random.default_rng(0)
    w, a, b = rng.normal(size=(7, 5)), rng.normal(size=(7, 3)), rng.normal(size=(3, 5))
    x = rng.normal(size=(4, 7))
    holder = torch.nn.Sequential(torch.nn.Linear(7, 5, bias=False, dtype=torch.float64))
    holder[0].weight.data = torch.tensor(w.T)
    config = peft.LoraConfig(r=3, lora_alpha=12, target_modules=["0"])
    model = peft.get_peft_model(holder, config)
    layer = model.base_model.model[0]
    layer.lora_A["default"].weight.data = torch.tensor(a.T)
    layer.lora_B["default"].weight.data = torch.tensor(b.T)
    adapter = Adapter(a, b)
    theirs = model(torch.tensor(x)).detach().numpy()
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    compare(lora_product, "peft.LoraConfig", lora_product(x, w, adapter, alpha=12.0), theirs, 1e-12)
    compare(lora_parameters, "peft.LoraConfig", lora_parameters(7, 5, rank=3), trained, 0)
    merged = model.merge_and_unload()[0].weight.detach().numpy().T
    compare(merge, "peft.LoraModel.merge_and_unload", merge(w, adapter, alpha=12.0), merged, 1e-12)
