"""Choosing among texts: exhaustive search, exact binomial laws, simulations of nothing."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from primer_ref.selection import (
    beam_search,
    expected_utilities,
    majority_accuracy,
    majority_vote,
    minimum_bayes_risk,
    vote_bound,
)

F = NDArray[np.float64]

END, LIMIT = 2, 4
seeds = st.integers(0, 2**32 - 1)


class Toy:
    """A model of three tokens, the last of which ends a text: a law drawn for every prefix."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, prefix: tuple[int, ...]) -> F:
        rng = np.random.default_rng([self.seed, len(prefix), *prefix])
        log_probs: F = np.log(rng.dirichlet([1, 1, 0.5]))
        return log_probs

    def log_prob(self, text: tuple[int, ...]) -> float:
        return math.fsum(self(text[:t])[token] for t, token in enumerate(text))


# Every text that has ended by then, and those that are cut off.
TEXTS = [(*body, END) for n in range(LIMIT) for body in itertools.product([0, 1], repeat=n)] + list(
    itertools.product([0, 1], repeat=LIMIT)
)


@pytest.mark.equation("eq-beam-score")
@settings(max_examples=30)
@given(seeds, st.sampled_from([0.0, 0.6, 1.0]))
def test_a_beam_as_wide_as_all_texts_finds_and_ranks_them_all(seed: int, penalty: float) -> None:
    toy = Toy(seed)
    found = beam_search(toy, width=100, end=END, limit=LIMIT, length_penalty=penalty)
    assert {hypothesis.tokens for hypothesis in found} == set(TEXTS)
    for hypothesis in found:
        assert hypothesis.log_prob == pytest.approx(toy.log_prob(hypothesis.tokens))
        n = len(hypothesis.tokens)
        assert hypothesis.score == pytest.approx(hypothesis.log_prob / n**penalty)
    best = max(TEXTS, key=lambda text: toy.log_prob(text) / len(text) ** penalty)
    assert found[0].tokens == best
    scores = [hypothesis.score for hypothesis in found]
    assert scores == sorted(scores, reverse=True)


@given(seeds)
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    toy = Toy(seed)
    text: tuple[int, ...] = ()
    while len(text) < LIMIT and END not in text:
        text = (*text, int(np.argmax(toy(text))))
    (found,) = beam_search(toy, width=1, end=END, limit=LIMIT)
    assert found.tokens == text


def test_a_beam_of_one_step_sorts_the_tokens() -> None:
    found = beam_search(lambda _: np.log([0.3, 0.5, 0.2]), width=3, end=END, limit=1)
    assert [hypothesis.tokens for hypothesis in found] == [(1,), (0,), (2,)]


def test_beam_recomputes_the_published_example() -> None:
    # von Platen 2020: "The nice woman" is greedy, "The dog has" more probable.
    words = ["nice", "dog", "car", "woman", "house", "guy", "and", "runs", "has", "drives"]
    table: dict[tuple[int, ...], dict[str, float]] = {
        (): {"nice": 0.5, "dog": 0.4, "car": 0.1},
        (0,): {"woman": 0.4, "house": 0.3, "guy": 0.3},
        (1,): {"and": 0.05, "runs": 0.05, "has": 0.9},
    }

    def step(prefix: tuple[int, ...]) -> F:
        with np.errstate(divide="ignore"):
            return np.log([table[prefix].get(word, 0) for word in words])

    for width, expected in ((1, 0.20), (2, 0.36)):
        best = beam_search(step, width=width, end=99, limit=2)[0]
        assert math.exp(best.log_prob) == pytest.approx(expected, abs=1e-12)


def test_a_wider_beam_may_find_less_and_impossible_tokens_never_come() -> None:
    # Two good extensions of 1 push 0 0 off a beam of two; they lead nowhere.
    table: dict[tuple[int, ...], list[float]] = {
        (): [0.55, 0.45, 0.0],
        (0,): [0.4, 0.3, 0.3],
        (1,): [0.5, 0.5, 0.0],
        (0, 0): [0.0, 0.0, 1.0],
    }

    def step(prefix: tuple[int, ...]) -> F:
        with np.errstate(divide="ignore"):
            return np.log(table.get(prefix, [0.5, 0.3, 0.2]))

    found = [beam_search(step, width=width, end=END, limit=3) for width in (1, 2, 3, 50)]
    best = [math.exp(hypotheses[0].log_prob) for hypotheses in found]
    np.testing.assert_allclose(best, [0.22, 0.1125, 0.22, 0.22])
    # 1 END, 0 0 0 and 0 0 1 cannot be.
    assert {hypothesis.tokens for hypothesis in found[-1]} == {
        (0, END),
        (0, 0, END),
        *itertools.product([0], [1], range(3)),
        *itertools.product([1], [0, 1], range(3)),
    }


