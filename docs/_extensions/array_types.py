"""Readable array types: ``NDArray[floating]``, linked, where Python expands aliases beyond reading.

Before NumPy 2.5, ``ArrayLike`` is a union of seven types, most of them private, and
``NDArray[np.float64]`` a shape and a dtype of ``ndarray``; since then they are names for these. The
reference prints the names that the source uses (`ArrayTypes`), and to each adds what only the
docstring knows, the shape (`add_shapes`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import numpy as np
from docutils import nodes
from numpy.typing import ArrayLike, NDArray
from sphinx import addnodes
from sphinx_autodoc_typehints import format_annotation

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
        if annotation == ArrayLike | None:  # in which the union of seven has dissolved
            return f"{ARRAY_LIKE} | :py:obj:`None`"
        if get_origin(annotation) is np.ndarray:
            _, dtype = get_args(annotation)
            return _array_of(*get_args(dtype))
        if get_origin(annotation) is NDArray:
            return _array_of(*get_args(annotation))
        if annotation is np.random.Generator:  # its own module is private
            return ":py:class:`~numpy.random.Generator`"
        return None


def _array_of(scalar: Any) -> str:
    # np.floating[Any] says no more to a reader than np.floating.
    plain = get_origin(scalar) or scalar
    name = ":py:data:`~typing.Any`" if plain is Any else f":py:obj:`~numpy.{plain.__name__}`"
    return rf":py:data:`~numpy.typing.NDArray`\ \[{name}]"


# "array_like of int, shape (n,)": the words after the type, which an annotation cannot say.
ARRAY = re.compile(r"(?:array_like|ndarray)\b(?P<of> of (?P<dtype>\w+))?(?P<more>.*)")
SHAPE = re.compile(r".*?(?P<of>)(?P<dtype>)(?P<more>, shape\b.*)")
PARAMETER = re.compile(r":type (?P<name>\w+): (?P<text>.*)")
ATTRIBUTE = re.compile(r"\.\. attribute:: (?P<name>\w+)")
ATTRIBUTE_TYPE = re.compile(r"\s+:type: (?P<text>.*)")
HINT = ":sphinx_autodoc_typehints_type:"


def add_shapes(
    app: Sphinx, what: str, _name: str, obj: Any, _options: Any, lines: list[str]
) -> None:
    """Make one type of the two that each parameter and attribute has."""
    join_parameters(lines)
    if what == "class":
        join_attributes(lines, get_type_hints(obj), app.config)


def join_parameters(lines: list[str]) -> None:
    """Join the docstring's type of a parameter to its annotation.

    Napoleon has written the docstring's, of which Sphinx would link every word, and
    sphinx-autodoc-typehints has written the annotation's, which would not be shown.
    """
    found = [(i, match) for i, line in enumerate(lines) if (match := PARAMETER.match(line))]
    hints = {m["name"]: i for i, m in found if m["text"].startswith(HINT)}
    for i, match in reversed(found):
        name = match["name"]
        if name in hints and i != hints[name]:
            lines[hints[name]] += only_in_words(match["text"], lines[hints[name]])
            del lines[i]
            hints = {key: at - (at > i) for key, at in hints.items()}


def join_attributes(lines: list[str], hints: dict[str, Any], config: Config) -> None:
    """Join the docstring's type of an attribute to its annotation."""
    name = ""
    for i, line in enumerate(lines):
        if match := ATTRIBUTE.match(line):
            name = match["name"]
        elif name and (match := ATTRIBUTE_TYPE.match(line)):
            text = match["text"]
            if name in hints:
                hint = format_annotation(hints[name], config)
            elif text.startswith("ndarray"):  # set by __init__, without an annotation
                hint = ":py:class:`~numpy.ndarray`"
            else:
                continue
            lines[i] = f"   :type: {hint}{only_in_words(text, hint)}"


def only_in_words(text: str, hint: str) -> str:
    """Pick from the docstring's type what the annotation does not say."""
    words = ARRAY.match(text) or SHAPE.match(text)
    if not words:
        return ""
    dtype = words["dtype"]
    known = not dtype or re.search(rf"\b{dtype}\b", hint)
    more = words["more"] if known else words["of"] + words["more"]
    return more.replace("*", r"\*")


def name_alias(
    app: Sphinx, what: str, _name: str, obj: Any, _options: Any, lines: list[str]
) -> None:
    """Say in the docstring of a type alias what it stands for."""
    if what == "data" and get_origin(obj) is not None:
        lines += ["", f"Stands for {format_annotation(obj, app.config)}."]


def drop_expanded_alias(
    _app: Sphinx, _domain: str, objtype: str, content: addnodes.desc_content
) -> None:
    """Take out autodoc's own “alias of …”, in which every alias is expanded."""
    if objtype == "data":
        for paragraph in list(content.findall(nodes.paragraph)):
            if paragraph.astext().startswith("alias of "):
                content.remove(paragraph)


# What autodoc writes of the array that a property is: "ndarray[tuple[...], dtype[floating[Any]]]".
ARRAY_PROPERTY = re.compile(r"(?:ndarray|NDArray)\[.*?(?P<scalar>\w+)(?:\[Any\])?\]+")


def name_array_property(
    _app: Sphinx, _domain: str, objtype: str, content: addnodes.desc_content
) -> None:
    """Give an array that is a property the type that an array has elsewhere."""
    if objtype == "property":
        for annotation in content.parent.findall(addnodes.desc_annotation):
            if match := ARRAY_PROPERTY.fullmatch(annotation.astext().removeprefix(": ")):
                array, scalar = _link("numpy.typing.NDArray"), _link(f"numpy.{match['scalar']}")
                text = nodes.Text
                annotation[:] = [text(": "), array, text("["), scalar, text("]")]


def _link(target: str) -> addnodes.pending_xref:
    name = nodes.Text(target.rpartition(".")[2])
    return addnodes.pending_xref("", name, refdomain="py", reftype="obj", reftarget=target)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Join the types after napoleon (500) and sphinx-autodoc-typehints (500) wrote theirs."""
    app.connect("autodoc-process-docstring", add_shapes, priority=600)
    app.connect("autodoc-process-docstring", name_alias)
    app.connect("object-description-transform", drop_expanded_alias)
    app.connect("object-description-transform", name_array_property)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
