"""Two other ways to choose subwords: WordPiece's score of a pair, and the unigram model.

Byte-pair encoding merges the pair that is most frequent, WordPiece the pair that is frequent
beside its parts. The unigram model gives every token a probability and cuts a word in the way that
is most probable.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

__all__ = [
    "Segmentation",
    "unigram_loss",
    "unigram_segmentation",
    "wordpiece_letters",
    "wordpiece_scores",
]


def wordpiece_letters(word: str) -> tuple[str, ...]:
    """Cut a word into letters, marking with ``##`` those that do not begin it.

    Parameters
    ----------
    word : str
        A word.

    Returns
    -------
    tuple of str
        The letters.

    Examples
    --------
    >>> from primer_ref.subwords import wordpiece_letters
    >>> wordpiece_letters("hug")
    ('h', '##u', '##g')
    """
    return tuple(letter if i == 0 else "##" + letter for i, letter in enumerate(word))


def wordpiece_scores(counts: Mapping[tuple[str, ...], int]) -> dict[tuple[str, str], float]:
    r"""Score each pair of neighbors by its count over those of its parts, :math:`n_{ab}/(n_a n_b)`.

    Parameters
    ----------
    counts : mapping of tuple of str to int
        How often each word occurs, the words cut into the parts they have so far.

    Returns
    -------
    dict of tuple of str to float
        The score of each pair that occurs; WordPiece merges the pair with the largest.

    Notes
    -----
    Times the number of parts, the score is the ratio that pointwise mutual information is the
    logarithm of: a pair is merged where its parts predict each other, be they ever so rare.

    Implements :eq:`eq-wordpiece-score`.

    References
    ----------
    The Hugging Face LLM Course, chapter 6, WordPiece tokenization; the training that Google used
    was not published.

    Examples
    --------
    >>> from primer_ref.subwords import wordpiece_letters, wordpiece_scores
    >>> words = {"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}
    >>> scores = wordpiece_scores({wordpiece_letters(word): n for word, n in words.items()})
    >>> max(scores, key=scores.get), scores["##g", "##s"]
    (('##g', '##s'), 0.05)
    """
    parts: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for word, count in counts.items():
        for part in word:
            parts[part] += count
        for pair in pairwise(word):
            pairs[pair] += count
    return {(a, b): count / (parts[a] * parts[b]) for (a, b), count in pairs.items()}


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A word cut into tokens, and how probable that is.

    Attributes
    ----------
    tokens : tuple of str
        The tokens; joined, they are the word.
    log_prob : float
        Sum of their log-probabilities, in nats.
    """

    tokens: tuple[str, ...]
    log_prob: float


def unigram_segmentation(word: str, log_probs: Mapping[str, float]) -> Segmentation:
    r"""Cut a word into the most probable tokens, :math:`\max \sum_i \log p(t_i)`.

    Parameters
    ----------
    word : str
        A word.
    log_probs : mapping of str to float
        Natural logarithms of the tokens' probabilities.

    Returns
    -------
    Segmentation
        The best tokens; of equally probable cuts, the one with the longest last token, then the
        longest before it.

    Raises
    ------
    ValueError
        If the tokens cannot make the word.

    Notes
    -----
    Viterbi's algorithm: the best cut of the first j letters ends in some token, and before it
    stands the best cut of what is left. For n letters and tokens of at most m it looks at n m
    tokens, where a word has up to :math:`2^{n-1}` cuts.

    Implements :eq:`eq-unigram-segmentation`.

    References
    ----------
    T. Kudo (2018), Subword Regularization: Improving Neural Network Translation Models with
    Multiple Subword Candidates.

    Examples
    --------
    >>> import math
    >>> from primer_ref.subwords import unigram_segmentation
    >>> probs = {"h": 0.3, "u": 0.2, "g": 0.3, "hu": 0.1, "ug": 0.1}
    >>> unigram_segmentation("hug", {token: math.log(p) for token, p in probs.items()}).tokens
    ('h', 'ug')
    """
    longest = max(map(len, log_probs), default=0)
    best = [0.0] + [-math.inf] * len(word)  # of each beginning of the word
    start = [0] * (len(word) + 1)  # where its last token begins
    for end in range(1, len(word) + 1):
        for begin in range(max(0, end - longest), end):
            value = best[begin] + log_probs.get(word[begin:end], -math.inf)
            if value > best[end]:
                best[end], start[end] = value, begin
    if best[-1] == -math.inf:
        raise ValueError(f"the tokens must be able to make the word; got {word!r}")
    tokens: list[str] = []
    end = len(word)
    while end > 0:
        tokens.append(word[start[end] : end])
        end = start[end]
    return Segmentation(tuple(reversed(tokens)), best[-1])


def unigram_loss(counts: Mapping[str, int], log_probs: Mapping[str, float]) -> float:
    r"""Surprisal of a corpus whose words are cut in the best way, :math:`-\sum_w n_w \log p(w)`.

    Parameters
    ----------
    counts : mapping of str to int
        How often each word occurs.
    log_probs : mapping of str to float
        Natural logarithms of the tokens' probabilities.

    Returns
    -------
    float
        The loss in nats. Training drops the tokens whose removal raises it least.

    Raises
    ------
    ValueError
        If the tokens cannot make some word.

    Examples
    --------
    >>> import math
    >>> from primer_ref.subwords import unigram_loss
    >>> log_probs = {"a": math.log(0.5), "b": math.log(0.25), "ab": math.log(0.25)}
    >>> print(f"{unigram_loss({'ab': 2, 'aa': 1}, log_probs) / math.log(2):.1f}")  # in bits
    6.0
    """
    return -sum(n * unigram_segmentation(word, log_probs).log_prob for word, n in counts.items())
