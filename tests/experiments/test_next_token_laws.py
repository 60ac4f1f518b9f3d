"""Laws of the next token: their blocks on a known law, and what was stored."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from experiments import next_token_laws, record
from primer_ref import llama


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("next_token_laws")


def test_blocks_average_what_they_hold() -> None:
    edges = next_token_laws.block_edges(60)
    assert edges == [*range(51), 58, 60]
    p = np.arange(60.0)[::-1] / np.arange(60.0).sum()
    means = next_token_laws.block_means(np.random.default_rng(0).permutation(p))
    np.testing.assert_allclose(means, [p[a:b].mean() for a, b in pairwise(edges)])


@pytest.mark.model
def test_the_first_law_comes_out_again(model: llama.Model, stored: dict[str, Any]) -> None:
    law = stored["laws"][0]
    again = record.plain(next_token_laws.measure_law(model, law["text"]))
    assert again["words"][:10] == law["words"][:10]
    np.testing.assert_allclose(again["p"], law["p"], rtol=2e-2)
    assert again["entropy"] == pytest.approx(law["entropy"], rel=2e-3)


def test_stored_laws_are_laws_and_lose_no_entropy_that_is_seen(stored: dict[str, Any]) -> None:
    assert [law["text"] for law in stored["laws"]] == list(next_token_laws.TEXTS)
    for law in stored["laws"]:
        assert len(law["words"]) == next_token_laws.SHOWN
        assert np.all(np.diff(law["p"]) <= 0)
        assert np.diff(stored["edges"]) @ law["p"] == pytest.approx(1, abs=1e-5)
        assert 0 <= law["coarse"] - law["entropy"] < 1e-3
