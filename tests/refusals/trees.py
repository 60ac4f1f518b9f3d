"""What trees refuse."""

from primer_ref.trees import tree_leaves, tree_map, tree_unflatten


def second(_: object, other: object) -> object:
    return other


def mapped(tree: object, other: object) -> object:
    return tree_map(second, tree, other)


ROWS = [
    (tree_leaves, {"tree": [1.0, "x"]}, "a leaf must be an array or a number; got a str"),
    (tree_leaves, {"tree": {"bias": "0"}}, "must be an array or a number; got a str"),
    (tree_leaves, {"tree": (True,)}, "a leaf must be an array or a number; got a bool"),
    (mapped, {"tree": [1, 2], "other": [1]}, r"got list of \[0, 1\] and list of \[0\]"),
    (mapped, {"tree": [1], "other": (1,)}, r"got list of \[0\] and tuple of \[0\]"),
    (mapped, {"tree": {"a": 1}, "other": {"b": 1}}, r"got dict of \['a'\] and dict of \['b'\]"),
    (mapped, {"tree": {"a": [1]}, "other": {"a": 1}}, r"got list of \[0\] and a leaf"),
    (mapped, {"tree": 1, "other": [1]}, r"got a leaf and list of \[0\]"),
    (tree_unflatten, {"tree": [0, 0], "leaves": [1]}, "one leaf a place; got 1 for 2"),
    (tree_unflatten, {"tree": [0, 0], "leaves": [1, 2, 3]}, "one leaf a place; got 3 for 2"),
]
