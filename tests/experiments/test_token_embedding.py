"""The table of token vectors: its statistics on small tables, and as they were stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import linalg, stats
from scipy.sparse import linalg as sparse_linalg

from experiments import record, token_embedding
from primer_ref import llama


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("token_embedding")


@pytest.fixture
def small() -> Any:
    """A table of 40 rows with a mean, in float32."""
    return np.random.default_rng(0).normal([3, 1, 0, 0, 0, 0], size=(40, 6)).astype(np.float32)


# --- By hand -----------------------------------------------------------------------------------


def test_statistics_of_a_small_table_by_brute_force(small: Any) -> None:
    s = token_embedding.singular_values(small)
    np.testing.assert_allclose(s, linalg.svdvals(small), rtol=1e-5)
    pairs = token_embedding.random_pairs(40, 500, np.random.default_rng(1))
    assert np.all(pairs[0] != pairs[1])
    assert max(pairs[0].max(), pairs[1].max()) == 39
    found = token_embedding.table_statistics(small, s, pairs)
    norms = np.linalg.norm(small, axis=1)
    cosines = (small @ small.T) / np.outer(norms, norms)
    others = cosines[~np.eye(40, dtype=bool)]
    assert found["mean_cosine"] == pytest.approx(others.mean(), rel=1e-5)
    assert found["mean_square_cosine"] == pytest.approx((others**2).mean(), rel=1e-5)
    assert found["cosines"][0] == pytest.approx(cosines[pairs].min(), rel=1e-5)
    assert sum(found["histogram"]) == pytest.approx(1)
    shares = s**2 / np.sum(s**2)
    assert found["effective_rank"] == pytest.approx(math.exp(stats.entropy(shares)), rel=1e-6)
    assert found["top_1"] == pytest.approx(shares[0])


def test_equal_singular_values_have_full_effective_rank() -> None:
    table = np.vstack([np.eye(4), np.eye(4)])
    s = token_embedding.singular_values(table)
    found = token_embedding.table_statistics(table, s, (np.array([0]), np.array([1])))
    assert found["effective_rank"] == pytest.approx(4)
    assert found["mean_cosine"] == pytest.approx(4 / 28)  # four of 28 pairs are equal


def test_the_random_tables_keep_what_they_shall(small: Any) -> None:
    tables = token_embedding.tables_of(small, np.random.default_rng(0))
    np.testing.assert_allclose(tables["centered"].mean(axis=0), 0, atol=1e-6)
    np.testing.assert_array_equal(
        np.sort(tables["shuffled"], axis=0), np.sort(tables["centered"], axis=0)
    )
    assert not np.array_equal(tables["shuffled"], tables["centered"])
    assert {table.dtype for table in tables.values()} == {np.dtype(np.float32)}
    assert np.std(tables["gaussian"]) == pytest.approx(np.sqrt(np.mean(small**2)), rel=0.15)


def test_the_mean_of_rows_that_are_a_constant_and_its_opposites() -> None:
    """Two rows (3, 1) and two (3, -1): the mean is (3, 0), with 9/10 of the squares."""
    table = np.array([[3, 1], [3, -1]] * 2, dtype=np.float32)
    found = token_embedding.mean_statistics(table)
    assert found["mean_length"] == pytest.approx(3)
    assert found["mean_share"] == pytest.approx(0.9)
    assert found["first_direction"] == pytest.approx(1)
    assert found["with_mean"] == pytest.approx(3 / math.sqrt(10))


def test_nearest_rows_by_brute_force(small: Any) -> None:
    found = token_embedding.nearest(small, [3, 7], 4)
    norms = np.linalg.norm(small, axis=1)
    for token, row in zip([3, 7], found, strict=True):
        cosines = small @ small[token] / norms
        expected = [i for i in np.argsort(-cosines) if i != token][:4]
        assert row.tolist() == expected
    without = token_embedding.nearest(small, [3], 1, without=lambda _: found[0, :1])
    assert without[0, 0] == found[0, 1]


@pytest.mark.parametrize(
    ("text", "word"),
    [(" Paris", "paris"), ("def", "def"), ("  two", ""), ("in", ""), ("it's", ""), ("12345", "")],
)
def test_what_a_variant_is(text: str, word: str) -> None:
    assert token_embedding.core(text) == word


def test_variants_and_kinds_on_a_made_up_table() -> None:
    """Words of a kind share an axis; variants are nearer still, then comes the other word."""
    texts = [" red", " Red", " blue", " cat", " dog", "x"]
    rows = [[9, 1, 0], [9, 1.1, 0], [9, -2, 0], [0, 1, 9], [0, -1, 9], [1, -9, 9]]
    tables = dict.fromkeys(token_embedding.COMPARED, np.array(rows, dtype=float))
    cores = [token_embedding.core(text) for text in texts]
    variants = token_embedding.variant_scores(tables, cores, 10, np.random.default_rng(0))
    assert variants["n"] == 2
    assert variants["model"]["value"] == 1
    groups = {"colors": "red blue", "animals": "cat dog"}
    found = token_embedding.group_scores(tables, texts, groups)
    assert found["words"] == 4
    assert found["model"]["first"]["by_kind"] == {"colors": 1, "animals": 1}
    assert found["gain"]["first"] == {"value": 0, "low": 0, "high": 0}


# --- As stored ---------------------------------------------------------------------------------


@pytest.mark.model
def test_the_spectrum_comes_out_again(model: llama.Model, stored: dict[str, Any]) -> None:
    """The largest by Lanczos' method; all together from the sum of squares."""
    table: Any = model.weights.embedding
    s = np.sort(sparse_linalg.svds(table, k=4, random_state=0, return_singular_vectors=False))
    np.testing.assert_allclose(stored["singular_values"]["model"][:4], s[::-1], rtol=2e-3)
    squares = np.sum(np.square(table, dtype=np.float64))
    assert stored["tables"]["model"]["top_1"] == pytest.approx(s[-1] ** 2 / squares, rel=2e-3)
    assert stored["scale"] == pytest.approx(np.sqrt(squares / table.size), rel=2e-3)


