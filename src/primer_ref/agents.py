"""Agents: a loop in which a model calls typed tools.

Each turn of the model is one line of JSON: a call of a tool, or the answer. These lines form a
regular language, so a model that is constrained to it writes no call that cannot be parsed; whether
the call is a sensible one, the constraint does not say.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from primer_ref.automata import compile_pattern
from primer_ref.chat import chat_prompt
from primer_ref.constrained import (
    JSON_STRING,
    TokenAutomaton,
    constrained_choice,
    vocabulary_bytes,
)
from primer_ref.llama import Model, generate

__all__ = [
    "Answer",
    "Call",
    "Policy",
    "Step",
    "Tool",
    "Transcript",
    "action_pattern",
    "as_tool",
    "constrained_policy",
    "parse_action",
    "run_agent",
]

Floats = NDArray[np.floating[Any]]

# What a parameter may be, and which JSON it is written as.
_PATTERNS: dict[type, str] = {
    str: JSON_STRING,
    int: r"-?(?:0|[1-9]\d{0,17})",
    float: r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?",
    bool: "true|false",
}


@dataclass(frozen=True, slots=True)
class Tool:
    """Something that an agent can call.

    Attributes
    ----------
    name : str
        What it is called by.
    parameters : tuple of (str, type)
        Names and types, in order: str, int, float or bool.
    function : callable
        Takes these parameters by name; raises ValueError if it cannot do what is asked.
    """

    name: str
    parameters: tuple[tuple[str, type], ...]
    function: Callable[..., object]


@dataclass(frozen=True, slots=True)
class Call:
    """A turn that calls a tool.

    Attributes
    ----------
    tool : Tool
        The tool.
    arguments : dict
        Values of its parameters, by name.
    """

    tool: Tool
    arguments: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """A turn that ends the work.

    Attributes
    ----------
    text : str
        The answer.
    """

    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """A turn of the model that was no answer, and what came of it.

    Attributes
    ----------
    text : str
        What the model wrote.
    observation : str
        What it is told: what the tool returned, or what was wrong.
    """

    text: str
    observation: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What an agent did.

    Attributes
    ----------
    task : str
        What it was asked.
    steps : tuple of Step
        Its turns before the answer, in order.
    answer : str or None
        Its answer; None if the budget was used up before there was one.
    """

    task: str
    steps: tuple[Step, ...]
    answer: str | None


#: From the task and the steps so far to the text of the next turn.
Policy = Callable[[str, Sequence[Step]], str]


# --- Calls -----------------------------------------------------------------------------------


def as_tool(function: Callable[..., object]) -> Tool:
    """Make a tool of a function, from its annotations.

    Parameters
    ----------
    function : callable
        Every parameter annotated str, int, float or bool.

    Returns
    -------
    Tool
        The tool, called by the function's name.

    Raises
    ------
    TypeError
        If a parameter has no such annotation.

    Examples
    --------
    >>> from primer_ref.agents import as_tool
    >>> def repeat(text: str, times: int) -> str:
    ...     return text * times
    >>> tool = as_tool(repeat)
    >>> tool.name, tool.parameters
    ('repeat', (('text', <class 'str'>), ('times', <class 'int'>)))
    """
    types, parameters = typing.get_type_hints(function), []
    for name in inspect.signature(function).parameters:
        kind = types.get(name)
        if kind not in _PATTERNS:
            raise TypeError(f"{name} must be annotated str, int, float or bool; got {kind}")
        parameters.append((name, kind))
    return Tool(function.__name__, tuple(parameters), function)


