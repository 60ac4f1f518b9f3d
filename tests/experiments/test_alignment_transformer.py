"""A small transformer on the plane: answers short enough to list, and what was stored."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import special, stats

from experiments import alignment_transformer, record
from experiments.alignment_transformer import CHECK
from experiments.train_austen import encode
from primer_ref.training import Run
from primer_ref.transformer import Weights, forward

P = np.array([0.5, 0.3, 0.2])  # a law of the reward
ROADS = ("ppo", "dpo", "ppo_slow", "dpo_slow")


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("alignment_transformer")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("reference")


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return alignment_transformer.reference(CHECK, folder)


def first_byte(run: Run, weights: Weights) -> Any:
    """Law of the first byte of the answer, by the whole prompt at once."""
    logits = forward(run.config, weights, alignment_transformer.prompt())[-1]
    return special.softmax(logits)


def test_answers_are_drawn_from_the_model(run: Run) -> None:
    rng = np.random.default_rng(0)
    rows, log_p = alignment_transformer.draw(run.config, run.weights, 3000, 1, rng)
    law = first_byte(run, run.weights)
    counts, often = np.bincount(rows[:, -1], minlength=len(law)), 3000 * law > 5
    merged = np.append(counts[often], counts[~often].sum())
    expected = 3000 * np.append(law[often], law[~often].sum())
    assert stats.chisquare(merged, expected).pvalue > 1e-3
    np.testing.assert_allclose(log_p[:, 0], np.log(law[rows[:, -1]]), rtol=1e-9)


def test_a_byte_at_a_time_is_scored_as_all_at_once(run: Run) -> None:
    rng = np.random.default_rng(1)
    rows, log_p = alignment_transformer.draw(run.config, run.weights, 5, 7, rng)
    scored = alignment_transformer.score(run.config, run.weights, rows)
    assert log_p.shape == (5, 7)
    np.testing.assert_allclose(log_p, scored, rtol=1e-9)


def test_the_reward_counts_a_letter_of_the_answer_alone() -> None:
    prompt, text = alignment_transformer.PROMPT, "see me"
    rows = encode(prompt + text, alignment_transformer.numbers())[None]
    assert alignment_transformer.letters(rows).tolist() == [[0, 1, 1, 0, 0, 1]]
    assert alignment_transformer.write(rows) == [text]


def test_best_of_n_and_gibbs_by_listing_all_draws() -> None:
    draws = list(product(range(3), repeat=3))
    chances = np.array([math.prod(P[list(draw)]) for draw in draws])
    kept = np.bincount([max(draw) for draw in draws], weights=chances)
    assert alignment_transformer.kept_reward(P, 3) == pytest.approx(kept @ np.arange(3))
    divergence = special.rel_entr(kept, P).sum()
    assert alignment_transformer.kept_divergence(P, 3) == pytest.approx(divergence)
    tilted = P * np.exp(np.arange(3) / 0.7)
    best = tilted / tilted.sum()
    assert alignment_transformer.gibbs_reward(P, 0.7) == pytest.approx(best @ np.arange(3))
    at = special.rel_entr(best, P).sum()
    assert alignment_transformer.gibbs_divergence(P, 0.7) == pytest.approx(at)
    assert alignment_transformer.best_value(P, 0.7) == pytest.approx(0.7 * np.log(tilted.sum()))
    assert alignment_transformer.reward_at(at, P, 0.1) == pytest.approx(best @ np.arange(3))
    assert alignment_transformer.reward_at(at, P, 0.8) is None


def test_ppo_and_dpo_move_toward_the_gibbs_policy(run: Run) -> None:
    """With answers of one byte the Gibbs policy is known exactly."""
    plan = replace(CHECK, answer=1, rounds=15, round_batch=64, dpo_steps=20, pairs=64, rate=1e-2)
    law, e = first_byte(run, run.weights), alignment_transformer.numbers().index(ord("e"))
    best = law * np.exp((np.arange(len(law)) == e) / 0.5)
    best /= best.sum()
    before = special.rel_entr(law, best).sum()
    by_ppo, _ = alignment_transformer.ppo(run, plan, 0.5)
    by_dpo = alignment_transformer.dpo(run, plan, 0.5)
    for weights in (by_ppo, by_dpo):
        assert special.rel_entr(first_byte(run, weights), best).sum() < before / 3


def test_preferred_answers_are_the_better_ones_as_often_as_the_model_says(run: Run) -> None:
    rng = np.random.default_rng(3)
    _, _, up, down = alignment_transformer.preferred(run, CHECK, 1500, rng)
    apart = np.abs(up - down) == 1
    won = int(np.sum(up[apart] > down[apart]))
    p = special.expit(1.0)
    assert stats.binomtest(won, int(apart.sum()), p).pvalue > 1e-3


# --- What was stored ---------------------------------------------------------------------------


def test_the_small_plan_comes_out_again(
    stored: dict[str, Any], run: Run, folder: Path, tmp_path: Path
) -> None:
    assert run.moments.n_steps == CHECK.recipe.n_steps
    again = alignment_transformer.measure(plans={"check": CHECK}, folder=folder, kept=tmp_path)
    assert list(record.differences(stored["check"], record.plain(again["check"]))) == []


def test_the_stored_reference_is_whole(stored: dict[str, Any]) -> None:
    full = stored["full"]
    assert sum(full["reference"]["counts"]) == full["plan"]["samples"]
    counts, levels = np.array(full["reference"]["counts"]), np.array(full["reference"]["levels"])
    mean = counts @ levels / counts.sum()
    assert full["reference"]["mean"][0] == pytest.approx(mean, abs=1e-5)
    deviation = math.sqrt(counts @ (levels - mean) ** 2 / (counts.sum() - 1))
    assert full["reference"]["deviation"] == pytest.approx(deviation, abs=1e-5)


def test_the_stored_frontier_follows_from_the_counts(stored: dict[str, Any]) -> None:
    full = stored["full"]
    counts, levels = np.array(full["reference"]["counts"]), np.array(full["reference"]["levels"])
    divergences = []
    for point in full["frontier"]:
        weights = counts * np.exp(levels / point["beta"])
        law = weights / weights.sum()
        assert point["reward"][0] == pytest.approx(law @ levels, abs=1e-4)
        divergences.append(special.rel_entr(law, counts / counts.sum()).sum())
        assert point["divergence"][0] == pytest.approx(divergences[-1], abs=1e-4)
        effective = weights.sum() ** 2 / np.sum(weights * np.exp(levels / point["beta"]))
        assert point["effective"] == pytest.approx(effective, rel=1e-4)
        for name in ("reward", "divergence", "value"):
            value, low, high = point[name]
            assert low <= value <= high
    assert divergences == sorted(divergences)


def test_best_of_n_keeps_below_its_bound(stored: dict[str, Any]) -> None:
    for found in stored["full"]["best_of_n"]:
        assert found["divergence"][0] <= found["bound"] + 1e-12
        mean, low, high = found["kept"]
        wide = 2 * (high - low)
        assert mean - wide < found["reward"][0] < mean + wide


def test_no_policy_is_above_the_frontier(stored: dict[str, Any]) -> None:
    """The divergence from the Gibbs policy is at least 0, within its error."""
    for road in ROADS:
        for found in stored["full"][road]:
            assert found["above"][2] > 0


def test_the_estimates_of_a_divergence_agree(stored: dict[str, Any]) -> None:
    """Their intervals of 95 %, doubled, have a point in common."""
    for road in ROADS:
        for found in stored["full"][road]:
            wide = []
            for name in ("k1", "k3_bytes"):
                value, low, high = found[name]
                wide.append((2 * low - value, 2 * high - value))
            assert max(low for low, _ in wide) < min(high for _, high in wide)


def test_dpo_orders_pairs_better_than_chance_and_not_better_than_the_reward(
    stored: dict[str, Any],
) -> None:
    for found in stored["full"]["dpo"] + stored["full"]["dpo_slow"]:
        assert found["accuracy"] > 0.5
        assert found["chosen"][0] > found["rejected"][0]


def test_a_sequence_k3_misses_what_k1_finds_at_the_largest_divergence(
    stored: dict[str, Any],
) -> None:
    """Its mean differs from that of k1 by the mean of π₀/π less 1, which rare answers carry."""
    for road in ("ppo", "dpo"):
        found = stored["full"][road][-1]
        assert found["k3"][0] < found["k1"][0]


def test_at_a_lower_rate_both_roads_end_nearer_the_optimum(stored: dict[str, Any]) -> None:
    full = stored["full"]
    for road in ("ppo", "dpo"):
        fast = {found["beta"]: found["above"] for found in full[road]}
        for found in full[f"{road}_slow"]:
            assert found["above"][2] < fast[found["beta"]][1]


def test_under_dpo_both_answers_became_less_likely_and_the_margin_grew(
    stored: dict[str, Any],
) -> None:
    for found in stored["full"]["dpo"] + stored["full"]["dpo_slow"]:
        assert found["rejected"][2] < found["chosen"][1]
        assert found["chosen"][2] < 0
