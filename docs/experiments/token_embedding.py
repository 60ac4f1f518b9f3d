"""The real model's table of token vectors, against random tables of the same size.

The table E has one row a token, in float32, as read from the file of weights. Four tables are
measured: ``model``, E; ``centered``, E less the mean of its rows; ``shuffled``, E with every column
in a random order of its own, then centered, which keeps each column's values and breaks what binds
columns together; ``gaussian``, independent normal entries with the root mean square of E, not
centered. Cosines of a pair of rows are from -1 to 1. Result::

    n_tokens, width     rows and columns
    scale               root mean square of the entries of E
    mean_length         norm of the mean row of E
    mean_share          share of the mean row, taken once a token, in the squared entries of E
    first_direction     |cosine| of the mean row with E's first right singular vector
    with_mean           mean cosine of the rows of E with their mean
    tables: for each table
        largest, smallest   singular values
        top_1, top_10       share of the first squared singular values in all
        effective_rank      exp of the entropy of these shares, at most the width
        norms               quantiles of the rows' norms, at ``quantiles``
        mean_cosine         of all pairs of different rows, exactly
        mean_square_cosine  the same of squared cosines; 1/width for directions at random
        cosines             quantiles of the cosines of ``n_pairs`` random pairs
        histogram           share of these pairs in equal bins from -1 to 1
    above_shuffled      how many singular values of ``centered`` exceed the largest of ``shuffled``
    places, singular_values     the spectra at places counted from 1, spaced evenly on a
                        logarithmic axis, one list a table
    norm_by_number: list of     tokens by number, which is about the order of their merges: from,
                        to (not included), and the mean norm with interval: value, low, high
    norm_correlation    correlation of a token's norm with its number
    smallest, largest   tokens with the smallest and the largest norms: tokens, norms
    variants            Tokens that are the same word but for a space before it and for capitals
                        are variants; words have three or more letters. Of ``n`` random tokens with
                        a variant, the share whose nearest row is one: for ``model``, ``centered``,
                        ``gaussian``, value, low, high
    groups              ``words`` words of six kinds, listed in ``GROUPS``; for ``model``,
                        ``centered`` and ``gaussian``, variants of the word left out: ``first``, the
                        share for which the nearest row is a variant of another word of the kind,
                        ``five``, for which one of the five nearest is: value, low, high, by_kind;
                        ``gain``, what ``centered`` has more than ``model``, from the same words:
                        value, low, high, for ``first`` and ``five``
    overlap             for ``n`` random tokens, mean share of the ten nearest rows in ``model``
                        that are among the ten nearest in ``centered``, with interval: value, low,
                        high
    neighbors: list of  for each token of a stated list: token; and for ``model``, ``centered`` and
                        ``gaussian`` the five nearest: tokens, cosines

A token is written as the text it stands for, � where that is no whole character.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from primer_ref import llama
from primer_ref.embeddings import cosine_similarity, mean_cosine, nearest_neighbors
from primer_ref.information import entropy
from primer_ref.intervals import mean_interval, wilson_interval

NAME = "token_embedding"
SEED = 6
QUANTILES = (0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1)
BANDS = (0, 300, 1000, 3000, 10_000, 20_000, 30_000, 40_000, 49_152)
BINS = 100
COMPARED = ("model", "centered", "gaussian")
GROUPS = {
    "days": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "months": "January February March April May June July August September October November "
    "December",
    "numbers": "one two three four five six seven eight nine ten",
    "colors": "red blue green yellow black white brown orange purple pink",
    "countries": "France Germany Italy Spain Russia China Japan India Canada Brazil",
    "animals": "dog cat horse cow sheep lion tiger bear mouse bird",
}
ASKED = (
    " king", " Paris", " three", " Monday", " blue", " run", " because", " water", "ing", " def",
    " (", "7",
)  # fmt: skip

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


def tables_of(table: Floats, rng: np.random.Generator) -> dict[str, Floats]:
    """Make the four tables."""
    centered = table - np.mean(table, axis=0, dtype=np.float64).astype(table.dtype)
    shuffled = np.stack([rng.permutation(column) for column in centered.T], axis=1)
    scale = math.sqrt(np.mean(np.square(table, dtype=np.float64)))
    gaussian = scale * rng.standard_normal(table.shape, dtype=np.float32)
    return {"model": table, "centered": centered, "shuffled": shuffled, "gaussian": gaussian}


def gram(table: Floats) -> Floats:
    """Sum the outer products of the rows with themselves, in double precision."""
    chunks = np.array_split(table, max(1, len(table) // 4096))
    return np.asarray(sum(chunk.T @ chunk for chunk in (part.astype(float) for part in chunks)))


def singular_values(table: Floats) -> Floats:
    """Find all singular values of a tall table, the largest first."""
    squares = np.linalg.eigvalsh(gram(table))[::-1]
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def directions_of(table: Floats) -> Floats:
    """Give the rows length 1."""
    return np.asarray(table / np.linalg.norm(table, axis=1, keepdims=True))


def random_pairs(n_rows: int, n_pairs: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw pairs of different rows."""
    first = rng.integers(n_rows, size=n_pairs)
    return first, (first + rng.integers(1, n_rows, size=n_pairs)) % n_rows


