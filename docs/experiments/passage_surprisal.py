"""Surprisal and next-token entropy of the real model along four passages.

Every passage is preceded by ``<|endoftext|>``, which separates documents, so that its first
token has a surprisal too. Result::

    passages: list of
        name            "persuasion", the opening of Jane Austen's novel; "modern", written for
                        the book; "backwards", its words from last to first; "twice", it and it
        start           text of the token before the passage
        tokens          text of each token
        surprisal       of each token, in nats
        entropy         of the model's distribution of that token before it is seen, in nats
        rank            of the token in that distribution; 1 is the most probable
        mean_surprisal, mean_entropy    in nats a token
        bytes           length of the passage in UTF-8
        bits_per_byte   total surprisal in bits, over the bytes
        perplexity      exp(mean_surprisal)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments import record
from experiments.logit_lens import ranks
from experiments.texts import START, austen
from primer_ref import llama
from primer_ref.functional import softmax
from primer_ref.information import bits_per_byte, entropy, perplexity
from primer_ref.losses import token_losses

NAME = "passage_surprisal"
MODERN = (
    "The train was late again, so I opened my laptop and tried to finish the report before the "
    "meeting. Halfway through, the battery died. I closed the lid, looked out of the window and "
    "counted the cows until we reached the city, where nobody had missed me."
)


def opening() -> str:
    """Read the novel from its first words to its first colon, on one line.

    Returns
    -------
    str
        The text.
    """
    novel = austen("persuasion")
    start = novel.index("Sir Walter Elliot")
    return " ".join(novel[start : novel.index(":", start) + 1].split())


def measure_passage(model: llama.Model, name: str, text: str) -> dict[str, Any]:
    """Measure one passage.

    Parameters
    ----------
    model : Model
        The model.
    name, text : str
        The passage.

    Returns
    -------
    dict
        The fields described above.
    """
    tokens = np.array(model.tokenizer.encode(text))
    start = model.tokenizer.specials[START]
    logits = llama.forward(model, [start, *tokens[:-1]]).astype(np.float64)  # (T, V)
    surprisal, entropies = token_losses(logits, tokens), entropy(softmax(logits))
    n_bytes = len(text.encode())
    return {
        "name": name,
        "start": START,
        "tokens": [model.tokenizer.decode([token]) for token in tokens],
        "surprisal": surprisal,
        "entropy": entropies,
        "rank": ranks(logits, tokens),
        "mean_surprisal": surprisal.mean(),
        "mean_entropy": entropies.mean(),
        "bytes": n_bytes,
        "bits_per_byte": bits_per_byte(-surprisal, n_bytes),
        "perplexity": perplexity(-surprisal),
    }


def measure() -> dict[str, Any]:
    """Measure all passages.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    texts = {
        "persuasion": opening(),
        "modern": MODERN,
        "backwards": " ".join(reversed(MODERN.split())),
        "twice": f"{MODERN} {MODERN}",
    }
    items = record.progress(list(texts.items()), NAME)
    return {"passages": [measure_passage(model, name, text) for name, text in items]}


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.passage_surprisal",
        seed=None,
        model=llama.find_model(),
    )


if __name__ == "__main__":
    main()
