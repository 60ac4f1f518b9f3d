"""Constrained generation with the real model: how often it is valid with the mask and without.

Each request is a user's turn in ChatML, to which the model replies until ``<|im_end|>`` or
``limit`` tokens, greedily and by a draw at temperature 1, with the mask of its language and free.
A reply is *valid* if it is, as a whole, in the language: judged by Python's ``json`` or ``re``, not
by the automaton. Shares come with exact 95 % intervals (value, low, high). Result::

    limit, requests     limit by language, and the requests by language
    kinds               for "date" (year-month-day), "decimal" (with a point), "identifier" (small
                        letters, digits, underscores) and "json" (nested at most twice):
        states              of the automaton
        masked, free        valid and replies, numbers; share, interval
        contains            number of free replies with a valid part (for json: a bracketed one)
        right_masked, right_free    replies that are, or contain, the expected answer; null where
                            the request has none
        expected            replies to requests with an expected answer; null as above
    all                 masked and free, all languages together
    calendar            masked dates that exist, and how many there are
    replies             list: kind, request (its number), decoding ("greedy" or "sampled"), masked,
                        text, tokens (how many), ended (false if the limit came first), valid; for
                        masked ones kept, the model's probability of the allowed tokens at each
                        step, allowed, the number of them, overruled, how many steps had their most
                        probable token ruled out
    mask                over all steps of the masked replies: kept_first, kept_later (mean at the
                        first step of a reply and at the others), allowed_median, overruled (share)
    machine             cores; seconds to build each automaton with the vocabulary; milliseconds of
                        a mask for a new state, of one for a known state, of a run of the model
"""

from __future__ import annotations

import datetime
import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments import record
from primer_ref import llama
from primer_ref.automata import compile_pattern
from primer_ref.constrained import (
    TokenAutomaton,
    constrained_choice,
    json_pattern,
    vocabulary_bytes,
)
from primer_ref.decoding import sample
from primer_ref.functional import softmax
from primer_ref.intervals import exact_interval

NAME = "constrained_generation"
SEED = 14
DECODINGS = ("greedy", "sampled")
PATTERNS = {
    "date": r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])",
    "decimal": r"-?(?:0|[1-9]\d*)\.\d+",
    "identifier": "[a-z_][a-z0-9_]*",
    "json": json_pattern(2),
}
LIMITS = {"date": 16, "decimal": 16, "identifier": 24, "json": 40}
# Each with the expected answer, or None.
REQUESTS: dict[str, tuple[tuple[str, str | None], ...]] = {
    "date": (
        ("On what date did people first land on the Moon? Reply as YYYY-MM-DD.", "1969-07-20"),
        ("Write the first day of the year 2000 as YYYY-MM-DD, nothing else.", "2000-01-01"),
        ("Write 3 May 1998 as YYYY-MM-DD, nothing else.", "1998-05-03"),
        ("Write December 25, 2010 as YYYY-MM-DD, nothing else.", "2010-12-25"),
        ("Give the last day of February 2023 as YYYY-MM-DD, nothing else.", "2023-02-28"),
        ("When did the Berlin Wall fall? Reply as YYYY-MM-DD.", "1989-11-09"),
    ),
    "decimal": (
        ("Write one half as a decimal number, nothing else.", "0.5"),
        ("Write three quarters as a decimal number, nothing else.", "0.75"),
        ("What is pi to two decimal places? Reply with the number only.", "3.14"),
        ("What is 7 divided by 2? Reply with the decimal number only.", "3.5"),
        ("What is 1.5 plus 2.25? Reply with the decimal number only.", "3.75"),
        ("Write minus two and a half as a decimal number, nothing else.", "-2.5"),
    ),
    "identifier": (
        ("Name a variable that counts failed logins, in snake_case. Name only.", None),
        ("Name a function that sorts a list of dates, in snake_case. Name only.", None),
        ("Name a variable for the user's email address, in snake_case. Name only.", None),
        ("Name a function that computes the mean of a column, in snake_case. Name only.", None),
        ("Name a variable for the largest temperature, in snake_case. Name only.", None),
        ("Name a function that opens a file and reads its lines, in snake_case. Name only.", None),
    ),
    "json": (
        ("Describe a book as a JSON object with the keys title and year. JSON only.", None),
        ("List three primary colors as a JSON array of strings. JSON only.", None),
        ("Give a JSON object with the name and age of a person named Ada, aged 36.", None),
        ("List the first four even numbers as a JSON array. JSON only.", None),
        ("Describe a city as JSON with the keys name, country and population. JSON only.", None),
        ("Write a JSON object with the key ok set to true. JSON only.", None),
    ),
}

