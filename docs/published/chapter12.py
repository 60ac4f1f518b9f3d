"""Chapter 12: cut distributions, drafts, translations, summaries and votes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from primer_ref.decoding import no_repeat_ngram, top_p
from primer_ref.metrics import bleu, modified_precision, tokenize_13a
from primer_ref.rouge import rouge_l, rouge_n, rouge_s, tokenize_rouge
from primer_ref.selection import beam_search, majority_accuracy
from primer_ref.speculative import acceptance_rate, operations_factor, residual, speedup

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

SYSTEM = ("The dog bit the man.", "It wasn't surprising.", "The man had just bitten him.")
HUMANS = (
    ("The dog bit the man.", "The dog had bit the man."),
    ("It was not unexpected.", "No one was surprised."),
    ("The man bit him first.", "The man had bitten the dog."),
)
# Papineni et al. (2002), section 2.1: three references and two candidates, then two of a cat.
GUIDES = (
    "it is a guide to action that ensures that the military will forever heed party commands",
    "it is the guiding principle which guarantees the military forces always being under the "
    "command of the party",
    "it is the practical guide for the army always to heed the directions of the party",
)
CANDIDATES = (
    "it is a guide to action which ensures that the military always obeys the commands of the "
    "party",
    "it is to insure the troops forever hearing the activity guidebook that party direct",
)
THE_CAT = ("the cat is on the mat", "there is a cat on the mat")


def nuclei() -> dict[str, ArrayLike]:
    """Keep a mass of just under .8, and undo the renormalization."""
    laws = {"first": (0.3, 0.1, 0.1, 0.5), "second": (0.15, 0.3, 0.3, 0.25)}
    return {name: np.where(top_p(p, mass=0.8 - 1e-9) > 0, p, 0) for name, p in laws.items()}


def bans() -> dict[str, ArrayLike]:
    """Mark with 1 what would complete an n-gram again."""
    return {
        f"{text}, n = {n}": no_repeat_ngram(text, n=n, n_tokens=3).astype(int)
        for n in (2, 3)
        for text in ((1, 1, 2, 1), (0, 1, 0, 1))
    }


def drafts() -> dict[str, ArrayLike]:
    """Factors of operations and of speed, if drafting costs nothing."""
    cases = ((0.6, 2), (0.7, 3), (0.8, 2), (0.8, 5), (0.9, 2), (0.9, 10))
    return {
        f"α = {alpha}, γ = {gamma}": (
            operations_factor(alpha, gamma=gamma, cost=0.0),
            speedup(alpha, gamma=gamma, cost=0.0),
        )
        for alpha, gamma in cases
    }


def accepted() -> dict[str, ArrayLike]:
    """Add up accepted and replaced tokens, and compare with the model's own law."""
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.5, 0.3])
    rate = acceptance_rate(p, q)
    law = np.minimum(p, q) + (1 - rate) * residual(p, q)
    return {"acceptance": rate, "difference": np.max(np.abs(law - p))}


def translations() -> dict[str, ArrayLike]:
    """Score three sentences with n-grams of up to 1, …, 6 words."""
    candidates = [tokenize_13a(text) for text in SYSTEM]
    references = [[tokenize_13a(text) for text in texts] for texts in HUMANS]
    return {f"up to {n}": bleu(candidates, references, max_order=n).score for n in range(1, 7)}


def modified_precisions() -> dict[str, ArrayLike]:
    """Count matches and n-grams of one and of two words."""
    references = [text.split() for text in GUIDES]
    found: dict[str, ArrayLike] = {}
    for number, text in enumerate(CANDIDATES, start=1):
        counts = [modified_precision(text.split(), references, n=n) for n in (1, 2)]
        found[f"candidate {number}"] = np.ravel(counts)
    cats = [text.split() for text in THE_CAT]
    return found | {"the the the": modified_precision(["the"] * 7, cats, n=1)}


def names() -> dict[str, ArrayLike]:
    """Compare two sentences by words, pairs of words and the longest subsequence."""
    ours, theirs = (tokenize_rouge(text) for text in ("My name is John", "Is your name John"))
    return {
        "one word": rouge_n(ours, theirs, n=1).f1,
        "two words": rouge_n(ours, theirs, n=2).f1,
        "subsequence": rouge_l(ours, theirs).f1,
    }


def gunman() -> dict[str, ArrayLike]:
    """Compare three summaries by the longest subsequence and by pairs with gaps."""
    reference = ["police", "killed", "the", "gunman"]
    texts = ("police kill the gunman", "the gunman kill police", "the gunman police killed")
    return {
        text: (rouge_l(text.split(), reference).f1, rouge_s(text.split(), reference).f1)
        for text in texts
    }


def beams() -> dict[str, ArrayLike]:
    """Search with one and with two beams: 0 begins with *dog*, 1 with *nice*; 2 ends.

    What the published tree leaves open is shared by a third word.
    """
    laws = {(): (0.4, 0.5, 0.0, 0.1), (0,): (0, 0, 0.9, 0.1), (1,): (0, 0, 0.4, 0.3)}

    def step(prefix: tuple[int, ...]) -> NDArray[np.float64]:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(np.array(laws.get(prefix, (0, 0, 1.0, 0)))))

    return {
        f"{width} beams": np.exp(beam_search(step, width=width, end=2, limit=2)[0].log_prob)
        for width in (1, 2)
    }


OURS: dict[str, Callable[[], dict[str, ArrayLike]]] = {
    "ch12-top-p": nuclei,
    "ch12-no-repeat-ngram": bans,
    "ch12-specdec-table1": drafts,
    "ch12-specdec-exact": accepted,
    "ch12-bleu-sacrebleu": translations,
    "ch12-bleu-papineni": modified_precisions,
    "ch12-rouge-torchmetrics": names,
    "ch12-rouge-lin": gunman,
    "ch12-beam-hf": beams,
    "ch12-majority-vote": lambda: {
        f"{n} votes": majority_accuracy(0.6, n=n) for n in (1, 5, 21, 101)
    },
}
