"""How far back should an n-gram model look? Order against loss on a novel it has not seen.

Five novels by Austen, folded to Shannon's 27 symbols, are counted; the sixth is predicted. Result:

- ``train_symbols``, ``test_symbols``: sizes of the texts, each sequence's end counted.
- ``validation``: held-out loss for each prior strength, on a novel kept back from the five;
  ``strength``: the best of them, which everything below uses.
- ``orders``: for each order (symbols looked back at) the number of distinct ``ngrams``; ``train``,
  the loss of relative frequencies on their own text, which is the plug-in estimate of Shannon's
  F_N for N = order + 1; on the sixth novel ``impossible``, the share of symbols to which relative
  frequencies give probability 0, ``blank``, the share whose context never occurred, so that there
  are no relative frequencies, ``add_one``, the loss with one added to every count, ``mixed``, the
  loss with each order the prior of the next, and ``light``, the same with a strength of 1.
- ``samples``: for some orders, 70 symbols drawn from the relative frequencies of the five novels.
- ``guessing``: Shannon's game played by the mixed model of ``order`` on the first ``symbols`` of
  the sixth novel: ``ranks``, the share of symbols that were right at guess 1, 2, …; what his two
  formulas make of them, ``lower`` and ``upper``; the model's own ``loss`` on the same symbols.

Losses are in bits a symbol.
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import NOVELS, austen
from primer_ref.information import guessing_bounds
from primer_ref.ngram import NgramModel, fit_ngrams, letters27

Letters = NDArray[np.int64]

V = 27
SEED = 3
STRENGTHS = (1, 2, 4, 8, 16, 32, 64)


def loss(model: NgramModel, *texts: Letters) -> float:
    """Mean surprisal of some texts, in bits a symbol."""
    scores = np.concatenate([model.log_probs(text) for text in texts])
    return -float(np.mean(scores)) / math.log(2)


def guessing_game(model: NgramModel, text: Letters) -> dict[str, Any]:
    """Let a model guess each letter of a text, from its first full context on."""
    k = model.order
    tries = np.zeros(V)
    for t, symbol in enumerate(text[k:].tolist(), start=k):
        p = model.distribution(text[t - k : t].tolist())[:V]
        # Of equally likely letters the one first in the alphabet is guessed first.
        tries[np.sum(p > p[symbol]) + np.sum(p[:symbol] == p[symbol])] += 1
    ranks = tries / tries.sum()
    lower, upper = guessing_bounds(ranks, base=2)
    return {
        "order": k,
        "symbols": len(text) - k,
        "ranks": ranks.tolist(),
        "lower": lower,
        "upper": upper,
        "loss": -float(np.mean(model.log_probs(text)[k:-1])) / math.log(2),
    }


def sample(model: NgramModel, seed: int) -> str:
    """Let a model write a line."""
    drawn = model.sample(np.random.default_rng(seed), max_length=70)
    return "".join(" abcdefghijklmnopqrstuvwxyz"[symbol] for symbol in drawn)


def measure(
    *, orders: range = range(9), game_symbols: int = 50_000, seed: int = SEED
) -> dict[str, Any]:
    """Fit once, score every order, and play the guessing game with order 6."""
    *train, test = (letters27(austen(name)) for name in NOVELS)
    trial = fit_ngrams(train[:-1], n_symbols=V, order=6, strength=0)
    validation = {s: loss(replace(trial, strength=s), train[-1]) for s in STRENGTHS}
    strength = min(validation, key=validation.__getitem__)

    counted = fit_ngrams(train, n_symbols=V, order=max(orders), strength=strength)
    in_test = fit_ngrams([test], n_symbols=V, order=max(orders), strength=0)
    rows = []
    for k in orders:
        raw = replace(counted, order=k, lowest=k, strength=0)
        known = np.isin(in_test.codes[k], raw.codes[k])
        unseen = float(np.mean(np.repeat(~known, np.diff(in_test.cumulative[k]))))
        impossible = float(np.mean(np.isinf(raw.log_probs(test))))
        rows.append(
            {
                "order": k,
                "ngrams": len(raw.codes[k]),
                "train": loss(raw, *train),
                "impossible": impossible,
                "blank": unseen - impossible,
                "add_one": loss(replace(raw, strength=V + 1), test),
                "mixed": loss(replace(counted, order=k), test),
                "light": loss(replace(counted, order=k, strength=1), test),
            }
        )
    return {
        "train_symbols": sum(len(text) + 1 for text in train),
        "test_symbols": len(test) + 1,
        "validation": [{"strength": s, "loss": bits} for s, bits in validation.items()],
        "strength": strength,
        "orders": rows,
        "samples": {
            k: sample(replace(counted, order=k, lowest=k, strength=0), seed) for k in (0, 2, 4, 8)
        },
        "guessing": guessing_game(replace(counted, order=6), test[:game_symbols]),
    }


def main() -> None:
    """Measure everything and store it."""
    record.save("ngram_order", measure(), command="python -m experiments.ngram_order", seed=SEED)


if __name__ == "__main__":
    main()
