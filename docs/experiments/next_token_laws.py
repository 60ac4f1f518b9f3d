"""The real model's laws of the next token after four texts, small enough to be drawn in a page.

Each text stands after ``<|endoftext|>``. Tokens are ordered by falling probability and cut into
blocks: the first ``SINGLE`` tokens are blocks of one, later blocks grow by a factor. A block's
tokens are given its mean probability. Result::

    start           the token before each text
    edges           number of tokens before each block, and V at the end
    laws            list, one a text:
        text
        words       text of each of the first ``SHOWN`` tokens
        p           mean probability of a token of each block
        entropy     of the model's law, nats
        coarse      of the law that is constant on blocks, nats

The laws are computed in float32, then normalized and averaged in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import START
from primer_ref import llama
from primer_ref.functional import softmax
from primer_ref.information import entropy

NAME = "next_token_laws"
SINGLE = 50
SHOWN = 20
GROWTH = 1.15
TEXTS = (
    "The lighthouse keeper had not spoken to anyone for three weeks when",
    "The capital of France is",
    "Two plus two equals",
    "Once upon a time, there was a",
)


def block_edges(size: int) -> list[int]:
    """Cut ranks 0 to size: single ones first, then blocks that grow."""
    edges = list(range(min(SINGLE, size) + 1))
    while edges[-1] < size:
        edges.append(min(size, math.ceil(GROWTH * edges[-1])))
    return edges


def block_means(p: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Average a law over its blocks, largest probabilities first."""
    edges = block_edges(len(p))
    sums = np.add.reduceat(np.sort(p)[::-1], edges[:-1])
    return np.asarray(sums / np.diff(edges), np.float64)


def measure_law(model: llama.Model, text: str) -> dict[str, Any]:
    """Measure the law after one text."""
    tokenizer = model.tokenizer
    tokens = [tokenizer.specials[START], *tokenizer.encode(text)]
    p = softmax(llama.forward(model, tokens, last=True).astype(np.float64))
    means = block_means(p)
    first = np.argsort(-p, kind="stable")[:SHOWN].tolist()
    return {
        "text": text,
        "words": [tokenizer.decode([token]) for token in first],
        "p": means,
        "entropy": entropy(p),
        "coarse": entropy(np.repeat(means, np.diff(block_edges(len(p))))),
    }


def measure(texts: tuple[str, ...] = TEXTS) -> dict[str, Any]:
    """Measure the law after each text.

    Parameters
    ----------
    texts : tuple of str
        What the model reads.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    laws = [measure_law(model, text) for text in texts]
    return {"start": START, "edges": block_edges(model.config.n_tokens), "laws": laws}


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command=f"python -m experiments.{NAME}",
        seed=None,
        model=llama.find_model(),
    )


if __name__ == "__main__":
    main()
