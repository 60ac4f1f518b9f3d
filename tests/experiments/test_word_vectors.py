"""Word vectors from counts: the scores on made-up vectors, and the measurement as stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import linalg, stats

from experiments import record, word_vectors
from experiments.texts import NOVELS, austen
from primer_ref.cooccurrence import cooccurrence_counts, ppmi
from primer_ref.corpus import words


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("word_vectors")


@pytest.fixture(scope="module")
def text() -> tuple[list[str], list[Any]]:
    """The vocabulary and the blocks of the stored measurement."""
    novels = [words(austen(name)) for name in NOVELS]
    return word_vectors.read_blocks(novels, word_vectors.N_WORDS, word_vectors.BLOCK)


# --- By hand -----------------------------------------------------------------------------------


def test_blocks_hold_frequent_words_of_one_novel() -> None:
    novels = [["b", "a", "b", "x", "b"], ["a", "b", "y", "a", "c", "c", "c"]]
    vocabulary, blocks = word_vectors.read_blocks(novels, 3, 2)
    assert vocabulary == ["b", "a", "c"]
    assert [block.tolist() for block in blocks] == [[0, 1], [0, 0], [1, 0], [1, 2], [2, 2]]


def test_nearest_words_are_not_the_word_itself() -> None:
    vectors = np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]])
    assert word_vectors.nearest(vectors, 1)[:, 0].tolist() == [1, 0, 3, 2]
    assert word_vectors.nearest(vectors, 1, [0, 2, 3])[:, 0].tolist() == [2, 2, 1]  # among those


def test_agreement_with_oneself_is_whole_and_by_chance_small() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(2, 300, 5))
    assert word_vectors.agreement(one, one) == {"value": 1, "low": 1, "high": 1}
    found = word_vectors.agreement(one, other)
    assert found["low"] < 10 / 299 < found["high"]


def test_held_out_is_won_by_the_truth_and_tossed_by_noise() -> None:
    rng = np.random.default_rng(0)
    true, noise = rng.normal(size=(2, 400, 8))
    assert word_vectors.held_out(true, true)["value"] == 1
    found = word_vectors.held_out(noise, true)
    assert found["low"] < 0.5 < found["high"]


def test_analogies_on_a_grid() -> None:
    """Two features that add up exactly; without the convention the nearest is d as well."""
    vocabulary = ["man", "woman", "king", "queen", "tree"]
    vectors = np.array([[1, 0, 1], [-1, 0, 1], [1, 1, 1], [-1, 1, 1], [0, -3, 0.1]], dtype=float)
    pairs = [("man", "woman"), ("king", "queen"), ("man", "unknown")]
    found = word_vectors.analogy_statistics(vectors, vocabulary, pairs)
    assert (found["pairs"], found["questions"]) == (2, 2)
    assert found["convention"]["value"] == 1
    close = vectors + np.array([0, 9, 9])  # now a and b differ little, and c itself is nearest
    found = word_vectors.analogy_statistics(close, vocabulary, pairs[:2])
    assert found["everything"]["value"] + found["repeated"] <= 1


def test_capitals_and_homes_by_hand() -> None:
    shares = word_vectors.capital_shares(["Anna saw Bo. The bo saw the man"], ["anna", "bo", "the"])
    assert shares.tolist() == [1, 0.5, 0.5]
    novels = [["anna", "anna", "the", "eve", "eve"], ["bo", "eve", "bo"]]
    chosen = np.array([True, True, False, True])
    homes = word_vectors.homes_of(novels, ["anna", "bo", "the", "eve"], chosen)
    assert homes.tolist() == [0, 1, -1, -1]  # "the" is not chosen, and Eve is in both


def test_base_rates_count_pairs() -> None:
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 1]], dtype=float)
    homes = np.array([0, 0, 1, 1, -1])
    found = word_vectors.home_statistics(vectors, homes)
    assert found["count"] == 4
    assert found["nearest"]["value"] == 1
    assert found["base"] == pytest.approx(4 / 12)  # ordered pairs


def test_spectra_find_the_first_run() -> None:
    s, other = np.array([9.0, 5, 4, 3, 2, 1]), np.array([10.0, 4, 3, 2.9, 2.5, 0.5])
    found = word_vectors.spectra(s, other, [2, 6])
    assert found["spectrum"]["above"] == (2, 4)
    assert found["kept"]["text"] == pytest.approx([(81 + 25) / 136, 1])


# --- As stored ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(text: tuple[list[str], list[Any]]) -> Any:
    """Counts of neighbors in the whole text."""
    vocabulary, blocks = text
    return cooccurrence_counts(blocks, n_symbols=len(vocabulary), window=word_vectors.WINDOW)


def test_counts_of_a_pair_by_looking(text: tuple[list[str], list[Any]], table: Any) -> None:
    vocabulary, blocks = text
    mr, darcy = vocabulary.index("mr"), vocabulary.index("darcy")
    seen = 0
    for block in blocks:
        for place in np.flatnonzero(block == darcy):
            around = block[max(0, place - 4) : place + 5]
            seen += int(np.sum(around == mr))
    assert table[darcy, mr] == table[mr, darcy] == seen > 0


def test_spectrum_and_neighbors_come_out_again(
    stored: dict[str, Any], text: tuple[list[str], list[Any]], table: Any
) -> None:
    """The table is symmetric, so its eigenvectors give the same vectors up to sign."""
    vocabulary, blocks = text
    assert (sum(map(len, blocks)), len(blocks)) == (stored["words"], stored["blocks"])
    values, basis = linalg.eigh(ppmi(table))
    order = np.argsort(-np.abs(values))
    places = np.array(stored["spectrum"]["places"]) - 1
    np.testing.assert_allclose(
        np.abs(values[order])[places], stored["spectrum"]["text"], rtol=2e-3, atol=2e-3
    )
    kept = order[: stored["width"]]
    vectors = basis[:, kept] * np.sqrt(np.abs(values[kept]))
    directions = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    for entry in stored["neighbors"]:
        cosines = directions @ directions[vocabulary.index(entry["word"])]
        best = np.argsort(-cosines)[1:6]
        assert [vocabulary[i] for i in best] == entry["nearest"]
        np.testing.assert_allclose(cosines[best], entry["cosines"], rtol=2e-3)
    gram = directions @ directions.T
    mean = (gram.sum() - len(gram)) / (len(gram) * (len(gram) - 1))
    assert stored["mean_cosine"]["raw"] == pytest.approx(mean, abs=2e-3)


def test_a_small_measurement_is_whole() -> None:
    found = word_vectors.measure(
        names=["persuasion", "northangerabbey"], n_words=120, block=2000, width=20, widths=(5, 20)
    )
    assert [kind["name"] for kind in found["kinds"]] == [
        "counts", "mutual information", "svd 5", "svd 20",
    ]  # fmt: skip
    assert [entry["rank"] for entry in found["neighbors"]] == [10, 14, 20, 28, 40, 57, 80, 113]
    record.plain(found)


def test_what_is_stored_fits_together(stored: dict[str, Any]) -> None:
    for name in ("text", "shuffled"):
        s, kept = stored["spectrum"][name], stored["kept"][name]
        assert s == sorted(s, reverse=True)
        assert kept == sorted(kept)
        assert 0 < kept[0] < kept[-1] < 1
    for kind in stored["kinds"]:
        for score in (kind["agreement"], kind["held_out"]):
            assert 0 <= score["low"] <= score["value"] <= score["high"] <= 1
    found = stored["analogies"]
    assert found["questions"] == found["pairs"] * (found["pairs"] - 1)
    # A Wilson interval for a share, from SciPy.
    home = stored["home"]
    wins = round(home["nearest"]["value"] * home["count"])
    other = stats.binomtest(wins, home["count"]).proportion_ci(method="wilson")
    assert home["nearest"]["low"] == pytest.approx(other.low, rel=1e-4)
    assert home["nearest"]["high"] == pytest.approx(other.high, rel=1e-4)


def test_what_the_stored_numbers_say(stored: dict[str, Any]) -> None:
    """Signs and sizes that the chapter speaks of; each could have come out otherwise."""
    chance = 10 / (stored["n_words"] - 1)
    for kind in stored["kinds"]:
        assert kind["agreement"]["low"] > 5 * chance
        assert kind["held_out"]["low"] > 0.6
    assert stored["capitals"]["nearest"]["low"] > 5 * stored["capitals"]["base"]
    assert stored["home"]["nearest"]["low"] > 3 * stored["home"]["base"]
    analogies = stored["analogies"]
    assert analogies["everything"]["high"] < analogies["convention"]["low"]
    assert analogies["repeated"] > 0.9
    # Text in random order has nearly as much in its first hundred dimensions.
    kept = dict(zip(stored["kept"]["widths"], stored["kept"]["text"], strict=True))
    mixed = dict(zip(stored["kept"]["widths"], stored["kept"]["shuffled"], strict=True))
    assert 0 < kept[100] - mixed[100] < 0.05
    assert stored["spectrum"]["above"][0] == 2
