"""Readable array types: ``NDArray[floating]``, linked, where Python expands aliases beyond reading.

``ArrayLike`` is a union of eight private types and ``NDArray[np.float64]`` a shape and a dtype of
``ndarray``. The reference prints the names the source uses. `ArrayTypes` serves
sphinx-autodoc-typehints, which renders the parameters of functions; autodoc, which renders the
fields of dataclasses, gets the same names by `shorten_fields`.
"""

from __future__ import annotations

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


def setup(_app: Sphinx) -> ExtensionMetadata:
    """Nothing to register: the configuration holds the formatter."""
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
