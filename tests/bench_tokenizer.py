"""How fast the tokenizer encodes a novel on this machine, beside Hugging Face's on the same text.

Both have the same vocabulary, 5,000 merges learned on that novel, and encode it as one string on
one thread: once afresh and then with their memory of words. Needs the package ``tokenizers``.
"""

import importlib
import os
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

from primer_ref.bpe import train_bpe
from primer_ref.tokenizer import BPETokenizer, split_words

NOVEL = Path(__file__).parents[1] / "docs" / "data" / "austen" / "emma.txt"


def seconds(run: Callable[[], object], times: int) -> list[float]:
    """Return how long each of several runs took on the processor."""
    marks = [time.process_time()]
    for _ in range(times):
        run()
        marks.append(time.process_time())
    return [after - before for before, after in pairwise(marks)]


def same_in_tokenizers(tokenizer: BPETokenizer, merges: list[str]) -> Any:
    """Build the other library's tokenizer with this vocabulary and these merges."""
    tokenizers = importlib.import_module("tokenizers")
    pairs = [tuple(merge.split(" ")) for merge in merges]
    made = tokenizers.Tokenizer(tokenizers.models.BPE(tokenizer.number, pairs))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [
            tokenizers.pre_tokenizers.Digits(individual_digits=True),
            tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    return made


def main() -> None:
    """Measure and print."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    text = NOVEL.read_text(encoding="utf-8")
    size = len(text.encode()) / 1e6
    counts = Counter(split_words(text))
    (training,) = seconds(lambda: train_bpe(counts, 5000), 1)
    merges = train_bpe(counts, 5000)
    print(f"train    {training:.2f} s for 5,000 merges of {len(counts):,} words")
    ours = BPETokenizer.from_merges(merges)
    theirs = same_in_tokenizers(ours, merges)
    first, *later = seconds(lambda: ours.encode(text), 5)
    their_first, *their_later = seconds(lambda: theirs.encode(text), 5)
    assert ours.encode(text) == theirs.encode(text).ids
    for name, a, b in (("afresh", first, their_first), ("again", min(later), min(their_later))):
        rates = f"ours {size / a:.2f} MB/s, theirs {size / b:.2f} MB/s"
        print(f"{name:8} {rates}: {b / a:.2f} times as fast")


if __name__ == "__main__":
    main()
