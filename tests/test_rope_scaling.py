"""Scaling rules of rotary frequencies: published values, fixed points, which pairs they slow."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.positions import rotary_frequencies, turns_at
from primer_ref.rope_scaling import (
    by_parts,
    dynamic_ntk,
    interpolate_positions,
    llama3_frequencies,
    ntk_aware,
    ntk_base,
    yarn_attention_scale,
    yarn_frequencies,
)

F = NDArray[np.float64]

# Head of 128, base 10,000: the setting of the published values.
THETA = rotary_frequencies(128)
factors = st.floats(1, 64)


@pytest.mark.equation("eq-position-interpolation")
@given(factors, st.integers(0, 10_000))
def test_interpolating_frequencies_is_interpolating_positions(factor: float, t: int) -> None:
    np.testing.assert_allclose(
        turns_at([t], interpolate_positions(THETA, factor=factor)),
        turns_at([t / factor], THETA),
        atol=1e-9,
    )


@pytest.mark.equation("eq-ntk")
@given(factors, st.sampled_from([4, 8, 64, 128]), st.floats(100, 1e6))
def test_ntk_aware_is_a_change_of_base(factor: float, size: int, base: float) -> None:
    theta = rotary_frequencies(size, base=base)
    np.testing.assert_allclose(
        ntk_aware(theta, factor=factor),
        rotary_frequencies(size, base=ntk_base(base, factor=factor, size=size)),
        rtol=1e-12,
    )
    np.testing.assert_allclose(ntk_aware(theta, factor=factor)[-1], theta[-1] / factor)


@pytest.mark.equation("eq-ntk-base")
def test_ntk_base_recomputes_the_published_bases() -> None:
    bases = [ntk_base(10000.0, factor=factor, size=128) for factor in (4, 8)]
    np.testing.assert_allclose(bases, [40890.0, 82684.6], rtol=2e-4)


@pytest.mark.equation("eq-dynamic-ntk")
def test_dynamic_ntk_recomputes_the_published_frequencies() -> None:
    theta = dynamic_ntk(THETA, factor=10, context=2048, length=16384)
    published = [0.80931, 0.65498, 0.0014176, 1.6265e-6]
    np.testing.assert_allclose(theta[[1, 2, 31, 63]], published, rtol=6e-5)


@given(st.floats(0, 2048))
def test_dynamic_ntk_changes_nothing_within_the_trained_context(length: float) -> None:
    theta = dynamic_ntk(THETA, factor=10, context=2048, length=length)
    np.testing.assert_array_equal(theta, THETA)


@pytest.mark.equation("eq-yarn")
def test_yarn_recomputes_the_published_frequencies() -> None:
    theta = yarn_frequencies(THETA, factor=10, context=2048)
    published = {
        16: 0.1,
        17: 0.083479,
        18: 0.06959,
        31: 0.005312,
        40: 0.00043007,
        41: 0.00027384,
        63: 1.1548e-5,
    }
    np.testing.assert_allclose(theta[list(published)], list(published.values()), rtol=6e-5)
    slowed = THETA / theta
    assert np.flatnonzero(slowed > 1 + 1e-12)[0] == 17  # the ramp starts after pair 16 …
    assert np.flatnonzero(slowed > 10 - 1e-9)[0] == 41  # … and ends at pair 41


def test_the_ramp_of_yarn_lies_where_pairs_make_32_turns_and_one() -> None:
    turns = 2048 * THETA / (2 * math.pi)
    assert turns[16] > 32 > turns[17]
    assert turns[40] > 1 > turns[41]


@given(factors, st.floats(300, 1e5), st.floats(1.5, 60), st.floats(0.3, 1.4))
def test_the_ramps_of_code_and_paper_agree_outside_and_differ_within(
    factor: float, context: float, fast: float, slow: float
) -> None:
    code = yarn_frequencies(THETA, factor=factor, context=context, fast=fast, slow=slow)
    paper = by_parts(THETA, factor=factor, context=context, fast=fast, slow=slow)
    turns = context * THETA / (2 * math.pi)
    # The code widens its ramp to whole pairs, at both ends.
    low, high = np.sum(turns > fast) - 1, np.sum(turns > slow)
    outside = (np.arange(64) <= low) | (np.arange(64) >= high)
    np.testing.assert_allclose(code[outside], paper[outside], rtol=1e-12)
    # Straight in the number of the pair lies above straight in the number of turns, but for what
    # the widening does near the ends.
    between = np.arange(64)[(np.arange(64) > low + 1) & (np.arange(64) < high - 1)]
    if len(between) > 8 and factor > 1.5:
        middle = between[len(between) // 2]
        assert code[middle] > paper[middle]


def test_where_no_pair_is_fast_the_ramp_of_yarn_is_a_step() -> None:
    theta = yarn_frequencies(THETA, factor=4, context=3)
    np.testing.assert_allclose(theta[1:], THETA[1:] / 4)
    assert theta[0] == THETA[0]  # though it makes less than a turn: the ramp begins at pair 0


@pytest.mark.equation("eq-yarn")
def test_the_ramp_of_the_code_begins_at_a_whole_number_and_may_slow_its_first_pair_more() -> None:
    code = THETA / yarn_frequencies(THETA, factor=4, context=4096)
    paper = THETA / by_parts(THETA, factor=4, context=4096, fast=32, slow=1)
    assert np.flatnonzero(code > paper * (1 + 1e-9)).tolist() == [21]
    np.testing.assert_allclose(THETA[20:23] * 4096 / (2 * math.pi), [36.7, 31.7, 27.5], atol=0.1)


@pytest.mark.equation("eq-ntk")
@given(st.floats(1.1, 64))
def test_a_change_of_base_lets_slow_pairs_leave_their_arcs_and_the_other_rules_do_not(
    factor: float,
) -> None:
    context = 2048.0
    slow = context * THETA < 2 * math.pi
    same = {"factor": factor, "context": context}
    rules = (
        interpolate_positions(THETA, factor=factor),
        by_parts(THETA, **same, fast=32, slow=1),
        yarn_frequencies(THETA, **same),
        llama3_frequencies(THETA, **same),
    )
    for theta in rules:
        np.testing.assert_allclose(factor * theta[slow], THETA[slow])
    by_base = factor * ntk_aware(THETA, factor=factor)[slow]
    assert np.all(by_base[:-1] > THETA[slow][:-1])


@pytest.mark.equation("eq-by-parts")
@given(factors, st.floats(10, 1e5), st.floats(0.1, 50), st.floats(1.01, 50))
def test_by_parts_keeps_fast_pairs_slows_slow_ones_and_is_continuous(
    factor: float, context: float, slow: float, ratio: float
) -> None:
    fast = slow * ratio

    def scaled(turns: F) -> F:
        theta = 2 * math.pi * turns / context
        return np.asarray(
            theta / by_parts(theta, factor=factor, context=context, fast=fast, slow=slow)
        )

    np.testing.assert_allclose(scaled(np.array([fast * 1.001, fast * 30])), 1)
    np.testing.assert_allclose(scaled(np.array([slow * 0.999, slow / 30])), factor)
    middle = scaled(np.array([(fast + slow) / 2, 1.0]))[0]
    np.testing.assert_allclose(middle, 1 / (0.5 + 0.5 / factor))
    for edge in (slow, fast):
        below, above = scaled(edge * np.array([1 - 1e-9, 1 + 1e-9]))
        np.testing.assert_allclose(below, above, rtol=1e-5)


@pytest.mark.equation("eq-by-parts")
def test_llama3_leaves_29_pairs_alone_mixes_6_and_slows_29() -> None:
    theta = rotary_frequencies(128, base=500000.0)
    slowed = theta / llama3_frequencies(theta)
    assert np.sum(slowed == 1) == 29
    assert np.sum((slowed > 1) & (slowed < 8)) == 6
    assert np.sum(slowed == 8) == 29
    # As released: by wavelength, at most a quarter of the context and at least all of it.
    wavelength = 2 * math.pi / theta
    np.testing.assert_array_equal(slowed == 1, wavelength < 8192 / 4)
    np.testing.assert_array_equal(slowed == 8, wavelength > 8192)
    # Pair by pair, in terms of the wavelength.
    for mine, full in zip(llama3_frequencies(theta), theta.tolist(), strict=True):
        turns = 8192 / (2 * math.pi / full)
        expected = full / 8 if turns < 1 else full
        if 1 <= turns <= 4:
            expected = full / 8 + (full - full / 8) * (turns - 1) / 3
        assert mine == pytest.approx(expected, rel=1e-12)


@given(factors)
def test_no_rule_speeds_a_pair_up_and_each_slows_the_last_by_the_factor(factor: float) -> None:
    rules = [
        interpolate_positions(THETA, factor=factor),
        ntk_aware(THETA, factor=factor),
        by_parts(THETA, factor=factor, context=2048, fast=32, slow=1),
        yarn_frequencies(THETA, factor=factor, context=2048),
        llama3_frequencies(THETA, factor=factor),
    ]
    for theta in rules:
        assert np.all(theta <= THETA * (1 + 1e-12))
        assert np.all(np.diff(theta) < 0)
        np.testing.assert_allclose(theta[-1], THETA[-1] / factor, rtol=1e-12)


def test_without_extension_nothing_changes() -> None:
    for theta in (
        interpolate_positions(THETA, factor=1),
        ntk_aware(THETA, factor=1),
        yarn_frequencies(THETA, factor=1, context=2048),
        llama3_frequencies(THETA, factor=1),
    ):
        np.testing.assert_allclose(theta, THETA, rtol=1e-15)
    assert yarn_attention_scale(1) == 1


@pytest.mark.equation("eq-yarn-scale")
def test_the_scale_of_yarn() -> None:
    assert yarn_attention_scale(math.e) == pytest.approx(1.1)
    assert yarn_attention_scale(10) == pytest.approx(1 + 0.1 * 2.302585092994046)
