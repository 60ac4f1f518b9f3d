"""The agent measured: how answers are judged, and a part of what was stored again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from scipy import stats

from experiments import calculator_agent as measured
from experiments import record
from primer_ref import llama
from primer_ref.agents import Answer, Call, Step, as_tool, parse_action
from primer_ref.calculator import calculate


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    return record.load("calculator_agent")


# --- By hand ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "value", "right"),
    [
        ("391", 391, True),
        ("17 * 23 is 391.", 391, True),
        ("1,245", 1245, True),
        ("0.62", 0.625, True),
        ("0.6", 0.625, False),
        ("391 is 17 * 23", 391, False),  # the last number counts
        ("-5", 5, False),
        ("no idea", 5, False),
        (None, 5, False),
    ],
)
def test_answers_are_judged_by_their_last_number(
    answer: str | None, value: float, right: bool
) -> None:
    assert measured.is_right(answer, value) is right


def test_values_of_the_tasks_are_those_of_python() -> None:
    assert len(measured.TASKS) == 20
    for _, task, expression in measured.TASKS:
        assert calculate(expression) == pytest.approx(eval(expression))
        assert task not in [example.task for example in measured.EXAMPLES]


def test_a_scripted_policy_is_counted_as_it_acted() -> None:
    def policy(task: str, steps: Sequence[Step]) -> str:
        script = ['{"calculate": {"expression": "17 *"}}', "what?", '{"answer": "391"}']
        return script[len(steps)]

    tools = [as_tool(calculate)]
    done = measured.run_task(policy, tools, 3, ("one", "What is 17 times 23?", "17 * 23"))
    assert (done["turns"], done["parsed"], done["failed"]) == (3, 2, 2)
    assert (done["right"], done["computed"]) == (True, False)
    short = measured.run_task(policy, tools, 2, ("one", "What is 17 times 23?", "17 * 23"))
    assert (short["turns"], short["answer"], short["right"]) == (2, None, False)
    found = measured.summarize([done, short | {"computed": True}])
    assert (found["turns"], found["parsed"], found["calls"], found["failed"]) == (5, 3, 4, 4)
    assert (found["answered"], found["used_up"], found["lost"]) == (1, 1, 1)
    low, high = stats.binomtest(3, 5).proportion_ci(method="exact")
    assert found["share"] == pytest.approx({"value": 0.6, "low": low, "high": high}, abs=1e-6)


# --- What was stored -------------------------------------------------------------------------


@pytest.mark.model
@pytest.mark.parametrize("way", ["bare", "alone"])
def test_the_first_turn_of_the_first_task_comes_out_again(
    stored: dict[str, Any], model: llama.Model, way: str
) -> None:
    first = stored["ways"][way]["tasks"][0]
    turn = measured.make_policy(model, way)(first["task"], [])
    if first["steps"]:
        assert turn == first["steps"][0]["text"]
    else:
        action = parse_action(turn, measured.way_tools(way))
        assert isinstance(action, Answer)
        assert action.text == first["answer"]


def test_every_turn_parses_and_every_observation_is_the_calculators(
    stored: dict[str, Any],
) -> None:
    for way, found in stored["ways"].items():
        assert found["parsed"] == found["turns"]
        assert len(found["tasks"]) == 20
        for task in found["tasks"]:
            assert task["turns"] == len(task["steps"]) + (task["answer"] is not None)
            assert task["turns"] <= found["budget"]
            assert task["right"] == measured.is_right(task["answer"], task["value"])
            for step in task["steps"]:
                call = parse_action(step["text"], measured.way_tools(way))
                assert isinstance(call, Call)
                try:
                    value = str(calculate(**call.arguments))
                except ValueError as error:
                    value = f"error: {error}"
                assert step["observation"] == value


def test_counts_are_those_of_the_tasks(stored: dict[str, Any]) -> None:
    for found in stored["ways"].values():
        again = record.plain(measured.summarize(found["tasks"]))
        assert {field: found[field] for field in again} == again
        right = sum(task["right"] for task in found["tasks"])
        low, high = stats.binomtest(right, len(found["tasks"])).proportion_ci(method="exact")
        assert found["right"]["low"] == pytest.approx(low, abs=1e-5)
        assert found["right"]["high"] == pytest.approx(high, abs=1e-5)
    counts = {way: found["right"]["value"] * 20 for way, found in stored["ways"].items()}
    for way, (only, alone) in stored["gain"].items():
        assert only - alone == pytest.approx(counts[way] - counts["alone"], abs=1e-4)
