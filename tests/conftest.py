"""What several tests share: the built book, and a writer of GGUF files, apart from the reader."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from build_versions import build_latest, version_data, write_root

# Sphinx colors its warnings where CI is set; the tests read them as plain text.
os.environ["NO_COLOR"] = "1"

ROOT = Path(__file__).parents[1]
Writer = Callable[..., bytes]

# Types of metadata values and their struct codes; 8 is a string and 9 an array.
CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}


def string(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(raw)) + raw


def value(kind: int, item: Any) -> bytes:
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


@pytest.fixture(scope="session")
def write_gguf() -> Writer:
    return gguf


@pytest.fixture(scope="session")
def built_book() -> Path:
    """Build the book into a folder of the tests' own, which the next run builds upon."""
    site = ROOT / "build" / "tested" / "html"
    cache = site.parent / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    build_latest(ROOT, site, cache)
    write_root(site, version_data(site, []))
    return site