def table_statistics(table: Floats, s: Floats, pairs: tuple[Ints, Ints]) -> dict[str, Any]:
    """Measure one table with its singular values."""
    directions = directions_of(table)
    n = len(table)
    shares = s**2 / np.sum(s**2)
    cosines = np.einsum("ij,ij->i", directions[pairs[0]], directions[pairs[1]])
    # The squared cosines of all pairs, each row with itself too, add up to the squared Gram matrix.
    squares = float(np.sum(gram(directions) ** 2))
    return {
        "largest": s[0],
        "smallest": s[-1],
        "top_1": shares[0],
        "top_10": np.sum(shares[:10]),
        "effective_rank": math.exp(float(entropy(shares))),
        "norms": np.quantile(np.linalg.norm(table, axis=1), QUANTILES),
        "mean_cosine": mean_cosine(table),
        "mean_square_cosine": (squares - n) / (n * (n - 1)),
        "cosines": np.quantile(cosines, QUANTILES),
        "histogram": np.histogram(cosines, BINS, range=(-1, 1))[0] / len(cosines),
    }


def core(text: str) -> str:
    """Reduce a token to its word, or to nothing if it is not a word of three letters."""
    word = text.removeprefix(" ")
    return word.lower() if re.fullmatch("[A-Za-z]{3,}", word) else ""


