"""Masking is not conditioning: how far apart they are for small languages, computed exactly.

A mask lets every token through after which a text of the language is still possible; conditioning
weights it by the chance that the model would finish one. Below, c is the conditional law of a text
and m the masked one. Result::

    characters, order, longest  of the letter model: it is fitted to the words in so many characters
                    of Emma and looks back at so many letters; the most letters that a word may have
                    under the conditional law
    letters         list, one entry a language:
        pattern         the language
        valid           probability that the letter model alone writes a word of it in time
        kl              sum over words of c log(c / m), nats
        finished        probability that a masked word ends within ``longest`` letters
        likely          the words most probable under c: word, c, m
    colors          the same for the real model and the names of five colors, over all ways to
                    spell them in tokens; the questions are users' turns in ChatML, and the end is
                    ``<|im_end|>``: list, one entry a question
        question, expected  the color that is right
        paths           number of ways to spell the colors
        valid           as above
        kl, distance    divergence, as above, and total variation distance, over the paths
        words           the colors; conditional and masked, their probabilities
        first_conditional, first_masked     the law of the first token: text and probability of the
                        four most probable
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.constrained_generation import chat, make_tokens
from experiments.texts import austen
from primer_ref import llama
from primer_ref.automata import compile_pattern
from primer_ref.conditioning import (
    Chain,
    conditional_distribution,
    future_validity,
    masked_distribution,
    ngram_chain,
)
from primer_ref.constrained import TokenAutomaton
from primer_ref.corpus import words
from primer_ref.decoding import restrict
from primer_ref.functional import softmax
from primer_ref.information import kl_divergence
from primer_ref.ngram import fit_ngrams, letters27

NAME = "mask_conditioning"
ORDER = 2
LONGEST = 8
CHARACTERS = 200_000
LANGUAGES = (
    "[a-z]{1,5}ing",
    "[a-z]{2}e[a-z]{2}",
    "[^aeiou]*[aeiou][^aeiou]*",
    "[b-df-hj-np-tv-z]+",
)
COLORS = ("red", "green", "blue", "black", "white")
QUESTIONS = (
    ("What color is the sky on a clear day? Reply with one lowercase word.", "blue"),
    ("What color is fresh snow? Reply with one lowercase word.", "white"),
    ("What color is grass in spring? Reply with one lowercase word.", "green"),
    ("What color is coal? Reply with one lowercase word.", "black"),
)

Floats = NDArray[np.floating[Any]]


def word_chain() -> Chain:
    """Letter model of the words of Emma's beginning; its tokens are space, a to z, and the end."""
    novel = [letters27(word) for word in words(austen("emma")[:CHARACTERS])]
    return ngram_chain(fit_ngrams(novel, n_symbols=27, order=ORDER, strength=1))


def letter_tokens(pattern: str) -> TokenAutomaton:
    """Make the automaton of a language over the tokens of `word_chain`."""
    letters = [bytes([byte]) for byte in range(ord("a"), ord("z") + 1)]
    return TokenAutomaton(compile_pattern(pattern), [b" ", *letters, b""], end=27)


def compare_laws(chain: Chain, pattern: str, longest: int, n_likely: int = 5) -> dict[str, Any]:
    """Compare masking with exact conditioning, going forward over contexts and states."""
    tokens = letter_tokens(pattern)
    future = future_validity(chain, tokens, length=longest)
    kl = finished = 0.0
    # Probability, under either law, of being in each context and state after so many letters.
    now: dict[tuple[int, int], NDArray[np.float64]] = {(0, 0): np.ones(2)}
    for left in range(longest, -1, -1):
        later: dict[tuple[int, int], NDArray[np.float64]] = defaultdict(lambda: np.zeros(2))
        for (context, state), mass in now.items():
            masked = masked_distribution(chain, tokens, context=context, state=state)
            law = np.zeros_like(masked)
            if future[left, context, state] > 0:
                law = conditional_distribution(
                    chain, tokens, future, context=context, state=state, left=left
                )
            if law.any():
                kl += mass[0] * float(kl_divergence(law, masked))
            finished += mass[1] * masked[tokens.end]
            for v in np.flatnonzero(masked[:-1]).tolist():
                place = int(chain.follow[context, v]), tokens.advance(state, v)
                later[place] += mass * (law[v], masked[v])
        now = later
    likely = sorted(valid_words(chain, tokens, future), key=lambda one: -one[1])[:n_likely]
    return {
        "pattern": pattern,
        "valid": future[longest, 0, 0],
        "kl": kl,
        "finished": finished,
        "likely": likely,
    }


