"""What a divergence buys where answers can be verified: sums of two numbers, by the real model.

After worked sums the model is asked for one more. Its reward is 1 if it writes the right number and
ends the line, in the tokens in which the tokenizer writes them, and 0 if it writes anything else.
The probability p of a right answer is a product of a few conditional probabilities, so it is known
without drawing answers. A policy that keeps the reference's law among the right answers and among
the wrong ones, as the Gibbs policies and best-of-n do, is one of two outcomes, and so are its
reward and its divergence. Both are means over the questions, at one price for all. Result::

    start, examples     what stands before every question
    right               list, one number a question: the probability p
    questions           number of questions, terms (smallest, largest) of the sums
    mean, median        of p
    surprisal           mean of -log p, nats: the divergence of always being right
    frontier            betas; reward and divergence of the Gibbs policies
    best_of_n           n; reward, divergence; bound (log n - (n - 1)/n); frontier (reward of the
                        Gibbs policies at the same divergence)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.alignment_plane import at_divergence, best_of, columns, place
from experiments.multiple_choice import continuation_scores
from experiments.texts import START
from primer_ref import llama
from primer_ref.gibbs import best_of_n_kl_bound, gibbs_policy

NAME = "verified_sums"
SEED = 110
QUESTIONS = 400
SMALLEST, LARGEST = 10, 99
EXAMPLES = ((12, 31), (46, 27), (85, 94), (30, 58))
BETAS = tuple(float(f"{beta:.3g}") for beta in np.geomspace(20, 0.05, 27))
DRAWN = (2, 4, 8, 16, 32, 64, 128, 256)

Floats = NDArray[np.floating[Any]]
Sum = tuple[int, int]


def draw(n: int) -> list[Sum]:
    """Draw different pairs of terms, none of them an example's."""
    rng = np.random.default_rng(SEED)
    terms = range(SMALLEST, LARGEST + 1)
    pairs = [(a, b) for a in terms for b in terms if (a, b) not in EXAMPLES]
    return [pairs[k] for k in rng.permutation(len(pairs))[:n]]


def probability(model: llama.Model, terms: Sum) -> float:
    """Find the probability that the model writes the sum and ends the line."""
    a, b = terms
    examples = "".join(f"{one} + {other} = {one + other}\n" for one, other in EXAMPLES)
    [score] = continuation_scores(model, f"{examples}{a} + {b} =", [f"{a + b}\n"])
    return math.exp(score)


def summarize(right: Sequence[float]) -> dict[str, Any]:
    """Place the policies on the plane of reward and divergence."""
    p = np.array(right)
    reference = np.stack([1 - p, p], axis=-1)
    rewards = np.tile([0.0, 1.0], (len(p), 1))
    gibbs = [place(gibbs_policy(reference, rewards, beta=b), reference, rewards) for b in BETAS]
    best = []
    for n in DRAWN:
        found = place(best_of(n, reference, rewards), reference, rewards)
        peer = place(at_divergence(reference, rewards, found["divergence"]), reference, rewards)
        bound = best_of_n_kl_bound(n)
        best.append({"n": n, **found, "bound": bound, "frontier": peer["reward"]})
    return {
        "mean": p.mean(),
        "median": np.median(p),
        "surprisal": np.mean(-np.log(p)),
        "frontier": {"betas": BETAS, **columns(gibbs)},
        "best_of_n": columns(best),
    }


def measure(*, n: int = QUESTIONS) -> dict[str, Any]:
    """Ask for sums.

    Parameters
    ----------
    n : int
        Number of questions.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    right = record.parts(NAME, draw(n), lambda terms: probability(model, terms))
    return {
        "start": START,
        "examples": EXAMPLES,
        "questions": n,
        "terms": (SMALLEST, LARGEST),
        "right": right,
        **summarize(right),
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.verified_sums",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
