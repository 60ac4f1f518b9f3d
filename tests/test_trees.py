"""Trees of arrays: leaves in order, structure kept, structures that do not fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from primer_ref.trees import tree_leaves, tree_map, tree_unflatten


@dataclass(frozen=True, slots=True, eq=False)
class Positive:
    """A dataclass that is particular about what it holds."""

    first: Any
    second: Any

    def __post_init__(self) -> None:
        if not tree_leaves(self.first)[0] > 0:
            raise ValueError("the first must be positive")


class Pair(NamedTuple):
    left: Any
    right: Any


trees = st.recursive(
    st.floats(-9, 9) | st.none(),
    lambda branch: (
        st.lists(branch, max_size=3)
        | st.lists(branch, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2), branch, max_size=3)
        | st.builds(Pair, branch, branch)
    ),
)


def test_leaves_come_from_left_to_right_through_every_kind_of_branch() -> None:
    tree = {"b": [1, (2.0,)], "a": Positive(3, Pair(np.float32(4), [])), "c": {}}
    assert tree_leaves(tree) == [1, 2, 3, 4]


@given(trees)
def test_a_tree_is_its_structure_and_its_leaves(tree: Any) -> None:
    again = tree_unflatten(tree, tree_leaves(tree))
    assert again == tree
    assert type(again) is type(tree)


@given(trees, trees)
def test_two_trees_are_mapped_side_by_side_or_not_at_all(a: Any, b: Any) -> None:
    doubled = tree_map(lambda x, y: x + y, a, a)
    assert tree_leaves(doubled) == [2 * x for x in tree_leaves(a)]
    try:
        both = tree_map(lambda x, y: (x, y), a, b)
    except ValueError:
        # A tree and its own reordering have one structure; these two have not.
        assert a != b
    else:
        assert tree_leaves(both) == [
            x for pair in zip(tree_leaves(a), tree_leaves(b), strict=True) for x in pair
        ]


def test_a_dictionary_is_matched_by_key_and_not_by_order() -> None:
    total = tree_map(lambda x, y: x + y, {"a": 1, "b": 2}, {"b": 20, "a": 10})
    assert list(total.items()) == [("a", 11), ("b", 22)]


def test_what_a_dataclass_demands_does_not_bind_what_takes_its_place() -> None:
    slope = tree_map(lambda x: -x, Positive(1.0, [2.0]))
    assert (slope.first, slope.second) == (-1.0, [-2.0])
    with pytest.raises(ValueError, match="must be positive"):
        Positive(-1.0, 0.0)


def test_the_tree_that_was_given_stays_as_it_was() -> None:
    inner = Positive(1.0, 2.0)
    tree = {"a": [inner, 2]}
    tree_map(lambda x: x + 1, tree)
    assert tree == {"a": [inner, 2]}
    assert (inner.first, inner.second) == (1.0, 2.0)
