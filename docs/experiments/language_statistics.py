"""Laws of words and letters in six novels by Austen: how they fit, and how they do not.

Words are those of ``primer_ref.corpus.words``; ranks count from 1. ``together`` is the six novels
one after the other, in the order in which they are named. Logarithms are natural, information is
in nats. Result::

    texts: list of
        name            of a novel, or "together"
        words           length n of the text
        types           number V of different words
        once            how many of these occur once
        zipf            exponent of Zipf's law on V ranks by maximum likelihood; standard_error,
                        low, high: its error, and the interval of 95 % for independent words
        least_squares   exponent of the line through log count against log rank
        mandelbrot      exponent and shift of (r + q)**-a by maximum likelihood, and their errors
        excess          nats a word that each law costs beyond the relative frequencies: their
                        Kullback-Leibler divergence from it; zipf, mandelbrot
        by_ranks        exponent by maximum likelihood from the first so many ranks alone, with its
                        standard error: most, exponent, standard_error
        ranks, counts   the curve, at ranks spaced evenly on a logarithmic axis
        heaps           slope of log V(n) against log n, by least squares
        last_decade     the same slope between n/10 and n
        predicted       exponent of an endless text of independent words from the exponent of
                        Zipf's law and of Mandelbrot's: zipf, mandelbrot
    pieces              stretches of ``words`` words, none reaching into another novel: how many
                        (``count``), mean of Zipf's exponents and of the least-squares exponents
                        (mean, least_squares), deviation of Zipf's exponents from piece to piece,
                        mean standard_error that the fits claim; mean deviation with the words of
                        each novel in random order (shuffled_within), and those of all (shuffled)
    simulated: list of samples of as many words as ``together`` has, drawn independently
        law             "zipf" with exponent 1 on a longer list, or "mandelbrot" as fitted to
                        ``together``, on its V ranks
        list            number of words that may be drawn
        exponent        of the law
        draws           number of samples
        types           mean number of different words
        known           mean and interval (value, low, high) of the maximum-likelihood exponent of
                        Zipf's law where the law's own ranks are known; of a sample from
                        Mandelbrot's law it is that of the nearest law of Zipf
        ranked          the same with ranks by counts and without the words not drawn, as in a text
        least_squares   the same of the least-squares exponent, with ranks by counts
    growth              of the vocabulary of ``together``, and what three models make of it
        n               numbers of words
        text            different words among the first n
        shuffled        the same, mean over five random orders
        zipf, mandelbrot    expected for n independent words from the fitted laws on V ranks
    letters             mutual information of letters at a distance, ``together`` folded to 27
        symbols         length of the sequence
        distances, plug_in, corrected   estimates from relative frequencies, and after Miller and
                        Madow
        chain           what a chain of order 1 with the text's pairs has at that distance; below
                        1e-12 it is rounding
        chain_rate      second-largest modulus of an eigenvalue of the chain: its information falls
                        like the 2d-th power of this
        shuffled        plug-in estimates at distance 1, each of another random order
        expected_bias   (27 - 1)**2 / (2 * symbols)
        dependence_bias what is to be added to that at large distances, as letters depend on those
                        before them, which random orders do not show
        decay           over the distances up to ``longest``, log(plug_in less mean of shuffled)
                        against d and against log d: slope and root of the mean squared residual of
                        each line; exponential, power
        bands           averages over ten distances from first to last, so that what is small
                        shows: their plug-in estimates' mean and interval (value, low, high), and
                        the excess over the mean of ``shuffled`` with its standard_error
    word_pairs          the same estimates for whole words, where most pairs that could occur never
                        do: distances, plug_in, corrected; for random orders at distance 1
                        shuffled_plug_in, shuffled_corrected
    bursts              of the words of one ``novel`` that occur at least ``least`` times: how many
                        (``count``), mean burstiness with interval (value, low, high), mean over
                        random orders (shuffled), correlation of burstiness with the share of
                        occurrences written with a capital (capital_correlation); the words with
                        the largest and the smallest burstiness: words, burstiness
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import NOVELS, austen
from primer_ref.corpus import (
    burstiness,
    expected_vocabulary,
    heaps_exponent,
    heaps_least_squares,
    mutual_information_by_distance,
    vocabulary_growth,
    words,
)
from primer_ref.information import kl_divergence, mutual_information
from primer_ref.intervals import mean_interval, normal_interval, standard_error
from primer_ref.ngram import letters27
from primer_ref.zipf import zipf_exponent, zipf_least_squares, zipf_mandelbrot

NAME = "language_statistics"
SEED = 2
TOGETHER = "together"
PIECE = 25_000
LIST = 50_000
FIRST_RANKS = (10, 100, 1000, 10_000)
DISTANCES = (*range(1, 11), 12, 15, 20, 25, 30)
BANDS = ((40, 60), (80, 120), (160, 240), (400, 600), (800, 1200), (4000, 6000))
BAND_POINTS = 10
WORD_DISTANCES = (1, 2, 5, 10, 100, 1000)
DEPENDENCE = 200  # farther letters add nothing to the bias that could be seen
LONGEST = 15  # up to there the decay is fitted
BURSTS_IN = "emma"
BURSTS_LEAST = 50

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


def counts_by_rank(text: Sequence[str]) -> Ints:
    """Count words, the most frequent first."""
    return np.array(sorted(Counter(text).values(), reverse=True))


def law(n_ranks: int, exponent: float, shift: float = 0.0) -> Floats:
    """Give the probabilities of the law of Zipf and Mandelbrot on some ranks."""
    weights = (np.arange(1, n_ranks + 1) + shift) ** -exponent
    return np.asarray(weights / np.sum(weights))


def log_spaced(largest: int, points: int) -> Ints:
    """List whole numbers from 1 to the largest, evenly spaced on a logarithmic axis."""
    return np.unique(np.geomspace(1, largest, points).round().astype(np.int64))


def text_statistics(name: str, text: Sequence[str]) -> dict[str, Any]:
    """Fit everything to one text."""
    counts, growth = counts_by_rank(text), vocabulary_growth(text)
    n, n_types = len(text), len(counts)
    fit, shifted = zipf_exponent(counts), zipf_mandelbrot(counts)
    around = normal_interval(fit.exponent, fit.standard_error)
    p = counts / n
    ranks = log_spaced(n_types, 40)
    tops = [most for most in FIRST_RANKS if most < n_types]
    return {
        "name": name,
        "words": n,
        "types": n_types,
        "once": np.sum(counts == 1),
        "zipf": asdict(fit) | {"low": around.low, "high": around.high},
        "least_squares": zipf_least_squares(counts),
        "mandelbrot": asdict(shifted),
        "excess": {
            "zipf": kl_divergence(p, law(n_types, fit.exponent)),
            "mandelbrot": kl_divergence(p, law(n_types, shifted.exponent, shifted.shift)),
        },
        "by_ranks": [{"most": most, **asdict(zipf_exponent(counts[:most]))} for most in tops],
        "ranks": ranks,
        "counts": counts[ranks - 1],
        "heaps": heaps_least_squares(growth),
        "last_decade": math.log10(growth[-1] / growth[round(n / 10) - 1]),
        "predicted": {
            "zipf": heaps_exponent(fit.exponent),
            "mandelbrot": heaps_exponent(shifted.exponent),
        },
    }


def pieces_of(novels: Sequence[Sequence[Any]], size: int) -> list[Sequence[Any]]:
    """Cut novels into stretches of some words each, and leave out what remains of a novel."""
    return [
        novel[start : start + size]
        for novel in novels
        for start in range(0, len(novel) - size + 1, size)
    ]


def exponent_deviation(novels: Sequence[Sequence[Any]], size: int) -> float:
    """Say how far Zipf's exponents deviate from stretch to stretch."""
    rows = [counts_by_rank(piece) for piece in pieces_of(novels, size)]
    return float(np.std([zipf_exponent(row).exponent for row in rows], ddof=1))


