"""Word vectors from counts of neighbors in six novels by Austen, and how good they are.

The vocabulary is the ``n_words`` most frequent words; all others are taken out of the text first,
so that windows reach over them. Neighbors are counted up to ``window`` places to each side, within
blocks of ``block`` words of one novel. Vectors are made from the positive mutual information of a
word with its neighbors by truncated singular value decomposition, the singular values shared
evenly (power 1/2); rows of counts, and of the mutual information itself, stand beside them.
*Halves* are the blocks of even and of odd number: what one half says is checked on the other.
Near means a large cosine. Ranks count from 1, intervals are of 95 % and take words as
independent, which they are not quite. Result::

    n_words, window, block, width
    words, blocks       length of the text that is left, and number of its blocks
    kinds: list of      ways to make vectors, each judged on the halves
        name            "counts", "mutual information", or "svd" with a width
        agreement       mean share of a word's ten nearest in one half that are among its ten
                        nearest in the other: value, low, high; by chance 10/(n_words - 1)
        held_out        share of words whose nearest word in the even half has, in the odd half,
                        rows of mutual information with a larger cosine than a control: the word
                        whose frequency is next to that of the nearest; value, low, high; 1/2 by
                        chance. The scale is that of the kind "mutual information", which may favor
                        it
    From here on, vectors are those of the whole text with ``width`` dimensions.
    spectrum            places counted from 1, evenly spaced on a logarithmic axis; singular values
                        of the mutual information of the text (text), and of the text with its words
                        in random order (shuffled); above, the first and the last place of the
                        first run of places where text exceeds shuffled
    kept                widths, and the share of the squared singular values that they keep: text,
                        shuffled
    mean_cosine         of all pairs of vectors, raw and after their mean is taken off (centered)
    capitals            Words of three or more letters with a capital in nine of ten places are
                        *capitalized*: names, titles, days. count; nearest, mean share of
                        capitalized words among the ten nearest of a capitalized word, with
                        interval: value, low, high; base, their share in the vocabulary
    home                Capitalized words with nine of ten places in one novel: count; nearest, of
                        how many of these words the nearest other one is of the same novel (value,
                        low, high); base, share of pairs of them with the same novel
    analogies           for all ordered pairs of pairs (a, b), (c, d) in ``PAIRS``, what is to c as
                        b is to a: pairs, questions; share answered with d, averaged by (c, d), with
                        interval over these: convention, the words of the question left out;
                        everything, nothing left out; repeated, share of answers in ``everything``
                        that are a word of the question
    neighbors: list of  words at frequency ranks that grow by a constant factor: rank, word, and
                        the five nearest words with their cosines
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import NOVELS, austen
from primer_ref.cooccurrence import cooccurrence_counts, ppmi
from primer_ref.corpus import words
from primer_ref.embeddings import (
    analogy,
    cosine_similarity,
    mean_cosine,
    nearest_neighbors,
    truncated_svd,
)
from primer_ref.intervals import mean_interval, wilson_interval

NAME = "word_vectors"
SEED = 7
N_WORDS = 1500
WINDOW = 4
BLOCK = 5000
WIDTH = 100
WIDTHS = (10, 30, 100, 300)
PAIRS = (
    ("man", "woman"), ("brother", "sister"), ("brothers", "sisters"), ("father", "mother"),
    ("son", "daughter"), ("husband", "wife"), ("uncle", "aunt"), ("gentleman", "lady"),
    ("gentlemen", "ladies"), ("he", "she"), ("him", "her"), ("himself", "herself"),
)  # fmt: skip

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


def read_blocks(
    novels: Sequence[Sequence[str]], n_words: int, block: int
) -> tuple[list[str], list[Ints]]:
    """Give the most frequent words numbers, and cut what the novels have of them in blocks."""
    counts = Counter(word for novel in novels for word in novel)
    # Of equally frequent words the one first in the alphabet is taken first.
    vocabulary = sorted(counts, key=lambda word: (-counts[word], word))[:n_words]
    number = {word: i for i, word in enumerate(vocabulary)}
    kept = [np.array([number[word] for word in novel if word in number]) for novel in novels]
    return vocabulary, [
        novel[start : start + block] for novel in kept for start in range(0, len(novel), block)
    ]


def nearest(vectors: Floats, k: int, chosen: Sequence[int] | None = None) -> Ints:
    """List the k words nearest to each word, among some chosen ones or among all."""
    rows = vectors if chosen is None else vectors[list(chosen)]
    cosines = cosine_similarity(rows, rows)
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


def agreement(first: Floats, second: Floats, k: int = 10) -> dict[str, float]:
    """Compare the nearest words by two sets of vectors."""
    lists = zip(nearest(first, k).tolist(), nearest(second, k).tolist(), strict=True)
    return asdict(mean_interval([len(set(a) & set(b)) / k for a, b in lists]))


def held_out(vectors: Floats, other: Floats) -> dict[str, float]:
    """Ask the other half whether nearest words go together, against words as frequent."""
    cosines = cosine_similarity(other, other)
    wins = 0
    for word, best in enumerate(nearest(vectors, 1)[:, 0].tolist()):
        # Words are in the order of frequency; the control is next to the nearest word.
        others = (best + 1, best - 1, best - 2)
        control = next(i for i in others if 0 <= i < len(other) and i != word)
        wins += bool(cosines[word, best] > cosines[word, control])
    return asdict(wilson_interval(wins, len(vectors)))


def judge(even: Floats, odd: Floats, widths: Sequence[int]) -> list[dict[str, Any]]:
    """Judge every way to make vectors from the tables of counts of two halves."""
    information = [ppmi(even), ppmi(odd)]
    factors = [truncated_svd(table, max(widths)).words for table in information]
    kinds = [("counts", [even, odd]), ("mutual information", information)]
    kinds += [(f"svd {width}", [half[:, :width] for half in factors]) for width in widths]
    return [
        {
            "name": name,
            "agreement": agreement(halves[0], halves[1]),
            "held_out": held_out(halves[0], information[1]),
        }
        for name, halves in record.progress(kinds, f"{NAME}, kinds")
    ]


def capital_shares(texts: Sequence[str], vocabulary: Sequence[str]) -> Floats:
    """Say in which share of its places each word begins with a capital."""
    written = Counter(word for text in texts for word in re.findall(r"[^\W\d_]+", text))
    large, total = Counter[str](), Counter[str]()
    for word, count in written.items():
        total[word.lower()] += count
        large[word.lower()] += count * word[0].isupper()
    return np.array([large[word] / max(total[word], 1) for word in vocabulary])


def capital_statistics(vectors: Floats, capitalized: NDArray[np.bool_]) -> dict[str, Any]:
    """Say how often capitalized words are near to each other."""
    lists = nearest(vectors, 10)[capitalized]
    return {
        "count": np.sum(capitalized),
        "nearest": asdict(mean_interval(np.mean(capitalized[lists], axis=1))),
        "base": np.mean(capitalized),
    }


def home_statistics(vectors: Floats, homes: Ints) -> dict[str, Any]:
    """Say how often words of one novel, those whose home is not -1, are near to each other."""
    chosen = np.flatnonzero(homes >= 0)
    own = homes[chosen]
    best = nearest(vectors, 1, chosen.tolist())[:, 0]
    sizes = np.bincount(own)
    return {
        "count": len(chosen),
        "nearest": asdict(wilson_interval(int(np.sum(own == own[best])), len(chosen))),
        "base": np.sum(sizes * (sizes - 1)) / (len(chosen) * (len(chosen) - 1)),
    }


def homes_of(
    novels: Sequence[Sequence[str]], vocabulary: Sequence[str], chosen: NDArray[np.bool_]
) -> Ints:
    """Give the number of the novel that has nine tenths of a chosen word's places, else -1."""
    counts = [Counter(novel) for novel in novels]
    table = np.array([[count[word] for count in counts] for word in vocabulary])
    most = np.argmax(table, axis=1)
    alone = table.max(axis=1) >= 0.9 * table.sum(axis=1)
    return np.where(alone & chosen, most, -1)


