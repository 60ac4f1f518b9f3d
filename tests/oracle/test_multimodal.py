"""Patches, the contrastive loss and nearest codes against PyTorch."""

import numpy as np
import pytest

from primer_ref.autodiff import grad
from primer_ref.multimodal import info_nce, nearest_code, patch_embedding, patches

from .conftest import Compare

torch = pytest.importorskip("torch")


def test_patches_and_their_embedding(compare: Compare) -> None:
    rng = np.random.default_rng(0)
    image, kernels = rng.normal(size=(2, 12, 20, 3)), rng.normal(size=(4, 4, 3, 7))
    first = torch.tensor(image).permute(0, 3, 1, 2)
    # PyTorch lists the entries of a patch channel by channel.
    unfolded = torch.nn.functional.unfold(first, kernel_size=4, stride=4)  # (2, 3 · 16, 15)
    rows = unfolded.transpose(1, 2).reshape(2, 15, 3, 16).transpose(2, 3).reshape(2, 15, 48)
    compare(patches, "torch.nn.functional.unfold", patches(image, size=4), rows.numpy(), 0)
    weight = torch.tensor(kernels).permute(3, 2, 0, 1)
    expected = torch.nn.functional.conv2d(first, weight, stride=4).flatten(2).transpose(1, 2)
    ours = patch_embedding(image, kernels.reshape(48, 7), np.zeros((15, 7)), size=4)
    call = "torch.nn.functional.conv2d"
    compare(patch_embedding, call, ours, expected.numpy(), 1e-12)


def test_contrastive_loss_and_its_gradient(compare: Compare) -> None:
    scores = np.random.default_rng(1).normal(size=(9, 9)) * 4
    tensor = torch.tensor(scores, requires_grad=True)
    entropy, same = torch.nn.functional.cross_entropy, torch.arange(9)
    expected = (entropy(tensor, same) + entropy(tensor.T, same)) / 2
    expected.backward()
    call = "torch.nn.functional.cross_entropy"
    compare(info_nce, call, info_nce(scores), expected.item(), 1e-12)
    compare(info_nce, f"{call}, gradient", grad(info_nce)(scores), tensor.grad.numpy(), 1e-12)


def test_nearest_codes(compare: Compare) -> None:
    x, codes = (np.random.default_rng(k).normal(size=(n, 16)) for k, n in ((2, 500), (3, 64)))
    expected = torch.cdist(torch.tensor(x), torch.tensor(codes)).argmin(dim=-1)
    compare(nearest_code, "torch.cdist", nearest_code(x, codes), expected.numpy(), 0)