@pytest.mark.model
def test_norms_and_cosines_come_out_again(model: llama.Model, stored: dict[str, Any]) -> None:
    table: Any = model.weights.embedding
    assert table.shape == (stored["n_tokens"], stored["width"]) == (49152, 576)
    norms = np.linalg.norm(table, axis=1)
    quantiles = np.quantile(norms, stored["quantiles"])
    np.testing.assert_allclose(stored["tables"]["model"]["norms"], quantiles, rtol=2e-3)
    assert stored["largest"]["tokens"][0] == model.tokenizer.decode([int(np.argmax(norms))])
    assert stored["norm_correlation"] == pytest.approx(
        stats.pearsonr(np.arange(len(norms)), norms).statistic, abs=2e-3
    )
    directions = table / norms[:, None]
    total: Any = np.sum(directions, axis=0, dtype=np.float64)
    n = len(table)
    mean = (total @ total - n) / (n * (n - 1))
    assert stored["tables"]["model"]["mean_cosine"] == pytest.approx(mean, abs=2e-3)
    sample = np.random.default_rng(9).integers(n, size=(2, 20_000))
    cosines = np.einsum("ij,ij->i", directions[sample[0]], directions[sample[1]])
    middle = stored["tables"]["model"]["cosines"][4]
    assert np.median(cosines) == pytest.approx(middle, abs=0.01)


@pytest.mark.model
def test_neighbors_come_out_again(model: llama.Model, stored: dict[str, Any]) -> None:
    table: Any = model.weights.embedding
    norms = np.linalg.norm(table, axis=1)
    for entry in stored["neighbors"][:3]:
        (token,) = model.tokenizer.encode(entry["token"])
        cosines = table @ table[token] / (norms * norms[token])
        best = np.argsort(-cosines)[1:6]
        assert [model.tokenizer.decode([int(i)]) for i in best] == entry["model"]["tokens"]
        np.testing.assert_allclose(entry["model"]["cosines"], cosines[best], rtol=2e-3)


def test_the_gaussian_table_is_what_theory_says(stored: dict[str, Any]) -> None:
    """Marchenko and Pastur's edges, and cosines with the variance 1/width."""
    found, n, width = stored["tables"]["gaussian"], stored["n_tokens"], stored["width"]
    for name, sign in (("largest", 1), ("smallest", -1)):
        edge = stored["scale"] * (math.sqrt(n) + sign * math.sqrt(width))
        assert found[name] == pytest.approx(edge, rel=3e-3)
    assert found["mean_square_cosine"] == pytest.approx(1 / width, rel=1e-3)
    assert abs(found["mean_cosine"]) < 1e-4
    for level in (0.05, 0.25, 0.75, 0.95):
        at = found["cosines"][stored["quantiles"].index(level)]
        assert at == pytest.approx(stats.norm.ppf(level) / math.sqrt(width), abs=1e-3)
    norm = found["norms"][stored["quantiles"].index(0.5)]
    assert norm == pytest.approx(stored["scale"] * stats.chi.median(width), rel=1e-3)


def test_what_is_stored_fits_together(stored: dict[str, Any]) -> None:
    assert stored["mean_share"] == pytest.approx(
        stored["mean_length"] ** 2 / (stored["width"] * stored["scale"] ** 2), rel=1e-4
    )
    for name, table in stored["tables"].items():
        s = stored["singular_values"][name]
        assert s == sorted(s, reverse=True)
        assert (s[0], s[-1]) == (table["largest"], table["smallest"])
        assert len(table["histogram"]) == token_embedding.BINS
        assert sum(table["histogram"]) == pytest.approx(1, abs=1e-3)
        # By Jensen, and because all squared cosines add up to at least n²/width.
        assert table["mean_square_cosine"] >= table["mean_cosine"] ** 2
        assert table["mean_square_cosine"] > 1 / stored["width"] - 1e-4
        assert 1 <= table["effective_rank"] <= stored["width"]
    for score in (stored["variants"], stored["groups"]):
        assert score.keys() >= set(token_embedding.COMPARED)
    assert stored["groups"]["words"] == sum(
        len(words.split()) for words in token_embedding.GROUPS.values()
    )


def test_what_the_stored_numbers_say(stored: dict[str, Any]) -> None:
    """Signs and sizes that the chapter speaks of; each could have come out otherwise."""
    tables = stored["tables"]
    assert tables["model"]["mean_cosine"] > 0.3
    assert abs(tables["centered"]["mean_cosine"]) < 0.01
    assert tables["model"]["effective_rank"] < tables["centered"]["effective_rank"] / 4
    assert tables["centered"]["mean_square_cosine"] > 3 / stored["width"]
    # Taking off the mean changes half the lists, and does not find more variants.
    assert stored["overlap"]["high"] < 0.7
    variants = stored["variants"]
    assert variants["gaussian"]["high"] < 0.01
    assert variants["model"]["low"] > 0.5
    assert variants["centered"]["low"] < variants["model"]["value"] < variants["centered"]["high"]
