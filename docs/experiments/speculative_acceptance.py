"""Speculative decoding of the real model with drafts by n-grams and by its own earlier layers.

The costly law p is the real model's at temperature 1. Drafts come from laws q of two kinds: an
n-gram model of ``order`` over the same tokens, fitted to five novels by Jane Austen, and *early
exits*, where the output of layer ℓ (1 is the first) is unembedded as if it were the last. Prompts
are ``prompt`` tokens of the sixth novel, Persuasion, after ``<|endoftext|>``. Result::

    start, prompt, length, gamma, exit (its layer), longest
    ngram           order; strength, chosen by the loss on the fifth novel of a model of the first
                    four; losses, for each strength tried, nats a token
    runs            for "ngram" and one early exit, decoding with ``gamma`` drafted tokens a step
                    until ``length`` tokens are written:
        prompts, steps, drafted, accepted       numbers of them; every step drafts ``gamma``
        by_place    for the drafted tokens of a step one after another, those checked, those
                    accepted, and the exact 95 % interval of their share (value, low, high)
        alpha       accepted over checked, the rate if all were alike
        tokens      mean number of tokens a step, with its interval over steps
        formula     (1 - alpha^(gamma+1)) / (1 - alpha) at that alpha
    texts           the first ``length`` tokens of each run with the n-gram, without the prompt:
                    draws from p itself, because the method is exact
    first_chances   the chance of acceptance of the exit's drafts along the first of these texts
    drafts          list, "ngram" and then the exits, on these texts:
        draft, layer            layer is null for the n-gram
        alpha                   mean over tokens of sum_v min(p_v, q_v): the chance that a draft
                                is accepted there; interval by resampling the texts
        spread                  standard deviation of these chances over tokens
        neighbors               correlation of the chance at a token with that at the next one;
                                interval by resampling the texts
        after_acceptance        chance that a draft is accepted, given that the one before was
        tokens                  mean number of tokens a step yields, for 1 to ``longest`` drafted:
                                1 + sum_i E[prod_{j<=i} min(1, q/p)], where the mean over accepted
                                drafts is turned into one over texts from p; over all starts in a
                                text that leave room for ``longest``
        formula                 the same if acceptance were independent, from alpha
        excess                  tokens less formula at ``longest``; interval by resampling texts
        cost                    weights read for a draft over those read for p; 0 for the n-gram
        best_gamma, speedup     by the formulas, at that cost and alpha; null for the n-gram, whose
                                speedup has no best length at cost 0
    exact           two tokens written again and again with one drafted token (``draws`` times), all
                    laws cut to the ``support`` tokens most probable at the first place: tokens,
                    their texts; acceptance, the chance that the first draft is accepted; observed
                    counts and expected ones, by first and second token; chi_squared, whose mean
                    over draws from the expected law is ``support``² - 1 (some pairs are too rare
                    for the limiting law of that many degrees of freedom); worst, the largest
                    difference over all tokens of all texts between p and
                    min(p, q) + (1 - alpha) residual
    machine         cores; seconds of one run of p on one token, of p on gamma + 1 tokens, of the
                    n-gram, of the exit; for the two drafts the speedup that the formula predicts
                    from these times, and the one with checking at its measured time
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from experiments.texts import NOVELS, START, austen
from primer_ref import llama
from primer_ref.decoding import restrict, sample
from primer_ref.functional import softmax
from primer_ref.intervals import bootstrap_interval, exact_interval, mean_interval
from primer_ref.ngram import NgramModel, fit_ngrams
from primer_ref.speculative import (
    acceptance_rate,
    best_gamma,
    expected_tokens,
    residual,
    speculative_step,
    speedup,
)

NAME = "speculative_acceptance"
SEED = 13
ORDER = 2
STRENGTHS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)
EXIT = 28
EXITS = (5, 10, 15, 20, 24, 26, 27, 28, 29)
GAMMA = 4
LONGEST = 8
SUPPORT = 6

Floats = NDArray[np.floating[Any]]
Law = Callable[[Sequence[int], llama.KVCache], Floats]


def fit_draft(model: llama.Model) -> tuple[NgramModel, dict[str, Any]]:
    """Fit the n-gram model to five novels, its strength chosen on the fifth."""
    novels = [model.tokenizer.encode(austen(name)) for name in NOVELS[:5]]
    n_tokens = model.config.n_tokens
    trial = fit_ngrams(novels[:4], n_symbols=n_tokens, order=ORDER, strength=1)
    losses = {s: -replace(trial, strength=s).log_probs(novels[4]).mean() for s in STRENGTHS}
    strength = min(losses, key=losses.__getitem__)
    fitted = fit_ngrams(novels, n_symbols=n_tokens, order=ORDER, strength=strength)
    return fitted, {"order": ORDER, "strength": strength, "losses": losses}


def ngram_law(ngram: NgramModel, text: Sequence[int]) -> Floats:
    """Law of the next token by the n-gram model, given that the text goes on."""
    p = ngram.distribution(text)[:-1]
    law: Floats = p / p.sum()
    return law


def exit_law(model: llama.Model, layer: int, text: Sequence[int], cache: llama.KVCache) -> Floats:
    """Law of the next token by the first layers alone; the cache holds a beginning of the text."""
    layers = llama.blocks(model, text[int(cache.length) :], cache)
    hidden = next(islice(layers, layer - 1, None)).hidden
    cache.length[...] = len(text)  # the layers that were left out would have set it
    return laws(llama.unembed(model, hidden[-1]))


def laws(logits: Floats) -> Floats:
    """Laws of the next token, in float64."""
    return softmax(logits.astype(np.float64))


def prompts(model: llama.Model, count: int, size: int) -> list[list[int]]:
    """Draw prompts from the sixth novel, each from the start of a paragraph."""
    rng, novel = np.random.default_rng(SEED), austen(NOVELS[5])
    drawn = []
    for somewhere in rng.integers(len(novel) // 10, len(novel) * 9 // 10, count).tolist():
        at = novel.index("\n\n", somewhere)
        text = " ".join(novel[at : at + 20 * size].split())
        drawn.append([model.tokenizer.specials[START], *model.tokenizer.encode(text)[:size]])
    return drawn


def decode(
    model: llama.Model,
    draft: Law,
    prompt: Sequence[int],
    *,
    length: int,
    gamma: int,
    rng: np.random.Generator,
) -> tuple[list[int], list[int]]:
    """Write by speculation: the text after the prompt, and how many tokens each step yielded."""
    text, steps = list(prompt), []
    capacity = len(prompt) + length + 2 * gamma + 2
    checked = llama.KVCache(model.config, capacity)
    cheap = llama.KVCache(model.config, capacity)
    llama.forward(model, text[:-1], checked, last=True)
    while len(text) < len(prompt) + length:
        drafted: list[int] = []
        q = []
        for _ in range(gamma):
            q.append(draft([*text, *drafted], cheap))
            drafted.append(int(sample(q[-1], rng=rng)))
        p = laws(llama.forward(model, [text[-1], *drafted], checked))
        text += (new := speculative_step(p, q, drafted, rng=rng))
        steps.append(len(new))
        # What was drafted in vain is forgotten; the newest token has been read by neither.
        checked.length[...] = len(text) - 1
        cheap.length[...] = min(int(cheap.length), len(text) - 1)
    return text[len(prompt) :], steps


def by_place(steps: Sequence[int], gamma: int) -> list[dict[str, Any]]:
    """Count the drafted tokens that were checked and accepted, one place after another."""
    n = np.array(steps)
    rows = []
    for place in range(gamma):
        checked, accepted = int(np.sum(n > place)), int(np.sum(n > place + 1))
        share = asdict(exact_interval(accepted, checked)) if checked else None
        rows.append({"checked": checked, "accepted": accepted, "share": share})
    return rows


def summarize_run(runs: Sequence[Sequence[int]], gamma: int) -> dict[str, Any]:
    """Pool the steps of all prompts."""
    steps = [n for run in runs for n in run]
    rows = by_place(steps, gamma)
    accepted = sum(row["accepted"] for row in rows)
    alpha = accepted / sum(row["checked"] for row in rows)
    return {
        "prompts": len(runs),
        "steps": len(steps),
        "drafted": gamma * len(steps),
        "accepted": accepted,
        "by_place": rows,
        "alpha": alpha,
        "tokens": asdict(mean_interval(np.array(steps, dtype=np.float64))),
        "formula": expected_tokens(alpha, gamma=gamma),
    }


def score(p: Floats, q: Floats, tokens: Sequence[int]) -> dict[str, Any]:
    """Chance of acceptance at each token, and the ratio min(1, q/p) of the token that came."""
    own = np.arange(len(tokens)), np.array(tokens)
    return {"chance": acceptance_rate(p, q), "ratio": np.minimum(1, q[own] / p[own])}


def exactness(p: Floats, q: Floats) -> float:
    """Largest difference between p and the law of a token after one drafted token is checked."""
    rate = acceptance_rate(p, q)[:, None]
    written = np.minimum(p, q) + (1 - rate) * residual(p, q)
    return float(np.abs(written - p).max())


def score_text(
    model: llama.Model, ngram: NgramModel, prompt: Sequence[int], tokens: Sequence[int]
) -> dict[str, Any]:
    """Score all drafts on one text that was drawn from the model."""
    text, start = [*prompt, *tokens], len(prompt) - 1
    hidden = [block.hidden[start:] for block in llama.blocks(model, text[:-1])]
    p = laws(llama.unembed(model, hidden[-1]))
    q = np.array([ngram_law(ngram, text[:t]) for t in range(len(prompt), len(text))])
    exits = [score(p, laws(llama.unembed(model, hidden[n - 1])), tokens) for n in EXITS]
    return {"drafts": [score(p, q, tokens), *exits], "worst": exactness(p, q)}


def mean_tokens(ratios: Floats, longest: int) -> Floats:
    """Mean number of tokens a step yields, for 1 to ``longest`` drafted; ratios (texts, T)."""
    windows = np.lib.stride_tricks.sliding_window_view(ratios, longest, axis=1)
    runs: Floats = 1 + np.cumsum(np.cumprod(windows, axis=-1).mean((0, 1)))
    return runs


def neighbor_correlation(chances: Floats) -> float:
    """Correlation of each entry with the next in its row; rows (texts, T)."""
    return float(np.corrcoef(chances[:, :-1].ravel(), chances[:, 1:].ravel())[0, 1])


def summarize_draft(
    chances: Floats, ratios: Floats, cost: float, longest: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Pool all texts for one draft; chances and ratios (texts, T)."""

    def excess(both: Floats) -> float:
        tokens = mean_tokens(both[:, 1], longest)[-1]
        return float(tokens) - expected_tokens(float(both[:, 0].mean()), gamma=longest)

    alpha = float(chances.mean())
    both = np.stack([chances, ratios], axis=1)  # (texts, 2, T)
    return {
        "alpha": asdict(bootstrap_interval(chances, lambda x: float(x.mean()), rng=rng)),
        "spread": chances.std(),
        "neighbors": asdict(bootstrap_interval(chances, neighbor_correlation, rng=rng)),
        "after_acceptance": (ratios[:, :-1] * chances[:, 1:]).mean() / ratios[:, :-1].mean(),
        "tokens": mean_tokens(ratios, longest),
        "formula": [expected_tokens(alpha, gamma=n) for n in range(1, longest + 1)],
        "excess": asdict(bootstrap_interval(both, excess, rng=rng)),
        "cost": cost,
        "best_gamma": best_gamma(alpha, cost=cost) if cost else None,
        "speedup": speedup(alpha, gamma=best_gamma(alpha, cost=cost), cost=cost) if cost else None,
    }


