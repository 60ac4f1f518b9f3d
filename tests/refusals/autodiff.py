"""What differentiation refuses."""

from typing import Any

import numpy as np

from primer_ref.autodiff import check_gradient, grad, hessian_vector_product, vjp
from primer_ref.autodiff_rules import reinterpret


def gradient(f: Any, x: Any) -> Any:
    return grad(f)(x)


def first_as_complex(x: Any) -> Any:
    return reinterpret(x, np.complex128)[0]


def pulled(f: Any, x: Any, g: Any) -> Any:
    return vjp(f, x)[1](g)


ROWS = [
    (gradient, {"f": np.exp, "x": np.ones(2)}, r"only a scalar has a gradient; got shape \(2,\)"),
    (gradient, {"f": np.exp, "x": np.ones(1)}, r"only a scalar has a gradient; got shape \(1,\)"),
    (gradient, {"f": lambda _: "a word", "x": 1.0}, "must hold real numbers"),
    (gradient, {"f": np.sum, "x": np.array(["a"])}, "must hold real numbers"),
    (gradient, {"f": np.sum, "x": np.ones(2, np.complex128)}, "must hold real numbers"),
    (gradient, {"f": first_as_complex, "x": np.ones(2)}, "only a real number has a gradient"),
    (gradient, {"f": np.arctan, "x": 1.0}, "no rule for argument 0 of arctan"),
    (
        pulled,
        {"f": np.exp, "x": np.ones(2), "g": np.ones(1)},
        r"must have the shape of the value; got \(1,\) and \(2,\)",
    ),
    (
        hessian_vector_product,
        {"f": np.sum, "x": np.ones(2), "v": np.ones(3)},
        r"must have the shape of the value; got \(3,\) and \(2,\)",
    ),
    (
        check_gradient,
        {"f": np.sum, "tree": np.ones(2), "rng": np.random.default_rng(0), "step": 0},
        "step must be positive; got 0",
    ),
]