Floats = NDArray[np.floating[Any]]


def is_valid(kind: str, text: str) -> bool:
    """Judge a reply with the standard library."""
    if kind != "json":
        return re.fullmatch(PATTERNS[kind], text, re.ASCII) is not None
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def contains_valid(kind: str, text: str) -> bool:
    """Look for a valid part: any match, or what stands between outer brackets."""
    if kind != "json":
        return re.search(rf"(?<!\w){PATTERNS[kind]}(?!\w)", text, re.ASCII) is not None
    return any(is_valid(kind, part) for part in re.findall(r"\{.*\}|\[.*\]", text, re.DOTALL))


def chat(model: llama.Model, request: str) -> list[int]:
    """Write a user's turn and the beginning of the reply."""
    encode = model.tokenizer.encode
    before = encode("<|im_start|>user\n", specials=True)
    return before + encode(request) + encode("<|im_end|>\n<|im_start|>assistant\n", specials=True)


def make_tokens(model: llama.Model, pattern: str) -> TokenAutomaton:
    """Make the automaton of a language over the model's tokens."""
    end = model.tokenizer.specials["<|im_end|>"]
    return TokenAutomaton(compile_pattern(pattern), vocabulary_bytes(model.tokenizer), end=end)


def reply(
    model: llama.Model,
    request: str,
    decoding: str,
    limit: int,
    *,
    tokens: TokenAutomaton | None,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Let the model reply, masked if there is an automaton."""
    seen: list[Floats] = []
    masks: list[NDArray[np.bool_]] = []

    def choose(logits: Floats) -> int:
        masks.append(np.isfinite(logits))
        if decoding == "greedy":
            return int(logits.argmax())
        return int(sample(softmax(logits.astype(np.float64)), rng=rng))

    pick = constrained_choice(tokens, choose, budget=limit) if tokens else choose

    def keep(logits: Floats) -> int:
        seen.append(softmax(logits.astype(np.float64)))
        return pick(logits)

    end = model.tokenizer.specials["<|im_end|>"]
    written = list(llama.generate(model, chat(model, request), keep, limit=limit + 1, stop=[end]))
    found = {
        "text": model.tokenizer.decode(written[:limit]),
        "tokens": min(len(written), limit),
        "ended": len(written) <= limit,
    }
    if tokens:
        pairs = list(zip(seen, masks, strict=True))
        found |= {
            "kept": [np.sum(p, where=mask) for p, mask in pairs],
            "allowed": [int(mask.sum()) for _, mask in pairs],
            "overruled": sum(not mask[p.argmax()] for p, mask in pairs),
        }
    return found


def share(successes: int, n: int) -> dict[str, Any]:
    """Count with the exact interval of the share."""
    return {"valid": successes, "replies": n, "share": asdict(exact_interval(successes, n))}


def summarize_kind(kind: str, replies: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Count the valid replies of one language."""
    masked = [one for one in replies if one["masked"]]
    free = [one for one in replies if not one["masked"]]
    answers = [answer for _, answer in REQUESTS[kind]]
    row: dict[str, Any] = {
        "masked": share(sum(one["valid"] for one in masked), len(masked)),
        "free": share(sum(one["valid"] for one in free), len(free)),
        "contains": sum(contains_valid(kind, one["text"]) for one in free),
        "right_masked": None,
        "right_free": None,
        "expected": None,
    }
    if None not in answers:
        for name, some in (("right_masked", masked), ("right_free", free)):
            row[name] = sum(is_right(one["text"], answers[one["request"]]) for one in some)
        row["expected"] = len(masked)
    return row


def is_right(text: str, answer: str | None) -> bool:
    """Whether an answer stands in a reply, not as a part of a longer number."""
    return re.search(rf"(?<![\w.-]){re.escape(answer or '')}(?!\.?\w)", text) is not None


def exists(date: str) -> bool:
    """Whether a calendar has the date."""
    try:
        datetime.date.fromisoformat(date)
    except ValueError:
        return False
    return True


def measure_times(model: llama.Model) -> dict[str, Any]:
    """Time automata and masks."""
    built: dict[str, float] = {}
    new: list[float] = []
    known: list[float] = []
    for kind, pattern in PATTERNS.items():
        begin = time.perf_counter()
        tokens = make_tokens(model, pattern)
        built[kind] = time.perf_counter() - begin
        for times in (new, known):
            for state in range(min(20, len(tokens.distance))):
                begin = time.perf_counter()
                tokens.allowed(state)
                times.append(1e3 * (time.perf_counter() - begin))
    cache, steps = llama.KVCache(model.config, 64), []
    for _ in range(20):
        begin = time.perf_counter()
        llama.forward(model, [1], cache, last=True)
        steps.append(1e3 * (time.perf_counter() - begin))
    return {
        "cores": record.cores(),
        "build_seconds": built,
        "new_state": np.median(new),
        "known_state": np.median(known),
        "model": np.median(steps),
    }


def measure(*, n_requests: int = 4) -> dict[str, Any]:
    """Measure all languages.

    Parameters
    ----------
    n_requests : int
        Number of requests of each language.

    Returns
    -------
    dict
        The fields described above.
    """
    model = llama.load()
    automata = {kind: make_tokens(model, pattern) for kind, pattern in PATTERNS.items()}

    def one(item: tuple[str, int, str, bool]) -> dict[str, Any]:
        kind, number, decoding, masked = item
        rng = np.random.default_rng([SEED, list(PATTERNS).index(kind), number])
        found = reply(
            model,
            REQUESTS[kind][number][0],
            decoding,
            LIMITS[kind],
            tokens=automata[kind] if masked else None,
            rng=rng,
        )
        named = {"kind": kind, "request": number, "decoding": decoding, "masked": masked}
        return named | found | {"valid": found["ended"] and is_valid(kind, found["text"])}

    items = [
        (kind, number, decoding, masked)
        for kind in PATTERNS
        for number in range(n_requests)
        for decoding in DECODINGS
        for masked in (True, False)
    ]
    replies = record.parts(NAME, items, one)
    masked = [found for found in replies if found["masked"]]
    free = [found for found in replies if not found["masked"]]
    dates = [found["text"] for found in masked if found["kind"] == "date"]
    n_steps = sum(len(found["kept"]) for found in masked)
    return {
        "limit": LIMITS,
        "requests": {kind: REQUESTS[kind][:n_requests] for kind in PATTERNS},
        "kinds": {
            kind: {
                "states": len(automata[kind].distance),
                **summarize_kind(kind, [found for found in replies if found["kind"] == kind]),
            }
            for kind in PATTERNS
        },
        "all": {
            "masked": share(sum(found["valid"] for found in masked), len(masked)),
            "free": share(sum(found["valid"] for found in free), len(free)),
        },
        "calendar": {"exist": sum(map(exists, dates)), "dates": len(dates)},
        "replies": replies,
        "mask": {
            "kept_first": np.mean([found["kept"][0] for found in masked]),
            "kept_later": np.mean([kept for found in masked for kept in found["kept"][1:]]),
            "allowed_median": np.median([n for found in masked for n in found["allowed"]]),
            "overruled": sum(found["overruled"] for found in masked) / n_steps,
        },
        "machine": measure_times(model),
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.constrained_generation",
        seed=SEED,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
