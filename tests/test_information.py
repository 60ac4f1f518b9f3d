"""The information measures against SciPy, identities, and what they refuse."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from primer_ref.information import (
    bits_per_byte,
    conditional_entropy,
    cross_entropy,
    distribution,
    entropy,
    entropy_rate,
    guessing_bounds,
    kl_divergence,
    kraft_sum,
    mutual_information,
    perplexity,
    shannon_code_lengths,
    surprisal,
    surviving_mass,
)

F = NDArray[np.float64]

HORSES = [1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 64, 1 / 64, 1 / 64, 1 / 64]


def distributions(*shape: int) -> st.SearchStrategy[F]:
    """Random distributions over all entries, with zeros among them."""
    weights = arrays(float, shape, elements=st.sampled_from([0.0, 1e-12]) | st.floats(0.01, 1))
    return weights.filter(lambda w: w.sum() > 0.005).map(lambda w: w / w.sum())


@pytest.mark.equation("eq-surprisal", "eq-additivity")
@given(st.floats(1e-150, 1), st.floats(1e-150, 1))
def test_surprisals_of_independent_outcomes_add(p: float, q: float) -> None:
    np.testing.assert_allclose(surprisal(p * q), surprisal(p) + surprisal(q), atol=1e-12)
    assert surprisal(p) >= 0


def test_surprisal_of_the_certain_and_the_impossible() -> None:
    sure, never = surprisal([1.0, 0.0])
    assert (sure, never) == (0, math.inf)
    assert not np.signbit(sure)


@pytest.mark.equation("eq-entropy")
@given(distributions(7))
def test_entropy_agrees_with_scipy(p: F) -> None:
    np.testing.assert_allclose(entropy(p), stats.entropy(p), atol=1e-13)
    np.testing.assert_allclose(entropy(p, base=2), stats.entropy(p, base=2), atol=1e-13)


@pytest.mark.equation("eq-log-tangent")
def test_the_logarithm_lies_below_its_tangent_at_1() -> None:
    x = np.logspace(-300, 300, 601)
    gap = x - 1 + surprisal(np.minimum(x, 1)) - surprisal(np.minimum(1 / x, 1))  # x − 1 − log x
    assert np.all(gap >= 0)
    assert x[gap == 0].tolist() == [1]


@pytest.mark.equation("eq-entropy-bounds")
@given(distributions(7))
def test_entropy_lies_between_0_and_log_v(p: F) -> None:
    assert 0 <= entropy(p) <= math.log(7) + 1e-12


@pytest.mark.equation("eq-entropy-bounds")
def test_the_bounds_of_entropy_are_reached() -> None:
    assert entropy([0.0, 1.0, 0.0]) == 0
    np.testing.assert_allclose(entropy(np.full(7, 1 / 7)), math.log(7))
    np.testing.assert_allclose(entropy(HORSES, base=2), 2)


@pytest.mark.equation("eq-cross-entropy-decomposition", "eq-cross-entropy", "eq-kl")
@given(distributions(5), distributions(5).map(lambda q: (q + 0.01) / 1.05))
def test_cross_entropy_is_entropy_plus_divergence(p: F, q: F) -> None:
    np.testing.assert_allclose(cross_entropy(p, q), entropy(p) + kl_divergence(p, q), atol=1e-12)
    np.testing.assert_allclose(kl_divergence(p, q), stats.entropy(p, q), atol=1e-12)


@pytest.mark.equation("eq-gibbs")
@given(distributions(5), distributions(5))
def test_divergence_is_not_negative_and_0_only_at_equality(p: F, q: F) -> None:
    # Pinsker's inequality is the sharper statement: KL is at least half the squared L1 distance.
    assert kl_divergence(p, q) >= np.sum(np.abs(p - q)) ** 2 / 2 - 1e-12
    assert abs(kl_divergence(p, p)) < 1e-15


@pytest.mark.equation("eq-kl")
def test_divergence_where_one_law_is_zero() -> None:
    assert kl_divergence([0.5, 0.5], [1, 0]) == math.inf
    np.testing.assert_allclose(kl_divergence([1, 0], [0.5, 0.5]), math.log(2))
    assert cross_entropy([1, 0], [1, 0]) == 0


@pytest.mark.equation("eq-kl", "eq-cross-entropy-decomposition")
@pytest.mark.parametrize("q", [np.array([1, 1e-310]), np.array([1, 8e-40], np.float32)])
def test_divergence_where_the_quotient_of_the_laws_exceeds_the_largest_float(q: F) -> None:
    for p in (np.array([0, 1], q.dtype), np.array([0.5, 0.5], q.dtype)):
        found = kl_divergence(p, q)
        assert found.dtype == q.dtype
        np.testing.assert_allclose(found, cross_entropy(p, q) - entropy(p), rtol=1e-6)


@pytest.mark.equation("eq-entropy-chain", "eq-conditional-entropy")
@given(distributions(4, 3))
def test_chain_rule_of_entropy(joint: F) -> None:
    whole = entropy(joint.ravel())
    np.testing.assert_allclose(
        whole, entropy(joint.sum(1)) + conditional_entropy(joint), atol=1e-12
    )
    np.testing.assert_allclose(
        whole, entropy(joint.sum(0)) + conditional_entropy(joint.T), atol=1e-12
    )


@pytest.mark.equation("eq-conditioning", "eq-mutual-information")
@given(distributions(4, 3))
def test_information_is_the_fall_in_entropy_and_never_negative(joint: F) -> None:
    fall = entropy(joint.sum(0)) - conditional_entropy(joint)
    np.testing.assert_allclose(mutual_information(joint), fall, atol=1e-12)
    assert fall >= -1e-12


@pytest.mark.equation("eq-mutual-information")
@pytest.mark.parametrize("rare", [1e-200, 1e-310])
def test_information_where_the_product_of_the_margins_underflows(rare: float) -> None:
    joint = np.array([[1, 0], [0, rare]])
    np.testing.assert_allclose(mutual_information(joint), -rare * math.log(rare), rtol=1e-9)


@pytest.mark.equation("eq-mutual-information")
def test_information_of_rare_pairs_in_single_precision() -> None:
    weights = np.exp(-np.arange(100.0))  # the last of them below the smallest normal float32
    joint = np.diag(weights / weights.sum())
    single = mutual_information(joint.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, entropy(np.diag(joint)), rtol=1e-6)


@pytest.mark.equation("eq-mutual-information")
def test_independence_carries_no_information() -> None:
    joint = np.outer([0.3, 0.7], [0.2, 0.5, 0.3])
    np.testing.assert_allclose(mutual_information(joint), 0, atol=1e-15)


@pytest.mark.equation("eq-perplexity")
def test_perplexity_of_uniform_and_of_impossible() -> None:
    np.testing.assert_allclose(perplexity(np.log(np.full(9, 1 / 27))), 27)
    assert perplexity([-1.0, -math.inf]) == math.inf
    assert perplexity([-1000.0]) == math.inf
    assert perplexity([-709.5]) == math.exp(709.5)
    assert perplexity([-709.8]) == math.inf  # above the largest float
    assert perplexity([0.0]) == 1


@pytest.mark.equation("eq-perplexity")
def test_perplexity_of_a_published_exercise() -> None:
    """Jurafsky and Martin ask for ten digits, nine of probability .91 and one of .01."""
    assert perplexity(np.log([0.91] * 9 + [0.01])) == pytest.approx(1.72529254968)


def test_means_over_single_precision_are_taken_in_double() -> None:
    log_probs = np.full(1000, -0.1, np.float32)
    nats = float(-log_probs[0])
    assert perplexity(log_probs) == pytest.approx(math.exp(nats), rel=1e-12)
    assert bits_per_byte(log_probs, 1000) == pytest.approx(nats / math.log(2), rel=1e-12)


@pytest.mark.equation("eq-bits-per-byte")
def test_bits_per_byte_does_not_depend_on_how_the_text_was_cut() -> None:
    per_letter, per_word = np.log([0.5, 0.5, 0.25, 0.25]), np.log([0.25, 0.0625])
    assert bits_per_byte(per_letter, 4) == pytest.approx(1.5)
    assert bits_per_byte(per_word, 4) == pytest.approx(1.5)
    assert bits_per_byte([0.0], 4) == 0


@pytest.mark.equation("eq-bits-per-byte")
def test_nats_per_token_of_the_piles_gpt3() -> None:
    """0.7177 bits per byte at 0.29335 tokens per byte is 1.6958 nats per token."""
    nats = 0.7177 * math.log(2) / 0.29335
    assert bits_per_byte(np.full(29335, -nats), 100_000) == pytest.approx(0.7177)
    assert perplexity(np.full(100, -nats)) == pytest.approx(5.45116857634)


@pytest.mark.equation("eq-survival", "eq-leak")
def test_the_leaking_example_leaks_half() -> None:
    t = np.arange(1, 100_001)
    np.testing.assert_allclose(surviving_mass(1 / (t + 1) ** 2), (t + 2) / (2 * (t + 1)))


@pytest.mark.equation("eq-survival")
def test_a_divergent_series_does_not_leak() -> None:
    t = np.arange(1, 1001)
    np.testing.assert_allclose(surviving_mass(1 / (t + 1)), 1 / (t + 1))  # telescopes


@pytest.mark.equation("eq-markov-rate")
def test_rate_of_a_markov_chain_is_the_slope_of_block_entropy() -> None:
    rng = np.random.default_rng(0)
    chain = rng.dirichlet(np.ones(4), size=4)
    pi = np.linalg.matrix_power(chain, 200)[0]
    blocks: list[F] = [pi]
    for _ in range(3):  # joint law of blocks of 2, 3, 4 symbols
        blocks.append(blocks[-1][..., None] * chain)
    h = [entropy(b.ravel()) for b in blocks]
    np.testing.assert_allclose(np.diff(h), entropy_rate(chain), rtol=1e-12)


@pytest.mark.equation("eq-markov-rate")
def test_rate_of_periodic_and_reducible_chains() -> None:
    assert entropy_rate([[0, 1], [1, 0]]) == pytest.approx(0)
    with pytest.raises(ValueError, match="one stationary law; it has 2"):
        entropy_rate(np.eye(2))


@pytest.mark.equation("eq-guessing-bounds")
@given(st.integers(0, 10_000))
def test_ideal_guesses_enclose_the_conditional_entropy(seed: int) -> None:
    joint = np.random.default_rng(seed).dirichlet(np.full(12, 0.3)).reshape(3, 4)
    ranks = -np.sort(-joint, axis=1)  # in each context, the likeliest symbol first
    low, high = guessing_bounds(ranks.sum(0))
    assert low - 1e-12 <= conditional_entropy(joint) <= high + 1e-12


@pytest.mark.equation("eq-guessing-bounds")
def test_rounded_shares_may_explain_shannons_upper_bound() -> None:
    """His table I gives ideal guesses after one letter in tenths of a per cent; he prints 3.42."""
    table = "292 148 100 86 71 55 45 36 30 26 22 19 15 12 10 9 7 5 4 3 2 1 1"
    q = np.array(table.split(), float)
    low, high = guessing_bounds(q / q.sum(), base=2)
    assert (round(low, 2), round(high, 2)) == (2.5, 3.44)
    shares = q + np.repeat([0.49, -4.88 / 11], [12, 11])  # rounded, these are his, and
    np.testing.assert_allclose(shares.sum(), 1000)  # they sum to 1, which his do not
    assert np.array_equal(shares.round(), q)
    assert round(guessing_bounds(shares / 1000, base=2)[1], 2) == 3.42


@pytest.mark.equation("eq-guessing-bounds")
def test_the_two_bounds_meet_where_all_ranks_in_use_are_equally_likely() -> None:
    np.testing.assert_allclose(guessing_bounds([1 / 3, 1 / 3, 1 / 3, 0]), math.log(3))


@pytest.mark.equation("eq-guessing-bounds")
def test_the_lower_bound_needs_the_ideal_order() -> None:
    """A guesser who always tries the rarer of two symbols first gets a "bound" too high."""
    low, high = guessing_bounds([0.1, 0.9], base=2)
    assert low > entropy([0.1, 0.9], base=2) == pytest.approx(high)


@pytest.mark.equation("eq-kraft")
def test_kraft_sum() -> None:
    assert kraft_sum([1, 2, 3, 4, 6, 6, 6, 6]) == 1
    assert kraft_sum([1, 1], radix=3) == pytest.approx(2 / 3)
    assert kraft_sum([0]) == 1


@pytest.mark.equation("eq-redundancy")
@given(distributions(4), st.lists(st.integers(1, 9), min_size=4, max_size=4))
def test_no_prefix_code_beats_entropy(p: F, lengths: list[int]) -> None:
    """The mean length is entropy, plus a divergence, plus what the codewords leave unused."""
    room = kraft_sum(lengths)
    share = 2.0 ** -np.array(lengths) / room
    excess = kl_divergence(p, share, base=2) - math.log2(room)
    np.testing.assert_allclose(p @ lengths, entropy(p, base=2) + excess, atol=1e-12)
    assert room > 1 or excess >= -1e-12


@pytest.mark.equation("eq-shannon-code", "eq-shannon-code-bound", "eq-kraft")
@given(distributions(9).map(lambda p: (p + 1e-9) / (1 + 9e-9)))
def test_shannon_code_is_within_a_bit_of_entropy(p: F) -> None:
    lengths = shannon_code_lengths(p)
    assert kraft_sum(lengths) <= 1
    assert entropy(p, base=2) - 1e-12 <= p @ lengths < entropy(p, base=2) + 1
    assert np.all((2.0**-lengths <= p) & (p < 2.0 ** (1 - lengths)))


def test_shannon_code_of_powers_of_a_half_is_exact() -> None:
    assert shannon_code_lengths(HORSES).tolist() == [1, 2, 3, 4, 6, 6, 6, 6]
    assert np.array(HORSES) @ shannon_code_lengths(HORSES) == 2
    assert shannon_code_lengths([1.0]).tolist() == [0]  # nothing to say


def test_zipfs_law_for_words_does_not_give_the_published_entropy() -> None:
    """Shannon 1951 prints 11.82 bits for p_n = 0.1/n up to n = 8727; the sum gives 9.14."""
    p = 0.1 / np.arange(1, 8728)
    assert p.sum() == pytest.approx(0.9651, abs=5e-5)  # not a distribution
    assert p @ surprisal(p, base=2) == pytest.approx(9.13533721589)
    with pytest.raises(ValueError, match="sum to 1"):
        entropy(p)


def test_rows_are_treated_one_by_one_and_the_type_is_kept() -> None:
    p = np.array([[0.5, 0.5], [0.25, 0.75]], dtype=np.float32)
    for values in (entropy(p), cross_entropy(p, p), kl_divergence(p, p[0]), surprisal(p)):
        assert values.dtype == np.float32
        assert len(values) == 2
    assert entropy(np.array([1, 0])).dtype == np.float64
    np.testing.assert_allclose(entropy(p), [stats.entropy(row) for row in p], rtol=1e-6)


@pytest.mark.parametrize(
    ("p", "message"),
    [
        ([], "at least one outcome"),
        (0.5, "at least one outcome"),
        ([0.5, 0.4], "sum to 1; got a sum of 0.9"),
        ([1.5, -0.5], "nonnegative; got -0.5"),
        ([0.5, math.nan], "nonnegative; got nan"),
        ([math.inf, 0.0], "finite and nonnegative; got inf"),
    ],
)
def test_what_is_not_a_distribution_is_refused(p: ArrayLike, message: str) -> None:
    for check in (distribution, entropy, guessing_bounds, shannon_code_lengths):
        with pytest.raises(ValueError, match=message):
            check(p)
    for compare in (cross_entropy, kl_divergence):
        with pytest.raises(ValueError, match=f"q must.*{message}"):
            compare([0.5, 0.5], p)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: surprisal(1.1), r"in \[0, 1\]; got 1.1"),
        (lambda: surprisal(math.nan), r"in \[0, 1\]; got nan"),
        (lambda: surviving_mass([0.1, -0.1]), "end_probabilities must"),
        (lambda: entropy([1.0], base=1), "base must be greater than 1; got 1"),
        (lambda: kl_divergence([1.0], [0.5, 0.5]), "same outcomes; got 1 and 2"),
        (lambda: conditional_entropy([0.5, 0.5]), "at least one outcome"),
        (lambda: mutual_information([[0.5], [0.4]]), "joint must sum to 1"),
        (lambda: entropy_rate([[0.5, 0.5]]), "square"),
        (lambda: entropy_rate([[0.5, 0.4], [0.5, 0.5]]), "^transition must sum to 1"),
        (lambda: guessing_bounds([0.5, 0.4]), "^rank_probabilities must sum to 1"),
        (lambda: kraft_sum([1, -1]), "at least 0"),
        (lambda: kraft_sum([0.5]), "whole numbers"),
        (lambda: kraft_sum([1], radix=1), "radix must be at least 2; got 1"),
        (lambda: shannon_code_lengths([0.5, 0.5, 0.0]), "no codeword"),
    ],
)
def test_errors_say_what_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.equation("eq-pretraining-gap")
def test_a_loss_is_the_entropy_and_the_divergences_of_all_steps() -> None:
    rng = np.random.default_rng(10)
    p, q = rng.dirichlet(np.full(27, 0.3)).reshape(3, 3, 3), rng.dirichlet(np.ones(27))
    p[0, 1], q = 0.0, q.reshape(3, 3, 3)  # a beginning that never occurs
    p /= p.sum()
    gaps = 0.0
    for t in range(3):
        later = tuple(range(t + 1, 3))
        p_step, q_step = p.sum(axis=later).reshape(-1, 3), q.sum(axis=later).reshape(-1, 3)
        for ours, theirs in zip(p_step, q_step, strict=True):
            if weight := float(ours.sum()):
                gaps += weight * float(kl_divergence(ours / weight, theirs / theirs.sum()))
    loss = -float(np.sum(p * np.log(q)))
    assert loss == pytest.approx(float(entropy(p.ravel())) + gaps)
