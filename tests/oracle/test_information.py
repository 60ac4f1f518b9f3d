"""Entropies and divergences against SciPy's."""

from __future__ import annotations

import numpy as np
import pytest

from primer_ref.information import entropy, kl_divergence

from .conftest import Compare

stats = pytest.importorskip("scipy.stats")


@pytest.mark.equation("eq-entropy")
@pytest.mark.equation("eq-kl")
@pytest.mark.parametrize("base", [np.e, 2.0])
def test_entropies_and_divergences(compare: Compare, base: float) -> None:
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.full(40, 0.3), size=(2, 100))
    p[:, 3] = 0.0  # an outcome that never happens
    p /= p.sum(axis=1, keepdims=True)
    expected = stats.entropy(p, axis=1, base=base)
    compare(entropy, "scipy.stats.entropy", entropy(p, base=base), expected, 1e-13)
    expected = stats.entropy(p, q, axis=1, base=base)
    found = kl_divergence(p, q, base=base)
    compare(kl_divergence, "scipy.stats.entropy(p, q)", found, expected, 1e-12)
