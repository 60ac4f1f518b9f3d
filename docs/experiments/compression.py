"""A language model as a compressor: sizes of one chapter under codes and models.

The text is the first chapter of *Persuasion*, as UTF-8. Result:

- ``bytes``: its size; ``tokens``: the number of tokens that the real model cuts it into.
- ``compressors``: for each the compressed ``bytes`` and ``bits_per_byte``. Models that speak
  through our arithmetic coder have two more: ``ideal_bits``, the sum of −log₂ of the probabilities
  before they were made whole numbers, and ``bits``, the length of the code. Every such code was
  decoded again by a new copy of the model and compared with the text.

  - ``gzip``, ``bzip2``, ``xz``: of the standard library, at their best setting; xz without the
    header of a file.
  - ``xz_after_novels``: xz of the five other novels with the chapter, less xz of the five alone.
  - ``adaptive``: bytes after 0 to 4 bytes of context, counted while reading, from nothing.
  - ``ngram``: bytes after 0 to 6 bytes of context, counted in the five other novels.
  - ``model``: SmolLM2-135M-Instruct, from its token ``<|endoftext|>``, which also ends the message.
"""

import bz2
import gzip
import lzma
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import NOVELS, START, austen, austen_chapter
from primer_ref import llama
from primer_ref.coding import decode, encode, quantize
from primer_ref.functional import softmax
from primer_ref.ngram import fit_ngrams, interpolate

Floats = NDArray[np.floating[Any]]
Predictor = Callable[[Sequence[int]], Floats]

END = 256  # the symbol after all bytes


def adaptive_bytes(*, order: int = 4, strength: float = 8.0) -> Predictor:
    """Make a model that starts from nothing and counts while it reads."""
    counts: defaultdict[bytes, NDArray[np.int64]] = defaultdict(
        lambda: np.zeros(END + 1, dtype=np.int64)
    )
    counted = 0

    def predict(prefix: Sequence[int]) -> Floats:
        nonlocal counted
        for t in range(counted, len(prefix)):
            for k in range(min(order, t) + 1):
                counts[bytes(prefix[t - k : t])][prefix[t]] += 1
        counted = t = len(prefix)
        p: Floats = np.full(END + 1, 1 / (END + 1))
        for k in range(min(order, t) + 1):
            seen = counts[bytes(prefix[t - k : t])]
            p = interpolate(seen, seen.sum(), p, strength)
        return p

    return predict


def real_model(model: llama.Model, start: int, capacity: int) -> Predictor:
    """Make the real model predict one token after the other."""
    cache = llama.KVCache(model.config, capacity)

    def predict(prefix: Sequence[int]) -> Floats:
        # One token a step, also where several are known: in other steps the sums would be rounded
        # differently, and the decoder would part from the encoder.
        token = prefix[-1] if prefix else start
        return softmax(llama.forward(model, [token], cache, last=True).astype(np.float64))

    return predict


def code(message: list[int], make: Callable[[], Predictor]) -> dict[str, Any]:
    """Encode a message, which ends with its end symbol; decode it with a new copy of the model."""
    encoder, decoder = make(), make()
    ideal_bits = 0.0

    def watched(prefix: Sequence[int]) -> NDArray[np.int64]:
        nonlocal ideal_bits
        p = encoder(prefix)
        ideal_bits -= math.log2(p[message[len(prefix)]])
        return quantize(p)

    bits = encode(message, watched)
    if decode(bits, lambda prefix: quantize(decoder(prefix)), end=message[-1]) != message:
        raise RuntimeError("the message did not survive its code")
    return {"bytes": math.ceil(len(bits) / 8), "bits": len(bits), "ideal_bits": ideal_bits}


def general_purpose(text: bytes, before: bytes) -> dict[str, dict[str, Any]]:
    """Sizes under the compressors of the standard library."""

    def xz(data: bytes) -> int:
        filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME}]
        return len(lzma.compress(data, lzma.FORMAT_RAW, filters=filters))

    return {
        "gzip": {"bytes": len(gzip.compress(text, 9, mtime=0))},
        "bzip2": {"bytes": len(bz2.compress(text, 9))},
        "xz": {"bytes": xz(text)},
        "xz_after_novels": {"bytes": xz(before + text) - xz(before)},
    }


def measure(model: llama.Model | None, *, n_bytes: int | None = None) -> dict[str, Any]:
    """Compress the chapter, or its first bytes, with all that is there (the model if given)."""
    text = austen_chapter("persuasion", 1).encode()[:n_bytes]
    novels = [austen(name).encode() for name in NOVELS if name != "persuasion"]
    compressors = general_purpose(text, b"".join(novels))
    compressors["adaptive"] = code([*text, END], adaptive_bytes)
    ngrams = fit_ngrams([list(novel) for novel in novels], n_symbols=END, order=6, strength=32)
    compressors["ngram"] = code([*text, END], lambda: ngrams.distribution)
    result: dict[str, Any] = {"bytes": len(text)}
    if model is not None:
        tokens = model.tokenizer.encode(text.decode())
        end = model.tokenizer.specials[START]
        compressors["model"] = code([*tokens, end], lambda: real_model(model, end, len(tokens) + 1))
        result["tokens"] = len(tokens)
    for row in compressors.values():
        row["bits_per_byte"] = 8 * row["bytes"] / len(text)
    return {**result, "compressors": compressors}


def main() -> None:
    """Measure everything and store it; ten minutes on two cores."""
    path = llama.find_model()
    record.save(
        "compression",
        measure(llama.load(path)),
        command="python -m experiments.compression",
        seed=None,
        model=path,
    )


if __name__ == "__main__":
    main()
