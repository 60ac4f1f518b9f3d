"""Training in 16 bits: rounding by hand, failures that must happen, and what was stored."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments import low_precision_training as low
from experiments import record
from primer_ref.autodiff import grad
from primer_ref.config import Config
from primer_ref.mixed_precision import vanishing_update
from primer_ref.numerics import BF16, FP16, FP32
from primer_ref.training import Recipe, batches, loss, start, train

STORED: dict[str, Any] = record.load("low_precision_training")
RUNS = {(run["trial"], run["scheme"]["name"], run["rate"]): run for run in STORED["runs"]}
SCHEMES = {scheme.name: scheme for scheme in (*low.SCRATCH, *low.LATE)}
PEAK = low.RECIPE.peak

TINY = Config(
    n_layers=1,
    width=16,
    n_heads=2,
    n_kv_heads=1,
    head_size=8,
    hidden=32,
    n_tokens=10,
    context=8,
)
RECIPE = Recipe(n_steps=12, batch=2, length=8, peak=0.01, warmup=3)
TEXT = np.arange(300) % 10


def tiny(recipe: Recipe = RECIPE) -> Any:
    return start(TINY, recipe, rng=np.random.default_rng(0))


def scratch(name: str) -> dict[str, Any]:
    run: dict[str, Any] = RUNS["scratch", name, PEAK]
    return run


# --- Cases with known answers ----------------------------------------------------------------


def test_values_and_gradients_are_rounded() -> None:
    x = np.array([1.0, 2.0], np.float32)
    factor = np.array([1 + 2**-12, 2.0**-30], np.float32)
    np.testing.assert_array_equal(low.stored(x + 2**-12, FP16), x)
    # In half precision the first factor is 1, and the second, below 2^-25, is 0.
    gradient = grad(lambda a: np.sum(low.stored(a, FP16) * factor))(x)
    np.testing.assert_array_equal(gradient, [1, 0])
    gradient = grad(lambda a: np.sum(low.stored(a, BF16) * factor))(x)
    np.testing.assert_array_equal(gradient, [1, 2.0**-30])


def test_in_float32_training_is_the_packages_own() -> None:
    run, found = low.train_with(low.BASE, tiny(), TEXT)
    records = list(train(tiny(), TEXT))
    for ours, theirs in zip(low.flat(run.weights), low.flat(records[-1][0].weights), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    first = np.mean([entry.loss for _, entry in records[: low.EVERY]])
    assert found["curve"][0] == pytest.approx(first, rel=1e-5)
    assert found["vanished"] == 0


def test_the_scaled_gradient_is_the_scaled_gradient() -> None:
    run, tokens = tiny(), TEXT[:18].reshape(2, 9)
    value, gradient = low.scaled_gradient(run.weights, TINY, tokens, FP32, 8.0)
    expected = low.flat(grad(loss)(run.weights, TINY, tokens))
    np.testing.assert_allclose(low.flat(gradient), 8 * expected, rtol=1e-5, atol=1e-7)
    assert value == pytest.approx(float(loss(run.weights, TINY, tokens)), rel=1e-6)


def test_a_scale_that_is_a_power_of_two_changes_nothing_in_float32() -> None:
    plain, _ = low.train_with(low.BASE, tiny(), TEXT)
    scaled, _ = low.train_with(replace(low.BASE, log2_scale=-24), tiny(), TEXT)
    np.testing.assert_allclose(low.flat(scaled.weights), low.flat(plain.weights), atol=1e-6)


def test_averages_are_kept_in_their_format() -> None:
    run, _ = low.train_with(SCHEMES["float16, averages too"], tiny(), TEXT)
    square = low.flat(run.moments.square)
    np.testing.assert_array_equal(square, square.astype(np.float16))
    assert np.mean(square == 0) > 0.01  # squares of small gradients underflow
    run, _ = low.train_with(SCHEMES["float16, bfloat16 averages"], tiny(), TEXT)
    assert np.mean(low.flat(run.moments.square) == 0) < 0.01


def test_what_is_left_of_a_gradient_is_compared_with_the_whole() -> None:
    exact = np.array([3.0, 4.0, 0.0, 1e-9])
    assert low.compare(np.array([3.0, 4.0, 0.0, 0.0]), exact) == {
        "zero": 0.5,
        "not_finite": 0.0,
        "cosine": pytest.approx(1),
    }
    assert low.compare(np.array([4.0, -3.0, 0.0, 0.0]), exact)["cosine"] == pytest.approx(0)
    assert low.compare(np.zeros(4), exact)["cosine"] is None
    assert low.compare(np.array([np.inf, 1.0, 1.0, np.nan]), exact)["not_finite"] == 0.5


def test_exponents_are_counted() -> None:
    shares = low.exponent_shares(np.array([0.0, 1.0, -1.5, 0.25, 1e-30]))
    found = {low.EXPONENTS[i]: share for i, share in enumerate(shares) if share}
    assert found == {0: 0.5, -2: 0.25, low.EXPONENTS[0]: 0.25}


def test_an_update_below_half_the_gap_is_counted_as_vanished() -> None:
    # Without decay a step of Adam at the start is the rate, whatever the gradient.
    recipe = replace(RECIPE, n_steps=1, warmup=0, peak=1e-4, floor=1e-4, decay=0.0)
    run = tiny(recipe)
    _, found = low.train_with(SCHEMES["bfloat16, nearest"], run, TEXT)
    weights = low.flat(low.keep(SCHEMES["bfloat16, nearest"], run.weights, run.rng))
    stuck = np.mean(vanishing_update(weights, BF16) > 1e-4)
    assert 0.02 < stuck < 0.98
    assert found["vanished"] == pytest.approx(stuck, abs=0.05)  # ties, and gaps of two sizes


def test_no_gradient_is_left_at_a_tiny_scale_and_a_huge_one_overflows() -> None:
    tiny_scale = replace(SCHEMES["float16, scale 2^0"], log2_scale=-40)
    _, found = low.train_with(tiny_scale, tiny(replace(RECIPE, decay=0.0)), TEXT)
    assert (found["zero"], found["largest_change"], found["stopped_at"]) == (1, 0, None)
    huge = replace(SCHEMES["float16, scale 2^0"], log2_scale=40)
    assert low.train_with(huge, tiny(), TEXT)[1]["stopped_at"] == 1
    dynamic = replace(huge, dynamic=True)
    _, found = low.train_with(dynamic, tiny(replace(RECIPE, n_steps=40)), TEXT)
    assert found["stopped_at"] is None
    assert found["last_log2_scale"] >= 40 - found["left_out"]
    assert 15 < found["left_out"] < 35


# --- It comes out again ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def text() -> Any:
    return low.read_texts()[0]


@pytest.mark.parametrize(
    "name", ["float32", "float16, scale 2^-16", "float16, scale 2^18", "float16, dynamic scale"]
)
def test_the_first_steps_of_stored_runs_come_out_again(name: str, text: Any) -> None:
    # Warm-up does not depend on how long the run is.
    recipe = replace(low.RECIPE, n_steps=low.EVERY + 13, warmup=low.RECIPE.warmup)
    run = start(low.CONFIG, recipe, rng=np.random.default_rng(low.SEED))
    _, found = low.train_with(SCHEMES[name], run, text)
    stored = scratch(name)
    if found["stopped_at"] is None:
        assert found["curve"][:2] == pytest.approx(stored["curve"][:2], abs=5e-3)
    else:
        assert found["stopped_at"] == stored["stopped_at"][0]
        assert found["curve"] == pytest.approx(stored["curve"], abs=5e-3)


def test_the_stored_anatomy_before_training_comes_out_again(text: Any) -> None:
    stored = STORED["anatomy"]["before"]
    first = start(low.CONFIG, low.RECIPE, rng=np.random.default_rng(low.SEED))
    rng = np.random.default_rng((low.SEED, 2))
    tokens = next(batches(text, batch=low.RECIPE.batch, length=low.RECIPE.length, rng=rng))
    exact = low.flat(low.scaled_gradient(first.weights, low.CONFIG, tokens, FP32, 1.0)[1])
    assert np.linalg.norm(exact) == pytest.approx(stored["norm"], rel=2e-3)
    place = stored["log2_scale"].index(-12)
    rounded = low.scaled_gradient(first.weights, low.CONFIG, tokens, FP16, 2.0**-12)[1]
    found = low.compare(low.flat(rounded), exact.astype(np.float64))
    for key, value in found.items():
        assert value == pytest.approx(stored["formats"]["float16"][key][place], abs=5e-3)


# --- What was stored -------------------------------------------------------------------------


def test_the_stored_runs_are_whole() -> None:
    assert Config(**STORED["config"]) == low.CONFIG
    assert Recipe(**STORED["recipe"]) == low.RECIPE
    assert STORED["tokens_a_step"] == low.RECIPE.batch * low.RECIPE.length
    assert len(RUNS) == len(low.SCRATCH) + len(low.LATE) * len(low.LATE_RATES)
    n = len(STORED["seeds"])
    assert n >= 3
    for (trial, name, _), run in RUNS.items():
        assert low.Scheme(**run["scheme"]) == SCHEMES[name]
        steps = low.RECIPE.n_steps if trial == "scratch" else low.LATE_STEPS
        assert len(run["held_out"]) == len(run["stopped_at"]) == n
        if run["stopped_at"][0] is None:
            assert len(run["curve"]) == math.ceil(steps / low.EVERY)
        ended = [loss for loss in run["held_out"] if loss is not None]
        assert run["stopped_at"].count(None) == len(ended)
        if len(ended) > 1:
            assert run["held_out_mean"]["value"] == pytest.approx(np.mean(ended), rel=1e-4)


def test_without_a_scale_that_fits_half_precision_stalls_or_stops() -> None:
    stalled = scratch("float16, scale 2^-20")
    assert min(stalled["zero"]) > 0.99
    assert min(stalled["held_out"]) > math.log(82) - 0.1  # as good as no training: it stalls
    assert all(scratch("float16, scale 2^18")["stopped_at"])  # it stops
    dynamic = scratch("float16, dynamic scale")
    assert dynamic["stopped_at"] == [None] * len(STORED["seeds"])
    assert dynamic["held_out_mean"]["high"] < stalled["held_out_mean"]["low"] - 1
    assert min(dynamic["left_out"]) > 0


def test_adam_forgives_most_zeros() -> None:
    starved = scratch("float16, scale 2^-16")
    assert min(starved["zero"]) > 0.9
    assert starved["excess"]["low"] > 0
    assert starved["held_out_mean"]["high"] < math.log(82) - 0.5  # it learns all the same


def test_averages_in_half_precision_diverge_and_in_bfloat16_do_not() -> None:
    averages = scratch("float16, averages too")
    assert all(averages["stopped_at"])
    assert min(averages["largest_change"]) > 100
    mended = scratch("float16, bfloat16 averages")
    assert mended["stopped_at"] == [None] * len(STORED["seeds"])
    assert max(mended["largest_change"]) < 10


def test_a_late_run_without_a_master_copy_loses_most_updates() -> None:
    for rate in low.LATE_RATES:
        nearest = RUNS["late", "bfloat16, nearest", rate]
        assert min(nearest["vanished"]) > 0.6
        assert max(RUNS["late", "bfloat16, master copy", rate]["vanished"]) < 0.01
        assert nearest["excess"]["low"] > 0
        for name in ("bfloat16, master copy", "bfloat16, stochastic"):
            assert RUNS["late", name, rate]["excess"]["high"] < nearest["excess"]["low"]
        gains = {each["name"]: each["gain"] for each in STORED["gain"] if each["rate"] == rate}
        assert gains["float32"]["value"] > gains["bfloat16, nearest"]["value"]


def test_a_gradient_survives_between_underflow_and_overflow() -> None:
    for moment in ("before", "after"):
        table = STORED["anatomy"][moment]
        half, brain = table["formats"]["float16"], table["formats"]["bfloat16"]
        assert half["zero"][0] > 0.99
        assert half["not_finite"][-1] > 0
        middle = table["log2_scale"].index(8)
        assert half["cosine"][middle] > 0.999
        assert half["cosine"][middle] > brain["cosine"][middle]  # three digits more
        assert max(brain["zero"]) < 0.01
        assert not any(brain["not_finite"])
        for kind in ("weights", "logits"):
            assert sum(table["exponents"][kind]) == pytest.approx(1, abs=1e-4)
