"""Speculative decoding measured: the statistics by hand, and a part of what was stored again."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments import record
from experiments import speculative_acceptance as measured
from primer_ref import llama
from primer_ref.speculative import expected_tokens


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("speculative_acceptance")


# --- By hand ---------------------------------------------------------------------------------


def test_accepted_tokens_are_counted_by_place() -> None:
    rows = measured.by_place([1, 1, 2, 4, 3], gamma=3)
    assert [(row["checked"], row["accepted"]) for row in rows] == [(5, 3), (3, 2), (2, 1)]
    low, high = stats.binomtest(3, 5).proportion_ci(method="exact")
    assert rows[0]["share"] == pytest.approx({"value": 0.6, "low": low, "high": high}, abs=1e-6)
    run = measured.summarize_run([[1, 1, 2], [4, 3]], gamma=3)
    assert run["alpha"] == pytest.approx(6 / 10)
    assert run["tokens"]["value"] == pytest.approx(11 / 5)
    assert run["formula"] == pytest.approx((1 - 0.6**4) / 0.4)


def test_equal_ratios_give_the_formula_for_independent_acceptance() -> None:
    found = measured.mean_tokens(np.full((3, 20), 0.7), 5)
    expected = [(1 - 0.7 ** (n + 1)) / 0.3 for n in range(1, 6)]
    np.testing.assert_allclose(found, expected)


def test_runs_of_luck_make_a_step_longer_than_the_formula() -> None:
    """Two kinds of texts, all accepted or all rejected: half the steps yield n + 1 tokens."""
    ratios = np.repeat([[1.0], [0.0]], 20, axis=1)
    np.testing.assert_allclose(measured.mean_tokens(ratios, 4), [1.5, 2, 2.5, 3])
    assert measured.mean_tokens(ratios, 4)[-1] > expected_tokens(0.5, gamma=4)


def test_a_mean_over_drafts_is_one_over_texts_of_the_costly_model() -> None:
    """The identity behind ``tokens``: two drafted tokens of a chain, all pairs gone through."""
    rng = np.random.default_rng(0)
    p1, q1 = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(4))
    p2, q2 = rng.dirichlet(np.ones(4), 4), rng.dirichlet(np.ones(4), 4)
    drafts = q1[:, None] * q2 * np.minimum(1, p1 / q1)[:, None] * np.minimum(1, p2 / q2)
    texts = p1[:, None] * p2 * np.minimum(1, q1 / p1)[:, None] * np.minimum(1, q2 / p2)
    assert drafts.sum() == pytest.approx(texts.sum())


def test_correlation_of_neighbors_is_that_of_pearson() -> None:
    x = np.random.default_rng(1).random((3, 15))
    expected = stats.pearsonr(x[:, :-1].ravel(), x[:, 1:].ravel()).statistic
    assert measured.neighbor_correlation(x) == pytest.approx(expected)


def test_two_tokens_have_the_law_of_the_costly_model_and_a_wrong_law_is_seen() -> None:
    rng = np.random.default_rng(2)
    p1, q1 = rng.dirichlet(np.ones(3)), rng.dirichlet(np.ones(3))
    p2 = rng.dirichlet(np.ones(3), 3)
    counts = measured.two_tokens(p1, p2, q1, 4000, rng)
    expected = 4000 * p1[:, None] * p2
    assert stats.chisquare(counts.ravel(), expected.ravel()).pvalue > 1e-3
    wrong = 4000 * q1[:, None] * p2
    assert stats.chisquare(counts.ravel(), wrong.ravel()).pvalue < 1e-6


# --- What was stored -------------------------------------------------------------------------


@pytest.mark.model
def test_early_exits_on_the_first_text_come_out_again(
    stored: dict[str, Any], model: llama.Model
) -> None:
    prompt = measured.prompts(model, 1, stored["prompt"])[0]
    tokens = stored["texts"][0][:16]
    hidden = [b.hidden[len(prompt) - 1 :] for b in llama.blocks(model, [*prompt, *tokens[:-1]])]
    p = measured.laws(llama.unembed(model, hidden[-1]))
    q = measured.laws(llama.unembed(model, hidden[stored["exit"] - 1]))
    chance = np.minimum(p, q).sum(-1)
    np.testing.assert_allclose(chance, stored["first_chances"][:16], rtol=2e-3, atol=2e-3)


@pytest.mark.model
def test_a_cache_that_was_wound_back_gives_the_law_of_a_fresh_one(model: llama.Model) -> None:
    text = model.tokenizer.encode("The old house by the river stood empty for many years.")
    cache = llama.KVCache(model.config, 20)
    measured.exit_law(model, 5, [*text[:6], 7, 8], cache)
    cache.length[...] = 6
    again = measured.exit_law(model, 5, text[:8], cache)
    fresh = measured.exit_law(model, 5, text[:8], llama.KVCache(model.config, 20))
    np.testing.assert_allclose(again, fresh, rtol=1e-3, atol=1e-6)


def test_runs_add_up(stored: dict[str, Any]) -> None:
    for run in stored["runs"].values():
        rows = run["by_place"]
        assert rows[0]["checked"] == run["steps"]
        for row, following in pairwise(rows):
            assert row["accepted"] == following["checked"]
        assert sum(row["accepted"] for row in rows) == run["accepted"]
        # Every step yields the accepted tokens and one more.
        assert run["tokens"]["value"] == pytest.approx(1 + run["accepted"] / run["steps"], rel=1e-5)
        alpha = run["alpha"]
        formula = (1 - alpha ** (stored["gamma"] + 1)) / (1 - alpha)
        assert run["formula"] == pytest.approx(formula, rel=1e-4)


def test_the_first_token_of_a_draft_meets_its_mean_chance(stored: dict[str, Any]) -> None:
    """Two roads to one number: counts of decoding, and sums of laws on texts."""
    by_name = {row["layer"]: row for row in stored["drafts"]}
    for run, layer in ((stored["runs"]["ngram"], None), (stored["runs"]["exit"], stored["exit"])):
        row, share = by_name[layer], run["by_place"][0]["share"]
        assert row["alpha"]["low"] < share["high"]
        assert share["low"] < row["alpha"]["high"]


def test_formulas_of_the_drafts_hold(stored: dict[str, Any]) -> None:
    for row in stored["drafts"]:
        alpha, tokens = row["alpha"]["value"], row["tokens"]
        assert 0 < alpha < 1
        assert all(one <= other for one, other in pairwise(tokens))
        last = (1 - alpha ** (stored["longest"] + 1)) / (1 - alpha)
        assert row["formula"][-1] == pytest.approx(last, rel=1e-4)
        assert row["excess"]["value"] == pytest.approx(tokens[-1] - row["formula"][-1], abs=1e-4)
        assert (row["best_gamma"] == 0) == (row["layer"] is not None and alpha <= row["cost"])


def test_the_written_law_is_that_of_the_real_model(stored: dict[str, Any]) -> None:
    exact = stored["exact"]
    observed, expected = np.array(exact["observed"]), np.array(exact["expected"])
    assert observed.sum() == exact["draws"]
    found = stats.chisquare(observed.ravel(), expected.ravel() * observed.sum() / expected.sum())
    assert found.statistic == pytest.approx(exact["chi_squared"], rel=1e-3)
    # Some pairs are so rare that this is no draw from the χ² of 35 degrees of freedom: simulate.
    law = expected.ravel() / expected.sum()
    draws = np.random.default_rng(0).multinomial(exact["draws"], law, size=20_000)
    simulated = np.sum((draws - exact["draws"] * law) ** 2 / (exact["draws"] * law), axis=1)
    assert simulated.mean() == pytest.approx(exact["support"] ** 2 - 1, rel=0.02)
    assert np.mean(simulated >= found.statistic) > 0.01
    # Pairs expected less than five times together, the limiting law may be used.
    rare = expected.ravel() < 5
    pooled = [np.append(x.ravel()[~rare], x.ravel()[rare].sum()) for x in (observed, expected)]
    cells = np.array([pooled[0], pooled[1] * observed.sum() / expected.sum()])
    assert stats.chisquare(*cells).pvalue > 0.01
    assert exact["worst"] < 1e-12
    assert math.isclose(expected.sum(), exact["draws"], rel_tol=1e-4)
