"""The rule for the loss scale against PyTorch's."""

import numpy as np
import pytest

from primer_ref.mixed_precision import LossScale, update_loss_scale

from .conftest import Compare

torch = pytest.importorskip("torch")


def test_the_loss_scale_moves_as_pytorchs_scaler_moves_it(compare: Compare) -> None:
    scale, tracker = torch.tensor([1024.0]), torch.tensor([0], dtype=torch.int32)
    state, ours, theirs = LossScale(1024.0), [], []
    for overflowed in np.random.default_rng(0).random(500) < 0.1:
        found = torch.tensor([float(overflowed)])
        torch._amp_update_scale_(scale, tracker, found, 3.0, 0.25, 7)
        gradients = [np.inf if overflowed else 1.0]
        state = update_loss_scale(state, gradients, growth=3.0, backoff=0.25, interval=7)
        ours.append([state.scale, state.clean_steps])
        theirs.append([scale.item(), tracker.item()])
    same = np.isclose([a[0] for a in ours], [b[0] for b in theirs], rtol=1e-6)
    assert np.all(same)
    compare(
        update_loss_scale,
        "torch.amp.GradScaler.update",
        [a[1] for a in ours],
        [b[1] for b in theirs],
        0,
    )
