"""Learn the merges of byte-pair encoding from counted words, and measure what they save.

Training is greedy compression: again and again the most frequent pair of neighbors becomes a token
of its own. Pairs are counted once; after that, only what a merge touches is counted again.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from primer_ref.checks import check_nonnegative
from primer_ref.tokenizer import byte_characters

__all__ = ["Fertility", "compression_ratio", "fertility", "train_bpe"]

Pair = tuple[int, int]


def train_bpe(counts: Mapping[str, int], n_merges: int) -> list[str]:
    """Learn merges: join the most frequent pair of neighbors, and again, and again.

    Parameters
    ----------
    counts : mapping of str to int
        How often each word occurs, where a word is a piece inside which tokens may be merged,
        such as those of :func:`~primer_ref.tokenizer.split_words`. One word that is the whole
        text lets merges cross every boundary.
    n_merges : int
        How many merges to learn.

    Returns
    -------
    list of str
        Pairs of tokens in byte characters, each with a space between, in the order in which they
        were learned; fewer than asked if nothing is left to merge. They are what
        :meth:`~primer_ref.tokenizer.BPETokenizer.from_merges` takes.

    Raises
    ------
    ValueError
        If a count is not a whole number of at least 1, or ``n_merges`` is negative.

    Notes
    -----
    Of several pairs with the largest count, the one goes first whose left token is the oldest,
    then the one whose right token is. Bytes are older than all merged tokens, and among
    themselves in the order of their characters. This is the order of Hugging Face's trainer.

    A pair counts wherever it stands: twice in "aaa", although only one of the two can be merged.

    A merge costs as many steps as the words that it changes have parts, and the search for the
    next one the logarithm of the number of pairs. 5,000 merges of a novel take about a second;
    in one word that is a whole text, each merge is a pass through that text.

    No two merges make the same token. For where a string lies between two borders that last,
    what happens inside does not depend on where it stands, so all its occurrences are joined at
    once, by the same merge.

    Implements :eq:`eq-bpe-merge`.

    References
    ----------
    P. Gage (1994), A New Algorithm for Data Compression.
    R. Sennrich, B. Haddow and A. Birch (2016), Neural Machine Translation of Rare Words with
    Subword Units.

    Examples
    --------
    >>> from primer_ref.bpe import train_bpe
    >>> train_bpe({"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5}, 3)
    ['u g', 'u n', 'h ug']
    """
    check_nonnegative(n_merges, "n_merges")
    tokens = sorted(byte_characters())
    words, weights = _in_parts(counts, tokens), list(counts.values())
    total: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for i, word in enumerate(words):
        for pair in pairwise(word):
            total[pair] += weights[i]
            places[pair].add(i)
    queue = [(-count, pair) for pair, count in total.items()]
    heapq.heapify(queue)
    merges: list[str] = []
    while queue and len(merges) < n_merges:
        count, pair = heapq.heappop(queue)
        if -count != total[pair]:
            continue  # counted before a merge changed it; what it counts now is in the queue too
        left, right = (tokens[part] for part in pair)
        merges.append(f"{left} {right}")
        changed: set[Pair] = set()
        for i in places.pop(pair):
            before, words[i] = words[i], _join(words[i], pair, len(tokens))
            for gone in pairwise(before):
                total[gone] -= weights[i]
                places[gone].discard(i)
            for made in pairwise(words[i]):
                total[made] += weights[i]
                places[made].add(i)
            changed.update(pairwise(before), pairwise(words[i]))
        tokens.append(left + right)
        for other in changed:
            if total[other] > 0:
                heapq.heappush(queue, (-total[other], other))
    return merges


def _in_parts(counts: Mapping[str, int], tokens: Sequence[str]) -> list[list[int]]:
    """Write each word as the numbers of its bytes."""
    number = [tokens.index(character) for character in byte_characters()]
    for word, count in counts.items():
        if not (count >= 1 and count % 1 == 0):
            raise ValueError(f"counts must be whole and at least 1; got {count} for {word!r}")
    return [[number[byte] for byte in word.encode()] for word in counts]


def _join(word: Sequence[int], pair: Pair, new: int) -> list[int]:
    """Put one part in the place of each pair, from left to right."""
    joined: list[int] = []
    for part in word:
        if joined and (joined[-1], part) == pair:
            joined[-1] = new
        else:
            joined.append(part)
    return joined


@dataclass(frozen=True, slots=True)
class Fertility:
    """Tokens for each unit of a text.

    Attributes
    ----------
    per_byte : float
        Tokens for a byte of UTF-8: at most 1 where every byte is a token.
    per_character : float
        Tokens for a code point of Unicode.
    per_word : float
        Tokens for a word, that is what stands between white space.
    """

    per_byte: float
    per_character: float
    per_word: float


def fertility(tokens: Sequence[int], text: str) -> Fertility:
    """Count how many tokens a text takes for each byte, character and word.

    Parameters
    ----------
    tokens : sequence of int
        The tokens of the text.
    text : str
        The text.

    Returns
    -------
    Fertility
        The three ratios. None compares languages fairly: a byte or a character says more in one
        than in another, and not all languages put spaces between words. For that, compare the
        tokens of translations of one text.

    Raises
    ------
    ValueError
        If the text has no words.

    Notes
    -----
    Implements :eq:`eq-fertility`.

    Examples
    --------
    >>> from primer_ref.bpe import fertility
    >>> fertility([258, 257, 267], "naïve thought")
    Fertility(per_byte=0.21428571428571427, per_character=0.23076923076923078, per_word=1.5)
    """
    words = len(text.split())
    if words == 0:
        raise ValueError(f"text must have at least one word; got {text!r}")
    n = len(tokens)
    return Fertility(n / len(text.encode()), n / len(text), n / words)


def compression_ratio(tokens: Sequence[int], text: str, n_tokens: int) -> float:
    r"""Divide the bits of a text by those of its tokens, :math:`8\,n_{bytes} / (n \log_2 V)`.

    Parameters
    ----------
    tokens : sequence of int
        The n tokens of the text.
    text : str
        The text.
    n_tokens : int
        Size V of the vocabulary.

    Returns
    -------
    float
        Above 1 where the tokens are shorter, if each is written with the same number of bits. A
        language model spends fewer bits on likely tokens: that is a gain on top of this one.

    Raises
    ------
    ValueError
        If there are no tokens, or the vocabulary has fewer than two.

    Notes
    -----
    Implements :eq:`eq-compression-ratio`.

    Examples
    --------
    >>> from primer_ref.bpe import compression_ratio
    >>> compression_ratio([256, 99, 257], "abab abab", 512)
    2.6666666666666665
    """
    if len(tokens) == 0 or n_tokens < 2:
        raise ValueError(
            f"there must be tokens, from a vocabulary of at least 2; "
            f"got {len(tokens)} and {n_tokens}"
        )
    return 8 * len(text.encode()) / (len(tokens) * math.log2(n_tokens))
