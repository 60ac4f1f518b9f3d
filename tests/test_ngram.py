"""n-gram models against a slow count by hand, and the laws that their probabilities obey."""

import itertools
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref.information import perplexity
from primer_ref.ngram import additive_smoothing, fit_ngrams, interpolate, letters27

Floats = NDArray[np.floating[Any]]

texts = st.lists(st.lists(st.integers(0, 2), max_size=8), min_size=1, max_size=4)


def by_hand(texts: list[list[int]], order: int, strength: float, context: list[int]) -> list[float]:
    """Law of the next of 3 symbols and the end, by dictionaries and the recursion as printed."""
    padded = [[*["^"] * order, *text, 3] for text in texts]
    seen: list[object] = ["^"] * order
    seen = [*seen, *context][len(context) :]
    p = [1 / 4] * 4
    for k in range(order + 1):
        tail = seen[len(seen) - k :]
        after = Counter(
            text[i] for text in padded for i in range(order, len(text)) if text[i - k : i] == tail
        )
        n = sum(after.values())
        if n:
            p = [(after[v] + strength * p[v]) / (n + strength) for v in range(4)]
    return p


@pytest.mark.equation("eq-interpolation")
@given(texts, st.integers(0, 3), st.sampled_from([0.0, 0.5, 3.0]), st.lists(st.integers(0, 2)))
def test_agrees_with_counting_by_hand(
    texts: list[list[int]], order: int, strength: float, context: list[int]
) -> None:
    model = fit_ngrams(texts, n_symbols=3, order=order, strength=strength)
    expected = by_hand(texts, order, strength, context)
    np.testing.assert_allclose(model.distribution(context), expected, atol=1e-12)


@pytest.mark.equation("eq-string-probability")
@given(texts, st.lists(st.integers(0, 2), max_size=6), st.integers(0, 3), st.integers(0, 3))
def test_scores_are_the_logs_of_the_distributions(
    texts: list[list[int]], sequence: list[int], order: int, skip: int
) -> None:
    model = fit_ngrams(texts, n_symbols=3, order=order, lowest=min(skip, order), strength=0.7)
    expected = [
        model.distribution(sequence[:t])[v] for t, v in enumerate([*sequence, model.n_symbols])
    ]
    np.testing.assert_allclose(np.exp(model.log_probs(sequence)), expected, atol=1e-12)


@pytest.mark.equation("eq-chain-rule")
def test_quotients_of_prefix_probabilities_multiply_to_the_joint_law() -> None:
    joint = np.random.default_rng(0).dirichlet(np.ones(27)).reshape(3, 3, 3)
    joint[2, 1] = 0.0  # a prefix that does not occur, and
    joint[0, 0, 2] = 0.0  # a string that does not, after a prefix that does
    joint /= joint.sum()
    prefixes = [joint.sum(axis=tuple(range(n, 3))) for n in range(4)]  # laws of the first n
    for string in np.argwhere(joint > 0).tolist():
        p = math.prod(
            prefixes[t + 1][tuple(string[: t + 1])] / prefixes[t][tuple(string[:t])]
            for t in range(3)
        )
        assert p == pytest.approx(joint[tuple(string)], rel=1e-12)


@pytest.mark.equation("eq-string-probability", "eq-mass", "eq-unfinished")
def test_strings_and_unfinished_prefixes_share_the_whole_probability() -> None:
    """Everything ends within n symbols or is still going after them."""
    model = fit_ngrams([[0, 1, 1], [1]], n_symbols=2, order=1, strength=1.0)
    ended, n = 0.0, 6
    for length in range(n + 1):
        for string in itertools.product(range(2), repeat=length):
            log_probs = model.log_probs(string)
            ended += math.exp(log_probs.sum())
            if length == n:  # has n symbols, and then one more that is not the end
                ended += math.exp(log_probs[:-1].sum()) * -math.expm1(log_probs[-1])
    assert ended == pytest.approx(1)


@pytest.mark.equation("eq-relative-frequency", "eq-likelihood")
@given(st.lists(st.integers(0, 50), min_size=2, max_size=6).filter(any), st.integers(0, 99))
def test_relative_frequencies_maximize_the_likelihood(counts: list[int], seed: int) -> None:
    def log_likelihood(theta: Floats) -> float:
        return sum(n * math.log(t) for n, t in zip(counts, theta, strict=True) if n)

    best = additive_smoothing(counts, 0)
    np.testing.assert_allclose(best, [n / sum(counts) for n in counts])
    other = np.random.default_rng(seed).dirichlet(np.ones(len(counts)))
    assert log_likelihood(other) <= log_likelihood(best) + 1e-9


@pytest.mark.equation("eq-dirichlet-mean")
def test_posterior_mean_agrees_with_sampling_the_prior() -> None:
    """The mean of θ under prior × likelihood, by weighting draws from the prior."""
    counts, alpha = np.array([4, 1, 0]), np.array([0.5, 1.0, 2.0])
    theta = np.random.default_rng(0).dirichlet(alpha, size=400_000)
    weight = np.prod(theta**counts, axis=1)
    np.testing.assert_allclose(
        additive_smoothing(counts, alpha), weight @ theta / weight.sum(), atol=3e-3
    )


