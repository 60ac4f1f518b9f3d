"""What the watermark refuses."""

from primer_ref.watermark import detect, favor_green, green_list, z_score

LIST = {"previous": 1, "n_tokens": 10, "key": b"k", "fraction": 0.5}
TEXT = {"tokens": [1, 2], "n_tokens": 10, "key": b"k", "fraction": 0.5}

ROWS = [
    (green_list, LIST | {"fraction": 0}, "fraction must lie strictly .*; got 0"),
    (green_list, LIST | {"fraction": float("nan")}, "fraction must lie strictly .*; got nan"),
    (
        green_list,
        LIST | {"fraction": 0.01},
        "green and some red; got 0 of 10",
    ),
    (favor_green, {"logits": [0, 1], "green": [True, False], "bias": -1}, "negative; got -1"),
    (detect, TEXT | {"tokens": [1, 10]}, "tokens must be from 0 to 9; got 10"),
    (detect, TEXT | {"tokens": [1]}, "n at least 1; got 0 and 0"),
    (detect, TEXT | {"fraction": 1}, "fraction must lie strictly .*; got 1"),
    (z_score, {"green": 3, "n": 2, "fraction": 0.5}, "green must be from 0 to n.*got 3 and 2"),
    (z_score, {"green": 1, "n": 2, "fraction": 1.5}, "fraction must lie strictly .*; got 1.5"),
    (green_list, LIST | {"previous": -1}, "previous must be a token.*; got -1"),
    (green_list, LIST | {"previous": 2**64}, "of 64 bits at most; got 18446744073709551616"),
    (green_list, LIST | {"previous": 1.0}, "previous must be a token.*; got 1.0"),
    (detect, TEXT | {"tokens": [1, 2.5]}, "tokens must be integers; got .* float64"),
]
