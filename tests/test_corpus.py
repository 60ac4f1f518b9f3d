"""Statistics of texts: samples from known laws, their limits, and what bias is left."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

from primer_ref.corpus import (
    burstiness,
    expected_vocabulary,
    heaps_exponent,
    heaps_least_squares,
    miller_madow_entropy,
    mutual_information_by_distance,
    vocabulary_growth,
    word_counts,
    words,
)
from primer_ref.information import entropy, mutual_information
from tests.draws import zipf


def test_words_are_runs_of_letters_with_apostrophes_inside() -> None:
    text = "'Tis Emma's—don’t; naïve_x2 ﬁn 'quoted' ÉLAN"
    assert words(text) == ["tis", "emma's", "don’t", "naïve", "x", "ﬁn", "quoted", "élan"]
    assert word_counts("a B b") == {"a": 1, "b": 2}


@pytest.mark.equation("eq-heaps")
def test_the_vocabulary_grows_with_the_power_that_zipf_predicts() -> None:
    # V(n) → Γ(1 − 1/a) (n/ζ(a))^(1/a), short of it by the 1/2 of Euler and Maclaurin's formula.
    for n in (1_000, 10_000, 100_000):
        limit = special.gamma(0.5) * (n / special.zeta(2)) ** heaps_exponent(2)
        assert limit - expected_vocabulary(zipf(2, 10**6), n) == pytest.approx(0.5, abs=0.1)
    slope = np.diff(np.log(expected_vocabulary(zipf(1.6, 10**6), [10_000, 20_000]))) / np.log(2)
    assert slope[0] == pytest.approx(heaps_exponent(1.6), abs=0.01)
    assert heaps_exponent(0.8) == 1.0


def test_no_words_are_no_vocabulary_and_two_draws_are_exact() -> None:
    for p in (np.array([2**-12], np.float32), np.array([2.0**-12])):
        expected = [0, 2.0**-12, 2.0**-11 - 2.0**-24]
        np.testing.assert_allclose(expected_vocabulary(p, [0, 1, 2]), expected, rtol=1e-12)


def test_an_endless_text_has_every_word_that_can_come() -> None:
    assert expected_vocabulary([1.0, 0.0], math.inf) == 1
    np.testing.assert_array_equal(expected_vocabulary([0.5, 0.5, 0], [0, 1, math.inf]), [0, 1, 2])


@pytest.mark.equation("eq-expected-vocabulary")
def test_a_sample_grows_as_expected() -> None:
    rng = np.random.default_rng(4)
    law = zipf(1.5, 2000)
    growth = [vocabulary_growth(rng.choice(2000, 3000, p=law)) for _ in range(40)]
    mean, error = np.mean(growth, axis=0), np.std(growth, axis=0) / math.sqrt(40)
    at = [9, 99, 999, 2999]
    expected = expected_vocabulary(law, np.array(at) + 1)
    assert np.all(np.abs(mean[at] - expected) < 4 * error[at])
    assert heaps_least_squares(mean) == pytest.approx(
        heaps_least_squares(expected_vocabulary(law, np.arange(1, 3001))), abs=0.01
    )


def test_the_slope_of_a_power_is_its_exponent() -> None:
    n = np.arange(1, 5001)
    assert heaps_least_squares(3 * n**0.7) == pytest.approx(0.7, abs=1e-12)
    assert heaps_least_squares(3 * n**0.7, n_points=7) == pytest.approx(0.7, abs=1e-12)
    # Through two points runs the chord, whatever is between them.
    chord = math.log(3) / math.log(5)
    assert heaps_least_squares([1, 2, 2, 2, 3], n_points=2) == pytest.approx(chord, rel=1e-12)


@given(st.lists(st.sampled_from("abcdef"), min_size=1))
def test_growth_counts_the_different_words(tokens: list[str]) -> None:
    expected = [len(set(tokens[: n + 1])) for n in range(len(tokens))]
    np.testing.assert_array_equal(vocabulary_growth(tokens), expected)
    assert vocabulary_growth(tokens).dtype == np.int64


@pytest.mark.equation("eq-burstiness")
@pytest.mark.equation("eq-geometric-gaps")
def test_burstiness_of_random_regular_and_clustered_words() -> None:
    rng = np.random.default_rng(5)
    for p in (0.5, 0.1):
        positions = np.flatnonzero(rng.random(400_000) < p)
        ratio = math.sqrt(1 - p)
        assert burstiness(positions) == pytest.approx((ratio - 1) / (ratio + 1), abs=0.01)
    # From few gaps of a rare word the estimate is too low, by one over their number.
    rare = [burstiness(np.cumsum(gaps)) for gaps in rng.geometric(0.001, size=(4000, 51))]
    assert np.mean(rare) == pytest.approx(-1 / 50, abs=0.002)
    assert burstiness(np.arange(0, 100, 7)) == -1
    clusters = np.concatenate([np.arange(5) + 1000 * i for i in range(20)])
    assert burstiness(clusters) > 0.3
    assert burstiness(1000 - clusters[::-1]) == pytest.approx(burstiness(clusters))


@pytest.mark.equation("eq-miller-madow")
@pytest.mark.equation("eq-entropy-bias")
def test_the_correction_takes_off_the_bias_of_entropy_to_first_order() -> None:
    rng = np.random.default_rng(6)
    law = rng.dirichlet(np.ones(8))
    for n in (50, 400):
        samples = rng.multinomial(n, law, size=4000)
        plain = [float(entropy(row / n)) - float(entropy(law)) for row in samples]
        better = [miller_madow_entropy(row) - float(entropy(law)) for row in samples]
        assert np.mean(plain) == pytest.approx(-7 / (2 * n), rel=0.2)
        assert abs(np.mean(better)) < 0.25 * abs(np.mean(plain))
    exact = stats.entropy([1, 2, 4]) + 2 / 14
    assert miller_madow_entropy(np.array([1, 2, 4, 0], np.float32)) == pytest.approx(
        exact, rel=1e-12
    )


def chain(rng: np.random.Generator, flip: float, size: int) -> NDArray[np.int64]:
    """Two states that change with one probability."""
    return np.cumsum(rng.random(size) < flip) % 2


@pytest.mark.equation("eq-information-by-distance")
def test_information_of_a_chain_decays_exponentially() -> None:
    symbols = chain(np.random.default_rng(7), 0.1, 400_000)
    found = mutual_information_by_distance(symbols, [1, 2, 3, 5, 8])
    for d, value in zip(found.distances, found.corrected, strict=True):
        same = (1 + 0.8**d) / 2  # probability of being in the same state
        exact = mutual_information([[same / 2, (1 - same) / 2], [(1 - same) / 2, same / 2]])
        assert value == pytest.approx(float(exact), abs=0.004)
    assert found.plug_in[0] == pytest.approx(found.corrected[0] + 1 / (2 * 399_999))


@pytest.mark.equation("eq-forgetting")
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 3))
def test_symbols_of_a_hidden_chain_forget_as_fast_as_the_bound(
    seed: int, n_states: int, m: int
) -> None:
    rng = np.random.default_rng(seed)
    steps = rng.dirichlet(np.full(n_states, 0.5), n_states) + 1e-3
    steps /= steps.sum(axis=1, keepdims=True)
    start = np.linalg.matrix_power(steps, 2**14)[0]
    symbols = rng.dirichlet(np.full(3, 0.3), n_states)  # the law of the symbol in each state
    delta = min(1.0, float(np.min(np.linalg.matrix_power(steps, m) / start)))
    for d in range(1, 9):
        states = start[:, None] * np.linalg.matrix_power(steps, d)
        seen, hidden = (
            float(mutual_information(table / table.sum()))
            for table in (symbols.T @ states @ symbols, states)
        )
        bound = (1 - delta) ** (2 * (d // m)) * float(np.sum(1 / start))
        assert seen <= hidden + 1e-12
        assert hidden <= bound + 1e-12


@pytest.mark.equation("eq-information-bias")
def test_independent_symbols_seem_to_inform_and_the_correction_knows_how_much() -> None:
    rng = np.random.default_rng(8)
    runs = [mutual_information_by_distance(rng.integers(0, 10, 2000), [1, 7]) for _ in range(200)]
    plug_in = np.array([run.plug_in for run in runs])
    corrected = np.array([run.corrected for run in runs])
    np.testing.assert_allclose(np.mean(plug_in, axis=0), 81 / 4000, rtol=0.05)
    error = np.std(corrected, axis=0) / math.sqrt(200)
    assert np.all(np.abs(np.mean(corrected, axis=0)) < 4 * error + 81 / 4000 / 20)


def test_shuffling_leaves_the_bias_alone() -> None:
    rng = np.random.default_rng(9)
    symbols = chain(rng, 0.05, 20_000)
    assert mutual_information_by_distance(symbols, [1]).corrected[0] > 0.4
    shuffled = mutual_information_by_distance(rng.permutation(symbols), [1, 10])
    assert np.all(np.abs(shuffled.corrected) < 5e-4)
    letters = mutual_information_by_distance(np.array(list("abab" * 50)), [1, 2])
    np.testing.assert_allclose(letters.plug_in, math.log(2), rtol=1e-3)
