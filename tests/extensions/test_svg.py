"""Drawings in fewer bytes: what is left out, and that nothing moves by more than is said."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from _extensions import svg

Point = tuple[float, float]
LENGTH = st.floats(-1000, 1000, allow_nan=False).map(lambda x: round(x, 6))
POINT = st.tuples(LENGTH, LENGTH)
ARGUMENTS = {"M": 1, "L": 1, "Q": 2, "C": 3}
DRAWING = """<?xml version="1.0"?>
<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"
     width="460.8pt" height="230.4pt">
 <metadata><x/></metadata>
 <g id="figure_1"><g id="own"><!-- a comment -->
  <path d="M 1.23456 2 \nL 1.23456 7.5 \nz\n" style="fill: none; stroke: #333333"/>
  <g transform="translate(55.338778 209.757182) scale(0.11 -0.11)"><use xlink:href="#m"/></g>
 </g></g>
</svg>
"""


@st.composite
def paths(draw: st.DrawFn) -> list[tuple[str, list[Point]]]:
    names = ["M", *draw(st.lists(st.sampled_from("MLLLQCz"), max_size=12))]
    return [(name, list(draw(st.tuples(*[POINT] * ARGUMENTS.get(name, 0))))) for name in names]


def written(commands: list[tuple[str, list[Point]]]) -> str:
    """Write a path as Matplotlib does."""
    return "\n".join(
        f"{name} {' '.join(f'{x:f} {y:f}' for x, y in points)}".strip() for name, points in commands
    )


def absolute(data: str) -> list[list[Point]]:
    """Read a path of relative commands, as the standard defines them."""
    here = start = np.zeros(2)
    found: list[list[Point]] = []
    for name, text in re.findall(r"([a-z])([^a-z]*)", data):
        values = [float(x) for x in re.findall(r"-?\d*\.?\d+", text)]
        if name == "z":
            found.append([])
            here = start
        size = {"m": 2, "l": 2, "q": 4, "c": 6, "h": 1, "v": 1, "z": 1}[name]
        for at in range(0, len(values), size):
            moves = values[at : at + size]
            moves = [*moves, 0.0] if name == "h" else [0.0, *moves] if name == "v" else moves
            points = here + np.reshape(moves, (-1, 2))
            found.append([(float(x), float(y)) for x, y in points])
            here = points[-1]
            start = here if name == "m" else start
    return found


@given(paths())
def test_no_point_moves_by_more_than_half_a_step(commands: list[tuple[str, list[Point]]]) -> None:
    read = absolute(svg.path(written(commands)))
    wanted: list[list[Point]] = []
    here = start = (0.0, 0.0)
    for name, points in commands:
        end = (round(points[-1][0], 2), round(points[-1][1], 2)) if points else start
        if name != "L" or not np.allclose(end, here):
            wanted.append(points)
        here, start = end, end if name == "M" else start
    assert len(read) == len(wanted)
    for got, true in zip(read, wanted, strict=True):
        assert np.shape(got) == np.shape(true)
        assert np.allclose(got, true, atol=0.00501)


def test_keeps_what_draws_and_drops_the_rest() -> None:
    slim = svg.slim(DRAWING)
    assert slim == (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        ' width="460.8pt" height="230.4pt"><g id="own">'
        '<path d="m1.23 2v5.5z" style="fill:none;stroke:#333333" />'
        '<g transform="translate(55.34 209.76) scale(0.11 -0.11)"><use xlink:href="#m" /></g>'
        "</g></svg>"
    )


def test_a_path_that_matplotlib_would_not_write_is_refused() -> None:
    with pytest.raises(ValueError, match="no path with A"):
        svg.path("M 0 0 A 1 1 2 2")


def test_numbers_are_short() -> None:
    assert [svg.number(n) for n in (0, -50, 100, 1234, 7)] == ["0", "-.5", "1", "12.34", ".07"]
    assert svg.spaced(["1", "-2", ".5"]) == "1-2 .5"
    assert all(a != b for a, b in pairwise(re.findall("[a-z]", svg.path("M 0 0 L 1 1 L 3 5"))))


def test_a_drawing_says_how_large_it_is() -> None:
    assert svg.pixels(svg.slim(DRAWING)) == (614, 307)
    with pytest.raises(ValueError, match="how large"):
        svg.pixels("<svg/>")
