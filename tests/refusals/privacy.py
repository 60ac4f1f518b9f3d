"""What the privacy functions refuse."""

import numpy as np

from primer_ref.privacy import (
    advanced_composition,
    analytic_gaussian_sigma,
    basic_composition,
    clip_and_noise,
    exposure,
    gaussian_delta,
    gaussian_mechanism_sigma,
    gaussian_rho,
    zcdp_epsilon,
)

RNG = np.random.default_rng(0)
STEPS = {"epsilon": 0.1, "delta": 0, "n_steps": 5, "slack": 1e-5}
CLIP = {"gradients": [[1.0]], "max_norm": 1, "noise_multiplier": 1, "rng": RNG}

ROWS = [
    (exposure, {"losses": [1, np.nan], "secret": 0}, r"row without NaN; got shape \(2,\)"),
    (exposure, {"losses": [[1.0]], "secret": 0}, r"row without NaN; got shape \(1, 1\)"),
    (exposure, {"losses": [1, 2], "secret": -1}, "an index from 0 to 1; got -1"),
    (exposure, {"losses": [], "secret": 0}, "got 0"),
    (gaussian_mechanism_sigma, {"epsilon": 2, "delta": 0.1}, r"in \(0, 1\] for the.*got 2"),
    (gaussian_mechanism_sigma, {"epsilon": np.nan, "delta": 0.1}, "classical bound; got nan"),
    (gaussian_mechanism_sigma, {"epsilon": 1, "delta": 0}, "strictly between 0 and 1; got 0"),
    (
        gaussian_mechanism_sigma,
        {"epsilon": 1, "delta": 0.1, "sensitivity": 0},
        "sensitivity must be positive and finite; got 0",
    ),
    (gaussian_delta, {"epsilon": -1, "sigma": 1}, "epsilon must be finite.*got -1"),
    (gaussian_delta, {"epsilon": 1, "sigma": 0}, "sigma must be positive and finite; got 0"),
    (gaussian_delta, {"epsilon": 1, "sigma": 1, "sensitivity": np.inf}, "sensitivity.*got inf"),
    (analytic_gaussian_sigma, {"epsilon": 1, "delta": 1}, "strictly between 0 and 1; got 1"),
    (analytic_gaussian_sigma, {"epsilon": np.nan, "delta": 0.5}, "epsilon must be.*got nan"),
    (
        analytic_gaussian_sigma,
        {"epsilon": 1, "delta": 0.5, "sensitivity": -1},
        "sensitivity must be positive and finite; got -1",
    ),
    (basic_composition, {"epsilons": [1], "deltas": []}, "one delta an epsilon; got 0 and 1"),
    (basic_composition, {"epsilons": [-1], "deltas": [0]}, "must be at least 0; got"),
    (advanced_composition, STEPS | {"epsilon": 0}, "epsilon must be positive and finite; got 0"),
    (advanced_composition, STEPS | {"slack": 0}, "slack must lie strictly between 0 and 1"),
    (advanced_composition, STEPS | {"delta": np.nan}, "delta must not be negative; got nan"),
    (advanced_composition, STEPS | {"n_steps": 0}, "n_steps must be at least 1; got 0"),
    (gaussian_rho, {"sigma": -1}, "sigma must be positive and finite; got -1"),
    (gaussian_rho, {"sigma": 1, "sensitivity": np.nan}, "sensitivity must be.*got nan"),
    (zcdp_epsilon, {"rhos": [0.1, -0.1], "delta": 0.1}, "rhos must be at least 0; got -0.1"),
    (zcdp_epsilon, {"rhos": 0.1, "delta": 0}, "strictly between 0 and 1; got 0"),
    (clip_and_noise, CLIP | {"gradients": [1.0]}, r"must be finite rows; got shape \(1,\)"),
    (clip_and_noise, CLIP | {"gradients": [[np.inf]]}, "must be finite rows"),
    (clip_and_noise, CLIP | {"max_norm": 0}, "max_norm must be positive and finite; got 0"),
    (clip_and_noise, CLIP | {"noise_multiplier": -1}, "noise_multiplier must be finite.*got -1"),
    (clip_and_noise, CLIP | {"noise_multiplier": np.inf}, "must be finite.*got inf"),
]
