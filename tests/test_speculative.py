"""Speculative decoding: its law summed exactly over everything that can happen, and its gains."""

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import optimize

from primer_ref.speculative import (
    acceptance_rate,
    best_gamma,
    expected_tokens,
    operations_factor,
    residual,
    speculative_step,
    speedup,
)

F = NDArray[np.float64]
Text = tuple[int, ...]

V = 3
seeds = st.integers(0, 2**32 - 1)


class Scripted(np.random.Generator):
    """A source of randomness that gives out the numbers it was made with."""

    def __init__(self, numbers: list[float]) -> None:
        super().__init__(np.random.PCG64(0))
        self.numbers = numbers

    def random(self, *_: object) -> F:  # type: ignore[override]
        return np.array(self.numbers.pop(0))


def model(seed: int) -> dict[Text, F]:
    """Draw a law for every text of up to four tokens; some probabilities are 0."""
    rng = np.random.default_rng(seed)
    texts = (t for n in range(5) for t in itertools.product(range(V), repeat=n))
    laws = {}
    for text in texts:
        p = rng.dirichlet(np.ones(V)) * (rng.random(V) < 0.8)
        laws[text] = p / p.sum() if p.sum() > 0 else np.eye(V)[0]
    return laws


def probability(laws: dict[Text, F], text: Text) -> float:
    return math.prod(float(laws[text[:t]][token]) for t, token in enumerate(text))


EPS = 1e-9  # how near to a threshold the random numbers are put


def exact_law(p: dict[Text, F], q: dict[Text, F], gamma: int) -> dict[Text, float]:
    """Sum the probability of every output over all drafts and all random numbers.

    Which random numbers lead to which output is worked out here; the step is then run on numbers
    just below and just above every threshold.
    """
    law: dict[Text, float] = defaultdict(float)
    for draft in itertools.product(range(V), repeat=gamma):
        if probability(q, draft) == 0:
            continue
        prefixes = [draft[:t] for t in range(gamma + 1)]
        ps, qs = [p[x] for x in prefixes], np.reshape([q[x] for x in prefixes[:-1]], (gamma, V))
        accept = [min(1, float(ps[t][x] / qs[t][x])) for t, x in enumerate(draft)]
        for stop in range(gamma + 1):  # the first token that is rejected, or none
            script = [a - EPS * (a > EPS) for a in accept[:stop]]
            mass = probability(q, draft) * math.prod(accept[:stop])
            last = ps[stop]
            if stop < gamma:
                script.append(accept[stop] + EPS)
                mass *= 1 - accept[stop]
                last = np.maximum(last - qs[stop], 0)
            if mass == 0:
                continue
            edges = np.cumsum([0, *last]) / last.sum()
            for low, high in itertools.pairwise(edges.tolist()):
                for point in (low + EPS, high - EPS):
                    if high > low:
                        rng = Scripted([*script, point])
                        output = tuple(speculative_step(ps, qs, draft, rng=rng))
                        assert not rng.numbers
                        law[output] += mass * (high - low) / 2
    return law


@pytest.mark.equation("eq-residual")
@settings(max_examples=12)
@given(seeds, st.integers(0, 3))
def test_the_output_has_the_law_of_the_costly_model_alone(seed: int, gamma: int) -> None:
    p, q = model(seed), model(seed + 1)
    law = exact_law(p, q, gamma)
    assert sum(law.values()) == pytest.approx(1, abs=1e-12)
    # Continue each output with the costly model to γ + 1 tokens: the law of p, text by text.
    for text in itertools.product(range(V), repeat=gamma + 1):
        got = sum(
            mass * probability(p, text) / probability(p, output)
            for output, mass in law.items()
            if output == text[: len(output)] and probability(p, output) > 0
        )
        assert got == pytest.approx(probability(p, text), abs=1e-12)
    assert all(probability(p, output) > 0 for output, mass in law.items() if mass > 0)


