"""The reliability of the next-token predictions: by hand, stored, and a part of it again."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special, stats

from experiments import record
from experiments import reliability_diagram as measured
from primer_ref import llama
from primer_ref.calibration import equal_mass_bins, equal_width_bins


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("reliability_diagram")


def predictions(confidence: Any, right: Any) -> dict[str, Any]:
    one = {"confidence": confidence, "right": right, "loss": -np.log(confidence)}
    return {"plain": one, "scaled": one}


# --- By hand ---------------------------------------------------------------------------------


def test_predictions_are_those_of_the_softmax_at_the_temperature() -> None:
    logits = np.log(np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]))
    found = measured.predictions(logits, np.array([1, 2]), 0.5)
    p = special.softmax(2 * logits, axis=1)
    np.testing.assert_allclose(found["confidence"], p.max(1))
    np.testing.assert_array_equal(found["right"], [0, 1])
    np.testing.assert_allclose(found["loss"], -np.log([p[0, 1], p[1, 2]]))


def test_the_curve_finds_the_minimum_of_a_parabola_and_nearly_that_of_a_loss() -> None:
    beta = 1 / np.array(measured.TEMPERATURES)
    assert measured.curve_minimum(3 + 2 * (beta - 0.92) ** 2) == pytest.approx(1 / 0.92)
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(400, 20))
    p = special.softmax(logits / 1.12, axis=1)
    targets = np.array([rng.choice(20, p=row) for row in p])

    def loss(tau: float) -> float:
        log_p = special.log_softmax(logits / tau, axis=1)
        return -float(log_p[np.arange(400), targets].mean())

    best = optimize.minimize_scalar(loss, bounds=(0.9, 1.3), method="bounded").x
    curve = np.array([loss(tau) for tau in measured.TEMPERATURES])
    assert measured.curve_minimum(curve) == pytest.approx(best, abs=2e-3)


def test_the_parts_of_the_brier_score_add_up() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(500)
    right = (rng.random(500) < confidence**2).astype(float)
    parts = measured.brier_parts(confidence, right)
    assert parts["binned"] + parts["rest"] == pytest.approx(np.mean((confidence - right) ** 2))
    assert parts["unbinned_reliability"] == pytest.approx(np.mean((confidence - right) ** 2))
    order = np.argsort(confidence)
    chunks = [(confidence[part], right[part]) for part in np.array_split(order, measured.N_BINS)]
    by_hand = np.mean([(c.mean() - y.mean()) ** 2 for c, y in chunks])  # all bins hold 50
    assert parts["reliability"] == pytest.approx(by_hand)


@pytest.mark.parametrize("gather", [equal_mass_bins, equal_width_bins])
def test_a_calibrated_model_shows_the_error_that_chance_gives(gather: Any) -> None:
    confidence = np.linspace(0.02, 0.98, 600)
    mean = measured.simulate(confidence, gather, 10, 400).mean()
    per_bin = [
        np.sqrt(2 / np.pi * np.mean(part * (1 - part)) / len(part))
        for part in np.array_split(confidence, 10)
    ]
    assert mean == pytest.approx(np.mean(per_bin), rel=0.05)


def test_passages_not_tokens_are_resampled() -> None:
    flags = [np.full(50, float(k % 2)) for k in range(40)]  # all of a passage right, or wrong
    sample = measured.Sample([predictions(np.full(50, 0.5), flag) for flag in flags], 400)
    found = sample.mean("plain", "right")
    assert found.value == 0.5
    half = stats.norm.ppf(0.975) * 0.5 / np.sqrt(40)  # of 40 passages; 7 times that of 2,000 tokens
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.15)
    judged = measured.judge(sample, "plain")
    assert judged["design_effect"] == pytest.approx(50, rel=1e-2)


# --- What was stored -------------------------------------------------------------------------


@pytest.mark.model
def test_a_passage_of_each_kind_comes_out_again(stored: dict[str, Any], model: llama.Model) -> None:
    tau = stored["temperature"]["fitted"]
    thresholds = [entry["threshold"] for entry in stored["conformal"]]
    n_austen = sum(one["source"] == "austen" for one in stored["passages"])
    texts = measured.inputs(model, n_austen, len(measured.MODERN), stored["length"])
    judged = [one for one in stored["passages"] if one["half"] == "judged"]
    for number, passage in ((1, judged[0]), (len(texts) - 1, judged[-1])):
        again = measured.measure_passage(model, texts[number], tau, thresholds)
        summary = record.plain(measured.summarize(passage["source"], "judged", again))
        assert list(record.differences(passage, summary)) == []
        # The conformal sets hold what has at most the threshold's surprisal.
        for level, threshold in zip(measured.LEVELS, thresholds, strict=True):
            inside = again["plain"]["loss"] <= threshold
            assert np.mean(inside == again[str(level)]["covered"]) > 0.98


def test_halves_add_up_to_what_is_judged(stored: dict[str, Any]) -> None:
    passages = stored["passages"]
    for half, total in (("fit", "fit_tokens"), ("judged", "judged_tokens")):
        assert sum(one["tokens"] for one in passages if one["half"] == half) == stored[total]
    judged = [one for one in passages if one["half"] == "judged"]
    weights = [one["tokens"] for one in judged]
    for which, end in (("plain", ""), ("scaled", "_scaled")):
        for field in ("confidence", "loss"):
            mean = np.average([one[field + end] for one in judged], weights=weights)
            assert stored[which][field]["value"] == pytest.approx(mean, rel=1e-4)
    accuracy = np.average([one["accuracy"] for one in judged], weights=weights)
    for which in ("plain", "scaled"):  # dividing logits changes no answer
        assert stored[which]["accuracy"]["value"] == pytest.approx(accuracy, rel=1e-4)


@pytest.mark.parametrize("which", ["plain", "scaled"])
def test_errors_are_those_of_the_stored_bins(stored: dict[str, Any], which: str) -> None:
    for kind in ("width", "mass"):
        bins = stored[which][kind]
        counts, c, a = (np.array(bins[name]) for name in ("counts", "confidence", "accuracy"))
        assert counts.sum() == stored["judged_tokens"]
        weight = counts / counts.sum()
        assert bins["error"]["value"] == pytest.approx(weight @ np.abs(a - c), abs=1e-5)
        assert bins["largest"] == pytest.approx(np.abs(a - c).max(), abs=1e-5)
        chance = np.sqrt(2 * c * (1 - c) / (np.pi * counts))
        assert bins["expected"] == pytest.approx(weight @ chance, abs=1e-5)
        assert bins["simulated"]["mean"] == pytest.approx(bins["expected"], rel=0.1)
        for low, high, rights, n in zip(
            bins["low"], bins["high"], np.rint(a * counts), counts, strict=True
        ):
            wilson = stats.binomtest(int(rights), int(n)).proportion_ci(method="wilson")
            assert (low, high) == pytest.approx((wilson.low, wilson.high), abs=1e-5)
        if kind == "mass":
            assert np.ptp(counts) <= 1
            square = weight @ (a - c) ** 2
            assert stored[which]["square_error"] == pytest.approx(square, abs=1e-6)
            noise = weight @ (a * (1 - a) / (counts - 1))
            assert stored[which]["debiased"]["value"] == pytest.approx(square - noise, abs=1e-6)
    parts = stored[which]["brier_parts"]
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"]
    assert parts["binned"] == pytest.approx(total, abs=1e-6)
    assert parts["binned"] + parts["rest"] == pytest.approx(
        stored[which]["brier"]["value"], abs=1e-5
    )


def test_the_fitted_temperature_is_where_the_curve_is_lowest(stored: dict[str, Any]) -> None:
    found = stored["temperature"]
    losses = np.array(found["fit_loss"])
    assert found["curve"]["low"] < found["curve"]["value"] < found["curve"]["high"]
    # One from a quarter of the tokens, one from all of them.
    assert found["fitted"] == pytest.approx(found["curve"]["value"], abs=0.06)
    assert measured.curve_minimum(losses) == pytest.approx(found["curve"]["value"], abs=2e-3)
    assert 0 < np.argmin(losses) < len(losses) - 1
    slopes = np.diff(losses) / np.diff(1 / np.array(found["temperatures"]))
    assert np.all(np.diff(slopes[::-1]) > 0)  # convex in the inverse temperature


def test_more_bins_raise_the_plain_error_and_not_the_debiased_one(stored: dict[str, Any]) -> None:
    rows = stored["by_bins"]
    errors = [row["error"] for row in rows]
    assert errors[-1] > errors[0]
    assert [row["simulated"] for row in rows] == sorted(row["simulated"] for row in rows)
    spread = np.ptp([row["debiased"] for row in rows])
    assert spread < np.ptp([row["square_error"] for row in rows])
    few = stored["few_tokens"]
    assert few["error"] > stored["plain"]["mass"]["error"]["value"]


def test_conformal_sets_grow_with_the_level(stored: dict[str, Any]) -> None:
    rows = stored["conformal"]
    for one, other in itertools.pairwise(rows):
        assert one["threshold"] < other["threshold"]
        assert one["coverage"]["value"] < other["coverage"]["value"]
        assert one["size"]["value"] < other["size"]["value"]
    for row in rows:
        assert np.mean([third["coverage"] for third in row["thirds"]]) == pytest.approx(
            row["coverage"]["value"], abs=1e-3
        )
        assert 1 <= row["median"] <= row["largest"] <= 49152
