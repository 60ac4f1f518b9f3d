"""The logit lens: its statistics on known cases, and what was stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments import logit_lens, record
from primer_ref import llama
from primer_ref.config import Config
from primer_ref.tokenizer import BPETokenizer
from primer_ref.transformer import Weights


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("logit_lens")


# --- On known cases ----------------------------------------------------------------------------


def test_a_position_settles_where_the_answer_comes_to_stay() -> None:
    agree = np.array(
        [
            [1, 0, 0, 1],
            [1, 1, 0, 0],
            [1, 0, 0, 1],
            [1, 1, 1, 1],
        ]
    )
    assert logit_lens.settling(agree).tolist() == [0, 3, 3, 2]


def test_ranks_are_those_of_sorting() -> None:
    logits = np.random.default_rng(0).normal(size=(6, 40))
    tokens = [0, 5, 39, 7, 7, 11]
    expected = 41 - stats.rankdata(logits, axis=1)[np.arange(6), tokens]
    assert logit_lens.ranks(logits, tokens).tolist() == expected.tolist()


def test_the_lens_shows_what_stands_in_the_stream() -> None:
    """With an embedding of unit vectors a stream's largest coordinate is the token shown."""
    config = Config(
        n_layers=1,
        width=4,
        n_heads=1,
        n_kv_heads=1,
        head_size=4,
        hidden=4,
        n_tokens=4,
        context=8,
        eps=1e-12,
    )
    weights = Weights(np.eye(4, dtype=np.float32), (), np.ones(4, np.float32))
    model = llama.Model(config, weights, BPETokenizer([], []))
    early, late = np.array([1.0, 0, 0, 0]), np.array([0.0, 1, 0, 1 / 2])
    hidden = np.array([[early, late], [late, late]], np.float32)
    found = logit_lens.through_lens(model, hidden, np.array([0, 2]), np.array([3, 1]))
    assert found["agree"].tolist() == [[0, 1], [1, 1]]
    assert found["echo"].tolist() == [[1, 0], [0, 0]]
    np.testing.assert_allclose(10 ** found["log_rank"], [[2, 1], [1, 1]])
    shown = [row / np.sqrt(np.mean(row**2)) for row in (early, late)]
    first, last = (np.exp(row) / np.exp(row).sum() for row in shown)
    expected = [[stats.entropy(last, first), 0], [0, 0]]
    np.testing.assert_allclose(found["kl"], expected, atol=1e-6)
    surprisal = [[-np.log(first[3]), -np.log(last[1])], [-np.log(last[3]), -np.log(last[1])]]
    np.testing.assert_allclose(found["surprisal"], surprisal, rtol=1e-5)


def test_intervals_are_over_passages() -> None:
    values = np.random.default_rng(0).normal(size=(2, 5, 7))
    found = logit_lens.over_passages(values)
    means = values[1].mean(1)
    half = stats.norm.ppf(0.975) * stats.sem(means)
    assert found["value"][1] == pytest.approx(means.mean())
    assert found["high"][1] - found["low"][1] == pytest.approx(2 * half)
    assert logit_lens.over_passages(values[1])["value"] == pytest.approx(means.mean())
    assert logit_lens.group_mean(np.ones(3), np.zeros(3, int)) is None
    alike = logit_lens.group_mean(np.array([1.0, 3.0, 1.0, 3.0]), np.array([0, 0, 1, 1]))
    assert alike == {"value": 2, "low": 2, "high": 2}  # no passage differs from another


# --- What was stored ---------------------------------------------------------------------------


@pytest.mark.model
def test_the_first_positions_come_out_again(model: llama.Model, stored: dict[str, Any]) -> None:
    first, n = stored["first_position"], 3
    again = logit_lens.measure_passage(model, 0, length=first + n, first=first)
    settled = logit_lens.settling(again["agree"] == 1)
    assert settled.tolist() == stored["first_passage"]["settle"][:n]
    assert np.all(again["kl"][-1] < 1e-9)


@pytest.mark.model
def test_a_prompt_comes_out_again(model: llama.Model, stored: dict[str, Any]) -> None:
    prompt = stored["prompts"][0]
    again = record.plain(logit_lens.measure_prompt(model, prompt["prompt"], " Paris"))
    assert again["shown"] == prompt["shown"]
    assert again["settle"] == prompt["settle"]
    assert again["probability"] == pytest.approx(prompt["probability"], rel=2e-3)
    np.testing.assert_allclose(again["rank"], prompt["rank"], rtol=0.02, atol=1)


def test_stored_statistics_fit_together(stored: dict[str, Any]) -> None:
    curves, settle = stored["by_layer"], stored["settle"]
    for curve in curves.values():
        assert len(curve["value"]) == 31
        assert np.all(np.array(curve["low"]) <= np.array(curve["value"]))
        assert np.all(np.array(curve["value"]) <= np.array(curve["high"]))
    assert curves["agree"]["value"][-1] == 1
    assert curves["log_rank"]["value"][-1] == 0
    assert curves["kl"]["value"][-1] == 0
    assert stored["positions"] == stored["n"] * (stored["length"] - stored["first_position"])
    counts, appear = np.array(settle["counts"]), np.array(stored["appear"])
    assert counts.sum() == appear.sum() == stored["positions"]
    # What has settled agrees, and what agrees has appeared.
    agree = np.array(curves["agree"]["value"]) * stored["positions"]
    assert np.all(np.cumsum(counts) <= agree + 0.5)
    assert np.all(agree <= np.cumsum(appear) + 0.5)
    assert settle["mean"]["value"] == pytest.approx(
        counts @ np.arange(31) / stored["positions"], rel=1e-4
    )
    assert settle["last"]["value"] == pytest.approx(counts[-1] / stored["positions"], rel=1e-4)
    groups = stored["by_confidence"]
    assert sum(group["count"] for group in groups) == stored["positions"]
    total = sum(group["count"] * group["mean"]["value"] for group in groups)
    assert total / stored["positions"] == pytest.approx(settle["mean"]["value"], rel=1e-4)


def test_stored_prompts_fit_together(stored: dict[str, Any]) -> None:
    assert [prompt["prompt"] for prompt in stored["prompts"]] == list(logit_lens.PROMPTS)
    for prompt in stored["prompts"]:
        shown, at = prompt["shown"], prompt["settle"]
        assert set(shown[at:]) == {prompt["answer"]}
        assert at == 0 or shown[at - 1] != prompt["answer"]
        assert prompt["right"] == (prompt["rank"][-1] == 1)
        assert all(
            (rank == 1) == (text == prompt["expected"])
            for rank, text in zip(prompt["rank"], shown, strict=True)
        )
