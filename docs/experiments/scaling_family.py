"""A family of small transformers trained by the package, a law fitted to it, and a forecast.

Each model reads five novels by Austen byte by byte (the end of the fifth is kept for validation)
and is tested on the start of the sixth. Losses are in nats a token, and a token is a byte. All
models have two layers, heads of 16 numbers, one key head and windows of 64 tokens; only the width
C differs. Every run has a cosine of its own length behind a warm-up of a twentieth of its steps,
to a tenth of the peak; none is a piece of a longer one. Which runs there are was settled by the
time that they take, before any loss of the grid was seen; the two smallest peaks joined the sweep
when the third had the least loss. Windows are drawn with replacement, so text is met again before
all of it is read; ``distinct`` says how much is new. Sizes are counted without the embedding
(which is also the head) and with it, and everything is fitted both ways. Result:

- ``tokens_a_step``, ``length``: 512 tokens in windows of 64. ``train_bytes``, ``valid_bytes``,
  ``test_bytes``: what is trained on, what rates are chosen on, what losses are of.
- ``sweep``: for the ``widths`` and ``steps`` that were tried, the ``loss`` on the validation text
  by width and peak (one of ``peaks``), and ``best``, the lowest point of a parabola in log peak
  through the least loss and its neighbors. ``power``: the peak of a run is the best peak of the
  first width times C over that width to this power, rounded to two digits.
- ``check``: a run of 100 steps that is part of no fit, quick to repeat.
- ``runs``: the grid that is fitted. Each with ``width``, ``steps``, ``repeat`` (0; others have
  other seeds), ``peak``, ``non_embedding`` and ``total`` (parameters N), ``tokens`` (D),
  ``distinct`` (positions of the training text among the D targets) and ``loss`` on the test text.
- ``repeats``: cells of the grid with other seeds. ``noise``: standard deviation of log loss among
  runs that differ in the seed alone, pooled, and its degrees of ``freedom``.
- ``fits``: for ``non_embedding`` and ``total`` sizes the ``law`` of E, A, B, α, β that
  `primer_ref.scaling_fit` finds, the ``objective`` it attains, ``rms`` of its residuals in log
  loss, ``exponents``, the powers of compute with which the best N and D grow, and ``intervals`` of
  95 % for constants and powers from ``resamples`` draws of the runs with replacement; of the 200
  drawn, some may have followed no such law and are left out.
- ``forecast``: the ``loss`` of the largest run as predicted before it began by the law without
  embeddings, the interval ``of_law`` of 95 % from the same draws, and ``of_run``, in which a
  residual of the fit is drawn too, widened by the root of n/(n - 5); for comparison, what the law
  ``with_embedding`` and the one ``without_constant`` (see ``floors``) predict. When this was
  written, each draw was fitted from the fit to all runs alone, which drives E to 0; log E has no
  slope there along which a draw could leave, so that these two intervals are those of a law without
  a constant. Since then draws start above it, too, and may find one: ``forecast_again`` holds the
  wider intervals that they give, computed after the run; ``fits`` and ``allocation`` are theirs.
  The first intervals were kept by hand from the note of that time: a run from nothing has the same
  in both.
- ``largest``: the run that was forecast, as those of ``runs``. ``error``: log of its loss over the
  forecast; ``inside``: whether it lies in the two intervals.
- ``floors``: what fixing E does: for each ``floor`` (0: a law without a constant, which says that
  loss falls to nothing) the exponents and scales of least squares of relative residuals, ``rms`` of
  these, ``forecast`` for the largest run and ``far``, for a thousand times its N and D. N without
  embedding. ``floor_interval``: the floors between which the runs do not decide at 95 %, by the
  likelihood ratio.
- ``slopes``: powers of a law without a constant from one cell of the grid to the next:
  ``in_size`` at the most tokens, ``in_data`` at the largest width.
- ``allocation``: of the compute 6 N D of the largest run, the best N and D by the law without
  embeddings, and tokens a parameter, with intervals from the same draws.
- ``refit``: the laws when the largest run is fitted too, without intervals.
- ``machine``: cores used, seconds by the clock that every run took in the order of the work (since
  it was last taken up, other work beside it), and when the forecast was written and the largest run
  began and ended.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from experiments import record
from experiments.train_austen import CONFIG, alphabet, load_or, read_novels
from primer_ref.accounting import training_flops
from primer_ref.allocation import compute_optimal
from primer_ref.blocks import gated_width
from primer_ref.checkpoints import save_checkpoint
from primer_ref.config import Config
from primer_ref.intervals import normal_quantile
from primer_ref.parameters import llama_parameters
from primer_ref.scaling import ScalingLaw, chinchilla_loss
from primer_ref.scaling_fit import bootstrap_scaling_laws, fit_scaling_law
from primer_ref.training import Recipe, Run, batches, evaluate, start, train

NAME = "scaling_family"
SEED = 8
CHECKPOINTS = Path(__file__).parents[2] / "build" / "checkpoints" / NAME
COUNTS = ("non_embedding", "total")
VALID_BYTES = 65_536
LEVELS = (0.025, 0.975)
FLOORS = tuple(round(0.1 * number, 1) for number in range(15))  # nats a token

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which runs there are: widths and steps of the grid, of the sweep and of the largest run."""

    widths: tuple[int, ...] = (16, 32, 64)
    steps: tuple[int, ...] = (200, 400, 800, 1600)
    sweep_widths: tuple[int, int] = (32, 64)
    sweep_steps: int = 400
    peaks: tuple[float, ...] = (6e-4, 1.25e-3, 2.5e-3, 5e-3, 1e-2, 2e-2)
    repeated: tuple[tuple[int, int], ...] = ((16, 400), (64, 200))
    repeats: tuple[int, ...] = (1, 2)
    check: tuple[int, int] = (16, 100)
    largest: tuple[int, int] = (112, 2800)
    batch: int = 8
    length: int = 64
    test_bytes: int = 65_536
    blocks: int = 8
    block: int = 25


