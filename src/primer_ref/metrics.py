"""Overlap of translations with references: BLEU and chrF.

BLEU compares lists of tokens, however they were made; `tokenize_13a` is the cut with which most
published scores were made. chrF compares the characters of whole strings. Both run to 100.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Bleu",
    "bleu",
    "brevity_penalty",
    "chrf",
    "modified_precision",
    "ngrams",
    "sentence_bleu",
    "tokenize_13a",
]

Tokens = Sequence[str]
Floats = NDArray[np.float64]


def tokenize_13a(text: str) -> list[str]:
    """Cut a text as the script mteval-v13a does, whose tokens sacreBLEU compares.

    Parameters
    ----------
    text : str
        A sentence.

    Returns
    -------
    list of str
        Words; ASCII punctuation stands alone, save apostrophes, hyphens that follow no digit, and
        periods and commas between digits.

    References
    ----------
    M. Post (2018), A Call for Clarity in Reporting BLEU Scores.

    Examples
    --------
    >>> from primer_ref.metrics import tokenize_13a
    >>> tokenize_13a("It wasn't 1,000.5-odd (so-called) miles.")
    ['It', "wasn't", '1,000.5', '-', 'odd', '(', 'so-called', ')', 'miles', '.']
    """
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "")
    for name, character in (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")):
        text = text.replace(name, character)
    text = re.sub(r'([!"#$%&()*+/:;<=>?@\[\\\]^_`{|}~])', r" \1 ", f" {text} ")
    # Each rule consumes both characters, so of two periods in a row one may stay where it is.
    text = re.sub(r"([^0-9])([.,])", r"\1 \2 ", text)
    text = re.sub(r"([.,])([^0-9])", r" \1 \2", text)
    return re.sub(r"([0-9])(-)", r"\1 \2 ", text).split()


def ngrams(tokens: Sequence[Any], n: int) -> Counter[tuple[Any, ...]]:
    """Count the runs of n neighbors.

    Parameters
    ----------
    tokens : sequence
        Tokens, or a string for its characters.
    n : int
        Length of a run, at least 1 (which the callers check).

    Returns
    -------
    Counter
        How often each run occurs, by the tuple of its tokens; empty if there are fewer than n.

    Examples
    --------
    >>> from primer_ref.metrics import ngrams
    >>> print(dict(ngrams("banana", 2)))
    {('b', 'a'): 1, ('a', 'n'): 2, ('n', 'a'): 2}
    """
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def modified_precision(
    candidate: Tokens, references: Sequence[Tokens], *, n: int
) -> tuple[int, int]:
    r"""Count the n-grams of a candidate that references have too, and all of them.

    Parameters
    ----------
    candidate : sequence of str
        Tokens to judge.
    references : sequence of sequence of str
        Tokens of one or more references.
    n : int
        Length of the n-grams.

    Returns
    -------
    tuple of int
        Matches and total. An n-gram matches as often as in the one reference that has most of it,
        so that repeating a good word does not pay.

    Raises
    ------
    ValueError
        If there is no reference, or n is not at least 1.

    Notes
    -----
    Implements :eq:`eq-clipped-precision`.

    Matches are :math:`\sum_g \min(c_g(y), \max_{y'} c_g(y'))` over the n-grams g.

    References
    ----------
    K. Papineni, S. Roukos, T. Ward and W.-J. Zhu (2002), BLEU: a Method for Automatic Evaluation
    of Machine Translation.

    Examples
    --------
    >>> from primer_ref.metrics import modified_precision
    >>> modified_precision("the the the".split(), ["the cat is on the mat".split()], n=1)
    (2, 3)
    """
    if not references:
        raise ValueError("there must be at least one reference; got none")
    if not n >= 1:
        raise ValueError(f"n must be at least 1; got {n}")
    found, allowed = ngrams(candidate, n), Counter[tuple[Any, ...]]()
    for reference in references:
        allowed |= ngrams(reference, n)
    return (found & allowed).total(), found.total()


def brevity_penalty(candidate_length: int, reference_length: int) -> float:
    r"""Factor for candidates that are too short, :math:`\min(1, e^{1 - r/c})`.

    Parameters
    ----------
    candidate_length : int
        Number c of tokens in the candidates.
    reference_length : int
        Number r of tokens in the references.

    Returns
    -------
    float
        1 if the candidates are as long as the references or longer, 0 if they are empty.

    Notes
    -----
    Implements :eq:`eq-brevity`.

    Examples
    --------
    >>> from primer_ref.metrics import brevity_penalty
    >>> print(brevity_penalty(12, 12), f"{brevity_penalty(9, 12):.4f}")
    1.0 0.7165
    """
    if candidate_length >= reference_length:
        return 1.0
    return math.exp(1 - reference_length / candidate_length) if candidate_length else 0.0


@dataclass(frozen=True, slots=True)
class Bleu:
    """A BLEU score and what it is made of.

    Attributes
    ----------
    score : float
        Geometric mean of the precisions times the penalty, from 0 to 100.
    precisions : tuple of float
        Modified precision of each order, from 0 to 1, smoothed where nothing matched.
    penalty : float
        Brevity penalty.
    """

    score: float
    precisions: tuple[float, ...]
    penalty: float


def _geometric_mean(matches: Sequence[int], totals: Sequence[int], penalty: float) -> Bleu:
    """Put counts of all orders together; the k-th order without a match counts 1/2ᵏ of one."""
    if not any(matches):
        return Bleu(0.0, (0.0,) * len(matches), penalty)
    precisions, missed = [], 0
    for match, total in zip(matches, totals, strict=True):
        missed += match == 0
        precisions.append((match or 0.5**missed) / total if total else 0.0)
    return Bleu(
        100 * penalty * math.prod(precisions) ** (1 / len(precisions)), (*precisions,), penalty
    )


def _nearest_length(candidate: Tokens, references: Sequence[Tokens]) -> int:
    n = len(candidate)
    return min(map(len, references), key=lambda length: (abs(length - n), length))


def _check_segments(candidates: Sequence[Any], references: Sequence[Any]) -> None:
    if len(candidates) != len(references) or not candidates:
        raise ValueError(
            f"there must be references for each candidate; "
            f"got {len(references)} for {len(candidates)}"
        )
    if not all(references):
        raise ValueError("there must be at least one reference for each candidate; got none")


def bleu(
    candidates: Sequence[Tokens], references: Sequence[Sequence[Tokens]], *, max_order: int = 4
) -> Bleu:
    r"""Score a corpus of translations, :math:`100\, \text{BP} \prod_{n=1}^N p_n^{1/N}`.

    Parameters
    ----------
    candidates : sequence of sequence of str
        Tokens of each translation.
    references : sequence of sequence of sequence of str
        For each translation, the tokens of its references.
    max_order : int
        The longest n-grams N.

    Returns
    -------
    Bleu
        The score, 0 if no token matches, its precisions and its penalty.

    Raises
    ------
    ValueError
        If there are no translations, one has no reference, their numbers differ, or the order is
        not at least 1.

    Notes
    -----
    Implements :eq:`eq-bleu`.

    Counts are added over the corpus before they are divided; the score is no mean of scores of
    sentences. Of several references the one nearest in length enters the penalty, the shorter of
    two that are equally near.

    Orders without a match are smoothed as in sacreBLEU ("exp"): the first counts half a match,
    the second a quarter, and so on. An order without any n-gram makes the score 0.

    References
    ----------
    K. Papineni, S. Roukos, T. Ward and W.-J. Zhu (2002), BLEU: a Method for Automatic Evaluation
    of Machine Translation.
    M. Post (2018), A Call for Clarity in Reporting BLEU Scores.

    Examples
    --------
    >>> from primer_ref.metrics import bleu
    >>> candidate, reference = "the cat sat on a mat".split(), "the cat sat on the mat".split()
    >>> found = bleu([candidate], [[reference]])
    >>> print(f"{found.score:.2f}", [round(p, 3) for p in found.precisions])
    53.73 [0.833, 0.6, 0.5, 0.333]
    """
    _check_segments(candidates, references)
    if not max_order >= 1:
        raise ValueError(f"max_order must be at least 1; got {max_order}")
    counts = [
        [modified_precision(c, r, n=n) for n in range(1, max_order + 1)]
        for c, r in zip(candidates, references, strict=True)
    ]
    matches, totals = np.sum(counts, axis=0).T.tolist()
    length = sum(map(len, candidates))
    nearest = sum(map(_nearest_length, candidates, references))
    return _geometric_mean(matches, totals, brevity_penalty(length, nearest))


def sentence_bleu(candidate: Tokens, references: Sequence[Tokens], *, max_order: int = 4) -> Bleu:
    """Score one translation with the orders it is long enough for.

    Parameters
    ----------
    candidate : sequence of str
        Tokens of the translation.
    references : sequence of sequence of str
        Tokens of its references.
    max_order : int
        The longest n-grams.

    Returns
    -------
    Bleu
        As from :func:`bleu`, over no more orders than the translation has tokens.

    Raises
    ------
    ValueError
        As for :func:`bleu`.

    Examples
    --------
    >>> from primer_ref.metrics import sentence_bleu
    >>> print(sentence_bleu(["yes", "sir"], [["yes", "sir"]]).score)
    100.0
    """
    return bleu([candidate], [references], max_order=min(max_order, max(1, len(candidate))))


def _character_counts(candidate: str, reference: str, max_order: int) -> Floats:
    """For each order the n-grams of both, where the reference has any, and those in common."""
    rows = []
    for n in range(1, max_order + 1):
        ours, theirs = (ngrams("".join(text.split()), n) for text in (candidate, reference))
        rows.append([ours.total() if theirs else 0, theirs.total(), (ours & theirs).total()])
    return np.array(rows, dtype=np.float64)


def _f_score(counts: Floats, beta: float) -> float:
    ours, theirs, common = counts[np.all(counts[:, :2] > 0, axis=1)].T
    if not np.any(common):
        return 0.0
    precision, recall = np.mean(common / ours), np.mean(common / theirs)
    return float((1 + beta**2) * precision * recall / (beta**2 * precision + recall))


def chrf(
    candidates: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    max_order: int = 6,
    beta: float = 2.0,
) -> float:
    r"""Score a corpus by its character n-grams, :math:`100\,(1 + \beta^2) P R / (\beta^2 P + R)`.

    Parameters
    ----------
    candidates : sequence of str
        Translations, as they are.
    references : sequence of sequence of str
        For each translation its references.
    max_order : int
        The longest n-grams.
    beta : float
        Recall has β² times the weight of precision in their harmonic mean.

    Returns
    -------
    float
        From 0 to 100.

    Raises
    ------
    ValueError
        If there are no translations, one has no reference, their numbers differ, the order is not
        at least 1, or ``beta`` is not positive.

    Notes
    -----
    Implements :eq:`eq-chrf`.

    White space is left out first. Precision and recall are means over the orders that both sides
    have n-grams of, each from counts added over the corpus; of several references the one with
    the best score for the sentence is counted. The defaults are those of sacreBLEU's chrF2.

    References
    ----------
    M. Popović (2015), chrF: Character n-gram F-score for Automatic MT Evaluation.

    Examples
    --------
    >>> from primer_ref.metrics import chrf
    >>> print(f"{chrf(['the cat'], [['a cat']]):.2f}")
    42.28
    """
    _check_segments(candidates, references)
    if not (max_order >= 1 and beta > 0):
        raise ValueError(
            f"max_order must be at least 1 and beta positive; got {max_order} and {beta}"
        )
    total = np.zeros((max_order, 3))
    for candidate, choices in zip(candidates, references, strict=True):
        counts = [_character_counts(candidate, reference, max_order) for reference in choices]
        total += max(counts, key=lambda table: _f_score(table, beta))
    return 100 * _f_score(total, beta)
