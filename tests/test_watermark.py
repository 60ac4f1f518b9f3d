"""The watermark's lists and its test: the published z, and rates on texts with and without it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from primer_ref.watermark import detect, favor_green, green_list, p_value, z_score
from tests.draws import watermarked

V = 64


@pytest.mark.equation("eq-watermark-z")
@pytest.mark.equation("eq-watermark-p")
def test_z_recomputes_the_published_example() -> None:
    # Kirchenbauer et al. 2023: all of 16 tokens green at γ = ½.
    assert z_score(16, 16, fraction=0.5) == 4
    assert p_value(4) == pytest.approx(3.17e-5, rel=2e-3)


@given(st.floats(-6, 30))
@pytest.mark.equation("eq-watermark-p")
def test_the_p_value_is_the_normal_tail(z: float) -> None:
    assert p_value(z) == pytest.approx(stats.norm.sf(z), rel=1e-12)


@given(st.integers(1, 2000), st.floats(0.05, 0.95), st.data())
@pytest.mark.equation("eq-watermark-z")
def test_z_standardizes_a_binomial_count(n: int, fraction: float, data: st.DataObject) -> None:
    count, law = data.draw(st.integers(0, n)), stats.binom(n, fraction)
    z = z_score(count, n, fraction=fraction)
    assert z == pytest.approx((count - law.mean()) / law.std(), abs=1e-9)


@pytest.mark.parametrize("fraction", [0.25, 0.5])
def test_lists_have_their_size_and_treat_tokens_and_predecessors_alike(fraction: float) -> None:
    table = np.stack([green_list(v, n_tokens=V, key=b"k", fraction=fraction) for v in range(2000)])
    assert np.all(table.sum(axis=1) == round(fraction * V))
    # Each token is green after its share of predecessors; two tokens are together as chance has it.
    counts = table.sum(axis=0)
    scaled = (counts - 2000 * fraction) / np.sqrt(2000 * fraction * (1 - fraction))
    # The squares sum to V − 1 in the mean, since each list has one size.
    assert stats.chi2(V - 1).sf(np.sum(scaled**2) * (V - 1) / V) > 0.01
    both = np.mean(table[:, 3] & table[:, 40])
    expected = fraction * (round(fraction * V) - 1) / (V - 1)
    assert both == pytest.approx(expected, abs=4 * np.sqrt(expected / 2000))


def test_keys_make_lists_that_know_nothing_of_each_other() -> None:
    one, other = (
        np.stack([green_list(v, n_tokens=V, key=key, fraction=0.5) for v in range(2000)])
        for key in (b"one", b"other")
    )
    # In one list of 64 the agreement has a standard deviation of 0.063.
    assert np.mean(one == other) == pytest.approx(0.5, abs=4 * 0.063 / np.sqrt(2000))
    np.testing.assert_array_equal(one[7], green_list(7, n_tokens=V, key=b"one", fraction=0.5))


@pytest.mark.equation("eq-favor-green")
def test_favoring_green_multiplies_odds_and_keeps_single_precision() -> None:
    green = np.array([True, False, True])
    logits = np.array([0.5, 1.5, -np.inf], np.float32)
    favored = favor_green(logits, green, bias=2.0)
    np.testing.assert_array_equal(favored, np.array([2.5, 1.5, -np.inf], np.float32))
    assert favored.dtype == np.float32
    np.testing.assert_array_equal(logits, np.array([0.5, 1.5, -np.inf], np.float32))


def test_without_the_key_p_values_are_those_of_chance() -> None:
    rng = np.random.default_rng(1)
    found = [
        detect(rng.integers(V, size=150).tolist(), n_tokens=V, key=bytes([k]), fraction=0.25)
        for k in range(250)
    ]
    z = np.array([detection.z for detection in found])
    assert abs(z.mean()) < 3 / np.sqrt(250)
    assert stats.chi2(249).cdf(249 * z.var(ddof=1)) == pytest.approx(0.5, abs=0.495)
    assert np.mean([detection.p_value < 0.1 for detection in found]) == pytest.approx(0.1, abs=0.06)


def test_with_the_key_a_watermark_is_found_and_with_another_it_is_not() -> None:
    rng = np.random.default_rng(2)
    text = watermarked(rng, 120, n_tokens=V, key=b"right", bias=3.0)
    assert detect(text, n_tokens=V, key=b"right", fraction=0.5).p_value < 1e-9
    assert detect(text, n_tokens=V, key=b"wrong", fraction=0.5).p_value > 1e-3


def test_tokens_may_be_numbers_of_numpy() -> None:
    text = np.random.default_rng(3).integers(V, size=40)
    found = [
        detect(tokens, n_tokens=V, key=b"k", fraction=0.5) for tokens in (list(text), text.tolist())
    ]
    assert found[0] == found[1]


def test_a_repeated_pair_is_counted_once() -> None:
    text = [1, 2, 3] * 40
    found = detect(text, n_tokens=V, key=b"k", fraction=0.5)
    green = [
        bool(green_list(a, n_tokens=V, key=b"k", fraction=0.5)[b])
        for a, b in ((1, 2), (2, 3), (3, 1))
    ]
    assert (found.scored, found.green) == (3, sum(green))
    assert found.z == z_score(sum(green), 3, fraction=0.5)
    assert found.p_value == p_value(found.z)
