"""Annotations of the reference: as in the source, and linked where NumPy has a page."""

import pickle
import re
import runpy
import subprocess
import sys
import zlib
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from _extensions.array_types import ArrayTypes, join_parameters

DOCS = Path(__file__).parents[2] / "docs"
Floats = NDArray[np.floating[Any]]


def text(annotation: Any) -> str | None:
    """What a reader sees of the rendered annotation."""
    rendered = ArrayTypes()(annotation)
    return rendered and re.sub(r":[\w:]+:`~?(?:\w+\.)*(\w+)`", r"\1", rendered).replace("\\", "")


@pytest.mark.parametrize(
    ("annotation", "seen"),
    [
        (ArrayLike, "ArrayLike"),
        (ArrayLike | None, "ArrayLike | None"),
        (Floats, "NDArray [floating]"),
        (NDArray[np.floating], "NDArray [floating]"),
        (NDArray[np.float64], "NDArray [float64]"),
        (NDArray[np.int64], "NDArray [int64]"),
        (NDArray[np.bool_], "NDArray [bool]"),
        (NDArray[Any], "NDArray [Any]"),
        (np.random.Generator, "Generator"),
        (float, None),
        (list[Floats], None),  # left to the extension, which asks again for what is inside
        (float | None, None),
    ],
)
def test_annotations_read_as_in_the_source(annotation: Any, seen: str | None) -> None:
    assert text(annotation) == seen


def test_the_configuration_that_holds_it_can_be_cached() -> None:
    assert pickle.loads(pickle.dumps(ArrayTypes())) == ArrayTypes()
    assert hash(ArrayTypes()) == hash(ArrayTypes())
    assert ArrayTypes() != object()


def test_one_type_of_two() -> None:
    hint = ":sphinx_autodoc_typehints_type:`…`"
    lines = [
        f":type x: {hint}",
        ":param x: An array.",
        ":type x: array_like of int, shape (*, n)",
        f":type y: {hint}",
        ":param y: A count.",
        ":type y: int, optional",
        ":param z: Without annotation.",
        ":type z: int",
        f":type w: {hint}",
        ":param w: An array or none.",
        ":type w: None or ndarray, shape (n,)",
    ]
    join_parameters(lines)
    assert lines == [
        rf":type x: {hint} of int, shape (\*, n)",
        ":param x: An array.",
        f":type y: {hint}",
        ":param y: A count.",
        ":param z: Without annotation.",
        ":type z: int",
        f":type w: {hint}, shape (n,)",
        ":param w: An array or none.",
    ]


MODULE = '''\
"""A module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Cache", "Law", "Pair", "Run", "double"]

Floats = NDArray[np.floating[Any]]
#: From scores to weights.
Law = Callable[[ArrayLike], Floats]


def double(x: ArrayLike, rng: np.random.Generator, *, weight: Floats | None = None) -> Floats:
    """Double.

    Parameters
    ----------
    x : array_like, shape (..., T)
        An array.
    rng : numpy.random.Generator
        Unused.
    weight : ndarray, shape (T,), optional
        Unused.

    Returns
    -------
    ndarray, shape (..., T)
        Twice x.
    """
    return 2 * np.asarray(x)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two.

    Parameters
    ----------
    left : ndarray of int64, shape (n,)
        One.
    right : tuple of ndarray
        Many.
    """

    left: NDArray[np.int64]
    right: tuple[Floats, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """Three.

    Attributes
    ----------
    pair : Pair
        Two.
    logits : ndarray of float32, shape (T, V)
        Scores.
    n : int
        A count.
    """

    pair: Pair
    logits: Floats
    n: int


class Cache:
    """Four.

    Attributes
    ----------
    keys, values : ndarray of float32, shape (S, D)
        Set by the constructor.
    """

    @property
    def both(self) -> NDArray[np.floating[Any]]:
        """Keys and values."""
'''


def test_reference_of_a_module(tmp_path: Path) -> None:
    """Everything resolves against the vendored inventories, without a network."""
    (tmp_path / "toy.py").write_text(MODULE)
    (tmp_path / "index.rst").write_text("Toy\n===\n\n.. automodule:: toy\n")
    (tmp_path / "conf.py").write_text(
        f"import sys\nsys.path[:0] = [{str(DOCS)!r}, {str(tmp_path)!r}]\n"
        "from _extensions.array_types import ArrayTypes\n"
        "extensions = ['sphinx.ext.autodoc', 'sphinx.ext.autosummary', 'sphinx.ext.intersphinx',\n"
        "    'sphinx.ext.napoleon', 'sphinx_autodoc_typehints', '_extensions.array_types',\n"
        "    '_extensions.reference']\n"
        "html_theme = 'basic'\nnapoleon_use_rtype = False\ntypehints_formatter = ArrayTypes()\n"
        "autodoc_default_options = {'members': True, 'member-order': 'bysource',\n"
        "    'ignore-module-all': True}\n"
        "intersphinx_mapping = {name: (f'https://example.org/{name}/',\n"
        f"    f'{DOCS}/_inventories/{{name}}.inv') for name in ('python', 'numpy')}}\n"
    )
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", str(tmp_path), f"{tmp_path}/html"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    html = (tmp_path / "html" / "index.html").read_text()
    assert 'href="https://example.org/numpy/reference/typing.html#numpy.typing.ArrayLike"' in html
    assert "reference/random/generator.html#numpy.random.Generator" in html
    seen = " ".join(unescape(re.sub(r"<[^>]+>", "", html)).replace("¶", "").split())
    assert "x (ArrayLike, shape (…, T)) – An array." in seen
    assert "weight (NDArray[floating] | None, shape (T,), optional) – Unused." in seen
    assert "Return type: NDArray[floating]" in seen
    assert "left (NDArray[int64], shape (n,)) – One." in seen
    assert "right (tuple[NDArray[floating], ...]) – Many." in seen
    assert "logits Scores. Type: NDArray[floating] of float32, shape (T, V)" in seen
    assert "pair Two. Type: Pair" in seen
    assert "keys, values Set by the constructor. Type: ndarray of float32, shape (S, D)" in seen
    assert "property both: NDArray[floating] Keys and values." in seen
    assert html.count("#numpy.typing.NDArray") == seen.count("NDArray[")
    assert (
        "toy.Law From scores to weights. Stands for Callable[[ArrayLike], NDArray[floating]]. "
        in seen
    )
    assert 'href="#toy.Pair"' in html
    # The table on top and the entries come in the order of the source, not of __all__.
    table = ["double Double.", "Pair Two.", "Run Three.", "Cache Four."]
    entries = ["toy.double(", "toy.Pair(", "toy.Run(", "toy.Cache"]
    places = [seen.index(words) for words in table + entries]
    assert places == sorted(places)


def test_the_inventory_of_numpy_is_what_its_script_writes(tmp_path: Path) -> None:
    script = DOCS / "_inventories" / "make_numpy.py"
    (tmp_path / script.name).write_text(script.read_text())
    runpy.run_path(str(tmp_path / script.name), run_name="__main__")

    def entries(path: Path) -> bytes:  # another zlib may compress to other bytes
        *header, body = path.read_bytes().split(b"\n", 4)
        return b"\n".join(header) + zlib.decompress(body)

    written = entries(tmp_path / "numpy.inv")
    assert written == entries(script.with_name("numpy.inv"))
    assert b"numpy.random.Generator py:class 1 reference/random/generator.html#$ -\n" in written
