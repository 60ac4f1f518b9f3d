"""What agents refuse."""

from types import SimpleNamespace

from primer_ref.agents import action_pattern, as_tool, constrained_policy, parse_action, run_agent
from primer_ref.tokenizer import BPETokenizer


def good(text: str, count: int, share: float) -> None: ...


def loose(text) -> None: ...  # type: ignore[no-untyped-def]


def nested(texts: list[str]) -> None: ...


def answer(text: str) -> None: ...


TOOLS = [as_tool(good)]
PLAIN = SimpleNamespace(tokenizer=BPETokenizer(["a", "<|im_start|>"], [], [1]))
POLICY = {"model": PLAIN, "tools": TOOLS, "choose": len, "system": "a", "budget": 9}
BAD = {
    "": "Expecting value",
    "[" * 100_000: "must not be nested so deep",
    "[1]": r"call one of \['good'\]; got \[1\]",
    '{"other": {}}': r"call one of \['good'\]",
    '{"answer": 1}': r"call one of \['good'\]",
    '{"answer": "a", "good": {}}': r"call one of \['good'\]",
    '{"good": []}': r"call one of \['good'\]",
    '{"good": {"text": "a"}}': r"must be \['text', 'count', 'share'\]; got \['text'\]",
    '{"good": {"text": 1, "count": 1, "share": 1}}': "text must be of type str; got 1",
    '{"good": {"text": "a", "count": true, "share": 1}}': "count must be of type int; got True",
    '{"good": {"text": "a", "count": 1.5, "share": 1}}': "count must be of type int; got 1.5",
    '{"answer": "a", "answer": "b"}': "names in a turn must be unique; got 'answer' twice",
    '{"good": {"text": "a", "text": "b", "count": 1, "share": 1}}': "unique; got 'text' twice",
    '{"good": {"text": "a", "count": 1, "share": NaN}}': "share must be finite; got nan",
    '{"good": {"text": "a", "count": 1, "share": -1e400}}': "share must be finite; got -inf",
    '{"good": {"text": "a", "count": 1, "share": 1' + "0" * 400 + "}}": "must be finite; got 1000",
    '{"good": {"text": "a", "count": 1, "share": "x"}}': "share must be of type float; got 'x'",
    '{"good": {"text": "a", "count": 1, "share": true}}': "share must be of type float; got True",
}

ROWS = [
    (as_tool, {"function": loose}, "text must be annotated str, int, float or bool; got None"),
    (as_tool, {"function": nested}, r"texts must be annotated .*; got list\[str\]"),
    (action_pattern, {"tools": [as_tool(answer)]}, r"none of them 'answer'; got \['answer'\]"),
    (action_pattern, {"tools": TOOLS * 2}, r"different names.*; got \['good', 'good'\]"),
    (run_agent, {"policy": len, "tools": TOOLS, "task": "", "budget": 0}, "one turn; got 0"),
    (constrained_policy, POLICY, r"must have the mark '<\|im_end\|>'; it has none"),
    *((parse_action, {"text": text, "tools": TOOLS}, message) for text, message in BAD.items()),
]
