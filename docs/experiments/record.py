"""Stored measurements: how they are written, with their provenance, and read.

A measurement is a JSON file ``measurements/<name>.json`` with two parts: ``result``, what was
found, and ``provenance``, what it takes to find it again. Floats are rounded to six significant
digits, which is more than two machines agree on in float32.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import primer_ref

MEASUREMENTS = Path(__file__).parent.parent / "measurements"
DIGITS = 6

Item = TypeVar("Item")


def save(
    name: str,
    result: Mapping[str, Any],
    *,
    command: str,
    seed: int | None,
    model: Path | None = None,
    folder: Path = MEASUREMENTS,
) -> Path:
    """Write a measurement, whole or not at all.

    Parameters
    ----------
    name : str
        Name of the measurement and of its file.
    result : mapping
        What was found: numbers, strings, arrays, lists and mappings of them; no NaN or infinity.
    command : str
        What to run in the folder ``docs`` to measure again.
    seed : int or None
        Seed of the random numbers; None if there were none.
    model : Path, optional
        File of the model that was measured.
    folder : Path
        Where measurements are.

    Returns
    -------
    Path
        The file.
    """
    provenance: dict[str, Any] = {
        "command": command,
        "seed": seed,
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {
            "primer_ref": primer_ref.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
        },
        "platform": f"{platform.system()} {platform.machine()}",
    }
    if model is not None:
        digest = hashlib.sha256(model.read_bytes()).hexdigest()
        provenance["model"] = {"file": model.name, "sha256": digest}
    text = to_json({"provenance": provenance, "result": plain(result)}) + "\n"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).chmod(0o644)  # temporary files are private
    Path(file.name).replace(path)
    return path


def load(name: str, *, folder: Path = MEASUREMENTS) -> dict[str, Any]:
    """Read the result of a measurement.

    Parameters
    ----------
    name : str
        Name of the measurement.
    folder : Path
        Where measurements are.

    Returns
    -------
    dict
        What was found.
    """
    stored = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    result: dict[str, Any] = stored["result"]
    return result


def plain(value: Any) -> Any:
    """Turn arrays into lists and round floats, all the way down.

    Parameters
    ----------
    value : object
        Numbers, strings, None, arrays, sequences and mappings of them.

    Returns
    -------
    object
        The same as JSON has it.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    return value


def to_json(value: Any, indent: str = "") -> str:
    """Write JSON with one line for every list of plain values, in the order given.

    Parameters
    ----------
    value : object
        What :func:`plain` returns.
    indent : str
        White space at the start of the line.

    Returns
    -------
    str
        JSON, without a line end.
    """
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        items = [f"{json.dumps(key)}: {to_json(item, deeper)}" for key, item in value.items()]
        brackets = "{}"
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        items = [to_json(item, deeper) for item in value]
        brackets = "[]"
    else:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    lines = f",\n{deeper}".join(items)
    return f"{brackets[0]}\n{deeper}{lines}\n{indent}{brackets[1]}"


def progress(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Go through a sequence and draw a bar on the terminal.

    Parameters
    ----------
    items : sequence
        What to go through.
    what : str
        What is being done.

    Yields
    ------
    object
        The items.
    """
    for done, item in enumerate(items):
        _draw(what, done, len(items))
        yield item
    _draw(what, len(items), len(items))


def _draw(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        bar = "#" * (30 * done // max(total, 1))
        end = os.linesep if done == total else ""
        print(f"\r{what:24} [{bar:30}] {done}/{total}", end=end, file=sys.stderr, flush=True)
