"""What recursive fitting refuses."""

import numpy as np

from primer_ref.collapse import (
    accumulated_variance,
    expected_heterozygosity,
    expected_support,
    expected_variance,
    refit_chain,
    resample_chain,
    variance_fixed_point,
)

RNG = np.random.default_rng(0)
SIZES = {"n_generations": 1, "sample_size": 4}

ROWS = [
    (accumulated_variance, {"sizes": [3, 0]}, "sizes must be at least 1; got 0"),
    (accumulated_variance, {"sizes": [1], "variance": -1}, "variance must be finite.*got -1"),
    (expected_variance, SIZES | {"n_generations": -1}, "n_generations must not be neg.*got -1"),
    (expected_variance, SIZES | {"sample_size": 0}, "sample_size must be at least 1; got 0"),
    (expected_variance, SIZES | {"n_real": 5}, "n_real must be from 0 to sample_size; got 5 of 4"),
    (expected_variance, SIZES | {"variance": np.nan}, "variance must be finite.*got nan"),
    (variance_fixed_point, {"sample_size": 4, "n_real": -1}, "n_real must be.*got -1 of 4"),
    (
        variance_fixed_point,
        {"sample_size": 4, "n_real": 1, "variance": -1},
        "variance must be finite and not negative; got -1",
    ),
    (refit_chain, SIZES | {"variance": np.inf, "rng": RNG}, "variance must be finite.*got inf"),
    (expected_heterozygosity, SIZES | {"p": [0.5, 0.6]}, "sum to 1; got a sum of 1.1"),
    (expected_support, SIZES | {"p": []}, r"p must be one distribution; got shape \(0,\)"),
    (expected_support, SIZES | {"p": [1.5, -0.5]}, "p must be finite and nonnegative; got -0.5"),
    (resample_chain, SIZES | {"p": [[1.0]], "rng": RNG}, r"one distribution; got shape \(1, 1\)"),
    (resample_chain, SIZES | {"p": [np.nan, 1], "rng": RNG}, "finite and nonnegative; got nan"),
    (expected_heterozygosity, {"p": [0.5, 0.5 + 1j], **SIZES}, "must hold real numbers"),
    (
        expected_support,
        {"p": np.ma.masked_array([0.5, 0.5], [False, True]), **SIZES},
        "got a masked one",
    ),
]
