"""Conditioning on a language, against the sum over all texts; and what masking gets wrong."""

import itertools
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from primer_ref.automata import compile_pattern
from primer_ref.conditioning import (
    Chain,
    conditional_distribution,
    future_validity,
    masked_distribution,
    ngram_chain,
    sample_valid,
)
from primer_ref.constrained import TokenAutomaton
from primer_ref.ngram import fit_ngrams

F = NDArray[np.floating[Any]]
Text = tuple[int, ...]

seeds = st.integers(0, 2**32 - 1)
PATTERNS = ["(ab|c)*", "[^b]*b[^b]*", "a?b?c?", "(a|b)*c", "b|(aa)*", "abc"]
WORDS = [b"a", b"b", b"c", b"ab", b"", b"bc"]  # one text can be written in several ways


def texts(n_tokens: int, length: int, skip: int) -> list[Text]:
    kept = [v for v in range(n_tokens) if v != skip]
    return [t for n in range(length + 1) for t in itertools.product(kept, repeat=n)]


def random_chain(seed: int, n_tokens: int) -> Chain:
    rng = np.random.default_rng(seed)
    law = rng.dirichlet(np.full(n_tokens, 0.5), size=3) + 1e-3
    return Chain(law / law.sum(axis=1, keepdims=True), rng.integers(0, 3, size=(3, n_tokens)))


def probability(chain: Chain, end: int, text: Text) -> float:
    context, p = 0, 1.0
    for token in text:
        p *= chain.law[context, token]
        context = int(chain.follow[context, token])
    return float(p * chain.law[context, end])


def by_steps(chain: Chain, tokens: TokenAutomaton, future: F | None, text: Text) -> float:
    """Multiply the laws of the steps: the conditional ones, or with no table the masked ones."""
    context, state, p = 0, 0, 1.0
    for t, token in enumerate([*text, tokens.end]):
        if future is None:
            law = masked_distribution(chain, tokens, context=context, state=state)
        else:
            left = len(future) - 1 - t
            law = conditional_distribution(
                chain, tokens, future, context=context, state=state, left=left
            )
        assert law.sum() == pytest.approx(1, abs=1e-12)
        p *= law[token]
        if p == 0:
            return 0.0
        if token != tokens.end:
            context, state = int(chain.follow[context, token]), tokens.advance(state, token)
    return float(p)


@pytest.mark.equation("eq-conditional-token")
@pytest.mark.equation("eq-future-validity")
@settings(max_examples=25)
@given(seeds, st.sampled_from(PATTERNS), st.integers(3, 4))
def test_the_steps_multiply_to_the_conditioned_model_over_all_texts(
    seed: int, pattern: str, length: int
) -> None:
    chain = random_chain(seed, len(WORDS))
    tokens = TokenAutomaton(compile_pattern(pattern), WORDS, end=4)
    future = future_validity(chain, tokens, length=length)
    valid = {
        text: probability(chain, 4, text)
        for text in texts(len(WORDS), length, skip=4)
        if re.fullmatch(pattern.encode(), b"".join(WORDS[v] for v in text))
    }
    total = sum(valid.values())
    assert future[-1, 0, 0] == pytest.approx(total, abs=1e-14)
    for text in texts(len(WORDS), min(length, 3), skip=4):
        expected = valid.get(text, 0.0) / total
        assert by_steps(chain, tokens, future, text) == pytest.approx(expected, abs=1e-12)


@pytest.mark.equation("eq-future-validity")
@settings(max_examples=20)
@given(seeds, st.integers(0, 2), st.sampled_from(PATTERNS))
def test_an_ngram_model_is_conditioned_exactly(seed: int, order: int, pattern: str) -> None:
    rng = np.random.default_rng(seed)
    sequences = [rng.integers(0, 3, size=rng.integers(1, 6)) for _ in range(4)]
    model = fit_ngrams(sequences, n_symbols=3, order=order, strength=0.5)
    chain = ngram_chain(model)
    assert len(chain.law) == sum(3**k for k in range(order + 1))
    tokens = TokenAutomaton(compile_pattern(pattern), [b"a", b"b", b"c", b""], end=3)
    future = future_validity(chain, tokens, length=4)
    # The model scores whole texts itself, by counting: another way than through the contexts.
    scores = {text: float(np.exp(model.log_probs(text).sum())) for text in texts(3, 4, skip=9)}
    valid = {
        text: p
        for text, p in scores.items()
        if re.fullmatch(pattern.encode(), bytes(b"abc"[v] for v in text))
    }
    for text in scores:
        expected = valid.get(text, 0.0) / sum(valid.values())
        assert by_steps(chain, tokens, future, text) == pytest.approx(expected, abs=1e-12)


