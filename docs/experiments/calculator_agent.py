"""An agent with a calculator: its calls always parse, which does not make its answers right.

The real model, greedy, with every turn constrained to the calls and answers that can be read. It
works in three ways: "instructed", with a system message about the calculator and two worked
conversations before the task; "bare", with a shorter message and the first of them; "alone",
without the tool, in one turn that must be an answer, after the answers of the two. Shares come with
exact 95 % intervals (value, low, high). Result::

    turn_budget     largest number of tokens of a turn
    ways            for each way:
        system, examples    the message, and the number of worked conversations
        budget          largest number of turns of a task, the answer included
        tasks           list, one entry a task:
            kind            "one" operation, "two" operations, or "words", a story
            task, value     what is asked, and the right number
            steps           the turns before the answer: text, observation
            answer          null if the budget was used up first
            turns, parsed, failed   number of turns; how many could be read; how many calls the
                            calculator refused, or turns could not be read
            right           whether the last number of the answer is the right one, to within 1e-6
                            of it or of its rounding to two digits after the point
            computed        whether some call returned the right number
        turns, parsed   over all tasks; share of the turns that could be read
        calls, failed   number of calls, and those the calculator refused
        calling         tasks in which there was a call
        per_task        mean number of calls
        right, computed share over tasks
        by_kind         for each kind: tasks, right, computed
        answered        tasks with an answer in the budget; used_up, the others
        lost            tasks in which a call returned the right number and the answer is not right
    gain            for both ways with the tool: tasks that only this way, and that only the model
                    alone, got right
    machine         cores, seconds
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from experiments import record
from primer_ref import llama
from primer_ref.agents import (
    Answer,
    Call,
    Policy,
    Step,
    Tool,
    Transcript,
    as_tool,
    constrained_policy,
    parse_action,
    run_agent,
)
from primer_ref.calculator import calculate
from primer_ref.intervals import exact_interval

NAME = "calculator_agent"
TURN_BUDGET = 32
EXAMPLES = (
    Transcript(
        "What is 12 times 31?",
        (Step('{"calculate": {"expression": "12 * 31"}}', "372"),),
        "372",
    ),
    Transcript(
        "Ben has 5 bags with 9 apples each and eats 4. How many are left?",
        (Step('{"calculate": {"expression": "5 * 9 - 4"}}', "41"),),
        "41",
    ),
)
# System message, number of examples, turns.
WAYS = {
    "instructed": (
        "Use the calculator by replying with one line of JSON. When you know the result, "
        "reply with the answer as one line of JSON.",
        2,
        3,
    ),
    "bare": ("Reply with one line of JSON.", 1, 3),
    "alone": ("Reply with the answer as one line of JSON.", 2, 1),
}
# Kind, task, and the expression of its value.
TASKS = (
    ("one", "What is 17 times 23?", "17 * 23"),
    ("one", "What is 456 plus 789?", "456 + 789"),
    ("one", "What is 1003 minus 478?", "1003 - 478"),
    ("one", "What is 144 divided by 9?", "144 / 9"),
    ("one", "Calculate 86 * 47.", "86 * 47"),
    ("one", "Calculate 5 / 8.", "5 / 8"),
    ("one", "What is 2 to the power of 10?", "2 ** 10"),
    ("two", "Calculate (15 + 27) * 3.", "(15 + 27) * 3"),
    ("two", "Calculate 100 - 7 * 8.", "100 - 7 * 8"),
    ("two", "What is 12 plus 30, divided by 4?", "(12 + 30) / 4"),
    ("two", "What is the sum of 125, 250 and 375?", "125 + 250 + 375"),
    ("two", "Calculate 9 * 9 - 5 * 5.", "9 * 9 - 5 * 5"),
    ("two", "What is half of 38 plus 64?", "(38 + 64) / 2"),
    ("words", "A box holds 24 eggs. How many eggs are in 15 boxes?", "24 * 15"),
    ("words", "Mia had 250 coins and gave away 87. How many does she have?", "250 - 87"),
    ("words", "A train goes 85 km an hour. How far does it go in 4 hours?", "85 * 4"),
    ("words", "Six friends share 132 marbles equally. How many does each get?", "132 / 6"),
    ("words", "A pen costs 3 and a book 14. What do 4 pens and 2 books cost?", "4 * 3 + 2 * 14"),
    ("words", "Tom reads 18 pages a day. How many days for 414 pages?", "414 / 18"),
    ("words", "Of 90 seats, a third are empty. How many are taken?", "90 - 90 / 3"),
)


def is_right(answer: str | None, value: float) -> bool:
    """Whether the last number of an answer is the value, or its rounding to two digits."""
    numbers = re.findall(r"-?\d+(?:\.\d+)?", (answer or "").replace(",", ""))
    return bool(numbers) and any(
        abs(float(numbers[-1]) - near) <= 1e-6 * max(1, abs(near))
        for near in (value, round(value, 2))
    )


def is_parsed(text: str, tools: Sequence[Tool]) -> bool:
    """Whether a turn is a call or an answer that can be read."""
    try:
        return isinstance(parse_action(text, tools), (Call, Answer))
    except ValueError:
        return False


def run_task(
    policy: Policy, tools: Sequence[Tool], budget: int, task: tuple[str, str, str]
) -> dict[str, Any]:
    """Do one task."""
    kind, text, expression = task
    value = calculate(expression)
    turns: list[str] = []

    def watched(asked: str, steps: Sequence[Step]) -> str:
        turns.append(policy(asked, steps))
        return turns[-1]

    done = run_agent(watched, tools, text, budget=budget)
    returned = [step.observation for step in done.steps]
    return {
        "kind": kind,
        "task": text,
        "value": value,
        "steps": [asdict(step) for step in done.steps],
        "answer": done.answer,
        "turns": len(turns),
        "parsed": sum(is_parsed(turn, tools) for turn in turns),
        "failed": sum(one.startswith("error") for one in returned),
        "right": is_right(done.answer, value),
        "computed": any(is_right(one, value) for one in returned if not one.startswith("error")),
    }


def share(successes: int, n: int) -> dict[str, float]:
    """Share of successes with its exact interval."""
    return asdict(exact_interval(successes, n))


def summarize(tasks: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Count over the tasks."""
    n = len(tasks)
    totals = {field: sum(task[field] for task in tasks) for field in ("turns", "parsed", "failed")}
    calls = sum(len(task["steps"]) for task in tasks)
    judged = ("right", "computed")
    kinds = {kind: [t for t in tasks if t["kind"] == kind] for kind in ("one", "two", "words")}
    return {
        "turns": totals["turns"],
        "parsed": totals["parsed"],
        "share": share(totals["parsed"], totals["turns"]),
        "calls": calls,
        "failed": totals["failed"],
        "calling": sum(bool(task["steps"]) for task in tasks),
        "per_task": calls / n,
        **{field: share(sum(task[field] for task in tasks), n) for field in judged},
        "by_kind": {
            kind: {"tasks": len(some)} | {field: sum(t[field] for t in some) for field in judged}
            for kind, some in kinds.items()
        },
        "answered": sum(task["answer"] is not None for task in tasks),
        "used_up": sum(task["answer"] is None for task in tasks),
        "lost": sum(task["computed"] and not task["right"] for task in tasks),
    }