def valid_words(
    chain: Chain, tokens: TokenAutomaton, future: Floats, least: float = 1e-3
) -> Iterator[tuple[str, float, float]]:
    """Go through the words of conditional probability above ``least``, with both laws."""
    stack: list[tuple[str, int, int, float, float]] = [("", 0, 0, 1.0, 1.0)]
    while stack:
        word, context, state, c, m = stack.pop()
        left = len(future) - 1 - len(word)
        law = conditional_distribution(
            chain, tokens, future, context=context, state=state, left=left
        )
        masked = masked_distribution(chain, tokens, context=context, state=state)
        if c * law[-1] > least:
            yield word, c * float(law[-1]), m * float(masked[-1])
        for v in np.flatnonzero(c * law[:-1] > least).tolist():
            place = int(chain.follow[context, v]), tokens.advance(state, v)
            onward = c * float(law[v]), m * float(masked[v])
            stack.append((word + chr(ord("a") + v - 1), *place, *onward))


def spellings(
    model: llama.Model, tokens: TokenAutomaton, prompt: Sequence[int], longest: int
) -> Iterator[tuple[list[int], float, float]]:
    """Go through all token paths of a finite language: tokens, the model's law, the masked one."""
    cache = llama.KVCache(model.config, len(prompt) + longest)
    first = softmax(llama.forward(model, prompt, cache, last=True).astype(np.float64))
    stack: list[tuple[list[int], int, float, float]] = [([], 0, 1.0, 1.0)]
    while stack:
        path, state, p, m = stack.pop()
        law = first
        if path:
            cache.length[...] = len(prompt) + len(path) - 1  # what was read after this is forgotten
            law = softmax(llama.forward(model, path[-1:], cache, last=True).astype(np.float64))
        masked = restrict(law, tokens.allowed(state))
        for token in np.flatnonzero(masked).tolist():
            onward = p * float(law[token]), m * float(masked[token])
            if token == tokens.end:
                yield path, *onward
            else:
                # The stack goes depth first, so the cache holds all of a path but its last token.
                stack.append(([*path, token], tokens.advance(state, token), *onward))


def compare_colors(
    model: llama.Model, question: str, expected: str, colors: Sequence[str]
) -> dict[str, Any]:
    """Compare the laws of the real model on a language of few words."""
    tokens = make_tokens(model, "|".join(colors))
    longest = max(map(len, colors))
    paths = list(spellings(model, tokens, chat(model, question), longest))
    p, m = (np.array([path[i] for path in paths], dtype=np.float64) for i in (1, 2))
    c = p / p.sum()
    spelled = [model.tokenizer.decode(path) for path, _, _ in paths]
    laws = {
        name: [
            sum(one for one, text in zip(law, spelled, strict=True) if text == color)
            for color in colors
        ]
        for name, law in (("conditional", c), ("masked", m))
    }
    firsts = {
        name: first_tokens(model, paths, law)
        for name, law in (("first_conditional", c), ("first_masked", m))
    }
    return {
        "question": question,
        "expected": expected,
        "paths": len(paths),
        "valid": p.sum(),
        "kl": kl_divergence(c, m),
        "distance": np.abs(c - m).sum() / 2,
        "words": list(colors),
        **laws,
        **firsts,
    }


def first_tokens(
    model: llama.Model, paths: Sequence[tuple[list[int], float, float]], law: Floats
) -> list[tuple[str, float]]:
    """Law of the first token, the most probable four."""
    firsts: dict[str, float] = defaultdict(float)
    for (path, _, _), probability in zip(paths, law.tolist(), strict=True):
        firsts[model.tokenizer.decode(path[:1])] += probability
    return sorted(firsts.items(), key=lambda one: -one[1])[:4]


def measure(*, longest: int = LONGEST, n_questions: int = len(QUESTIONS)) -> dict[str, Any]:
    """Compare the laws for all languages.

    Parameters
    ----------
    longest : int
        Most letters of a word.
    n_questions : int
        Number of questions about colors.

    Returns
    -------
    dict
        The fields described above.
    """
    model, chain = llama.load(), word_chain()
    questions = record.progress(QUESTIONS[:n_questions], NAME)
    return {
        "characters": CHARACTERS,
        "order": ORDER,
        "longest": longest,
        "letters": [compare_laws(chain, pattern, longest) for pattern in LANGUAGES],
        "colors": [compare_colors(model, *question, COLORS) for question in questions],
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.mask_conditioning",
        seed=None,
        model=llama.find_model(),
    )


if __name__ == "__main__":
    main()