def nearest(
    table: Floats, chosen: Sequence[int], k: int, *, without: Callable[[int], Ints] | None = None
) -> Ints:
    """List the k rows of largest cosine with each chosen one, which is left out itself."""
    found = []
    for part in np.array_split(np.asarray(chosen), max(1, len(chosen) // 200)):
        cosines = cosine_similarity(table[part], table)
        for token, row in zip(part.tolist(), cosines, strict=True):
            row[token] = -np.inf
            if without is not None:
                row[without(token)] = -np.inf
            best = np.argpartition(row, -k)[-k:]
            found.append(best[np.argsort(-row[best], kind="stable")])
    return np.array(found)


def variant_scores(
    tables: dict[str, Floats], cores: Sequence[str], n: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Say how often the nearest row is the same word written otherwise."""
    sizes = Counter(cores)
    able = [i for i, word in enumerate(cores) if word and sizes[word] > 1]
    chosen = rng.choice(able, min(n, len(able)), replace=False).tolist()
    scores: dict[str, Any] = {"n": len(chosen)}
    for name in COMPARED:
        best = nearest(tables[name], chosen, 1)[:, 0]
        hits = sum(cores[a] == cores[b] for a, b in zip(chosen, best, strict=True))
        scores[name] = asdict(wilson_interval(hits, len(chosen)))
    return scores


def group_scores(
    tables: dict[str, Floats], texts: Sequence[str], groups: dict[str, str]
) -> dict[str, Any]:
    """Say how often the nearest other word is of the same kind."""
    cores = np.array([core(text) for text in texts])
    words = [(kind, word) for kind, row in groups.items() for word in row.split()]
    chosen = [texts.index(f" {word}") for _, word in words]

    def variants(token: int) -> Ints:
        return np.flatnonzero(cores == cores[token])

    kinds = np.array([kind for kind, _ in words])
    members = {kind: row.lower().split() for kind, row in groups.items()}
    found = {}
    for name in COMPARED:
        five = cores[nearest(tables[name], chosen, 5, without=variants)]
        hits = np.array(
            [[word in members[kind] for word in row] for kind, row in zip(kinds, five, strict=True)]
        )
        found[name] = {"first": hits[:, 0], "five": np.any(hits, axis=1)}
    scores = {
        name: {field: share_by_kind(row, kinds) for field, row in rows.items()}
        for name, rows in found.items()
    }
    gain = {
        field: asdict(mean_interval(found["centered"][field] - found["model"][field].astype(int)))
        for field in ("first", "five")
    }
    return {"words": len(words), **scores, "gain": gain}


def share_by_kind(hits: NDArray[np.bool_], kinds: NDArray[np.str_]) -> dict[str, Any]:
    """Give the share of hits with its interval, and that of each kind."""
    by_kind = {kind: np.mean(hits[kinds == kind]) for kind in dict.fromkeys(kinds.tolist())}
    return asdict(wilson_interval(int(hits.sum()), len(hits))) | {"by_kind": by_kind}


def overlap(
    tables: dict[str, Floats], n: int, rng: np.random.Generator, k: int = 10
) -> dict[str, Any]:
    """Say how much of the nearest rows stays when the mean is taken off."""
    chosen = rng.choice(len(tables["model"]), n, replace=False).tolist()
    lists = [nearest(tables[name], chosen, k) for name in ("model", "centered")]
    shares = [len(set(a) & set(b)) / k for a, b in zip(*map(np.ndarray.tolist, lists), strict=True)]
    return {"n": n, **asdict(mean_interval(shares))}


def neighbor_lists(tables: dict[str, Floats], texts: Sequence[str]) -> list[dict[str, Any]]:
    """List the five nearest rows of the tokens that are asked for."""
    found: list[dict[str, Any]] = []
    directions = {name: directions_of(tables[name]) for name in COMPARED}
    for asked in record.progress(ASKED, f"{NAME}, neighbors"):
        entry: dict[str, Any] = {"token": asked}
        for name in COMPARED:
            five = nearest_neighbors(directions[name], texts.index(asked), 5)
            entry[name] = {"tokens": [texts[i] for i in five.words], "cosines": five.cosines}
        found.append(entry)
    return found


def norm_statistics(norms: Floats, texts: Sequence[str], bands: Sequence[int]) -> dict[str, Any]:
    """Relate the norms to the tokens' numbers, and list the extremes."""
    order = np.argsort(norms, kind="stable")

    def listed(places: Ints) -> dict[str, Any]:
        return {"tokens": [texts[i] for i in places], "norms": norms[places]}

    return {
        "norm_by_number": [
            {"from": low, "to": high, **asdict(mean_interval(norms[low:high]))}
            for low, high in pairwise(bands)
        ],
        "norm_correlation": np.corrcoef(np.arange(len(norms)), norms)[0, 1],
        "smallest": listed(order[:12]),
        "largest": listed(order[-12:][::-1]),
    }


def mean_statistics(table: Floats) -> dict[str, Any]:
    """Measure the mean row."""
    mean: Floats = np.mean(table, axis=0, dtype=np.float64)
    squares = np.mean(np.square(table, dtype=np.float64))
    first: Floats = np.linalg.eigh(gram(table))[1][:, -1]
    return {
        "scale": math.sqrt(squares),
        "mean_length": np.linalg.norm(mean),
        "mean_share": np.mean(mean**2) / squares,
        "first_direction": abs(float(cosine_similarity(mean[None], first[None])[0, 0])),
        "with_mean": np.mean(cosine_similarity(table, mean[None].astype(table.dtype))),
    }


def measure(model: llama.Model, *, n_pairs: int = 200_000, n: int = 1000) -> dict[str, Any]:
    """Measure everything.

    Parameters
    ----------
    model : Model
        The model.
    n_pairs : int
        Number of random pairs of rows.
    n : int
        Number of random tokens whose neighbors are looked up.

    Returns
    -------
    dict
        The fields described above.
    """
    table: Floats = model.weights.embedding
    texts = [model.tokenizer.decode([number]) for number in range(len(table))]
    making, pairing, asking = np.random.default_rng(SEED).spawn(3)
    tables = tables_of(table, making)
    pairs = random_pairs(len(table), n_pairs, pairing)
    spectra = {name: singular_values(each) for name, each in tables.items()}
    places = np.unique(np.geomspace(1, table.shape[1], 60).round().astype(np.int64))
    return {
        "n_tokens": len(table),
        "width": table.shape[1],
        **mean_statistics(table),
        "quantiles": QUANTILES,
        "n_pairs": n_pairs,
        "tables": {
            name: table_statistics(tables[name], spectra[name], pairs)
            for name in record.progress(list(tables), f"{NAME}, tables")
        },
        "above_shuffled": np.sum(spectra["centered"] > spectra["shuffled"][0]),
        "places": places,
        "singular_values": {name: s[places - 1] for name, s in spectra.items()},
        **norm_statistics(np.asarray(np.linalg.norm(table, axis=1)), texts, BANDS),
        "variants": variant_scores(tables, [core(text) for text in texts], n, asking),
        "groups": group_scores(tables, texts, GROUPS),
        "overlap": overlap(tables, n, asking),
        "neighbors": neighbor_lists(tables, texts),
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(llama.load()),
        command=f"python -m experiments.{NAME}",
        seed=SEED,
        model=llama.find_model(),
    )


if __name__ == "__main__":
    main()
