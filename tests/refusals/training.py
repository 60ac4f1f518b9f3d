"""What training refuses."""

from dataclasses import replace

import numpy as np

from primer_ref.config import Config
from primer_ref.training import Recipe, batches, evaluate, loss, start, train, train_step

CONFIG = Config(
    n_layers=1,
    width=4,
    n_heads=2,
    n_kv_heads=1,
    head_size=2,
    hidden=6,
    n_tokens=5,
    context=8,
)
RECIPE = Recipe(n_steps=1, batch=1, length=3, peak=0.1, warmup=0)
RUN = start(CONFIG, RECIPE, rng=np.random.default_rng(0))
DONE, *_ = train_step(RUN, [[0, 1, 2, 3]])
BROKEN = replace(RUN, weights=replace(RUN.weights, norm=RUN.weights.norm * np.nan))
RNG = np.random.default_rng(0)
BATCHES = {"tokens": [0, 1, 2, 3], "batch": 1, "length": 3, "rng": RNG}
EVALUATE = {
    "config": CONFIG,
    "weights": RUN.weights,
    "tokens": [0, 1, 2, 3],
    "length": 3,
    "batch": 1,
}

ROWS = [
    (batches, {**BATCHES, "length": 4}, "below the 4 tokens; got 4"),
    (batches, {**BATCHES, "length": 0}, "at least 1 and below the 4 tokens; got 0"),
    (batches, {**BATCHES, "tokens": []}, r"sequence of integers; got shape \(0,\) of float64"),
    (batches, {**BATCHES, "tokens": [[0, 1]]}, r"sequence of integers; got shape \(1, 2\)"),
    (batches, {**BATCHES, "tokens": [0.0, 1.0]}, "sequence of integers; got .* of float64"),
    (evaluate, {**EVALUATE, "length": 4}, "below the 4 tokens; got 4"),
    (evaluate, {**EVALUATE, "tokens": [0, 1, 2, 5]}, "targets must be from 0 to 4; got"),
    (loss, {"weights": RUN.weights, "config": CONFIG, "tokens": [[7, 0]]}, "from 0 to 4; got 7"),
    (loss, {"weights": RUN.weights, "config": CONFIG, "tokens": [[0.0, 1]]}, "of float64"),
    (train, {"run": RUN, "tokens": [0, 1, 2]}, "below the 3 tokens; got 3"),
    (train, {"run": RUN, "tokens": [0, 1, 2, 9]}, "targets must be from 0 to 4; got"),
    (train_step, {"run": DONE, "tokens": [[0, 1]]}, "step must be from 0 to 1; got 2"),
    (
        train_step,
        {"run": BROKEN, "tokens": [[0, 1]]},
        "finite largest score .*; got .*nan",
    ),
]
