"""ROUGE: published examples, by force, and its symmetries."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.rouge import Overlap, rouge_l, rouge_n, rouge_s, tokenize_rouge

# Lin (2004), sections 3 and 5: a reference and three summaries.
REFERENCE = ["police", "killed", "the", "gunman"]
SUMMARIES = [
    ("police kill the gunman", 0.75, 0.5),
    ("the gunman kill police", 0.5, 1 / 6),
    ("the gunman police killed", 0.5, 1 / 3),
]


@pytest.mark.equation("eq-common-subsequence")
@pytest.mark.parametrize(("text", "subsequence", "pairs"), SUMMARIES)
def test_published_examples_of_lin(text: str, subsequence: float, pairs: float) -> None:
    for found, expected in (
        (rouge_l(text.split(), REFERENCE), subsequence),
        (rouge_s(text.split(), REFERENCE), pairs),
    ):
        # Both texts have four words, so that all three numbers agree.
        assert (found.precision, found.recall, found.f1) == pytest.approx((expected,) * 3)


@pytest.mark.equation("eq-rouge-n")
def test_published_example_of_torchmetrics() -> None:
    ours, theirs = (tokenize_rouge(text) for text in ("My name is John", "Is your name John"))
    assert rouge_n(ours, theirs, n=1) == Overlap(0.75, 0.75, 0.75)
    assert rouge_n(ours, theirs, n=2) == Overlap(0, 0, 0)
    assert rouge_l(ours, theirs) == Overlap(0.5, 0.5, 0.5)


words = st.lists(st.sampled_from("abc"), max_size=7)


@pytest.mark.equation("eq-common-subsequence")
@given(words, words)
def test_the_longest_subsequence_is_found_by_force(a: list[str], b: list[str]) -> None:
    def subsequences(tokens: list[str]) -> set[tuple[str, ...]]:
        return {part for n in range(len(tokens) + 1) for part in itertools.combinations(tokens, n)}

    longest = max(map(len, subsequences(a) & subsequences(b)))
    found = rouge_l(a, b)
    assert found.precision == longest / max(len(a), 1)
    assert found.recall == longest / max(len(b), 1)


@pytest.mark.equation("eq-rouge-n")
@given(words, words, st.integers(1, 3))
def test_precision_and_recall_change_places_with_the_texts(
    a: list[str], b: list[str], n: int
) -> None:
    for there, back in (
        (rouge_l(a, b), rouge_l(b, a)),
        (rouge_s(a, b), rouge_s(b, a)),
        (rouge_n(a, b, n=n), rouge_n(b, a, n=n)),
    ):
        assert (there.precision, there.recall) == (back.recall, back.precision)
        assert there.f1 == pytest.approx(back.f1)
        if there.f1:
            harmonic = 2 / (1 / there.precision + 1 / there.recall)
            assert there.f1 == pytest.approx(harmonic)


@pytest.mark.equation("eq-rouge-n")
def test_common_parts_are_counted_as_often_as_both_have_them() -> None:
    assert rouge_n(["a", "a", "a", "b"], ["a", "a", "c"], n=1) == Overlap(2 / 4, 2 / 3, 4 / 7)
    assert rouge_n(["a", "b", "a", "b"], ["a", "b", "c"], n=2) == Overlap(1 / 3, 1 / 2, 0.4)
    # Pairs in order: aa, ab twice; and aa, ac twice.
    found = rouge_s(["a", "a", "b"], ["a", "a", "c"])
    assert found == Overlap(1 / 3, 1 / 3, 1 / 3)


@given(words.filter(bool))
def test_a_text_has_all_of_itself_in_common(a: list[str]) -> None:
    assert rouge_l(a, a) == Overlap(1, 1, 1)
    assert rouge_n(a, a, n=1) == Overlap(1, 1, 1)
    assert rouge_s(a, a).recall == (len(a) > 1)


def test_words_are_small_letters_and_digits() -> None:
    assert tokenize_rouge("GPT-2's 1,558M_x\tÉtude") == ["gpt", "2", "s", "1", "558m", "x", "tude"]
