"""Which patterns are refused."""

from primer_ref.automata import compile_pattern

BAD = {
    "(a": "the end at 2",
    "a)": r"'\)' at 1",
    "a**": r"'\*' at 2",
    "a*?": r"'\?' at 2",
    "*a": r"'\*' at 0",
    "a{2": r"'{' at 1",
    "a{}": r"'{' at 1",
    "a{3,2}": r"'{' at 1",
    "a}": "'}' at 1",
    "^a": r"'\^' at 0",
    "a$": r"'\$' at 1",
    "(?=a)": r"'\?' at 1",
    "[a": "the end at 2",
    "[]": r"'\]' at 1",
    "[[a]": r"'\[' at 1",
    "[b-a]": "'b' at 1",
    r"[a-\d]": "'a' at 1",
    "[é]": "'é' at 1",
    "a\\": r"'\\\\' at 1",
    r"\b": r"'\\\\' at 0",
    r"(a)\1": r"'\\\\' at 3",
    r"\xf": r"'\\\\' at 0",
    r"[^\x00-\xff]": "must match something",
    r"a[^\d\D]|b[^\s\S]": "must match something",
}

ROWS = [(compile_pattern, {"pattern": pattern}, message) for pattern, message in BAD.items()]
