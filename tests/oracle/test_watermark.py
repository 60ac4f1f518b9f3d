"""The watermark's test against the detector in transformers."""

import numpy as np
import pytest

from primer_ref.watermark import p_value, z_score

from .conftest import Compare

generation = pytest.importorskip("transformers.generation.watermarking")


def test_z_and_p(compare: Compare) -> None:
    rng = np.random.default_rng(0)
    total = rng.integers(1, 500, size=300)
    green = rng.binomial(total, 0.6)
    detector = object.__new__(generation.WatermarkDetector)  # without a model: its formulas alone
    detector.greenlist_ratio = 0.25
    ours = [z_score(int(g), int(n), fraction=0.25) for g, n in zip(green, total, strict=True)]
    expected = detector._compute_z_score(green, total)
    call = "transformers.generation.WatermarkDetector"
    compare(z_score, f"{call}._compute_z_score", ours, expected, 1e-12)
    tail = detector._compute_pval(np.array(ours))
    compare(p_value, f"{call}._compute_pval", [p_value(z) for z in ours], tail, 1e-12)
