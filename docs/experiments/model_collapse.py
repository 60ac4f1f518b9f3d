"""Model collapse in three chains: a Gaussian, a law over words, and n-gram models of letters.

In each chain a model is fitted to draws from the model before it; generation 0 is fitted to real
data, or is the true law. Intervals (value, low, high) are 95 % intervals of means over chains, by
the central limit theorem. Result::

    sample_size, n_chains   draws that each refit of a Gaussian sees, and number of chains
    gaussian        list, one entry a number of real draws among them:
        n_real
        generations     those reported
        variance        mean over the chains, which begin with variance 1, intervals
        expected        exact means, by formula
        median          median of the chains, which the mean flatters
        drift           mean square of the fitted mean, intervals
        fixed_point     where the expected variance comes to rest
    words           the frequencies of the words of Emma, refitted to ``sample_size`` draws:
        vocabulary, sample_size, n_chains, generations
        support         number of words left, intervals; support_expected, exact
        heterozygosity  chance that two draws differ, intervals; heterozygosity_expected, exact
        entropy         nats, intervals
    letters         n-gram models that look back at ``order`` letters, each fitted to ``n_symbols``
                    symbols: strings, which are sentences of real text or what the model before
                    wrote up to an end; letters are folded to 27, and each end counts as a symbol.
                    ``n_chains`` chains for each regime; generation 0 is the same in all regimes,
                    and ``generations`` more follow
        held_out        symbols of Persuasion that are predicted
        regimes         list:
            name            "own": relative frequencies, own text only; "tenth" and "half": such a
                            share of each text is fresh real text; "smoothed": own text only, but
                            drawn from the model with each order the prior of the next
            entropy         mean surprisal of relative frequencies on the text they were counted
                            in, bits a symbol
            grams           number of different (order + 1)-grams
            words           number of different words
            new_words       share of the words of the text that do not occur in the novels
            cross_entropy   of the held-out text by the model of ``strength``, with each order the
                            prior of the next, bits a symbol
                            (each of these by generation, intervals over chains)
            change          of entropy, grams, words and cross_entropy from the first to the last
                            generation, intervals of the differences
            first           entropy, grams, words, new_words and cross_entropy of the first chain
            sample          the first letters that the first chain's last model wrote
        against_own     difference to "own" in cross_entropy and words at the last generation,
                        intervals of the differences, for the other regimes
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.ngram_order import loss
from experiments.sampler_entropy import over
from experiments.texts import NOVELS, austen
from primer_ref.collapse import (
    expected_heterozygosity,
    expected_support,
    expected_variance,
    refit_chain,
    resample_chain,
    variance_fixed_point,
)
from primer_ref.corpus import word_counts
from primer_ref.information import entropy
from primer_ref.ngram import NgramModel, fit_ngrams, letters27

NAME = "model_collapse"
SEED = 16
V = 27
ORDER = 3
STRENGTH = 4.0
REGIMES = {"own": 0.0, "tenth": 0.1, "half": 0.5, "smoothed": 0.0}
FIELDS = ("entropy", "grams", "words", "new_words", "cross_entropy")
AGAINST = ("cross_entropy", "words")
CHANGES = ("entropy", "grams", "words", "cross_entropy")
GAUSSIAN_GENERATIONS = (0, 1, 5, 10, 20, 50, 100)
WORD_GENERATIONS = (0, 1, 2, 5, 10, 20, 50)
LETTERS = " abcdefghijklmnopqrstuvwxyz"

Floats = NDArray[np.floating[Any]]
Letters = NDArray[np.int64]


def measure_gaussian(n_real: int, sample_size: int, n_chains: int) -> dict[str, Any]:
    """Refit Gaussians."""
    last = max(GAUSSIAN_GENERATIONS)
    rng = np.random.default_rng([SEED, n_real])
    means, variances = refit_chain(
        last, sample_size=sample_size, n_real=n_real, n_chains=n_chains, rng=rng
    )
    return {
        "n_real": n_real,
        "generations": GAUSSIAN_GENERATIONS,
        "variance": [over(variances[n]) for n in GAUSSIAN_GENERATIONS],
        "expected": [
            expected_variance(n, sample_size=sample_size, n_real=n_real)
            for n in GAUSSIAN_GENERATIONS
        ],
        "median": [np.median(variances[n]) for n in GAUSSIAN_GENERATIONS],
        "drift": [over(means[n] ** 2) for n in GAUSSIAN_GENERATIONS],
        "fixed_point": variance_fixed_point(sample_size=sample_size, n_real=n_real),
    }


def measure_words(sample_size: int, n_chains: int) -> dict[str, Any]:
    """Resample the words of a novel."""
    counts = np.array(sorted(word_counts(austen("emma")).values(), reverse=True))
    p = counts / counts.sum()
    rng, last = np.random.default_rng(SEED), max(WORD_GENERATIONS)
    chains = [
        resample_chain(p, last, sample_size=sample_size, rng=rng)[list(WORD_GENERATIONS)]
        for _ in range(n_chains)
    ]
    laws = np.array(chains)  # (chains, generations, words)
    support, differ = np.count_nonzero(laws, axis=-1), 1 - np.sum(laws**2, axis=-1)
    return {
        "vocabulary": len(p),
        "sample_size": sample_size,
        "n_chains": n_chains,
        "generations": WORD_GENERATIONS,
        "support": [over(column) for column in support.T.astype(np.float64)],
        "support_expected": [
            expected_support(p, n, sample_size=sample_size) for n in WORD_GENERATIONS
        ],
        "heterozygosity": [over(column) for column in differ.T],
        "heterozygosity_expected": [
            expected_heterozygosity(p, n, sample_size=sample_size) for n in WORD_GENERATIONS
        ],
        "entropy": [over(column) for column in entropy(laws).T],
    }


# --- Letters ---------------------------------------------------------------------------------


@cache
def sentences() -> list[Letters]:
    """Sentences of Emma, folded."""
    parts = (letters27(part) for part in re.split(r"[.!?;]", austen("emma")))
    return [part for part in parts if len(part)]


@cache
def known_words() -> frozenset[str]:
    """Words of all novels, folded."""
    texts = (letters27(austen(name)) for name in NOVELS)
    return frozenset(word for text in texts for word in spell([text]))


def spell(strings: Sequence[Letters]) -> list[str]:
    """Words of some strings."""
    return [word for one in strings for word in "".join(LETTERS[s] for s in one).split()]


def real_text(size: int, rng: np.random.Generator) -> list[Letters]:
    """Draw real sentences, ``size`` symbols or a few more."""
    drawn: list[Letters] = []
    while sum(len(one) + 1 for one in drawn) < size:
        drawn.append(sentences()[int(rng.integers(len(sentences())))])
    return drawn


def own_text(model: NgramModel, size: int, rng: np.random.Generator) -> list[Letters]:
    """Let a model write strings, ``size`` symbols together, the last one cut off there."""
    drawn: list[Letters] = []
    while (left := size - sum(len(one) + 1 for one in drawn)) > 0:
        drawn.append(np.array(model.sample(rng, max_length=left), dtype=np.int64))
    return drawn


def text_statistics(text: Sequence[Letters], held_out: Letters) -> dict[str, float]:
    """Measure the models fitted to one text."""
    counted = fit_ngrams(text, n_symbols=V, order=ORDER, strength=STRENGTH)
    written = spell(text)
    return {
        "entropy": loss(replace(counted, lowest=ORDER, strength=0), *text),
        "grams": len(counted.codes[ORDER]),
        "words": len(set(written)),
        "new_words": float(np.mean([word not in known_words() for word in written])),
        "cross_entropy": loss(counted, held_out),
    }


def run_chain(
    regime: str, seed: int, *, generations: int, n_symbols: int, held_out: Letters
) -> dict[str, Any]:
    """Run one chain: the statistics by generation, and the beginning of the last model's text."""
    rng = np.random.default_rng([SEED, seed])
    text = real_text(n_symbols, rng)
    rows = [text_statistics(text, held_out)]
    n_real = round(REGIMES[regime] * n_symbols)
    for _ in range(generations):
        model = fit_ngrams(text, n_symbols=V, order=ORDER, strength=STRENGTH)
        if regime != "smoothed":
            model = replace(model, lowest=ORDER, strength=0)
        fresh = real_text(n_real, rng)
        text = [*fresh, *own_text(model, n_symbols - sum(len(one) + 1 for one in fresh), rng)]
        rows.append(text_statistics(text, held_out))
    return {
        **{field: [row[field] for row in rows] for field in FIELDS},
        "sample": " ".join(spell(text[len(fresh) :]))[:120],
    }