def analogy_statistics(
    vectors: Floats, vocabulary: Sequence[str], pairs: Sequence[tuple[str, str]]
) -> dict[str, Any]:
    """Solve analogies with and without the convention that leaves out the question's words."""
    number = {word: i for i, word in enumerate(vocabulary)}
    known = [(number[a], number[b]) for a, b in pairs if a in number and b in number]
    cosines = cosine_similarity(vectors, vectors)
    right, free, repeated = [], [], []
    for c, d in known:
        asked = [pair for pair in known if pair != (c, d)]
        right.append([int(analogy(vectors, a, b, c, 1).words[0]) == d for a, b in asked])
        # The length of the target is the same for all words, so sums of cosines have its order.
        answers = [int(np.argmax(cosines[b] - cosines[a] + cosines[c])) for a, b in asked]
        free.append([answer == d for answer in answers])
        repeated += [answer in (*pair, c) for answer, pair in zip(answers, asked, strict=True)]
    return {
        "pairs": len(known),
        "questions": len(repeated),
        "convention": asdict(mean_interval(np.mean(right, axis=1))),
        "everything": asdict(mean_interval(np.mean(free, axis=1))),
        "repeated": np.mean(repeated),
    }


def spectra(text: Floats, shuffled: Floats, widths: Sequence[int]) -> dict[str, Any]:
    """Compare two rows of singular values."""
    places = np.unique(np.geomspace(1, len(text), 50).round().astype(np.int64))
    edges = np.flatnonzero(np.diff(np.r_[False, text > shuffled, False])).reshape(-1, 2)
    runs = [(start + 1, stop) for start, stop in edges.tolist()]
    values = {"text": text, "shuffled": shuffled}
    shares = {name: np.cumsum(s**2) / np.sum(s**2) for name, s in values.items()}
    return {
        "spectrum": {
            "places": places,
            **{name: s[places - 1] for name, s in values.items()},
            "above": runs[0] if runs else None,
        },
        "kept": {
            "widths": widths,
            **{name: [share[width - 1] for width in widths] for name, share in shares.items()},
        },
    }


