"""Readable array types: ``NDArray[floating]``, linked, where Python expands aliases beyond reading.

``ArrayLike`` is a union of eight private types and ``NDArray[np.float64]`` a shape and a dtype of
``ndarray``. The reference prints the names that the source uses (`ArrayTypes`), and to each adds
what only the docstring knows, the shape (`add_shapes`).
"""

from __future__ import annotations

import re
import types
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.config import Config
    from sphinx.util.typing import ExtensionMetadata

ARRAY_LIKE = ":py:data:`~numpy.typing.ArrayLike`"


class ArrayTypes:
    """The value of ``typehints_formatter``: array types as links, ``None`` for all others.

    An instance of a module's class, equal to every other one: Sphinx pickles the configuration
    and compares it with the last build's, which a function would fail.
    """

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayTypes)

    def __hash__(self) -> int:
        return hash(ArrayTypes)

    def __call__(self, annotation: Any, _config: Config | None = None) -> str | None:
        """Render one annotation, or leave it to sphinx-autodoc-typehints."""
        if annotation == ArrayLike:
            return ARRAY_LIKE
        if get_origin(annotation) in (Union, types.UnionType):
            return _optional_array_like(annotation)
        if get_origin(annotation) is np.ndarray:
            _, dtype = get_args(annotation)
            return rf":py:data:`~numpy.typing.NDArray`\ \[{_scalar(*get_args(dtype))}]"
        if annotation is np.random.Generator:  # its own module is private
            return ":py:class:`~numpy.random.Generator`"
        return None


def _optional_array_like(annotation: Any) -> str | None:
    """Find again the ``ArrayLike`` that ``ArrayLike | None`` dissolved."""
    members = get_args(annotation)
    if set(members) == {*get_args(ArrayLike), type(None)}:
        return f"{ARRAY_LIKE} | :py:obj:`None`"
    return None


def _scalar(scalar: Any) -> str:
    if scalar is Any:
        return ":py:data:`~typing.Any`"
    # np.floating[Any] says no more to a reader than np.floating.
    return f":py:obj:`~numpy.{(get_origin(scalar) or scalar).__name__}`"


# "array_like of int, shape (n,)": the words after the type, which an annotation cannot say.
ARRAY = re.compile(r"(?:array_like|ndarray)\b(?P<of> of (?P<dtype>\w+))?(?P<more>.*)")
SHAPE = re.compile(r".*?(?P<of>)(?P<dtype>)(?P<more>, shape\b.*)")
TYPE = re.compile(r":type (?P<name>\w+): (?P<text>.*)")
HINT = ":sphinx_autodoc_typehints_type:"


def add_shapes(
    _app: Sphinx, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """Make one type of the two that each parameter has: the annotation's and the docstring's.

    Napoleon has written the docstring's, of which Sphinx would link every word, and
    sphinx-autodoc-typehints has written the annotation's, which would not be shown.
    """
    types_found = [(i, match) for i, line in enumerate(lines) if (match := TYPE.match(line))]
    hints = {m["name"]: i for i, m in types_found if m["text"].startswith(HINT)}
    for i, match in reversed(types_found):
        name, text = match["name"], match["text"]
        if i in hints.values() or name not in hints:
            continue
        words = ARRAY.match(text) or SHAPE.match(text)
        if words:
            dtype = words["dtype"]
            known = not dtype or re.search(rf"\b{dtype}\b", lines[hints[name]])
            more = words["more"] if known else words["of"] + words["more"]
            lines[hints[name]] += more.replace("*", r"\*")
        del lines[i]
        hints = {key: at - (at > i) for key, at in hints.items()}


def setup(app: Sphinx) -> ExtensionMetadata:
    """Join the types after napoleon (500) and sphinx-autodoc-typehints (500) wrote theirs."""
    app.connect("autodoc-process-docstring", add_shapes, priority=600)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