@pytest.mark.equation("eq-future-validity")
@pytest.mark.equation("eq-mask-gap")
def test_a_token_that_spells_nothing_is_in_no_text_of_the_language() -> None:
    chain = Chain(np.array([[0.3, 0.5, 0.2]]), np.zeros((1, 3), int))  # a, nothing, the end
    tokens = TokenAutomaton(compile_pattern("a*"), [b"a", b"", b""], end=2)
    future = future_validity(chain, tokens, length=3)
    np.testing.assert_allclose(future[:, 0, 0], 0.2 * np.cumsum(0.3 ** np.arange(4)))
    exact = conditional_distribution(chain, tokens, future, context=0, state=0, left=3)
    masked = masked_distribution(chain, tokens, context=0, state=0)
    np.testing.assert_array_equal(exact > 0, [True, False, True])
    np.testing.assert_array_equal(masked > 0, [True, False, True])


@pytest.mark.equation("eq-masked-token")
def test_masking_two_tokens_gets_the_first_one_wrong() -> None:
    law = np.array([[0.5, 0.5, 0], [0.01, 0.99, 0], [0.01, 0.99, 0], [0, 0, 1]])
    chain = Chain(law, np.array([[1, 2, 0], [3, 3, 0], [3, 3, 0], [3, 3, 0]]))
    tokens = TokenAutomaton(compile_pattern("aa|bb"), [b"a", b"b", b""], end=2)
    future = future_validity(chain, tokens, length=2)
    assert future[2, 0, 0] == pytest.approx(0.5)
    for text, masked, exact in (((0, 0), 0.5, 0.01), ((1, 1), 0.5, 0.99)):
        assert by_steps(chain, tokens, None, text) == pytest.approx(masked)
        assert by_steps(chain, tokens, future, text) == pytest.approx(exact)


@pytest.mark.equation("eq-masked-token")
@settings(max_examples=25)
@given(seeds, st.sampled_from(PATTERNS))
def test_what_the_mask_leaves_out_is_the_future_validity(seed: int, pattern: str) -> None:
    chain = random_chain(seed, 4)
    tokens = TokenAutomaton(compile_pattern(pattern), [b"a", b"b", b"c", b""], end=3)
    future = future_validity(chain, tokens, length=60)
    masked = masked_distribution(chain, tokens, context=0, state=0)
    exact = conditional_distribution(chain, tokens, future, context=0, state=0, left=60)
    following = tokens.next_states(0)
    onward = np.where(following >= 0, future[59][chain.follow[0], following], 0)
    onward[3] = tokens.automaton.accepting[0]
    np.testing.assert_allclose(exact, masked * onward / (masked @ onward), atol=1e-12)
    # More time can only help, and in the end the tables stand still.
    assert np.all(np.diff(future, axis=0) >= -1e-15)
    assert np.all(future <= 1 + 1e-12)


def test_draws_are_valid_and_have_the_conditioned_law() -> None:
    chain = random_chain(7, 4)
    tokens = TokenAutomaton(compile_pattern("(ab|c)*"), [b"a", b"b", b"c", b""], end=3)
    future = future_validity(chain, tokens, length=3)
    valid = [
        t for t in texts(3, 3, skip=9) if re.fullmatch(b"(ab|c)*", bytes(b"abc"[v] for v in t))
    ]
    expected = np.array([probability(chain, 3, text) for text in valid]) / future[-1, 0, 0]
    rng, n = np.random.default_rng(3), 4000
    draws = [tuple(sample_valid(chain, tokens, future, rng=rng)) for _ in range(n)]
    counts = np.array([draws.count(text) for text in valid])
    assert counts.sum() == n
    assert stats.chisquare(counts, n * expected).pvalue > 0.01


@pytest.mark.equation("eq-mask-gap")
@settings(max_examples=20)
@given(seeds)
def test_the_mass_that_a_mask_keeps_weighs_masked_texts_back(seed: int) -> None:
    chain, end = random_chain(seed, 4), 3
    tokens = TokenAutomaton(compile_pattern("ab?|c(a|bc)"), [b"a", b"b", b"c", b""], end=end)
    valid: list[Text] = [(0,), (0, 1), (2, 0), (2, 1, 2)]
    h = future_validity(chain, tokens, length=3)[-1, 0, 0]
    exact = np.array([probability(chain, end, text) for text in valid]) / h
    masked = np.array([by_steps(chain, tokens, None, text) for text in valid])
    kept = []
    for text in valid:
        context, state, product = 0, 0, 1.0
        for token in (*text, end):
            product *= chain.law[context, tokens.allowed(state)].sum()
            if token != end:
                context, state = int(chain.follow[context, token]), tokens.advance(state, token)
        kept.append(product)
    weights = np.array(kept)
    assert masked.sum() == pytest.approx(1)
    assert masked @ weights == pytest.approx(h)
    np.testing.assert_allclose(masked * weights / h, exact, atol=1e-12)
    gap = float(np.sum(exact * np.log(exact / masked)))
    assert gap == pytest.approx(exact @ np.log(weights) - np.log(h), abs=1e-12)
