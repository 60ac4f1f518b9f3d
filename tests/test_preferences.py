"""Bradley–Terry and Elo: Gumbel utilities, SciPy's optimizer, closed forms, coverage."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import integrate, optimize, stats

from primer_ref.autodiff import check_gradient, grad
from primer_ref.preferences import (
    bradley_terry,
    bradley_terry_gradient,
    bradley_terry_information,
    bradley_terry_loss,
    difference_errors,
    elo_update,
    fit_bradley_terry,
    strength_intervals,
)

F = NDArray[np.float64]
rewards = arrays(float, 6, elements=st.floats(-30, 30))


@pytest.mark.equation("eq-random-utility")
@pytest.mark.equation("eq-bradley-terry")
@pytest.mark.parametrize("gap", [-3.0, 0.0, 0.7])
def test_the_probability_is_that_of_the_larger_gumbel_utility(gap: float) -> None:
    value, _ = integrate.quad(
        lambda noise: stats.gumbel_r.pdf(noise) * stats.gumbel_r.cdf(noise + gap), -8, 40
    )
    np.testing.assert_allclose(bradley_terry(gap, 0), value, atol=1e-10)
    rng = np.random.default_rng(0)
    wins = np.mean(gap + rng.gumbel(size=40_000) > rng.gumbel(size=40_000))
    assert abs(wins - value) < 4 * math.sqrt(value * (1 - value) / 40_000)


@given(rewards, rewards, st.floats(-100, 100))
def test_a_common_shift_changes_nothing(first: F, second: F, shift: float) -> None:
    np.testing.assert_allclose(
        bradley_terry(first + shift, second + shift), bradley_terry(first, second), atol=1e-12
    )
    np.testing.assert_allclose(bradley_terry(first, second) + bradley_terry(second, first), 1)


@pytest.mark.equation("eq-bradley-terry-loss")
@given(rewards, rewards)
def test_the_loss_is_the_mean_surprisal(chosen: F, rejected: F) -> None:
    expected = -np.mean(stats.logistic.logcdf(chosen - rejected))
    np.testing.assert_allclose(bradley_terry_loss(chosen, rejected), expected, rtol=1e-12)


@pytest.mark.equation("eq-bradley-terry-gradient")
@given(rewards, rewards)
def test_gradients_are_those_of_the_loss(chosen: F, rejected: F) -> None:
    ours = bradley_terry_gradient(chosen, rejected)
    up = grad(lambda r: bradley_terry_loss(r, rejected))(chosen)
    down = grad(lambda r: bradley_terry_loss(chosen, r))(rejected)
    np.testing.assert_allclose(ours, up, rtol=1e-12)
    np.testing.assert_allclose(-ours, down, rtol=1e-12)


def test_the_loss_agrees_with_finite_differences_and_is_convex() -> None:
    rng = np.random.default_rng(1)
    tree = {"chosen": rng.normal(size=5), "rejected": rng.normal(size=5)}
    loss = lambda t: bradley_terry_loss(t["chosen"], t["rejected"])  # noqa: E731
    assert check_gradient(loss, tree, rng=rng) < 1e-8
    a, b = rng.normal(size=(2, 5)), rng.normal(size=(2, 5))
    middle = bradley_terry_loss(a.mean(0), b.mean(0))
    assert middle <= (bradley_terry_loss(a[0], b[0]) + bradley_terry_loss(a[1], b[1])) / 2


def table(seed: int, n: int, games: int = 6) -> F:
    """Wins of a random tournament whose graph is strongly connected."""
    rng = np.random.default_rng(seed)
    played = np.triu(rng.poisson(games, size=(n, n)), 1)
    strengths = rng.normal(size=n)
    won = rng.binomial(played, bradley_terry(strengths[:, None], strengths))
    wins = won + (played - won).T
    wins[np.arange(n), (np.arange(n) + 1) % n] += 1  # a ring of wins
    return wins.astype(float)


def log_likelihood(strengths: F, wins: F) -> float:
    return float(np.sum(wins * stats.logistic.logcdf(strengths[:, None] - strengths)))


@pytest.mark.equation("eq-bradley-terry-fit")
@pytest.mark.parametrize("n", [2, 3, 8])
def test_the_fit_agrees_with_a_general_optimizer_and_with_mm(n: int) -> None:
    wins = table(n, n)
    fit = fit_bradley_terry(wins)
    assert abs(fit.strengths.sum()) < 1e-12
    free = optimize.minimize(
        lambda r: -log_likelihood(np.append(0, r), wins), np.zeros(n - 1), tol=1e-10
    )
    found = np.append(0, free.x)
    np.testing.assert_allclose(fit.strengths, found - found.mean(), atol=1e-4)
    # The minorize–maximize iteration: wins over the sum of games/(γ_i + γ_j).
    gamma = np.ones(n)
    for _ in range(5000):
        gamma = wins.sum(1) / np.sum((wins + wins.T) / (gamma[:, None] + gamma), axis=1)
    mm = np.log(gamma)
    np.testing.assert_allclose(fit.strengths, mm - mm.mean(), atol=1e-9)


def test_wins_in_single_precision_are_counted_in_double() -> None:
    wins = np.array([[0, 2**24], [3, 0]], np.float32)  # whose sum that precision cannot hold
    odds = math.log(2**24 / 3)
    np.testing.assert_allclose(fit_bradley_terry(wins).strengths, [odds / 2, -odds / 2], rtol=1e-9)


@given(st.floats(0.5, 1e6), st.floats(0.5, 1e6))
def test_two_items_have_a_closed_form(won: float, lost: float) -> None:
    fit = fit_bradley_terry([[0, won], [lost, 0]])
    odds, error = math.log(won / lost), math.sqrt(1 / won + 1 / lost)
    np.testing.assert_allclose(fit.strengths, [odds / 2, -odds / 2], atol=1e-9)
    np.testing.assert_allclose(difference_errors(fit)[0, 1], error, rtol=1e-7)
    half = stats.norm.ppf(0.95) * error / 2
    ends = [[odds / 2 - half, odds / 2 + half], [-odds / 2 - half, -odds / 2 + half]]
    np.testing.assert_allclose(strength_intervals(fit, confidence=0.9), ends, atol=1e-8)


def test_a_lopsided_chain_is_fitted_from_zero() -> None:
    wins = np.zeros((8, 8))
    above, below = np.arange(7), np.arange(1, 8)
    wins[above, below], wins[below, above] = 1e5, 1
    np.testing.assert_allclose(
        np.diff(fit_bradley_terry(wins).strengths), -math.log(1e5), rtol=1e-9
    )


@pytest.mark.parametrize(
    ("n", "won", "lost"), [(2, 1e12, 1.0), (2, 1e9, 1e-6), (2, 1.0, 1e-300), (60, 1e12, 1.0)]
)
def test_hardly_any_losses_are_fitted_to_all_digits(n: int, won: float, lost: float) -> None:
    wins = np.zeros((n, n))
    above, below = np.arange(n - 1), np.arange(1, n)
    wins[above, below], wins[below, above] = won, lost
    found = fit_bradley_terry(wins).strengths
    np.testing.assert_allclose(-np.diff(found), math.log(won) - math.log(lost), rtol=1e-12)
    assert abs(found.sum()) < 1e-9


def test_a_ring_of_rare_losses_is_fitted_to_all_digits() -> None:
    # Surprise is the same along all three arrows: 1e15 e^(−gap) = 1e-3, at both gaps.
    wins = np.array([[0, 1e15, 0], [0, 0, 1e15], [1e-3, 0, 0]])
    a, b, c = fit_bradley_terry(wins).strengths
    np.testing.assert_allclose([a - b, b - c], math.log(1e18), rtol=1e-12)


def test_a_fit_that_does_not_settle_is_refused() -> None:
    with pytest.raises(ArithmeticError, match="the strengths must settle"):
        fit_bradley_terry([[0.0, 1e20, 1.0], [1e20, 0.0, 0.0], [5.0, 0.0, 0.0]])


@pytest.mark.equation("eq-bradley-terry-information")
def test_information_is_minus_the_hessian_of_the_log_likelihood() -> None:
    wins, r = table(3, 5), np.random.default_rng(3).normal(size=5)
    h = 1e-4
    steps = h * np.eye(5)
    hessian = np.array(
        [
            [
                sum(
                    a * b * log_likelihood(r + a * steps[i] + b * steps[j], wins)
                    for a in (1, -1)
                    for b in (1, -1)
                )
                for j in range(5)
            ]
            for i in range(5)
        ]
    ) / (4 * h * h)
    ours = bradley_terry_information(r, wins + wins.T)
    np.testing.assert_allclose(ours, -hessian, atol=1e-4)
    np.testing.assert_allclose(ours.sum(0), 0, atol=1e-12)


def test_errors_of_differences_do_not_see_the_zero_that_strengths_are_counted_from() -> None:
    wins = table(4, 6)
    fit = fit_bradley_terry(wins)
    # Counted from item 0: drop its row and column, and invert what is left.
    information = bradley_terry_information(fit.strengths, wins + wins.T)
    anchored = np.zeros((6, 6))
    anchored[1:, 1:] = np.linalg.inv(information[1:, 1:])
    diagonal = np.diag(anchored)
    expected = np.sqrt(diagonal[:, None] + diagonal - 2 * anchored)
    np.testing.assert_allclose(difference_errors(fit), expected, atol=1e-9)
    np.testing.assert_allclose(fit.covariance.sum(0), 0, atol=1e-10)


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    truth = np.array([0.8, 0.2, -0.3, -0.7])
    played = np.triu(np.full((4, 4), 60), 1)
    covered = []
    for _ in range(400):
        won = rng.binomial(played, bradley_terry(truth[:, None], truth))
        ends = strength_intervals(fit_bradley_terry(won + (played - won).T), confidence=0.8)
        covered.append((ends[:, 0] < truth) & (truth < ends[:, 1]))
    assert abs(np.mean(covered) - 0.8) < 0.03


@pytest.mark.equation("eq-elo-ascent")
@given(st.floats(-500, 3500), st.floats(-500, 3500), st.sampled_from([0, 0.5, 1]))
def test_elo_is_an_online_gradient_of_the_same_likelihood(a: float, b: float, score: float) -> None:
    expected = 1 / (1 + 10 ** ((b - a) / 400))
    new = elo_update(a, b, score=score, k=20)
    gain = 20 * (score - expected)
    np.testing.assert_allclose(new, [a + gain, b - gain], atol=1e-11)
    nats = math.log(10) / 400

    def loss(r: F) -> F:
        up, down = r[:1], r[1:]
        return score * bradley_terry_loss(up, down) + (1 - score) * bradley_terry_loss(down, up)

    slope = grad(loss)(nats * np.array([a, b]))
    moved = (np.array(new) - [a, b]) * nats
    np.testing.assert_allclose(moved, -20 * nats * slope, atol=1e-12)


def test_elo_with_small_steps_finds_the_fit() -> None:
    wins = table(6, 4, games=40)
    games = [(i, j) for i in range(4) for j in range(4) for _ in range(int(wins[i, j]))]
    ratings, rng = np.zeros(4), np.random.default_rng(0)
    average = np.zeros(4)
    for sweep in range(60):
        for g in rng.permutation(len(games)):
            i, j = games[g]
            ratings[i], ratings[j] = elo_update(ratings[i], ratings[j], score=1, k=2)
            average += ratings * (sweep >= 20) / (40 * len(games))
    strengths = average * math.log(10) / 400
    np.testing.assert_allclose(strengths, fit_bradley_terry(wins).strengths, atol=0.02)
