r"""Write a formula without the book's own macros, so that any program that knows LaTeX reads it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
TOKEN = re.compile(r"\s*(\\(?:[A-Za-z]+|.)|.)", re.DOTALL)


def expand(tex: str, macros: Mapping[str, tuple[int, str]]) -> str:
    r"""Put the bodies of macros (name: number of arguments, body) in the place of their names."""
    parts: list[str] = []
    at = 0
    while found := NAME.search(tex, at):
        parts.append(tex[at : found.start()])
        at = found.end()
        if found[1] not in macros:
            parts.append(found[0])
            continue
        count, body = macros[found[1]]
        for number in range(1, count + 1):
            argument, at = _argument(tex, at)
            body = body.replace(f"#{number}", expand(argument, macros))
        if parts[-1].rstrip().endswith(("_", "^")) and not body.startswith("{"):
            body = f"{{{body}}}"
        # A name must not run into the letter that follows.
        if re.search(r"\\[A-Za-z]+$", body) and tex[at : at + 1].isalpha():
            body += " "
        parts.append(body)
    return "".join([*parts, tex[at:]])


def _argument(tex: str, at: int) -> tuple[str, int]:
    """Read one argument: a group without its braces, or a single token; and say where it ends."""
    token = TOKEN.match(tex, at)
    if token is None or token[1] != "{":
        return (token[1], token.end()) if token else ("", at)
    depth, start = 1, token.end()
    for inner in re.finditer(r"\\.|[{}]", tex[start:], re.DOTALL):
        depth += {"{": 1, "}": -1}.get(inner[0], 0)
        if depth == 0:
            return tex[start : start + inner.start()], start + inner.end()
    return tex[start:], len(tex)
