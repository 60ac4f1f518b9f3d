"""Files to be wary of: a writer of GGUF, made without the reader, and what may befall a file."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

# Types of metadata values and their struct codes; 8 is a string and 9 an array.
CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}

mutations = st.lists(
    st.tuples(st.sampled_from(["set", "cut", "insert"]), st.integers(0), st.binary(max_size=9)),
    min_size=1,
    max_size=4,
)


def string(text: str | bytes) -> bytes:
    """Write a string after its length."""
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def value(kind: int, item: Any) -> bytes:
    """Write a value; an array is a pair of the type of its items and the items."""
    if kind == 8:
        return string(item)
    if kind == 9:
        inner, items = item
        head = struct.pack("<IQ", inner, len(items))
        return head + b"".join(value(inner, each) for each in items)
    return struct.pack("<" + CODES[kind], item)


def gguf(
    metadata: Sequence[tuple[str, int, Any]],
    tensors: Sequence[tuple[str, tuple[int, ...], int, bytes]],
    *,
    version: int = 3,
    alignment: int = 32,
) -> bytes:
    """Lay out a file from (key, type, value) and (name, shape, type, bytes)."""
    head = [b"GGUF", struct.pack("<IQQ", version, len(tensors), len(metadata))]
    head += [string(key) + struct.pack("<I", kind) + value(kind, it) for key, kind, it in metadata]
    data = b""
    for name, shape, kind, raw in tensors:
        head.append(string(name) + struct.pack("<I", len(shape)))
        head.append(struct.pack(f"<{len(shape)}Q", *shape[::-1]))
        head.append(struct.pack("<IQ", kind, len(data)))
        data += raw + b"\0" * (-len(raw) % alignment)
    front = b"".join(head)
    return front + b"\0" * (-len(front) % alignment) + data


def mutated(content: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    """Overwrite, cut or insert bytes, one change after the other."""
    for how, where, what in changes:
        at = where % (len(content) + 1)
        after = content[at if how == "insert" else at + len(what) :]
        content = content[:at] + (b"" if how == "cut" else what) + after
    return content
