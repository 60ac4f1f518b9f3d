"""Comparisons: SciPy, published values, enumeration of all outcomes."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from primer_ref.evaluation import (
    benjamini_hochberg,
    corrected_rate,
    corrected_rate_error,
    holm,
    paired_difference,
    pass_at_k,
    pass_at_k_naive,
    permutation_p_value,
    questions_needed,
    sign_test,
    strided_windows,
    variance_of_answers,
)
from primer_ref.intervals import mean_interval


@pytest.mark.equation("eq-paired")
def test_pairing_takes_out_what_both_share() -> None:
    rng = np.random.default_rng(0)
    difficulty, noise = rng.normal(size=500), rng.normal(size=(2, 500))
    a, b = difficulty + 0.1 * noise
    paired = paired_difference(a, b, level=0.9)
    width = (paired.high - paired.low) / 2
    variance = (np.var(a, ddof=1) + np.var(b, ddof=1) - 2 * np.cov(a, b)[0, 1]) / 500
    assert width == pytest.approx(stats.norm.ppf(0.95) * math.sqrt(variance))
    assert paired.value == pytest.approx(a.mean() - b.mean())
    unpaired = [mean_interval(x, level=0.9) for x in (a, b)]
    apart = math.hypot(*(found.high - found.value for found in unpaired))
    assert width < apart / 5


@pytest.mark.equation("eq-sign-test")
@given(st.integers(0, 60), st.integers(0, 60))
def test_sign_test_agrees_with_scipy(wins: int, losses: int) -> None:
    if wins + losses:
        expected = stats.binomtest(wins, wins + losses).pvalue
        assert sign_test(wins, losses) == pytest.approx(expected, rel=1e-12)


@pytest.mark.equation("eq-questions-needed")
def test_questions_needed_reach_the_power() -> None:
    """The test's own power at that size, from the normal law."""
    n = questions_needed(0.03, variance=1 / 9)
    assert n == pytest.approx(968.997, abs=1e-3)  # Miller prints 969
    shift = 0.03 / math.sqrt(1 / 9 / n)
    found = 1 - stats.norm.cdf(1.959964 - shift) + stats.norm.cdf(-1.959964 - shift)
    assert found == pytest.approx(0.8, abs=1e-6)
    assert questions_needed(-0.06, variance=1 / 9) == pytest.approx(n / 4)


@pytest.mark.equation("eq-questions-needed")
@given(st.floats(1e-6, 0.999), st.floats(1e-6, 0.999))
def test_more_power_never_needs_fewer_questions(one: float, other: float) -> None:
    less, more = sorted((one, other))
    needed = [questions_needed(0.03, variance=1 / 9, power=power) for power in (less, more)]
    assert needed[0] <= needed[1]
    assert (needed[0] == 0) == (less <= 0.025) or less == pytest.approx(0.025)


@pytest.mark.equation("eq-variance-of-answers")
def test_repeated_answers_average_the_second_part_of_the_variance() -> None:
    p = np.random.default_rng(1).random(40_000)
    for k, printed in ((2, 33), (3, 44), (4, 50), (5, 53)):  # Miller, section 3.1
        saved = 1 - variance_of_answers(p, k) / variance_of_answers(p, 1)
        assert 100 * saved == pytest.approx(printed, abs=0.8)
    scores = np.random.default_rng(2).binomial(3, p) / 3
    assert variance_of_answers(p, 3) == pytest.approx(np.var(scores), rel=0.02)


@pytest.mark.equation("eq-pass-at-k")
@pytest.mark.equation("eq-pass-at-k-naive")
@pytest.mark.parametrize("p", [0.1, 0.37, 0.9])
def test_pass_at_k_has_no_bias_and_the_naive_one_has(p: float) -> None:
    n, k = 12, 5
    weights = stats.binom.pmf(np.arange(n + 1), n, p)
    truth = 1 - (1 - p) ** k
    mean = sum(w * pass_at_k(n, c, k) for c, w in enumerate(weights))
    naive = sum(w * pass_at_k_naive(n, c, k) for c, w in enumerate(weights))
    assert mean == pytest.approx(truth, abs=1e-12)
    assert naive < truth - 1e-4


@pytest.mark.equation("eq-naive-bias")
def test_the_naive_bias_halves_when_twice_as_many_answers_are_drawn() -> None:
    def bias(n: int, p: float = 0.37, k: int = 5) -> float:
        weights = stats.binom.pmf(np.arange(n + 1), n, p)
        return float(sum(w * pass_at_k_naive(n, c, k) for c, w in enumerate(weights))) - (
            1 - (1 - p) ** k
        )

    assert bias(400) / bias(800) == pytest.approx(2, rel=0.02)
    first_order = -5 * 4 / 2 * (1 - 0.37) ** 3 * 0.37 * 0.63 / 4000
    assert bias(4000) == pytest.approx(first_order, rel=0.01)