def piece_statistics(
    novels: Sequence[Sequence[str]], size: int, orders: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Compare the spread of exponents from piece to piece with what one fit claims."""
    counts = [counts_by_rank(piece) for piece in pieces_of(novels, size)]
    fits = [zipf_exponent(row) for row in counts]
    lengths = [len(novel) for novel in novels]
    symbols = np.unique(np.concatenate(novels), return_inverse=True)[1]
    within, across = [], []
    for _ in range(orders):
        parts = np.split(symbols, np.cumsum(lengths)[:-1])
        within.append(exponent_deviation([rng.permutation(part).tolist() for part in parts], size))
        parts = np.split(rng.permutation(symbols), np.cumsum(lengths)[:-1])
        across.append(exponent_deviation([part.tolist() for part in parts], size))
    return {
        "words": size,
        "count": len(counts),
        "mean": np.mean([fit.exponent for fit in fits]),
        "least_squares": np.mean([zipf_least_squares(row) for row in counts]),
        "deviation": np.std([fit.exponent for fit in fits], ddof=1),
        "standard_error": np.mean([fit.standard_error for fit in fits]),
        "shuffled_within": np.mean(within),
        "shuffled": np.mean(across),
    }


def simulate(
    p: Floats, exponent: float, n: int, draws: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Fit samples of independent words from a known law."""
    known, ranked, lines, types = [], [], [], []
    for _ in range(draws):
        drawn = rng.multinomial(n, p)
        seen = np.sort(drawn[drawn > 0])[::-1]
        known.append(zipf_exponent(drawn).exponent)
        ranked.append(zipf_exponent(seen).exponent)
        lines.append(zipf_least_squares(seen))
        types.append(len(seen))
    return {
        "list": len(p),
        "exponent": exponent,
        "draws": draws,
        "types": np.mean(types),
        "known": asdict(mean_interval(known)),
        "ranked": asdict(mean_interval(ranked)),
        "least_squares": asdict(mean_interval(lines)),
    }


def growth_curves(text: Sequence[str], rng: np.random.Generator) -> dict[str, Any]:
    """Compare the growth of a vocabulary with that in random order and under the fitted laws."""
    n = log_spaced(len(text), 40)
    symbols = np.unique(np.array(text), return_inverse=True)[1]
    orders = [vocabulary_growth(rng.permutation(symbols))[n - 1] for _ in range(5)]
    counts = counts_by_rank(text)
    fit, shifted = zipf_exponent(counts), zipf_mandelbrot(counts)
    return {
        "n": n,
        "text": vocabulary_growth(symbols)[n - 1],
        "shuffled": np.mean(orders, axis=0),
        "zipf": expected_vocabulary(law(len(counts), fit.exponent), n),
        "mandelbrot": expected_vocabulary(law(len(counts), shifted.exponent, shifted.shift), n),
    }


def chain_of(symbols: Ints) -> tuple[Floats, Floats]:
    """Fit a chain of order 1: its stationary law, and the matrix of its transitions."""
    kinds, numbers = np.unique(symbols, return_inverse=True)
    # The last symbol is followed by the first, so that the frequencies are stationary exactly.
    pairs = numbers * len(kinds) + np.roll(numbers, -1)
    table = np.bincount(pairs, minlength=len(kinds) ** 2).reshape(len(kinds), len(kinds))
    totals = table.sum(axis=1)
    return totals / totals.sum(), table / totals[:, None]


def chain_information(symbols: Ints, distances: Sequence[int]) -> tuple[list[float], float]:
    """Give the mutual information of a fitted chain by distance, and its second eigenvalue."""
    start, steps = chain_of(symbols)
    tables = [start[:, None] * np.linalg.matrix_power(steps, d) for d in distances]
    # Rounding leaves about 1e-16 where nothing is left, of either sign.
    found = [max(0.0, float(mutual_information(table / table.sum()))) for table in tables]
    return found, float(np.sort(np.abs(np.linalg.eigvals(steps)))[-2])


def dependence_bias(symbols: Ints, longest: int) -> float:
    """Bias of the information of far pairs that dependence of near ones adds, to first order.

    The estimate is about half the sum of m[a, b]**2 / (p_a p_b), where m[a, b] is the mean over n
    places t of (1[X_t = a] - p_a) (1[X_{t+d} = b] - p_b). If far symbols are independent, the sum
    has the mean of tr(C_k)**2 / n, added over all shifts k, with C_k[a, b] = P(X_{t+k} = b | X_t =
    a) - p_b. The shift 0 gives (V - 1)**2 / (2 n); what the others give is here, k and -k alike.
    """
    p = np.bincount(symbols) / symbols.size
    traces = []
    for k in range(1, longest + 1):
        again = symbols[k:][symbols[k:] == symbols[:-k]]
        same = np.bincount(again, minlength=p.size) / (symbols.size - k)
        traces.append(np.sum(same[p > 0] / p[p > 0]) - 1)
    return float(np.sum(np.square(traces)) / symbols.size)


def letter_information(
    letters: Ints,
    distances: Sequence[int],
    bands: Sequence[tuple[int, int]],
    shuffles: int,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Measure how much a letter tells about a later one, against random orders and a chain."""
    steps = record.progress(distances, f"{NAME}, letters")
    found = [mutual_information_by_distance(letters, [d]) for d in steps]
    plug_in = np.array([one.plug_in[0] for one in found])
    shuffled = [
        mutual_information_by_distance(rng.permutation(letters), [1]).plug_in[0]
        for _ in record.progress(range(shuffles), f"{NAME}, shuffled")
    ]
    chain, rate = chain_information(letters, distances)
    d = np.array(distances)
    near = d <= LONGEST
    excess = np.log(plug_in[near] - np.mean(shuffled))
    return {
        "symbols": letters.size,
        "distances": d,
        "plug_in": plug_in,
        "corrected": [one.corrected[0] for one in found],
        "chain": chain,
        "chain_rate": rate,
        "shuffled": shuffled,
        "expected_bias": (len(np.unique(letters)) - 1) ** 2 / (2 * letters.size),
        "dependence_bias": dependence_bias(letters, DEPENDENCE),
        "decay": {
            "longest": LONGEST,
            "exponential": line(d[near], excess),
            "power": line(np.log(d[near]), excess),
        },
        "bands": [
            band_information(letters, first, last, shuffled)
            for first, last in record.progress(bands, f"{NAME}, bands")
        ],
    }


def line(x: Floats | Ints, y: Floats) -> dict[str, float]:
    """Draw a line of least squares, and say how far the points are from it."""
    slope, level = np.polyfit(x, y, 1)
    return {"slope": slope, "residual": math.sqrt(np.mean((y - level - slope * x) ** 2))}


def band_information(
    letters: Ints, first: int, last: int, shuffled: Sequence[float]
) -> dict[str, Any]:
    """Average the information over some distances, and compare with that of random orders."""
    distances = np.linspace(first, last, BAND_POINTS).round().astype(np.int64)
    found = mutual_information_by_distance(letters, distances).plug_in
    return {
        "first": first,
        "last": last,
        **asdict(mean_interval(found)),
        "excess": np.mean(found) - np.mean(shuffled),
        "standard_error": math.hypot(standard_error(found), standard_error(shuffled)),
    }


def pair_information(
    text: Sequence[str], distances: Sequence[int], shuffles: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Estimate the information of words at a distance, where the estimates do not hold."""
    symbols = np.unique(np.array(text), return_inverse=True)[1]
    found = mutual_information_by_distance(symbols, distances)
    orders = [
        mutual_information_by_distance(rng.permutation(symbols), [1]) for _ in range(shuffles)
    ]
    return {
        "distances": found.distances,
        "plug_in": found.plug_in,
        "corrected": found.corrected,
        "shuffled_plug_in": [order.plug_in[0] for order in orders],
        "shuffled_corrected": [order.corrected[0] for order in orders],
    }


def bursts_of(text: Sequence[Any], chosen: Sequence[Any]) -> list[float]:
    """Measure the burstiness of chosen words of a text."""
    places = defaultdict(list)
    for place, word in enumerate(text):
        places[word].append(place)
    return [burstiness(places[word]) for word in chosen]


def burst_statistics(
    name: str, least: int, orders: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Say which words of a novel come in bursts."""
    novel = austen(name)
    text = words(novel)
    total = Counter(text)
    chosen = [word for word, count in total.most_common() if count >= least]
    found = np.array(bursts_of(text, chosen))
    capitals = Counter(word.lower() for word in re.findall(r"[A-Z][^\W\d_]*", novel))
    shares = [capitals[word] / total[word] for word in chosen]
    order = np.argsort(-found, kind="stable")

    def listed(places: Ints) -> dict[str, Any]:
        return {"words": [chosen[i] for i in places], "burstiness": found[places]}

    return {
        "novel": name,
        "least": least,
        "count": len(chosen),
        **asdict(mean_interval(found)),
        "shuffled": np.mean(
            [bursts_of(rng.permutation(np.array(text)).tolist(), chosen) for _ in range(orders)]
        ),
        "capital_correlation": np.corrcoef(found, shares)[0, 1],
        "largest": listed(order[:8]),
        "smallest": listed(order[-8:][::-1]),
    }


def measure(
    *,
    names: Sequence[str] = NOVELS,
    draws: int = 20,
    distances: Sequence[int] = DISTANCES,
    bands: Sequence[tuple[int, int]] = BANDS,
    shuffles: int = 20,
    piece: int = PIECE,
    orders: int = 5,
) -> dict[str, Any]:
    """Measure everything, each part with random numbers of its own.

    Parameters
    ----------
    names : sequence of str
        The novels.
    draws : int
        Number of samples from each known law.
    distances : sequence of int
        Distances between letters.
    bands : sequence of pairs of int
        First and last distances to average over.
    shuffles : int
        Number of random orders of the letters.
    piece : int
        Words in a piece.
    orders : int
        Number of random orders of the words in pieces; of those of one novel there are four times
        as many.

    Returns
    -------
    dict
        The fields described above.
    """
    rngs = np.random.default_rng(SEED).spawn(6)
    novels = [words(austen(name)) for name in names]
    whole = [word for novel in novels for word in novel]
    texts = dict(zip(names, novels, strict=True)) | {TOGETHER: whole}
    counts = counts_by_rank(whole)
    fit = zipf_mandelbrot(counts)
    laws = {
        "zipf": (law(LIST, 1.0), 1.0),
        "mandelbrot": (law(len(counts), fit.exponent, fit.shift), fit.exponent),
    }
    letters = letters27(" ".join(austen(name) for name in names))
    return {
        "texts": [text_statistics(name, text) for name, text in texts.items()],
        "pieces": piece_statistics(novels, piece, orders, rngs[5]),
        "simulated": [
            {"law": name, **simulate(p, exponent, len(whole), draws, rngs[0])}
            for name, (p, exponent) in laws.items()
        ],
        "growth": growth_curves(whole, rngs[1]),
        "letters": letter_information(letters, distances, bands, shuffles, rngs[2]),
        "word_pairs": pair_information(whole, WORD_DISTANCES, 3, rngs[3]),
        "bursts": burst_statistics(BURSTS_IN, BURSTS_LEAST, 4 * orders, rngs[4]),
    }


def main() -> None:
    """Measure and store."""
    record.save(NAME, measure(), command=f"python -m experiments.{NAME}", seed=SEED)


if __name__ == "__main__":
    main()
