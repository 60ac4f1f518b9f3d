"""Checkpoints: a run in a file, written so that it can be killed at any moment.

A checkpoint holds all that a run carries from step to step, so that a run which goes on from one
makes the same steps, bit for bit, as a run that was never interrupted.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from primer_ref.config import Config
from primer_ref.formats import FormatError
from primer_ref.optim import Moments
from primer_ref.training import Recipe, Run
from primer_ref.transformer import Layer, Weights, initialize
from primer_ref.trees import tree_leaves, tree_unflatten

__all__ = ["load_checkpoint", "save_checkpoint"]

_KIND = "primer_ref checkpoint, version 1"
# What reading a damaged archive raises. The file is open by then: an OSError is of its content,
# such as a place before its start.
_DAMAGE = (
    *(KeyError, TypeError, ValueError, EOFError, OSError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error),
)


def _names(config: Config) -> list[str]:
    """Name the arrays of the weights, in the order of the leaves of their tree."""
    layers = [f"layers.{i}.{name}" for i in range(config.n_layers) for name in Layer.__slots__]
    return ["embedding", *layers, "norm"]


def save_checkpoint(path: str | os.PathLike[str], run: Run) -> Path:
    """Write a run into a file, whole or not at all.

    Parameters
    ----------
    path : str or path-like
        The file, of NumPy's format npz; it may exist.
    run : Run
        The run.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the random numbers come from another generator than NumPy's standard one.

    Notes
    -----
    The bytes go to a second file in the same folder, are forced onto the disk, and only then take
    the name: whoever kills the program, whenever, the name stands for the old run or the new one.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from primer_ref.config import Config
    >>> from primer_ref.checkpoints import load_checkpoint, save_checkpoint
    >>> from primer_ref.training import Recipe, start
    >>> config = Config(n_layers=1, width=16, n_heads=2, n_kv_heads=1, head_size=8, hidden=32,
    ...                 n_tokens=10, context=8)
    >>> recipe = Recipe(n_steps=5, batch=1, length=3, peak=0.01, warmup=0)
    >>> run = start(config, recipe, rng=np.random.default_rng(0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = save_checkpoint(Path(folder) / "run.npz", run)
    ...     load_checkpoint(path).recipe == recipe
    True
    """
    state = run.rng.bit_generator.state
    if state["bit_generator"] != "PCG64":
        raise ValueError(f"rng must be a generator on PCG64; got {state['bit_generator']}")
    header = {
        "kind": _KIND,
        "config": asdict(run.config),
        "recipe": asdict(run.recipe),
        "n_steps": run.moments.n_steps,
        "rng": state,
    }
    arrays = {
        f"{part}.{name}": leaf
        for part, tree in (
            ("weights", run.weights),
            ("mean", run.moments.mean),
            ("square", run.moments.square),
        )
        for name, leaf in zip(_names(run.config), tree_leaves(tree), strict=True)
    }
    path = Path(path)
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        np.savez(file, header=np.array(json.dumps(header)), **arrays)
        file.flush()
        os.fsync(file.fileno())
    return partial.replace(path)


def load_checkpoint(path: str | os.PathLike[str]) -> Run:
    """Read a run from a file.

    Parameters
    ----------
    path : str or path-like
        A file that `save_checkpoint` wrote.

    Returns
    -------
    Run
        The run, which goes on as if it had never stopped.

    Raises
    ------
    FormatError
        If the file is damaged, or is no checkpoint.
    OSError
        If the file cannot be opened.

    Notes
    -----
    The file cannot run code: it holds numbers and one line of JSON, and nothing is unpickled.
    Every array carries a checksum.

    Examples
    --------
    >>> import tempfile
    >>> from primer_ref.checkpoints import load_checkpoint
    >>> with tempfile.NamedTemporaryFile(suffix=".npz") as file:
    ...     load_checkpoint(file.name)
    Traceback (most recent call last):
    primer_ref.formats.FormatError: a checkpoint must be a whole npz file; got another
    """
    with Path(path).open("rb") as file:
        if not zipfile.is_zipfile(file):
            raise FormatError("a checkpoint must be a whole npz file; got another")
        try:
            with np.load(file, allow_pickle=False) as stored:
                return _run(stored)
        except FormatError:
            raise
        except _DAMAGE as bad:
            raise FormatError(f"a checkpoint must be whole; this one is not: {bad}") from bad


def _run(stored: Any) -> Run:
    """Put a run together from the arrays of a file, which must be exactly those of its sizes."""
    header = json.loads(str(stored["header"]))
    if header["kind"] != _KIND:
        raise FormatError(f"a checkpoint must be of kind {_KIND!r}; got {header['kind']!r}")
    config = Config(**header["config"])
    rng = np.random.default_rng(0)
    rng.bit_generator.state = header["rng"]
    pattern = initialize(config, rng=np.random.default_rng(0))

    def take(part: str) -> Weights:
        leaves = [stored[f"{part}.{name}"] for name in _names(config)]
        for name, leaf, expected in zip(_names(config), leaves, tree_leaves(pattern), strict=True):
            if leaf.shape != expected.shape or leaf.dtype.kind != "f":
                raise FormatError(
                    f"{part}.{name} must hold floats of shape {expected.shape}; "
                    f"got {leaf.dtype} of shape {leaf.shape}"
                )
        weights: Weights = tree_unflatten(pattern, leaves)
        return weights

    moments = Moments(take("mean"), take("square"), int(header["n_steps"]))
    return Run(config, Recipe(**header["recipe"]), take("weights"), moments, rng)
