"""A calculator that a model may use: arithmetic is parsed and evaluated, and nothing is run.

It is a tool for `primer_ref.agents`. Whoever writes to the model writes to its tools, so what this
one can be made to do is bounded: in kind by a list of operations, in cost by the size of numbers.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable
from typing import Any

__all__ = ["calculate"]

_OPERATORS: dict[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_LONGEST = 200
_DIGITS = 100


def calculate(expression: str) -> float:
    """Evaluate an arithmetic expression, such as 2 * (3 + 4) ** 2.

    Parameters
    ----------
    expression : str
        Decimal numbers, ``+ - * / **`` and parentheses, at most 200 characters.

    Returns
    -------
    int or float
        Its value: whole numbers are exact, save after a division or a negative power.

    Raises
    ------
    ValueError
        If the text is anything else, divides by 0, has no real value, or a number on the way is
        beyond 10¹⁰⁰.

    Notes
    -----
    The text is parsed and never run: a node of the syntax tree that is not on a short list ends the
    evaluation. A power is refused before it is computed if it would be too large, so the cost is
    bounded by the length of the text.

    Examples
    --------
    >>> from primer_ref.calculator import calculate
    >>> calculate("2 * (3 + 4) ** 2"), calculate("1 / 8")
    (98, 0.125)
    """
    if len(expression) > _LONGEST or not re.fullmatch(r"[0-9+*/(). -]+", expression):
        raise ValueError(
            f"an expression must be at most {_LONGEST} of 0-9 + - * / . ( ); got {expression!r:.40}"
        )
    try:
        return _evaluate(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, MemoryError, RecursionError):
        raise ValueError(f"an expression must be well formed; got {expression!r:.40}") from None
    except ArithmeticError as error:
        raise ValueError(f"an expression must have a value; got {error}") from None


def _evaluate(node: ast.expr) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            value = number
        case ast.UnaryOp(op=op, operand=inner) if type(op) in _OPERATORS:
            value = _OPERATORS[type(op)](_evaluate(inner))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            a, b = _evaluate(left), _evaluate(right)
            if isinstance(op, ast.Pow) and a and b * math.log10(abs(a)) > _DIGITS:
                raise ValueError(f"a power must be at most 10^{_DIGITS}; got {a} to the {b}")
            value = _OPERATORS[type(op)](a, b)
        case _:
            raise ValueError(f"an expression must be made of numbers; got {ast.dump(node):.40}")
    if isinstance(value, complex) or not abs(value) <= 10**_DIGITS:
        raise ValueError(f"numbers must be real and at most 10^{_DIGITS}; got {value}")
    return value
