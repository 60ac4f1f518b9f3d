r"""Train a small decoder in 16 bits until it fails, and mend it.

The numbers are those of `primer_ref.numerics`: weights, the residual stream, queries, keys, values
and logits are rounded to a format wherever one part of the decoder hands them to the next, and so
are the gradients that come back there; a gradient at a weight is rounded too. Inside a part (norm,
scores, softmax, products, loss) everything is float32, as in a fused kernel. The optimizer works in
float32 and keeps what a scheme says. The text is five novels by Austen, byte by byte.

There are two trials. In ``scratch`` a model is trained from its first weights. In ``late`` a model
that was trained in float32 at the constant largest rate of ``scratch`` goes on, averages of Adam
and all, at a constant rate that is much smaller, as at the end of a long run. In a trial all
schemes of a seed have the same batches and begin alike.

A loss scale of 2^-k is what each of 2^k devices has whose common loss is the mean over all their
tokens, 2^k times ``tokens_a_step``. Nothing else of those devices is simulated.

Result:

- ``config``, ``recipe``: sizes of the model and how ``scratch`` is trained; ``parameters``, how
  many numbers; ``tokens_a_step``; ``late_steps``, steps of ``late``; ``growth_interval``, clean
  steps before a dynamic scale doubles; ``held_out_bytes`` of the sixth novel, on which runs are
  evaluated; ``seeds``.
- ``anatomy``: one gradient of one batch of the first seed, ``before`` and ``after`` float32
  training:

  - ``norm`` of the float32 gradient; ``log2_scale``, the loss scales, as powers of two;
  - ``formats``, by name: for each scale ``zero`` and ``not_finite``, shares of the entries of the
    gradient at the weights, and ``cosine`` with the float32 gradient, null where it has none;
  - ``exponents``: ``log2``, whole powers of two; ``weights`` and ``logits``, shares of the entries
    of the unscaled float32 gradient there whose size is from that power up to the next; the first
    and the last bin hold all beyond, and zeros are not counted.

- ``runs``: list, one for each scheme and, in ``late``, rate:

  - ``trial``; ``rate``, the largest learning rate; ``scheme``: ``name``; ``format`` of weights and
    of what passes between parts; ``log2_scale``, the loss scale at the start; ``dynamic``, whether
    it is updated and steps that overflow are left out; ``weights``, what is kept of them:
    "float32" (a master copy), "nearest" or "stochastic" (rounded to the format after each
    update); ``averages``, format of those of Adam;
  - by seed: ``stopped_at``, the step, from 1, that found a gradient or score that is not finite and
    ended the run, or null; ``held_out``, loss in nats a byte of the last weights, computed in
    float32 from the weights as kept, or null; ``zero``, mean over steps of the share of entries of
    the gradient that are 0; ``vanished``, mean over steps of the share of weights that an update
    should have changed and did not; ``largest_change`` that an update asked of a weight, over
    ``rate``; ``left_out``, steps left out; ``last_log2_scale``;
  - ``curve``, of the first seed: loss of batches in nats a byte, each the mean of ``every`` steps;
  - ``held_out_mean`` and, except for float32, ``excess``, the difference from the float32 run of
    the same seed, trial and rate: over the seeds whose run was not stopped, ``n``, the mean with an
    interval, null with fewer than two. The level is 95 % by the central limit theorem; with so few
    seeds intervals are short of that.

- ``late_start``: loss on the held-out bytes where ``late`` begins, by seed; ``gain``, list: for
  each run of ``late``, ``name``, ``rate`` and by how much it went down, with an interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.train_austen import alphabet, read_novels
from primer_ref.attention import causal_mask
from primer_ref.autodiff import value_and_grad
from primer_ref.autodiff_rules import differentiable
from primer_ref.config import Config
from primer_ref.intervals import mean_interval
from primer_ref.losses import cross_entropy_gradient, cross_entropy_loss
from primer_ref.mixed_precision import LossScale, update_loss_scale
from primer_ref.numerics import BF16, FP16, FP32, FloatFormat, round_to, stochastic_round
from primer_ref.optim import Moments, adamw, clip_by_global_norm
from primer_ref.positions import rotations
from primer_ref.schedules import warmup_cosine
from primer_ref.training import Recipe, Run, batches, evaluate, start
from primer_ref.transformer import Weights, attend, embed, feed_forward, forward, project, unembed
from primer_ref.trees import tree_leaves, tree_map

NAME = "low_precision_training"
SEED = 9
SEEDS = tuple(range(SEED, SEED + 5))
EVERY = 8  # steps that a point of a curve is the mean of
INTERVAL = 20  # clean steps before a dynamic scale doubles: runs are short
HELD_OUT = 16_384  # bytes
LATE_RATES = (1e-4, 3e-5)
FORMATS = {"float32": FP32, "float16": FP16, "bfloat16": BF16}
EXPONENTS = range(-40, 5)
LOG2_SCALES = range(-24, 25, 2)

CONFIG = Config(
    n_layers=2,
    width=48,
    n_heads=3,
    n_kv_heads=1,
    head_size=16,
    hidden=128,
    n_tokens=82,
    context=32,
)
RECIPE = Recipe(n_steps=160, batch=4, length=32, peak=3e-3, warmup=20, floor=3e-4)
LATE_STEPS = 120

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Scheme:
    """How numbers are kept."""

    name: str
    format: str
    log2_scale: int = 0
    dynamic: bool = False
    weights: str = "float32"
    averages: str = "float32"


BASE = Scheme("float32", "float32")
SCRATCH = (
    BASE,
    *(Scheme(f"float16, scale 2^{k}", "float16", k) for k in (-20, -16, 0, 18)),
    Scheme("float16, dynamic scale", "float16", 18, dynamic=True),
    Scheme("float16, averages too", "float16", 18, dynamic=True, averages="float16"),
    Scheme("float16, bfloat16 averages", "float16", 18, dynamic=True, averages="bfloat16"),
)
LATE = (
    BASE,
    Scheme("bfloat16, master copy", "bfloat16"),
    Scheme("bfloat16, nearest", "bfloat16", weights="nearest"),
    Scheme("bfloat16, stochastic", "bfloat16", weights="stochastic"),
)


# --- A decoder in a format -------------------------------------------------------------------


def to_float32(x: Floats, format: FloatFormat) -> Floats:
    """Round to a format, and keep the numbers as float32, which holds them all."""
    return x if format == FP32 else round_to(x, format).astype(np.float32)


def gradient_in(g: Floats, _y: Floats, _x: Floats, format: FloatFormat) -> Floats:
    """Round the gradient at a stored array as the array itself."""
    return to_float32(g, format)


@differentiable(gradient_in, None)
def stored(x: Floats, format: FloatFormat) -> Floats:
    """Round to a format on the way forward, and the gradient on the way back."""
    return to_float32(x, format)


def logits_in(format: FloatFormat, config: Config, weights: Weights, tokens: Ints) -> Floats:
    """Run the decoder with everything rounded that passes from one part to the next."""
    weights = tree_map(lambda w: stored(w, format), weights)
    x = stored(embed(config, weights, tokens), format)
    n = tokens.shape[-1]
    turns = rotations(np.arange(n), config.head_size, base=config.rope_base)
    mask = causal_mask(n)
    for layer in weights.layers:
        q, k, v = (stored(part, format) for part in project(config, layer, x, turns))
        x = stored(attend(layer, x, q, k, v, mask=mask)[0], format)
        x = stored(feed_forward(config, layer, x), format)
    return stored(unembed(config, weights, x), format)


def scaled_loss(
    weights: Weights, config: Config, tokens: Ints, format: FloatFormat, scale: float
) -> Any:
    """Mean surprisal of each next token in nats, times the scale."""
    logits = logits_in(format, config, weights, tokens[..., :-1])
    return scale * cross_entropy_loss(logits, tokens[..., 1:])


def scaled_gradient(
    weights: Weights, config: Config, tokens: Ints, format: FloatFormat, scale: float
) -> tuple[float, Weights]:
    """Loss in nats, and the gradient of the scaled loss at the weights."""
    with np.errstate(over="ignore", invalid="ignore"):
        value, gradient = value_and_grad(scaled_loss)(weights, config, tokens, format, scale)
    return float(value) / scale, gradient


def flat(tree: Any) -> Floats:
    """All entries of a tree in one row."""
    return np.concatenate([np.ravel(leaf) for leaf in tree_leaves(tree)])


# --- One gradient ----------------------------------------------------------------------------


def exponent_shares(x: Floats) -> Floats:
    """Shares of the entries that are not 0 by the whole part of log2 of their size."""
    sizes = np.abs(np.asarray(x, np.float64))
    powers = np.clip(np.floor(np.log2(sizes[sizes > 0])), EXPONENTS[0], EXPONENTS[-1])
    counts = np.bincount(powers.astype(np.int64) - EXPONENTS[0], minlength=len(EXPONENTS))
    shares: Floats = counts / counts.sum()
    return shares


def compare(gradient: Floats, exact: Floats) -> dict[str, Any]:
    """Say what is left of a gradient."""
    not_finite = float(np.mean(~np.isfinite(gradient)))
    norm = 0.0 if not_finite else float(np.linalg.norm(gradient.astype(np.float64)))
    cosine = gradient.astype(np.float64) @ exact / (norm * np.linalg.norm(exact)) if norm else None
    return {"zero": float(np.mean(gradient == 0)), "not_finite": not_finite, "cosine": cosine}


def anatomy(config: Config, weights: Weights, tokens: Ints) -> dict[str, Any]:
    """One gradient in two formats and at many scales."""
    exact = flat(scaled_gradient(weights, config, tokens, FP32, 1.0)[1]).astype(np.float64)
    formats = {}
    for name in ("float16", "bfloat16"):
        found = [
            compare(flat(scaled_gradient(weights, config, tokens, FORMATS[name], 2.0**k)[1]), exact)
            for k in LOG2_SCALES
        ]
        formats[name] = {key: [each[key] for each in found] for key in found[0]}
    logits = forward(config, weights, tokens[:, :-1])
    at_logits = cross_entropy_gradient(logits, tokens[:, 1:]) / tokens[:, 1:].size
    return {
        "norm": np.linalg.norm(exact),
        "log2_scale": list(LOG2_SCALES),
        "formats": formats,
        "exponents": {
            "log2": list(EXPONENTS),
            "weights": exponent_shares(exact),
            "logits": exponent_shares(at_logits),
        },
    }


# --- Runs ------------------------------------------------------------------------------------


def keep(scheme: Scheme, new: Weights, rng: np.random.Generator) -> Weights:
    """Keep of updated weights what a scheme keeps."""
    format = FORMATS[scheme.format]
    if scheme.weights == "float32":
        return new
    if scheme.weights == "nearest":
        return cast("Weights", tree_map(lambda w: to_float32(w, format), new))
    rounded = tree_map(lambda w: stochastic_round(w, format, rng=rng).astype(np.float32), new)
    return cast("Weights", rounded)


def update(run: Run, gradient: Weights, step: int) -> tuple[Weights, Moments]:
    """Clip, and take a step of AdamW at the rate of the schedule, as `train_step` does."""
    recipe = run.recipe
    rate = warmup_cosine(
        step, peak=recipe.peak, warmup=recipe.warmup, total=recipe.n_steps, floor=recipe.floor
    )
    gradient, _ = clip_by_global_norm(gradient, limit=recipe.limit)
    return adamw(
        run.weights,
        gradient,
        run.moments,
        rate=float(rate),
        beta2=recipe.beta2,
        decay=recipe.decay,
    )


def train_with(scheme: Scheme, run: Run, text: Ints) -> tuple[Run, dict[str, Any]]:
    """Train with a scheme to the end of the recipe, or to a number that is not finite."""
    recipe, format = run.recipe, FORMATS[scheme.format]
    chance = np.random.default_rng(SEED)  # for rounding; batches come from the run's own
    run = replace(run, weights=keep(scheme, run.weights, chance))
    state, stopped_at, left_out = LossScale(2.0**scheme.log2_scale), None, 0
    losses: list[float] = []
    shares: list[tuple[float, float]] = []
    largest = 0.0
    windows = batches(text, batch=recipe.batch, length=recipe.length, rng=run.rng)
    for step in range(1, recipe.n_steps + 1):
        scale = state.scale
        try:
            value, gradient = scaled_gradient(run.weights, run.config, next(windows), format, scale)
        except ValueError:  # softmax refuses scores that are not finite
            stopped_at = step
            break
        entries = flat(gradient)
        finite = bool(np.all(np.isfinite(entries)))
        if not (finite or scheme.dynamic):
            stopped_at = step
            break
        losses.append(value)
        if scheme.dynamic:
            state = update_loss_scale(state, entries, interval=INTERVAL)
        if not finite:
            left_out += 1
            continue
        gradient = tree_map(lambda g, by=scale: g / by, gradient)
        new, moments = update(run, gradient, step)
        kept, averages = keep(scheme, new, chance), FORMATS[scheme.averages]
        mean, square = (
            tree_map(lambda a: to_float32(a, averages), tree)  # noqa: B023
            for tree in (moments.mean, moments.square)
        )
        before = flat(run.weights)
        asked = flat(new) != before
        shares.append((np.mean(entries == 0), np.mean((flat(kept) == before) & asked)))
        largest = max(largest, float(np.max(np.abs(flat(new) - before))))
        run = replace(run, weights=kept, moments=replace(moments, mean=mean, square=square))
    zero, vanished = np.mean(shares, axis=0) if shares else (None, None)
    found = {
        "stopped_at": stopped_at,
        "zero": zero,
        "vanished": vanished,
        "largest_change": largest / recipe.peak,
        "left_out": left_out,
        "last_log2_scale": math.log2(state.scale),
        "curve": [float(np.mean(losses[i : i + EVERY])) for i in range(0, len(losses), EVERY)],
    }
    return run, found


def read_texts() -> tuple[Ints, Ints]:
    """Five novels, and the beginning of the sixth, as numbers of bytes."""
    text, sixth = read_novels(alphabet())
    return text, sixth[:HELD_OUT]


def measure_seed(
    seed: int, config: Config = CONFIG, recipe: Recipe = RECIPE, late_steps: int = LATE_STEPS
) -> dict[str, Any]:
    """Both trials with all their schemes, for one seed."""
    text, test = read_texts()

    def held_out(run: Run) -> float:
        return evaluate(run.config, run.weights, test, length=recipe.length, batch=64)

    def trial(name: str, scheme: Scheme, run: Run) -> Run:
        run, found = train_with(scheme, run, text)
        found["held_out"] = None if found["stopped_at"] else held_out(run)
        case = {"trial": name, "rate": run.recipe.peak, "scheme": asdict(scheme)}
        runs.append(case | found)
        return run

    def first() -> Run:
        return start(config, recipe, rng=np.random.default_rng(seed))

    runs: list[dict[str, Any]] = []
    trained, *_ = [trial("scratch", scheme, first()) for scheme in SCRATCH]
    steady, _ = train_with(BASE, replace(first(), recipe=replace(recipe, floor=recipe.peak)), text)
    for rate in LATE_RATES:
        late = replace(recipe, n_steps=late_steps, peak=rate, floor=rate, warmup=0)
        for scheme in LATE:
            # A source of their own, so that all schemes see the same batches.
            begin = replace(steady, recipe=late, rng=np.random.default_rng((seed, 1)))
            trial("late", scheme, begin)
    result = {"runs": runs, "late_start": held_out(steady)}
    if seed == SEED:
        windows = batches(
            text, batch=recipe.batch, length=recipe.length, rng=np.random.default_rng((seed, 2))
        )
        tokens = next(windows)
        result["anatomy"] = {
            "before": anatomy(config, first().weights, tokens),
            "after": anatomy(config, trained.weights, tokens),
        }
    return result


# --- Over seeds ------------------------------------------------------------------------------


def mean_of(values: Sequence[float | None]) -> dict[str, Any] | None:
    """Mean of what is there, with its interval, if there are two values at least."""
    there = [value for value in values if value is not None]
    return {"n": len(there), **asdict(mean_interval(there))} if len(there) > 1 else None


def less(one: Sequence[float | None], other: Sequence[float]) -> list[float | None]:
    """Differences, where both are there."""
    return [None if a is None else a - b for a, b in zip(one, other, strict=True)]


def summarize(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Put the seeds of each run side by side, and compare runs with those in float32."""
    begin = [result["late_start"] for result in results]
    runs, gains, base = [], [], []
    for same in zip(*(result["runs"] for result in results), strict=True):
        run = {key: same[0][key] for key in ("trial", "rate", "scheme", "curve")}
        for key in same[0].keys() - run.keys():
            run[key] = [each[key] for each in same]
        run["held_out_mean"] = mean_of(run["held_out"])
        if run["scheme"] == asdict(BASE):
            base = run["held_out"]
        else:
            run["excess"] = mean_of(less(run["held_out"], base))
        runs.append(dict(sorted(run.items())))
        if run["trial"] == "late":
            gain = mean_of([-each for each in less(run["held_out"], begin) if each is not None])
            gains.append({"name": run["scheme"]["name"], "rate": run["rate"], "gain": gain})
    return {"runs": runs, "late_start": begin, "gain": gains, "anatomy": results[0]["anatomy"]}


def measure(
    results: Sequence[dict[str, Any]], config: Config = CONFIG, recipe: Recipe = RECIPE
) -> dict[str, Any]:
    """Everything described above, from the results of the seeds, the first one first."""
    weights = start(config, recipe, rng=np.random.default_rng(SEED)).weights
    return {
        "config": asdict(config),
        "recipe": asdict(recipe),
        "parameters": len(flat(weights)),
        "tokens_a_step": recipe.batch * recipe.length,
        "late_steps": LATE_STEPS,
        "growth_interval": INTERVAL,
        "held_out_bytes": HELD_OUT,
        "every": EVERY,
        "seeds": list(SEEDS),
        **summarize(results),
    }


def main() -> None:
    """Measure and store."""
    results = record.parts(NAME, SEEDS, measure_seed)
    command = "python -m experiments.low_precision_training"
    record.save(NAME, measure(results), command=command, seed=SEED)
    record.forget(NAME)


if __name__ == "__main__":
    main()