@dataclass(frozen=True, slots=True)
class Cell:
    """One run: width, steps, which of the repetitions, and peak rate."""

    width: int
    steps: int
    repeat: int
    peak: float
    batch: int
    length: int


PLAN = Plan()


# --- Runs ------------------------------------------------------------------------------------


def texts(test_bytes: int) -> tuple[Ints, Ints, Ints]:
    """Read the texts to train on, to choose rates on and to test on."""
    text, sixth = read_novels(alphabet())
    return text[:-VALID_BYTES], text[-VALID_BYTES:][:test_bytes], sixth[:test_bytes]


def family(width: int, length: int) -> Config:
    """Make the member of the family of a width."""
    return Config(
        n_layers=2,
        width=width,
        n_heads=width // 16,
        n_kv_heads=1,
        head_size=16,
        hidden=gated_width(width, multiple_of=16),
        n_tokens=CONFIG.n_tokens,
        context=length,
    )


def recipe_of(cell: Cell) -> Recipe:
    """Say how a cell is trained; the schedule is as long as the run."""
    return Recipe(
        n_steps=cell.steps,
        batch=cell.batch,
        length=cell.length,
        peak=cell.peak,
        warmup=max(1, cell.steps // 20),
        floor=cell.peak / 10,
    )


def begin(cell: Cell) -> Run:
    """Draw first weights; the rate is not in the seed, so that rates are compared on equal text."""
    rng = np.random.default_rng([SEED, cell.width, cell.steps, cell.repeat])
    return start(family(cell.width, cell.length), recipe_of(cell), rng=rng)


def distinct(cell: Cell, n_bytes: int) -> int:
    """Count the positions of the text that are targets of a run, by drawing its windows again."""
    seen = np.zeros(n_bytes, dtype=bool)
    windows = batches(np.arange(n_bytes), batch=cell.batch, length=cell.length, rng=begin(cell).rng)
    for rows in itertools.islice(windows, cell.steps):
        seen[rows[:, 1:]] = True
    return int(np.sum(seen))


def place(folder: Path, cell: Cell) -> Path:
    """Name the file of a run; the rate is in it, since a sweep has runs that differ in it alone."""
    return folder / f"{cell.width}-{cell.steps}-{cell.repeat}-{cell.peak:g}.npz"


def run_cell(
    cell: Cell, text: Ints, test: Ints, folder: Path, *, every: int = 100
) -> dict[str, Any]:
    """Train a cell, or go on training it, and test it."""
    folder.mkdir(parents=True, exist_ok=True)
    path, began = place(folder, cell), time.perf_counter()
    run = load_or(path, begin(cell))
    for run, done in train(run, text):  # noqa: B020
        if done.step % every == 0 or done.step == cell.steps:
            save_checkpoint(path, run)
    count = llama_parameters(run.config, tied=True)
    return {
        "width": cell.width,
        "steps": cell.steps,
        "repeat": cell.repeat,
        "peak": cell.peak,
        "non_embedding": count.non_embedding,
        "total": count.total,
        "tokens": cell.steps * cell.batch * cell.length,
        "distinct": distinct(cell, len(text)),
        "loss": evaluate(run.config, run.weights, test, length=cell.length, batch=16),
        "machine": {"seconds": time.perf_counter() - began},
    }


# --- Learning rates --------------------------------------------------------------------------


def best_peak(peaks: Sequence[float], losses: Sequence[float]) -> float:
    """Find the lowest point of a parabola in log peak through the least loss and its neighbors.

    At an end of the peaks it is that end: a parabola is not trusted beyond them.
    """
    least = int(np.argmin(losses))
    if least in (0, len(peaks) - 1):
        return peaks[least]
    x = np.log(peaks[least - 1 : least + 2])
    curvature, slope, _ = np.polyfit(x - x[1], losses[least - 1 : least + 2], 2)
    return float(np.exp(x[1] - slope / (2 * curvature)))


def peak_of(width: int, sweep: Mapping[str, Any]) -> float:
    """Peak rate of a width by the rule of the sweep, to two digits."""
    return float(f"{sweep['best'][0] * (width / sweep['widths'][0]) ** sweep['power']:.2g}")


def summarize_sweep(plan: Plan, losses: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Put a sweep and the rule that follows from it together."""
    best = [best_peak(plan.peaks, row) for row in losses]
    first, second = plan.sweep_widths
    return {
        "widths": plan.sweep_widths,
        "steps": plan.sweep_steps,
        "peaks": plan.peaks,
        "loss": losses,
        "best": best,
        "power": math.log(best[1] / best[0]) / math.log(second / first),
    }


# --- Fits ------------------------------------------------------------------------------------


def columns(runs: Iterable[Mapping[str, Any]], count: str) -> tuple[Floats, Floats, Floats]:
    """Sizes, tokens and losses of runs."""
    n, d, losses = np.array([[run[count], run["tokens"], run["loss"]] for run in runs], float).T
    return n, d, losses


def residuals(law: ScalingLaw, n: Floats, d: Floats, losses: Floats) -> Floats:
    """Logarithms of losses over what a law predicts."""
    found: Floats = np.log(losses / chinchilla_loss(n, d, law))
    return found


def interval(values: ArrayLike) -> list[float]:
    """95 % interval of draws."""
    return [float(value) for value in np.quantile(np.asarray(values, float), LEVELS)]


def draw_laws(
    runs: Sequence[Mapping[str, Any]], count: str, n_blocks: int, *, block: int, folder: Path
) -> list[ScalingLaw]:
    """Fit laws to runs drawn with replacement, a block of draws at a time.

    Now and then the runs that are drawn follow no such law (all of one size, say). The package
    refuses these; the block is left out, and the number of laws says how many were.
    """

    def draw(number: int) -> list[dict[str, float]]:
        rng = np.random.default_rng([SEED, COUNTS.index(count), number])
        with contextlib.suppress(ValueError):
            laws = bootstrap_scaling_laws(*columns(runs, count), n_samples=block, rng=rng)
            return [asdict(law) for law in laws]
        return []

    drawn = record.parts(f"{NAME}-laws-{count}", range(n_blocks), draw, folder=folder)
    return [ScalingLaw(**law) for laws in drawn for law in laws]


def summarize_fit(
    runs: Sequence[Mapping[str, Any]], count: str, laws: Sequence[ScalingLaw]
) -> dict[str, Any]:
    """Fit the law to runs, and give intervals from laws that were fitted to draws of them."""
    data = columns(runs, count)
    fit = fit_scaling_law(*data)
    draws = {name: [getattr(law, name) for law in laws] for name in asdict(fit.law)}
    draws["n_exponent"], draws["d_exponent"] = map(
        list, zip(*(law.exponents for law in laws), strict=True)
    )
    return {
        "law": asdict(fit.law),
        "exponents": fit.law.exponents,
        "objective": fit.objective,
        "rms": float(np.sqrt(np.mean(residuals(fit.law, *data) ** 2))),
        "resamples": len(laws),
        "intervals": {name: interval(values) for name, values in draws.items()},
    }


def forecast(
    law: ScalingLaw, laws: Sequence[ScalingLaw], errors: Floats, n: int, d: int
) -> dict[str, Any]:
    """Predict the loss of a run, with intervals for the law and for the run.

    The law was fitted to runs that it misses by the errors, the laws to draws of these runs.
    """
    of_law = np.array([float(chinchilla_loss(n, d, drawn)) for drawn in laws])
    # Five constants follow the runs, so that what is left is smaller than the noise.
    spread = errors * math.sqrt(len(errors) / (len(errors) - 5))
    of_run = of_law * np.exp(np.random.default_rng(SEED).choice(spread, size=len(of_law)))
    return {
        "loss": float(chinchilla_loss(n, d, law)),
        "of_law": interval(of_law),
        "of_run": interval(of_run),
    }


def write_once(path: Path, predicted: Mapping[str, Any]) -> str:
    """Write a forecast with its time, or see that it is the one that was written; give the time."""
    if not path.exists():
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record.write(path, json.dumps({"written": now, "forecast": record.plain(predicted)}))
    stored = json.loads(path.read_text(encoding="utf-8"))
    if changes := list(record.differences(stored["forecast"], record.plain(predicted))):
        raise ValueError(f"another forecast was written to {path}: {changes[0]}")
    return str(stored["written"])


def stamp(path: Path) -> None:
    """Write the time into a file, the first time that it is asked for."""
    if not path.exists():
        record.write(path, datetime.now(UTC).isoformat(timespec="seconds"))


def fit_above_floor(n: Floats, d: Floats, losses: Floats, floor: float) -> dict[str, float]:
    """Fit A, B, α and β by least squares of relative residuals, with E fixed.

    At given exponents, which are tried on a grid, the scales solve two linear equations.
    """
    powers = np.geomspace(0.01, 2, 800)
    x, y = np.log(n / np.mean(n)), np.log(d / np.mean(d))
    p, q = (np.exp(-powers[:, None] * z) / losses for z in (x, y))  # (powers, n)
    rest = 1 - floor / losses
    pp, qq, pq = np.sum(p**2, 1)[:, None], np.sum(q**2, 1)[None, :], p @ q.T
    pr, qr = (p @ rest)[:, None], (q @ rest)[None, :]
    determinant = pp * qq - pq**2
    a, b = (qq * pr - pq * qr) / determinant, (pp * qr - pq * pr) / determinant
    squares = np.sum(rest**2) - a * pr - b * qr
    squares = np.where((a > 0) & (b > 0), squares, np.inf)
    i, j = np.unravel_index(int(np.argmin(squares)), squares.shape)
    alpha, beta = float(powers[i]), float(powers[j])
    return {
        "a": float(a[i, j] * np.mean(n) ** alpha),
        "b": float(b[i, j] * np.mean(d) ** beta),
        "alpha": alpha,
        "beta": beta,
        "rms": math.sqrt(max(float(squares[i, j]), 0.0) / len(n)),
    }


def summarize_floors(runs: Sequence[Mapping[str, Any]], n: int, d: int) -> list[dict[str, float]]:
    """Fit with each of the floors, and predict a run and one a thousand times as large."""
    found = []
    for floor in FLOORS:
        fit = fit_above_floor(*columns(runs, "non_embedding"), floor)
        law = ScalingLaw(e=floor, **{name: fit[name] for name in ("a", "b", "alpha", "beta")})
        near, far = chinchilla_loss([n, 1000 * n], [d, 1000 * d], law)
        found.append({"floor": floor, **fit, "forecast": float(near), "far": float(far)})
    return found


def floor_interval(floors: Sequence[Mapping[str, float]], n_runs: int) -> list[float]:
    """Find the floors that the runs allow: those whose likelihood ratio to the best is not small.

    With normal errors, twice its logarithm is n log of the ratio of the mean squares.
    """
    least = min(fit["rms"] for fit in floors)
    limit = least * math.exp(normal_quantile(0.95) ** 2 / (2 * n_runs))
    allowed = [fit["floor"] for fit in floors if fit["rms"] <= limit]
    return [min(allowed), max(allowed)]


def slopes(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Powers with which loss falls from cell to cell: where a law has a constant, they shrink."""
    steps, width = (max(run[name] for run in runs) for name in ("steps", "width"))
    of_size = columns((run for run in runs if run["steps"] == steps), "non_embedding")
    of_data = columns((run for run in runs if run["width"] == width), "non_embedding")
    return {
        name: [float(power) for power in -np.diff(np.log(losses)) / np.diff(np.log(x))]
        for name, x, losses in (
            ("in_size", of_size[0], of_size[2]),
            ("in_data", of_data[1], of_data[2]),
        )
    }


def allocate(n: int, d: int, law: ScalingLaw, laws: Sequence[ScalingLaw]) -> dict[str, Any]:
    """Best size and data for the compute of a run, by a law and by others drawn."""
    flops = training_flops(n, d)
    all_best = [compute_optimal(flops, one) for one in (law, *laws)]
    draws = {
        "n_parameters": [float(best.n_parameters) for best in all_best],
        "n_tokens": [float(best.n_tokens) for best in all_best],
        "tokens_a_parameter": [float(best.n_tokens / best.n_parameters) for best in all_best],
    }
    return {
        "flops": flops,
        **{
            name: {"value": values[0], "interval": interval(values[1:])}
            for name, values in draws.items()
        },
    }


def pooled_noise(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Pool the deviations of log loss among runs that differ in their seed alone."""
    cells: dict[tuple[int, int], list[float]] = {}
    for run in runs:
        cells.setdefault((run["width"], run["steps"]), []).append(math.log(run["loss"]))
    groups = [np.array(group) for group in cells.values() if len(group) > 1]
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum(float(np.sum((group - np.mean(group)) ** 2)) for group in groups)
    return {"noise": math.sqrt(squares / freedom), "freedom": freedom}


# --- The whole -------------------------------------------------------------------------------


def measure(
    plan: Plan = PLAN, *, checkpoints: Path = CHECKPOINTS, parts: Path = record.PARTS
) -> dict[str, Any]:
    """Sweep rates, train the grid, fit, write the forecast, train the largest run, compare."""
    text, valid, test = texts(plan.test_bytes)
    note = checkpoints / "forecast.json"
    if not note.exists() and list(checkpoints.glob("{}-{}-*.npz".format(*plan.largest))):
        raise ValueError(f"the largest run began without a forecast; empty {checkpoints}")

    def cells(part: str, items: Sequence[Cell], held_out: Ints) -> list[dict[str, Any]]:
        return record.parts(
            f"{NAME}-{part}",
            items,
            lambda cell: run_cell(cell, text, held_out, checkpoints),
            folder=parts,
        )

    def cell(width: int, steps: int, repeat: int = 0, peak: float | None = None) -> Cell:
        peak = peak_of(width, sweep) if peak is None else peak
        return Cell(width, steps, repeat, peak, plan.batch, plan.length)

    tried = [cell(w, plan.sweep_steps, 0, p) for w in plan.sweep_widths for p in plan.peaks]
    swept = cells("sweep", tried, valid)
    found = np.reshape([run["loss"] for run in swept], (len(plan.sweep_widths), -1)).tolist()
    sweep = summarize_sweep(plan, found)

    (check,) = cells("check", [cell(*plan.check)], test)
    runs = cells("grid", [cell(w, s) for w in plan.widths for s in plan.steps], test)
    again = [cell(w, s, r) for w, s in plan.repeated for r in plan.repeats]
    repeats = cells("repeats", again, test)

    last = cell(*plan.largest)
    count = llama_parameters(family(last.width, last.length), tied=True)
    sizes = {"non_embedding": count.non_embedding, "total": count.total}
    d = last.steps * last.batch * last.length

    def fit_all(name: str) -> tuple[dict[str, Any], ScalingLaw, list[ScalingLaw]]:
        laws = draw_laws(runs, name, plan.blocks, block=plan.block, folder=parts)
        found = summarize_fit(runs, name, laws)
        return found, ScalingLaw(**found["law"]), laws

    fit, law, laws = fit_all("non_embedding")
    errors = residuals(law, *columns(runs, "non_embedding"))
    floors = summarize_floors(runs, sizes["non_embedding"], d)
    predicted = forecast(law, laws, errors, sizes["non_embedding"], d)
    predicted["with_embedding"] = float(
        chinchilla_loss(sizes["total"], d, fit_scaling_law(*columns(runs, "total")).law)
    )
    predicted["without_constant"] = floors[0]["forecast"]
    written = write_once(note, predicted)

    began = note.with_name("largest_began.txt")
    stamp(began)
    (largest,) = cells("largest", [last], test)
    ended = note.with_name("largest_ended.txt")
    stamp(ended)

    loss = largest["loss"]
    done = [*swept, check, *runs, *repeats, largest]
    seconds = [run.pop("machine")["seconds"] for run in done]
    return {
        "tokens_a_step": plan.batch * plan.length,
        "length": plan.length,
        "train_bytes": len(text),
        "valid_bytes": len(valid),
        "test_bytes": len(test),
        "sweep": sweep,
        "check": check,
        "runs": runs,
        "repeats": repeats,
        **pooled_noise([*runs, *repeats]),
        "fits": {"non_embedding": fit, "total": fit_all("total")[0]},
        "forecast": predicted,
        "forecast_again": {name: predicted[name] for name in ("of_law", "of_run")},
        "largest": largest,
        "error": math.log(loss / predicted["loss"]),
        "inside": {
            name: predicted[name][0] <= loss <= predicted[name][1] for name in ("of_law", "of_run")
        },
        "floors": floors,
        "floor_interval": floor_interval(floors, len(runs)),
        "slopes": slopes(runs),
        "allocation": allocate(sizes["non_embedding"], d, law, laws),
        "refit": {
            name: asdict(fit_scaling_law(*columns([*runs, largest], name)).law) for name in COUNTS
        },
        "machine": {
            "cores": record.cores(),
            "seconds": seconds,
            "forecast_written": written,
            "largest_began": began.read_text(encoding="utf-8"),
            "largest_ended": ended.read_text(encoding="utf-8"),
        },
    }


def main() -> None:
    """Measure and store."""
    record.save(NAME, measure(), command=f"python -m experiments.{NAME}", seed=SEED)
    record.forget(NAME)


if __name__ == "__main__":
    main()
