"""What intervals refuse."""

import numpy as np

from primer_ref.intervals import (
    binomial,
    bootstrap_interval,
    clustered_standard_error,
    coverage,
    exact_interval,
    finite_scores,
    mean_interval,
    normal_interval,
    normal_quantile,
    standard_error,
    wilson_interval,
)

RNG = np.random.default_rng(0)

ROWS = [
    (normal_quantile, {"level": 1}, "level must lie strictly between 0 and 1; got 1"),
    (normal_quantile, {"level": np.nan}, "level must lie strictly between 0 and 1; got nan"),
    (normal_interval, {"value": 1, "error": -1}, "error must not be negative; got -1"),
    (normal_interval, {"value": 1, "error": 1, "level": 0}, "level must lie strictly between"),
    (finite_scores, {"x": [[1, 2]], "name": "p"}, r"p must be a row of .* got shape \(1, 2\)"),
    (finite_scores, {"x": ["a", "b"]}, "real numbers; got entries of type <U1"),
    (standard_error, {"x": [1]}, r"at least 2 scores; got shape \(1,\)"),
    (standard_error, {"x": [1, np.nan]}, "x must be finite; got nan"),
    (mean_interval, {"x": [0, np.inf]}, "x must be finite; got inf"),
    (mean_interval, {"x": [0, 1], "level": 0}, "level must lie strictly between 0 and 1"),
    (wilson_interval, {"successes": 3, "n": 2}, "from 0 to n ≥ 1; got 3 of 2"),
    (wilson_interval, {"successes": 0, "n": 0}, "from 0 to n ≥ 1; got 0 of 0"),
    (exact_interval, {"successes": -1, "n": 2}, "from 0 to n ≥ 1; got -1 of 2"),
    (
        exact_interval,
        {"successes": 1, "n": 2, "level": 2},
        "level must lie strictly between 0 and 1; got 2",
    ),
    (coverage, {"interval": wilson_interval, "n": 3, "p": 1.1}, r"p in \[0, 1\]; got 3 and 1.1"),
    (coverage, {"interval": wilson_interval, "n": 0, "p": 0.5}, "n ≥ 1 .* got 0 and 0.5"),
    (binomial, {"n": -1, "p": 0.5}, "^n must not be negative; got -1"),
    (binomial, {"n": 2, "p": [0.5, 1.1]}, r"^p must hold probabilities in \[0, 1\]; got 1.1"),
    (
        bootstrap_interval,
        {"x": [1], "statistic": np.mean, "rng": RNG, "level": 1},
        "level must lie strictly between 0 and 1; got 1",
    ),
    (clustered_standard_error, {"x": [1, 0], "clusters": [1]}, "every score needs a cluster"),
    (clustered_standard_error, {"x": [1, 0], "clusters": [1, 1]}, "at least two clusters; got one"),
    (bootstrap_interval, {"x": [], "statistic": np.mean, "rng": RNG}, r"got \(0,\), 2000"),
    (bootstrap_interval, {"x": 1, "statistic": np.mean, "rng": RNG}, r"got \(\), 2000"),
    (
        bootstrap_interval,
        {"x": [1], "statistic": np.mean, "rng": RNG, "n_resamples": 0},
        "needs data and resamples; .* 0",
    ),
    (binomial, {"n": 1.5, "p": 0.5}, "'float' object cannot be interpreted as an integer"),
]
