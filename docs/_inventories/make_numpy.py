"""Write ``numpy.inv``: the names of NumPy that the reference links to, where its manual has them.

Run ``python docs/_inventories/make_numpy.py`` after adding a name.
"""

from __future__ import annotations

import zlib
from pathlib import Path

# name, object type in NumPy's own inventory, page below https://numpy.org/doc/stable/
NAMES = [
    ("numpy.typing.ArrayLike", "py:data", "reference/typing.html"),
    ("numpy.typing.NDArray", "py:data", "reference/typing.html"),
    ("numpy.ndarray", "py:class", "reference/generated/numpy.ndarray.html"),
    ("numpy.dtype", "py:class", "reference/generated/numpy.dtype.html"),
    ("numpy.floating", "py:class", "reference/arrays.scalars.html"),
    ("numpy.integer", "py:class", "reference/arrays.scalars.html"),
    ("numpy.number", "py:class", "reference/arrays.scalars.html"),
    ("numpy.complexfloating", "py:class", "reference/arrays.scalars.html"),
    ("numpy.bool", "py:class", "reference/arrays.scalars.html"),
    ("numpy.float32", "py:attribute", "reference/arrays.scalars.html"),
    ("numpy.float64", "py:attribute", "reference/arrays.scalars.html"),
    ("numpy.complex64", "py:attribute", "reference/arrays.scalars.html"),
    ("numpy.complex128", "py:attribute", "reference/arrays.scalars.html"),
    ("numpy.int32", "py:attribute", "reference/arrays.scalars.html"),
    ("numpy.int64", "py:attribute", "reference/arrays.scalars.html"),
    ("numpy.uint64", "py:attribute", "reference/arrays.scalars.html"),
    ("numpy.uint8", "py:attribute", "reference/arrays.scalars.html"),
    ("numpy.random.Generator", "py:class", "reference/random/generator.html"),
]
HEADER = (
    "# Sphinx inventory version 2\n"
    "# Project: NumPy\n"
    "# Version: \n"
    "# The remainder of this file is compressed using zlib.\n"
)


def main() -> None:
    """Write the inventory beside this file."""
    lines = [f"{name} {kind} 1 {page}#$ -" for name, kind, page in sorted(NAMES)]
    body = zlib.compress(("\n".join(lines) + "\n").encode(), 9)
    Path(__file__).with_name("numpy.inv").write_bytes(HEADER.encode() + body)


if __name__ == "__main__":
    main()
