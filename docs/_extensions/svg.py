"""Write Matplotlib's drawings in fewer bytes, looking the same.

Matplotlib writes for people to read: indented, with comments and metadata, a name for every group,
and six decimals of a point. Here lengths are rounded to hundredths of a point, the 38th part of a
pixel at twofold zoom, and a path says how far it goes on from where it is.
"""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
GRID = 100  # to a point
LENGTHS = {"x", "y", "width", "height"}
NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
MOVE = re.compile(r"translate\([^)]*\)")
COMMAND = re.compile(r"([MLHVCSQTAZ])([^MLHVCSQTAZ]*)", re.IGNORECASE)
# A name of Matplotlib's own; what a figure names itself has no number like this.
NUMBERED = re.compile(r"[\w.]+_\d+")


def slim(svg: str) -> str:
    """Write a drawing of Matplotlib's shorter."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.text = element.text.strip() if element.text else None
        element.tail = None
        slim_attributes(element)
    drop(root)
    # All that write XML share one table of prefixes; the feed took the empty one, if it came first.
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def pixels(svg: str) -> tuple[int, int]:
    """Return the width and height of a drawing in CSS pixels, of which a point has four thirds."""
    found = re.search(r'<svg[^>]* width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    if found is None:
        raise ValueError("the drawing does not say how large it is")
    return round(float(found[1]) * 4 / 3), round(float(found[2]) * 4 / 3)


def drop(parent: ElementTree.Element) -> None:
    """Take out what draws nothing: metadata, and groups that say nothing of what they hold."""
    children = []
    for child in parent:
        drop(child)
        if child.tag == f"{{{SVG}}}g" and not child.attrib:
            children += list(child)
        elif child.tag != f"{{{SVG}}}metadata":
            children.append(child)
    parent[:] = children


def slim_attributes(element: ElementTree.Element) -> None:
    """Shorten the attributes of an element."""
    for name, value in element.items():
        if name == "d":
            element.set(name, path(value))
        elif name in LENGTHS:
            element.set(name, rounded(value))
        elif name == "transform":
            # Where letters stand is on the grid; their scale is a small number.
            element.set(name, MOVE.sub(lambda move: rounded(move[0]), value))
        elif name == "style":
            element.set(name, re.sub(r"([:;])\s+", r"\1", value))
    if NUMBERED.fullmatch(element.get("id", "")):
        del element.attrib["id"]


def rounded(text: str) -> str:
    """Round the numbers in a text to the grid."""
    return NUMBER.sub(lambda found: number(to_grid(found[0])), text)


def to_grid(text: str) -> int:
    """Read a length in steps of the grid."""
    return round(float(text) * GRID)


def number(steps: int) -> str:
    """Write a length on the grid, without zeros that may be left out."""
    text = f"{steps / GRID:.2f}".rstrip("0").rstrip(".")
    return re.sub(r"^(-?)0(?=\.)", r"\1", text)


def path(data: str) -> str:
    """Write a path of absolute commands as one of relative commands, on the grid."""
    written: list[str] = []
    here = start = (0, 0)
    for command, arguments in COMMAND.findall(data):
        values = [to_grid(value) for value in arguments.split()]
        points = list(zip(values[::2], values[1::2], strict=True))
        if command not in "MLCQZz":
            raise ValueError(f"Matplotlib writes no path with {command}")
        moves = [(x - here[0], y - here[1]) for x, y in points]
        written.append(step(command, moves))
        here = points[-1] if points else start
        start = here if command == "M" else start
    return joined(written)


def step(command: str, moves: list[tuple[int, int]]) -> str:
    """Write one command with how far it goes; a line along an axis has only one length."""
    if command == "L":
        ((right, down),) = moves
        if right == down == 0:
            return ""
        if down == 0:
            return f"h{number(right)}"
        if right == 0:
            return f"v{number(down)}"
    return command.lower() + spaced([number(length) for move in moves for length in move])


def spaced(numbers: list[str]) -> str:
    """Put numbers side by side: a minus sign begins the next one as well as a space."""
    return "".join(numbers[:1]) + "".join(
        after if after[0] == "-" else f" {after}" for _, after in pairwise(numbers)
    )


def joined(commands: list[str]) -> str:
    """Put commands side by side: the same command need not be named again, but for moves."""
    text, last = "", ""
    for command in filter(None, commands):
        if command[0] == last and last in "lhvcq":
            rest = command[1:]
            text += rest if rest[0] == "-" else f" {rest}"
        else:
            text += command
        last = command[0]
    return text
