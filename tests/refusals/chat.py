"""What `primer_ref.chat` refuses."""

from __future__ import annotations

from primer_ref.chat import chat_prompt
from primer_ref.tokenizer import BPETokenizer, byte_characters

BYTES = BPETokenizer([*byte_characters(), "<|im_start|>", "<|im_end|>"], [], [256, 257])
PLAIN = BPETokenizer(byte_characters(), [])

ROWS = [
    (chat_prompt, {"tokenizer": BYTES, "messages": []}, "must have a message; got none"),
    (
        chat_prompt,
        {"tokenizer": BYTES, "messages": [("user", "a"), ("tool", "b")]},
        "one of system, user, assistant; got 'tool'",
    ),
    (
        chat_prompt,
        {"tokenizer": PLAIN, "messages": [("user", "a")]},
        r"must have the mark '<\|im_end\|>'",
    ),
]
