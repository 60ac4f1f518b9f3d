"""What schedules and batch sizes refuse."""

import numpy as np

from primer_ref.schedules import (
    accumulate,
    critical_batch_tokens,
    gradient_noise_scale,
    linear_rate,
    square_root_rate,
    warmup_cosine,
    warmup_stable_decay,
)

COSINE = {"step": 1, "peak": 1.0, "warmup": 2, "total": 5}
STABLE = {**COSINE, "stable": 3}
NOISE = {"small": [1.0], "large": [0.5], "n_small": 1, "n_large": 2}

ROWS = [
    (warmup_cosine, {**COSINE, "step": 6}, "step must be from 0 to 5; got 6"),
    (warmup_cosine, {**COSINE, "step": [1, np.nan]}, "step must be from 0 to 5; got"),
    (warmup_cosine, {**COSINE, "warmup": 6}, r"one after another.*; got \(6, 5\)"),
    (warmup_cosine, {**COSINE, "warmup": -1}, r"one after another.*; got \(-1, 5\)"),
    (warmup_cosine, {**COSINE, "total": 0, "warmup": 0}, "the last at 1 or later"),
    (warmup_cosine, {**COSINE, "floor": 2.0}, "0 <= floor <= peak; got 2.0 and 1.0"),
    (warmup_cosine, {**COSINE, "peak": np.nan}, "0 <= floor <= peak; got 0.0 and nan"),
    (warmup_stable_decay, {**STABLE, "step": -1}, "step must be from 0 to 5; got -1"),
    (warmup_stable_decay, {**STABLE, "stable": 1}, r"one after another.*; got \(2, 1, 5\)"),
    (warmup_stable_decay, {**STABLE, "floor": -1.0}, "0 <= floor <= peak; got -1.0"),
    (gradient_noise_scale, {**NOISE, "n_small": 2}, "0 < n_small < n_large; got 2 and 2"),
    (gradient_noise_scale, {**NOISE, "n_small": 0}, "0 < n_small < n_large; got 0 and 2"),
    (gradient_noise_scale, {**NOISE, "small": []}, r"at least one, none negative; got \[\]"),
    (gradient_noise_scale, {**NOISE, "large": [-1.0]}, "at least one, none negative"),
    (gradient_noise_scale, {**NOISE, "large": [np.nan]}, "at least one, none negative"),
    (critical_batch_tokens, {"loss": 0.0}, "loss must be positive; got 0.0"),
    (critical_batch_tokens, {"loss": np.nan}, "loss must be positive; got nan"),
    (critical_batch_tokens, {"loss": 1.0, "exponent": 0.0}, "exponent must be positive; got 0.0"),
    (linear_rate, {"rate": 1.0, "batch": 1, "base": 0}, "base must be positive; got 0"),
    (linear_rate, {"rate": 1.0, "batch": 0, "base": 1}, "batch must be positive; got 0"),
    (square_root_rate, {"rate": 1.0, "batch": 1, "base": -1}, "base must be positive; got -1"),
    (accumulate, {"parts": []}, r"each of at least one token; got \[\]"),
    (accumulate, {"parts": [(1.0, 1.0, 0)]}, r"each of at least one token; got \[0\]"),
    (accumulate, {"parts": [(1.0, 1.0, 1), (1.0, [1.0], 1)]}, "trees must have one structure"),
    (warmup_cosine, {**COSINE, "step": [1j]}, "must hold real numbers; got .* complex128"),
    (warmup_stable_decay, {**STABLE, "step": None}, "must hold real numbers; got .* object"),
    (gradient_noise_scale, {**NOISE, "small": ["1"]}, "must hold real numbers; got .* <U1"),
]
