"""WordPiece's scores and the unigram model: the published example, and every cut by force."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.subwords import (
    unigram_loss,
    unigram_segmentation,
    wordpiece_letters,
    wordpiece_scores,
)

# The corpus of the Hugging Face LLM Course, chapter 6, and the counts of its substrings there.
CORPUS = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
COUNTS = {
    "h": 15, "u": 36, "g": 20, "hu": 15, "ug": 20, "p": 17, "pu": 17, "n": 16, "un": 16, "b": 4,
    "bu": 4, "s": 5, "hug": 15, "gs": 5, "ugs": 5,
}  # fmt: skip


def logs(counts: dict[str, int], total: int) -> dict[str, float]:
    return {token: math.log(n / total) for token, n in counts.items()}


def test_the_counts_are_those_of_all_strict_substrings() -> None:
    counts = dict.fromkeys(COUNTS, 0)
    for word, n in CORPUS.items():
        for i, j in itertools.combinations(range(len(word) + 1), 2):
            if word[i:j] in counts:
                counts[word[i:j]] += n
    assert counts == COUNTS


@pytest.mark.equation("eq-wordpiece-score")
def test_published_scores_of_wordpiece() -> None:
    scores = wordpiece_scores({wordpiece_letters(word): n for word, n in CORPUS.items()})
    assert max(scores, key=lambda pair: scores[pair]) == ("##g", "##s")
    assert scores["##g", "##s"] == pytest.approx(1 / 20)
    assert scores["##u", "##g"] == pytest.approx(1 / 36)
    assert scores["h", "##u"] == pytest.approx(15 / 15 / 36)
    again = wordpiece_scores({("h", "##u", "##g"): 10, ("h", "##u", "##gs"): 5})
    assert again["##u", "##gs"] == pytest.approx(5 / (15 * 5))


def test_published_losses_of_the_unigram_model() -> None:
    log_probs = logs(COUNTS, 210)
    assert sum(COUNTS.values()) == 210
    unhug = unigram_segmentation("unhug", log_probs)
    assert unhug.tokens == ("un", "hug")
    assert math.exp(unhug.log_prob) == pytest.approx(0.005442, abs=5e-7)
    pug = unigram_segmentation("pug", log_probs)
    assert math.exp(pug.log_prob) == pytest.approx(0.007710, abs=5e-7)
    loss = unigram_loss(CORPUS, log_probs)
    assert loss == pytest.approx(169.8, abs=0.05)
    # The token is left out; the others keep their probabilities, as on the page.
    without = {token: log_prob for token, log_prob in log_probs.items() if token != "hug"}
    assert unigram_loss(CORPUS, without) - loss == pytest.approx(23.5, abs=0.05)


def cuts(word: str) -> list[tuple[str, ...]]:
    """List every way to cut a word."""
    if not word:
        return [()]
    ends = range(1, len(word) + 1)
    return [(word[:end], *rest) for end in ends for rest in cuts(word[end:])]


@pytest.mark.equation("eq-unigram-segmentation")
@given(
    st.text(alphabet="abc", max_size=8),
    st.dictionaries(st.text(alphabet="abc", min_size=1, max_size=4), st.floats(-9, 0), max_size=20),
)
def test_no_cut_is_more_probable(word: str, log_probs: dict[str, float]) -> None:
    log_probs = {"a": -5.0, "b": -6.0, "c": -7.0} | log_probs
    best = max(
        sum(log_probs[token] for token in cut)
        for cut in cuts(word)
        if all(token in log_probs for token in cut)
    )
    found = unigram_segmentation(word, log_probs)
    assert "".join(found.tokens) == word
    assert found.log_prob == pytest.approx(best)
    assert sum(log_probs[token] for token in found.tokens) == pytest.approx(best)


def test_of_equal_cuts_the_longest_last_token_wins() -> None:
    log_probs = dict.fromkeys(["a", "b", "ab", "bc", "c"], -1.0)
    assert unigram_segmentation("abc", log_probs).tokens == ("a", "bc")