@pytest.mark.equation("eq-acceptance")
@given(seeds)
def test_the_acceptance_rate_of_a_pair_by_hand_and_that_no_coupling_beats_it(seed: int) -> None:
    pair = [0.5, 0.3, 0.2], [0.2, 0.5, 0.3]
    assert acceptance_rate(*pair) == pytest.approx(0.7, abs=1e-12)
    p, q = np.random.default_rng(seed).dirichlet(np.ones(4), size=2)
    rate = float(acceptance_rate(p, q))
    assert rate == pytest.approx(1 - np.abs(p - q).sum() / 2)
    # The best joint law with margins p and q, by linear programming over its 16 entries.
    margins = np.vstack([np.kron(np.eye(4), np.ones(4)), np.kron(np.ones(4), np.eye(4))])
    best = optimize.linprog(-np.eye(4).ravel(), A_eq=margins, b_eq=np.r_[p, q])
    assert rate == pytest.approx(-best.fun, abs=1e-7)


@pytest.mark.equation("eq-residual")
@given(seeds)
def test_what_is_accepted_and_what_replaces_the_rest_make_up_p(seed: int) -> None:
    p, q = np.random.default_rng(seed).dirichlet(np.ones(5), size=2)
    rejected = 1 - acceptance_rate(p, q)
    np.testing.assert_allclose(np.minimum(p, q) + rejected * residual(p, q), p, atol=1e-12)


@pytest.mark.equation("eq-speculative-speedup")
@pytest.mark.equation("eq-operations-factor")
def test_gains_recompute_the_published_table() -> None:
    # Leviathan et al. 2023, table 1, with drafts that cost nothing.
    settings_ = [(0.6, 2), (0.7, 3), (0.8, 2), (0.8, 5), (0.9, 2), (0.9, 10)]
    operations = [1.53, 1.58, 1.23, 1.63, 1.11, 1.60]
    speed = [1.96, 2.53, 2.44, 3.69, 2.71, 6.86]
    for (alpha, gamma), slower, faster in zip(settings_, operations, speed, strict=True):
        assert operations_factor(alpha, gamma=gamma, cost=0) == pytest.approx(slower, abs=0.0051)
        assert speedup(alpha, gamma=gamma, cost=0) == pytest.approx(faster, abs=0.0051)


@pytest.mark.equation("eq-expected-tokens")
@given(st.floats(0, 0.999), st.integers(0, 20))
def test_expected_tokens_is_the_mean_over_where_the_first_rejection_falls(
    alpha: float, gamma: int
) -> None:
    places = [(t + 1, alpha**t * (1 - alpha)) for t in range(gamma)] + [(gamma + 1, alpha**gamma)]
    mean = sum(n * weight for n, weight in places)
    assert expected_tokens(alpha, gamma=gamma) == pytest.approx(mean)
    closed = (1 - alpha ** (gamma + 1)) / (1 - alpha)
    assert expected_tokens(alpha, gamma=gamma) == pytest.approx(closed)
    assert expected_tokens(1, gamma=gamma) == gamma + 1


@pytest.mark.equation("eq-best-gamma")
@given(st.floats(0, 0.97), st.floats(0.01, 2))
def test_best_gamma_is_the_best_of_all_and_0_only_if_drafting_cannot_pay(
    alpha: float, cost: float
) -> None:
    best = best_gamma(alpha, cost=cost)
    gains = [speedup(alpha, gamma=gamma, cost=cost) for gamma in range(200)]
    assert gains[best] == pytest.approx(max(gains), rel=1e-12)
    assert (best == 0) == (alpha <= cost)


@pytest.mark.equation("eq-speculative-speedup")
@pytest.mark.equation("eq-operations-factor")
def test_costs_of_the_draft_count() -> None:
    assert speedup(0.5, gamma=1, cost=0.5) == 1
    assert operations_factor(0.5, gamma=1, cost=0.25) == pytest.approx(1.5)