def summarize_regime(name: str, chains: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Pool the chains of one regime."""
    columns = {field: np.array([one[field] for one in chains]) for field in FIELDS}
    return {
        "name": name,
        **{field: [over(column) for column in values.T] for field, values in columns.items()},
        "change": {field: over(columns[field][:, -1] - columns[field][:, 0]) for field in CHANGES},
        "first": {field: values[0] for field, values in columns.items()},
        "sample": chains[0]["sample"],
    }


def difference(
    chains: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]], field: str
) -> dict[str, float]:
    """Difference at the last generation between chains that began alike, with its interval."""
    pairs = zip(chains, others, strict=True)
    return over([one[field][-1] - other[field][-1] for one, other in pairs])


def measure_letters(
    n_chains: int, generations: int, n_symbols: int, held_out_size: int
) -> dict[str, Any]:
    """Run all chains of n-gram models."""
    held_out = letters27(austen("persuasion"))[:held_out_size]

    def chain(item: tuple[str, int, int, int]) -> dict[str, Any]:
        name, seed, last, size = item
        return run_chain(name, seed, generations=last, n_symbols=size, held_out=held_out)

    items = [(name, seed, generations, n_symbols) for name in REGIMES for seed in range(n_chains)]
    done = record.parts(NAME, items, chain)
    by_regime = {name: done[n * n_chains : (n + 1) * n_chains] for n, name in enumerate(REGIMES)}
    return {
        "order": ORDER,
        "strength": STRENGTH,
        "n_symbols": n_symbols,
        "n_chains": n_chains,
        "generations": generations,
        "held_out": held_out_size,
        "regimes": [summarize_regime(name, chains) for name, chains in by_regime.items()],
        "against_own": {
            name: {field: difference(chains, by_regime["own"], field) for field in AGAINST}
            for name, chains in by_regime.items()
            if name != "own"
        },
    }


def measure(
    *,
    n_gaussian: int = 2000,
    n_word_chains: int = 20,
    n_chains: int = 5,
    generations: int = 6,
    n_symbols: int = 5000,
    held_out: int = 20_000,
) -> dict[str, Any]:
    """Measure all chains.

    Parameters
    ----------
    n_gaussian, n_word_chains, n_chains : int
        Number of chains of each kind.
    generations, n_symbols, held_out : int
        Of the n-gram models: refits, symbols each is fitted to, and symbols that are predicted.

    Returns
    -------
    dict
        The fields described above.
    """
    return {
        "sample_size": 100,
        "n_chains": n_gaussian,
        "gaussian": [measure_gaussian(n_real, 100, n_gaussian) for n_real in (0, 1, 10, 50)],
        "words": measure_words(2000, n_word_chains),
        "letters": measure_letters(n_chains, generations, n_symbols, held_out),
    }


def main() -> None:
    """Measure and store."""
    record.save(NAME, measure(), command="python -m experiments.model_collapse", seed=SEED)
    record.forget(NAME)


if __name__ == "__main__":
    main()
