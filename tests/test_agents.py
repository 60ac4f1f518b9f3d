"""Agents: calls as a language, the loop under a scripted policy, and the real model's calls."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from primer_ref import llama
from primer_ref.agents import (
    Answer,
    Call,
    Policy,
    Step,
    Transcript,
    _messages,
    action_pattern,
    as_tool,
    constrained_policy,
    parse_action,
    run_agent,
)
from primer_ref.automata import compile_pattern
from primer_ref.calculator import calculate
from primer_ref.constrained import TokenAutomaton, constrained_choice
from primer_ref.decoding import sample
from primer_ref.functional import softmax


def mix(text: str, count: int, share: float, loud: bool) -> str:
    return f"{text} {count} {share} {loud}"


def now() -> str:
    return "noon"


TOOLS = [as_tool(mix), as_tool(now), as_tool(calculate)]
LANGUAGE = compile_pattern(action_pattern(TOOLS))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(
    st.fixed_dictionaries(
        {
            "text": texts,
            "count": st.integers(-(10**17), 10**17),
            "share": st.decimals(-(10**9), 10**9, places=5).map(float),
            "loud": st.booleans(),
        }
    )
)
def test_a_call_survives_being_written_and_read(arguments: dict[str, Any]) -> None:
    arguments = {name: arguments[name] for name, _ in TOOLS[0].parameters}  # in this order
    written = json.dumps({"mix": arguments})
    assert parse_action(written, TOOLS) == Call(TOOLS[0], arguments)
    if "e" not in json.dumps(arguments["share"]):
        assert LANGUAGE.accepts(written.encode())


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_every_text_of_the_language_can_be_read(seed: int) -> None:
    # Texts of the language at random: masked draws of single bytes.
    vocabulary = [bytes([byte]) for byte in range(256)] + [b""]
    tokens = TokenAutomaton(LANGUAGE, vocabulary, end=256)
    rng = np.random.default_rng(seed)
    preference = np.where(np.isin(np.arange(257), list(b'"}0123')), rng.uniform(0, 4), 0.0)
    pick = constrained_choice(
        tokens, lambda s: int(sample(softmax(s), rng=rng)), budget=int(rng.integers(62, 200))
    )
    written = []
    while (token := pick(preference)) < 256:
        written.append(token)
    action = parse_action(bytes(written).decode(), TOOLS)
    if isinstance(action, Call):
        assert [*action.arguments] == [name for name, _ in action.tool.parameters]
        kinds = [type(value) for value in action.arguments.values()]
        assert kinds == [kind for _, kind in action.tool.parameters]


def scripted(*turns: str) -> Any:
    def policy(task: str, steps: Sequence[Step]) -> str:
        return turns[len(steps)].replace("RESULT", steps[-1].observation if steps else "")

    return policy


@pytest.mark.equation("eq-agent-loop")
def test_an_agent_calls_a_tool_and_answers_with_what_it_returned() -> None:
    policy = scripted('{"calculate": {"expression": "17 * 23"}}', '{"answer": "RESULT"}')
    transcript = run_agent(policy, TOOLS, "17 times 23?", budget=5)
    step = Step('{"calculate": {"expression": "17 * 23"}}', "391")
    assert transcript == Transcript("17 times 23?", (step,), "391")


def test_errors_are_observations_from_which_an_agent_recovers() -> None:
    turns = [
        "seventeen",
        '{"calculate": {"expression": "1 / 0"}}',
        '{"calculate": {"formula": "1"}}',
        '{"now": {}}',
        '{"answer": "RESULT"}',
    ]
    transcript = run_agent(scripted(*turns), TOOLS, "", budget=5)
    seen = [step.observation for step in transcript.steps]
    assert seen[0].startswith("error: Expecting value")
    assert seen[1] == "error: an expression must have a value; got division by zero"
    assert seen[2] == "error: the arguments of calculate must be ['expression']; got ['formula']"
    assert transcript.answer == seen[3] == "noon"


def test_what_a_tool_returns_can_be_encoded_whatever_the_language_allows() -> None:
    def echo(text: str) -> str:
        return text

    def refuse(text: str) -> str:
        raise ValueError(text)

    tools = [as_tool(echo), as_tool(refuse)]
    turns = [rf'{{"{name}": {{"text": "a\ud800\u00e9"}}}}' for name in ("echo", "refuse")]
    language = compile_pattern(action_pattern(tools))
    assert all(language.accepts(turn.encode()) for turn in turns)
    transcript = run_agent(scripted(*turns, '{"answer": ""}'), tools, "", budget=3)
    seen = [step.observation for step in transcript.steps]
    assert seen == ["a?é", "error: a?é"]


def test_a_budget_ends_the_work_without_an_answer() -> None:
    policy = scripted('{"now": {}}', '{"now": {}}', '{"answer": "late"}')
    for budget, answer in ((2, None), (3, "late")):
        transcript = run_agent(policy, TOOLS, "", budget=budget)
        assert transcript.answer == answer
        assert len(transcript.steps) == 2


def test_whole_numbers_are_floats_where_these_are_asked_for() -> None:
    call = parse_action('{"mix": {"text": "", "count": 1, "share": 2, "loud": true}}', TOOLS)
    assert isinstance(call, Call)
    assert type(call.arguments["share"]) is float
    assert parse_action('{"answer": ""}', TOOLS) == Answer("")


@pytest.mark.model
def test_every_call_of_the_real_model_parses(model: llama.Model) -> None:
    tools, rng = [as_tool(calculate)], np.random.default_rng(0)
    step = Step('{"calculate": {"expression": "12 * 31"}}', "372")

    def hot(logits: NDArray[np.floating[Any]]) -> int:
        return int(sample(softmax(logits, temperature=2.0), rng=rng))

    def policy_of(choose: Any) -> Policy:
        return constrained_policy(
            model,
            tools,
            choose,
            system="Reply with one line of JSON.",
            budget=24,
            examples=[Transcript("What is 12 times 31?", (step,), "372")],
        )

    transcript = run_agent(policy_of(np.argmax), tools, "Calculate 17 * 23.", budget=2)
    assert transcript.steps == (Step('{"calculate": {"expression": "17 * 23"}}', "391"),)
    assert transcript.answer == "391"
    # So hot that without the constraint nothing would be JSON.
    parse_action(policy_of(hot)("What is <|im_end|> 4 + 5?", []), tools)


def test_a_conversation_is_told_in_turns() -> None:
    done = Transcript("a", (Step('{"now": {}}', "5"),), "it is 5")
    now = Transcript("b", (Step('{"now": {}}', "6"),), None)
    assert _messages([done, now]) == [
        ("user", "a"),
        ("assistant", '{"now": {}}'),
        ("user", "Result: 5"),
        ("assistant", '{"answer": "it is 5"}'),
        ("user", "b"),
        ("assistant", '{"now": {}}'),
        ("user", "Result: 6"),
    ]