@pytest.mark.equation("eq-pass-at-k")
def test_pass_at_k_is_the_share_of_subsets_with_a_right_answer() -> None:
    answers = [1, 1, 0, 0, 0, 0]
    subsets = [s for s in product((0, 1), repeat=6) if sum(s) == 3]
    hits = [any(a and s for a, s in zip(answers, subset, strict=True)) for subset in subsets]
    assert pass_at_k(6, 2, 3) == pytest.approx(np.mean(hits))
    assert pass_at_k_naive(10, 3, 1) == pass_at_k(10, 3, 1) == pytest.approx(0.3)


@pytest.mark.equation("eq-benjamini-hochberg")
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_benjamini_hochberg_agrees_with_scipy(p: list[float]) -> None:
    expected = stats.false_discovery_control(p)
    np.testing.assert_allclose(benjamini_hochberg(p), expected, rtol=1e-12)


@pytest.mark.equation("eq-holm")
@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_step_by_step(p: list[float]) -> None:
    """Its definition, literally: reject the smallest while p ≤ α / (tests left)."""
    adjusted = holm(p)
    for alpha in (0.01, 0.05, 0.3):
        rejected, left = set(), sorted(range(len(p)), key=lambda i: p[i])
        while left and p[left[0]] * len(left) <= alpha:
            rejected.add(left.pop(0))
        assert {i for i in range(len(p)) if adjusted[i] <= alpha} == rejected


@pytest.mark.equation("eq-corrected-rate")
@given(st.floats(0, 1), st.floats(0.6, 1), st.floats(0.6, 1))
def test_correction_undoes_the_judge(share: float, sensitivity: float, specificity: float) -> None:
    observed = share * sensitivity + (1 - share) * (1 - specificity)
    found = corrected_rate(observed, sensitivity=sensitivity, specificity=specificity)
    assert found == pytest.approx(share, abs=1e-9)


def test_a_share_that_no_truth_explains_is_not_clipped() -> None:
    assert corrected_rate(0.05, sensitivity=0.9, specificity=0.9) == pytest.approx(-0.0625)


@pytest.mark.equation("eq-strided-loss")
@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 12))
def test_windows_score_each_token_once_with_enough_before_it(
    n: int, context: int, stride: int
) -> None:
    stride = min(stride, context)
    windows = strided_windows(n, context=context, stride=stride)
    scored = [t for _, first, end in windows for t in range(first, end)]
    assert scored == list(range(n))
    assert all(0 <= start <= first < end <= start + context for start, first, end in windows)
    assert all(first - start >= context - stride for start, first, _ in windows[1:])


@pytest.mark.equation("eq-strided-loss")
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_the_strided_loss_averages_over_the_last_places(
    context: int, stride: int, seed: int
) -> None:
    """Whatever is lost with j tokens before, behind the first window."""
    stride = min(stride, context)
    loss = np.random.default_rng(seed).random(context)
    windows = strided_windows(context + 5 * stride, context=context, stride=stride)
    found = [loss[t - start] for start, first, end in windows[1:] for t in range(first, end)]
    assert np.mean(found) == pytest.approx(np.mean(loss[context - stride :]))


@pytest.mark.equation("eq-corrected-error")
def test_the_error_of_a_corrected_share_is_what_repeated_samples_show() -> None:
    rng, share, sensitivity, specificity = np.random.default_rng(3), 0.7, 0.9, 0.75
    n, n_right, n_wrong = 2000, 400, 300
    observed = share * sensitivity + (1 - share) * (1 - specificity)
    draws = [
        corrected_rate(
            rng.binomial(n, observed) / n,
            sensitivity=rng.binomial(n_right, sensitivity) / n_right,
            specificity=rng.binomial(n_wrong, specificity) / n_wrong,
        )
        for _ in range(20_000)
    ]
    options = {"sensitivity": sensitivity, "specificity": specificity}
    error = corrected_rate_error(observed, **options, n=n, n_right=n_right, n_wrong=n_wrong)
    assert np.std(draws) == pytest.approx(error, rel=0.03)
    known = corrected_rate_error(observed, **options, n=n, n_right=10**12, n_wrong=10**12)
    assert known == pytest.approx(math.sqrt(observed * (1 - observed) / n) / 0.65)
    # A judge who always says the opposite tells as much, though J is negative.
    swapped = corrected_rate_error(
        1 - observed,
        sensitivity=1 - sensitivity,
        specificity=1 - specificity,
        n=n,
        n_right=n_right,
        n_wrong=n_wrong,
    )
    assert swapped == pytest.approx(error)


@pytest.mark.equation("eq-permutation-p")
def test_a_permutation_p_value_is_small_no_oftener_than_it_says() -> None:
    """All orders of m + 1 values, ties among them: the first is called the observed one."""
    values = [1.0, 2.0, 2.0, 3.0, 5.0, 5.0]
    found = np.array(
        [permutation_p_value(v, values[:i] + values[i + 1 :]) for i, v in enumerate(values)]
    )
    for alpha in np.arange(1, 7) / 6:
        assert np.mean(found <= alpha + 1e-12) <= alpha + 1e-12
    assert permutation_p_value(9.0, values) == pytest.approx(1 / 7)
    assert permutation_p_value(0.0, values) == 1
