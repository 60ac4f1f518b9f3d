"""Figures that can be tried: a figure the build drew, with sliders that draw it anew.

A widget is two files of the same name. ``<name>.py`` holds

- ``CONTROLS``: what the reader can set,
- ``data()``: the numbers that the script reads, made by ``primer_ref`` or measured,
- ``compute(**settings)``: what the script computes, by ``primer_ref``, for the test;

``<name>.js`` calls ``define`` of ``widget.js`` with the same ``compute``, a ``draw`` and a ``say``.
``nox -s browser`` compares both computations over all the controls' ranges.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Range:
    """A slider over an interval; with ``log``, over its logarithm; a step of 1 gives integers."""

    name: str
    label: str
    low: float
    high: float
    value: float
    step: float | None = None
    log: bool = False
    unit: str = ""
    kind: str = "range"


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is typed; what lies outside of the interval is refused with its bounds."""

    name: str
    label: str
    low: float
    high: float
    value: float
    unit: str = ""
    kind: str = "number"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few names."""

    name: str
    label: str
    options: tuple[str, ...]
    value: str
    kind: str = "choice"


@dataclass(frozen=True, slots=True)
class Switch:
    """On or off."""

    name: str
    label: str
    value: bool
    kind: str = "switch"


Control = Range | Number | Choice | Switch
