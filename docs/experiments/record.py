"""Stored measurements: how they are written, with their provenance, and read.

A measurement is a JSON file ``measurements/<name>.json`` with two parts: ``result``, what was
found, and ``provenance``, what it takes to find it again. Floats are rounded to six significant
digits, which is more than two machines agree on in float32.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

import primer_ref

DOCS = Path(__file__).parents[1]
MEASUREMENTS = DOCS / "measurements"
PARTS = DOCS.parent / "build" / "experiments"
DIGITS = 6
TOLERANCE = 2e-3  # relative, or absolute below 1: two machines agree on float32 results to less

Item = TypeVar("Item")


def save(
    name: str,
    result: Mapping[str, Any],
    *,
    command: str,
    seed: int | None,
    model: Path | None = None,
    accelerator: Mapping[str, str] | None = None,
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
    accelerator : mapping, optional
        The device beside the processor on which it was measured, and the versions of its programs.
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
    if accelerator is not None:
        provenance["accelerator"] = dict(accelerator)
    found = plain(result)
    path = folder / f"{name}.json"
    if path.exists():
        changes = list(differences(load(name, folder=folder), found))
        print(f"{name}: {len(changes)} values differ from the stored ones")
        for change in changes[:20]:
            print(f"  {change}")
    write(path, to_json({"provenance": provenance, "result": found}) + "\n")
    return path


def write(path: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Parameters
    ----------
    path : Path
        The file.
    text : str
        What it shall hold.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).chmod(0o644)  # temporary files are private
    Path(file.name).replace(path)


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


def differences(old: Any, new: Any, place: str = "result") -> Iterator[str]:
    """Say where two results differ by more than two machines would.

    Parameters
    ----------
    old, new : object
        What :func:`plain` returns. Mappings named ``machine`` hold times and are passed over.
    place : str
        Name of the whole.

    Yields
    ------
    str
        A place, and the two values there.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted((old.keys() | new.keys()) - {"machine"}):
            yield from differences(old.get(key), new.get(key), f"{place}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif not _alike(old, new):
        yield f"{place}: {old!r:.60} -> {new!r:.60}"


def _alike(old: Any, new: Any) -> bool:
    numbers = isinstance(old, (int, float)) and isinstance(new, (int, float))
    return math.isclose(old, new, rel_tol=TOLERANCE, abs_tol=TOLERANCE) if numbers else old == new


def cores() -> int:
    """Say how many threads NumPy's products have: those it is given, or one a core.

    Returns
    -------
    int
        Number of threads.
    """
    return int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1))


def parts(
    name: str, items: Sequence[Item], measure: Callable[[Item], Any], *, folder: Path = PARTS
) -> list[Any]:
    """Measure item by item, and keep what is done, so that an interrupted run goes on there.

    Parameters
    ----------
    name : str
        Name of the measurement, or of a part of it.
    items : sequence
        What to measure; their ``str`` must differ.
    measure : callable
        Measures one item; the result must not depend on the others.
    folder : Path
        Where results are kept, apart for every state of the code.

    Returns
    -------
    list
        The results, as :func:`plain` returns them.
    """
    place = folder / f"{name}-{_code(inspect.getfile(measure))}"
    results = []
    for item in progress(items, name):
        path = place / f"{hashlib.sha256(str(item).encode()).hexdigest()[:16]}.json"
        if not path.exists():
            write(path, json.dumps(plain(measure(item)), allow_nan=False))
        results.append(json.loads(path.read_text(encoding="utf-8")))
    return results


def _code(experiment: str) -> str:
    """Digest of the package and of the experiments, which help one another."""
    digest = hashlib.sha256()
    for folder in (Path(primer_ref.__file__).parent, Path(experiment).parent):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def forget(name: str, *, folder: Path = PARTS) -> None:
    """Throw away what :func:`parts` has kept under a name.

    Parameters
    ----------
    name : str
        Name that was given there.
    folder : Path
        Where results are kept.
    """
    for place in folder.glob(f"{name}-*"):
        shutil.rmtree(place)


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
