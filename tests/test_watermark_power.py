"""The watermark's strength: sums over all green lists, exact binomial laws, edited texts."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from primer_ref.functional import softmax
from primer_ref.watermark import detect, favor_green
from primer_ref.watermark_power import (
    detection_power,
    expected_z,
    green_after_edits,
    green_floor,
    green_probability,
    tokens_needed,
)
from tests.draws import watermarked

V = 64

seeds = st.integers(0, 2**32 - 1)
biases = st.floats(0, 6)
shares = st.floats(0.05, 0.95)


@given(seeds, biases)
@pytest.mark.equation("eq-green-probability")
def test_green_probability_is_that_of_the_biased_softmax(seed: int, bias: float) -> None:
    rng = np.random.default_rng(seed)
    logits, green = rng.normal(size=7) * 2, rng.random(7) < 0.5
    biased = softmax(favor_green(logits, green, bias=bias))
    got = green_probability(softmax(logits), green, bias=bias)
    assert got == pytest.approx(biased[green].sum(), abs=1e-12)


@settings(max_examples=40)
@given(seeds, biases, st.integers(1, 5))
@pytest.mark.equation("eq-green-floor")
def test_the_floor_holds_in_the_mean_over_all_green_lists(
    seed: int, bias: float, size: int
) -> None:
    p = np.random.default_rng(seed).dirichlet(np.full(6, 0.4))
    lists = np.array(
        [[v in chosen for v in range(6)] for chosen in itertools.combinations(range(6), size)]
    )
    mean = float(np.mean(green_probability(p, lists, bias=bias)))
    floor = float(green_floor(p, fraction=size / 6, bias=bias))
    assert size / 6 - 1e-12 <= floor <= mean + 1e-12


def test_the_floor_is_reached_by_a_sure_model_and_nearly_by_one_that_knows_nothing() -> None:
    assert green_floor([1, 0, 0, 0], fraction=0.25, bias=3.0) == pytest.approx(0.25)
    n = 100_000
    alpha = math.exp(3)
    best = 0.25 * alpha / (1 + (alpha - 1) * 0.25)
    assert green_floor(np.full(n, 1 / n), fraction=0.25, bias=3.0) == pytest.approx(best, rel=1e-4)
    half = np.arange(n) < n / 4
    exact = green_probability(np.full(n, 1 / n), half, bias=3.0)
    assert exact == pytest.approx(best, rel=1e-9)


@pytest.mark.equation("eq-green-probability")
@pytest.mark.equation("eq-green-floor")
@pytest.mark.parametrize("bias", [300.0, 800.0, math.inf])
def test_an_endless_bias_takes_green_wherever_it_can(bias: float) -> None:
    law = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]
    got = green_probability(law, [False, True, True], bias=bias)
    np.testing.assert_array_equal(got, [0, 1, 1])
    # Two tokens and half of them green: one of the two always is, and the floor is below that.
    floor = green_floor([[0.5, 0.5], [1.0, 0.0]], fraction=0.5, bias=bias)
    np.testing.assert_allclose(floor, [2 / 3, 1 / 2], rtol=1e-12)


@pytest.mark.parametrize(("green", "fraction"), [(0.7, 0.5), (0.6, 0.25), (0.85, 0.5)])
@pytest.mark.equation("eq-watermark-power")
def test_power_is_near_the_exact_binomial_one(green: float, fraction: float) -> None:
    for n in (100, 400, 1600):
        # The normal law has no steps: half a step is the best threshold to compare at.
        edge = fraction * n + 4 * math.sqrt(n * fraction * (1 - fraction))
        count = math.ceil(edge)
        z = (count - 0.5 - fraction * n) / math.sqrt(n * fraction * (1 - fraction))
        exact = stats.binom(n, green).sf(count - 1)
        got = detection_power(n, green=green, fraction=fraction, threshold=z)
        assert got == pytest.approx(exact, abs=0.15 / math.sqrt(n) + 1e-3)


@given(shares, st.integers(1, 5000), st.floats(-3, 6))
def test_without_a_watermark_power_is_the_rate_of_false_alarms(
    fraction: float, n: int, threshold: float
) -> None:
    got = detection_power(n, green=fraction, fraction=fraction, threshold=threshold)
    assert got == pytest.approx(stats.norm.sf(threshold), rel=1e-6)


@given(st.floats(0.05, 0.6), st.floats(0.05, 0.35), st.floats(1, 8), st.floats(0.5, 0.999))
@pytest.mark.equation("eq-watermark-tokens")
def test_the_length_needed_has_the_power_asked_for(
    fraction: float, gain: float, threshold: float, power: float
) -> None:
    green = fraction + gain
    n = tokens_needed(green=green, fraction=fraction, threshold=threshold, power=power)
    for whole, sign in ((math.ceil(n), 1), (math.floor(n), -1)):
        if whole > 0:
            got = detection_power(whole, green=green, fraction=fraction, threshold=threshold)
            assert sign * (got - power) >= -1e-9
    half = tokens_needed(green=0.55, fraction=0.5, threshold=4, power=0.5)
    assert half == pytest.approx(4 * tokens_needed(green=0.6, fraction=0.5, threshold=4, power=0.5))


@given(shares, shares, st.integers(1, 10_000))
@pytest.mark.equation("eq-watermark-mean-z")
def test_expected_z_grows_as_the_root_of_the_length(green: float, fraction: float, n: int) -> None:
    one = expected_z(1, green=green, fraction=fraction)
    assert one == pytest.approx((green - fraction) / stats.bernoulli(fraction).std())
    assert expected_z(n, green=green, fraction=fraction) == pytest.approx(math.sqrt(n) * one)


@pytest.mark.parametrize("edited", [0.0, 0.25, 0.6])
@pytest.mark.equation("eq-green-edits")
def test_z_of_written_and_edited_texts_is_what_the_formulas_say(edited: float) -> None:
    rng, n, bias = np.random.default_rng(5), 120, 2.0
    found = []
    for k in range(40):
        key = bytes([k])
        text = watermarked(rng, n, n_tokens=V, key=key, bias=bias)
        replaced = np.where(rng.random(n + 1) < edited, rng.integers(V, size=n + 1), text)
        found.append(detect(replaced.tolist(), n_tokens=V, key=key, fraction=0.5))
    written = float(green_probability(np.full(V, 1 / V), np.arange(V) < V / 2, bias=bias))
    left = green_after_edits(written, fraction=0.5, edited=edited)
    scored = np.mean([detection.scored for detection in found])
    expected = expected_z(round(float(scored)), green=left, fraction=0.5)
    assert np.mean([detection.z for detection in found]) == pytest.approx(expected, abs=0.5)


@pytest.mark.equation("eq-green-edits")
def test_edits_leave_whole_pairs_only() -> None:
    assert green_after_edits(0.9, fraction=0.5, edited=0) == pytest.approx(0.9)
    assert green_after_edits(0.9, fraction=0.5, edited=1) == 0.5
    assert green_after_edits(0.9, fraction=0.5, edited=0.5) == pytest.approx(0.6)
