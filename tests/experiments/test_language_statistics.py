"""The statistics of words and letters: on texts whose answer is known, and as they were stored."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from scipy import optimize, special

from experiments import language_statistics, record
from experiments.texts import NOVELS, austen
from primer_ref.corpus import words
from primer_ref.information import mutual_information
from primer_ref.ngram import letters27


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("language_statistics")


@pytest.fixture(scope="module")
def one_novel() -> dict[str, Any]:
    """The measurement made anew, on a single novel and without the long parts."""
    found: dict[str, Any] = record.plain(
        language_statistics.measure(
            names=["persuasion"], draws=2, distances=(1, 2, 5, 10), bands=[(40, 60)], shuffles=2
        )
    )
    return found


def test_the_statistics_of_one_novel_come_out_again(
    stored: dict[str, Any], one_novel: dict[str, Any]
) -> None:
    before = next(text for text in stored["texts"] if text["name"] == "persuasion")
    assert list(record.differences(before, one_novel["texts"][0])) == []


def test_the_bursts_come_out_again(stored: dict[str, Any], one_novel: dict[str, Any]) -> None:
    assert one_novel["bursts"]["novel"] == stored["bursts"]["novel"] == "emma"
    for field in ("count", "value", "low", "high", "largest", "smallest"):
        assert list(record.differences(stored["bursts"][field], one_novel["bursts"][field])) == []


def test_the_letters_at_distance_2_come_out_again(stored: dict[str, Any]) -> None:
    """By a table of pairs and the definition of mutual information, for the whole text."""
    letters = letters27(" ".join(austen(name) for name in NOVELS))
    assert letters.size == stored["letters"]["symbols"]
    joint = np.bincount(27 * letters[:-2] + letters[2:], minlength=27 * 27).reshape(27, 27)
    p = joint / joint.sum()
    independent = np.outer(p.sum(axis=1), p.sum(axis=0))
    information = np.sum(special.rel_entr(p, independent))
    place = stored["letters"]["distances"].index(2)
    assert stored["letters"]["plug_in"][place] == pytest.approx(information, rel=1e-5)


def test_zipf_exponents_by_another_minimizer(stored: dict[str, Any]) -> None:
    """Minimize the negative log-likelihood of counts with SciPy, for one novel."""
    counts = language_statistics.counts_by_rank(words(austen("northangerabbey")))
    log_rank = np.log(np.arange(1, len(counts) + 1))

    def loss(a: float) -> float:
        return float(a * counts @ log_rank + counts.sum() * special.logsumexp(-a * log_rank))

    best = optimize.minimize_scalar(loss, bounds=(0.5, 2), options={"xatol": 1e-8}).x
    text = next(text for text in stored["texts"] if text["name"] == "northangerabbey")
    assert text["zipf"]["exponent"] == pytest.approx(best, abs=1e-5)
    # The curvature at the minimum gives the error.
    h = 1e-3
    curvature = (loss(best + h) - 2 * loss(best) + loss(best - h)) / h**2
    assert text["zipf"]["standard_error"] == pytest.approx(curvature**-0.5, rel=1e-3)


def test_a_text_made_by_a_law_gives_the_law_back() -> None:
    exact = (1e6 * language_statistics.law(300, 1.2)).round().astype(int)
    text = [str(rank) for rank, count in enumerate(exact) for _ in range(count)]
    found = language_statistics.text_statistics("made", text)
    assert found["zipf"]["exponent"] == pytest.approx(1.2, abs=1e-3)
    assert found["least_squares"] == pytest.approx(1.2, abs=1e-3)
    assert found["excess"]["zipf"] == pytest.approx(0, abs=1e-6)
    assert found["predicted"]["zipf"] == pytest.approx(1 / 1.2, abs=1e-3)
    assert found["types"] == 300
    assert found["counts"][0] == exact[0]


def test_growth_at_the_ends_is_that_of_any_order() -> None:
    text = list("abracadabra" * 20)
    found = language_statistics.growth_curves(text, np.random.default_rng(0))
    assert found["text"][0] == found["shuffled"][0] == 1
    assert found["text"][-1] == found["shuffled"][-1] == 5
    assert found["text"][found["n"].tolist().index(4)] == 3  # abra


def test_a_chain_of_two_states_by_its_formula() -> None:
    """P(stay) = s on both sides: d steps keep the state with probability (1 + (2s - 1)**d) / 2."""
    pattern = np.array([0, 0, 0, 0, 1, 1, 1, 1] * 50)  # three of four steps stay
    information, rate = language_statistics.chain_information(pattern, [1, 2, 3])
    assert rate == pytest.approx(1 / 2)
    for d, found in zip([1, 2, 3], information, strict=True):
        stay = (1 + (1 / 2) ** d) / 2
        expected = math.log(2) - special.entr(stay) - special.entr(1 - stay)
        assert found == pytest.approx(expected, rel=1e-9)


def test_simulated_samples_have_no_error_where_all_ranks_are_drawn_often() -> None:
    p = language_statistics.law(20, 1.0)
    found = language_statistics.simulate(p, 1.0, 10**6, 5, np.random.default_rng(0))
    for field in ("known", "ranked", "least_squares"):
        assert found[field]["value"] == pytest.approx(1.0, abs=0.01)
        assert found[field]["low"] < found[field]["value"] < found[field]["high"]
    assert found["types"] == 20


def test_a_band_finds_the_period_of_a_pattern() -> None:
    """Two letters in turn: any distance tells all, log 2; random orders are said to tell 0.1."""
    found = language_statistics.band_information(np.arange(1000) % 2, 10, 28, [0.1, 0.1, 0.1])
    assert found["excess"] == pytest.approx(math.log(2) - 0.1, rel=1e-4)
    assert found["standard_error"] == pytest.approx(0, abs=1e-4)


def test_a_line_through_points_that_lie_on_one() -> None:
    found = language_statistics.line(np.array([1, 2, 4]), np.array([5.0, 3.0, -1.0]))
    assert found["slope"] == pytest.approx(-2)
    assert found["residual"] == pytest.approx(0, abs=1e-12)


def test_pieces_stay_inside_a_novel() -> None:
    novels = [["a", "b", "b", "c"] * 10, ["x", "x", "y"] * 5]
    pieces = language_statistics.pieces_of(novels, 12)
    assert [len(piece) for piece in pieces] == [12] * (3 + 1)
    assert [set(piece) for piece in pieces] == [{"a", "b", "c"}] * 3 + [{"x", "y"}]


def test_a_shuffle_tells_the_laws_of_novels_from_the_order_of_their_words() -> None:
    rng = np.random.default_rng(0)
    laws = [language_statistics.law(200, exponent) for exponent in (0.8, 1.2)]
    novels = [[str(word) for word in rng.choice(200, 6000, p=p)] for p in laws]
    found = language_statistics.piece_statistics(novels, 1000, 3, rng)
    assert found["shuffled_within"] == pytest.approx(found["deviation"], rel=0.1)
    assert found["shuffled"] < found["deviation"] / 4


def test_dependence_raises_the_bias_by_its_formula() -> None:
    """Of two chains of two states, independent of each other; tr(C_k) is l**k here."""
    rng, n, stays = np.random.default_rng(0), 400, 0.9
    chains = np.cumsum(rng.random((2, 4000, n)) > stays, axis=2) + rng.integers(0, 2, (2, 4000, 1))
    pairs = 2 * (chains[0] % 2) + chains[1] % 2
    joint = np.stack([np.mean(pairs == pair, axis=1) for pair in range(4)], axis=1)
    information = mutual_information(joint.reshape(-1, 2, 2))
    factor = (2 * stays - 1) ** 2
    added = factor / (1 - factor)
    assert np.mean(information) == pytest.approx((1 / 2 + added) / n, rel=0.1)
    chain = np.cumsum(rng.random(400_000) > stays) % 2
    found = language_statistics.dependence_bias(chain, 30)
    assert found == pytest.approx(added / chain.size, rel=0.05)


def test_a_random_order_has_the_burstiness_of_geometric_gaps_less_the_bias(
    stored: dict[str, Any],
) -> None:
    """From n gaps of a rare word the burstiness comes out too low by 1/n, to first order."""
    text = words(austen("emma"))
    counts = np.array([count for count in Counter(text).values() if count >= 50])
    ratio = np.sqrt(1 - counts / len(text))
    expected = (ratio - 1) / (ratio + 1) - 1 / (counts - 1)
    assert stored["bursts"]["shuffled"] == pytest.approx(np.mean(expected), abs=0.002)


def test_words_at_equal_gaps_come_out_as_such() -> None:
    text = ["a", "b", "c"] * 10
    assert language_statistics.bursts_of(text, ["c", "a"]) == pytest.approx([-1, -1])


def test_what_is_stored_fits_together(stored: dict[str, Any]) -> None:
    texts = stored["texts"]
    assert [text["name"] for text in texts] == [*NOVELS, "together"]
    *novels, together = texts
    assert sum(novel["words"] for novel in novels) == together["words"]
    assert max(novel["types"] for novel in novels) < together["types"]
    for text in texts:
        assert text["counts"] == sorted(text["counts"], reverse=True)
        assert text["counts"][-1] == 1
        assert text["ranks"][-1] == text["types"]
        # The law with one parameter more is nearer, and neither beats the frequencies.
        assert 0 < text["excess"]["mandelbrot"] < text["excess"]["zipf"]
        assert text["predicted"]["mandelbrot"] == pytest.approx(
            min(1, 1 / text["mandelbrot"]["exponent"]), rel=1e-4
        )
    growth = stored["growth"]
    assert growth["n"][-1] == together["words"]
    assert growth["text"][-1] == growth["shuffled"][-1] == together["types"]
    for law in ("zipf", "mandelbrot"):
        assert all(value <= together["types"] for value in growth[law])


def test_what_the_stored_numbers_say(stored: dict[str, Any]) -> None:
    """Signs and sizes that the chapter speaks of; each could have come out otherwise."""
    together = stored["texts"][-1]
    assert together["least_squares"] > together["zipf"]["exponent"] + 0.3
    zipf, mandelbrot = stored["simulated"]
    assert zipf["known"]["low"] < 1 < zipf["known"]["high"]
    assert zipf["least_squares"]["low"] > 1.05
    assert mandelbrot["list"] == together["types"]
    # The vocabulary grows more slowly than either law foretells.
    for text in stored["texts"]:
        assert text["last_decade"] < text["predicted"]["mandelbrot"] < text["predicted"]["zipf"]
    # The novels have different laws; the order of their words adds little to the deviation.
    pieces = stored["pieces"]
    assert pieces["deviation"] > 1.4 * pieces["standard_error"]
    assert pieces["shuffled_within"] > 0.9 * pieces["deviation"]
    assert pieces["shuffled"] < pieces["standard_error"]
    letters = stored["letters"]
    assert letters["dependence_bias"] < letters["bands"][1]["excess"] / 50
    assert np.mean(letters["shuffled"]) == pytest.approx(letters["expected_bias"], rel=0.1)
    assert letters["chain"][0] == pytest.approx(letters["plug_in"][0], rel=1e-4)
    assert letters["chain"][9] < 1e-6 < letters["plug_in"][9] - np.mean(letters["shuffled"])
    # Far letters still tell a little; at thousands of letters nothing is left to be seen.
    near, *_, far = letters["bands"]
    assert near["excess"] > 4 * near["standard_error"]
    assert abs(far["excess"]) < 4 * far["standard_error"]
    assert letters["decay"]["exponential"]["residual"] < letters["decay"]["power"]["residual"]
    pairs = stored["word_pairs"]
    assert min(pairs["shuffled_corrected"]) > 0.5 * pairs["corrected"][0]
