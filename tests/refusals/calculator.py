"""What the calculator refuses."""

from primer_ref.calculator import calculate

BAD = {
    "": "at most 200 of 0-9",
    "__import__('os')": "at most 200 of 0-9",
    "x": "at most 200 of 0-9",
    "1e9": "at most 200 of 0-9",
    "1\n+ 1": "at most 200 of 0-9",
    "1+" * 100 + "1": "at most 200 of 0-9",
    "٣": "at most 200 of 0-9",
    "2 +": "well formed; got '2 \\+'",
    "01": "well formed; got '01'",
    "(1": "well formed",
    "( ": "well formed",
    "()": "made of numbers; got Tuple",
    "1(2)": "made of numbers; got Call",
    "7 // 2": "made of numbers; got BinOp",
    "1 / 0": "must have a value; got division by zero",
    "0 ** -1": "must have a value; got",
    "(-8) ** 0.5": "real and at most",
    "9" * 101: "real and at most",
    "10 ** 60 * 10 ** 60": "real and at most",
    "2 ** 333": r"a power must be at most 10\^100; got 2 to the 333",
    "(-2) ** 333": r"a power must be at most 10\^100; got -2 to the 333",
}

ROWS = [(calculate, {"expression": text}, message) for text, message in BAD.items()]
