"""The Nu HTML checker on every page: no error and no warning."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.site.report import Row, problem

JAR = Path(__file__).parent / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar"

# What the checker says wrongly: a name, the message, the reason why it is no fault.
FALSE = {
    "MathML Core's global attributes": (
        r"Attribute “(displaystyle|scriptlevel)” not allowed on element “m\w+” at this point\.",
        "MathML Core allows both on every element; the checker's schema is that of MathML 3",
    ),
    "MathML's accents": (
        r"Text run starts with a composing character\.",
        "the operator of a wide hat or an underline is that character; the font has it to stretch",
    ),
}


def excuse(message: str) -> str | None:
    """Name the known false error that a message is, if it is one."""
    return next((name for name, (text, _) in FALSE.items() if re.fullmatch(text, message)), None)


def messages(pages: Sequence[Path]) -> list[dict[str, Any]]:
    """Run the checker; what it merely remarks, as on slashes in void elements, is left out."""
    command = ["java", "-Xss4m", "-jar", str(JAR), "--format", "json", "--exit-zero-always"]
    result = subprocess.run(
        [*command, *map(str, pages)], check=True, capture_output=True, text=True
    )
    found: list[dict[str, Any]] = json.loads(result.stderr)["messages"]
    return [m for m in found if m["type"] != "info" or m.get("subType") == "warning"]


def judge(book: Path, pages: Sequence[Path]) -> list[Row]:
    """Check the pages."""
    counts: Counter[str] = Counter()
    for message in messages(pages):
        if name := excuse(message["message"]):
            counts[name] += 1
            continue
        counts["error" if message["type"] != "info" else "warning"] += 1
        page = Path(unquote(urlsplit(message["url"]).path)).relative_to(book)
        where = f"{page}:{message.get('lastLine')}"
        problem("vnu", where, f"{message['message']} | {message.get('extract', '')}")
    excused = sum(counts[name] for name in FALSE)
    return [
        Row("vnu", f"{kind}s on {len(pages)} pages", str(counts[kind]), "0", ok=not counts[kind])
        for kind in ("error", "warning")
    ] + [Row("vnu", "known false errors", str(excused), "-", ok=True)]
