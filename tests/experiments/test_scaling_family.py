"""The family of small models: known laws, killed runs, the order of forecasts, what is stored."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import optimize, stats

from experiments import record
from experiments import scaling_family as family
from experiments.texts import NOVELS, austen
from experiments.train_austen import alphabet
from primer_ref.checkpoints import save_checkpoint
from primer_ref.scaling import ScalingLaw, chinchilla_loss
from primer_ref.scaling_fit import ScalingFit, bootstrap_scaling_laws, fit_scaling_law
from primer_ref.training import batches

LAW = ScalingLaw(e=1.0, a=30.0, b=8.0, alpha=0.4, beta=0.3)
TINY = family.Plan(
    widths=(16, 32, 48),
    steps=(2, 4, 8),
    sweep_widths=(16, 32),
    sweep_steps=3,
    peaks=(5e-4, 1.5e-3, 4e-3),
    repeated=((16, 4),),
    repeats=(1, 2),
    check=(16, 1),
    largest=(64, 16),
    batch=2,
    length=8,
    test_bytes=100,
    blocks=1,
    block=4,
)


def on_law(noise: float = 0.0) -> list[dict[str, Any]]:
    """Make runs on a grid that follow the law up to noise."""
    rng = np.random.default_rng(0)
    sizes, tokens = (7e3, 2.5e4, 9e4, 3e5), (1e5, 2e5, 4e5, 8e5)
    return [
        {
            "non_embedding": n,
            "tokens": d,
            "width": n,
            "steps": d,
            "loss": float(chinchilla_loss(n, d, LAW) * np.exp(rng.normal(0, noise))),
        }
        for n in sizes
        for d in tokens
    ]


# --- Statistics on known cases ---------------------------------------------------------------


def test_the_best_peak_of_a_parabola_is_its_lowest_point_and_never_beyond_the_ends() -> None:
    peaks = (1e-3, 2e-3, 5e-3, 1e-2)
    for best in (2.2e-3, 3e-3, 5.5e-3):
        losses = [2 + 0.1 * math.log(peak / best) ** 2 for peak in peaks]
        assert family.best_peak(peaks, losses) == pytest.approx(best, rel=1e-9)
    assert family.best_peak(peaks, [1.0, 2.0, 3.0, 4.0]) == 1e-3
    assert family.best_peak(peaks, [4.0, 3.0, 2.0, 1.0]) == 1e-2


def test_the_rule_passes_through_both_peaks_of_the_sweep() -> None:
    losses = [[2 + math.log(peak / at) ** 2 for peak in TINY.peaks] for at in (1e-3, 2e-3)]
    sweep = family.summarize_sweep(TINY, losses)
    assert family.peak_of(16, sweep) == 1e-3
    assert family.peak_of(32, sweep) == 2e-3
    assert family.peak_of(64, sweep) == 4e-3
    assert sweep["power"] == pytest.approx(1)


def test_a_law_is_recovered_from_a_grid_and_from_draws_of_it(tmp_path: Path) -> None:
    runs = on_law(2e-3)
    laws = family.draw_laws(runs, "non_embedding", 1, block=20, folder=tmp_path)
    fit = family.summarize_fit(runs, "non_embedding", laws)
    assert fit["resamples"] == len(laws) == 20
    assert fit["rms"] < 3e-3
    for floor in (fit["law"]["e"], np.median([law.e for law in laws])):
        assert floor == pytest.approx(LAW.e, abs=0.1)
    assert fit["law"]["alpha"] == pytest.approx(LAW.alpha, abs=0.03)
    assert fit["law"]["beta"] == pytest.approx(LAW.beta, abs=0.03)
    assert len({law.alpha for law in laws}) > 10  # the draws differ


def test_intervals_are_the_middle_of_the_laws() -> None:
    laws = [replace(LAW, alpha=0.3, beta=beta) for beta in np.linspace(0.2, 0.6, 401)]
    found = family.summarize_fit(on_law(), "non_embedding", laws)
    assert found["law"] == pytest.approx(asdict(LAW), rel=1e-4)
    assert found["intervals"]["beta"] == pytest.approx([0.21, 0.59])
    assert found["intervals"]["n_exponent"] == pytest.approx([0.21 / 0.51, 0.59 / 0.89])
    assert found["intervals"]["d_exponent"] == pytest.approx([0.3 / 0.89, 0.3 / 0.51])
    assert found["intervals"]["e"] == [LAW.e, LAW.e]


def test_floors_are_kept_up_to_the_limit_of_the_likelihood_ratio() -> None:
    # With 12 runs the limit is exp(3.8415 / 24) = 1.1736 times the least.
    floors = [{"floor": f, "rms": rms} for f, rms in [(0.1, 1.18), (0.2, 1), (0.3, 1.17), (0.4, 2)]]
    assert family.floor_interval(floors, 12) == [0.2, 0.3]
    assert family.floor_interval(floors, 11) == [0.1, 0.3]


def test_twelve_runs_decide_less_than_the_limit_for_many_says(stored: dict[str, Any]) -> None:
    left = len(stored["runs"]) - 5
    rms = np.array([row["rms"] for row in stored["floors"]])
    apart = left * ((rms / rms.min()) ** 2 - 1)
    assert np.all(apart < stats.f.ppf(0.95, 1, left))
    assert stored["floor_interval"][1] < stored["floors"][-1]["floor"]


def test_draws_that_follow_no_law_are_left_out(tmp_path: Path) -> None:
    rising = [run | {"loss": 1 / run["loss"]} for run in on_law()]
    assert family.draw_laws(rising, "non_embedding", 1, block=1, folder=tmp_path) == []


def test_a_forecast_is_the_laws_and_the_interval_of_a_run_adds_its_noise() -> None:
    truth = float(chinchilla_loss(1e6, 2e6, LAW))
    exact = family.forecast(LAW, [LAW] * 9, np.zeros(16), 1_000_000, 2_000_000)
    assert [exact["loss"], *exact["of_law"], *exact["of_run"]] == pytest.approx([truth] * 5)
    errors = np.resize([-0.1, 0.1], 16)
    found = family.forecast(LAW, [LAW] * 400, errors, 1_000_000, 2_000_000)
    wide = 0.1 * math.sqrt(16 / 11)
    assert found["of_law"] == pytest.approx([truth] * 2)
    assert np.log(np.array(found["of_run"]) / truth) == pytest.approx([-wide, wide])


def test_a_fit_above_the_true_floor_finds_the_law() -> None:
    found = family.fit_above_floor(*family.columns(on_law(), "non_embedding"), LAW.e)
    assert found["alpha"] == pytest.approx(LAW.alpha, rel=0.01)
    assert found["beta"] == pytest.approx(LAW.beta, rel=0.01)
    assert found["a"] == pytest.approx(LAW.a, rel=0.1)
    assert found["rms"] < 1e-4


@pytest.mark.parametrize("floor", [0.0, 0.6])
def test_a_fit_above_a_false_floor_is_as_good_as_scipys(floor: float) -> None:
    n, d, losses = family.columns(on_law(2e-3), "non_embedding")
    found = family.fit_above_floor(n, d, losses, floor)

    def relative(theta: Any) -> Any:
        a, b, alpha, beta = theta
        scaled = np.exp(a) * (n / 1e5) ** -alpha + np.exp(b) * (d / 1e6) ** -beta
        return (floor + scaled) / losses - 1

    start = [math.log(found["a"] * 1e5 ** -found["alpha"]), 0.0, 0.3, 0.1]
    best = math.sqrt(np.mean(optimize.least_squares(relative, start, xtol=1e-12).fun ** 2))
    assert best <= found["rms"] * (1 + 1e-6)
    assert found["rms"] == pytest.approx(best, rel=0.03)  # the exponents are on a grid


def test_slopes_are_constant_without_a_floor_and_shrink_with_one() -> None:
    runs = on_law()
    for run in runs:
        run["pure"] = run["non_embedding"] ** -0.2 * run["tokens"] ** -0.1
    pure = family.slopes([run | {"loss": run["pure"]} for run in runs])
    assert pure["in_size"] == pytest.approx([0.2] * 3)
    assert pure["in_data"] == pytest.approx([0.1] * 3)
    curved = family.slopes(runs)["in_size"]
    assert curved == sorted(curved, reverse=True)
    assert curved[0] > 1.5 * curved[-1]


def test_noise_is_pooled_within_cells() -> None:
    losses = [("a", 1.0), ("a", 3.0), ("b", 10.0), ("b", 10.0), ("b", 13.0), ("c", 5.0)]
    runs = [{"width": cell, "steps": 1, "loss": math.exp(loss)} for cell, loss in losses]
    found = family.pooled_noise(runs)
    assert found["freedom"] == 3  # 2 + 3 runs in two cells; a single run says nothing
    assert found["noise"] == pytest.approx(math.sqrt((2 + 6) / 3))


def test_the_allocation_is_the_least_loss_at_its_compute() -> None:
    found = family.allocate(200_000, 1_000_000, LAW, [LAW, LAW])
    assert found["flops"] == 6 * 200_000 * 1_000_000
    n = np.geomspace(1e3, 1e7, 200_001)
    losses = chinchilla_loss(n, found["flops"] / (6 * n), LAW)
    assert found["n_parameters"]["value"] == pytest.approx(n[np.argmin(losses)], rel=1e-3)
    spent = 6 * found["n_parameters"]["value"] * found["n_tokens"]["value"]
    assert spent == pytest.approx(found["flops"])


def test_distinct_positions_are_counted_by_drawing_the_windows_again() -> None:
    cell = family.Cell(16, 7, 0, 1e-3, 2, 8)
    text = np.arange(60)
    windows = batches(text, batch=2, length=8, rng=family.begin(cell).rng)
    targets = {int(t) for _ in range(7) for row in next(windows) for t in row[1:]}
    assert family.distinct(cell, 60) == len(targets) < 7 * 2 * 8


# --- The order of the work -------------------------------------------------------------------


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, _, test = family.texts(500)
    cell = family.Cell(16, 12, 0, 5e-3, 4, 16)
    whole = family.run_cell(cell, text, test, tmp_path / "whole", every=4)
    assert whole["loss"] < math.log(len(alphabet())) - 0.3

    def killed(path: Path, run: Any) -> Any:
        if run.moments.n_steps == 8:
            raise KeyboardInterrupt
        return save_checkpoint(path, run)

    with monkeypatch.context() as patch:
        patch.setattr("experiments.scaling_family.save_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            family.run_cell(cell, text, test, tmp_path / "killed", every=4)
    again = family.run_cell(cell, text, test, tmp_path / "killed", every=4)
    assert again | {"machine": None} == whole | {"machine": None}
    path = family.place(tmp_path / "whole", cell)
    path.rename(family.place(tmp_path / "whole", replace(cell, repeat=1, peak=1e-3)))
    with pytest.raises(ValueError, match="another run is stored there"):
        family.run_cell(replace(cell, repeat=1, peak=1e-3), text, test, tmp_path / "whole")


def lawful(seen: list[str], *, die: bool = False) -> Callable[..., dict[str, Any]]:
    """Train as the experiment does, but report losses that follow the law; note the forecast."""
    real = family.run_cell

    def run_cell(cell: family.Cell, text: Any, test: Any, folder: Path) -> dict[str, Any]:
        note = folder / "forecast.json"
        seen.append(f"{cell.width}-{cell.steps}-{cell.repeat} {note.exists()}")
        if die and (cell.width, cell.steps) == TINY.largest:
            raise KeyboardInterrupt
        found = real(cell, text, test, folder)
        loss = float(chinchilla_loss(found["non_embedding"], found["tokens"], LAW))
        noise = 1e-3 * math.sin(cell.width * cell.steps)
        tried = 0.01 * math.log(cell.peak / 2e-3) ** 2 if cell.steps == TINY.sweep_steps else 0.0
        return found | {"loss": loss * math.exp(noise) + tried}

    return run_cell


def test_the_forecast_is_written_before_the_largest_run_and_an_interruption_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the fit finds is tested above, and takes long on so few runs.
    monkeypatch.setattr(family, "fit_scaling_law", lambda *_: ScalingFit(LAW, 0.0))
    monkeypatch.setattr(
        family, "bootstrap_scaling_laws", lambda *_, n_samples, **_rng: [LAW] * n_samples
    )
    monkeypatch.setattr(family, "FLOORS", (0.0, 0.5))
    places = {"checkpoints": tmp_path / "runs", "parts": tmp_path / "parts"}
    first: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(family, "run_cell", lawful(first, die=True))
        with pytest.raises(KeyboardInterrupt):
            family.measure(TINY, **places)
    assert first[-1] == "64-16-0 True"
    assert not any("True" in line for line in first[:-1])
    written = json.loads((tmp_path / "runs" / "forecast.json").read_text(encoding="utf-8"))

    second: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(family, "run_cell", lawful(second))
        found = record.plain(family.measure(TINY, **places))
        assert second == ["64-16-0 True"]  # what was finished is kept
        other = {"checkpoints": tmp_path / "other", "parts": tmp_path / "other parts"}
        whole = record.plain(family.measure(TINY, **other))
    assert found | {"machine": None} == whole | {"machine": None}
    assert found["machine"]["forecast_written"] == written["written"]
    assert found["forecast"] == written["forecast"]
    truth = chinchilla_loss(found["largest"]["non_embedding"], found["largest"]["tokens"], LAW)
    assert found["forecast"]["loss"] == pytest.approx(float(truth), rel=1e-5)
    assert found["error"] == pytest.approx(
        math.log(found["largest"]["loss"] / found["forecast"]["loss"]), abs=1e-5
    )
    assert found["sweep"]["best"] == pytest.approx([2e-3] * 2, rel=0.01)
    assert len(found["runs"]) == 9
    assert found["freedom"] == 2


def test_a_forecast_is_not_changed_and_not_made_up_later(tmp_path: Path) -> None:
    note = tmp_path / "forecast.json"
    when = family.write_once(note, {"loss": 1.5})
    assert family.write_once(note, {"loss": 1.5}) == when
    with pytest.raises(ValueError, match="another forecast was written"):
        family.write_once(note, {"loss": 1.6})
    note.unlink()
    (tmp_path / "64-16-0-0.001.npz").touch()
    with pytest.raises(ValueError, match="the largest run began without a forecast"):
        family.measure(TINY, checkpoints=tmp_path, parts=tmp_path)


# --- What is stored --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("scaling_family")


def test_the_stored_family_is_the_planned_one(stored: dict[str, Any]) -> None:
    plan = family.PLAN
    cells = [(run["width"], run["steps"]) for run in stored["runs"]]
    assert cells == [(w, s) for w in plan.widths for s in plan.steps]
    assert len(cells) >= 12
    assert [(run["width"], run["steps"]) for run in stored["repeats"]] == [
        cell for cell in plan.repeated for _ in plan.repeats
    ]
    assert (
        stored["train_bytes"] + stored["valid_bytes"]
        == sum(len(austen(novel).encode()) for novel in NOVELS[:-1]) + 2 * 4
    )
    for run in [*stored["runs"], *stored["repeats"], stored["largest"], stored["check"]]:
        c, heads = run["width"], run["width"] // 16
        f = {16: 48, 32: 96, 64: 176, 112: 304}[c]
        a_layer = c * 16 * (heads + 2) + 16 * heads * c + 3 * c * f + 2 * c
        assert run["non_embedding"] == 2 * a_layer + c
        assert run["total"] == run["non_embedding"] + 82 * c
        assert run["tokens"] == 512 * run["steps"]
        assert run["peak"] == family.peak_of(c, stored["sweep"])
        # Windows fall anywhere, so a byte is missed with probability exp(-D/U).
        fresh = stored["train_bytes"] * -math.expm1(-run["tokens"] / stored["train_bytes"])
        assert run["distinct"] == pytest.approx(fresh, rel=0.03)
        assert run["distinct"] < run["tokens"] < stored["train_bytes"]


def test_the_stored_rule_follows_from_the_stored_sweep(stored: dict[str, Any]) -> None:
    again = family.summarize_sweep(family.PLAN, stored["sweep"]["loss"])
    assert not list(record.differences(stored["sweep"], record.plain(again)))


def test_draws_find_a_constant_that_the_fit_has_lost(stored: dict[str, Any]) -> None:
    """The fit to all runs drives E to 0, where log E has no slope; some draws must leave it."""
    assert stored["fits"]["non_embedding"]["law"]["e"] < 1e-6
    data = family.columns(stored["runs"], "non_embedding")
    laws = bootstrap_scaling_laws(*data, n_samples=8, rng=np.random.default_rng(1))
    constants = [law.e for law in laws]
    assert min(constants) < 1e-6
    assert max(constants) > 0.1


def test_the_stored_fit_comes_out_of_the_stored_losses(stored: dict[str, Any]) -> None:
    for count in family.COUNTS:
        n, d, losses = family.columns(stored["runs"], count)
        fit = stored["fits"][count]
        found = fit_scaling_law(n, d, losses)
        assert found.objective == pytest.approx(fit["objective"], rel=2e-3)
        assert asdict(found.law) == pytest.approx(fit["law"], rel=2e-2, abs=1e-6)
        left = family.residuals(ScalingLaw(**fit["law"]), n, d, losses)
        assert fit["rms"] == pytest.approx(math.sqrt(np.mean(left**2)), rel=1e-3)
        assert set(fit["intervals"]) == {"e", "a", "b", "alpha", "beta", "n_exponent", "d_exponent"}
        for low, high in fit["intervals"].values():
            assert low < high
        assert 0 < fit["resamples"] <= family.PLAN.blocks * family.PLAN.block
    pooled = family.pooled_noise([*stored["runs"], *stored["repeats"]])
    assert stored["noise"] == pytest.approx(pooled["noise"], rel=1e-2)
    floors = family.summarize_floors(
        stored["runs"], stored["largest"]["non_embedding"], stored["largest"]["tokens"]
    )
    assert not list(record.differences(stored["floors"], record.plain(floors)))
    assert stored["floor_interval"] == family.floor_interval(floors, len(stored["runs"]))


def test_the_stored_forecast_was_written_before_the_largest_run(stored: dict[str, Any]) -> None:
    machine, largest, forecast = stored["machine"], stored["largest"], stored["forecast"]
    written, began, ended = (
        datetime.fromisoformat(machine[name])
        for name in ("forecast_written", "largest_began", "largest_ended")
    )
    assert written <= began < ended
    assert largest["non_embedding"] > max(run["non_embedding"] for run in stored["runs"])
    assert largest["tokens"] > max(run["tokens"] for run in stored["runs"])
    law = ScalingLaw(**stored["fits"]["non_embedding"]["law"])
    predicted = float(chinchilla_loss(largest["non_embedding"], largest["tokens"], law))
    assert forecast["loss"] == pytest.approx(predicted, rel=1e-4)
    assert stored["error"] == pytest.approx(math.log(largest["loss"] / predicted), abs=1e-4)
    for name, inside in stored["inside"].items():
        low, high = forecast[name]
        assert inside == (low <= largest["loss"] <= high)
    assert forecast["without_constant"] == stored["floors"][0]["forecast"]


def test_the_cheapest_stored_run_comes_out_again(stored: dict[str, Any], tmp_path: Path) -> None:
    check, plan = stored["check"], family.PLAN
    text, _, test = family.texts(plan.test_bytes)
    cell = family.Cell(*plan.check, 0, check["peak"], plan.batch, plan.length)
    found = family.run_cell(cell, text, test, tmp_path)
    assert found["loss"] == pytest.approx(check["loss"], rel=2e-3)
    assert found["distinct"] == check["distinct"]