def test_probability_favors_short_texts_and_the_mean_does_not() -> None:
    # Every token is as probable as any other: the shortest text wins until length is paid for.
    def step(prefix: tuple[int, ...]) -> F:
        return np.log([0.6 if len(prefix) < 2 else 0.1, 0.0, 0.4 if len(prefix) < 2 else 0.9])

    with np.errstate(divide="ignore"):
        by_sum = beam_search(step, width=9, end=END, limit=4)[0]
        by_mean = beam_search(step, width=9, end=END, limit=4, length_penalty=1.0)[0]
    assert by_sum.tokens == (END,)
    assert by_mean.tokens == (0, 0, END)


@pytest.mark.equation("eq-mbr")
@pytest.mark.equation("eq-majority-vote")
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=9))
def test_bayes_risk_finds_median_mean_and_mode(values: list[int]) -> None:
    def total(choice: float, power: int) -> float:
        return sum(abs(choice - value) ** power for value in values)

    median = minimum_bayes_risk(values, lambda x, y: -abs(x - y))
    mean = minimum_bayes_risk(values, lambda x, y: -((x - y) ** 2))
    assert total(median, 1) == min(total(value, 1) for value in values)
    assert total(mean, 2) == min(total(value, 2) for value in values)
    mode = minimum_bayes_risk(values, lambda x, y: float(x == y))
    assert mode == majority_vote(values)
    assert values.count(mode) == max(Counter(values).values())


def test_expected_utility_is_of_the_candidate_not_of_the_truth() -> None:
    # "a" lies in "ab", not the other way round.
    got = expected_utilities(["a", "ab"], lambda candidate, truth: float(candidate in truth))
    np.testing.assert_array_equal(got, [1, 0.5])


# SciPy overflows for probabilities near the smallest number there is.
@pytest.mark.equation("eq-majority-accuracy")
@given(st.sampled_from([0.0, 1.0]) | st.floats(1e-9, 1 - 1e-9), st.integers(1, 300))
def test_majority_accuracy_is_a_binomial_tail(p: float, n: int) -> None:
    votes = stats.binom(n, p)
    exact = votes.sf(n // 2) + (0.5 * votes.pmf(n // 2) if n % 2 == 0 else 0)
    assert majority_accuracy(p, n=n) == pytest.approx(exact, abs=1e-12)


def test_majority_accuracy_recomputes_the_published_table() -> None:
    published = {1: 0.6, 5: 0.68256, 21: 0.82562, 101: 0.97907}
    for n, expected in published.items():
        assert majority_accuracy(0.6, n=n) == pytest.approx(expected, abs=5e-6 + 3e-5 * (n > 21))


@pytest.mark.equation("eq-vote-bound")
@given(st.floats(0, 1), st.integers(1, 200))
def test_votes_err_less_than_the_bound_above_one_half_and_help_as_little_below(
    p: float, n: int
) -> None:
    right = majority_accuracy(p, n=n)
    assert (1 - right if p >= 0.5 else right) <= vote_bound(p, n=n) + 1e-12
    assert right + majority_accuracy(1 - p, n=n) == pytest.approx(1)
    assert (majority_accuracy(p, n=n + 2) - right) * (p - 0.5) >= -1e-15


def test_the_bound_has_the_exponent_of_a_fair_vote() -> None:
    # Near p = ½ Hoeffding's exponent is the true one to first order: 2(p − ½)².
    p, n = 0.55, 40_000
    exponent = -stats.binom.logcdf(n // 2, n, p) / n
    assert exponent == pytest.approx(2 * (p - 0.5) ** 2, rel=0.03)
    assert -math.log(vote_bound(p, n=100)) == pytest.approx(200 * 0.05**2)


def test_many_wrong_answers_may_lose_to_a_right_one_below_one_half() -> None:
    answers = ["18"] * 4 + ["1", "2", "3", "4", "5", "6"]
    assert majority_vote(answers) == "18"
    assert majority_vote(["b", "a", "a", "b"]) == "b"
