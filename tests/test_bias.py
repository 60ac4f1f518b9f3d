"""Association tests against SciPy's permutation test and enumeration; shares by enumeration."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import spatial, stats

from primer_ref.bias import (
    argmax_shares,
    association,
    sampled_shares,
    weat_effect_size,
    weat_p_value,
    weat_p_value_sampled,
)

F = NDArray[np.float64]


def embeddings(seed: int, *sizes: int) -> list[F]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, 6)) + rng.normal(size=6) * 0.5 for n in sizes]


@pytest.mark.equation("eq-weat-association")
def test_association_is_the_difference_of_mean_cosines() -> None:
    words, a, b = embeddings(0, 4, 3, 5)
    cosine = 1 - spatial.distance.cdist(words, a, "cosine").mean(1)
    other = 1 - spatial.distance.cdist(words, b, "cosine").mean(1)
    np.testing.assert_allclose(association(words, a, b), cosine - other, atol=1e-14)
    np.testing.assert_allclose(association(words, b, a), other - cosine, atol=1e-14)
    np.testing.assert_allclose(association(3 * words, a, 0.1 * b), cosine - other, atol=1e-14)


@pytest.mark.equation("eq-weat-effect")
def test_effect_size_is_the_difference_in_sample_deviations() -> None:
    x, y, a, b = embeddings(1, 5, 5, 4, 4)
    s = np.array([association(x, a, b), association(y, a, b)])
    expected = (s[0].mean() - s[1].mean()) * math.sqrt(9 / np.sum((s - s.mean()) ** 2))
    np.testing.assert_allclose(weat_effect_size(x, y, a, b), expected)
    np.testing.assert_allclose(weat_effect_size(y, x, a, b), -expected)
    np.testing.assert_allclose(weat_effect_size(x, y, b, a), -expected)


@given(st.integers(0, 10_000), st.integers(1, 9))
@pytest.mark.equation("eq-weat-bound")
def test_the_effect_size_of_equal_sets_stays_below_two(seed: int, n: int) -> None:
    x, y, a, b = embeddings(seed, n, n, 2, 2)
    # Reached at the limit by two opposite clusters: 2 √((n − ½)/n) with 2n words.
    assert abs(weat_effect_size(x, y, a, b)) <= 2 * math.sqrt((2 * n - 1) / (2 * n)) + 1e-12
    far = weat_effect_size(np.tile(a[:1], (n, 1)), np.tile(b[:1], (n, 1)), a[:1], b[:1])
    np.testing.assert_allclose(far, 2 * math.sqrt((2 * n - 1) / (2 * n)))


@pytest.mark.parametrize("sizes", [(4, 4), (3, 5), (2, 6)])
@pytest.mark.equation("eq-weat-p")
def test_exact_p_value_agrees_with_scipy(sizes: tuple[int, int]) -> None:
    for seed in range(4):
        x, y, a, b = embeddings(seed, *sizes, 3, 3)
        s_x, s_y = association(x, a, b), association(y, a, b)
        test = stats.permutation_test(
            (s_x, s_y),
            lambda u, v, axis: np.sum(u, axis) - np.sum(v, axis),
            vectorized=True,
            alternative="greater",
            n_resamples=np.inf,
        )
        np.testing.assert_allclose(weat_p_value(x, y, a, b), test.pvalue, rtol=1e-12)


def test_equal_words_tie_in_the_permutation_test() -> None:
    a, b = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    same = np.array([[1.0, 0.3]] * 3)
    assert weat_p_value(same, same, a, b) == 1
    assert weat_p_value(same[:1], np.array([[1.0, 0.3], [0.0, 1.0]]), a, b) == 2 / 3


def test_single_precision_does_not_tell_equal_words_apart() -> None:
    for seed in range(30):
        rng = np.random.default_rng(seed)
        words, (a, b) = rng.normal(size=(4, 16)), rng.normal(size=(2, 5, 16)).astype(np.float32)
        twice = np.tile(words, (2, 1))[rng.permutation(8)].astype(np.float32)
        single, double = (
            weat_p_value(*(v.astype(kind) for v in (twice[:4], twice[4:], a, b)))
            for kind in (np.float32, np.float64)
        )
        assert single == double
        one = np.tile(twice[:1], (8, 1))
        assert weat_p_value(one, one[:2], a, b) == 1
        assert weat_p_value_sampled(one, one[:2], a, b, n_samples=9, rng=rng) == 1
        with pytest.raises(ValueError, match="the associations must differ"):
            weat_effect_size(one, one[:2], a, b)


def test_sampled_p_value_estimates_the_exact_one_and_is_never_zero() -> None:
    x, y, a, b = embeddings(5, 4, 4, 3, 3)
    exact = weat_p_value(x, y, a, b)
    rng = np.random.default_rng(0)
    ours = weat_p_value_sampled(x, y, a, b, n_samples=4999, rng=rng)
    assert abs(ours - exact) < 4 * math.sqrt(exact * (1 - exact) / 5000)
    apart = np.eye(6)
    least = weat_p_value_sampled(
        np.tile(apart[0], (9, 1)),
        np.tile(apart[1], (9, 1)),
        apart[:1],
        apart[1:2],
        n_samples=99,
        rng=rng,
    )
    assert least == 0.01


@pytest.mark.equation("eq-weat-sampled-p")
@pytest.mark.equation("eq-permutation-level")
def test_the_sampled_test_keeps_its_level() -> None:
    # Under exchangeability the statistic's rank among m + 1 is uniform (no ties): with m = 9 the
    # p-values are 0.1, …, 1 with equal chances. The words' labels are redrawn here every time.
    rng = np.random.default_rng(1)
    a, b = embeddings(7, 3, 3)
    values = []
    for _ in range(1500):
        words = rng.normal(size=(10, 6))
        p = weat_p_value_sampled(words[:5], words[5:], a, b, n_samples=9, rng=rng)
        values.append(round(10 * p))
    counts = np.bincount(values, minlength=11)[1:]
    assert stats.chisquare(counts).pvalue > 0.001


@pytest.mark.equation("eq-permutation-level")
def test_the_exact_test_keeps_its_level_with_ties() -> None:
    angles = np.array([0, 0, 0.4, 0.4, 1.1, 1.1])
    words = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    a, b = np.eye(2)[:1], np.eye(2)[1:]
    for size in (2, 3):
        values = np.array(
            [
                weat_p_value(words[list(chosen)], np.delete(words, chosen, axis=0), a, b)
                for chosen in itertools.combinations(range(6), size)
            ]
        )
        for u in np.unique(values):
            assert np.mean(values <= u) <= u + 1e-12


def contexts(seed: int) -> tuple[F, F]:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(3), size=5), rng.dirichlet(np.ones(5))


@pytest.mark.equation("eq-sampled-shares")
def test_shares_at_temperature_one_are_those_of_the_data() -> None:
    p, w = contexts(0)
    np.testing.assert_allclose(sampled_shares(p, w), w @ p, atol=1e-15)
    half = p**2 / np.sum(p**2, axis=1, keepdims=True)
    np.testing.assert_allclose(sampled_shares(p, w, temperature=0.5), w @ half, atol=1e-14)
    np.testing.assert_allclose(sampled_shares([[1.0, 0.0]], [1.0], temperature=3), [1, 0])


@pytest.mark.equation("eq-argmax-shares")
def test_argmax_shares_are_the_weights_of_the_contexts_that_are_led() -> None:
    p, w = contexts(1)
    expected = [w[np.argmax(p, axis=1) == v].sum() for v in range(3)]
    np.testing.assert_allclose(argmax_shares(p, w), expected)
    np.testing.assert_allclose(sampled_shares(p, w, temperature=1e-4), expected, atol=1e-9)
    np.testing.assert_allclose(argmax_shares([[0.4, 0.4, 0.2]], [1.0]), [0.5, 0.5, 0])


@given(st.integers(0, 10_000))
@pytest.mark.equation("eq-sampled-shares")
@pytest.mark.equation("eq-argmax-shares")
def test_a_majority_in_every_context_is_amplified_and_more_so_when_colder(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lead = rng.uniform(0.501, 0.99, size=4)
    p, w = np.stack([lead, 1 - lead], axis=1), rng.dirichlet(np.ones(4))
    shares = [sampled_shares(p, w, temperature=t)[0] for t in (2.0, 1.0, 0.5, 0.1)]
    assert all(low < high for low, high in itertools.pairwise(shares))
    np.testing.assert_array_equal(argmax_shares(p, w).round(12), [1, 0])


def test_minorities_that_lead_somewhere_may_gain() -> None:
    # Amplification is a statement about each context: over several it can go the other way.
    p, w = [[0.9, 0.1], [0.45, 0.55]], [0.5, 0.5]
    assert argmax_shares(p, w)[1] == 0.5 > sampled_shares(p, w)[1]
    # Nor is the way there monotone: at τ = 1/2 the share is farther from its end than at 1.
    assert sampled_shares(p, w, temperature=0.5)[1] < sampled_shares(p, w)[1]
