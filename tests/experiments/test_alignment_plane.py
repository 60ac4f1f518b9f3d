"""Four roads on one plane: small worlds with known ends, and what was stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special

from experiments import alignment_plane, record
from primer_ref.gibbs import gibbs_policy
from primer_ref.overoptimization import gold_reward_best_of_n, gold_reward_rl

REFERENCE = np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
REWARDS = np.array([[0.0, 1.0, 2.0], [1.0, -1.0, 0.0]])
ROADS = ("reward_model_ppo", "policy_gradient", "dpo")


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("alignment_plane")


# --- On worlds of three answers ------------------------------------------------------------------


def test_wins_are_counted_for_whom_they_are() -> None:
    expected = alignment_plane.expected_wins(REFERENCE, REWARDS)
    assert expected.sum(axis=(1, 2)) == pytest.approx([1, 1])
    # The pair of the first two answers of the first prompt, from the definitions.
    shown = 2 * 0.5 * 0.3 / (1 - 0.5**2 - 0.3**2 - 0.2**2)
    assert expected[0, 1, 0] == pytest.approx(shown * special.expit(1.0))
    assert expected[0, 0, 1] == pytest.approx(shown * special.expit(-1.0))
    n = 200_000
    counted = alignment_plane.sampled_wins(REFERENCE, REWARDS, n, np.random.default_rng(0))
    assert counted.sum(axis=(1, 2)) == pytest.approx([n, n])
    errors = (counted - n * expected) / np.sqrt(n * expected * (1 - expected) + np.eye(3))
    assert np.max(np.abs(errors)) < 4


def test_exact_preferences_lead_every_road_to_the_gibbs_policy() -> None:
    best = gibbs_policy(REFERENCE, REWARDS, beta=0.5)
    wins = alignment_plane.expected_wins(REFERENCE, REWARDS)
    fitted = alignment_plane.reward_model(1e6 * wins)
    trained, clipped = alignment_plane.ppo(REFERENCE, fitted, 0.5, 150)
    np.testing.assert_allclose(trained, best, atol=1e-3)
    assert 0 <= clipped[2] <= clipped[1] <= 1
    plain = alignment_plane.plain_gradient(REFERENCE, REWARDS, 0.5, 450)
    np.testing.assert_allclose(plain, best, atol=1e-3)
    np.testing.assert_allclose(alignment_plane.dpo(REFERENCE, wins, 0.5, 450), best, atol=1e-3)


def test_dpo_on_counted_wins_is_the_minimum_of_its_loss() -> None:
    """Found by SciPy, with the loss written out for one prompt."""
    wins = np.array([[0, 7.0, 2.0], [3.0, 0, 5.0], [4.0, 6.0, 0]])
    p0, beta = REFERENCE[0], 0.7

    def loss(z: Any) -> float:
        h = beta * (z - np.log(p0))
        return float(-np.sum(wins * np.log(special.expit(h[:, None] - h))) / wins.sum())

    best = special.softmax(optimize.minimize(loss, np.log(p0), options={"gtol": 1e-9}).x)
    found = alignment_plane.dpo(p0[None], wins[None], beta, 450)[0]
    np.testing.assert_allclose(found, best, atol=1e-3)


def test_a_policy_is_found_by_its_divergence() -> None:
    policy = alignment_plane.at_divergence(REFERENCE, REWARDS, 0.2)
    divergence = special.rel_entr(policy, REFERENCE).sum(axis=1).mean()
    assert divergence == pytest.approx(0.2, abs=1e-9)
    # It is a Gibbs policy: log π/π₀ is linear in the rewards, with one slope for both prompts.
    ell = np.log(policy / REFERENCE)
    slopes = (ell[:, 1:] - ell[:, :1]) / (REWARDS[:, 1:] - REWARDS[:, :1])
    np.testing.assert_allclose(slopes, slopes[0, 0], rtol=1e-9)


def test_a_table_without_a_way_back_has_no_maximum() -> None:
    assert not alignment_plane.has_maximum(np.array([[0, 3.0], [0, 0]]))
    assert alignment_plane.has_maximum(np.array([[0, 3.0], [1.0, 0]]))


# --- What was stored ---------------------------------------------------------------------------


def test_exact_parts_come_out_again(stored: dict[str, Any]) -> None:
    for name, again in (
        ("frontier", alignment_plane.measure_frontier()),
        ("best_of_n", alignment_plane.measure_best_of_n()),
    ):
        assert list(record.differences(stored[name], record.plain(again))) == []


def test_sampled_preferences_come_out_again(stored: dict[str, Any]) -> None:
    kept = stored["finite"]
    pairs = tuple(kept["pairs"][:2])
    again = record.plain(alignment_plane.measure_finite(pairs, kept["draws"]))
    for name in ("reward", "divergence", "to_gibbs", "without_maximum"):
        assert list(record.differences(kept[name][:2], again[name])) == []


def test_every_gap_is_beta_times_the_divergence_from_the_best(stored: dict[str, Any]) -> None:
    for found in stored["roads"]:
        for road in ROADS:
            expected = found["beta"] * found[road]["to_gibbs"]
            assert found[road]["gap"] == pytest.approx(expected, rel=1e-4, abs=1e-12)


def test_every_road_reaches_the_optimum_when_preferences_are_exact(stored: dict[str, Any]) -> None:
    assert stored["reward_error"] < 1e-8
    for found in stored["roads"]:
        for road in ROADS:
            assert found[road]["to_gibbs"] < 1e-3
            assert found[road]["reward"] == pytest.approx(found["gibbs"]["reward"], abs=2e-3)
            assert found[road]["divergence"] == pytest.approx(
                found["gibbs"]["divergence"], abs=5e-3
            )


def test_both_roads_end_at_one_policy_also_on_sampled_preferences(stored: dict[str, Any]) -> None:
    for found in stored["trained"]:
        assert max(found["ppo_to_limit"], found["dpo_to_limit"], found["ppo_to_dpo"]) < 1e-3
    # That policy is the wrong one, by more than either misses it.
    far = [mean for mean, *_ in stored["finite"]["to_gibbs"]]
    assert far == sorted(far, reverse=True)
    assert far[-1] > 10 * stored["trained"][-1]["ppo_to_limit"]


def test_best_of_n_keeps_below_its_bound_and_the_frontier(stored: dict[str, Any]) -> None:
    found = stored["best_of_n"]
    reference, rewards = alignment_plane.world()
    above = np.sum(reference * (rewards > np.median(rewards, axis=1, keepdims=True)), axis=1)
    for number, n in enumerate(found["n"]):
        assert found["bound"][number] == pytest.approx(math.log(n) - (n - 1) / n, abs=1e-5)
        assert found["divergence"][number] <= found["bound"][number] + 1e-12
        assert found["reward"][number] <= found["frontier"][number] + 1e-3
        # Two levels: the upper one is missed only if n draws miss it.
        q = 1 - (1 - above) ** n
        exact = special.rel_entr(q, above) + special.rel_entr(1 - q, 1 - above)
        assert found["two_levels"][number] == pytest.approx(exact.mean(), abs=1e-5)


def test_the_fitted_forms_are_those_of_the_package(stored: dict[str, Any]) -> None:
    for found in stored["overoptimized"]:
        for name, form in (("gibbs", gold_reward_rl), ("best_of_n", gold_reward_best_of_n)):
            kept = found[name]
            distance, gold = np.array(kept["distance"]), np.array(kept["gold"])
            alpha, beta = kept["form"]["alpha"], kept["form"]["beta"]
            residual = form(distance, alpha=alpha, beta=beta) - gold
            assert np.sqrt(np.mean(residual**2)) == pytest.approx(kept["form"]["rms"], abs=1e-4)
            for change in (0.99, 1.01):  # least squares
                worse = form(distance, alpha=alpha * change, beta=beta) - gold
                assert np.sum(worse**2) > np.sum(residual**2)


def test_the_proxy_promises_more_than_gold_gives(stored: dict[str, Any]) -> None:
    for found in stored["overoptimized"]:
        for name in ("gibbs", "best_of_n"):
            kept = found[name]
            assert np.all(np.array(kept["proxy"]) > np.array(kept["gold_high"]))
            assert kept["largest"] == max(kept["gold"])
