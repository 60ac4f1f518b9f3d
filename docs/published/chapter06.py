"""Chapter 6: activations of normal inputs, widths of gated layers, counts of linear pieces."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from primer_ref.activations import SELU_ALPHA, SELU_SCALE, gelu
from primer_ref.blocks import gated_width
from primer_ref.expressivity import (
    arrangement_regions,
    count_linear_regions_1d,
    montufar_lower_bound,
    sawtooth,
)
from primer_ref.tangent_kernel import arc_cosine_kernel_1

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike


def gelu_moments() -> dict[str, ArrayLike]:
    """Integrate GELU and its square over the standard normal law."""
    x, weight = np.polynomial.hermite_e.hermegauss(80)
    weight = weight / weight.sum()
    return {"mean": weight @ gelu(x), "mean square": weight @ gelu(x) ** 2}


def first_llama() -> dict[str, ArrayLike]:
    """Two thirds of four widths, rounded up to a multiple of 256."""
    widths = (4096, 5120, 6656, 8192)
    return {f"width {width}": gated_width(width, multiple_of=256) for width in widths}


def regions() -> dict[str, ArrayLike]:
    """Count regions of one layer and of three, in the plane."""
    return {
        "six units": arrangement_regions(6, 2),
        "twelve units": arrangement_regions(12, 2),
        "three layers of four": montufar_lower_bound([4, 4, 4], 2),
    }


def angles() -> dict[str, ArrayLike]:
    """Compare unit vectors at three angles."""
    found: dict[str, ArrayLike] = {}
    for degrees in (0, 60, 90):
        angle = math.radians(degrees)
        y = [[math.cos(angle), math.sin(angle)]]
        found[f"{degrees} degrees"] = arc_cosine_kernel_1([[1.0, 0.0]], y)
    return found


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch06-gelu-moments": gelu_moments,
    "ch06-selu-constants": lambda: {"alpha": SELU_ALPHA, "lambda": SELU_SCALE},
    "ch06-llama-ffn": first_llama,
    "ch06-linear-regions": regions,
    "ch06-telgarsky": lambda: {
        f"{k} times": count_linear_regions_1d(sawtooth(k), low=0, high=1) for k in range(1, 9)
    },
    "ch06-arccos-kernel": angles,
}