def way_tools(way: str) -> list[Tool]:
    """Tools of one way to work."""
    return [] if way == "alone" else [as_tool(calculate)]


def make_policy(model: llama.Model, way: str) -> Policy:
    """Make the policy of one way to work."""
    system, n_examples, _ = WAYS[way]
    shown = EXAMPLES[:n_examples]
    if way == "alone":
        shown = tuple(Transcript(one.task, (), one.answer) for one in shown)
    return constrained_policy(
        model, way_tools(way), np.argmax, system=system, budget=TURN_BUDGET, examples=shown
    )


def measure(*, n_tasks: int = len(TASKS)) -> dict[str, Any]:
    """Work on all tasks in all ways.

    Parameters
    ----------
    n_tasks : int
        Number of tasks.

    Returns
    -------
    dict
        The fields described above.
    """
    begin = time.perf_counter()
    model = llama.load()
    policies = {way: make_policy(model, way) for way in WAYS}

    def one(item: tuple[str, tuple[str, str, str]]) -> dict[str, Any]:
        way, task = item
        return run_task(policies[way], way_tools(way), WAYS[way][2], task)

    tasks = TASKS[:n_tasks]
    done = record.parts(NAME, [(way, task) for way in WAYS for task in tasks], one)
    by_way = {way: done[n * n_tasks : (n + 1) * n_tasks] for n, way in enumerate(WAYS)}
    right = {way: np.array([task["right"] for task in some]) for way, some in by_way.items()}
    return {
        "turn_budget": TURN_BUDGET,
        "ways": {
            way: {
                "system": WAYS[way][0],
                "examples": WAYS[way][1],
                "budget": WAYS[way][2],
                "tasks": some,
                **summarize(some),
            }
            for way, some in by_way.items()
        },
        "gain": {
            way: [
                int(np.sum(right[way] & ~right["alone"])),
                int(np.sum(right["alone"] & ~right[way])),
            ]
            for way in ("instructed", "bare")
        },
        "machine": {"cores": record.cores(), "seconds": time.perf_counter() - begin},
    }


def main() -> None:
    """Measure and store."""
    record.save(
        NAME,
        measure(),
        command="python -m experiments.calculator_agent",
        seed=None,
        model=llama.find_model(),
    )
    record.forget(NAME)


if __name__ == "__main__":
    main()
