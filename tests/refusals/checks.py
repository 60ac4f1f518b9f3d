"""What the rules that numbers must keep refuse, and how they say it."""

from math import inf, nan

from primer_ref.checks import (
    check_nonnegative,
    check_nonnegative_finite,
    check_positive,
    check_positive_finite,
    check_probability,
    check_share,
)

ROWS = [
    (check_positive, {"value": 0, "name": "x"}, "^x must be positive; got 0$"),
    (check_positive, {"value": nan, "name": "x"}, "^x must be positive; got nan$"),
    (check_positive_finite, {"value": 0, "name": "x"}, "^x must be positive and finite; got 0$"),
    (check_positive_finite, {"value": inf, "name": "x"}, "^x must be positive and fin.* got inf$"),
    (check_positive_finite, {"value": nan, "name": "x"}, "^x must be positive and fin.* got nan$"),
    (check_nonnegative, {"value": -1, "name": "x"}, "^x must not be negative; got -1$"),
    (check_nonnegative, {"value": nan, "name": "x"}, "^x must not be negative; got nan$"),
    (
        check_nonnegative_finite,
        {"value": -1, "name": "x"},
        "^x must be finite and not neg.* got -1$",
    ),
    (check_nonnegative_finite, {"value": inf, "name": "x"}, "^x must be finite and .* got inf$"),
    (check_nonnegative_finite, {"value": nan, "name": "x"}, "^x must be finite and .* got nan$"),
    (
        check_probability,
        {"value": -0.1, "name": "x"},
        r"^x must be a probability in \[0, 1\]; got -0",
    ),
    (check_probability, {"value": 1.5, "name": "x"}, r"^x must be a prob.* in \[0, 1\]; got 1.5$"),
    (check_probability, {"value": nan, "name": "x"}, r"^x must be a prob.* in \[0, 1\]; got nan$"),
    (check_share, {"value": 0, "name": "x"}, "^x must lie strictly between 0 and 1; got 0$"),
    (check_share, {"value": 1, "name": "x"}, "^x must lie strictly between 0 and 1; got 1$"),
    (check_share, {"value": nan, "name": "x"}, "^x must lie strictly between 0 and 1; got nan$"),
]
