"""BLEU and chrF: published counts and scores, by hand, and what they must not see."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.metrics import (
    bleu,
    brevity_penalty,
    chrf,
    modified_precision,
    sentence_bleu,
    tokenize_13a,
)

# Papineni et al. (2002), section 2.1.
REFERENCES = [
    "it is a guide to action that ensures that the military will forever heed party commands",
    "it is the guiding principle which guarantees the military forces always being under the "
    "command of the party",
    "it is the practical guide for the army always to heed the directions of the party",
]
CANDIDATES = [
    "it is a guide to action which ensures that the military always obeys the commands of the "
    "party",
    "it is to insure the troops forever hearing the activity guidebook that party direct",
]
THE_CAT = ["the cat is on the mat", "there is a cat on the mat"]

# The corpus of sacreBLEU's page and tests.
SYSTEM = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
HUMANS = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It was not unexpected.", "No one was surprised."],
    ["The man bit him first.", "The man had bitten the dog."],
]


def split(texts: list[str]) -> list[list[str]]:
    return [text.split() for text in texts]


@pytest.mark.equation("eq-clipped-precision")
def test_published_counts() -> None:
    counts = [
        modified_precision(candidate.split(), split(REFERENCES), n=n)
        for candidate in CANDIDATES
        for n in (1, 2)
    ]
    assert counts == [(17, 18), (10, 17), (8, 14), (1, 13)]
    assert modified_precision(["the"] * 7, split(THE_CAT), n=1) == (2, 7)


@pytest.mark.equation("eq-bleu")
@pytest.mark.parametrize(
    ("max_order", "score"), [(1, 77.65), (2, 60.50), (3, 53.93), (4, 48.53), (5, 46.14), (6, 43.28)]
)
def test_published_scores(max_order: int, score: float) -> None:
    candidates = [tokenize_13a(text) for text in SYSTEM]
    references = [[tokenize_13a(text) for text in texts] for texts in HUMANS]
    found = bleu(candidates, references, max_order=max_order)
    assert found.score == pytest.approx(score, abs=0.0051)
    if max_order == 4:
        assert found.score == pytest.approx(48.530827, abs=5e-7)


words = st.lists(st.sampled_from("abc"), min_size=1, max_size=8)
corpora = st.lists(
    st.tuples(words, st.lists(words, min_size=1, max_size=3)), min_size=1, max_size=4
)


@pytest.mark.equation("eq-clipped-precision")
@given(words, st.lists(words, min_size=1, max_size=3), st.integers(1, 4))
def test_matches_are_clipped_at_the_most_of_any_reference(
    candidate: list[str], references: list[list[str]], n: int
) -> None:
    def grams(tokens: list[str]) -> list[tuple[str, ...]]:
        return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]

    expected = sum(
        min(count, max(grams(reference).count(gram) for reference in references))
        for gram, count in Counter(grams(candidate)).items()
    )
    found = modified_precision(candidate, references, n=n)
    assert found == (expected, max(0, len(candidate) - n + 1))


@pytest.mark.equation("eq-bleu")
@given(corpora)
def test_the_score_is_the_mean_of_logarithms_where_all_orders_match(
    corpus: list[tuple[list[str], list[list[str]]]],
) -> None:
    candidates, references = [c for c, _ in corpus], [r for _, r in corpus]
    counts = [[modified_precision(c, r, n=n) for c, r in corpus] for n in (1, 2)]
    matches, totals = ([sum(pair[i] for pair in row) for row in counts] for i in (0, 1))
    found = bleu(candidates, references, max_order=2)
    length = sum(map(len, candidates))
    nearest = 0
    for c, r in corpus:
        by_distance = sorted((abs(len(x) - len(c)), len(x)) for x in r)
        nearest += by_distance[0][1]
    penalty = min(1.0, math.exp(1 - nearest / length))
    assert found.penalty == pytest.approx(penalty)
    if all(matches):
        logs = [math.log(m / t) for m, t in zip(matches, totals, strict=True)]
        assert found.score == pytest.approx(100 * penalty * math.exp(sum(logs) / 2))


def test_orders_without_a_match_count_half_and_a_quarter() -> None:
    candidate, reference = ["a", "b", "c", "d", "e"], ["a", "c", "b", "x", "d"]
    found = bleu([candidate], [[reference]])
    assert found.precisions == pytest.approx([4 / 5, 1 / 2 / 4, 1 / 4 / 3, 1 / 8 / 2])
    assert found.score == pytest.approx(100 * (0.8 / 8 / 12 / 16) ** 0.25)
    assert bleu([["x"] * 4], [[["y"] * 4]]).score == 0
    assert bleu([["a", "b"]], [[["a", "b"]]]).score == 0  # no 3-grams at all
    assert sentence_bleu(["a", "b"], [["a", "b"]]).score == pytest.approx(100)
    assert sentence_bleu([], [["a", "b"]]).score == 0


@given(corpora)
def test_a_corpus_of_references_is_perfect_and_order_does_not_matter(
    corpus: list[tuple[list[str], list[list[str]]]],
) -> None:
    references = [r for _, r in corpus]
    assert bleu([r[0] for r in references], references, max_order=1).score == pytest.approx(100)
    candidates = [c for c, _ in corpus]
    forward = bleu(candidates, references, max_order=2)
    backward = bleu(candidates[::-1], [r[::-1] for r in references[::-1]], max_order=2)
    assert forward == backward


def test_the_score_of_a_corpus_is_no_mean_of_scores() -> None:
    good, bad = ["a", "b", "c", "d", "e"], ["x", "b", "y", "d", "z"]
    pairs = [(good, good), (bad, good)]
    whole = bleu([c for c, _ in pairs], [[r] for _, r in pairs], max_order=2).score
    parts = [sentence_bleu(c, [r], max_order=2).score for c, r in pairs]
    assert whole == pytest.approx(100 * math.sqrt(0.7 * 0.5))
    assert abs(whole - sum(parts) / 2) > 1


@pytest.mark.equation("eq-brevity")
def test_only_short_candidates_are_punished() -> None:
    assert brevity_penalty(10, 9) == 1
    assert brevity_penalty(9, 10) == pytest.approx(math.exp(-1 / 9))
    assert brevity_penalty(0, 5) == 0
    assert brevity_penalty(0, 0) == 1


def test_rules_of_the_tokenizer() -> None:
    assert tokenize_13a("a.b, 1,2 3.c &lt;d&gt; e-\nf g\nh") == [
        *["a", ".", "b", ",", "1,2", "3", ".", "c", "<", "d", ">", "ef", "g", "h"]
    ]
    assert tokenize_13a("9-to-5 &amp;quot; <skipped>x...") == [
        *["9", "-", "to-5", "&", "quot", ";", "x", ".", ".", "."]
    ]


@pytest.mark.equation("eq-chrf")
def test_characters_by_hand() -> None:
    # "abc" and "abd": 2 of 3 characters, 1 of 2 pairs, 0 of 1 triples, and nothing longer.
    assert chrf(["ab c"], [["a bd"]]) == pytest.approx(100 * (2 / 3 + 1 / 2) / 3)
    # Twice as long: precision 1/2 and recall 1 in the first order, 1/3 and 1 in the second.
    found = chrf(["abab"], [["ab"]], max_order=2, beta=3)
    precision, recall = (1 / 2 + 1 / 3) / 2, 1
    assert found == pytest.approx(100 * 10 * precision * recall / (9 * precision + recall))
    # A reference too short for triples does not count against those of its candidate.
    precision = (5 / 7 + 3 / 5 + 1) / 3
    found = chrf(["abcd", "xyz"], [["ab"], ["xyz"]], max_order=3)
    assert found == pytest.approx(100 * 5 * precision / (4 * precision + 1))
    assert chrf(["xyz"], [["abc"]]) == 0
    assert chrf([""], [["abc"]]) == 0


@given(st.text(alphabet="abc ", max_size=12), st.text(alphabet="abc ", max_size=12))
def test_spaces_do_not_matter_and_the_best_reference_counts(a: str, b: str) -> None:
    assert chrf([a], [[b]]) == chrf([a.replace(" ", "")], [[b + "  "]])
    assert chrf([a], [[b, a]]) >= chrf([a], [[b]])
    if a.strip():
        assert chrf([a], [[b, a]]) == pytest.approx(100)


@given(st.lists(st.text(alphabet="ab", min_size=6, max_size=9), min_size=2, max_size=4))
def test_counts_of_characters_are_added_before_they_are_divided(texts: list[str]) -> None:
    candidates, references = texts, texts[1:] + texts[:1]
    precisions = []
    for n in range(1, 7):
        total = common = 0
        for c, r in zip(candidates, references, strict=True):
            grams = [[t[i : i + n] for i in range(len(t) - n + 1)] for t in (c, r)]
            total += len(grams[0])
            common += sum(min(grams[0].count(g), grams[1].count(g)) for g in set(grams[0]))
        precisions.append(common / total)
    # The references are the candidates in another order, so recall is precision.
    expected = 100 * sum(precisions) / 6
    assert chrf(candidates, [[r] for r in references]) == pytest.approx(expected)