def neighbor_lists(vectors: Floats, vocabulary: Sequence[str]) -> list[dict[str, Any]]:
    """List the nearest words of words at ranks that grow by the root of 2, from 10."""
    ranks = [round(10 * 2 ** (step / 2)) for step in range(40)]
    found = []
    for rank in (rank for rank in ranks if rank <= len(vocabulary)):
        five = nearest_neighbors(vectors, rank - 1, 5)
        found.append(
            {
                "rank": rank,
                "word": vocabulary[rank - 1],
                "nearest": [vocabulary[i] for i in five.words],
                "cosines": five.cosines,
            }
        )
    return found


def measure(
    *,
    names: Sequence[str] = NOVELS,
    n_words: int = N_WORDS,
    block: int = BLOCK,
    width: int = WIDTH,
    widths: Sequence[int] = WIDTHS,
) -> dict[str, Any]:
    """Count, factor and judge.

    Parameters
    ----------
    names : sequence of str
        The novels.
    n_words, block, width : int
        Size of the vocabulary, words in a block, and dimensions of the vectors.
    widths : sequence of int
        Dimensions to judge.

    Returns
    -------
    dict
        The fields described above.
    """
    rng = np.random.default_rng(SEED)
    texts = [austen(name) for name in names]
    novels = [words(text) for text in texts]
    vocabulary, blocks = read_blocks(novels, n_words, block)
    even, odd = (
        cooccurrence_counts(blocks[half::2], n_symbols=n_words, window=WINDOW) for half in (0, 1)
    )
    factors = truncated_svd(ppmi(even + odd), width)
    mixed = cooccurrence_counts(
        [rng.permutation(np.concatenate(blocks))], n_symbols=n_words, window=WINDOW
    )
    vectors = factors.words
    long = np.array([len(word) >= 3 for word in vocabulary])
    capitalized = long & (capital_shares(texts, vocabulary) >= 0.9)
    return {
        "n_words": n_words,
        "window": WINDOW,
        "block": block,
        "width": width,
        "words": sum(map(len, blocks)),
        "blocks": len(blocks),
        "kinds": judge(even.astype(float), odd.astype(float), widths),
        **spectra(
            factors.singular_values, truncated_svd(ppmi(mixed), width).singular_values, widths
        ),
        "mean_cosine": {
            "raw": mean_cosine(vectors),
            "centered": mean_cosine(vectors - vectors.mean(axis=0)),
        },
        "capitals": capital_statistics(vectors, capitalized),
        "home": home_statistics(vectors, homes_of(novels, vocabulary, capitalized)),
        "analogies": analogy_statistics(vectors, vocabulary, PAIRS),
        "neighbors": neighbor_lists(vectors, vocabulary),
    }


def main() -> None:
    """Measure and store."""
    record.save(NAME, measure(), command=f"python -m experiments.{NAME}", seed=SEED)


if __name__ == "__main__":
    main()