def exit_cost(model: llama.Model, layer: int) -> float:
    """Weights read for one token by the first layers, over those read by all."""
    sizes = [
        sum(part.size for part in (one.qkv, one.output, one.gate_up, one.down))
        for one in model.weights.layers
    ]
    unembedding = model.weights.embedding.size
    return (sum(sizes[:layer]) + unembedding) / (sum(sizes) + unembedding)


def two_tokens(
    p_first: Floats, p_second: Floats, q_first: Floats, draws: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Count pairs written with one drafted token; laws (S,), (S, S) by first token, and (S,)."""
    counts = np.zeros(p_second.shape, np.int64)
    for drafted in sample(np.broadcast_to(q_first, (draws, len(q_first))), rng=rng).tolist():
        p = np.stack([p_first, p_second[drafted]])
        text = speculative_step(p, q_first[None], [drafted], rng=rng)
        if len(text) == 1:  # the draft was rejected: the next step drafts nothing
            text += speculative_step(p_second[text], np.empty((0, len(p_first))), [], rng=rng)
        counts[text[0], text[1]] += 1
    return counts


def measure_exact(
    model: llama.Model, ngram: NgramModel, prompt: Sequence[int], draws: int
) -> dict[str, Any]:
    """Write two tokens many times and compare with the law of the real model."""
    whole = laws(llama.forward(model, prompt, last=True))
    likely = np.sort(np.argsort(-whole)[:SUPPORT])
    keep = np.isin(np.arange(len(whole)), likely)
    first = restrict(whole, keep)[likely]
    after = [laws(llama.forward(model, [*prompt, token], last=True)) for token in likely.tolist()]
    second = restrict(np.array(after), keep)[:, likely]
    draft = restrict(ngram_law(ngram, prompt), keep)[likely]
    observed = two_tokens(first, second, draft, draws, np.random.default_rng(SEED))
    expected = draws * first[:, None] * second
    return {
        "support": SUPPORT,
        "tokens": [model.tokenizer.decode([token]) for token in likely.tolist()],
        "acceptance": acceptance_rate(first, draft),
        "draws": draws,
        "observed": observed,
        "expected": expected,
        "chi_squared": np.sum((observed - expected) ** 2 / expected),
    }


def seconds(action: Callable[[], object], repeats: int = 5) -> float:
    """Median time of an action."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        action()
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


def measure_times(
    model: llama.Model, ngram: NgramModel, prompt: Sequence[int], alphas: Sequence[float]
) -> dict[str, Any]:
    """Time the parts of a step, and what the formula makes of it, for n-gram and exit."""
    cache = llama.KVCache(model.config, len(prompt) + GAMMA + 1)
    llama.forward(model, prompt, cache, last=True)

    def run(count: int) -> None:
        cache.length[...] = len(prompt)
        llama.forward(model, prompt[:count], cache)

    def early() -> None:
        cache.length[...] = len(prompt)
        exit_law(model, EXIT, [*prompt, prompt[-1]], cache)

    single, check = seconds(lambda: run(1)), seconds(lambda: run(GAMMA + 1))
    drafts = (seconds(lambda: ngram_law(ngram, prompt)), seconds(early))
    yields = [expected_tokens(alpha, gamma=GAMMA) for alpha in alphas]
    pairs = list(zip(alphas, drafts, strict=True))
    return {
        "cores": record.cores(),
        "single": single,
        "check": check,
        "ngram": drafts[0],
        "exit": drafts[1],
        "predicted": [speedup(alpha, gamma=GAMMA, cost=one / single) for alpha, one in pairs],
        "with_checking": [
            tokens * single / (GAMMA * one + check)
            for tokens, one in zip(yields, drafts, strict=True)
        ],
    }


def measure(
    *,
    n_prompts: int = 12,
    n_exit_prompts: int = 6,
    size: int = 24,
    length: int = 48,
    draws: int = 20_000,
) -> dict[str, Any]:
    """Measure all drafts.

    Parameters
    ----------
    n_prompts, n_exit_prompts : int
        Number of prompts, and how many of them are also decoded with the early exit.
    size, length : int
        Tokens of a prompt, and of what is written after it; at least ``LONGEST``.
    draws : int
        How often two tokens are written to check the law.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    ngram, choice = fit_draft(model)
    begun = prompts(model, n_prompts, size)
    drafts: dict[str, Law] = {
        "ngram": lambda text, _: ngram_law(ngram, text),
        "exit": lambda text, cache: exit_law(model, EXIT, text, cache),
    }

    def run(item: tuple[str, int, int, int]) -> dict[str, Any]:
        name, number, _, longest = item
        rng = np.random.default_rng([SEED, number, list(drafts).index(name)])
        text, steps = decode(
            model, drafts[name], begun[number], length=longest, gamma=GAMMA, rng=rng
        )
        found: dict[str, Any] = {"tokens": text[:longest], "steps": steps}
        if name == "ngram":
            found |= score_text(model, ngram, begun[number], found["tokens"])
        return found

    items = [
        (name, number, size, length)
        for name, count in (("ngram", n_prompts), ("exit", n_exit_prompts))
        for number in range(count)
    ]
    done = record.parts(NAME, items, run)
    by_ngram, by_exit = done[:n_prompts], done[n_prompts:]
    rows = []
    rng = np.random.default_rng(SEED)
    for number, layer in enumerate((None, *EXITS)):
        scores = [text["drafts"][number] for text in by_ngram]
        chances = np.array([one["chance"] for one in scores])
        ratios = np.array([one["ratio"] for one in scores])
        cost = exit_cost(model, layer) if layer else 0.0
        rows.append(
            {
                "draft": "exit" if layer else "ngram",
                "layer": layer,
                **summarize_draft(chances, ratios, cost, LONGEST, rng),
            }
        )
    runs = {
        "ngram": summarize_run([one["steps"] for one in by_ngram], GAMMA),
        "exit": summarize_run([one["steps"] for one in by_exit], GAMMA),
    }
    worst = max(one["worst"] for one in by_ngram)
    alphas = [runs["ngram"]["alpha"], runs["exit"]["alpha"]]
    return {
        "start": START,
        "prompt": size,
        "length": length,
        "gamma": GAMMA,
        "exit": EXIT,
        "longest": LONGEST,
        "ngram": choice,
        "runs": runs,
        "texts": [one["tokens"] for one in by_ngram],
        "first_chances": by_ngram[0]["drafts"][1 + EXITS.index(EXIT)]["chance"],
        "drafts": rows,
        "exact": {**measure_exact(model, ngram, begun[0], draws), "worst": worst},
        "machine": measure_times(model, ngram, begun[0], alphas),
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.speculative_acceptance",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
