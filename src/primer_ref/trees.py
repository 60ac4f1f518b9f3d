"""Nested containers of arrays: the shape in which a model keeps its parameters.

A tree is an array or a number (a leaf), or a tuple, list, dictionary or dataclass of trees, or
None, which is a tree without leaves.
"""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["tree_leaves", "tree_map", "tree_unflatten"]


def _branches(tree: Any) -> dict[Any, Any] | None:
    """Name the parts of a tree: by key, place or field; a leaf has no names."""
    if tree is None:
        return {}
    if isinstance(tree, dict):
        return tree
    if isinstance(tree, (list, tuple)):
        return dict(enumerate(tree))
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree)}
    number = isinstance(tree, numbers.Number) and not isinstance(tree, bool)
    if not number and not hasattr(tree, "__array_function__"):
        raise TypeError(f"a leaf must be an array or a number; got a {type(tree).__name__}")
    return None


def _kind(tree: Any, branches: dict[Any, Any] | None) -> str:
    """Say what kind of tree it is and which branches it has."""
    return "a leaf" if branches is None else f"{type(tree).__name__} of {sorted(branches)}"


def _rebuild(tree: Any, branches: dict[Any, Any]) -> Any:
    """Make a tree of the same kind from other parts."""
    if tree is None:
        return None
    if isinstance(tree, dict):
        return branches
    if isinstance(tree, (list, tuple)):
        make = getattr(tree, "_make", type(tree))  # a named tuple is made in its own way
        return make(branches.values())
    made = object.__new__(type(tree))
    for name, branch in branches.items():
        object.__setattr__(made, name, branch)
    return made


def tree_leaves(tree: Any) -> list[Any]:
    """List the leaves of a tree, from left to right.

    Parameters
    ----------
    tree : tree of array_like
        Nested tuples, lists, dictionaries and dataclasses.

    Returns
    -------
    list
        Arrays and numbers; those of a dictionary in the order in which it was filled.

    Raises
    ------
    TypeError
        If a leaf is neither an array nor a number.

    Examples
    --------
    >>> from primer_ref.trees import tree_leaves
    >>> tree_leaves({"weight": [1.0, 2.0], "bias": (3.0,)})
    [1.0, 2.0, 3.0]
    """
    branches = _branches(tree)
    if branches is None:
        return [tree]
    return [leaf for branch in branches.values() for leaf in tree_leaves(branch)]


def tree_map(f: Callable[..., Any], tree: Any, *trees: Any) -> Any:
    """Apply a function to the leaves of a tree, or to those of several trees side by side.

    Parameters
    ----------
    f : callable
        Takes one leaf of each tree.
    tree : tree of array_like
        The tree whose structure the result has.
    *trees
        More trees of the same structure.

    Returns
    -------
    tree
        What the function returned, in the place of the leaves.

    Raises
    ------
    TypeError
        If a leaf is neither an array nor a number.
    ValueError
        If the trees differ in structure: in kind, length, keys or fields.

    Notes
    -----
    A dataclass is put together without calling it, so that what it demands of its fields does not
    bind the gradients or averages that take their place.

    Examples
    --------
    >>> from primer_ref.trees import tree_map
    >>> tree_map(lambda w, g: w - 0.1 * g, {"w": 1.0, "b": [2.0]}, {"w": 10.0, "b": [-10.0]})
    {'w': 0.0, 'b': [3.0]}
    """
    branches = _branches(tree)
    others = [_branches(other) for other in trees]
    for other, theirs in zip(trees, others, strict=True):
        if _kind(other, theirs) != _kind(tree, branches):
            raise ValueError(
                "trees must have one structure; "
                f"got {_kind(tree, branches)} and {_kind(other, theirs)}"
            )
    if branches is None:
        return f(tree, *trees)
    rows = {key: [t[key] for t in (branches, *others) if t is not None] for key in branches}
    return _rebuild(tree, {key: tree_map(f, *row) for key, row in rows.items()})


def tree_unflatten(tree: Any, leaves: Iterable[Any]) -> Any:
    """Put leaves into the structure of a tree, from left to right.

    Parameters
    ----------
    tree : tree of array_like
        The structure; what its leaves are does not matter.
    leaves : iterable
        As many leaves as the tree has.

    Returns
    -------
    tree
        A tree of that structure with the new leaves.

    Raises
    ------
    TypeError
        If a leaf of the tree is neither an array nor a number.
    ValueError
        If there are more or fewer leaves than places.

    Examples
    --------
    >>> from primer_ref.trees import tree_unflatten
    >>> tree_unflatten({"weight": [0, 0], "bias": (0,)}, [1.0, 2.0, 3.0])
    {'weight': [1.0, 2.0], 'bias': (3.0,)}
    """
    leaves = list(leaves)
    if len(leaves) != len(tree_leaves(tree)):
        raise ValueError(
            f"there must be one leaf a place; got {len(leaves)} for {len(tree_leaves(tree))}"
        )
    rest = iter(leaves)
    return tree_map(lambda _: next(rest), tree)
