"""Decoding: sets by brute force, entropies, published examples, and laws of the draws."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate, stats

from primer_ref.decoding import (
    escape_length,
    greedy,
    gumbel_max,
    min_p,
    no_repeat_ngram,
    repetition_penalty,
    restrict,
    sample,
    top_k,
    top_p,
    typical,
)
from primer_ref.functional import log_softmax, softmax
from primer_ref.information import entropy, kl_divergence

F = NDArray[np.floating[Any]]

seeds = st.integers(0, 2**32 - 1)
masses = st.floats(0.05, 0.99)


def law(seed: int, n: int = 7) -> F:
    p: F = np.random.default_rng(seed).dirichlet(np.full(n, 0.7))
    return p


def support(p: F) -> set[int]:
    return set(np.flatnonzero(p).tolist())


def total_variation(p: F, q: F) -> float:
    return float(np.abs(p - q).sum() / 2)


@pytest.mark.equation("eq-restrict")
@pytest.mark.equation("eq-restrict-price")
@given(seeds, st.integers(1, 127))
def test_restricting_to_a_set_costs_the_logarithm_of_its_probability(seed: int, bits: int) -> None:
    p = law(seed)
    keep = np.array([bits >> v & 1 for v in range(7)], dtype=bool)
    kept = restrict(p, keep)
    inside = float(p[keep].sum())
    np.testing.assert_allclose(kept[keep] * inside, p[keep], rtol=1e-12)
    assert support(kept) <= set(np.flatnonzero(keep).tolist())
    np.testing.assert_allclose(kl_divergence(kept, p), -math.log(inside), atol=1e-9)
    np.testing.assert_allclose(total_variation(kept, p), 1 - inside, atol=1e-12)
    other = np.zeros(7)
    other[keep] = np.random.default_rng(seed + 1).dirichlet(np.ones(int(keep.sum())))
    assert kl_divergence(other, p) >= kl_divergence(kept, p) - 1e-9


@pytest.mark.equation("eq-truncations")
@given(seeds, st.integers(1, 7))
def test_top_k_is_the_most_probable_set_of_k(seed: int, k: int) -> None:
    p = law(seed)
    best = max(itertools.combinations(range(7), k), key=lambda chosen: sum(p[list(chosen)]))
    assert support(top_k(p, k=k)) == set(best)


@pytest.mark.equation("eq-truncations")
@given(seeds, masses)
def test_top_p_is_the_smallest_set_with_the_mass(seed: int, mass: float) -> None:
    p = law(seed)
    sets = (c for size in range(1, 8) for c in itertools.combinations(range(7), size))
    enough = [chosen for chosen in sets if sum(p[list(chosen)]) >= mass]
    # Of the smallest sets the most probable one.
    best = min(enough, key=lambda chosen: (len(chosen), -sum(p[list(chosen)])))
    assert support(top_p(p, mass=mass)) == set(best)


@pytest.mark.equation("eq-typical")
@given(seeds, masses)
def test_typical_keeps_the_surprisals_nearest_to_the_entropy(seed: int, mass: float) -> None:
    p = law(seed)
    kept = support(typical(p, mass=mass))
    distance = np.abs(-np.log(p) - stats.entropy(p))
    farthest = max(kept, key=lambda v: float(distance[v]))
    assert all(distance[v] > distance[farthest] for v in set(range(7)) - kept)
    inside = p[sorted(kept)].sum()
    assert inside >= mass > inside - p[farthest]


@pytest.mark.equation("eq-truncations")
@given(seeds, st.floats(0, 1))
def test_min_p_is_a_gap_in_the_logits(seed: int, ratio: float) -> None:
    s = np.random.default_rng(seed).normal(size=7) * 2
    kept = support(min_p(softmax(s), ratio=ratio))
    near = s.max() - s <= -math.log(ratio) + 1e-12 if ratio else np.ones(7, dtype=bool)
    assert kept == set(np.flatnonzero(near).tolist())


@pytest.mark.equation("eq-upper-set")
@given(seeds, st.integers(1, 7), masses)
def test_keeping_an_upper_set_never_raises_the_entropy(seed: int, k: int, mass: float) -> None:
    p = law(seed)
    for kept in (greedy(p), top_k(p, k=k), top_p(p, mass=mass), min_p(p, ratio=mass)):
        assert np.all(np.cumsum(-np.sort(-kept)) >= np.cumsum(-np.sort(-p)) - 1e-12)  # majorizes
        assert entropy(kept) <= entropy(p) + math.log(p[kept > 0].sum()) + 1e-12


def test_typical_may_raise_the_entropy() -> None:
    p = [0.44] + 8 * [0.07]
    raised = entropy(typical(p, mass=0.5))
    assert raised == pytest.approx(math.log(8))
    assert raised > entropy(p)


def test_of_equally_typical_tokens_the_lowest_numbers_come_first() -> None:
    common = np.arange(112) % 7 < 3  # 48 of them: 3/4 of the probability
    p = np.where(common, 1 / 64, 1 / 256)
    assert support(typical(p, mass=0.375)) == set(np.flatnonzero(common)[:24].tolist())


def test_greedy_is_the_limit_of_low_temperature() -> None:
    for s in ([1.0, 3.0, 2.5], [1.0, 3.0, 3.0]):
        np.testing.assert_allclose(greedy(softmax(s)), softmax(s, temperature=1e-3), atol=1e-12)


def test_parameters_at_their_ends_keep_everything_or_the_best() -> None:
    p = law(3)
    for kept in (top_k(p, k=7), top_p(p, mass=1), typical(p, mass=1), min_p(p, ratio=0)):
        np.testing.assert_allclose(kept, p, atol=1e-15)
    for kept in (top_k(p, k=1), top_p(p, mass=1e-9), min_p(p, ratio=1)):
        np.testing.assert_array_equal(kept, greedy(p))


def test_rows_are_separate_and_single_precision_stays() -> None:
    rows = softmax(np.random.default_rng(0).normal(size=(2, 3, 9)).astype(np.float32) * 2)
    maps: list[Callable[[F], F]] = [
        greedy,
        lambda p: top_k(p, k=4),
        lambda p: top_p(p, mass=0.8),
        lambda p: min_p(p, ratio=0.1),
        lambda p: typical(p, mass=0.8),
    ]
    for function in maps:
        together = function(rows)
        assert together.dtype == np.float32
        np.testing.assert_array_equal(together[1, 2], function(rows[1, 2]))


def test_top_p_recomputes_the_published_example() -> None:
    # Hugging Face's own test. In the first row .5 + .3 is a tie with p = .8, so a little above and
    # below it are tried as well: the third token comes only when the first two are not enough.
    p = np.array([[0.3, 0.1, 0.1, 0.5], [0.15, 0.3, 0.3, 0.25]])
    kept = [[0.3, 0, 0, 0.5], [0, 0.3, 0.3, 0.25]]
    for mass in (0.8, 0.8 - 1e-9):
        np.testing.assert_array_equal(np.where(top_p(p, mass=mass) > 0, p, 0), kept)
    assert support(top_p(p[0], mass=0.8 + 1e-9)) == {0, 1, 3}
    assert support(top_p(p[1], mass=0.8 + 1e-9)) == {1, 2, 3}


def test_no_repeat_ngram_recomputes_the_published_example() -> None:
    texts, banned = (
        [[1, 1, 2, 1], [0, 1, 0, 1]],
        {
            2: [[False, True, True], [True, False, False]],
            3: [[False, False, False], [True, False, False]],
        },
    )
    for n, rows in banned.items():
        got = [no_repeat_ngram(text, n=n, n_tokens=3) for text in texts]
        np.testing.assert_array_equal(got, rows)


@given(st.lists(st.integers(0, 2), max_size=12), st.integers(1, 4))
def test_what_is_banned_would_repeat_an_ngram(text: list[int], n: int) -> None:
    seen = {tuple(text[i : i + n]) for i in range(len(text) - n + 1)}
    start = text[len(text) - n + 1 :] if n > 1 else []
    expected = [len(text) >= n - 1 and (*start, v) in seen for v in range(3)]
    np.testing.assert_array_equal(no_repeat_ngram(text, n=n, n_tokens=3), expected)


@pytest.mark.equation("eq-repetition-penalty")
def test_repetition_penalty_is_a_power_of_probabilities_but_sees_the_shift_of_logits() -> None:
    p, seen = law(5), np.arange(7) < 3
    penalized = repetition_penalty(np.log(p), [0, 1, 1, 2], penalty=1.5)
    np.testing.assert_allclose(np.exp(penalized), np.where(seen, p**1.5, p))
    assert repetition_penalty([3, -3, 5], [0, 1], penalty=2).tolist() == [1.5, -6, 5]
    one, other = (
        softmax(repetition_penalty(np.log(p) + shift, [0, 1, 2], penalty=1.5)) for shift in (0, 9)
    )
    assert not np.allclose(one, other, atol=1e-2)


@pytest.mark.equation("eq-inverse-draw")
@given(seeds)
def test_a_draw_inverts_the_cumulative_distribution(seed: int) -> None:
    p = np.where(np.arange(7) % 3 == 1, 0, law(seed))
    p = p / p.sum()
    rng, same = np.random.default_rng(seed), np.random.default_rng(seed)
    draws = sample(np.broadcast_to(p, (50, 7)), rng=rng)
    expected = np.searchsorted(np.cumsum(p), same.random(50), side="right")
    np.testing.assert_array_equal(draws, expected)
    assert np.all(p[draws] > 0)


@pytest.mark.parametrize(("u", "token"), [(0.0, 1), (1 - 2**-53, 25)])
def test_no_number_in_the_unit_interval_is_drawn_outside_the_support(u: float, token: int) -> None:
    class Fixed(np.random.Generator):
        def random(self, *_: object) -> F:  # type: ignore[override]
            return np.full((1,), u)

    p = np.append(np.append(np.float32(0), np.full(25, np.float32(1 / 25))), np.float32(0))
    assert p.astype(float).sum() < 1
    assert sample(p, rng=Fixed(np.random.PCG64(0))) == token


@pytest.mark.equation("eq-inverse-draw")
@pytest.mark.equation("eq-gumbel-max")
@pytest.mark.parametrize("method", ["sample", "gumbel_max"])
def test_draws_have_the_distribution(method: str) -> None:
    logits = np.array([1.0, 0.0, -np.inf, 2.0, -1.5])
    p, rng, n = softmax(logits), np.random.default_rng(6), 100_000
    if method == "sample":
        draws = sample(np.broadcast_to(p, (n, 5)), rng=rng)
    else:
        draws = gumbel_max(np.broadcast_to(logits, (n, 5)), rng=rng)
    counts = np.bincount(draws, minlength=5)
    assert counts[2] == 0
    assert stats.chisquare(counts[p > 0], n * p[p > 0]).pvalue > 0.01


@pytest.mark.equation("eq-gumbel-max")
@pytest.mark.parametrize("best", range(3))
def test_the_gumbel_maximum_is_reached_where_softmax_says_at_every_height(best: int) -> None:
    s = np.array([0.5, -1.0, 2.0])
    others = np.delete(s, best)

    def density(g: float) -> float:
        inside = stats.gumbel_r.pdf(g - s[best]) * np.prod(stats.gumbel_r.cdf(g - others))
        return float(inside)

    share = softmax(s)[best]
    assert integrate.quad(density, -20, 60)[0] == pytest.approx(share, abs=1e-8)
    # The maximum is Gumbel about lse(s), whichever token reaches it.
    top = stats.gumbel_r(loc=-log_softmax(s)[0] + s[0])
    for g in (-1.0, 0.3, 2.0, 5.0):
        assert density(g) == pytest.approx(share * top.pdf(g))


@pytest.mark.equation("eq-escape-length")
@given(st.lists(st.floats(0.01, 1), min_size=1, max_size=6))
def test_escape_length_is_that_of_an_absorbing_chain(leave: list[float]) -> None:
    stay = np.roll(np.diag(1 - np.array(leave)), 1, axis=1)  # from each place to the next
    steps = np.linalg.solve(np.eye(len(leave)) - stay, np.ones(len(leave)))
    assert escape_length(leave) == pytest.approx(steps[0])


@pytest.mark.equation("eq-escape-length")
def test_a_way_out_is_found_however_rare() -> None:
    for rare in (1e-9, 1e-13, 1e-17, 1e-200):
        assert escape_length([rare]) == pytest.approx(1 / rare, rel=1e-12)
        assert escape_length([0.0, rare, 3 * rare]) == pytest.approx(3 / (4 * rare), rel=1e-8)


def test_there_is_no_way_out_of_a_greedy_loop() -> None:
    assert escape_length([0.0, 0.0, 0.0]) == math.inf
    assert escape_length([1.0, 0.0]) == 1
