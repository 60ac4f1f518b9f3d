"""Sums and what divergence buys: known odds, and what was stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import special

from experiments import record, verified_sums
from primer_ref import llama


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("verified_sums")


def kl(q: Any, p: Any) -> Any:
    """Divergence of two outcomes, by SciPy's terms."""
    return special.rel_entr(q, p) + special.rel_entr(1 - q, 1 - p)


def tilt(p: Any, beta: float) -> Any:
    """Raise the log-odds by the reward's worth."""
    return special.expit(special.logit(p) + 1 / beta)


def test_questions_are_new_and_different() -> None:
    drawn = verified_sums.draw(300)
    assert len(set(drawn)) == 300
    assert not set(drawn) & set(verified_sums.EXAMPLES)
    assert drawn[:20] == verified_sums.draw(20)
    assert all(10 <= term <= 99 for pair in drawn for term in pair)


def test_of_one_question_the_best_of_n_lie_on_the_frontier_and_of_two_they_do_not() -> None:
    one = verified_sums.summarize([0.3])["best_of_n"]
    assert one["reward"] == pytest.approx([1 - 0.7**n for n in one["n"]])
    # Close to a reward of 1 the frontier is steep in β: the search ends at a lower price.
    assert one["frontier"][:4] == pytest.approx(one["reward"][:4], abs=1e-6)
    two = verified_sums.summarize([0.3, 0.01])["best_of_n"]
    assert two["frontier"][1] > two["reward"][1] + 1e-3
    assert np.all(np.array(two["divergence"]) < two["bound"])


# --- What was stored ---------------------------------------------------------------------------


@pytest.mark.model
def test_questions_come_out_again(stored: dict[str, Any], model: llama.Model) -> None:
    terms = verified_sums.draw(stored["questions"])
    assert len(terms) == len(stored["right"])
    for number in (0, 211):
        again = verified_sums.probability(model, terms[number])
        assert again == pytest.approx(stored["right"][number], rel=2e-3)


@pytest.mark.model
def test_draws_are_right_as_often_as_the_probability_says(
    stored: dict[str, Any], model: llama.Model
) -> None:
    # Not by the answer's probability: by writing, token by token, until the line ends.
    number = int(np.argmin(np.abs(np.array(stored["right"]) - 0.5)))
    a, b = verified_sums.draw(stored["questions"])[number]
    lines = [f"{x} + {y} = {x + y}\n" for x, y in stored["examples"]]
    encode, decode = model.tokenizer.encode, model.tokenizer.decode
    prompt = [model.tokenizer.specials[stored["start"]], *encode(f"{''.join(lines)}{a} + {b} =")]
    cache = llama.KVCache(model.config, len(prompt) + 8)
    first = special.softmax(llama.forward(model, prompt, cache, last=True).astype(np.float64))
    rng, rights, n = np.random.default_rng(0), 0, 40
    for _ in range(n):
        cache.length[...] = len(prompt)
        law, written = first, ""
        while not written.endswith("\n") and len(written) < 8:
            token = int(rng.choice(len(law), p=law / law.sum()))
            written += decode([token])
            logits = llama.forward(model, [token], cache, last=True)
            law = special.softmax(logits.astype(np.float64))
        rights += written == f" {a + b}\n"
    p = stored["right"][number]
    assert abs(rights - n * p) < 4 * math.sqrt(n * p * (1 - p))


def test_the_plane_follows_from_the_probabilities(stored: dict[str, Any]) -> None:
    p = np.array(stored["right"])
    assert np.all((p > 0) & (p < 1))
    assert (stored["mean"], stored["median"]) == pytest.approx((p.mean(), np.median(p)), rel=1e-4)
    assert stored["surprisal"] == pytest.approx(-np.log(p).mean(), rel=1e-4)
    frontier = stored["frontier"]
    for beta, reward, divergence in zip(
        frontier["betas"], frontier["reward"], frontier["divergence"], strict=True
    ):
        q = tilt(p, beta)
        assert reward == pytest.approx(q.mean(), rel=1e-4)
        assert divergence == pytest.approx(kl(q, p).mean(), rel=1e-4, abs=1e-5)
    best = stored["best_of_n"]
    for n, reward, divergence, peer in zip(
        best["n"], best["reward"], best["divergence"], best["frontier"], strict=True
    ):
        q = -np.expm1(n * np.log1p(-p))
        assert reward == pytest.approx(q.mean(), rel=1e-4)
        assert divergence == pytest.approx(kl(q, p).mean(), rel=1e-3, abs=1e-5)
        prices = np.geomspace(0.05, 20, 4001)
        spent = [kl(tilt(p, price), p).mean() for price in prices]
        price = np.interp(-divergence, -np.array(spent), prices)  # dearer policies spend less
        assert peer == pytest.approx(tilt(p, price).mean(), rel=1e-3)
