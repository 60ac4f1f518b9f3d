"""What the functions for images and pairs refuse."""

import numpy as np

from primer_ref.multimodal import (
    info_nce,
    information_bound,
    nearest_code,
    patch_embedding,
    patches,
    unpatch,
)

IMAGE = np.zeros((4, 6, 1))

ROWS = [
    (patches, {"image": IMAGE, "size": 4}, r"divide height and width.*got 4 for shape \(4, 6, 1\)"),
    (patches, {"image": IMAGE, "size": 0}, "got 0 for shape"),
    (patches, {"image": IMAGE[0], "size": 1}, r"got 1 for shape \(6, 1\)"),
    (unpatch, {"tokens": np.zeros((6, 4)), "size": 2, "width": 8}, "fill rows of the image"),
    (unpatch, {"tokens": np.zeros((6, 4)), "size": 2, "width": 5}, "fill rows of the image"),
    (unpatch, {"tokens": np.zeros((6, 5)), "size": 2, "width": 6}, "squares that fill rows"),
    (
        patch_embedding,
        {"image": IMAGE, "weight": np.zeros((4, 3)), "positions": np.zeros((5, 3)), "size": 2},
        r"a row a patch.*got shapes \(5, 3\) and \(4, 3\) for 6 patches",
    ),
    (info_nce, {"scores": np.zeros((2, 3))}, r"square matrix; got shape \(2, 3\)"),
    (info_nce, {"scores": [[0, np.nan], [0, 0]]}, "finite largest score"),
    (information_bound, {"scores": np.zeros(3)}, r"square matrix; got shape \(3,\)"),
    (information_bound, {"scores": 1.0}, r"square matrix; got shape \(\)"),
    (information_bound, {"scores": np.zeros((0, 0))}, r"at least one score; got shape \(0, 0\)"),
    (
        nearest_code,
        {"x": np.zeros((2, 3)), "codes": np.zeros((4, 2))},
        r"size of x; got shapes \(4, 2\) and \(2, 3\)",
    ),
    (nearest_code, {"x": [1.0], "codes": np.zeros((0, 1))}, r"got shapes \(0, 1\)"),
]
