"""Hallucination: identities, exact means by enumeration, bounds in simulation, brute force."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from primer_ref.hallucination import (
    answer_confidence,
    answer_value,
    area_under_risk_coverage,
    auroc,
    good_turing_mass,
    good_turing_radius,
    missing_mass,
    risk_coverage,
    semantic_entropy,
    singleton_bound,
    validity_bound,
)
from primer_ref.information import entropy

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.equation("eq-semantic-entropy")
def test_semantic_entropy_of_two_ways_to_say_paris() -> None:
    """By hand: −0.9 log 0.9 − 0.1 log 0.1 of meanings."""
    p = [0.5, 0.4, 0.1]
    assert float(entropy(p)) == pytest.approx(0.94, abs=0.006)
    assert semantic_entropy(p, [0, 0, 1]) == pytest.approx(0.0948245 + 0.2302585)


@pytest.mark.equation("eq-semantic-entropy")
@given(seeds, st.integers(1, 8))
def test_meanings_lose_the_entropy_within_them(seed: int, n: int) -> None:
    """The chain rule: H(answer) = H(meaning) + H(answer | meaning)."""
    rng = np.random.default_rng(seed)
    p, meanings = rng.dirichlet(np.ones(n)), rng.integers(3, size=n)
    within = sum(
        p[meanings == m].sum() * float(entropy(p[meanings == m] / p[meanings == m].sum()))
        for m in set(meanings.tolist())
    )
    assert semantic_entropy(p, meanings) == pytest.approx(float(entropy(p)) - within, abs=1e-12)


def test_probabilities_in_single_precision_keep_their_tolerance() -> None:
    p = np.full(3, 1 / 3, np.float32)  # which sum to 1 + 3e-8
    assert semantic_entropy(p, [0, 1, 2]) == pytest.approx(math.log(3), rel=1e-6)
    assert semantic_entropy(p, [0, 0, 0]) == pytest.approx(0, abs=1e-6)
    assert missing_mass(p, [1, 0, 2]) == pytest.approx(1 / 3, rel=1e-6)


@pytest.mark.equation("eq-missing-mass")
@pytest.mark.equation("eq-good-turing")
@pytest.mark.equation("eq-good-turing-mean")
def test_mean_of_good_turing_is_the_missing_mass_one_observation_earlier() -> None:
    """Both means summed over all samples."""
    p, n = np.array([0.5, 0.3, 0.15, 0.05]), 5

    def mean(length: int, estimate: object) -> float:
        total = 0.0
        for sample in product(range(4), repeat=length):
            counts = np.bincount(sample, minlength=4)
            total += float(np.prod(p[list(sample)])) * estimate(counts)  # type: ignore[operator]
        return total

    estimated = mean(n, good_turing_mass)
    assert estimated == pytest.approx(mean(n - 1, lambda c: missing_mass(p, c)))
    bias = estimated - mean(n, lambda c: missing_mass(p, c))
    assert 0 < bias <= 1 / n


@pytest.mark.equation("eq-good-turing-radius")
def test_the_radius_holds_and_shrinks_with_the_root() -> None:
    rng, n = np.random.default_rng(0), 400
    p = 1 / np.arange(1, 2001)
    found = [good_turing_mass(rng.multinomial(n, p / p.sum())) for _ in range(4000)]
    strayed = np.abs(np.array(found) - np.mean(found))
    for delta in (0.5, 0.1, 0.01):
        assert np.mean(strayed > good_turing_radius(n, delta=delta)) <= delta
    assert good_turing_radius(n, delta=0.1) == 2 * good_turing_radius(4 * n, delta=0.1)
    assert 2 * math.exp(-n * good_turing_radius(n, delta=0.1) ** 2 / 2) == pytest.approx(0.1)


@pytest.mark.equation("eq-validity-bound")
def test_the_validity_bound_holds_for_every_model_of_a_small_world() -> None:
    """One prompt, two valid answers, three errors; the classifier takes p > 1/|errors| as valid."""
    rng = np.random.default_rng(1)
    data = np.array([0.7, 0.3, 0, 0, 0])
    for _ in range(3000):
        model = rng.dirichlet(np.full(5, rng.choice([0.2, 1, 5])))
        above = model > 1 / 3
        wrong = 0.5 * data[~above].sum() + 0.5 * np.mean(above[2:])
        delta = abs(model[above].sum() - data[above].sum())
        bound = validity_bound(wrong, valid=2, errors=3, miscalibration=delta)
        assert model[2:].sum() >= bound - 1e-12


@pytest.mark.equation("eq-validity-bound")
@pytest.mark.parametrize("m", [1, 2, 5, 100])
def test_the_validity_bound_is_attained(m: int) -> None:
    """One valid answer of probability 1/m, m errors that share the rest: none above 1/m."""
    model = np.array([1 / m, *np.full(m, (1 - 1 / m) / m)])
    assert not np.any(model > 1 / m)
    bound = validity_bound(0.5, valid=1, errors=m, miscalibration=0.0)
    assert np.sum(model[1:]) == pytest.approx(bound)


@pytest.mark.equation("eq-singleton-mean")
@pytest.mark.parametrize("unseen", ["guess", "silent", "draw"])
def test_the_mean_error_exceeds_the_missing_mass_less_its_terms(unseen: str) -> None:
    """Prompts with one answer among m + 1; what was seen is recalled, the rest is up to the model.

    The last column is silence, which is valid; every mean is over facts, data and model.
    """
    rng, m, n = np.random.default_rng(5), 20, 8
    prompts = rng.dirichlet(np.ones(10))
    rows = np.arange(10)
    found = []
    for _ in range(1500):
        right = rng.integers(m + 1, size=10)
        counts = rng.multinomial(n, prompts)
        model = np.zeros((10, m + 2))
        if unseen == "guess":
            model[:, :-1] = 1 / (m + 1)
        elif unseen == "silent":
            model[:, -1] = 1
        else:
            model[:] = rng.dirichlet(np.full(m + 2, 0.1), size=10)
        model[counts > 0] = 0
        model[counts > 0, right[counts > 0]] = 1
        above = model > 1 / m
        delta = abs(prompts @ np.sum(model * above, 1) - prompts @ above[rows, right])
        error = prompts @ (1 - model[:, -1] - model[rows, right])
        mass = float(prompts @ (counts == 0))
        found.append((error, mass - 2 / m - delta, np.sum(counts == 1) / n - 1 / n - 2 / m - delta))
    error, bound, of_singletons = np.mean(found, axis=0)
    assert error >= bound >= of_singletons
    if unseen == "guess":
        assert bound > 0.5 * error


@pytest.mark.equation("eq-singleton-bound")
def test_the_singleton_bound_on_a_calibrated_model_of_birthdays() -> None:
    """Known facts are recalled, the others guessed evenly, as a calibrated model would."""
    rng, n, days = np.random.default_rng(2), 4_000_000, 365
    counts = rng.multinomial(n, np.full(2_500_000, 1 / 2_500_000))
    error = missing_mass(np.full(len(counts), 1 / len(counts)), counts) * (1 - 1 / days)
    bound = singleton_bound(counts, errors=days - 1, miscalibration=0.0)
    assert 0.1 < bound < error
    expected = np.sum(counts == 1) / n - 2 / 364 - (35 + 6 * math.log(n)) / math.sqrt(n)
    assert bound == pytest.approx(expected)


@pytest.mark.equation("eq-singleton-bound")
def test_the_singleton_bound_says_nothing_about_few_examples() -> None:
    """Even if each was seen once, and errors are many."""
    for n in (1, 100, 7_800):
        assert singleton_bound(np.ones(n, int), errors=10**9, miscalibration=0.0) < 0
    assert singleton_bound(np.ones(10_000, int), errors=364, miscalibration=0.0) > 0


@pytest.mark.equation("eq-answer-value")
@pytest.mark.equation("eq-answer-confidence")
@given(st.floats(0, 50), st.floats(0, 1))
def test_an_answer_pays_exactly_above_the_threshold(penalty: float, p: float) -> None:
    threshold = answer_confidence(penalty)
    assert answer_value(threshold, penalty=penalty) == pytest.approx(0, abs=1e-12)
    if abs(p - threshold) > 1e-9:
        assert (answer_value(p, penalty=penalty) > 0) == (p > threshold)


@pytest.mark.equation("eq-risk-coverage")
@pytest.mark.equation("eq-risk-area")
@given(seeds, st.integers(1, 12))
def test_risk_is_counted_down_to_each_score(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    s, y = rng.integers(5, size=n) / 4, rng.random(n) < 0.6
    coverage, risk = risk_coverage(s, y)
    np.testing.assert_allclose(coverage, np.arange(1, n + 1) / n)
    expected = [1 - np.mean(y[s >= score]) for score in sorted(s, reverse=True)]
    np.testing.assert_allclose(risk, expected, atol=1e-12)
    assert area_under_risk_coverage(s, y) == pytest.approx(np.mean(expected))


@pytest.mark.equation("eq-auroc")
@given(seeds, st.integers(2, 30))
def test_area_is_the_mann_whitney_statistic(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    s, y = rng.integers(6, size=n) / 5, rng.random(n) < 0.5
    y[:2] = [True, False]
    expected = stats.mannwhitneyu(s[y], s[~y]).statistic / (y.sum() * (~y).sum())
    assert auroc(s, y) == pytest.approx(expected)
    assert auroc(np.exp(s), y) == auroc(s, y)
