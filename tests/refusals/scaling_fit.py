"""What the fit of a scaling law refuses."""

from math import inf, nan

import numpy as np

from primer_ref.scaling_fit import bootstrap_scaling_laws, fit_scaling_law, huber_loss

N, D = np.geomspace(1e6, 1e9, 6), np.array([1e9, 9e9, 2e9, 8e9, 3e9, 7e9])
RUNS = {"n_parameters": N, "n_tokens": D, "losses": 1 + 1e3 / N**0.4 + 1e3 / D**0.3}
DRAWS = {"n_samples": 2, "rng": np.random.default_rng(0)}

ROWS = [
    (huber_loss, {"residuals": 1, "delta": 0}, "delta must be positive; got 0"),
    (fit_scaling_law, RUNS | {"n_parameters": -N}, "n_parameters must be pos.* got -1000000"),
    (fit_scaling_law, RUNS | {"n_tokens": D * inf}, "n_tokens must be positive and fin.* got inf"),
    (fit_scaling_law, RUNS | {"losses": N * nan}, "losses must be positive and finite; got nan"),
    (fit_scaling_law, RUNS | {"losses": N[:4]}, r"got shapes \(6,\), \(6,\) and \(4,\)"),
    (fit_scaling_law, {name: x[:4] for name, x in RUNS.items()}, "at least five runs"),
    (fit_scaling_law, RUNS | {"losses": 1 + N / 1e9}, "loss must fall with size and with data"),
    (fit_scaling_law, RUNS | {"delta": nan}, "delta must be positive; got nan"),
    (bootstrap_scaling_laws, RUNS | DRAWS | {"n_samples": 0}, "n_samples must be at least 1"),
    (bootstrap_scaling_laws, RUNS | DRAWS | {"losses": N[:4]}, "got shapes"),
]