def action_pattern(tools: Sequence[Tool]) -> str:
    r"""Write the pattern of all turns: one branch a tool, and one for the answer.

    Parameters
    ----------
    tools : sequence of Tool
        What may be called.

    Returns
    -------
    str
        A pattern for `primer_ref.automata.compile_pattern`: an object whose one key is the tool's
        name or ``answer``, spaced as `json.dumps` does it, the arguments in one fixed order.

    Raises
    ------
    ValueError
        If two tools have one name, or one is named ``answer``.

    Examples
    --------
    >>> from primer_ref.agents import action_pattern, as_tool
    >>> from primer_ref.automata import compile_pattern
    >>> def roll(sides: int) -> int:
    ...     return 4
    >>> automaton = compile_pattern(action_pattern([as_tool(roll)]))
    >>> automaton.accepts(b'{"roll": {"sides": 6}}'), automaton.accepts(b'{"answer": "six"}')
    (True, True)
    >>> automaton.accepts(b'{"roll": {"sides": "six"}}')
    False
    """
    names = [tool.name for tool in tools]
    if len({"answer", *names}) <= len(names):
        raise ValueError(f"tools must have different names, none of them 'answer'; got {names}")
    branches = [rf'\{{"answer": {JSON_STRING}\}}']
    for tool in tools:
        fields = ", ".join(f"{_quoted(n)}: (?:{_PATTERNS[kind]})" for n, kind in tool.parameters)
        branches.append(rf"\{{{_quoted(tool.name)}: \{{{fields}\}}\}}")
    return "|".join(branches)


def _quoted(name: str) -> str:
    return re.escape(json.dumps(name))