def test_every_row_of_counts_is_a_law_of_its_own() -> None:
    found = additive_smoothing([[3, 1], [0, 2]], [[0, 0], [1, 1]])
    np.testing.assert_allclose(found, [[3 / 4, 1 / 4], [1 / 4, 3 / 4]])


def test_counts_in_bytes_do_not_wrap() -> None:
    counts = np.array([200, 100], np.uint8)
    np.testing.assert_allclose(additive_smoothing(counts, counts), [2 / 3, 1 / 3])


@pytest.mark.equation("eq-dirichlet-mean", "eq-interpolation")
@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), st.floats(0.1, 10))
def test_interpolation_is_the_same_posterior_mean(counts: list[int], strength: float) -> None:
    prior = np.array([0.5, 0.3, 0.2])
    np.testing.assert_allclose(
        interpolate(counts, sum(counts), prior, strength),
        additive_smoothing(counts, strength * prior),
    )


def test_the_largest_numbers_of_ngrams_do_not_wrap() -> None:
    model = fit_ngrams([[5, 0, 5]], n_symbols=6, order=19, strength=1)  # 8^20 = 2^60
    expected = [model.distribution([5, 0, 5][:t])[v] for t, v in enumerate([5, 0, 5, 6])]
    np.testing.assert_allclose(np.exp(model.log_probs([5, 0, 5])), expected)
    with pytest.raises(ValueError, match=r"got 8\^21"):
        fit_ngrams([[5, 0, 5]], n_symbols=6, order=20, strength=1)


def test_without_smoothing_unseen_text_is_infinitely_perplexing() -> None:
    text = letters27("the cat sat on the mat")
    raw = fit_ngrams([text], n_symbols=27, order=2, lowest=2, strength=0)
    mixed = fit_ngrams([text], n_symbols=27, order=2, strength=1)
    assert perplexity(raw.log_probs(text)) < 2
    assert perplexity(raw.log_probs(letters27("the dog"))) == math.inf
    assert 1 < perplexity(mixed.log_probs(letters27("the dog"))) < math.inf


def test_the_higher_order_wins_on_the_training_text() -> None:
    text = np.random.default_rng(1).integers(0, 3, 300)
    losses = [
        -fit_ngrams([text], n_symbols=3, order=k, lowest=k, strength=0).log_probs(text).mean()
        for k in range(6)
    ]
    assert np.all(np.diff(losses) < 0)


@pytest.mark.equation("eq-string-probability")
def test_samples_follow_the_distribution() -> None:
    model = fit_ngrams([[0, 1], [0], [1, 1, 0]], n_symbols=2, order=1, strength=0.5)
    rng = np.random.default_rng(2)
    n = 4000
    drawn = Counter(tuple(model.sample(rng, max_length=20)) for _ in range(n))
    for string in [(), (0,), (0, 1), (1, 1)]:
        p = math.exp(model.log_probs(string).sum())
        assert abs(drawn[string] / n - p) < 4 * math.sqrt(p * (1 - p) / n)


def test_sampling_stops_at_the_longest_length() -> None:
    model = fit_ngrams([[0] * 500], n_symbols=1, order=0, strength=0)
    assert len(model.sample(np.random.default_rng(0), max_length=5)) == 5
    assert model.sample(np.random.default_rng(0), max_length=0) == []


@given(st.text())
def test_letters27_keeps_letters_and_single_spaces(text: str) -> None:
    symbols = letters27(text)
    folded = "".join(" abcdefghijklmnopqrstuvwxyz"[s] for s in symbols)
    words = "".join(c if c in "abcdefghijklmnopqrstuvwxyz" else " " for c in text.lower()).split()
    assert folded == " ".join(words)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_ngrams([[0, 3]], n_symbols=3, order=1, strength=1), "from 0 to 2; got 3"),
        (lambda: fit_ngrams([[-1]], n_symbols=3, order=1, strength=1), "from 0 to 2; got -1"),
        (lambda: fit_ngrams([[0.5]], n_symbols=3, order=1, strength=1), "whole .*; got 0.5"),
        (lambda: fit_ngrams([[0]], n_symbols=3, order=1, lowest=2, strength=1), "order = 1; got 2"),
        (lambda: fit_ngrams([[0]], n_symbols=3, order=1, strength=-1), "not negative; got -1"),
        (lambda: fit_ngrams([[0]], n_symbols=256, order=8, strength=1), r"got 258\^9"),
        (lambda: fit_ngrams([[0]], n_symbols=126, order=8, strength=1), r"got 128\^9"),
        (lambda: additive_smoothing([0, 0], 0), "must not both be 0"),
        (lambda: additive_smoothing([1, 1], math.nan), "alpha must .*; got nan"),
        (lambda: interpolate(1, 2, np.array(0.5), math.inf), "strength must .*; got inf"),
    ],
)
def test_errors_say_what_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
