"""Error rates and scores of groups: identities on random data, enumeration, impossibility."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.fairness import (
    ScoreBalance,
    calibration_residuals,
    chouldechova_fpr,
    confusion_rates,
    score_balance,
)

F = NDArray[np.float64]
flags = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=3, max_size=60)


@given(flags)
@pytest.mark.equation("eq-confusion-rates")
@pytest.mark.equation("eq-chouldechova")
def test_rates_are_shares_of_the_right_rows_and_satisfy_chouldechova(
    pairs: list[tuple[bool, bool]],
) -> None:
    labels, decisions = (np.array(column) for column in zip(*pairs, strict=True))
    assume(0 < labels.sum() < len(labels) and decisions.any())
    rates = confusion_rates(labels, decisions)
    assert math.isclose(rates.base_rate, np.mean(labels))
    assert math.isclose(rates.ppv, np.mean(labels[decisions]))
    assert math.isclose(rates.fpr, np.mean(decisions[~labels]))
    assert math.isclose(rates.fnr, np.mean(~decisions[labels]))
    assume(rates.ppv > 0)
    fpr = chouldechova_fpr(rates.base_rate, ppv=rates.ppv, fnr=rates.fnr)
    np.testing.assert_allclose(fpr, rates.fpr, atol=1e-12)


def test_rates_take_zeros_and_ones_too() -> None:
    rates = confusion_rates([1, 1, 1, 0, 0], [1, 0, 0, 1, 0])
    assert (rates.base_rate, rates.ppv) == (0.6, 0.5)
    np.testing.assert_allclose([rates.fpr, rates.fnr], [1 / 2, 2 / 3])


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(0.05, 0.95), st.floats(0, 0.9))
@pytest.mark.equation("eq-chouldechova")
def test_groups_of_different_base_rates_cannot_share_all_three_rates(
    p: float, q: float, ppv: float, fnr: float
) -> None:
    assume(abs(p - q) > 1e-3)
    fpr = [chouldechova_fpr(rate, ppv=ppv, fnr=fnr) for rate in (p, q)]
    assert (fpr[0] - fpr[1]) * (p - q) > 0  # the larger base rate, the larger the false positives
    assert chouldechova_fpr(p, ppv=1, fnr=fnr) == chouldechova_fpr(p, ppv=ppv, fnr=1) == 0


def calibrated(counts: list[tuple[int, int]]) -> tuple[F, NDArray[np.bool_]]:
    """Members in bins of (positives, size), each scored with its bin's share of positives."""
    scores = np.concatenate([np.full(n, k / n) for k, n in counts])
    labels = np.concatenate([np.arange(n) < k for k, n in counts])
    return scores, labels


@given(st.lists(st.integers(1, 9).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))))
@pytest.mark.equation("eq-group-calibration")
@pytest.mark.equation("eq-score-balance")
@pytest.mark.equation("eq-score-line")
def test_calibrated_groups_lie_on_their_line(counts: list[tuple[int, int]]) -> None:
    counts = [*counts, (1, 3)]
    scores, labels = calibrated(counts)
    np.testing.assert_allclose(calibration_residuals(scores, labels), 0, atol=1e-15)
    group = score_balance(scores, labels)
    np.testing.assert_allclose(group.residual, 0, atol=1e-13)
    assert math.isclose(group.positive_mean, np.mean(scores[labels]))
    assert math.isclose(group.negative_mean, np.mean(scores[~labels]))


@given(st.integers(0, 10_000))
@pytest.mark.equation("eq-group-calibration")
@pytest.mark.equation("eq-score-line")
def test_the_residual_is_the_mean_of_the_calibration_residuals(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores, labels = rng.choice([0.1, 0.4, 0.9], size=40), rng.random(40) < 0.5
    assume(0 < labels.sum() < 40)
    values, counts = np.unique(scores, return_counts=True)
    residuals = calibration_residuals(scores, labels)
    by_hand = [np.mean(labels[scores == value]) - value for value in values]
    np.testing.assert_allclose(residuals, by_hand, atol=1e-15)
    mean = float(counts @ residuals) / 40
    np.testing.assert_allclose(score_balance(scores, labels).residual, -mean, atol=1e-13)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
@pytest.mark.equation("eq-score-line")
def test_the_lines_of_two_base_rates_meet_at_perfect_prediction_alone(p: float, q: float) -> None:
    assume(abs(p - q) > 1e-3)
    # residual = 0 for both is linear in the two means: coefficients by finite differences.
    rows, constants = [], []
    for rate in (p, q):
        at = [ScoreBalance(rate, x, y).residual for x, y in ((0, 0), (1, 0), (0, 1))]
        rows.append([at[1] - at[0], at[2] - at[0]])
        constants.append(-at[0])
    solution = np.linalg.solve(np.array(rows), np.array(constants))
    np.testing.assert_allclose(solution, [1, 0], atol=1e-9)


@given(st.tuples(*[st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1)] * 2))
@pytest.mark.equation("eq-approximate-balance")
def test_nearly_balanced_groups_are_nearly_predicted_perfectly(
    pairs: tuple[list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    # Positives and negatives in each bin: at least one, so that both means exist.
    groups = [calibrated([(k, k + n) for k, n in bins]) for bins in pairs]
    one, two = (score_balance(scores, labels) for scores, labels in groups)
    gap = one.base_rate - two.base_rate
    assume(abs(gap) > 1e-3)
    a, b = one.positive_mean - two.positive_mean, one.negative_mean - two.negative_mean
    negatives = one.base_rate * ((1 - two.base_rate) * b + two.base_rate * a) / gap
    np.testing.assert_allclose(one.negative_mean, negatives, atol=1e-10)
    eta = max(abs(a), abs(b))
    assert one.negative_mean <= one.base_rate * eta / abs(gap) + 1e-10
    assert 1 - one.positive_mean <= (1 - one.base_rate) * eta / abs(gap) + 1e-10


def test_a_constant_score_at_the_base_rate_lies_on_the_line() -> None:
    assert ScoreBalance(0.3, 0.3, 0.3).residual == pytest.approx(0, abs=1e-15)