def parse_action(text: str, tools: Sequence[Tool]) -> Call | Answer:
    """Read a turn of a model.

    Parameters
    ----------
    text : str
        What the model wrote: every text that matches `action_pattern` can be read.
    tools : sequence of Tool
        What may be called.

    Returns
    -------
    Call or Answer
        The turn.

    Raises
    ------
    ValueError
        If the text is not JSON, says something twice, names no tool, or the arguments are not those
        of the tool, with finite numbers.

    Examples
    --------
    >>> from primer_ref.agents import as_tool, parse_action
    >>> from primer_ref.calculator import calculate
    >>> tools = [as_tool(calculate)]
    >>> parse_action('{"calculate": {"expression": "6 * 7"}}', tools).arguments
    {'expression': '6 * 7'}
    >>> parse_action('{"answer": "42"}', tools)
    Answer(text='42')
    """
    try:
        turn = json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("a turn must not be nested so deep") from None
    named = {tool.name: tool for tool in tools}
    match list(turn.items()) if isinstance(turn, dict) else []:
        case [("answer", str(answer))]:
            return Answer(answer)
        case [(name, dict(given))] if name in named:
            return Call(named[name], _arguments(named[name], given))
    raise ValueError(f"a turn must be an answer or call one of {[*named]}; got {text:.60}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object in which one entry would hide another."""
    entries: dict[str, Any] = {}
    for name, value in pairs:
        if name in entries:
            raise ValueError(f"names in a turn must be unique; got {name!r:.60} twice")
        entries[name] = value
    return entries


def _arguments(tool: Tool, given: dict[str, Any]) -> dict[str, Any]:
    """Read the arguments of a call, or say what is wrong with them."""
    if given.keys() != dict(tool.parameters).keys():
        expected = [name for name, _ in tool.parameters]
        raise ValueError(f"the arguments of {tool.name} must be {expected}; got {[*given]}")
    arguments = {}
    for name, kind in tool.parameters:
        value = given[name]
        if kind is float and type(value) in (int, float):  # a bool is no int here
            if not abs(value) <= sys.float_info.max:
                raise ValueError(f"{name} must be finite; got {value!r:.60}")
            value = float(value)  # JSON writes some floats as whole numbers
        if type(value) is not kind:
            raise ValueError(f"{name} must be of type {kind.__name__}; got {given[name]!r}")
        arguments[name] = value
    return arguments


# --- The loop --------------------------------------------------------------------------------


def run_agent(policy: Policy, tools: Sequence[Tool], task: str, *, budget: int) -> Transcript:
    """Let a policy call tools until it answers or its turns are used up.

    Parameters
    ----------
    policy : callable
        From the task and the steps so far to the text of the next turn.
    tools : sequence of Tool
        What it may call.
    task : str
        What it is asked.
    budget : int
        Largest number of turns, the answer included.

    Returns
    -------
    Transcript
        What happened. A turn that cannot be read and a tool's ValueError are observations, from
        which the policy may recover; both cost a turn. In observations a question mark stands for
        what is no text, as half of a surrogate pair, which JSON can name and UTF-8 cannot write.

    Raises
    ------
    ValueError
        If the budget is below 1.

    Examples
    --------
    >>> from primer_ref.agents import as_tool, run_agent
    >>> from primer_ref.calculator import calculate
    >>> def policy(task, steps):
    ...     if not steps:
    ...         return '{"calculate": {"expression": "17 * 23"}}'
    ...     return '{"answer": "It is ' + steps[-1].observation + '."}'
    >>> run_agent(policy, [as_tool(calculate)], "What is 17 times 23?", budget=3).answer
    'It is 391.'
    """
    if budget < 1:
        raise ValueError(f"budget must be at least one turn; got {budget}")
    steps: list[Step] = []
    for _ in range(budget):
        text = policy(task, steps)
        try:
            action = parse_action(text, tools)
            if isinstance(action, Answer):
                return Transcript(task, tuple(steps), action.text)
            observation = str(action.tool.function(**action.arguments))
        except ValueError as error:
            observation = f"error: {error}"
        steps.append(Step(text, observation.encode(errors="replace").decode()))
    return Transcript(task, tuple(steps), None)


def constrained_policy(
    model: Model,
    tools: Sequence[Tool],
    choose: Callable[[Floats], int],
    *,
    system: str,
    budget: int,
    examples: Sequence[Transcript] = (),
) -> Policy:
    r"""Make a policy of a chat model whose every turn can be read.

    Parameters
    ----------
    model : Model
        A model with the marks of ChatML, ``<|im_start|>`` and ``<|im_end|>``.
    tools : sequence of Tool
        What it may call.
    choose : callable
        Takes logits, shape (V,), and returns a token; ``numpy.argmax`` is greedy.
    system : str
        Instructions.
    budget : int
        Largest number of tokens of a turn.
    examples : sequence of Transcript
        Finished conversations to show before the task.

    Returns
    -------
    callable
        The policy: for `run_agent`.

    Raises
    ------
    ValueError
        If the tokenizer lacks the marks or cannot spell a turn, two tools have one name, or one is
        named ``answer``; by the policy, if the budget does not suffice to end a turn.

    Notes
    -----
    What comes from the task and the tools is encoded as plain text: marks in it stay text. Nothing
    else keeps it apart from the instructions.

    Examples
    --------
    >>> import numpy as np
    >>> from primer_ref import llama
    >>> from primer_ref.agents import Step, Transcript, as_tool, constrained_policy
    >>> from primer_ref.calculator import calculate
    >>> step = Step('{"calculate": {"expression": "12 * 31"}}', "372")
    >>> policy = constrained_policy(
    ...     llama.load(),
    ...     [as_tool(calculate)],
    ...     np.argmax,
    ...     system="Reply with one line of JSON.",
    ...     budget=40,
    ...     examples=[Transcript("What is 12 times 31?", (step,), "372")],
    ... )
    >>> policy("Calculate 17 * 23.", [])
    '{"calculate": {"expression": "17 * 23"}}'
    """
    chat_prompt(model.tokenizer, [("system", system)])  # refuses a tokenizer without the marks
    end = model.tokenizer.specials["<|im_end|>"]
    language = compile_pattern(action_pattern(tools))
    tokens = TokenAutomaton(language, vocabulary_bytes(model.tokenizer), end=end)

    def policy(task: str, steps: Sequence[Step]) -> str:
        now = Transcript(task, tuple(steps), None)
        messages = [("system", system), *_messages([*examples, now])]
        prompt = chat_prompt(model.tokenizer, messages)
        pick = constrained_choice(tokens, choose, budget=budget)
        return model.tokenizer.decode(generate(model, prompt, pick, limit=budget + 1, stop=[end]))

    return policy


def _messages(conversations: Sequence[Transcript]) -> list[tuple[str, str]]:
    """Write conversations as what the user and the assistant say in turn."""
    messages = []
    for conversation in conversations:
        messages.append(("user", conversation.task))
        for step in conversation.steps:
            messages += [("assistant", step.text), ("user", f"Result: {step.observation}")]
        if conversation.answer is not None:
            messages.append(("assistant", json.dumps({"answer": conversation.answer})))
    return messages
