r"""Compute the arithmetic that a page's formulas print, as ``\sqrt{0.21/500}=2.05\,\%``.

A formula is a chain of sides with relations between them. Every two neighboring sides that hold
nothing but numbers, operations and a few functions are computed. They must satisfy their relation;
an equation, or an approximation, may be out by what the rounding of a printed number explains.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterator

RELATIONS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    r"\le": operator.le,
    r"\ge": operator.ge,
    r"\ne": operator.ne,
}
SPLIT = re.compile(r"(=|\\approx|<|>|\\leq?(?![a-z])|\\geq?(?![a-z])|\\neq?(?![a-z]))")
GROUP = r"\{([^{}]*)\}"
# Each rule turns a piece of TeX without inner braces into Python.
RULES = [
    (r"(?<=\d)(?:\{,\}|\\,|\{\\,\})(?=\d{3}(?!\d))", ""),
    (r"\\[,;:! ]|\\quad|\\qquad|~|\\(?:left|right|[bB]igg?[lr]?)(?![a-z])|\\displaystyle", " "),
    (r"\\lceil(.*?)\\rceil", r" ceil(\1) "),
    (r"\\lfloor(.*?)\\rfloor", r" floor(\1) "),
    (r"\\[td]?frac\s*(\d)\s*(\d)", r"((\1)/(\2))"),
    (r"\\[td]?frac\s*(\d)\s*" + GROUP, r"((\1)/(\2))"),
    (r"\\[td]?frac\s*" + GROUP + r"\s*(\d)", r"((\1)/(\2))"),
    (r"\\[td]?frac\s*" + GROUP + r"\s*" + GROUP, r"((\1)/(\2))"),
    (r"\\[td]?binom\s*" + GROUP + r"\s*" + GROUP, r" comb(\1,\2)"),
    (r"\\[td]?binom\s*(\d)\s*(\d)", r" comb(\1,\2)"),
    (r"\\sqrt\s*" + GROUP, r" sqrt(\1)"),
    (r"\\sqrt\s*(\d)", r" sqrt(\1)"),
    (r"\\(?:log|lb)_\{?(\d+)\}?\s*\(([^()]*)\)", r" log(\2,\1)"),
    (r"\\(?:log|lb)_\{?(\d+)\}?\s*(\d+(?:\.\d+)?)", r" log(\2,\1)"),
    (r"\\(log|ln|exp|tanh|sin|cos)\s*(?=\()", r" \1"),
    (r"\\(log|ln|exp|tanh|sin|cos)\s*(\d+(?:\.\d+)?)", r" \1(\2)"),
    (r"\^\s*" + GROUP, r"**(\1)"),
    (r"\^\s*(\d)", r"**(\1)"),
    (r"\\pi(?![a-z])", " pi "),
    (r"\\%", "/100"),
    (r"\\cdot|\\times", "*"),
]
CONSTANTS = {"pi": math.pi, "e": math.e}
FUNCTIONS: dict[str, Callable[..., float]] = {
    name: getattr(math, name)
    for name in ("ceil", "floor", "sqrt", "log", "exp", "tanh", "sin", "cos")
} | {
    "ln": math.log,
    "comb": lambda n, k: math.comb(round(n), round(k)),
    "factorial": lambda n: math.factorial(round(n)),
}
OPERATIONS: dict[type, Callable[..., float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def python(tex: str) -> str | None:
    """Translate a side of a formula, if it is arithmetic."""
    text, before = tex, None
    while text != before:
        before = text
        for pattern, replacement in RULES:
            text = re.sub(pattern, replacement, text)
        text = re.sub(r"(?<![\w}])\{([^{}]*)\}", r"(\1)", text)
    # A number before a bracket or a function multiplies it.
    text = re.sub(r"(?<=[\d)])\s*(?=(?:sqrt|log|ln|exp|pi|e\*\*|comb)\b|\()", "*", text)
    text = re.sub(r"(?<![\w])(sqrt|log|ln|exp|tanh|sin|cos|comb|ceil|floor)\*\(", r"\1(", text)
    text = re.sub(r"(?<=\))\s*(?=\d)", "*", text)
    text = re.sub(r"(\d+)!", r"factorial(\1)", text)
    return text.strip() if not re.search(r"[\\{}_&;'|]", text) else None


def computed(tex: str) -> float | None:
    """Compute a side of a formula, or say that it is no arithmetic."""
    try:
        return float(evaluated(ast.parse(python(tex) or "", mode="eval").body))
    except (SyntaxError, ValueError, TypeError, KeyError, ArithmeticError):
        return None


def evaluated(node: ast.expr) -> float:
    """Compute with floats only: a tower of powers overflows, instead of taking years."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.UnaryOp(op=sign, operand=operand):
            return OPERATIONS[type(sign)](evaluated(operand))
        case ast.BinOp(left=left, op=operation, right=right):
            return OPERATIONS[type(operation)](evaluated(left), evaluated(right))
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in FUNCTIONS:
            return FUNCTIONS[name](*map(evaluated, arguments))
    raise ValueError(ast.dump(node))


def slack(tex: str, relation: str) -> float:
    """Say by how much the rounding of a side that is one printed number can move it."""
    text = python(tex) or ""
    match = re.fullmatch(r"-?\s*\d+(?:\.(\d+))?\s*(?:\*\s*10\*\*\((-?\d+)\))?\s*(/100)?", text)
    exact = relation == "=" and text.isdigit()  # what equals a whole number is not rounded
    if not match or exact:
        return 0.0
    unit = 10.0 ** (int(match[2] or 0) - len(match[1] or "") - 2 * bool(match[3]))
    return 0.5000001 * unit


def claims(formula: str) -> Iterator[tuple[str, str, str]]:
    """Cut a formula into neighboring sides with the relation between them."""
    for line in re.split(
        r"\\\\|\\qquad|;|\\to(?![a-z])|\\Rightarrow|\\Longrightarrow|\\text\{[^{}]*\}", formula
    ):
        sides = SPLIT.split(line.replace("&", " "))
        for left, relation, right in zip(sides[::2], sides[1::2], sides[2::2], strict=False):
            yield left.strip(), relation, right.strip().rstrip(".,")


def wrong(formula: str) -> Iterator[str]:
    """Name the printed relations that do not hold."""
    for left, relation, right in claims(formula):
        a, b = computed(left), computed(right)
        if a is None or b is None:
            continue
        holds = RELATIONS.get(relation.replace("leq", "le").replace("geq", "ge"))
        if holds:
            good = holds(a, b)
        else:
            good = abs(a - b) <= max(slack(left, relation), slack(right, relation), 1e-9 * abs(a))
        if not good:
            yield f"{left} {relation} {right}: {a:.8g} and {b:.8g}"


def checked(formula: str) -> Iterator[str]:
    """Give the sides of a formula whose arithmetic was computed."""
    for left, _, right in claims(formula):
        if computed(left) is not None and computed(right) is not None:
            yield from (left, right)
