"""ROUGE: what a summary and a reference have in common, in n-grams, in order, in pairs.

The functions compare lists of tokens, however they were made; `tokenize_rouge` is the usual cut.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from primer_ref.metrics import ngrams

__all__ = ["Overlap", "rouge_l", "rouge_n", "rouge_s", "tokenize_rouge"]

Tokens = Sequence[str]


def tokenize_rouge(text: str) -> list[str]:
    """Cut a text into runs of small letters and digits, without stemming.

    Parameters
    ----------
    text : str
        A text; only the letters of English count.

    Returns
    -------
    list of str
        Words in lower case.

    Examples
    --------
    >>> from primer_ref.rouge import tokenize_rouge
    >>> tokenize_rouge("The man's café-bar")
    ['the', 'man', 's', 'caf', 'bar']
    """
    return re.findall(r"[a-z0-9]+", text.lower())


@dataclass(frozen=True, slots=True)
class Overlap:
    """What a candidate has in common with a reference.

    Attributes
    ----------
    precision : float
        Share of the candidate that is in common.
    recall : float
        Share of the reference that is in common.
    f1 : float
        Their harmonic mean. All three are 0 if there is nothing to compare.
    """

    precision: float
    recall: float
    f1: float


def _overlap(common: int, ours: int, theirs: int) -> Overlap:
    return Overlap(
        common / max(ours, 1), common / max(theirs, 1), 2 * common / max(ours + theirs, 1)
    )


def rouge_n(candidate: Tokens, reference: Tokens, *, n: int) -> Overlap:
    r"""Compare the n-grams of a summary with those of a reference.

    Parameters
    ----------
    candidate : sequence of str
        Tokens of the summary.
    reference : sequence of str
        Tokens of the reference.
    n : int
        Length of the n-grams.

    Returns
    -------
    Overlap
        Shares of n-grams in common, each as often as in the text that has it less often.

    Raises
    ------
    ValueError
        If n is not at least 1.

    Notes
    -----
    Implements :eq:`eq-rouge-n`.

    With the matches :math:`M_n = \sum_g \min(c_g(y), c_g(y'))`, recall and precision are
    :math:`M_n / \sum_g c_g(y')` and :math:`M_n / \sum_g c_g(y)`.

    References
    ----------
    C.-Y. Lin (2004), ROUGE: A Package for Automatic Evaluation of Summaries.

    Examples
    --------
    >>> from primer_ref.rouge import rouge_n
    >>> rouge_n("my name is john".split(), "is your name john".split(), n=1).recall
    0.75
    """
    if not n >= 1:
        raise ValueError(f"n must be at least 1; got {n}")
    ours, theirs = ngrams(candidate, n), ngrams(reference, n)
    return _overlap((ours & theirs).total(), ours.total(), theirs.total())


def rouge_l(candidate: Tokens, reference: Tokens) -> Overlap:
    r"""Compare a summary with a reference by their longest common subsequence.

    Parameters
    ----------
    candidate : sequence of str
        Tokens of the summary.
    reference : sequence of str
        Tokens of the reference.

    Returns
    -------
    Overlap
        Length of the subsequence, which may have gaps, over the lengths of the texts.

    Notes
    -----
    Implements :eq:`eq-common-subsequence`.

    The length :math:`\ell_{ij}` for the first i and j tokens is :math:`\ell_{i-1,j-1} + 1` where
    the last ones agree, and else :math:`\max(\ell_{i-1,j}, \ell_{i,j-1})`.

    For m and n tokens the table of the subsequences of all beginnings costs m n steps.

    References
    ----------
    C.-Y. Lin (2004), ROUGE: A Package for Automatic Evaluation of Summaries.

    Examples
    --------
    >>> from primer_ref.rouge import rouge_l
    >>> rouge_l("my name is john".split(), "is your name john".split()).recall
    0.5
    """
    longest = [0] * (len(reference) + 1)  # with each beginning of the reference
    for token in candidate:
        before = longest.copy()
        for j, other in enumerate(reference):
            longest[j + 1] = before[j] + 1 if token == other else max(longest[j], before[j + 1])
    return _overlap(longest[-1], len(candidate), len(reference))


def rouge_s(candidate: Tokens, reference: Tokens) -> Overlap:
    """Compare the pairs of words in order, with any gap between, of a summary and a reference.

    Parameters
    ----------
    candidate : sequence of str
        Tokens of the summary.
    reference : sequence of str
        Tokens of the reference.

    Returns
    -------
    Overlap
        Shares of the n(n − 1)/2 pairs of each text that are in common.

    References
    ----------
    C.-Y. Lin (2004), ROUGE: A Package for Automatic Evaluation of Summaries.

    Examples
    --------
    >>> from primer_ref.rouge import rouge_s
    >>> rouge_s("police kill the gunman".split(), "police killed the gunman".split()).recall
    0.5
    """
    ours, theirs = Counter(combinations(candidate, 2)), Counter(combinations(reference, 2))
    return _overlap((ours & theirs).total(), ours.total(), theirs.total())
