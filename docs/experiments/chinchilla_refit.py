"""Fit a scaling law to 240 of Chinchilla's runs, and see how well published constants fit them.

The runs were read off a figure of Hoffmann et al. (2022) by Besiroglu et al. (2024). They come
without a license, so they are not part of the book. Get ``data/svg_extracted_data.csv`` from
https://github.com/epoch-research/analyzing-chinchilla and run, in the folder ``docs``,
``python -m experiments.chinchilla_refit svg_extracted_data.csv``. Result:

- ``source``, ``source_sha256``: where the file is, and its SHA-256.
- ``runs``: how many it has; ``kept``: how many are left without the five of highest loss, which
  Besiroglu et al. leave out.
- ``objective``: sum of the Huber losses of the logarithms' residuals, of width 0.001, for four sets
  of constants: those ``fitted`` here, those of Besiroglu et al. as ``refit``, and those of Hoffmann
  et al. ``unrounded`` and as ``printed``.
- ``law``: the constants fitted here; ``exponents``: powers of compute with which the best size and
  the best number of tokens grow.
- ``standard_errors``: of the same constants, from fits to ``resamples`` draws of the runs.
- ``intervals``: of 95 %, from the same draws, of the ``exponent`` of the best size and, at a
  ``budget`` of operations, of the best size, ``parameters``, and of ``tokens_a_parameter``;
  ``narrow``: percentiles 10 and 90 of the exponent, which is what Hoffmann et al. give.
"""

from __future__ import annotations

import csv
import hashlib
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from experiments import record
from primer_ref.allocation import compute_optimal
from primer_ref.scaling import BESIROGLU, HOFFMANN, HOFFMANN_UNROUNDED, chinchilla_loss
from primer_ref.scaling_fit import bootstrap_scaling_laws, fit_scaling_law, huber_loss

NAME = "chinchilla_refit"
SOURCE = (
    "https://github.com/epoch-research/analyzing-chinchilla/blob/main/data/svg_extracted_data.csv"
)
COMMAND = f"python -m experiments.{NAME} svg_extracted_data.csv"
SEED = 0
DELTA = 1e-3
N_LEFT_OUT = 5
BUDGET = 5.76e23


def measure(path: Path, *, n_samples: int = 400) -> dict[str, Any]:
    """Fit the law, compare the objective of four sets of constants, and resample.

    Parameters
    ----------
    path : Path
        File of the runs.
    n_samples : int
        Number of resamples.

    Returns
    -------
    dict
        What the module's docstring says.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sizes, flops, losses = (
        np.array([float(row[column]) for row in rows])
        for column in ("Model Size", "Training FLOP", "loss")
    )
    kept = losses < np.sort(losses)[-N_LEFT_OUT]
    runs = n, d, loss = sizes[kept], (flops / (6 * sizes))[kept], losses[kept]
    law = fit_scaling_law(*runs, delta=DELTA).law
    rng = np.random.default_rng(SEED)
    laws = bootstrap_scaling_laws(*runs, n_samples=n_samples, rng=rng, delta=DELTA)
    optima = [compute_optimal(BUDGET, drawn) for drawn in laws]
    draws = {
        "exponent": [drawn.exponents[0] for drawn in laws],
        "parameters": [float(best.n_parameters) for best in optima],
        "tokens_a_parameter": [float(best.n_tokens / best.n_parameters) for best in optima],
    }
    candidates = {
        "fitted": law,
        "refit": BESIROGLU,
        "unrounded": HOFFMANN_UNROUNDED,
        "printed": HOFFMANN,
    }
    return {
        "source": SOURCE,
        "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "runs": len(rows),
        "kept": len(loss),
        "objective": {
            name: np.sum(huber_loss(np.log(chinchilla_loss(n, d, candidate) / loss), delta=DELTA))
            for name, candidate in candidates.items()
        },
        "law": asdict(law),
        "exponents": law.exponents,
        "resamples": n_samples,
        "standard_errors": {
            name: np.std([getattr(drawn, name) for drawn in laws], ddof=1) for name in asdict(law)
        },
        "budget": BUDGET,
        "intervals": {name: np.quantile(values, [0.025, 0.975]) for name, values in draws.items()},
        "narrow": np.quantile(draws["exponent"], [0.1, 0.9]),
    }


def main() -> None:
    """Measure and store; ten seconds."""
    if len(sys.argv) != 2:
        sys.exit(f"Nothing was measured. Get the runs from\n{SOURCE}\nand run: {COMMAND}")
    record.save(NAME, measure(Path(sys.argv[1])), command=COMMAND, seed=SEED)


if __name__ == "__main__":
    main()
