"""What is not linked on both sides: the warnings about equations, functions and tests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from .equation_register import Equation, EquationDomain

# The type of the warning below "equations", its text, and a (docname, line) or a "path:line".
Problem = tuple[str, str, tuple[str, int] | str | None]


def problems(domain: EquationDomain, package: str) -> Iterator[Problem]:
    """List all that is wrong, in an order that depends on nothing but the sources."""
    placed = defaultdict(list)
    for equation in domain.equations:
        placed[equation.label].append(equation)
    yield from _unlabeled(domain)
    for _, equations in sorted(placed.items()):
        yield from _duplicates(equations)
        yield from _unlinked(domain, equations[0], package)
    yield from _unknown(domain, set(placed))
    yield from _unprinted(domain)


def _unlabeled(domain: EquationDomain) -> Iterator[Problem]:
    for docname, page in sorted(domain.pages.items()):
        for line, label in page.unlabeled:
            message = "a display outside proofs, exercises and solutions needs a label eq-<topic>"
            yield "label", message + (f"; got {label}" if label else ""), (docname, line)


def _duplicates(equations: list[Equation]) -> Iterator[Problem]:
    first, *others = equations
    for other in others:
        message = f"duplicate equation {first.label}; the first is in {first.docname}:{first.line}"
        yield "duplicate", message, (other.docname, other.line)


def _unlinked(domain: EquationDomain, equation: Equation, package: str) -> Iterator[Problem]:
    label, where = equation.label, (equation.docname, equation.line)
    implementations, tests = domain.implementations(label), domain.tests(label)
    if not implementations and not equation.kind:
        message = (
            f"no docstring of {package} says 'Implements :eq:`{label}`.', and it has no :kind:"
        )
        yield "unimplemented", f"equation {label}: {message}", where
    elif not implementations and not tests and not equation.example:
        message = f"the {equation.kind} has neither a test nor an executed example in its section"
        yield "unchecked", f"equation {label}: {message}", where
    if not tests:
        for found in implementations:
            message = f'{found.name}: no test carries @pytest.mark.equation("{label}")'
            yield "untested", message, f"{found.path}:{found.line}"


def _unknown(domain: EquationDomain, labels: set[str]) -> Iterator[Problem]:
    for found in domain.sources.implementations:
        if found.label not in labels:
            message = f"{found.name} implements an equation that no page has: {found.label}"
            yield "unknown", message, f"{found.path}:{found.line}"
    for test in domain.sources.tests:
        for label, line in test.markers:
            if label not in labels:
                message = f"{test.name} checks an equation that no page has: {label}"
                yield "unknown", message, f"{test.path}:{line}"


def _unprinted(domain: EquationDomain) -> Iterator[Problem]:
    for module in sorted({test.module for test in domain.sources.tests}):
        if domain.page_of_tests(module) is None:
            # The pages are laid out like the modules.
            stub = Path("reference", module).with_suffix(".md").as_posix()
            message = f"write {stub} with a title and the directive {{equation-tests}} {module}"
            yield "page", f"no page prints the equation tests of {module}: {message}", None
