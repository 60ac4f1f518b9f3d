"""Interpolation and implicit bias: SciPy, exact finite-sample risks, measured rates."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize

from primer_ref.generalization import (
    _nonnegative_least_squares,
    descent_limit,
    least_squares_descent,
    logistic_descent,
    max_margin_solution,
    min_norm_solution,
    ridge_risk,
    ridgeless_risk,
    ridgeless_risk_gaussian,
    ridgeless_risk_given,
    uniform_gap,
)

F = NDArray[np.float64]

seeds = st.integers(0, 2**32 - 1)


def problem(seed: int, n: int, p: int) -> tuple[F, F]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, p)), rng.normal(size=n)


# --- Uniform bounds ----------------------------------------------------------------------------


@pytest.mark.equation("eq-uniform-gap")
@pytest.mark.parametrize(("size", "n"), [(1, 50), (100, 50), (100, 400)])
def test_no_hypothesis_of_a_class_strays_beyond_the_gap(size: int, n: int) -> None:
    # Hypotheses that are independent of one another are the worst case of the sum of chances.
    rng = np.random.default_rng(0)
    expected = rng.uniform(0.1, 0.9, size)
    seen = rng.binomial(n, expected, size=(2000, size)) / n
    worst = np.max(np.abs(seen - expected), axis=1)
    for delta in (0.5, 0.05):
        assert np.mean(worst > uniform_gap(np.log(size), n, delta=delta)) <= delta
    # The bound is not idle: a half of it is exceeded often.
    assert np.mean(worst > uniform_gap(np.log(size), n, delta=0.5) / 2) > 0.3


def test_the_bound_for_one_hypothesis_is_that_of_a_share() -> None:
    # Hoeffding 1963: 185 and 18,445 draws for a share to 0.1 and 0.01 at 95 %.
    for n, gap in ((185, 0.1), (18_445, 0.01)):
        assert uniform_gap(0.0, n, delta=0.05) <= gap < uniform_gap(0.0, n - 1, delta=0.05)


@pytest.mark.equation("eq-hoeffding")
def test_errors_that_hang_together_stay_near_what_was_to_be_expected_of_each() -> None:
    # A chain of errors that mostly repeat: their mean strays from 1/2 far more often than the bound
    # says, and from the mean of what was to be expected of each, given those before, it does not.
    rng, n, stay = np.random.default_rng(1), 200, 0.95
    errors = np.empty((4000, n))
    errors[:, 0] = rng.integers(0, 2, 4000)
    for t in range(1, n):
        changed = rng.random(4000) > stay
        errors[:, t] = np.where(changed, 1 - errors[:, t - 1], errors[:, t - 1])
    expected = np.full_like(errors, 0.5)
    expected[:, 1:] = np.where(errors[:, :-1] == 1, stay, 1 - stay)
    for delta in (0.5, 0.05):
        gap = uniform_gap(0.0, n, delta=delta)
        assert np.mean(np.abs(np.mean(errors - expected, axis=1)) > gap) <= delta
        assert np.mean(np.abs(errors.mean(axis=1) - 0.5) > gap) > delta + 0.2


# --- Least squares -----------------------------------------------------------------------------


@pytest.mark.equation("eq-min-norm")
@given(seeds, st.integers(1, 6), st.integers(1, 9))
def test_the_solution_of_least_norm(seed: int, n: int, p: int) -> None:
    x, y = problem(seed, n, p)
    w = min_norm_solution(x, y)
    np.testing.assert_allclose(w, np.linalg.pinv(x) @ y, atol=1e-8)
    # The residual is orthogonal to the columns, and the weights are a combination of rows.
    np.testing.assert_allclose(x.T @ (x @ w - y), 0, atol=1e-8)
    rows = np.linalg.lstsq(x.T, w, rcond=None)[0]
    np.testing.assert_allclose(x.T @ rows, w, atol=1e-8)


@given(seeds)
def test_no_other_solution_is_as_short(seed: int) -> None:
    x, y = problem(seed, 3, 6)
    w = min_norm_solution(x, y)
    other = w + np.linalg.svd(x)[2][-1]  # a direction that the data do not see
    np.testing.assert_allclose(x @ other, y, atol=1e-9)
    assert np.linalg.norm(other) ** 2 == pytest.approx(np.linalg.norm(w) ** 2 + 1)


@pytest.mark.equation("eq-least-squares-descent")
@pytest.mark.equation("eq-descent-limit")
@given(seeds, st.booleans())
def test_descent_ends_at_its_limit_and_only_from_the_row_space_at_the_least_norm(
    seed: int, wide: bool
) -> None:
    x, y = problem(seed, *((4, 8) if wide else (8, 4)))
    start = np.random.default_rng(seed + 1).normal(size=x.shape[1])
    values = np.linalg.svd(x, compute_uv=False)
    step = 1 / values[0] ** 2
    limit = descent_limit(x, y, start)
    # Error in the slowest direction shrinks by 1 − η σ² at every step.
    rate = 1 - step * values[-1] ** 2
    for n_steps in (10, 40):
        off = np.linalg.norm(least_squares_descent(x, y, start, step=step, n_steps=n_steps) - limit)
        assert off <= rate**n_steps * np.linalg.norm(start - limit) * (1 + 1e-6) + 1e-12
    in_rows = x.T @ y
    np.testing.assert_allclose(descent_limit(x, y, in_rows), min_norm_solution(x, y), atol=1e-8)
    np.testing.assert_allclose(descent_limit(x, y, 0 * start), min_norm_solution(x, y), atol=1e-10)
    if wide:  # the counterexample
        assert np.linalg.norm(limit - min_norm_solution(x, y)) > 1e-3
        np.testing.assert_allclose(x @ limit, y, atol=1e-8)


def test_a_step_beyond_the_bound_diverges() -> None:
    x, y = problem(0, 4, 8)
    largest = float(np.linalg.norm(x, 2)) ** 2
    sizes = [
        np.linalg.norm(least_squares_descent(x, y, np.zeros(8), step=c / largest, n_steps=400))
        for c in (1.9, 2.1)
    ]
    assert sizes[0] < 10 < sizes[1]


# --- Double descent ----------------------------------------------------------------------------


def test_the_limit_is_approached_like_one_over_n() -> None:
    # For normal features the mean risks of finite n are known: variance p/(n − p − 1) below the
    # threshold and n/(p − n − 1) above it, bias 1 − n/p above it, exactly.
    for gamma in (0.5, 2.0):
        off = []
        for n in (100, 200, 400):
            p = int(gamma * n)
            exact = p / (n - p - 1) if p < n else n / (p - n - 1)
            off.append(exact - float(ridgeless_risk(gamma, noise=1, signal=0).total))
        np.testing.assert_allclose(np.array(off[:-1]) / off[1:], 2, rtol=0.03)


@pytest.mark.equation("eq-ridgeless-gaussian")
@pytest.mark.parametrize(("n", "p"), [(40, 20), (20, 40), (30, 24), (24, 60)])
def test_risks_of_finite_samples_have_their_known_means(n: int, p: int) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(size=p)
    weights *= np.sqrt(3) / np.linalg.norm(weights)
    risks = [ridgeless_risk_given(rng.normal(size=(n, p)), weights, noise=2.0) for _ in range(1500)]
    exact = ridgeless_risk_gaussian(n, p, noise=2.0, signal=3.0)
    assert np.mean([r.variance for r in risks]) == pytest.approx(float(exact.variance), rel=0.05)
    assert np.mean([r.bias for r in risks]) == pytest.approx(float(exact.bias), rel=0.03, abs=1e-12)


def test_means_of_normal_features_by_the_inverse_wishart_law() -> None:
    for n, p in ((9, 4), (4, 9), (30, 28), (28, 30)):
        by_hand = p / (n - p - 1) if p < n else n / (p - n - 1)
        risk = ridgeless_risk_gaussian(n, p, noise=0.5, signal=2.0)
        assert (risk.variance, risk.bias) == pytest.approx((by_hand / 2, 2 * max(1 - n / p, 0)))
    # The chi-squared law with one degree of freedom has no mean inverse.
    for p in (19, 20, 21):
        assert np.isinf(ridgeless_risk_gaussian(20, p, noise=1.0, signal=1.0).variance)
        assert ridgeless_risk_gaussian(20, p, noise=0.0, signal=1.0).variance == 0


@pytest.mark.equation("eq-ridgeless-limit")
def test_the_limit_agrees_with_a_simulation() -> None:
    rng = np.random.default_rng(1)
    for gamma in (0.4, 0.8, 1.5, 4.0):
        n = 400
        weights = rng.normal(size=int(gamma * n))
        weights /= np.linalg.norm(weights)
        given = ridgeless_risk_given(rng.normal(size=(n, len(weights))), weights, noise=0.5)
        limit = ridgeless_risk(gamma, noise=0.5, signal=1.0)
        assert float(given.total) == pytest.approx(float(limit.total), rel=0.1)


@pytest.mark.equation("eq-ridgeless-given")
@given(seeds)
def test_risk_on_given_features_is_the_mean_over_noise_and_test_cases(seed: int) -> None:
    x, weights = problem(seed, 3, 5)[0], np.arange(5.0)
    # Two-point noise: the mean over all its signs is exact. Test features are averaged over by
    # the norm: E (z · e)² = ‖e‖² for features with variance 1 and no correlation.
    signs = np.array(np.meshgrid(*[[-1, 1]] * 3)).reshape(3, -1).T
    errors = [min_norm_solution(x, x @ weights + 0.7 * sign) - weights for sign in signs]
    total = ridgeless_risk_given(x, weights, noise=0.49).total
    np.testing.assert_allclose(np.mean(np.sum(np.square(errors), axis=1)), total, rtol=1e-6)


def test_the_risk_peaks_at_the_threshold_and_falls_again() -> None:
    gamma = np.array([0.2, 0.5, 0.9, 1.0, 1.1, 2.0, 10.0])
    variance = ridgeless_risk(gamma, noise=1.0, signal=1.0).variance
    assert np.isinf(variance[3])
    assert np.all(np.diff(variance[:4]) > 0)
    assert np.all(np.diff(variance[3:]) < 0)
    # The published limit, read from either side of the threshold.
    np.testing.assert_allclose(variance[[1, 5]], [0.5 / 0.5, 1 / (2 - 1)])
    quiet = ridgeless_risk(gamma, noise=0.0, signal=1.0)
    np.testing.assert_array_equal(quiet.variance, 0)
    np.testing.assert_allclose(quiet.total, [0, 0, 0, 0, 1 / 11, 0.5, 0.9])


# --- Margins -----------------------------------------------------------------------------------


@example(76, 2, 5)  # a column that only rounding makes attractive came and went forever
@example(1340, 3, 7)
@given(seeds, st.integers(1, 6), st.integers(1, 8))
def test_nonnegative_least_squares_agrees_with_scipy(seed: int, n: int, p: int) -> None:
    a, b = problem(seed, n, p)
    ours, (theirs, residual) = _nonnegative_least_squares(a, b), optimize.nnls(a, b)
    assert np.all(ours >= 0)
    assert np.linalg.norm(a @ ours - b) == pytest.approx(residual, abs=1e-8)
    if p <= n:
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def separable(seed: int, n: int, p: int) -> tuple[F, F]:
    """Draw cases on the right side of a random plane, at some distance from it."""
    rng = np.random.default_rng(seed)
    direction = rng.normal(size=p)
    direction /= np.linalg.norm(direction)
    x, labels = rng.normal(size=(n, p)), rng.choice([-1.0, 1.0], n)
    across = x @ direction
    return x + np.outer(labels * (0.5 + np.abs(across)) - across, direction), labels


@pytest.mark.equation("eq-max-margin")
@given(seeds, st.integers(1, 12), st.integers(1, 4), st.floats(1e-3, 1e3))
def test_the_largest_margin_satisfies_the_conditions_of_an_optimum(
    seed: int, n: int, p: int, scale: float
) -> None:
    x, labels = separable(seed, n, p)
    w = max_margin_solution(scale * x, labels) * scale
    z = labels[:, None] * x
    margins = z @ w
    assert margins.min() == pytest.approx(1, abs=1e-6)
    # w is a combination, with nonnegative factors, of the cases that lie on the margin.
    near = z[margins < 1 + 1e-6]
    factors, residual = optimize.nnls(near.T, w)
    assert residual < 1e-6 * np.linalg.norm(w)
    assert factors.sum() == pytest.approx(w @ w, rel=1e-5)  # no gap to the dual problem


@given(seeds)
def test_no_direction_has_a_larger_margin(seed: int) -> None:
    x, labels = separable(seed, 8, 2)
    w = max_margin_solution(x, labels)
    angles = np.linspace(0, 2 * np.pi, 20_001)
    margins = np.min(labels[:, None] * (x @ np.stack([np.cos(angles), np.sin(angles)])), axis=0)
    assert margins.max() <= 1 / np.linalg.norm(w) * (1 + 1e-9)
    assert margins.max() == pytest.approx(1 / np.linalg.norm(w), abs=2e-3 * np.abs(x).max())


def test_a_small_margin_is_found_down_to_its_limit() -> None:
    # Both cases are support vectors: w · (1, 0) = 1 and w · (−1, d) = 1.
    w = max_margin_solution([[1.0, 0.0], [-1.0, 1e-4]], [1, 1])
    np.testing.assert_allclose(w, [1, 2e4], rtol=1e-6)


@pytest.mark.equation("eq-logistic-descent")
def test_logistic_descent_is_that_of_its_loss() -> None:
    x, labels = separable(0, 6, 3)

    def loss(w: F) -> float:
        return float(np.sum(np.logaddexp(0, -labels * (x @ w))))

    first, second = logistic_descent(x, labels, step=0.01, times=[7, 8])
    slope = [(loss(first + h) - loss(first - h)) / 2e-5 for h in 1e-5 * np.eye(3)]
    np.testing.assert_allclose(second, first - 0.01 * np.array(slope), atol=1e-9)
    np.testing.assert_array_equal(logistic_descent(x, labels, step=0.01, times=[0, 0]), 0)
    assert logistic_descent(x, labels, step=0.01, times=[]).shape == (0, 3)


@pytest.mark.equation("eq-margin-path")
def test_logistic_descent_turns_to_the_largest_margin_at_the_pace_of_a_logarithm() -> None:
    x, labels = separable(3, 6, 2)
    best = max_margin_solution(x, labels)
    times = [10**k for k in (2, 3, 4, 5)]
    path = logistic_descent(x, labels, step=0.5, times=times)
    norms, log_t = np.linalg.norm(path, axis=1), np.log(times)
    # w = ŵ log t + O(1): a decade adds ‖ŵ‖ log 10 to the norm.
    growth = np.diff(norms) / np.log(10) / np.linalg.norm(best)
    np.testing.assert_allclose(growth[1:], 1, rtol=0.05)
    assert np.all(np.diff(np.abs(growth - 1)) < 0)
    # The direction is off by something of the order of 1/log t, and not less.
    off = np.linalg.norm(path / norms[:, None] - best / np.linalg.norm(best), axis=1)
    scaled = off * log_t
    assert np.all(scaled > 0.01)
    assert scaled.max() / scaled.min() < 1.5
    # The loss falls like 1/t.
    losses = np.sum(np.logaddexp(0, -labels * (path @ x.T)), axis=1)
    np.testing.assert_allclose((losses[1:] / losses[:-1])[1:], 0.1, rtol=0.05)


@pytest.mark.equation("eq-margin-example")
@pytest.mark.parametrize(("a", "b"), [(1.0, 3.0), (0.5, 2.0), (1.5, 1.5)])
def test_two_orthogonal_cases_follow_the_flow_and_turn_at_the_pace_of_a_logarithm(
    a: float, b: float
) -> None:
    cases = np.array([a, b])
    best = max_margin_solution(np.diag(cases), [1, 1])
    np.testing.assert_allclose(best, 1 / cases)
    rest = 2 * np.log(cases) / cases

    def path(t: float) -> F:
        return np.asarray(np.log1p(cases**2 * t) / cases)

    for t in (0.3, 2.0, 50.0):
        slope = (path(t * (1 + 1e-5)) - path(t * (1 - 1e-5))) / (2e-5 * t)
        np.testing.assert_allclose(slope, cases * np.exp(-cases * path(t)), rtol=1e-8)
    # What the expansion leaves out falls like 1/t.
    left = [path(t) - best * np.log(t) - rest for t in (1e3, 1e4)]
    np.testing.assert_allclose(left[0] / left[1], 10, rtol=0.01)
    across = rest - (rest @ best) / (best @ best) * best
    log_t = 1e6  # beyond any float t: there w is its expansion
    w = best * log_t + rest
    off = np.linalg.norm(w / np.linalg.norm(w) - best / np.linalg.norm(best))
    expected = np.linalg.norm(across) / np.linalg.norm(best)
    assert off * log_t == pytest.approx(expected, rel=1e-4, abs=1e-9)
    assert (expected < 1e-12) == (a == b)


def test_logistic_descent_takes_cases_of_any_length() -> None:
    # The second case comes to lie at a thousand nats, and e to that overflows.
    (w,) = logistic_descent([[1.0], [1000.0]], [1, 1], step=7e-6, times=[250_000])
    assert 0.7 < float(w[0]) < 1.3


def test_one_case_follows_the_flow() -> None:
    # Gradient flow on exp(−w) has w = log(1 + t), so 9.21044036698 at t = 10⁴; the logistic loss
    # tends to that one, and a late step is small.
    (early,), (late,) = logistic_descent([[1.0]], [1], step=1.0, times=[5_000, 50_000])
    assert late - early == pytest.approx(np.log(10), abs=1e-3)
    assert early == pytest.approx(np.log1p(5_000), abs=5e-3)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("penalty", [0.02, 0.5])
def test_ridge_risk_is_that_of_large_draws(gamma: float, penalty: float) -> None:
    rng, n = np.random.default_rng(8), 600
    p = round(gamma * n)
    x = rng.normal(size=(n, p))
    estimate = np.linalg.inv(x.T @ x + n * penalty * np.eye(p)) @ x.T
    limit = ridge_risk(gamma, noise=0.5, signal=1.0, penalty=penalty)
    gap = estimate @ x - np.eye(p)  # squared over p: the mean over all directions of the truth
    assert limit.bias == pytest.approx(np.sum(gap**2) / p, rel=0.05)
    assert limit.variance == pytest.approx(0.5 * np.sum(estimate**2), rel=0.05)


def test_ridge_risk_without_a_penalty_and_with_the_best() -> None:
    gamma = np.array([0.2, 0.9, 1.3, 7.0])
    plain = ridgeless_risk(gamma, noise=0.3, signal=2.0)
    for penalty in (0.0, 1e-9):
        risk = ridge_risk(gamma, noise=0.3, signal=2.0, penalty=penalty)
        np.testing.assert_allclose(risk.bias, plain.bias, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(risk.variance, plain.variance, rtol=1e-6)
    best = ridge_risk(gamma, noise=0.3, signal=2.0, penalty=gamma * 0.3 / 2).total
    assert np.all(np.diff(best) > 0)  # no peak
    for factor in (0.9, 1.1):
        other = ridge_risk(gamma, noise=0.3, signal=2.0, penalty=factor * gamma * 0.3 / 2).total
        assert np.all(best < other)
