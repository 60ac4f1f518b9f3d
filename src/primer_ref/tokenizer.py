"""Byte-level byte-pair encoding: text to token numbers and back.

Text is UTF-8 bytes, cut first into words, numbers and punctuation by a fixed pattern; inside each
piece, neighboring tokens are merged by a fixed list of merges, earliest in the list first.
"""

from __future__ import annotations

import heapq
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, chain, pairwise
from typing import Any

__all__ = ["BPETokenizer", "byte_characters", "split_words"]

# What GPT-2 takes for a word, a run of punctuation, or white space, but with every digit apart; a
# run of white space leaves its last space to what comes after it, unless that is a digit or the
# end. The pattern is matched against the shape of a text.
_PIECE = re.compile(
    r"'(?:s|t|re|ve|m|ll|d)| ?[A-Za-z]+| ?[^\sA-Za-z\d]+|\d|\s+(?![^\s\d])|\s+", re.ASCII
)


def byte_characters() -> list[str]:
    r"""List the printable character that stands for each byte in a vocabulary.

    Returns
    -------
    list of str
        256 different characters: a byte that is a printable character of Latin-1 stands for
        itself, the others take the characters from U+0100 on, in their order.

    References
    ----------
    A. Radford et al. (2019), Language Models are Unsupervised Multitask Learners (the GPT-2 code).

    Examples
    --------
    >>> from primer_ref.tokenizer import byte_characters
    >>> table = byte_characters()
    >>> table[ord("A")], table[ord(" ")], table[ord("\n")]
    ('A', 'Ġ', 'Ċ')
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in printable else next(others)) for byte in range(256)]


def _shape(text: str) -> str:
    """Replace every character outside ASCII by an ASCII character of its class."""
    return "".join(c if c.isascii() else _stand_in(c) for c in text)


def _stand_in(c: str) -> str:
    # None may take part in a contraction or be the space that starts a word.
    if c.isalpha():
        return "A"
    if unicodedata.category(c)[0] == "N":
        return "0"
    return "\t" if c.isspace() else "!"


def split_words(text: str) -> list[str]:
    """Cut a text into the pieces inside which tokens are merged.

    Every digit is a piece of its own. Between digits, a piece is a contraction ('s, 't, 're, …),
    a run of letters or of punctuation with at most one space before it, or white space.

    Parameters
    ----------
    text : str
        Any text.

    Returns
    -------
    list of str
        The pieces; joined, they are the text.

    Notes
    -----
    This is the pattern of SmolLM ("smollm" in GGUF). Letters and numbers are those of Unicode,
    classes L and N.

    Examples
    --------
    >>> from primer_ref.tokenizer import split_words
    >>> split_words("It's  1818, isn't it?")
    ['It', "'s", '  ', '1', '8', '1', '8', ',', ' isn', "'t", ' it', '?']
    """
    if text.isascii():
        return _PIECE.findall(text)
    ends = accumulate(map(len, _PIECE.findall(_shape(text))), initial=0)
    return [text[start:end] for start, end in pairwise(ends)]


# How `split_words` cuts, in the words of tokenizer.json.
_CUTS = [
    {"type": "Digits", "individual_digits": True},
    {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
]


# What a model in tokenizer.json may ask for and this one does not do.
_OTHER_WAYS = ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges")


def _cuts(pre_tokenizer: Any) -> list[dict[str, Any]]:
    """List the steps of a pre-tokenizer, without what only moves offsets."""
    if not isinstance(pre_tokenizer, Mapping):
        return []
    steps = pre_tokenizer.get("pretokenizers", [pre_tokenizer])
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        return []
    return [{k: v for k, v in step.items() if k != "trim_offsets"} for step in steps]


class BPETokenizer:
    """A vocabulary, and the merges that lead from bytes to its tokens.

    Parameters
    ----------
    tokens : sequence of str
        The vocabulary in order of token number, each byte written as its character of
        :func:`byte_characters`.
    merges : sequence of str
        Pairs of tokens, each written with a space between, the earliest first.
    specials : iterable of int
        Numbers of the tokens that are marks and not text; they are written as they are.

    Raises
    ------
    ValueError
        If two tokens are equal, one is not written in byte characters, a merge is not a pair that
        makes a token of the vocabulary, or a special token does not exist or has no name.

    Examples
    --------
    >>> from primer_ref.tokenizer import BPETokenizer
    >>> tokenizer = BPETokenizer(["a", "b", "Ġ", "ab", "Ġab", "<end>"], ["a b", "Ġ ab"], [5])
    >>> tokenizer.encode("abab ab<end>", specials=True)
    [3, 3, 4, 5]
    >>> tokenizer.decode([3, 3, 4])
    'abab ab'
    """

    def __init__(
        self, tokens: Sequence[str], merges: Sequence[str], specials: Iterable[int] = ()
    ) -> None:
        self.tokens = tuple(tokens)
        self.number = {token: number for number, token in enumerate(tokens)}
        if len(self.number) < len(self.tokens):
            raise ValueError("the tokens of a vocabulary must be different; got one twice")
        self.specials = {self._spelled(number): number for number in specials}
        if "" in self.specials:  # it would stand between any two characters of a text
            raise ValueError("a special token must have a name; got an empty one")
        self._rank: dict[tuple[str, str], int] = {}
        for rank, merge in enumerate(merges):
            left, _, right = merge.partition(" ")
            if left + right not in self.number or not left or not right:
                raise ValueError(f"a merge must be two tokens that make a third one; got {merge!r}")
            self._rank.setdefault((left, right), rank)
        self._character = byte_characters()
        self._byte = {character: byte for byte, character in enumerate(self._character)}
        strange = set("".join(self.number.keys() - self.specials.keys())) - self._byte.keys()
        if strange:
            raise ValueError(f"a token must be written in byte characters; got {min(strange)!r}")
        self._split_specials = re.compile(
            "(" + "|".join(map(re.escape, sorted(self.specials, key=len, reverse=True))) + ")"
        )
        self._merge = lru_cache(maxsize=1 << 16)(self._merge_piece)

    @classmethod
    def from_gguf(cls, metadata: Mapping[str, Any]) -> BPETokenizer:
        """Take the tokenizer from the metadata of a GGUF file.

        Parameters
        ----------
        metadata : mapping
            The metadata that :func:`~primer_ref.formats.read_gguf` returns.

        Returns
        -------
        BPETokenizer
            The tokenizer; tokens of type 3 (control) are its special ones.

        Raises
        ------
        ValueError
            If the model is tokenized in another way, or a list is missing.
        """
        kind = metadata.get("tokenizer.ggml.model"), metadata.get("tokenizer.ggml.pre")
        if kind != ("gpt2", "smollm"):
            raise ValueError(f"the tokenizer must be ('gpt2', 'smollm'); got {kind}")
        lists: dict[str, Any] = {}
        for name in ("tokens", "merges", "token_type"):
            lists[name] = metadata.get(f"tokenizer.ggml.{name}")
            if not isinstance(lists[name], list):
                raise ValueError(f"tokenizer.ggml.{name} must be a list; got {lists[name]!r:.60}")
        for name in ("tokens", "merges"):
            if not all(isinstance(item, str) for item in lists[name]):
                raise ValueError(f"tokenizer.ggml.{name} must hold strings; it holds others")
        if not all(type(item) is int for item in lists["token_type"]):
            raise ValueError("tokenizer.ggml.token_type must hold integers; it holds others")
        if len(lists["token_type"]) != len(lists["tokens"]):
            raise ValueError(
                "tokenizer.ggml.token_type must tell the type of every token; "
                f"got {len(lists['token_type'])} for {len(lists['tokens'])}"
            )
        marks = [number for number, kind in enumerate(lists["token_type"]) if kind == 3]
        return cls(lists["tokens"], lists["merges"], marks)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> BPETokenizer:
        """Take the tokenizer from the ``tokenizer.json`` of Hugging Face.

        Parameters
        ----------
        content : mapping
            What the file holds.

        Returns
        -------
        BPETokenizer
            The tokenizer; added tokens are its special ones.

        Raises
        ------
        ValueError
            If the text is cut or encoded in another way than here, or a part is missing.
        """
        model, cut = content.get("model"), content.get("pre_tokenizer")
        model = model if isinstance(model, Mapping) else {}
        kind = model.get("type")
        if kind != "BPE" or content.get("normalizer") is not None or _cuts(cut) != _CUTS:
            raise ValueError(
                "the tokenizer must be BPE over bytes, with digits one by one and no normalizer; "
                f"got {kind!s:.60}, {content.get('normalizer')!r:.60} and {cut!r:.120}"
            )
        if strange := {name: model[name] for name in _OTHER_WAYS if model.get(name)}:
            raise ValueError(f"a tokenizer must merge as here, always; got {strange!r:.120}")
        added = content.get("added_tokens", [])
        try:
            pairs = model["merges"]
            merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in pairs]
            number = {**model["vocab"], **{token["content"]: token["id"] for token in added}}
            marks = sorted({token["id"] for token in added})
            tokens = sorted(number, key=number.__getitem__)
            in_order = [number[token] for token in tokens] == list(range(len(tokens)))
            in_order = in_order and all(type(n) is int for n in (*number.values(), *marks))
            "".join(tokens)  # which must be strings
        except (TypeError, KeyError) as error:
            raise ValueError(
                "a tokenizer must have a vocab, merges, and added_tokens with id and content; "
                f"got {error!r}"
            ) from None
        if not in_order:
            raise ValueError("the numbers of tokens must be 0, 1, 2 …, each once; these are not")
        return cls(tokens, merges, marks)

    @classmethod
    def from_merges(cls, merges: Sequence[str], specials: Sequence[str] = ()) -> BPETokenizer:
        """Give numbers to the 256 bytes, then to what the merges make, then to special tokens.

        Parameters
        ----------
        merges : sequence of str
            Pairs of tokens, each written with a space between, as
            :func:`~primer_ref.bpe.train_bpe` returns them.
        specials : sequence of str
            Names of special tokens.

        Returns
        -------
        BPETokenizer
            The tokenizer; it can encode every text, and byte b is token b.

        Raises
        ------
        ValueError
            If a merge uses a token that is made neither by a byte nor by a merge, or the name of
            a special token is a token already.

        Examples
        --------
        >>> from primer_ref.tokenizer import BPETokenizer
        >>> tokenizer = BPETokenizer.from_merges(["a b", "Ġ ab"], ["<end>"])
        >>> tokenizer.encode("abc ab<end>", specials=True)
        [256, 99, 257, 258]
        """
        made = dict.fromkeys([*byte_characters(), *(merge.replace(" ", "") for merge in merges)])
        for part in chain.from_iterable(merge.split(" ") for merge in merges):
            if part not in made:
                raise ValueError(f"a merge must join bytes or what merges made; got {part!r}")
        return cls([*made, *specials], merges, range(len(made), len(made) + len(specials)))

    def encode(self, text: str, *, specials: bool = False) -> list[int]:
        """Cut a text into tokens.

        Parameters
        ----------
        text : str
            The text; nothing is added to it.
        specials : bool
            Whether the names of special tokens in the text stand for these tokens. Say so only
            for text that you wrote: otherwise whoever wrote it controls the conversation.

        Returns
        -------
        list of int
            Token numbers.

        Raises
        ------
        ValueError
            If a byte of the text is not in the vocabulary, or the text is not valid Unicode.
        TypeError
            If the text is no string.

        Notes
        -----
        Always the merge that comes first in the list is made next and, of its occurrences, the
        leftmost one. A queue of the pairs that can be merged finds it: a piece of n bytes takes
        n log n steps at most. The latest 65,536 different pieces are remembered.
        """
        if not isinstance(text, str):
            raise TypeError(f"a text must be a string; got {text!r:.60}")
        if not (specials and self.specials):
            return self._encode_plain(text)
        numbers = []
        for part in self._split_specials.split(text):
            if part in self.specials:
                numbers.append(self.specials[part])
            else:
                numbers.extend(self._encode_plain(part))
        return numbers

    def token_bytes(self, number: int) -> bytes:
        """Spell a token.

        Parameters
        ----------
        number : int
            A token number.

        Returns
        -------
        bytes
            Its bytes, which need not be whole characters.

        Raises
        ------
        ValueError
            If there is no such token.
        """
        token = self._spelled(number)
        if token in self.specials:
            return token.encode()
        return bytes(self._byte[character] for character in token)

    def decode(self, numbers: Iterable[int]) -> str:
        """Join tokens to a text.

        Parameters
        ----------
        numbers : iterable of int
            Token numbers.

        Returns
        -------
        str
            The text. Bytes that are no UTF-8, as when a sequence ends inside a character, show
            as U+FFFD; for every text x that can be encoded, ``decode(encode(x)) == x``.

        Raises
        ------
        ValueError
            If there is no such token.
        """
        return b"".join(map(self.token_bytes, numbers)).decode("utf-8", errors="replace")

    def _spelled(self, number: int) -> str:
        if not 0 <= number < len(self.tokens):
            raise ValueError(f"a token must be one of {len(self.tokens)}; got {number}")
        return self.tokens[number]

    def _encode_plain(self, text: str) -> list[int]:
        return list(chain.from_iterable(map(self._merge, split_words(text))))

    def _merge_piece(self, piece: str) -> list[int]:
        """Merge neighbors, those first that come first in the list, until none is left to merge."""
        try:
            parts = [self._character[byte] for byte in piece.encode()]
        except UnicodeEncodeError:  # half of a pair of UTF-16, or a byte that was no UTF-8
            raise ValueError(f"a text must be valid Unicode; got {piece!r:.60}") from None
        for part in parts:
            if part not in self.number:
                raise ValueError(
                    f"every byte of a text must be in the vocabulary; "
                    f"byte 0x{self._byte[part]:02X} in {piece!r:.60} is not"
                )
        # A ring, closed by an empty part, which no merge has: so every part has two neighbors.
        n = len(parts)
        parts.append("")
        after, before = [*range(1, n + 1), 0], [n, *range(n)]
        queue = [
            (self._rank[pair], i) for i, pair in enumerate(pairwise(parts)) if pair in self._rank
        ]
        heapq.heapify(queue)
        while queue:
            rank, i = heapq.heappop(queue)
            j = after[i]
            if self._rank.get((parts[i], parts[j])) != rank:
                continue  # one of the two has been merged with its other neighbor
            parts[i], parts[j] = parts[i] + parts[j], ""
            after[i] = after[j]
            before[after[i]] = i
            for left, right in ((before[i], i), (i, after[i])):
                if (pair := (parts[left], parts[right])) in self._rank:
                    heapq.heappush(queue, (self._rank[pair], left))
        return [self.number[part] for part in parts if part]
